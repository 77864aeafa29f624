//! The named numbers of `bpf/include/image.h` and `bpf/include/event.h`.

#![allow(
    missing_docs,
    dead_code,
    reason = "generated; the headers explain them"
)]

include!(concat!(env!("OUT_DIR"), "/abi.rs"));
