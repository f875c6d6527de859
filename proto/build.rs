//! Compiles the .proto files; no protoc is needed.

use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["mixdown/v1/jobs.proto", "mixdown/v1/blobs.proto", "mixdown/v1/workers.proto"];
    println!("cargo:rerun-if-changed=mixdown");
    let descriptors = protox::compile(files, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("mixdown.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
