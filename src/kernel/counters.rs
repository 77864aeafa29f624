//! What the programs count, and how often the kernel did not run them.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libbpf_rs::{Link, MapCore, MapFlags, MapHandle};

use super::error::Error;
use super::load::Programs;
use super::pins::Pins;

/// One field for each `enum tyr_counter`, in its order.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of the programs since they were first attached.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// All by name.
            pub fn named(&self) -> BTreeMap<&'static str, u64> {
                BTreeMap::from([$((stringify!($name), self.$name),)*])
            }

            fn read(map: &MapHandle) -> Result<Counters, Error> {
                let mut index = 0;
                $(let $name = sum_of_cpus(map, index)?; index += 1;)*
                debug_assert_eq!(index, super::abi::TYR_COUNTERS);
                Ok(Counters { $($name,)* })
            }
        }
    };
}

counters! {
    decisions,
    denied,
    /// Records put into the ring buffer.
    events,
    /// Records for which the ring buffer had no room.
    events_lost,
    faults,
    storage_failed,
    sessions_full,
    path_unsettled,
    path_too_long,
    agents,
    rename_races,
    /// Records for which there was no work space.
    events_failed,
    /// Refused by self-protection.
    self_denied,
    /// Names of linked files that could not be kept.
    links_lost,
    /// Opens and connections that were allowed without a new decision.
    remembered,
    /// Of the decisions, those for which the path of the directory was not walked again.
    by_folder,
}

impl Programs {
    /// The counters, summed over CPUs.
    ///
    /// # Errors
    /// Nothing is attached, or the map cannot be read.
    pub fn counters(&self) -> Result<Counters, Error> {
        Counters::read(self.attached()?.map("counters")?)
    }

    /// How often the kernel skipped a program because it was already active on the same
    /// processor, by program; only those that were skipped.
    ///
    /// # Errors
    /// Nothing is attached, or the kernel does not tell.
    pub fn misses(&self) -> Result<BTreeMap<String, u64>, Error> {
        misses(self.attached()?.links())
    }
}

/// The same of the programs that are pinned in `dir`, whoever loaded them.
///
/// # Errors
/// The pins cannot be read, or the kernel does not tell.
pub fn pinned_misses(dir: &std::path::Path) -> Result<BTreeMap<String, u64>, Error> {
    let mut all = BTreeMap::new();
    for folder in Pins::at(dir).builds()? {
        for name in folder.link_names()? {
            let link = Link::open(folder.link(&name)).map_err(Error::bpf("open a link"))?;
            all.extend(misses([(name.as_str(), &link)].into_iter())?);
        }
    }
    Ok(all)
}

fn misses<'a>(
    links: impl Iterator<Item = (&'a str, &'a Link)>,
) -> Result<BTreeMap<String, u64>, Error> {
    let mut found = BTreeMap::new();
    for (name, link) in links {
        let info = link.info().map_err(Error::bpf("ask about a link"))?;
        let count = recursion_misses(info.prog_id)?;
        if count > 0 {
            found.insert(name.to_owned(), count);
        }
    }
    Ok(found)
}

fn recursion_misses(program: u32) -> Result<u64, Error> {
    let failed = || Error::Io {
        what: "question about a kernel program",
        source: std::io::Error::last_os_error(),
    };
    // SAFETY: no pointers are involved.
    let fd = unsafe { libbpf_sys::bpf_prog_get_fd_by_id(program) };
    if fd < 0 {
        return Err(failed());
    }
    // SAFETY: the descriptor is new and nobody else's.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut length = size_of_val(&info) as u32;
    // SAFETY: `info` is as long as `length` says, and asks for no arrays.
    let result = unsafe {
        libbpf_sys::bpf_prog_get_info_by_fd(fd.as_raw_fd(), &raw mut info, &raw mut length)
    };
    if result < 0 {
        return Err(failed());
    }
    Ok(info.recursion_misses)
}

/// One element of a per-CPU array of numbers, summed.
pub(super) fn sum_of_cpus(map: &MapHandle, index: u32) -> Result<u64, Error> {
    let values = map
        .lookup_percpu(&index.to_ne_bytes(), MapFlags::ANY)
        .map_err(Error::bpf("read the counters"))?;
    let numbers = values.unwrap_or_default().into_iter();
    let numbers = numbers.filter_map(|value| value.as_slice().try_into().ok());
    Ok(numbers.map(u64::from_ne_bytes).sum())
}
