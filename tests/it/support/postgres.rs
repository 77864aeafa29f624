//! One private PostgreSQL for the run, and in it an own database for every test.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tyr::server::db::{Database, PoolOptions};
use tyr::server::postgres::PrivatePostgres;

const TEMPLATE: &str = "tyr_template";

struct Cluster {
    postgres: PrivatePostgres,
    /// Holds the standard input of a process that stops PostgreSQL when this one ends, however it
    /// ends.
    _warden: std::process::Child,
}

/// A folder that PostgreSQL's own user can reach when the tests run as root.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new()
        .prefix("tyr")
        .tempdir_in("/tmp")
        .expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).expect("its mode");
    folder
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        // A runtime that outlives every test's: the process is driven by it.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                sender.send(start().await).expect("the test waits");
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().expect("PostgreSQL starts")
    })
}

async fn start() -> Cluster {
    let folder = folder().keep();
    let postgres = PrivatePostgres::start(&folder)
        .await
        .expect("PostgreSQL starts");
    let warden = warden(&folder).expect("a shell");
    let (client, driver) = connect(&postgres.url_of("postgres")).await;
    client
        .batch_execute(&format!("CREATE DATABASE {TEMPLATE}"))
        .await
        .expect("a template");
    let database = Database::open(&options(postgres.url_of(TEMPLATE)))
        .await
        .expect("migrations");
    database.close();
    drop(client);
    driver.abort();
    Cluster {
        postgres,
        _warden: warden,
    }
}

fn warden(folder: &Path) -> io::Result<std::process::Child> {
    let script = "cat >/dev/null; pid=$(head -n 1 \"$1/postgres/postmaster.pid\"); \
        kill -INT \"$pid\"; while kill -0 \"$pid\" 2>/dev/null; do sleep 0.1; done; rm -rf \"$1\"";
    Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

pub(crate) fn options(url: String) -> PoolOptions {
    PoolOptions {
        url,
        ca_file: None,
        connections_max: 8,
    }
}

/// A plain connection.
pub(crate) async fn connect(url: &str) -> (tokio_postgres::Client, tokio::task::JoinHandle<()>) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("a connection");
    let driver = tokio::spawn(async move {
        // Its end is the end of the test.
        let _ = connection.await;
    });
    (client, driver)
}

/// URL of a new database with every migration applied.
pub(crate) async fn database() -> String {
    create(&format!("TEMPLATE {TEMPLATE}")).await
}

/// URL of a new database without anything.
pub(crate) async fn empty_database() -> String {
    create("").await
}

async fn create(how: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let cluster = tokio::task::spawn_blocking(cluster)
        .await
        .expect("PostgreSQL");
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let (client, _driver) = connect(&cluster.postgres.url_of("postgres")).await;
    let text = format!("CREATE DATABASE {name} {how}");
    // The template is busy while another test copies it.
    for _ in 0..200 {
        match client.batch_execute(&text).await {
            Ok(()) => return cluster.postgres.url_of(&name),
            Err(error) if error.to_string().contains("being accessed") => {}
            Err(error)
                if error
                    .as_db_error()
                    .is_some_and(|e| e.code().code() == "55006") => {}
            Err(error) => panic!("{text}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{text}: the template stays busy");
}

/// Folders of a source tree.
pub(crate) fn tree(inside: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(inside)
}
