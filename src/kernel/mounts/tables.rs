//! The host's mount table together with those of containers.

use std::collections::BTreeMap;

use super::Mounts;
use crate::policy::compile::{Alias, Superblock};

/// Several mount tables, the host's first. An object's paths are those of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    host: Mounts,
    containers: Vec<Mounts>,
}

impl Tables {
    pub fn new(host: Mounts, containers: Vec<Mounts>) -> Tables {
        Tables { host, containers }
    }

    /// The host's table alone.
    pub fn host(&self) -> &Mounts {
        &self.host
    }

    pub fn has_containers(&self) -> bool {
        !self.containers.is_empty()
    }

    /// Every file system and where it is mounted on the host and in containers, by device.
    pub fn superblocks(&self) -> Vec<Superblock> {
        let mut all = BTreeMap::<u32, Vec<Alias>>::new();
        for Superblock { dev, aliases } in self.tables().flat_map(Mounts::superblocks) {
            let list = all.entry(dev).or_default();
            for alias in aliases {
                if !list.contains(&alias) {
                    list.push(alias);
                }
            }
        }
        all.into_iter()
            .map(|(dev, aliases)| Superblock { dev, aliases })
            .collect()
    }

    /// Where an object is: its paths on the host, then those in containers.
    pub fn paths(&self, dev: u32, path: &[u8]) -> Vec<Vec<u8>> {
        let mut paths = Vec::new();
        for found in self.tables().flat_map(|table| table.host_path(dev, path)) {
            if !paths.contains(&found) {
                paths.push(found);
            }
        }
        paths
    }

    fn tables(&self) -> impl Iterator<Item = &Mounts> {
        std::iter::once(&self.host).chain(&self.containers)
    }
}
