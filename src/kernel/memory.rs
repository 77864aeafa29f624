//! What the C library's allocator keeps for itself.
//!
//! Reading policies and compiling them takes many times what the daemon needs at rest. glibc keeps
//! freed memory, in one arena for each thread, unless it is told otherwise.

/// At most this many arenas: few threads allocate at the same time.
const ARENAS_MAX: libc::c_int = 2;
/// An allocation of this many bytes or more goes back to the kernel when it is freed. Without a
/// fixed number glibc raises it, and large tables stay in the heap.
const OWN_MAPPING_BYTES: libc::c_int = 128 << 10;

/// Sets bounds. To be called before other threads start.
pub fn keep_little() {
    // SAFETY: numbers only; the allocator takes its own locks. It refuses what it does not know,
    // which changes nothing.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS_MAX);
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
    }
}

/// Gives what is free back to the kernel.
pub fn give_back() {
    // SAFETY: takes no memory of ours; the allocator takes its own locks.
    unsafe { libc::malloc_trim(0) };
}
