//! Our reader on a real ring buffer, filled by a program that the kernel runs for us.

#![allow(
    unsafe_code,
    reason = "libbpf-rs loads objects, and a program of eleven words is easier by hand"
)]

use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use libbpf_rs::libbpf_sys;
use libbpf_rs::{MapHandle, MapType};
use tyr::kernel::ringbuf::RingReader;

const SIZE: u32 = 4096;
/// Bytes that [`Filler::put`] writes; with its header, one record in the buffer.
const BODY: u64 = 24;
const RECORD: u64 = 8 + BODY;

/// `bpf_ringbuf_output(map, stack, 24, 0)`, by hand.
struct Filler {
    program: i32,
}

fn instruction(code: u32, dst: u8, src: u8, off: i16, imm: i32) -> libbpf_sys::bpf_insn {
    let mut instruction = libbpf_sys::bpf_insn {
        code: code as u8,
        off,
        imm,
        ..Default::default()
    };
    instruction.set_dst_reg(dst);
    instruction.set_src_reg(src);
    instruction
}

impl Filler {
    fn new(map: &MapHandle) -> Filler {
        use libbpf_sys::{BPF_ALU64, BPF_CALL, BPF_DW, BPF_EXIT, BPF_IMM, BPF_JMP, BPF_K, BPF_LD};
        use libbpf_sys::{BPF_MEM, BPF_MOV, BPF_ST, BPF_X};
        let mov = BPF_ALU64 | BPF_MOV;
        let store = BPF_ST | BPF_MEM | BPF_DW;
        let fd = map.as_fd().as_raw_fd();
        let program = [
            instruction(store, 10, 0, -24, 1),
            instruction(store, 10, 0, -16, 2),
            instruction(store, 10, 0, -8, 3),
            // Two words: the map's descriptor (BPF_PSEUDO_MAP_FD).
            instruction(BPF_LD | BPF_IMM | BPF_DW, 1, 1, 0, fd),
            instruction(0, 0, 0, 0, 0),
            instruction(mov | BPF_X, 2, 10, 0, 0),
            instruction(BPF_ALU64 | BPF_K, 2, 0, 0, -24),
            instruction(mov | BPF_K, 3, 0, 0, BODY as i32),
            instruction(mov | BPF_K, 4, 0, 0, 0),
            instruction(
                BPF_JMP | BPF_CALL,
                0,
                0,
                0,
                libbpf_sys::BPF_FUNC_ringbuf_output as i32,
            ),
            instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        ];
        // SAFETY: the arrays and names live through the call, and the counts are theirs.
        let program = unsafe {
            libbpf_sys::bpf_prog_load(
                libbpf_sys::BPF_PROG_TYPE_SCHED_CLS,
                c"fill".as_ptr(),
                c"GPL".as_ptr(),
                program.as_ptr(),
                program.len() as u64,
                std::ptr::null_mut(),
            )
        };
        assert!(
            program >= 0,
            "it is loaded: {}",
            std::io::Error::last_os_error()
        );
        Filler { program }
    }

    /// Writes one record; tells whether there was room.
    fn put(&self) -> bool {
        let packet = [0_u8; 64];
        let mut options = libbpf_sys::bpf_test_run_opts {
            sz: size_of::<libbpf_sys::bpf_test_run_opts>() as u64,
            data_in: packet.as_ptr().cast(),
            data_size_in: packet.len() as u32,
            ..Default::default()
        };
        // SAFETY: the options and the packet live through the call.
        let done = unsafe { libbpf_sys::bpf_prog_test_run_opts(self.program, &raw mut options) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
        options.retval == 0
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours and closed once.
        unsafe { libc::close(self.program) };
    }
}

fn ring() -> MapHandle {
    ring_of(SIZE)
}

fn ring_of(bytes: u32) -> MapHandle {
    let options = libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as u64,
        ..Default::default()
    };
    MapHandle::create(MapType::RingBuf, Some("ring"), 0, 0, bytes, &options).expect("a ring buffer")
}

/// Walks to the end: positions after each record. The bodies are no records of ours.
fn walk(reader: &mut RingReader) -> Vec<u64> {
    let mut positions = Vec::new();
    while let Some((position, record)) = reader.next() {
        record.expect_err("24 bytes are no record");
        positions.push(position);
    }
    positions
}

#[test]
fn what_was_not_given_back_is_walked_again_by_the_next_reader() {
    let map = ring();
    let filler = Filler::new(&map);
    let mut reader = RingReader::of_map(&map).expect("it is mapped");
    assert_eq!(reader.size(), u64::from(SIZE));
    for _ in 0..5 {
        assert!(filler.put());
    }
    let all: Vec<u64> = (1..=5).map(|n| n * RECORD).collect();
    assert_eq!(walk(&mut reader), all);
    assert_eq!(reader.pending_bytes(), 5 * RECORD);
    reader.commit(3 * RECORD);
    assert_eq!(reader.pending_bytes(), 2 * RECORD);
    drop(reader);

    let mut reader = RingReader::of_map(&map).expect("it is mapped");
    assert_eq!(walk(&mut reader), all[3..]);
    // Behind: nothing. Ahead of the kernel: not believed.
    reader.commit(RECORD);
    reader.commit(100 * RECORD);
    assert_eq!(reader.pending_bytes(), 2 * RECORD);
    drop(reader);
    let mut reader = RingReader::of_map(&map).expect("it is mapped");
    reader.commit(5 * RECORD);
    assert!(walk(&mut reader).is_empty());
    assert_eq!(reader.pending_bytes(), 0);
}

#[test]
fn a_full_buffer_takes_no_more_until_something_is_given_back_and_wraps() {
    let map = ring();
    let filler = Filler::new(&map);
    let mut reader = RingReader::of_map(&map).expect("it is mapped");
    let (mut written, mut seen) = (0_u64, 0);
    for _ in 0..50 {
        while filler.put() {
            written += 1;
        }
        // The kernel never fills the last byte.
        assert!(reader.pending_bytes() + RECORD >= reader.size());
        let positions = walk(&mut reader);
        seen += positions.len() as u64;
        assert_eq!(seen, written);
        assert_eq!(positions.last().copied(), Some(written * RECORD));
        assert!(!filler.put(), "walking gives nothing back");
        reader.commit(written * RECORD);
        assert_eq!(reader.pending_bytes(), 0);
    }
    assert!(written > 50 * 100);
}

/// The daemon maps a part of the data at a time: no place in a buffer of many parts is lost.
#[test]
fn a_large_buffer_is_walked_whole_and_little_of_it_is_mapped() {
    const LARGE: u32 = 4 << 20;
    let map = ring_of(LARGE);
    let filler = Filler::new(&map);
    let before = mapped_bytes();
    let mut reader = RingReader::of_map(&map).expect("it is mapped");
    let (mut written, mut seen) = (0_u64, 0);
    for _ in 0..3 {
        while filler.put() {
            written += 1;
        }
        let positions = walk(&mut reader);
        seen += positions.len() as u64;
        assert_eq!(seen, written);
        assert_eq!(positions.last().copied(), Some(written * RECORD));
        reader.commit(written * RECORD);
    }
    assert!(written * RECORD > 2 * u64::from(LARGE));
    let after = mapped_bytes();
    assert!(after > 0 && after <= before + (512 << 10));
}

/// Bytes of ring buffers in this process.
fn mapped_bytes() -> u64 {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("maps");
    let ours = maps.lines().filter(|line| line.contains("bpf-map"));
    ours.map(|line| {
        let range = line.split_once(' ').expect("a range").0;
        let (start, end) = range.split_once('-').expect("a range");
        let number = |text| u64::from_str_radix(text, 16).expect("a number");
        number(end) - number(start)
    })
    .sum()
}

#[test]
fn a_wait_ends_when_a_record_comes() {
    let map = ring();
    let filler = Filler::new(&map);
    let mut reader = RingReader::of_map(&map).expect("it is mapped");
    assert!(
        !reader
            .wait(Duration::from_millis(20))
            .expect("it is polled")
    );
    for given_back in [false, true, false] {
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                assert!(filler.put());
            });
            assert!(reader.wait(Duration::from_secs(20)).expect("it is polled"));
        });
        assert!(start.elapsed() < Duration::from_secs(10));
        let position = walk(&mut reader)[0];
        if given_back {
            reader.commit(position);
        }
    }
}

#[test]
fn two_buffers_have_two_names() {
    let (one, two) = (ring(), ring());
    let name = |map| RingReader::of_map(map).expect("it is mapped").identity();
    assert_ne!(name(&one), name(&two));
    assert_eq!(name(&one), name(&one));
}
