//! Where the static executable looks names up.
//!
//! The C library goes through the sources that `/etc/nsswitch.conf` lists, and loads a shared
//! library of the host for each one that it does not have inside. Into a static executable such a
//! library brings a C library of its own, of the host's version: two in one process, which share
//! what they must not. The file `/etc/hosts` and DNS are inside, and are all that the name of a
//! server needs, so the list is settled before anything is looked up. An executable that is linked
//! with the host's C library does as the host says.

/// Makes it so. To be called once, before there is a second thread.
#[cfg(target_feature = "crt-static")]
pub fn settle_sources() {
    unsafe extern "C" {
        /// Of the GNU C library (nss.h): both are copied.
        fn __nss_configure_lookup(
            database: *const libc::c_char,
            sources: *const libc::c_char,
        ) -> libc::c_int;
    }
    let databases = [
        (c"hosts", c"files dns"),
        (c"passwd", c"files"),
        (c"group", c"files"),
    ];
    for (database, sources) in databases {
        // SAFETY: both are strings that end in a zero and live for ever, and no other thread runs.
        let status = unsafe { __nss_configure_lookup(database.as_ptr(), sources.as_ptr()) };
        // It knows these databases, or it is another library than this was written for.
        assert_eq!(status, 0, "the C library does not take {database:?}");
    }
}

/// Nothing: the host's C library does as the host says.
#[cfg(not(target_feature = "crt-static"))]
pub fn settle_sources() {}
