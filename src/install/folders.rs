//! State folders and owners, as the lines of tmpfiles.d(5) that are installed say.
//!
//! systemd-tmpfiles does the same at every boot; here it is done at once, and where there is none.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::layout::Folder;
use super::manifest::{Content, ITEMS, Role};
use super::{Error, Target, accounts, file};

/// `d PATH MODE USER GROUP` makes a folder, `z …` sees to what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub makes: bool,
    pub path: PathBuf,
    pub mode: u32,
    pub user: String,
    pub group: String,
}

/// Lines of the roles, without repetition.
pub fn of(roles: &[Role]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let items = ITEMS.iter().filter(|item| roles.contains(&item.role));
    for item in items.filter(|item| item.folder == Folder::Folders) {
        let Content::File(text) = item.content else {
            continue;
        };
        for line in text.lines().filter_map(line) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

fn line(text: &str) -> Option<Line> {
    let mut words = text.split_whitespace();
    let makes = match words.next()? {
        "d" => true,
        "z" => false,
        _ => return None,
    };
    Some(Line {
        makes,
        path: words.next()?.into(),
        mode: u32::from_str_radix(words.next()?, 8).ok()?,
        user: words.next()?.to_owned(),
        group: words.next()?.to_owned(),
    })
}

/// Whether what the line asks for is so.
///
/// # Errors
/// A user does not exist.
pub fn holds(target: &Target, line: &Line) -> Result<bool, Error> {
    let Ok(found) = fs::metadata(target.at(&line.path)) else {
        return Ok(!line.makes);
    };
    let (uid, gid) = owner(target, line)?;
    Ok(found.mode() & 0o7777 == line.mode && (found.uid(), found.gid()) == (uid, gid))
}

/// Makes it so.
///
/// # Errors
/// A user does not exist, or the disk refuses.
pub fn apply(target: &Target, line: &Line) -> Result<(), Error> {
    let path = target.at(&line.path);
    if line.makes {
        file::make_folders(&path)?;
        // Closed until it has its owner.
        if !path.exists() {
            file::make_folder(&path, 0o700)?;
        }
    } else if !path.exists() {
        return Ok(());
    }
    let (uid, gid) = owner(target, line)?;
    chown(&path, Some(uid), Some(gid)).map_err(Error::io("give away", &path))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(line.mode))
        .map_err(Error::io("set the mode of", &path))
}

fn owner(target: &Target, line: &Line) -> Result<(u32, u32), Error> {
    let find = |name: &str| {
        // Root is root also where no file says so.
        if name == "root" {
            return Ok((0, 0));
        }
        accounts::find(target, name).ok_or_else(|| Error::NoAccount {
            name: name.to_owned(),
            path: line.path.clone(),
        })
    };
    Ok((find(&line.user)?.0, find(&line.group)?.1))
}

/// Whether the user of the line is still to be made.
pub fn waits_for_user(target: &Target, line: &Line) -> bool {
    [&line.user, &line.group]
        .iter()
        .any(|name| *name != "root" && accounts::find(target, name).is_none())
}

/// Everything that was ever laid out or written by Tyr outside its programs.
pub fn state() -> Vec<&'static Path> {
    use super::layout::{RUN, SETTINGS, STATE};
    [SETTINGS, STATE]
        .into_iter()
        .chain(RUN)
        .map(Path::new)
        .collect()
}

#[cfg(test)]
mod tests;
