//! Whom PostgreSQL runs as: it refuses root.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use tokio::process::Command;

use super::PostgresError;

/// Users that a server run by root starts PostgreSQL as, in this order.
const USERS: [&str; 2] = ["tyr", "postgres"];
const SEARCH_OTHERS: u32 = 0o001;
const SEARCH_GROUP: u32 = 0o010;
const SEARCH_OWNER: u32 = 0o100;

/// The user PostgreSQL runs as; `None` ids: the one of this process.
pub(super) struct Account {
    name: String,
    ids: Option<(u32, u32)>,
}

impl Account {
    /// This user, or for root the owner of the data, or the first of `USERS` that exists.
    pub(super) fn choose(data: &Path) -> Result<Account, PostgresError> {
        if !is_root() {
            return Ok(Account {
                name: "this user".to_owned(),
                ids: None,
            });
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let owner = fs::metadata(data).ok().filter(|found| found.uid() != 0);
        if let Some(owner) = owner {
            let ids = (owner.uid(), owner.gid());
            return Ok(Account {
                name: format!("with id {}", ids.0),
                ids: Some(ids),
            });
        }
        USERS
            .iter()
            .find_map(|name| Some((name, find(&users, name)?)))
            .map(|(name, ids)| Account {
                name: format!("`{name}`"),
                ids: Some(ids),
            })
            .ok_or(PostgresError::NoAccount)
    }

    /// A command that runs as this user, without the groups of root.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // The folder this process was started in may be closed to that user.
        command
            .current_dir("/")
            .env_remove("PGDATA")
            // Only the server may say that it is ready.
            .env_remove("NOTIFY_SOCKET")
            .env("LC_ALL", "C");
        if let Some((uid, gid)) = self.ids {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a path to this user.
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        match self.ids {
            Some((uid, gid)) => chown(path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }

    /// Checks that this user can get to `folder`, which only root could otherwise tell late and
    /// unclearly.
    pub(super) fn reaches(&self, folder: &Path) -> Result<(), PostgresError> {
        let Some((uid, gid)) = self.ids else {
            return Ok(());
        };
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        for part in folder.ancestors() {
            let Ok(found) = fs::metadata(part) else {
                continue;
            };
            let bit = match (found.uid() == uid, found.gid() == gid) {
                (true, _) => SEARCH_OWNER,
                (false, true) => SEARCH_GROUP,
                (false, false) => SEARCH_OTHERS,
            };
            if found.mode() & bit == 0 {
                let folder = part.to_owned();
                return Err(PostgresError::Unreachable {
                    user: self.name.clone(),
                    folder,
                });
            }
        }
        Ok(())
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// User and group id of a user in the text of `/etc/passwd`.
pub(super) fn find(users: &str, name: &str) -> Option<(u32, u32)> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (found, _, uid, gid) = (
            fields.next()?,
            fields.next()?,
            fields.next()?,
            fields.next()?,
        );
        if found == name {
            Some((uid.parse().ok()?, gid.parse().ok()?))
        } else {
            None
        }
    })
}
