//! Compiles what is not Rust: `proto/**` into gRPC code, every `bpf/*.bpf.c` into a skeleton.
//!
//! Results land in `OUT_DIR`: `tyr.v1.rs`; `NAME.o` and `NAME.skel.rs` for `bpf/NAME.bpf.c`; and
//! `abi.rs` with the named numbers of `bpf/include/image.h` and `bpf/include/event.h`.

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use libbpf_cargo::SkeletonBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    generate_messages(Path::new("proto"))?;
    generate_skeletons(Path::new("bpf"))?;
    generate_numbers(Path::new("bpf/include"))
}

fn generate_messages(root: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", root.display());
    let files = files_ending(&root.join("tyr/v1"), ".proto")?;
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .compile_protos(&files, &[root.to_path_buf()])?;
    Ok(())
}

fn generate_skeletons(root: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", root.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let arguments = clang_arguments(root)?;
    for source in files_ending(root, ".bpf.c")? {
        let file = source
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let name = file.trim_end_matches(".bpf.c");
        SkeletonBuilder::new()
            .source(&source)
            .obj(out.join(format!("{name}.o")))
            .clang_args(&arguments)
            .reference_obj(true)
            .build_and_generate(out.join(format!("{name}.skel.rs")))
            .map_err(|error| format!("{error:#}"))?;
    }
    Ok(())
}

/// Skeletons have the types of the shared headers and not their enumerators: lines that read
/// `NAME = number,`.
fn generate_numbers(include: &Path) -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    for header in ["event.h", "image.h"] {
        for line in fs::read_to_string(include.join(header))?.lines() {
            let Some((name, rest)) = line.trim().split_once(" = ") else {
                continue;
            };
            let Some((value, _)) = rest.split_once(',') else {
                continue;
            };
            if name.starts_with("TYR_") && name.bytes().all(is_name) {
                writeln!(text, "pub const {name}: u32 = {value};")?;
            }
        }
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("abi.rs"), text)?;
    Ok(())
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
}

/// The kernel's own headers include `asm/types.h`, which Debian keeps in a folder per
/// architecture that clang does not search for the `bpf` target.
fn clang_arguments(root: &Path) -> Result<Vec<OsString>, Box<dyn Error>> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH")?;
    let mut include = OsString::from("-I");
    include.push(root.join("include"));
    let multiarch = format!("-I/usr/include/{arch}-linux-gnu");
    let warnings = [
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused-function",
        "-Wno-unused-parameter",
        "-Wno-sign-compare",
    ];
    // BTF names the file of every line: the object must be the same wherever the tree lies.
    let mut prefix_map = OsString::from("-ffile-prefix-map=");
    prefix_map.push(env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?);
    prefix_map.push("=/tyr");
    let mut arguments = vec![include, multiarch.into(), prefix_map];
    arguments.extend(warnings.map(OsString::from));
    Ok(arguments)
}

fn files_ending(folder: &Path, suffix: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry?.path();
        if path.to_str().is_some_and(|text| text.ends_with(suffix)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
