//! The object of the kernel programs, changed: other builds, and builds that cannot be loaded.

use tyr::kernel::build::Build;

const SYMBOL_TABLE: u32 = 2;
const FUNCTION: u8 = 2;
/// `r0 = r9`, where nothing is in r9 yet: every verifier refuses it.
const READ_OF_NOTHING: [u8; 8] = [0xbf, 0x90, 0, 0, 0, 0, 0, 0];

/// This build under another number: the licence says it otherwise, and means the same.
pub fn another() -> Vec<u8> {
    replaced(b"Dual BSD/GPL\0", b"Dual MIT/GPL\0")
}

/// A build whose exit tracepoint names no event: it loads, and cannot be attached.
pub fn without_tracepoint() -> Vec<u8> {
    replaced(
        b"raw_tp/sched_process_exit\0",
        b"raw_tp/sched_process_exiX\0",
    )
}

/// A build in which one program is not a valid one.
pub fn broken(program: &str) -> Vec<u8> {
    let mut bytes = Build::own().object().to_vec();
    let at = place(&bytes, program).unwrap_or_else(|| panic!("no program {program}"));
    bytes[at..at + 8].copy_from_slice(&READ_OF_NOTHING);
    bytes
}

fn replaced(from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = Build::own().object().to_vec();
    // Also where relocations name the section that they are for.
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter_map(|(at, part)| (part == from).then_some(at))
        .collect();
    assert!(!places.is_empty(), "it is in the object");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// Offset of a program's first instruction in the file.
fn place(elf: &[u8], program: &str) -> Option<usize> {
    let sections = number(elf, 0x28, 8);
    let header = |index: usize| sections + index * 64;
    let count = number(elf, 0x3c, 2);
    let table = (0..count)
        .map(header)
        .find(|at| number(elf, at + 4, 4) == SYMBOL_TABLE as usize)?;
    let names = number(elf, header(number(elf, table + 40, 4)) + 24, 8);
    let start = number(elf, table + 24, 8);
    (start..start + number(elf, table + 32, 8))
        .step_by(24)
        .find(|symbol| {
            let name = &elf[names + number(elf, *symbol, 4)..];
            let name = name.split(|byte| *byte == 0).next();
            elf[symbol + 4] & 0xf == FUNCTION && name == Some(program.as_bytes())
        })
        .map(|symbol| {
            let section = header(number(elf, symbol + 6, 2));
            number(elf, section + 24, 8) + number(elf, symbol + 8, 8)
        })
}

fn number(bytes: &[u8], at: usize, length: usize) -> usize {
    let mut whole = [0; 8];
    whole[..length].copy_from_slice(&bytes[at..at + length]);
    usize::from_le_bytes(whole)
}
