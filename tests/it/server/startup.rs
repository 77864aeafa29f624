use std::fs;
use std::os::unix::fs::PermissionsExt;

use tyr::exit::chain;
use tyr::server::ServerError;
use tyr::server::config::Config;
use tyr::server::postgres::PrivatePostgres;
use tyr::wire::rest::{Health, HostList};

use crate::support::person::Person;
use crate::support::postgres::{connect, database, folder};
use crate::support::server::{TestServer, config};

fn private(folder: &tempfile::TempDir) -> Config {
    Config {
        database_url: None,
        ..config(folder, "")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_is_a_server_with_a_database() {
    let folder = folder();
    let running = tyr::server::start(private(&folder))
        .await
        .expect("it starts");
    let token = running
        .admin_token
        .clone()
        .expect("the first start makes a token");
    let file = folder.path().join("admin-token");
    assert_eq!(fs::read_to_string(&file).expect("a file").trim(), token);
    assert_eq!(
        fs::metadata(&file).expect("a file").permissions().mode() & 0o777,
        0o600
    );
    let ca = running.state.authority.pem().to_owned();
    assert_eq!(
        fs::read_to_string(folder.path().join("ca.pem")).expect("a file"),
        ca
    );
    let admin = Person::new(&running, &token);
    assert!(admin.get::<Health>("/health").await.database);
    assert!(admin.get::<HostList>("hosts").await.hosts.is_empty());

    let second = tyr::server::start(private(&folder))
        .await
        .map(|_| ())
        .expect_err("locked");
    assert!(matches!(second, ServerError::Locked(_)), "{second}");
    running.stop(std::future::pending()).await;
    assert!(
        !folder.path().join("postgres/postmaster.pid").exists(),
        "PostgreSQL has stopped"
    );

    let again = tyr::server::start(private(&folder))
        .await
        .expect("it starts again");
    assert_eq!(again.admin_token, None);
    assert_eq!(again.state.authority.pem(), ca, "the CA is kept");
    let admin = Person::new(&again, &token);
    assert!(
        admin.get::<HostList>("hosts").await.hosts.is_empty(),
        "the token still holds"
    );
    again.stop(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_was_left_running_is_taken_over() {
    let folder = folder();
    let left = PrivatePostgres::start(folder.path())
        .await
        .expect("it starts");
    let (client, _driver) = connect(&left.url()).await;
    client
        .batch_execute("CREATE TABLE kept (number int)")
        .await
        .expect("a table");
    let mut next = PrivatePostgres::start(folder.path())
        .await
        .expect("it starts over");
    let (client, _driver) = connect(&next.url()).await;
    client
        .batch_execute("SELECT number FROM kept")
        .await
        .expect("the data is there");
    next.stop().await;
    drop(left);
    // A pid file of a process that is gone is no hindrance.
    let pid_file = folder.path().join("postgres/postmaster.pid");
    fs::write(&pid_file, "4194303\n").expect("written");
    let mut stale = PrivatePostgres::start(folder.path())
        .await
        .expect("it starts all the same");
    stale.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_fail_fails_before_ready() {
    let url = database().await;
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let busy = Config {
        rest_listen: address,
        ..config(&folder, &url)
    };
    let failed = tyr::server::start(busy)
        .await
        .map(|_| ())
        .expect_err("taken");
    assert!(
        chain(&failed).contains(&address.to_string()),
        "{}",
        chain(&failed)
    );

    let nowhere = config(&folder, "host=/nonexistent user=tyr dbname=tyr");
    let failed = tyr::server::start(nowhere)
        .await
        .map(|_| ())
        .expect_err("no database");
    assert!(
        chain(&failed).starts_with("cannot use the database"),
        "{}",
        chain(&failed)
    );

    let names = vec!["not a name".to_owned()];
    let misnamed = Config {
        server_names: names,
        ..config(&folder, &url)
    };
    let failed = tyr::server::start(misnamed)
        .await
        .map(|_| ())
        .expect_err("misnamed");
    assert!(
        chain(&failed).contains("`not a name`"),
        "{}",
        chain(&failed)
    );

    let long = folder.path().join("x".repeat(100));
    let long = Config {
        data_dir: long,
        ..private(&folder)
    };
    let failed = tyr::server::start(long)
        .await
        .map(|_| ())
        .expect_err("too long");
    assert!(
        chain(&failed).contains("shorter data directory"),
        "{}",
        chain(&failed)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_authority_needs_its_seal() {
    let url = database().await;
    let folder = folder();
    let seal = folder.path().join("seal");
    fs::write(&seal, "5a".repeat(32)).expect("written");
    let sealed = Config {
        ca_seal_key_file: Some(seal.clone()),
        ..config(&folder, &url)
    };
    let running = tyr::server::start(sealed.clone()).await.expect("it starts");
    running.stop(std::future::pending()).await;
    let (client, _driver) = connect(&url).await;
    let row = client
        .query_one("SELECT key FROM ca", &[])
        .await
        .expect("a CA");
    let key: Vec<u8> = row.get(0);
    assert!(!String::from_utf8_lossy(&key).contains("PRIVATE KEY"));

    let open = config(&folder, &url);
    let failed = tyr::server::start(open)
        .await
        .map(|_| ())
        .expect_err("sealed");
    assert!(
        chain(&failed).contains("ca_seal_key_file"),
        "{}",
        chain(&failed)
    );
    fs::write(&seal, "5b".repeat(32)).expect("written");
    let failed = tyr::server::start(sealed)
        .await
        .map(|_| ())
        .expect_err("another seal");
    assert!(chain(&failed).contains("another one"), "{}", chain(&failed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stops_with_streams_open() {
    let server = TestServer::start().await;
    let host = server.host("watching").await;
    let mut sets = host.watch(&server).await.expect("watching");
    sets.message().await.expect("a set").expect("at once");
    let mut tail = server.admin.tail("", None).await;
    let begun = std::time::Instant::now();
    server.running.stop(std::future::pending()).await;
    assert!(
        begun.elapsed().as_millis() < 1_900,
        "it took {:?}",
        begun.elapsed()
    );
    assert!(sets.message().await.is_err(), "the watch is told");
    assert!(tail.next().await.is_none(), "the tail ends");
}
