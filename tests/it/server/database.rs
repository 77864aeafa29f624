//! A PostgreSQL that is not private: over TCP, with TLS.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tyr::exit::chain;
use tyr::server::db::{Database, PoolOptions};
use tyr::server::postgres::PrivatePostgres;

use crate::support::postgres::folder;

/// Ends PostgreSQL with the test.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA")
}

fn newest_postgres() -> PathBuf {
    let roots = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = roots
        .flatten()
        .map(|entry| entry.path().join("bin/postgres"))
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from("postgres"))
}

/// Writes a file that PostgreSQL's user, the owner of `data`, can read alone.
fn keep(data: &Path, name: &str, text: &str) {
    let (path, owner) = (data.join(name), fs::metadata(data).expect("data"));
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    chown(&path, Some(owner.uid()), Some(owner.gid())).expect("its owner");
}

fn spawn(data: &Path, port: u16) -> Stopped {
    let mut command = Command::new(newest_postgres());
    command
        .arg("-D")
        .arg(data)
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "ssl=on"])
        .args([
            "-c",
            "unix_socket_directories=",
            "-c",
            &format!("port={port}"),
        ])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let (owner, own) = (
        fs::metadata(data).expect("data").uid(),
        fs::metadata("/proc/self").expect("this process").uid(),
    );
    if owner != own {
        command
            .uid(owner)
            .gid(fs::metadata(data).expect("data").gid());
    }
    Stopped(command.spawn().expect("PostgreSQL"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_certificate_of_a_database_is_checked() {
    let folder = folder();
    PrivatePostgres::start(folder.path())
        .await
        .expect("initialised")
        .stop()
        .await;
    let data = folder.path().join("postgres");
    let (right, wrong) = (authority(), authority());
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let leaf = params.signed_by(&key, &right).expect("a certificate");
    keep(&data, "server.crt", &leaf.pem());
    keep(&data, "server.key", &key.serialize_pem());
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("its address").port();
    drop(free);
    let _postgres = spawn(&data, port);

    let file = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        fs::write(&path, pem).expect("written");
        path
    };
    let (right, wrong) = (
        file("right.pem", &right.pem()),
        file("wrong.pem", &wrong.pem()),
    );
    let open = async |host: &str, more: &str, ca_file: Option<&PathBuf>| {
        let url = format!("host={host} hostaddr=127.0.0.1 port={port} user=tyr dbname=tyr {more}");
        let ca_file = ca_file.cloned();
        Database::open(&PoolOptions {
            url,
            ca_file,
            connections_max: 4,
        })
        .await
    };
    let mut opened = open("localhost", "", Some(&right)).await;
    for _ in 0..200 {
        if opened.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        opened = open("localhost", "", Some(&right)).await;
    }
    let encrypted = opened.expect("the right CA");
    let (client, connection) = encrypted.listener().await.expect("a connection");
    let driver = tokio::spawn(connection);
    let text = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = client.query_one(text, &[]).await.expect("a row");
    assert!(
        row.get::<_, bool>(0),
        "with a CA the connection is encrypted"
    );
    driver.abort();
    encrypted.close();

    let refused = open("localhost", "", Some(&wrong))
        .await
        .map(|_| ())
        .expect_err("another CA");
    assert!(
        chain(&refused).contains("invalid peer certificate"),
        "{}",
        chain(&refused)
    );
    let refused = open("elsewhere", "", Some(&right))
        .await
        .map(|_| ())
        .expect_err("other name");
    assert!(
        chain(&refused).contains("invalid peer certificate"),
        "{}",
        chain(&refused)
    );
    // Without a CA: in clear to this machine, and not at all to another unless it is asked for.
    open("localhost", "", None)
        .await
        .expect("in clear to this machine")
        .close();
    let refused = open("elsewhere", "", None)
        .await
        .map(|_| ())
        .expect_err("not in clear");
    assert!(!chain(&refused).is_empty());
    open("elsewhere", "sslmode=disable", None)
        .await
        .expect("asked for")
        .close();
}
