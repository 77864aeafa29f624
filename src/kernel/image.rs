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
use crate::policy::compile::{Cell, Compiled, PackedCell, Table};

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

/// The pages of an image. Each is put together when it is written: an image can be large, and the
/// daemon is to stay small.
#[derive(Debug)]
pub struct Pages<'a> {
    header: tyr_image_header,
    tables: [Placed<'a>; 2],
    cells: &'a [PackedCell],
}

impl<'a> Pages<'a> {
    /// Lays out `compiled` as `generation`, which is not 0.
    ///
    /// # Errors
    /// More pages, agent types or file systems than the layout has room for.
    pub fn new(compiled: &'a Compiled, generation: u32) -> Result<Pages<'a>, Error> {
        // The first page is the header.
        let path = Placed::new(&compiled.paths, 1)?;
        let net = Placed::new(&compiled.net, path.end())?;
        let cell_page = word(net.end());
        let mut header = tyr_image_header {
            magic: TYR_IMAGE_MAGIC,
            abi: TYR_IMAGE_ABI,
            generation,
            pages: cell_page + word(compiled.cells.len().div_ceil(PAGE_WORDS)),
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
            path_start: compiled.path_starts.map(|state| path.address(state)),
            net_start4: net.address(compiled.net_start4),
            net_start6: net.address(compiled.net_start6),
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
                starts.map(|state| path.address(state)),
            )?;
        }
        Ok(Pages {
            header,
            tables: [path, net],
            cells: &compiled.cells,
        })
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
        let map = MapHandle::create(
            MapType::Array,
            Some("tyr_image"),
            word(size_of::<u32>()),
            page_bytes,
            self.count(),
            &options,
        )
        .map_err(Error::bpf("make an image"))?;
        let mut page = vec![0; PAGE_WORDS];
        for number in 0..self.count() {
            page.fill(0);
            self.fill(number as usize, &mut page);
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
        self.header.pages
    }

    /// Writes one page into words that are 0.
    fn fill(&self, number: usize, page: &mut [u32]) {
        if number == 0 {
            // SAFETY: `Plain` above: the header is words without padding.
            let bytes = unsafe { plain::as_bytes(&self.header) };
            let (words, _) = bytes.as_chunks();
            for (word, bytes) in page.iter_mut().zip(words) {
                *word = u32::from_ne_bytes(*bytes);
            }
            return;
        }
        for table in &self.tables {
            if (table.first_page..table.end()).contains(&number) {
                return table.fill(number - table.first_page, page);
            }
        }
        let first = (number - self.header.cell_page as usize) * PAGE_WORDS;
        for (word, &cell) in page.iter_mut().zip(&self.cells[first..]) {
            *word = cell_word(cell.into());
        }
    }
}

/// An automaton on pages of its own.
#[derive(Debug)]
struct Placed<'a> {
    table: &'a Table,
    first_page: usize,
    /// Address of each state.
    addresses: Vec<u32>,
}

impl<'a> Placed<'a> {
    fn new(table: &'a Table, first_page: usize) -> Result<Placed<'a>, Error> {
        let mut placed = Placed {
            table,
            first_page,
            addresses: Vec::new(),
        };
        let states = table.labels.len();
        if placed.end() > TYR_STATE_PAGE_MASK as usize + 1 {
            return Err(Error::Image(format!("{states} states need too many pages")));
        }
        placed.addresses = (0..word(states)).map(|state| placed.place(state)).collect();
        Ok(placed)
    }

    /// Words of a state: its label, then its row.
    fn row_words(&self) -> usize {
        self.table.columns + 1
    }

    fn per_page(&self) -> usize {
        PAGE_WORDS / self.row_words()
    }

    /// The page after the last.
    fn end(&self) -> usize {
        self.first_page + self.table.labels.len().div_ceil(self.per_page())
    }

    fn place(&self, state: u32) -> u32 {
        let page = word(self.first_page + state as usize / self.per_page());
        let offset = word(state as usize % self.per_page() * self.row_words());
        debug_assert!(offset <= TYR_STATE_OFFSET_MASK);
        let flag = if self.table.is_absorbing(state) {
            TYR_STATE_ABSORBING
        } else {
            0
        };
        flag | page << TYR_STATE_PAGE_SHIFT | offset
    }

    fn address(&self, state: u32) -> u32 {
        self.addresses[state as usize]
    }

    /// Writes the states of the page that is `number` pages behind the first.
    fn fill(&self, number: usize, page: &mut [u32]) {
        let first = number * self.per_page();
        let states = first..self.table.labels.len().min(first + self.per_page());
        for (state, row) in states.zip(page.chunks_exact_mut(self.row_words())) {
            row[0] = self.table.labels[state];
            for (slot, &target) in row[1..].iter_mut().zip(self.table.row(word(state))) {
                *slot = self.address(target);
            }
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
