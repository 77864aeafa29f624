use super::PostgresError;
use super::account::find;
use super::binaries::{choose_among, parse_version};

#[test]
fn versions_are_read_from_what_programs_print() {
    assert_eq!(
        parse_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"),
        Some(15)
    );
    assert_eq!(parse_version("postgres (PostgreSQL) 9.6.24"), Some(9));
    assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), Some(18));
    assert_eq!(parse_version(""), None);
}

#[test]
fn the_newest_is_chosen_unless_the_data_is_older() {
    assert_eq!(choose_among(&[14, 17, 15], None).expect("one is found"), 17);
    assert_eq!(
        choose_among(&[14, 17, 15], Some(15)).expect("one is found"),
        15
    );
    let message = choose_among(&[17], Some(15))
        .expect_err("none fits")
        .to_string();
    assert!(message.contains("`postgresql-15`"), "{message}");
    let message = choose_among(&[], None)
        .expect_err("none is there")
        .to_string();
    assert!(message.contains("`postgresql`"), "{message}");
    assert!(matches!(
        choose_among(&[13], None),
        Err(PostgresError::TooOld { found: 13, .. })
    ));
}

#[test]
fn accounts_are_read_from_passwd() {
    let users =
        "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:x:/var/lib/postgresql:/bin/sh\n";
    assert_eq!(find(users, "postgres"), Some((101, 104)));
    assert_eq!(find(users, "tyr"), None);
}
