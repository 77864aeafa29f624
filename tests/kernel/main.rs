//! Needs root and `BPF_PROG_TEST_RUN`; runs on the machine's own kernel, attached to nothing.

extern crate tyr;

mod image;
mod property;
#[path = "../../src/policy/compile/tests/random.rs"]
mod random;
mod ring;
mod suite;
