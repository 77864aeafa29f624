//! Names of users, from /etc/passwd. A user that only a directory service knows is its number.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file, read again when it changes.
#[derive(Debug)]
pub struct Users {
    path: PathBuf,
    modified: Option<SystemTime>,
    names: HashMap<u32, String>,
}

impl Users {
    pub fn of_file(path: &Path) -> Users {
        Users {
            path: path.to_owned(),
            modified: None,
            names: HashMap::new(),
        }
    }

    pub fn name(&mut self, uid: u32) -> String {
        let modified = std::fs::metadata(&self.path)
            .and_then(|about| about.modified())
            .ok();
        if modified != self.modified || modified.is_none() {
            self.modified = modified;
            self.names = parse(&std::fs::read_to_string(&self.path).unwrap_or_default());
        }
        self.names
            .get(&uid)
            .cloned()
            .unwrap_or_else(|| uid.to_string())
    }
}

/// The first name of each number, as the system reads it.
fn parse(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(_), Some(Ok(uid))) =
            (fields.next(), fields.next(), fields.next().map(str::parse))
        {
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::Users;

    #[test]
    fn a_changed_file_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwd");
        let mut users = Users::of_file(&path);
        assert_eq!(users.name(0), "0");
        std::fs::write(
            &path,
            "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/\nann:x:1000:\nbad\n",
        )
        .unwrap();
        assert_eq!(users.name(0), "root");
        assert_eq!(users.name(1000), "ann");
        assert_eq!(users.name(7), "7");
    }
}
