//! What libbpf-cargo makes of `bpf/enforce.bpf.c`: its types in Rust. `build` has the object.

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
    include!(concat!(env!("OUT_DIR"), "/enforce.skel.rs"));
}

pub use generated::types::{
    tyr_config, tyr_event_header, tyr_link, tyr_link_key, tyr_operation, tyr_session, tyr_task,
};

// SAFETY: plain integers and arrays of them, `repr(C)`, every byte pattern is a value; the header
// asserts that there is no padding.
unsafe impl plain::Plain for tyr_config {}
// SAFETY: as above.
unsafe impl plain::Plain for tyr_session {}
// SAFETY: as above.
unsafe impl plain::Plain for tyr_task {}

// SAFETY: as above.
unsafe impl plain::Plain for tyr_link_key {}
// SAFETY: as above.
unsafe impl plain::Plain for tyr_link {}

// The headers assert the same sizes; a difference would be a fault of the generator.
const _: () = assert!(size_of::<tyr_event_header>() == 88);
const _: () = assert!(size_of::<tyr_operation>() == 160);
const _: () = assert!(size_of::<tyr_session>() == 56);
const _: () = assert!(size_of::<tyr_link_key>() == 24);
const _: () = assert!(size_of::<tyr_link>() == 272);
const _: () = assert!(size_of::<tyr_config>() == 32);
const _: () = assert!(size_of::<tyr_task>() == 328);
