//! Every file of an installation, by role.

use std::str::FromStr;

use super::layout::{Folder, Layout};

/// What a host is for. Packages are split the same way.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The executable and what people need besides it. The other roles need this one.
    Cli,
    Server,
    Daemon,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Cli, Role::Server, Role::Daemon];

    /// The unit that runs it.
    pub fn unit(self) -> Option<&'static str> {
        match self {
            Role::Cli => None,
            Role::Server => Some("tyr-server.service"),
            Role::Daemon => Some("tyrd.service"),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Role::Cli => "cli",
            Role::Server => "server",
            Role::Daemon => "daemon",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        Role::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| format!("`{text}` is not a role: expected cli, server, daemon or all"))
    }
}

/// What a file holds.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// This executable.
    Executable,
    /// A symbolic link to a neighbour.
    Link(&'static str),
    File(&'static str),
    /// A file that names executables as `/usr/bin/…`, which become those of the prefix.
    Unit(&'static str),
}

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub role: Role,
    pub folder: Folder,
    pub name: &'static str,
    pub content: Content,
    pub mode: u32,
}

impl Item {
    const fn file(role: Role, folder: Folder, name: &'static str, text: &'static str) -> Item {
        Item {
            role,
            folder,
            name,
            content: Content::File(text),
            mode: 0o644,
        }
    }

    const fn link(role: Role, folder: Folder, name: &'static str, to: &'static str) -> Item {
        Item {
            role,
            folder,
            name,
            content: Content::Link(to),
            mode: 0o777,
        }
    }

    const fn unit(role: Role, name: &'static str, text: &'static str) -> Item {
        Item {
            role,
            folder: Folder::Units,
            name,
            content: Content::Unit(text),
            mode: 0o644,
        }
    }

    const fn program(role: Role, name: &'static str, content: Content) -> Item {
        Item {
            role,
            folder: Folder::Programs,
            name,
            content,
            mode: 0o755,
        }
    }

    /// Whether it is the operator's once it is there.
    pub fn is_setting(&self) -> bool {
        self.folder == Folder::Settings
    }

    /// The text of a file that is not the executable, for a layout.
    pub fn text(&self, layout: &Layout) -> Option<String> {
        match self.content {
            Content::Executable | Content::Link(_) => None,
            Content::File(text) => Some(text.to_owned()),
            Content::Unit(text) => {
                let programs = layout.folder(Folder::Programs);
                Some(text.replace("/usr/bin/", &format!("{}/", programs.display())))
            }
        }
    }
}

/// A file of the folder `packaging`.
macro_rules! packaged {
    ($path:literal) => {
        include_str!(concat!("../../packaging/", $path))
    };
}

use Role::{Cli, Daemon, Server};

/// What a package has besides, so that nothing else takes its files for its own.
pub const MARK: Item = Item::file(
    Cli,
    Folder::Shared,
    "packaged",
    "The package manager of this system installed Tyr: upgrade and remove it with that.\n",
);

/// Everything that is laid out.
pub const ITEMS: &[Item] = &[
    Item::program(Cli, "tyr", Content::Executable),
    Item::program(Server, "tyr-server", Content::Link("tyr")),
    Item::program(Daemon, "tyrd", Content::Link("tyr")),
    Item::unit(
        Server,
        "tyr-server.service",
        packaged!("systemd/tyr-server.service"),
    ),
    Item::unit(Daemon, "tyrd.service", packaged!("systemd/tyrd.service")),
    Item::file(
        Server,
        Folder::Users,
        "tyr-server.conf",
        packaged!("sysusers.d/tyr-server.conf"),
    ),
    Item::file(
        Server,
        Folder::Folders,
        "tyr-server.conf",
        packaged!("tmpfiles.d/tyr-server.conf"),
    ),
    Item::file(
        Daemon,
        Folder::Folders,
        "tyrd.conf",
        packaged!("tmpfiles.d/tyrd.conf"),
    ),
    Item {
        // It may hold the database's password.
        mode: 0o640,
        ..Item::file(
            Server,
            Folder::Settings,
            "server.yaml",
            packaged!("etc/server.yaml"),
        )
    },
    Item::file(
        Daemon,
        Folder::Settings,
        "daemon.yaml",
        packaged!("etc/daemon.yaml"),
    ),
    Item::file(
        Cli,
        Folder::Policies,
        "business-hours.yaml",
        packaged!("policies/business-hours.yaml"),
    ),
    Item::file(
        Cli,
        Folder::Policies,
        "developer-workstation.yaml",
        packaged!("policies/developer-workstation.yaml"),
    ),
    Item::file(
        Cli,
        Folder::Policies,
        "egress-allow-list.yaml",
        packaged!("policies/egress-allow-list.yaml"),
    ),
    Item::file(
        Cli,
        Folder::Policies,
        "observe.yaml",
        packaged!("policies/observe.yaml"),
    ),
    Item::file(
        Cli,
        Folder::Policies,
        "production-ai-agents.yaml",
        packaged!("policies/production-ai-agents.yaml"),
    ),
    Item::file(Cli, Folder::Manual(1), "tyr.1", packaged!("man/tyr.1")),
    Item::file(
        Cli,
        Folder::Manual(5),
        "tyr-policy.5",
        packaged!("man/tyr-policy.5"),
    ),
    Item::file(
        Server,
        Folder::Manual(8),
        "tyr-server.8",
        packaged!("man/tyr-server.8"),
    ),
    Item::file(Daemon, Folder::Manual(8), "tyrd.8", packaged!("man/tyrd.8")),
    // Bash and fish read a file of the command's name when it is first completed.
    Item::file(Cli, Folder::Bash, "tyr", packaged!("completions/tyr.bash")),
    Item::link(Server, Folder::Bash, "tyr-server", "tyr"),
    Item::link(Daemon, Folder::Bash, "tyrd", "tyr"),
    Item::file(Cli, Folder::Zsh, "_tyr", packaged!("completions/_tyr")),
    Item::file(
        Cli,
        Folder::Fish,
        "tyr.fish",
        packaged!("completions/tyr.fish"),
    ),
    Item::link(Server, Folder::Fish, "tyr-server.fish", "tyr.fish"),
    Item::link(Daemon, Folder::Fish, "tyrd.fish", "tyr.fish"),
];
