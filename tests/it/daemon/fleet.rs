//! A server, the command line logged in to it, and daemons that enrol with it.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use argh::FromArgs;
use tyr::applet;
use tyr::daemon::config::{Args, Config};
use tyr::daemon::procfs::Procfs;
use tyr::daemon::run::{self, MachineFacts, Running, Setup};
use tyr::daemon::state::StateDir;
use tyr::exit::{Exit, Failure};
use tyr::policy::signatures::Signatures;
use tyr::process::Process;
use tyr::server;

use super::scripted::Scripted;

/// A server with its own PostgreSQL, and a person at a shell.
pub(super) struct Fleet {
    pub(super) server: server::Running,
    pub(super) dir: tempfile::TempDir,
}

/// What a command printed.
pub(super) struct Said {
    pub(super) exit: Exit,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Said {
    #[track_caller]
    pub(super) fn json(&self) -> serde_json::Value {
        assert_eq!(self.exit, Exit::Ok, "{}", self.stderr);
        serde_json::from_str(&self.stdout).expect("the answer is JSON")
    }
}

impl Fleet {
    /// Starts a server and logs in as its administrator.
    pub(super) async fn start() -> Fleet {
        let dir = tempfile::tempdir().expect("a folder");
        let local = "127.0.0.1:0".parse().expect("an address");
        let config = server::config::Config {
            data_dir: dir.path().join("server"),
            grpc_listen: local,
            rest_listen: local,
            ..server::config::Config::default()
        };
        let server = server::start(config).await.expect("the server starts");
        let fleet = Fleet { server, dir };
        let token = fleet
            .server
            .admin_token
            .clone()
            .expect("the first start gives a token");
        let said = fleet
            .tyr_with(&["login", &fleet.server.rest.to_string()], &token)
            .await;
        assert_eq!(said.exit, Exit::Ok, "{}", said.stderr);
        assert!(said.stderr.contains("CA fingerprint"), "{}", said.stderr);
        fleet
    }

    /// Runs `tyr ARGS`.
    pub(super) async fn tyr(&self, args: &[&str]) -> Said {
        self.tyr_with(args, "").await
    }

    /// Runs `tyr ARGS` with something on standard input.
    pub(super) async fn tyr_with(&self, args: &[&str], stdin: &str) -> Said {
        let all: Vec<&str> = ["tyr"].iter().chain(args).copied().collect();
        let (mut process, capture) = Process::for_test(&all, stdin);
        let home = self.dir.path().join("home").display().to_string();
        process.env.insert("HOME".to_owned(), home);
        let exit = tokio::task::spawn_blocking(move || applet::run(process)).await;
        Said {
            exit: exit.expect("the command does not panic"),
            stdout: capture.stdout.text(),
            stderr: capture.stderr.text(),
        }
    }

    pub(super) async fn enrollment_token(&self) -> String {
        let said = self
            .tyr(&["enrollment-token", "create", "--output=json"])
            .await;
        said.json()["token"].as_str().expect("a token").to_owned()
    }

    /// Applies the text and assigns every policy of it to all hosts.
    pub(super) async fn apply(&self, name: &str, yaml: &str) {
        let file = self.dir.path().join(format!("{name}.yaml"));
        std::fs::write(&file, yaml).expect("the folder is writable");
        let said = self
            .tyr(&["policy", "apply", "-f", file.to_str().expect("UTF-8")])
            .await;
        assert_eq!(said.exit, Exit::Ok, "{}", said.stderr);
        let said = self.tyr(&["policy", "assign", name, "--all"]).await;
        assert_eq!(said.exit, Exit::Ok, "{}", said.stderr);
    }

    /// All events, oldest first.
    pub(super) async fn events(&self) -> Vec<serde_json::Value> {
        let said = self
            .tyr(&["audit", "search", "--limit=5000", "--output=json"])
            .await;
        let mut events = said.json()["events"].as_array().expect("a list").clone();
        events.sort_by_key(|event| event["sequence"].as_u64());
        events
    }

    /// Starts a daemon with its state in `state`, on `kernel`.
    pub(super) async fn daemon(
        &self,
        state: &str,
        token: Option<&str>,
        kernel: &Arc<Scripted>,
    ) -> Result<Running, Failure> {
        let server = self.server.grpc.to_string();
        let folder = self.dir.path().join(state);
        let mut args = vec![
            "--server",
            &server,
            "--state-dir",
            folder.to_str().expect("UTF-8"),
        ];
        if let Some(token) = token {
            args.extend(["--enroll", token]);
        }
        start_daemon(&args, kernel, self.dir.path()).await
    }

    pub(super) async fn stop(self) {
        self.server.stop(std::future::pending()).await;
    }
}

/// Starts a daemon with these options; `dir` holds what it sees of the machine.
pub(super) async fn start_daemon(
    args: &[&str],
    kernel: &Arc<Scripted>,
    dir: &Path,
) -> Result<Running, Failure> {
    let file = dir.join("daemon.yaml");
    std::fs::write(&file, "canary_interval_ms: 100\n").expect("the folder is writable");
    let all: Vec<&str> = ["--config", file.to_str().expect("UTF-8")]
        .iter()
        .chain(args)
        .copied()
        .collect();
    let args = Args::from_args(&["tyrd"], &all).expect("the options are known");
    let config = Config::resolve(&args, "test-host")?;
    let passwd = dir.join("passwd");
    std::fs::write(&passwd, "root:x:0:0::/root:/bin/sh\n").expect("the folder is writable");
    let machine = MachineFacts {
        machine_id: "test-machine".to_owned(),
        boot_id: "test-boot".to_owned(),
        kernel_release: "test".to_owned(),
        hostname: "test-host".to_owned(),
        passwd,
    };
    let state = Arc::new(StateDir::lock(&config.state_dir)?);
    let setup = Setup {
        config: config.clone(),
        state: Arc::clone(&state),
        kernel: Arc::clone(kernel) as Arc<dyn tyr::daemon::kernel::Kernel>,
        signatures: Signatures::builtin(),
        machine: machine.clone(),
        procfs: Procfs::at(&dir.join("proc")),
    };
    let mut running = run::start(setup)?;
    match run::identity(&config, &state, &machine).await {
        Ok(identity) => {
            if let Some(identity) = identity {
                running.connect(identity);
            }
            Ok(running)
        }
        Err(failure) => {
            running.abandon().await;
            Err(failure)
        }
    }
}

/// Asks until the answer is yes, at most 20 s.
#[track_caller]
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let what = what.to_owned();
    async move {
        let end = Instant::now() + Duration::from_secs(20);
        while !holds() {
            assert!(Instant::now() < end, "timed out: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
