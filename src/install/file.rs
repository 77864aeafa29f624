//! Files that are whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Error;
use super::step::missing_folders;

/// Programs and settings of a system are for everybody to see, whatever the umask.
const FOLDER_MODE: u32 = 0o755;
const MODE_BITS: u32 = 0o7777;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    File {
        sha256: String,
        mode: u32,
    },
    Link(PathBuf),
    /// A folder, a device and the like.
    Other,
}

/// Looks, without following a link.
pub(super) fn look(path: &Path) -> Result<Found, Error> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Found::Nothing);
        }
        Err(error) => return Err(Error::io("look at", path)(error)),
    };
    if found.is_symlink() {
        let target = fs::read_link(path).map_err(Error::io("read", path))?;
        return Ok(Found::Link(target));
    }
    if !found.is_file() {
        return Ok(Found::Other);
    }
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    Ok(Found::File {
        sha256: sha256(&bytes),
        mode: found.permissions().mode() & MODE_BITS,
    })
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Makes the folders above `path`.
pub(super) fn make_folders(path: &Path) -> Result<(), Error> {
    for folder in missing_folders(path) {
        make_folder(&folder, FOLDER_MODE)?;
    }
    Ok(())
}

/// Makes one folder, or sees to the mode of the one that is there.
pub(super) fn make_folder(path: &Path, mode: u32) -> Result<(), Error> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => {
            return Err(Error::io("make the folder", path)(error));
        }
        _ => {}
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(Error::io("set the mode of", path))
}

/// Puts a file in the place of what is there. Whoever runs the old one goes on with it.
pub(super) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let new = fresh_name(path)?;
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()
    };
    write().map_err(Error::io("write", path))?;
    put(&new, path)
}

/// The same for a symbolic link.
pub(super) fn link(path: &Path, target: &Path) -> Result<(), Error> {
    let new = fresh_name(path)?;
    symlink(target, &new).map_err(Error::io("make the link", path))?;
    put(&new, path)
}

/// A name beside `path` that is free: what an interrupted run left there is removed.
pub(super) fn fresh_name(path: &Path) -> Result<PathBuf, Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tyr-new");
    let new = path.with_file_name(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("write", path)(error))
        }
        _ => Ok(new),
    }
}

pub(super) fn put(new: &Path, path: &Path) -> Result<(), Error> {
    let renamed = fs::rename(new, path).and_then(|()| match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    });
    renamed.map_err(Error::io("write", path))
}

/// Removes a file, a link, or with `whole` a folder and what is in it.
pub(super) fn remove(path: &Path, whole: bool) -> Result<(), Error> {
    let removed = if whole && path.is_dir() && !path.is_symlink() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
