//! Compiled tables as the pages that kernel programs read, laid out as in `bpf/include/image.h`.

use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType, libbpf_sys};

use super::abi::{
    TYR_AGENT_TYPES_MAX, TYR_CELL_MATCHED, TYR_CELL_MONITORED, TYR_CELL_SILENT,
    TYR_CELL_VERDICT_MASK, TYR_IMAGE_ABI, TYR_IMAGE_MAGIC, TYR_PAGE_WORDS, TYR_STATE_ABSORBING,
    TYR_STATE_OFFSET_MASK, TYR_STATE_PAGE_MASK, TYR_STATE_PAGE_SHIFT, TYR_SUPERBLOCK_HASH_SHIFT,
    TYR_SUPERBLOCK_PROBES_MAX, TYR_SUPERBLOCKS_MAX,
};
use super::decide::skel::{tyr_image_header, tyr_superblock};
use super::error::Error;
use crate::model::verdict::Verdict;
use crate::policy::compile::{Cell, Compiled, Table};

/// Words of one page.
pub const PAGE_WORDS: usize = TYR_PAGE_WORDS as usize;

/// `TYR_SUPERBLOCK_HASH` of the header; a macro there.
const SUPERBLOCK_HASH: u32 = 0x9e37_79b1;

// SAFETY: plain integers and arrays of them, `repr(C)`, four-byte aligned throughout, so there is
// no padding; every byte pattern is a value.
unsafe impl plain::Plain for tyr_image_header {}

const _: () = assert!(size_of::<tyr_image_header>() <= PAGE_WORDS * 4);
const _: () = assert!(size_of::<tyr_superblock>() == 28);
const _: () = assert!(1 << (32 - TYR_SUPERBLOCK_HASH_SHIFT) == TYR_SUPERBLOCKS_MAX);

/// The pages of an image, ready to be written.
#[derive(Debug)]
pub struct Pages(Vec<Vec<u32>>);

impl Pages {
    /// Lays out `compiled` as `generation`, which is not 0.
    ///
    /// # Errors
    /// More pages, agent types or file systems than the layout has room for.
    pub fn new(compiled: &Compiled, generation: u32) -> Result<Pages, Error> {
        let mut pages = Pages(vec![vec![0; PAGE_WORDS]]);
        let path = pages.push_table(&compiled.paths)?;
        let net = pages.push_table(&compiled.net)?;
        let cell_page = pages.count();
        pages.push_cells(&compiled.cells);
        let mut header = tyr_image_header {
            magic: TYR_IMAGE_MAGIC,
            abi: TYR_IMAGE_ABI,
            generation,
            pages: pages.count(),
            cell_page,
            row_words: word(compiled.row_words()),
            profiles: compiled.slot_count * compiled.exe_classes,
            action_base: crate::model::action::Action::ALL.map(|a| compiled.action_base(a)),
            class_count: compiled.class_count,
            unknown_class: compiled.unknown_class,
            slots: compiled.slot_count,
            exe_classes: compiled.exe_classes,
            unknown_exe_class: compiled.unknown_exe_class,
            unknown_slot: compiled.unknown_slot,
            path_start: compiled.path_starts.map(|state| path[state as usize]),
            net_start4: net[compiled.net_start4 as usize],
            net_start6: net[compiled.net_start6 as usize],
            superblock_count: word(compiled.superblock_starts.len()),
            path_class: compiled.paths.column_of,
            net_class: compiled.net.column_of,
            type_slot: [compiled.unknown_slot; TYR_AGENT_TYPES_MAX as usize],
            ..tyr_image_header::default()
        };
        for (&number, &slot) in &compiled.type_slot {
            let place = header.type_slot.get_mut(usize::from(number));
            *place.ok_or_else(|| Error::Image(format!("agent type {number} is too large")))? = slot;
        }
        for (&dev, starts) in &compiled.superblock_starts {
            insert(
                &mut header.superblock,
                dev,
                starts.map(|state| path[state as usize]),
            )?;
        }
        // SAFETY: `Plain` above: the header is words without padding.
        let bytes = unsafe { plain::as_bytes(&header) };
        for (word, bytes) in pages.0[0].iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        Ok(pages)
    }

    /// Writes the pages into a new map of the kind that `image` holds, and closes it for changes.
    ///
    /// # Errors
    /// The kernel has no memory for them, or the process may not make maps.
    pub fn into_map(self) -> Result<MapHandle, Error> {
        let options = libbpf_sys::bpf_map_create_opts {
            sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
            map_flags: libbpf_sys::BPF_F_INNER_MAP,
            ..Default::default()
        };
        let page_bytes = word(PAGE_WORDS * 4);
        let count = self.count();
        let map = MapHandle::create(
            MapType::Array,
            Some("tyr_image"),
            word(size_of::<u32>()),
            page_bytes,
            count,
            &options,
        )
        .map_err(Error::bpf("make an image"))?;
        for (number, page) in (0u32..).zip(&self.0) {
            // SAFETY: words have no padding.
            let bytes = unsafe { plain::as_bytes(&page[..]) };
            map.update(&number.to_ne_bytes(), bytes, MapFlags::ANY)
                .map_err(Error::bpf("write an image"))?;
        }
        map.freeze().map_err(Error::bpf("close an image"))?;
        Ok(map)
    }

    /// Pages of the image.
    pub fn count(&self) -> u32 {
        word(self.0.len())
    }

    /// Adds an automaton on pages of its own, and gives the address of each state.
    fn push_table(&mut self, table: &Table) -> Result<Vec<u32>, Error> {
        let row_words = table.columns + 1;
        let per_page = PAGE_WORDS / row_words;
        let first_page = self.0.len();
        let states = table.labels.len();
        let last_page = first_page + states.div_ceil(per_page);
        if last_page > TYR_STATE_PAGE_MASK as usize + 1 {
            return Err(Error::Image(format!("{states} states need too many pages")));
        }
        let address = |state: u32| {
            let page = word(first_page + state as usize / per_page);
            let offset = word(state as usize % per_page * row_words);
            debug_assert!(offset <= TYR_STATE_OFFSET_MASK);
            let flag = if table.is_absorbing(state) {
                TYR_STATE_ABSORBING
            } else {
                0
            };
            flag | page << TYR_STATE_PAGE_SHIFT | offset
        };
        let addresses: Vec<u32> = (0..word(states)).map(address).collect();
        self.0.resize_with(last_page, || vec![0; PAGE_WORDS]);
        for state in 0..word(states) {
            let page = &mut self.0[first_page + state as usize / per_page];
            let offset = state as usize % per_page * row_words;
            page[offset] = table.labels[state as usize];
            for (slot, &target) in page[offset + 1..].iter_mut().zip(table.row(state)) {
                *slot = addresses[target as usize];
            }
        }
        Ok(addresses)
    }

    fn push_cells(&mut self, cells: &[Cell]) {
        for chunk in cells.chunks(PAGE_WORDS) {
            let mut page: Vec<u32> = chunk.iter().map(|&cell| cell_word(cell)).collect();
            page.resize(PAGE_WORDS, 0);
            self.0.push(page);
        }
    }
}

fn word(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn insert(
    table: &mut [tyr_superblock],
    dev: u32,
    start: [u32; crate::policy::compile::PATH_KINDS],
) -> Result<(), Error> {
    let home = dev.wrapping_mul(SUPERBLOCK_HASH) >> TYR_SUPERBLOCK_HASH_SHIFT;
    for probe in 0..TYR_SUPERBLOCK_PROBES_MAX {
        let slot = ((home + probe) % TYR_SUPERBLOCKS_MAX) as usize;
        if table[slot].dev == 0 {
            table[slot] = tyr_superblock { dev, start };
            return Ok(());
        }
    }
    Err(Error::Image(
        "more mounted file systems than the image has room for".to_owned(),
    ))
}

/// A cell as the kernel reads it.
pub fn cell_word(cell: Cell) -> u32 {
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    cell.verdict as u32
        | flag(cell.monitored, TYR_CELL_MONITORED)
        | flag(cell.matched, TYR_CELL_MATCHED)
        | flag(cell.silent, TYR_CELL_SILENT)
}

/// A cell from the word that a record or an answer carries; `None` when the verdict is none.
pub fn cell_of_word(word: u32) -> Option<Cell> {
    let verdict = [Verdict::Allow, Verdict::Alert, Verdict::Deny]
        .into_iter()
        .find(|&verdict| verdict as u32 == word & TYR_CELL_VERDICT_MASK)?;
    Some(Cell {
        verdict,
        monitored: word & TYR_CELL_MONITORED != 0,
        matched: word & TYR_CELL_MATCHED != 0,
        silent: word & TYR_CELL_SILENT != 0,
    })
}
