//! Laying an installation out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{Found, look, sha256};
use super::layout::Layout;
use super::manifest::{Content, ITEMS, Item, MARK, Role};
use super::record::{Entry, Record};
use super::step::{Action, SELF, Step, Work, missing_folders};
use super::{Error, Target, accounts, folders, systemd};

/// What is to be done, in order.
#[derive(Debug)]
pub struct Plan {
    steps: Vec<(Step, Work)>,
    /// What holds afterwards, and before; `None` when no record is kept.
    records: Option<(Record, Option<Record>)>,
}

/// This executable.
///
/// # Errors
/// `/proc` is not mounted.
pub fn executable() -> Result<Arc<[u8]>, Error> {
    let bytes = fs::read(SELF).map_err(Error::io("read", SELF))?;
    Ok(bytes.into())
}

/// What a package of these roles contains: files alone, all of them written.
///
/// # Errors
/// What is there cannot be looked at.
pub fn stage(target: &Target, roles: &[Role], executable: &Arc<[u8]>) -> Result<Plan, Error> {
    let mut steps = Vec::new();
    for item in ITEMS.iter().chain([&MARK]) {
        if roles.contains(&item.role) {
            let wanted = Wanted::of(item, &target.layout, executable);
            let found = look(&target.at(&wanted.path))?;
            let action = match found {
                Found::Nothing => Action::Create,
                found if wanted.is(&found) => Action::Unchanged,
                _ => Action::Replace,
            };
            steps.push(wanted.step(action));
        }
    }
    Ok(Plan {
        steps,
        records: None,
    })
}

/// An installation of these roles on this host, together with those that it has.
///
/// # Errors
/// Files of others are in the way, or what is there cannot be looked at.
pub fn host(target: &Target, roles: &[Role], executable: &Arc<[u8]>) -> Result<Plan, Error> {
    let before = Record::read(target)?;
    refuse_others(target, before.as_ref())?;
    let mut record = before
        .clone()
        .unwrap_or_else(|| Record::new(target.layout.prefix()));
    crate::version::VERSION.clone_into(&mut record.version);
    let all: BTreeSet<Role> = record
        .roles
        .iter()
        .chain(roles)
        .chain([&Role::Cli])
        .copied()
        .collect();
    record.roles = all.into_iter().collect();
    let mut steps = Vec::new();
    let items = ITEMS.iter();
    let items: Vec<Wanted> = items
        .filter(|item| record.roles.contains(&item.role))
        .map(|item| Wanted::of(item, &target.layout, executable))
        .collect();
    note_folders(&mut record, target, &items);
    for wanted in &items {
        let entry = record.files.get(&wanted.path);
        let found = look(&target.at(&wanted.path))?;
        let (action, note) = wanted.action(&found, entry, target)?;
        if action != Action::Keep {
            record.files.insert(wanted.path.clone(), wanted.entry());
        }
        let (step, work) = wanted.step(action);
        steps.push((step.note(note), work));
    }
    outdated(target, &mut record, &items, &mut steps)?;
    let files_change = steps.iter().any(|(step, _)| step.changes());
    users(target, &mut record, &mut steps);
    owners(target, &record, &mut steps)?;
    if files_change && target.is_host() && systemd::runs() {
        steps.push(systemctl(vec!["daemon-reload"]));
    }
    Ok(Plan {
        steps,
        records: Some((record, before)),
    })
}

impl Plan {
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().map(|(step, _)| step)
    }

    /// Enables and starts the units of these roles; what runs is restarted when files changed.
    pub fn start_units(&mut self, roles: &[Role]) {
        let changed = self.steps().any(Step::changes);
        for unit in roles.iter().filter_map(|role| role.unit()) {
            let is = |state| systemd::systemctl(&[state, "--quiet", unit]).is_ok();
            let step = if !is("is-enabled") {
                systemctl(vec!["enable", unit])
            } else {
                (
                    Step::new(Action::Unchanged, unit).note("enabled"),
                    Work::Nothing,
                )
            };
            self.steps.push(step);
            let step = match is("is-active") {
                true if !changed => (
                    Step::new(Action::Unchanged, unit).note("started"),
                    Work::Nothing,
                ),
                true => systemctl(vec!["restart", unit]),
                false => systemctl(vec!["start", unit]),
            };
            self.steps.push(step);
        }
    }

    /// Does it. The record says beforehand what may be there, so a run that is cut short can be
    /// taken back too.
    ///
    /// # Errors
    /// The first step that fails; those before it are done.
    pub fn perform(&self, target: &Target) -> Result<(), Error> {
        if let Some((after, before)) = &self.records
            && Some(after) != before.as_ref()
        {
            both(after, before.as_ref()).write(target)?;
        }
        for (_, work) in &self.steps {
            work.perform(target)?;
        }
        match &self.records {
            Some((after, before)) if Some(after) != before.as_ref() => after.write(target),
            _ => Ok(()),
        }
    }
}

/// A file as it should be.
struct Wanted {
    path: PathBuf,
    bytes: Option<Arc<[u8]>>,
    sha256: String,
    link: Option<&'static str>,
    mode: u32,
    setting: bool,
}

impl Wanted {
    fn of(item: &Item, layout: &Layout, executable: &Arc<[u8]>) -> Wanted {
        let link = match item.content {
            Content::Link(to) => Some(to),
            _ => None,
        };
        let bytes: Option<Arc<[u8]>> = match item.content {
            Content::Executable => Some(Arc::clone(executable)),
            _ => item.text(layout).map(|text| text.into_bytes().into()),
        };
        Wanted {
            path: layout.folder(item.folder).join(item.name),
            sha256: bytes.as_deref().map(sha256).unwrap_or_default(),
            bytes,
            link,
            mode: item.mode,
            setting: item.is_setting(),
        }
    }

    /// Whether this is what was found. The mode of a setting is the operator's.
    fn is(&self, found: &Found) -> bool {
        match (found, self.link) {
            (Found::Link(to), Some(link)) => to == Path::new(link),
            (Found::File { sha256, mode }, None) => {
                *sha256 == self.sha256 && (*mode == self.mode || self.setting)
            }
            _ => false,
        }
    }

    fn action(
        &self,
        found: &Found,
        entry: Option<&Entry>,
        target: &Target,
    ) -> Result<(Action, &'static str), Error> {
        if *found == Found::Nothing {
            return Ok((Action::Create, ""));
        }
        if self.is(found) {
            return Ok((Action::Unchanged, ""));
        }
        let laid_out = |found: &Found, entry: &Entry| match found {
            Found::File { sha256, .. } => entry.sha256.contains(sha256),
            Found::Link(to) => entry.target.as_ref() == Some(to),
            _ => false,
        };
        match entry {
            Some(entry) if laid_out(found, entry) => Ok((Action::Replace, "")),
            // Put there by hand, the executable for one.
            _ if matches!(found, Found::File { sha256, .. } if *sha256 == self.sha256) => {
                Ok((Action::Replace, "its mode was another"))
            }
            _ if self.setting => Ok((Action::Keep, "it was edited")),
            // A file of the record that was changed: whoever installs wants it whole again.
            Some(_) if *found != Found::Other => Ok((Action::Replace, "it was changed")),
            _ => Err(Error::Foreign {
                path: target.at(&self.path),
            }),
        }
    }

    fn entry(&self) -> Entry {
        Entry {
            sha256: self.bytes.iter().map(|_| self.sha256.clone()).collect(),
            target: self.link.map(PathBuf::from),
            setting: self.setting,
        }
    }

    fn step(&self, action: Action) -> (Step, Work) {
        let work = match (action, &self.bytes, self.link) {
            (Action::Unchanged | Action::Keep, _, _) => Work::Nothing,
            (_, Some(bytes), _) => Work::Write(self.path.clone(), Arc::clone(bytes), self.mode),
            (_, None, link) => Work::Link(self.path.clone(), link.unwrap_or_default().into()),
        };
        (Step::path(action, &self.path), work)
    }
}

/// Two owners of one file would each undo what the other does.
pub(super) fn refuse_others(target: &Target, record: Option<&Record>) -> Result<(), Error> {
    let mark = Layout::new(Path::new("/usr"))?
        .folder(MARK.folder)
        .join(MARK.name);
    if target.at(&mark).exists() {
        return Err(Error::Packaged { path: mark });
    }
    match record {
        Some(record) if record.prefix != target.layout.prefix() => Err(Error::Elsewhere {
            there: record.prefix.clone(),
        }),
        _ => Ok(()),
    }
}

/// Notes the folders that this installation makes.
fn note_folders(record: &mut Record, target: &Target, items: &[Wanted]) {
    let lines = folders::of(&record.roles);
    let inside = |line: &folders::Line| line.path.join("inside");
    let made = lines.iter().filter(|line| line.makes).map(inside);
    let paths = items.iter().map(|wanted| wanted.path.clone());
    for path in paths.chain(made).chain([Record::path().to_owned()]) {
        for folder in missing_folders(&target.at(&path)) {
            let below = folder.strip_prefix(&target.root).unwrap_or(&folder);
            let folder = Path::new("/").join(below);
            if !record.folders.contains(&folder) {
                record.folders.push(folder);
            }
        }
    }
}

/// Files of an older version that this one has no more.
fn outdated(
    target: &Target,
    record: &mut Record,
    items: &[Wanted],
    steps: &mut Vec<(Step, Work)>,
) -> Result<(), Error> {
    let known = |path: &PathBuf| items.iter().any(|wanted| wanted.path == *path);
    let old: Vec<PathBuf> = record
        .files
        .keys()
        .filter(|path| !known(path))
        .cloned()
        .collect();
    for path in old {
        let Some(entry) = record.files.remove(&path) else {
            continue;
        };
        if !entry.setting && look(&target.at(&path))? != Found::Nothing {
            let step = Step::path(Action::Remove, &path).note("this version has it no more");
            steps.push((step, Work::Remove(path)));
        }
    }
    Ok(())
}

fn users(target: &Target, record: &mut Record, steps: &mut Vec<(Step, Work)>) {
    for user in record.roles.clone().into_iter().flat_map(accounts::of) {
        let shown = format!("user {}", user.name);
        if accounts::find(target, &user.name).is_some() {
            steps.push((Step::new(Action::Unchanged, shown), Work::Nothing));
            continue;
        }
        if !record.users.contains(&user.name) {
            record.users.push(user.name.clone());
        }
        steps.push((Step::new(Action::Create, shown), Work::MakeUser(user)));
    }
}

fn owners(target: &Target, record: &Record, steps: &mut Vec<(Step, Work)>) -> Result<(), Error> {
    for line in folders::of(&record.roles) {
        let is_new = !target.at(&line.path).exists();
        let action = if is_new {
            Action::Create
        } else if !folders::waits_for_user(target, &line) && folders::holds(target, &line)? {
            Action::Unchanged
        } else {
            Action::Replace
        };
        let shown = format!(
            "{} {:04o} {}:{}",
            line.path.display(),
            line.mode,
            line.user,
            line.group
        );
        let work = match action {
            Action::Unchanged => Work::Nothing,
            _ => Work::Folder(line),
        };
        steps.push((Step::new(action, shown).note("owner and mode"), work));
    }
    Ok(())
}

pub(super) fn systemctl(words: Vec<&'static str>) -> (Step, Work) {
    let shown = format!("systemctl {}", words.join(" "));
    (Step::new(Action::Run, shown), Work::Systemctl(words))
}

/// What may be there while one version takes the other's place.
fn both(after: &Record, before: Option<&Record>) -> Record {
    let mut both = after.clone();
    for (path, old) in before.iter().flat_map(|record| &record.files) {
        let entry = both
            .files
            .entry(path.clone())
            .or_insert_with(|| old.clone());
        for sum in &old.sha256 {
            if !entry.sha256.contains(sum) {
                entry.sha256.push(sum.clone());
            }
        }
    }
    both
}
