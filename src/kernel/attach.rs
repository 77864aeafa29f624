//! Loading one build in one mode and attaching it, whole or not at all.

use libbpf_rs::{Link, MapCore, MapFlags, MapHandle, Object, ObjectBuilder, OpenObject};

use super::build::Build;
use super::error::Error;
use super::features;
use super::load::LoadOptions;
use super::mounts::namespaces::believe_host;
use super::object::{COMMON, EnforcementMode, HOOKS, Hook, LSM_MAPS, MAPS};
use super::pins::{Folder, Pins};
use super::report::explain;
use super::sessions::count_change;
use super::skel::tyr_config;

/// Handles on what runs in the kernel.
pub(crate) struct Attached {
    maps: Vec<MapHandle>,
    pub(crate) live: Link,
    pub(crate) tag: Link,
    /// Kept attached by these handles, and by their pins when there are any.
    links: Vec<(String, Link)>,
}

/// What to attach.
pub(super) struct Plan<'a> {
    pub(super) mode: EnforcementMode,
    pub(super) build: &'a Build,
    pub(super) options: &'a LoadOptions,
    /// Where to pin.
    pub(super) pins: Option<&'a Pins>,
    /// A build of the same layout, whose maps are used.
    pub(super) maps: Option<&'a Folder>,
}

impl Attached {
    pub(crate) fn map(&self, name: &str) -> Result<&MapHandle, Error> {
        find(&self.maps, name)
    }

    /// Names and links of the programs.
    pub(crate) fn links(&self) -> impl Iterator<Item = (&str, &Link)> {
        let links = self.links.iter().map(|(name, link)| (name.as_str(), link));
        links.chain([("live_tasks", &self.live), ("tag_tasks", &self.tag)])
    }

    /// What is pinned in a folder; `None` when a map or a link is missing.
    pub(super) fn open(folder: &Folder) -> Result<Option<Attached>, Error> {
        let mut maps = Vec::new();
        for name in MAPS {
            let Ok(map) = MapHandle::from_pinned_path(folder.map(name)) else {
                return Ok(None);
            };
            maps.push(map);
        }
        let mut links = Vec::new();
        for name in folder.link_names()? {
            let link =
                Link::open(folder.link(&name)).map_err(Error::bpf(format!("link {name}")))?;
            links.push((name, link));
        }
        let (Ok(live), Ok(tag)) = (
            take_link(&mut links, "live_tasks"),
            take_link(&mut links, "tag_tasks"),
        ) else {
            return Ok(None);
        };
        Ok(Some(Attached {
            maps,
            live,
            tag,
            links,
        }))
    }

    pub(super) fn write_config(&self, build: &Build, options: &LoadOptions) -> Result<(), Error> {
        let config = tyr_config {
            scope_cgroup: options.scope.map_or(0, |scope| scope.cgroup_id),
            scope_level: options.scope.map_or(0, |scope| scope.level),
            abi: build.layout(),
            build: build.number(),
            settling: 0,
            reserved: 0,
        };
        // SAFETY: `tyr_config` is Plain: integers without padding.
        let bytes = unsafe { plain::as_bytes(&config) };
        self.map("config")?
            .update(&0u32.to_ne_bytes(), bytes, MapFlags::ANY)
            .map_err(Error::bpf("write the configuration"))?;
        believe_host(self.map("namespaces")?)?;
        // The daemon before this one may have ended between a change and its count.
        count_change(self.map("session_changes")?)
    }

    /// New maps go on with numbers that no session of this boot had: there were fewer sessions
    /// than nanoseconds.
    fn number_sessions(&self) -> Result<(), Error> {
        let first = super::tagging::boot_clock_ns();
        self.map("next_session")?
            .update(&0u32.to_ne_bytes(), &first.to_ne_bytes(), MapFlags::ANY)
            .map_err(Error::bpf("number the sessions"))
    }

    /// Pins everything in a new folder, which counts only when it is full.
    fn pin(&mut self, pins: &Pins, build: u64) -> Result<(), Error> {
        let folder = pins.begin(build)?;
        let pinned = self.pin_in(&folder);
        let Err(error) = pinned.and_then(|()| pins.publish(&folder)) else {
            return Ok(());
        };
        // What is pinned stays attached: nothing of an attempt that failed may.
        if let Err(left) = folder.remove() {
            tracing::error!(error = %left, "programs of a failed attempt stay attached");
        }
        Err(error)
    }

    fn pin_in(&mut self, folder: &Folder) -> Result<(), Error> {
        for map in &mut self.maps {
            let path = folder.map(&map.name().to_string_lossy());
            map.pin(&path)
                .map_err(Error::bpf(format!("pin {}", path.display())))?;
        }
        let links = self
            .links
            .iter_mut()
            .map(|(name, link)| (name.as_str(), link));
        let iterators = [("live_tasks", &mut self.live), ("tag_tasks", &mut self.tag)];
        for (name, link) in links.chain(iterators) {
            let path = folder.link(name);
            link.pin(&path)
                .map_err(Error::bpf(format!("pin {}", path.display())))?;
        }
        Ok(())
    }
}

/// Loads and attaches; on failure nothing of it stays.
pub(super) fn attach(plan: &Plan<'_>) -> Result<Attached, Error> {
    super::report::listen();
    let mut open = ObjectBuilder::default()
        .open_memory(plan.build.object())
        .map_err(|error| explain("open the object", error))?;
    choose_programs(&mut open, plan.mode)?;
    if let Some(folder) = plan.maps {
        for mut map in open.maps_mut() {
            let name = map.name().to_string_lossy().into_owned();
            let path = folder.map(&name);
            if MAPS.contains(&name.as_str()) && path.exists() {
                map.reuse_pinned_map(path)
                    .map_err(Error::bpf(format!("map {name}")))?;
            }
        }
    }
    let object = open
        .load()
        .map_err(|error| explain("load the programs", error))?;
    let mut attached = Attached {
        maps: hold_maps(&object)?,
        live: attach_one(&object, "live_tasks")?,
        tag: attach_one(&object, "tag_tasks")?,
        links: Vec::new(),
    };
    attached.write_config(plan.build, plan.options)?;
    if plan.maps.is_none() {
        attached.number_sessions()?;
    }
    for name in program_names(plan.mode) {
        if !attached.links().any(|(known, _)| known == name) {
            let link = attach_one(&object, &name)?;
            attached.links.push((name, link));
        }
    }
    if let Some(pins) = plan.pins {
        attached.pin(pins, plan.build.number())?;
    }
    Ok(attached)
}

fn choose_programs(open: &mut OpenObject, mode: EnforcementMode) -> Result<(), Error> {
    let wanted = program_names(mode);
    for mut program in open.progs_mut() {
        let name = program.name().to_string_lossy().into_owned();
        program.set_autoload(wanted.contains(&name));
    }
    for mut map in open.maps_mut() {
        let name = map.name().to_string_lossy().into_owned();
        if mode != EnforcementMode::Lsm && LSM_MAPS.contains(&name.as_str()) {
            map.set_autocreate(false)
                .map_err(Error::bpf(format!("leave out map {name}")))?;
        }
    }
    Ok(())
}

fn hold_maps(object: &Object) -> Result<Vec<MapHandle>, Error> {
    let maps = object.maps();
    let wanted = maps.filter(|map| MAPS.iter().any(|name| map.name().to_str() == Some(name)));
    wanted
        .map(|map| MapHandle::try_from(&map).map_err(Error::bpf("hold a map")))
        .collect()
}

fn attach_one(object: &Object, name: &str) -> Result<Link, Error> {
    let mut programs = object.progs_mut();
    let program = programs.find(|program| program.name().to_str() == Some(name));
    let program = program.ok_or_else(|| Error::Missing(format!("program {name}")))?;
    program
        .attach()
        .map_err(|error| explain(&format!("attach {name}"), error))
}

/// Every program of a mode on this kernel, in the order in which they are attached.
pub(super) fn program_names(mode: EnforcementMode) -> Vec<String> {
    let hooks = HOOKS.iter().filter(|hook| is_here(hook, mode));
    let hooks = hooks.map(|hook| format!("{}{}", mode.prefix(), hook.name));
    hooks
        .chain(COMMON.iter().map(|name| (*name).to_owned()))
        .collect()
}

fn is_here(hook: &Hook, mode: EnforcementMode) -> bool {
    let is_usable = mode == EnforcementMode::Lsm || !hook.lsm_only;
    is_usable && hook.only_with.is_none_or(features::has_function)
}

fn find<'a>(maps: &'a [MapHandle], name: &str) -> Result<&'a MapHandle, Error> {
    maps.iter()
        .find(|map| map.name().to_str() == Some(name))
        .ok_or_else(|| Error::Missing(format!("map {name}")))
}

fn take_link(links: &mut Vec<(String, Link)>, name: &str) -> Result<Link, Error> {
    let index = links.iter().position(|(found, _)| found == name);
    let index = index.ok_or_else(|| Error::Missing(format!("program {name}")))?;
    Ok(links.remove(index).1)
}

/// The layout of the maps of a build that is pinned.
pub(super) fn pinned_layout(folder: &Folder) -> Option<u32> {
    /// Of `abi` in `struct tyr_config`.
    const PLACE: std::ops::Range<usize> = 12..16;
    let map = MapHandle::from_pinned_path(folder.map("config")).ok()?;
    let value = map.lookup(&0u32.to_ne_bytes(), MapFlags::ANY).ok()??;
    value.get(PLACE)?.try_into().ok().map(u32::from_ne_bytes)
}
