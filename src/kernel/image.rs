//! Compiled tables as the pages that the kernel programs read: `bpf/include/image.h`.

use crate::policy::compile::{Compiled, Table};

pub const PAGE_WORDS: usize = 65536;
const MAGIC: u32 = 0x5259_5431;
const ABI: u32 = 1;
const ABSORBING: u32 = 1 << 31;
const SUPERBLOCKS: usize = 2048;
const TYPES: usize = 1024;

struct Pages(Vec<Vec<u32>>);

impl Pages {
    fn table(&mut self, table: &Table) -> Vec<u32> {
        let row = table.columns + 1;
        let mut address = Vec::new();
        let mut page = self.0.len();
        let mut offset = 0;
        for _ in 0..table.labels.len() {
            if offset + row > PAGE_WORDS {
                page += 1;
                offset = 0;
            }
            address.push((page as u32) << 16 | offset as u32);
            offset += row;
        }
        self.0.resize(page + 1, vec![0; PAGE_WORDS]);
        let named: Vec<u32> = (0..table.labels.len() as u32)
            .map(|s| address[s as usize] | if table.is_absorbing(s) { ABSORBING } else { 0 })
            .collect();
        for (state, at) in address.iter().enumerate() {
            let words = &mut self.0[(at >> 16) as usize];
            let first = (at & 0xffff) as usize;
            words[first] = table.labels[state];
            for (column, target) in table.row(state as u32).iter().enumerate() {
                words[first + 1 + column] = named[*target as usize];
            }
        }
        named
    }
}

pub fn pages(compiled: &Compiled, generation: u32) -> Vec<Vec<u32>> {
    let mut pages = Pages(vec![vec![0; PAGE_WORDS]]);
    let path = pages.table(&compiled.paths);
    let net = pages.table(&compiled.net);
    let cell_page = pages.0.len();
    let words: Vec<u32> = compiled
        .cells
        .iter()
        .map(|c| {
            c.verdict as u32
                | u32::from(c.monitored) << 2
                | u32::from(c.matched) << 3
                | u32::from(c.silent) << 4
        })
        .collect();
    for chunk in words.chunks(PAGE_WORDS) {
        let mut page = chunk.to_vec();
        page.resize(PAGE_WORDS, 0);
        pages.0.push(page);
    }
    let mut header = vec![MAGIC, ABI, generation, pages.0.len() as u32, cell_page as u32];
    header.push(compiled.row_words() as u32);
    header.push(compiled.slot_count * compiled.exe_classes);
    let mut base = 0;
    for count in compiled.class_count {
        header.push(base);
        base += count;
    }
    header.extend(compiled.class_count);
    header.extend(compiled.unknown_class);
    header.push(compiled.slot_count);
    header.push(compiled.exe_classes);
    header.push(compiled.unknown_exe_class);
    header.push(compiled.unknown_slot);
    header.extend(compiled.path_starts.map(|s| path[s as usize]));
    header.push(net[compiled.net_start4 as usize]);
    header.push(net[compiled.net_start6 as usize]);
    header.push(compiled.superblock_starts.len() as u32);
    for table in [&compiled.paths, &compiled.net] {
        for four in table.column_of.chunks(4) {
            header.push(u32::from_ne_bytes([four[0], four[1], four[2], four[3]]));
        }
    }
    let mut slots = vec![compiled.unknown_slot; TYPES];
    for (number, slot) in &compiled.type_slot {
        slots[usize::from(*number)] = *slot;
    }
    header.extend(slots);
    let mut blocks = vec![[0u32; 7]; SUPERBLOCKS];
    for (dev, starts) in &compiled.superblock_starts {
        let mut slot = (dev.wrapping_mul(0x9e37_79b1) >> 21) as usize;
        while blocks[slot][0] != 0 {
            slot = (slot + 1) % SUPERBLOCKS;
        }
        blocks[slot][0] = *dev;
        for (kind, start) in starts.iter().enumerate() {
            blocks[slot][1 + kind] = path[*start as usize];
        }
    }
    header.extend(blocks.iter().flatten());
    pages.0[0][..header.len()].copy_from_slice(&header);
    pages.0
}
