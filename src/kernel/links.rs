//! Names of files that have several, as the kernel keeps them; see `bpf/include/links.bpf.h`.

use std::collections::BTreeSet;

use libbpf_rs::{MapCore, MapFlags};

use super::abi::{TYR_EXE_MAX, TYR_LINK_ACTIONS, TYR_LINK_NAMES_MAX, TYR_LINKS_MAX};
use super::error::Error;
use super::load::Programs;
use super::skel::{tyr_link, tyr_link_key};
use crate::policy::compile::{Compiled, Target};

/// Most names that one generation keeps; half of the map, because the next is written beside it.
pub const LINKS_MAX: usize = (TYR_LINKS_MAX / 2) as usize;
const ACTIONS: usize = TYR_LINK_ACTIONS as usize;

/// One name of an inode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkName {
    /// `super_block.s_dev`, in the kernel's encoding.
    pub dev: u32,
    pub ino: u64,
    /// Inside its file system; `None`: not known.
    pub path: Option<Vec<u8>>,
}

impl Programs {
    /// Every name that is kept for a generation other than `except`.
    ///
    /// # Errors
    /// Nothing is attached, or the map cannot be read.
    pub fn links(&self, except: u32) -> Result<Vec<LinkName>, Error> {
        let mut names = Vec::new();
        self.each_link(|key, link| {
            if key.generation != except {
                names.push(LinkName {
                    dev: key.dev,
                    ino: key.ino,
                    path: path_of(link),
                });
            }
        })?;
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Paths inside its file system that an inode is kept with for a generation.
    ///
    /// # Errors
    /// Nothing is attached, or the map cannot be read.
    pub fn link_paths(&self, generation: u32, dev: u32, ino: u64) -> Result<Vec<Vec<u8>>, Error> {
        let map = self.attached()?.map("links")?;
        let mut paths = Vec::new();
        for number in 0..=TYR_LINK_NAMES_MAX {
            let key = key(generation, dev, ino, number);
            let value = map.lookup(key_bytes(&key), MapFlags::ANY);
            let Some(value) = value.map_err(Error::bpf("read a link"))? else {
                break;
            };
            let mut link = tyr_link::default();
            if plain::copy_from_bytes(&mut link, &value).is_ok() {
                paths.extend(path_of(&link));
            }
        }
        Ok(paths)
    }

    /// Keeps the names in which the rules of `compiled` see something, for its generation. Gives
    /// how many there was no room for.
    ///
    /// # Errors
    /// Nothing is attached.
    pub fn keep_links(
        &self,
        generation: u32,
        compiled: &Compiled,
        names: &BTreeSet<LinkName>,
    ) -> Result<usize, Error> {
        let mut lost = 0;
        let mut kept = 0;
        for name in names {
            let classes = classes(compiled, name);
            if classes == [0; ACTIONS] {
                continue;
            }
            if kept >= LINKS_MAX || !self.keep_link(generation, name, classes, compiled)? {
                lost += 1;
            } else {
                kept += 1;
            }
        }
        Ok(lost)
    }

    /// Forgets the names of every other generation.
    ///
    /// # Errors
    /// Nothing is attached, or the map cannot be read.
    pub fn forget_links(&self, except: u32) -> Result<(), Error> {
        let map = self.attached()?.map("links")?;
        let mut old = Vec::new();
        self.each_link(|key, _| {
            if key.generation != except {
                old.push(*key);
            }
        })?;
        for key in old {
            match map.delete(key_bytes(&key)) {
                Err(error) if error.kind() != libbpf_rs::ErrorKind::NotFound => {
                    return Err(Error::bpf("forget a link")(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// In the first place that is free or has the same classes; the last stands for all others.
    fn keep_link(
        &self,
        generation: u32,
        name: &LinkName,
        classes: [u32; ACTIONS],
        compiled: &Compiled,
    ) -> Result<bool, Error> {
        let map = self.attached()?.map("links")?;
        for number in 0..=TYR_LINK_NAMES_MAX {
            let key = key(generation, name.dev, name.ino, number);
            let is_last = number == TYR_LINK_NAMES_MAX;
            let link = if is_last {
                link(unknown(compiled), None)
            } else {
                link(classes, name.path.as_deref())
            };
            // SAFETY: `tyr_link` is Plain: integers without padding.
            let value = unsafe { plain::as_bytes(&link) };
            match map.update(key_bytes(&key), value, MapFlags::NO_EXIST) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == libbpf_rs::ErrorKind::AlreadyExists => {
                    let found = map.lookup(key_bytes(&key), MapFlags::ANY);
                    let found = found.map_err(Error::bpf("read a link"))?;
                    let same = found.is_some_and(|found| {
                        let mut kept = tyr_link::default();
                        plain::copy_from_bytes(&mut kept, &found).is_ok() && kept.class == classes
                    });
                    if same || is_last {
                        return Ok(true);
                    }
                }
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    fn each_link(&self, mut each: impl FnMut(&tyr_link_key, &tyr_link)) -> Result<(), Error> {
        let map = self.attached()?.map("links")?;
        for bytes in map.keys() {
            let mut key = tyr_link_key::default();
            if plain::copy_from_bytes(&mut key, &bytes).is_err() {
                continue;
            }
            let value = map.lookup(&bytes, MapFlags::ANY);
            let Some(value) = value.map_err(Error::bpf("read the links"))? else {
                continue;
            };
            let mut link = tyr_link::default();
            plain::copy_from_bytes(&mut link, &value).map_err(|_| Error::Layout {
                map: "links",
                found: value.len(),
                expected: size_of::<tyr_link>(),
            })?;
            each(&key, &link);
        }
        Ok(())
    }
}

/// What rules see in a name, by action.
fn classes(compiled: &Compiled, name: &LinkName) -> [u32; ACTIONS] {
    let unknown = unknown(compiled);
    let Some(path) = &name.path else {
        return unknown;
    };
    std::array::from_fn(|action| {
        let label = compiled.label(action, Target::Inside(name.dev, path));
        label.unwrap_or(unknown[action])
    })
}

fn unknown(compiled: &Compiled) -> [u32; ACTIONS] {
    std::array::from_fn(|action| compiled.unknown_class[action])
}

fn key(generation: u32, dev: u32, ino: u64, number: u32) -> tyr_link_key {
    tyr_link_key {
        generation,
        dev,
        ino,
        number,
        reserved: 0,
    }
}

fn key_bytes(key: &tyr_link_key) -> &[u8] {
    // SAFETY: `tyr_link_key` is Plain: integers without padding.
    unsafe { plain::as_bytes(key) }
}

fn link(class: [u32; ACTIONS], path: Option<&[u8]>) -> tyr_link {
    let mut link = tyr_link {
        class,
        length: u32::MAX,
        ..tyr_link::default()
    };
    if let Some(path) = path
        && path.len() <= link.path.len()
    {
        link.path[..path.len()].copy_from_slice(path);
        link.length = u32::try_from(path.len()).unwrap_or(u32::MAX);
    }
    link
}

fn path_of(link: &tyr_link) -> Option<Vec<u8>> {
    let length = usize::try_from(link.length).ok()?;
    (length <= TYR_EXE_MAX as usize).then(|| link.path[..length].to_vec())
}
