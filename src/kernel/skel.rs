//! What libbpf-cargo makes of `bpf/enforce.bpf.c`: the object's bytes, and its types in Rust.

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

pub(crate) use generated::EnforceSkelBuilder;
pub use generated::types::{tyr_config, tyr_event_header, tyr_operation, tyr_session, tyr_task};

// SAFETY: plain integers and arrays of them, `repr(C)`, every byte pattern is a value; the header
// asserts that there is no padding.
unsafe impl plain::Plain for tyr_config {}
// SAFETY: as above.
unsafe impl plain::Plain for tyr_session {}
// SAFETY: as above.
unsafe impl plain::Plain for tyr_task {}

// The headers assert the same sizes; a difference would be a fault of the generator.
const _: () = assert!(size_of::<tyr_event_header>() == 88);
const _: () = assert!(size_of::<tyr_operation>() == 160);
const _: () = assert!(size_of::<tyr_session>() == 56);
const _: () = assert!(size_of::<tyr_config>() == 24);
const _: () = assert!(size_of::<tyr_task>() == 368);

/// Names the object that this executable carries: an FNV-1a hash over its programs.
pub(crate) fn fingerprint(object: &libbpf_rs::OpenObject) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut take = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for program in object.progs() {
        take(program.name().as_encoded_bytes());
        for step in program.insns() {
            take(&[step.code, step.dst_reg(), step.src_reg()]);
            take(&step.off.to_ne_bytes());
            take(&step.imm.to_ne_bytes());
        }
    }
    hash
}
