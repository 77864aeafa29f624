#!/usr/bin/env bash
# Cargo: a library, a program and tests, without a network.
set -euo pipefail

export CARGO_HOME=$PWD/cargo-home CARGO_TERM_COLOR=never CARGO_TERM_QUIET=true
mkdir -p crate/src crate/tests
cat >crate/Cargo.toml <<'TOML'
[package]
name = "tiny"
version = "0.1.0"
edition = "2021"
build = "build.rs"
TOML
cat >crate/build.rs <<'RUST'
fn main() {
    println!("cargo:rustc-env=TINY_BUILT=by a build script");
}
RUST
cat >crate/src/lib.rs <<'RUST'
pub fn twice(n: u32) -> u32 {
    2 * n
}
RUST
cat >crate/src/main.rs <<'RUST'
fn main() {
    println!("{} {}", tiny::twice(21), env!("TINY_BUILT"));
}
RUST
cat >crate/tests/twice.rs <<'RUST'
#[test]
fn doubles() {
    assert_eq!(tiny::twice(4), 8);
}
RUST
cd crate
cargo build --offline
./target/debug/tiny
cargo test --offline 2>&1 | sed 's/finished in .*//'
cargo metadata --offline --format-version 1 | grep -o '"name":"tiny"' | head -n1
cat Cargo.lock
rm -rf target ../cargo-home
