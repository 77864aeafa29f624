use std::fs;

use jiff::ToSpan;
use tyr::server::db::{Database, DbError};
use tyr::server::retention;

use crate::support::postgres::{connect, database, empty_database, options, tree};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_run_once_whoever_comes_first() {
    let url = empty_database().await;
    let options = options(url.clone());
    let opened = futures_util::future::join_all((0..4).map(|_| Database::open(&options))).await;
    for database in opened {
        database.expect("every server opens the database").close();
    }
    let (client, _driver) = connect(&url).await;
    let rows = client
        .query("SELECT name FROM schema_migrations ORDER BY number", &[])
        .await;
    let applied: Vec<String> = rows
        .expect("a ledger")
        .iter()
        .map(|row| row.get(0))
        .collect();
    let mut files: Vec<String> = fs::read_dir(tree("sql/migrations"))
        .expect("migrations")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    let names: Vec<String> = files
        .iter()
        .map(|file| {
            file.trim_end_matches(".sql")
                .split_once('_')
                .expect("N_name")
                .1
                .to_owned()
        })
        .collect();
    assert_eq!(applied, names, "every file is applied, in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_another_history_is_refused() {
    let url = database().await;
    let (client, _driver) = connect(&url).await;
    client
        .batch_execute("INSERT INTO schema_migrations VALUES (9000, 'future', '\\x00')")
        .await
        .expect("a newer server was here");
    let refused = Database::open(&options(url.clone()))
        .await
        .map(|_| ())
        .expect_err("refused");
    assert!(
        matches!(refused, DbError::Newer { found: 9000, .. }),
        "{refused}"
    );
    client
        .batch_execute(
            "DELETE FROM schema_migrations WHERE number = 9000;
             UPDATE schema_migrations SET sha256 = '\\x00' WHERE number = 2",
        )
        .await
        .expect("another text was applied");
    let refused = Database::open(&options(url))
        .await
        .map(|_| ())
        .expect_err("refused");
    assert!(
        matches!(refused, DbError::Changed { number: 2 }),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_prepares_and_says_its_parameters() {
    let url = database().await;
    let (client, _driver) = connect(&url).await;
    let mut count = 0;
    for folder in fs::read_dir(tree("sql/queries")).expect("queries") {
        for file in fs::read_dir(folder.expect("a folder").path()).expect("statements") {
            let path = file.expect("a file").path();
            let text = fs::read_to_string(&path).expect("text");
            assert!(
                text.starts_with("-- "),
                "{} begins with what it does",
                path.display()
            );
            let statement = client.prepare(&text).await;
            let statement = statement.unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
            let head: String = text
                .lines()
                .take_while(|line| line.starts_with("--"))
                .collect();
            for number in 1..=statement.params().len() {
                assert!(
                    head.contains(&format!("${number} ")),
                    "{}: ${number}",
                    path.display()
                );
            }
            count += 1;
        }
    }
    assert!(count > 40, "{count} statements");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_and_changes_never_change() {
    let url = database().await;
    let (client, _driver) = connect(&url).await;
    client
        .batch_execute(
            "INSERT INTO policies (name, version) VALUES ('p', 1);
             INSERT INTO policy_versions (policy, version, yaml, description, rules, created_by)
             VALUES ('p', 1, 'text', '', 0, 'test');
             INSERT INTO changes (who, address, what, object, detail)
             VALUES ('test', '', 'policy.apply', 'p', '{}')",
        )
        .await
        .expect("rows");
    for text in [
        "UPDATE policy_versions SET yaml = 'other'",
        "DELETE FROM policy_versions",
        "UPDATE changes SET who = 'nobody'",
        "DELETE FROM changes",
        "TRUNCATE changes",
    ] {
        let refused = client.batch_execute(text).await.expect_err(text);
        let message = refused
            .as_db_error()
            .expect("PostgreSQL refuses")
            .message()
            .to_owned();
        assert!(message.contains("never change"), "{text}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_come_before_their_day_and_go_after_their_time() {
    let url = database().await;
    let db = Database::open(&options(url.clone())).await.expect("open");
    let (client, _driver) = connect(&url).await;
    let partitions = async || -> Vec<String> {
        let text = "SELECT inhrelid::regclass::text FROM pg_inherits \
            WHERE inhparent = 'events'::regclass ORDER BY 1";
        let rows = client.query(text, &[]).await.expect("a catalogue");
        rows.iter().map(|row| row.get(0)).collect()
    };
    let today = db.today().await.expect("a day");
    let name = |days: i64| {
        let day = today.saturating_add(days.days());
        format!("events_{}", day.strftime("%Y%m%d"))
    };
    for old in [-31, -30, -1] {
        let day = today.saturating_add(i64::from(old).days());
        assert!(db.ensure_partition(day).await.expect("made"));
        assert!(!db.ensure_partition(day).await.expect("there already"));
    }
    retention::maintain(&db, 30).await.expect("looked after");
    assert_eq!(
        partitions().await,
        [name(-30), name(-1), name(0), name(1), name(2)]
    );
    let racing = (0..8).map(|_| db.ensure_partition(today.saturating_add(9.days())));
    let made = futures_util::future::join_all(racing).await;
    let made = made
        .into_iter()
        .filter(|made| *made.as_ref().expect("no error"))
        .count();
    assert_eq!(made, 1, "of many at once one makes it");
}
