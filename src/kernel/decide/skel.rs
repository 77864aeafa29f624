//! What libbpf-cargo makes of `bpf/decide.bpf.c`: its types in Rust.

#[allow(
    clippy::all,
    clippy::pedantic,
    dead_code,
    non_camel_case_types,
    non_snake_case,
    unreachable_pub,
    reason = "generated"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/decide.skel.rs"));
}

pub(crate) use generated::types::{
    tyr_answer, tyr_decide_context, tyr_endpoint, tyr_image_header, tyr_question, tyr_superblock,
};

/// The compiled programs.
pub(crate) const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/decide.o"));

// SAFETY: plain integers and arrays of them, `repr(C)`; the assertions below leave no room for
// padding, and every byte pattern is a value.
unsafe impl plain::Plain for tyr_question {}
// SAFETY: as above.
unsafe impl plain::Plain for tyr_answer {}
// SAFETY: as above.
unsafe impl plain::Plain for tyr_decide_context {}

const _: () = assert!(size_of::<tyr_question>() == 6 * 4 + 24 + 2 * 4096 + 64);
const _: () = assert!(size_of::<tyr_answer>() == 7 * 4);
const _: () = assert!(size_of::<tyr_decide_context>() == 4);
