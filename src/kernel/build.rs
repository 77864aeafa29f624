//! One version of the kernel programs: the object's bytes and the layout of its maps.

use std::borrow::Cow;

use super::abi;

/// Bytes that libbpf can read where they lie: ELF wants its headers aligned.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

static OWN: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/enforce.o")));

/// What is loaded: most often what this executable carries.
#[derive(Clone, Debug)]
pub struct Build {
    object: Cow<'static, [u8]>,
    layout: u32,
}

impl Build {
    /// The programs that this executable carries.
    pub fn own() -> Build {
        Build {
            object: Cow::Borrowed(&OWN.0),
            layout: abi::TYR_EVENT_ABI | abi::TYR_IMAGE_ABI << 16,
        }
    }

    /// Another version: its object, and the number of its layout.
    pub fn of(object: Vec<u8>, layout: u32) -> Build {
        Build {
            object: Cow::Owned(object),
            layout,
        }
    }

    /// The ELF object.
    pub fn object(&self) -> &[u8] {
        &self.object
    }

    /// Builds of the same layout can use each other's maps.
    pub fn layout(&self) -> u32 {
        self.layout
    }

    /// Names the build: an FNV-1a hash of its bytes.
    pub fn number(&self) -> u64 {
        let start = 0xcbf2_9ce4_8422_2325u64;
        self.object.iter().fold(start, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}
