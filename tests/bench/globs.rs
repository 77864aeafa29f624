//! Globs as operators write them, for policies of any size.

/// Words that make names; numbers make them differ.
pub(crate) const WORDS: [&str; 12] = [
    "billing",
    "ledger",
    "vault",
    "deploy",
    "staging",
    "archive",
    "mirror",
    "report",
    "session",
    "signing",
    "backup",
    "telemetry",
];

/// A name that no other index has, spread so that neighbours share little.
fn name(index: usize) -> String {
    let mixed = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let word = |shift: u32| WORDS[(mixed >> shift) as usize % WORDS.len()];
    format!("{}-{}-{:04x}", word(7), word(31), mixed >> 48)
}

/// Globs as operators write them. The first kind may match anywhere, so that no path is decided
/// before its end.
pub(crate) fn glob_of(index: usize) -> String {
    let name = name(index);
    match index % 5 {
        0 => format!("/**/{name}.pem"),
        1 => format!("/home/*/.{name}/credentials"),
        2 => format!("/srv/{name}/**"),
        3 => format!("/etc/{name}/*.conf"),
        _ => format!("/var/lib/{name}/[0-9]*/key"),
    }
}
