//! How far the server has taken the spool, on disk.
//!
//! Two slots in one file are written in turn, so a write that is cut leaves the other. A lost
//! cursor costs no record: everything kept is sent again and the server keeps each number once.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::chain::Chain;
use super::crc::crc32c;

/// What has left this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Every record up to this one is committed on the server.
    pub acknowledged: u64,
    /// The last record that may have reached the server; its number is never given again.
    pub sent: u64,
    /// Chain after `sent`.
    pub sent_chain: Chain,
    /// Records that went for want of space since the spool was made.
    pub evicted: u64,
}

/// The file that keeps a [`Position`].
pub struct Cursor {
    file: File,
    generation: u64,
}

const SLOT_BYTES: u64 = 128;
const USED_BYTES: usize = 76;
const MAGIC: u32 = 0x5259_5443;

impl Cursor {
    /// Opens or makes the file. The position is the newest slot that is whole, else the default.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or read.
    pub fn open(path: &Path) -> io::Result<(Cursor, Position)> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let mut newest = (0, Position::default());
        for slot in 0..2 {
            let mut bytes = [0; USED_BYTES];
            match file.read_exact_at(&mut bytes, slot * SLOT_BYTES) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                Err(error) => return Err(error),
            }
            if let Some(found) = decode(&bytes)
                && found.0 > newest.0
            {
                newest = found;
            }
        }
        Ok((
            Cursor {
                file,
                generation: newest.0,
            },
            newest.1,
        ))
    }

    /// Writes `position`; with `sync` it is on disk when this returns.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save(&mut self, position: Position, sync: bool) -> io::Result<()> {
        let generation = self.generation + 1;
        let slot = (generation % 2) * SLOT_BYTES;
        self.file
            .write_all_at(&encode(generation, position), slot)?;
        if sync {
            self.file.sync_data()?;
        }
        self.generation = generation;
        Ok(())
    }
}

fn encode(generation: u64, position: Position) -> [u8; USED_BYTES] {
    let mut bytes = [0; USED_BYTES];
    bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
    bytes[4..12].copy_from_slice(&generation.to_le_bytes());
    bytes[12..20].copy_from_slice(&position.acknowledged.to_le_bytes());
    bytes[20..28].copy_from_slice(&position.sent.to_le_bytes());
    bytes[28..60].copy_from_slice(&position.sent_chain.0);
    bytes[60..68].copy_from_slice(&position.evicted.to_le_bytes());
    let crc = crc32c(0, &bytes[..72]);
    bytes[72..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; USED_BYTES]) -> Option<(u64, Position)> {
    let number = |at: usize| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(eight)
    };
    if bytes[..4] != MAGIC.to_le_bytes() || bytes[72..] != crc32c(0, &bytes[..72]).to_le_bytes() {
        return None;
    }
    let mut sent_chain = Chain::default();
    sent_chain.0.copy_from_slice(&bytes[28..60]);
    let position = Position {
        acknowledged: number(12),
        sent: number(20),
        sent_chain,
        evicted: number(60),
    };
    Some((number(4), position))
}
