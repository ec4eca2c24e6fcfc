//! Says where the boards have their memory.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    // The microbit's nRF51822, or the mps2-an385 and an386.
    let (flash, ram) = if env::var_os("CARGO_FEATURE_MICROBIT").is_some() { ("256K", "16K") } else { ("4M", "4M") };
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    let memory = format!(
        "MEMORY {{ FLASH : ORIGIN = 0x00000000, LENGTH = {flash} RAM : ORIGIN = 0x20000000, LENGTH = {ram} }}\n"
    );
    fs::write(out.join("memory.x"), memory).unwrap();
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg=-Tlink.x");
    println!("cargo::rerun-if-changed=build.rs");
}
