//! Loading and attaching, whole or not at all, and finding what an earlier daemon left attached.

use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{Link, MapCore, MapFlags, MapHandle, OpenObject, PrintLevel};

use super::error::Error;
use super::features;
use super::object::{COMMON, EnforcementMode, HOOKS, Hook, LSM_MAPS, MAPS};
use super::pins::Pins;
use super::skel::{EnforceSkelBuilder, tyr_config};

/// `TYR_EVENT_ABI` in `bpf/include/event.h`: maps of another number are not reused.
const EVENT_ABI: u32 = 2;

/// What to load, and where to keep it.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Directory on a BPF file system; `None` detaches everything when `Programs` is dropped.
    pub pin_dir: Option<PathBuf>,
    /// Agents are only recognised below this cgroup.
    pub scope: Option<Scope>,
    /// The strongest mode to try.
    pub mode_limit: EnforcementMode,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions {
            pin_dir: Some(super::pins::DEFAULT_DIR.into()),
            scope: None,
            mode_limit: EnforcementMode::Lsm,
        }
    }
}

/// A cgroup, as the kernel names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    pub cgroup_id: u64,
    /// Depth in the hierarchy; the root is 0.
    pub level: u32,
}

/// The kernel programs, attached (or, in `Observe`, the knowledge of why they are not).
pub struct Programs {
    mode: EnforcementMode,
    limits: Vec<String>,
    adopted: bool,
    pub(crate) attached: Option<Attached>,
}

/// Handles on what runs in the kernel.
pub(crate) struct Attached {
    maps: Vec<MapHandle>,
    pub(crate) live: Link,
    pub(crate) tag: Link,
    /// Kept attached by these handles, and by their pins when there are any.
    _links: Vec<Link>,
    pins: Option<Pins>,
}

impl Programs {
    /// Attaches the strongest mode that this kernel takes, or adopts what is pinned.
    ///
    /// In `Observe` nothing is attached; `limits` says why.
    ///
    /// # Errors
    /// The pins cannot be read or written, or the scope cannot be set.
    pub fn load(options: &LoadOptions) -> Result<Programs, Error> {
        quiet_libbpf();
        let pins = options.pin_dir.as_deref().map(Pins::create).transpose();
        let pins = match pins {
            Ok(pins) => pins,
            Err(error) => return Ok(Programs::observing(vec![error.to_string()])),
        };
        let build = build_number()?;
        if let Some(pins) = &pins
            && let Some(programs) = adopt(pins, build, options)?
        {
            return Ok(programs);
        }
        let mut limits = Vec::new();
        for mode in [EnforcementMode::Lsm, EnforcementMode::FmodRet] {
            if mode > options.mode_limit {
                continue;
            }
            if mode == EnforcementMode::Lsm && !features::lsm_is_active() {
                limits.push(features::lsm_advice());
                continue;
            }
            match attach(mode, pins.as_ref(), build, options) {
                Ok(attached) => {
                    if mode == EnforcementMode::FmodRet {
                        limits.push(FMOD_RET_LIMIT.to_owned());
                    }
                    if !features::has_rename_lock() {
                        limits.push(RENAME_LIMIT.to_owned());
                    }
                    return Ok(Programs {
                        mode,
                        limits,
                        adopted: false,
                        attached: Some(attached),
                    });
                }
                Err(error) => limits.push(format!("{mode}: {error}")),
            }
        }
        if options.mode_limit == EnforcementMode::Observe {
            limits.push("enforcement is switched off by configuration".to_owned());
        }
        Ok(Programs::observing(limits))
    }

    fn observing(limits: Vec<String>) -> Programs {
        Programs {
            mode: EnforcementMode::Observe,
            limits,
            adopted: false,
            attached: None,
        }
    }

    /// How verdicts are enforced.
    pub fn mode(&self) -> EnforcementMode {
        self.mode
    }

    /// What is weaker than full enforcement and why, for people; empty when nothing is.
    pub fn limits(&self) -> &[String] {
        &self.limits
    }

    /// Whether an earlier daemon's programs were found and kept.
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// Detaches and unpins everything: nothing is enforced afterwards.
    ///
    /// # Errors
    /// A pin cannot be removed.
    pub fn release(self) -> Result<(), Error> {
        let Some(attached) = self.attached else {
            return Ok(());
        };
        let pins = attached.pins.clone();
        drop(attached);
        pins.map_or(Ok(()), |pins| pins.remove())
    }

    pub(crate) fn attached(&self) -> Result<&Attached, Error> {
        self.attached
            .as_ref()
            .ok_or_else(|| Error::Observing(self.limits.join("; ")))
    }
}

const RENAME_LIMIT: &str = "the kernel does not show its `rename_lock`: a path can be misread while \
     a directory above it is renamed; set kernel.kptr_restrict to 0 or 1 before tyr starts";
const FMOD_RET_LIMIT: &str = "fmod_ret: a program that interrupts itself on one CPU is skipped; \
     add `bpf` to the active LSMs for full enforcement";

fn find<'a>(maps: &'a [MapHandle], name: &str) -> Result<&'a MapHandle, Error> {
    maps.iter()
        .find(|map| map.name().to_str() == Some(name))
        .ok_or_else(|| Error::Missing(format!("map {name}")))
}

impl Attached {
    pub(crate) fn map(&self, name: &str) -> Result<&MapHandle, Error> {
        find(&self.maps, name)
    }
}

/// What libbpf would print goes to the log; errors carry what matters.
fn quiet_libbpf() {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "libbpf-rs wants this signature"
    )]
    fn log(_: PrintLevel, text: String) {
        tracing::debug!(target: "libbpf", "{}", text.trim_end());
    }
    libbpf_rs::set_print(Some((PrintLevel::Warn, log)));
}

fn build_number() -> Result<u64, Error> {
    let mut storage = MaybeUninit::<OpenObject>::uninit();
    let open = EnforceSkelBuilder::default()
        .open(&mut storage)
        .map_err(Error::bpf("open the object"))?;
    Ok(super::skel::fingerprint(open.open_object()))
}

/// Takes over what is pinned, if it is this build and complete.
fn adopt(pins: &Pins, build: u64, options: &LoadOptions) -> Result<Option<Programs>, Error> {
    let names = pins.link_names(build)?;
    let modes = [EnforcementMode::Lsm, EnforcementMode::FmodRet];
    let Some(mode) = modes.into_iter().find(|mode| is_complete(&names, *mode)) else {
        return Ok(None);
    };
    if mode > options.mode_limit {
        return Ok(None);
    }
    let mut maps = Vec::new();
    for name in MAPS {
        let Ok(map) = MapHandle::from_pinned_path(pins.map(name)) else {
            return Ok(None);
        };
        maps.push(map);
    }
    let folder = pins.build(build);
    let mut links = Vec::new();
    for name in &names {
        links.push(Link::open(folder.join(name)).map_err(Error::bpf(format!("link {name}")))?);
    }
    let take = |name: &str| {
        let index = names.iter().position(|found| found == name);
        index.map(|_| Link::open(folder.join(name)).map_err(Error::bpf(format!("link {name}"))))
    };
    let (Some(live), Some(tag)) = (take("live_tasks"), take("tag_tasks")) else {
        return Ok(None);
    };
    let attached = Attached {
        maps,
        live: live?,
        tag: tag?,
        _links: links,
        pins: Some(pins.clone()),
    };
    write_config(&attached.maps, build, options)?;
    pins.remove_other_builds(build)?;
    let limits = match mode {
        EnforcementMode::FmodRet => vec![FMOD_RET_LIMIT.to_owned()],
        _ => Vec::new(),
    };
    Ok(Some(Programs {
        mode,
        limits,
        adopted: true,
        attached: Some(attached),
    }))
}

fn is_complete(names: &[String], mode: EnforcementMode) -> bool {
    let hooks = HOOKS.iter().filter(|hook| is_here(hook, mode));
    let wanted = hooks.map(|hook| format!("{}{}", mode.prefix(), hook.name));
    let common = COMMON.iter().map(|name| (*name).to_owned());
    wanted.chain(common).all(|name| names.contains(&name))
}

fn is_here(hook: &Hook, mode: EnforcementMode) -> bool {
    let is_usable = mode == EnforcementMode::Lsm || !hook.lsm_only;
    is_usable && hook.only_with.is_none_or(features::has_function)
}

/// Loads and attaches one mode; on failure nothing of it stays.
fn attach(
    mode: EnforcementMode,
    pins: Option<&Pins>,
    build: u64,
    options: &LoadOptions,
) -> Result<Attached, Error> {
    let reusable = pins.is_some_and(|pins| pinned_abi(pins) == Some(EVENT_ABI));
    let mut storage = MaybeUninit::<OpenObject>::uninit();
    let mut open = EnforceSkelBuilder::default()
        .open(&mut storage)
        .map_err(Error::bpf("open the object"))?;
    for mut program in open.open_object_mut().progs_mut() {
        let name = program.name().to_string_lossy().into_owned();
        let hook = name.strip_prefix(mode.prefix());
        let wanted = HOOKS
            .iter()
            .any(|known| Some(known.name) == hook && is_here(known, mode));
        program.set_autoload(wanted || COMMON.contains(&name.as_str()));
    }
    if mode != EnforcementMode::Lsm {
        for mut map in open.open_object_mut().maps_mut() {
            if LSM_MAPS.contains(&map.name().to_string_lossy().as_ref()) {
                map.set_autocreate(false)
                    .map_err(Error::bpf("leave out a map"))?;
            }
        }
    }
    if let (Some(pins), true) = (pins, reusable) {
        for mut map in open.open_object_mut().maps_mut() {
            let name = map.name().to_string_lossy().into_owned();
            if MAPS.contains(&name.as_str()) {
                map.reuse_pinned_map(pins.map(&name))
                    .map_err(Error::bpf(format!("map {name}")))?;
            }
        }
    }
    let skel = open.load().map_err(Error::bpf("load the programs"))?;
    let mut maps = Vec::new();
    for map in skel.object().maps() {
        if MAPS.iter().any(|name| map.name().to_str() == Some(name)) {
            maps.push(MapHandle::try_from(&map).map_err(Error::bpf("hold a map"))?);
        }
    }
    write_config(&maps, build, options)?;
    if !reusable {
        number_sessions(&maps)?;
    }
    let mut links = attach_all(mode, &skel)?;
    let live = take_link(&mut links, "live_tasks")?;
    let tag = take_link(&mut links, "tag_tasks")?;
    let mut attached = Attached {
        maps,
        live,
        tag,
        _links: Vec::new(),
        pins: pins.cloned(),
    };
    if let Some(pins) = pins {
        pin(pins, &mut attached, &mut links, build, reusable)?;
    }
    attached._links = links.into_iter().map(|(_, link)| link).collect();
    Ok(attached)
}

type NamedLink = (String, Link);

fn take_link(links: &mut Vec<NamedLink>, name: &str) -> Result<Link, Error> {
    let index = links.iter().position(|(found, _)| found == name);
    let index = index.ok_or_else(|| Error::Missing(format!("program {name}")))?;
    Ok(links.remove(index).1)
}

fn attach_all<'a>(mode: EnforcementMode, skel: &impl Skel<'a>) -> Result<Vec<NamedLink>, Error> {
    let mut order: Vec<String> = HOOKS
        .iter()
        .filter(|hook| is_here(hook, mode))
        .map(|hook| format!("{}{}", mode.prefix(), hook.name))
        .collect();
    order.extend(COMMON.iter().map(|name| (*name).to_owned()));
    let mut links = Vec::new();
    for name in order {
        let program = skel
            .object()
            .progs_mut()
            .find(|p| p.name().to_str() == Some(&name));
        let program = program.ok_or_else(|| Error::Missing(format!("program {name}")))?;
        let link = program
            .attach()
            .map_err(Error::bpf(format!("attach {name}")))?;
        links.push((name, link));
    }
    Ok(links)
}

fn pin(
    pins: &Pins,
    attached: &mut Attached,
    links: &mut [NamedLink],
    build: u64,
    reused: bool,
) -> Result<(), Error> {
    if !reused {
        pins.remove_maps()?;
        for map in &mut attached.maps {
            let path = pins.map(&map.name().to_string_lossy());
            map.pin(&path)
                .map_err(Error::bpf(format!("pin {}", path.display())))?;
        }
    }
    let folder = pins.make_build(build)?;
    let iterators = [
        ("live_tasks", &mut attached.live),
        ("tag_tasks", &mut attached.tag),
    ];
    let named = links.iter_mut().map(|(name, link)| (name.as_str(), link));
    for (name, link) in named.chain(iterators) {
        let path = folder.join(name);
        link.pin(&path)
            .map_err(Error::bpf(format!("pin {}", path.display())))?;
    }
    pins.remove_other_builds(build)
}

fn pinned_abi(pins: &Pins) -> Option<u32> {
    let map = MapHandle::from_pinned_path(pins.map("config")).ok()?;
    let value = map.lookup(&0u32.to_ne_bytes(), MapFlags::ANY).ok()??;
    let config: &tyr_config = plain::from_bytes(&value).ok()?;
    Some(config.abi)
}

fn write_config(maps: &[MapHandle], build: u64, options: &LoadOptions) -> Result<(), Error> {
    let config = tyr_config {
        scope_cgroup: options.scope.map_or(0, |scope| scope.cgroup_id),
        scope_level: options.scope.map_or(0, |scope| scope.level),
        abi: EVENT_ABI,
        build,
    };
    // SAFETY: `tyr_config` is Plain: integers without padding.
    let bytes = unsafe { plain::as_bytes(&config) };
    find(maps, "config")?
        .update(&0u32.to_ne_bytes(), bytes, MapFlags::ANY)
        .map_err(Error::bpf("write the configuration"))?;
    // The daemon before this one may have ended between a change and its count.
    super::sessions::count_change(find(maps, "session_changes")?)
}

/// New maps go on with numbers that no session of this boot had: there were fewer sessions than
/// nanoseconds.
fn number_sessions(maps: &[MapHandle]) -> Result<(), Error> {
    let first = super::tagging::boot_clock_ns();
    find(maps, "next_session")?
        .update(&0u32.to_ne_bytes(), &first.to_ne_bytes(), MapFlags::ANY)
        .map_err(Error::bpf("number the sessions"))
}

impl Scope {
    /// The scope of a cgroup directory such as `/sys/fs/cgroup/agents`, or of a path below the
    /// hierarchy's root such as `/agents`.
    ///
    /// # Errors
    /// It is no directory of the unified hierarchy.
    pub fn of(path: &Path) -> Result<Scope, Error> {
        features::cgroup_scope(path)
    }
}
