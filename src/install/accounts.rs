//! The system user of the server, as sysusers.d(5) describes it.
//!
//! systemd-sysusers makes it where that is installed. Elsewhere the text of `/etc/passwd` and its
//! kin is changed here, under the lock that useradd and its kin take too.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, fcntl_lock};

use super::manifest::{Content, ITEMS, Role};
use super::{Error, Target, file, layout::Folder, systemd};

/// Numbers of system users; the highest free one is taken, as systemd does.
const NUMBERS: std::ops::RangeInclusive<u32> = 100..=999;
const LOCK: &str = "/etc/.pwd.lock";
/// What lckpwdf(3) waits.
const LOCK_PATIENCE: Duration = Duration::from_secs(15);
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// A line `u NAME - "DESCRIPTION" HOME SHELL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub description: String,
    pub home: String,
    pub shell: String,
}

/// Users that a role runs as.
pub fn of(role: Role) -> Vec<User> {
    let items = ITEMS.iter().filter(|item| item.role == role);
    let texts = items.filter_map(|item| match item.content {
        Content::File(text) if item.folder == Folder::Users => Some(text),
        _ => None,
    });
    texts.flat_map(str::lines).filter_map(user).collect()
}

fn user(line: &str) -> Option<User> {
    let rest = line.strip_prefix("u ")?;
    let (name, rest) = rest.split_once(" - \"")?;
    let (description, rest) = rest.split_once("\" ")?;
    let (home, shell) = rest.split_once(' ')?;
    Some(User {
        name: name.to_owned(),
        description: description.to_owned(),
        home: home.to_owned(),
        shell: shell.to_owned(),
    })
}

/// User and group number of a name.
pub fn find(target: &Target, name: &str) -> Option<(u32, u32)> {
    let uid = number_of(&text(target, Table::Passwd).ok()?, name)?;
    let gid = number_of(&text(target, Table::Group).ok()?, name)?;
    Some((uid, gid))
}

/// Makes a user and its group.
///
/// # Errors
/// The files are locked or cannot be written, or no number is free.
pub fn make(target: &Target, user: &User) -> Result<(), Error> {
    let config = target.layout.folder(Folder::Users).join("tyr-server.conf");
    if target.is_host()
        && let Some(tool) = systemd::tool("systemd-sysusers")
    {
        return systemd::run(Command::new(tool).arg(config));
    }
    let _lock = lock(target)?;
    let (passwd, group) = (text(target, Table::Passwd)?, text(target, Table::Group)?);
    let gid = number_of(&group, &user.name);
    let uid = number_of(&passwd, &user.name);
    let free = free_number(&passwd, &group);
    let number = uid.or(gid).or(free).ok_or_else(|| Error::NoFreeNumber {
        name: user.name.clone(),
    })?;
    let gid = gid.unwrap_or(number);
    let User {
        name,
        description,
        home,
        shell,
    } = user;
    add(target, Table::Group, name, &format!("{name}:x:{gid}:"))?;
    add(target, Table::Gshadow, name, &format!("{name}:!*::"))?;
    add(target, Table::Shadow, name, &format!("{name}:!*:::::::"))?;
    let line = format!("{name}:x:{number}:{gid}:{description}:{home}:{shell}");
    add(target, Table::Passwd, name, &line)
}

/// Takes a user and its group away.
///
/// # Errors
/// The files are locked or cannot be written.
pub fn remove(target: &Target, name: &str) -> Result<(), Error> {
    let _lock = lock(target)?;
    for table in Table::ALL {
        let before = text(target, table)?;
        let after = without(&before, name);
        if after != before {
            replace(target, table, &after)?;
        }
    }
    Ok(())
}

/// One of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Passwd,
    Group,
    Shadow,
    Gshadow,
}

impl Table {
    const ALL: [Table; 4] = [Table::Passwd, Table::Shadow, Table::Group, Table::Gshadow];

    fn path(self) -> &'static Path {
        Path::new(match self {
            Table::Passwd => "/etc/passwd",
            Table::Group => "/etc/group",
            Table::Shadow => "/etc/shadow",
            Table::Gshadow => "/etc/gshadow",
        })
    }

    /// Systems without passwords have none, and need none for a user that cannot log in.
    fn is_optional(self) -> bool {
        matches!(self, Table::Shadow | Table::Gshadow)
    }
}

fn text(target: &Target, table: Table) -> Result<String, Error> {
    let path = target.at(table.path());
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(Error::io("read", path)),
    }
}

fn add(target: &Target, table: Table, name: &str, line: &str) -> Result<(), Error> {
    if table.is_optional() && !target.at(table.path()).exists() {
        return Ok(());
    }
    let before = text(target, table)?;
    if is_in(&before, name) {
        return Ok(());
    }
    let gap = if before.is_empty() || before.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    replace(target, table, &format!("{before}{gap}{line}\n"))
}

/// The new file has owner and mode of the old one before it takes its place.
fn replace(target: &Target, table: Table, text: &str) -> Result<(), Error> {
    let path = target.at(table.path());
    let Ok(found) = fs::metadata(&path) else {
        return file::write(&path, text.as_bytes(), 0o644);
    };
    let new = path.with_extension("tyr-new");
    file::write(&new, text.as_bytes(), found.mode() & 0o7777)?;
    chown(&new, Some(found.uid()), Some(found.gid())).map_err(Error::io("give away", &new))?;
    file::put(&new, &path)
}

fn is_in(text: &str, name: &str) -> bool {
    text.lines()
        .any(|line| line.split(':').next() == Some(name))
}

fn without(text: &str, name: &str) -> String {
    text.split_inclusive('\n')
        .filter(|line| line.split(':').next() != Some(name))
        .collect()
}

/// The third field of a name's line.
fn number_of(text: &str, name: &str) -> Option<u32> {
    let line = text
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

/// The highest number that is no user's and no group's.
fn free_number(passwd: &str, group: &str) -> Option<u32> {
    let taken: Vec<u32> = passwd
        .lines()
        .chain(group.lines())
        .filter_map(|line| line.split(':').nth(2)?.parse().ok())
        .collect();
    NUMBERS.rev().find(|number| !taken.contains(number))
}

/// The lock of lckpwdf(3): one of fcntl(2) on a file of its own. Dropping it lets it go.
fn lock(target: &Target) -> Result<File, Error> {
    let path = target.at(Path::new(LOCK));
    file::make_folders(&path)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    let end = Instant::now() + LOCK_PATIENCE;
    loop {
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(_) if Instant::now() < end => thread::sleep(LOCK_RETRY),
            Err(_) => return Err(Error::AccountsLocked { path }),
        }
    }
}

#[cfg(test)]
mod tests;
