//! The wire between clients, coordinators and workers: what is generated from `proto/mixdown/v1/*.proto`, and where things
//! lie in the store that both sides read and write.

#![forbid(unsafe_code)]

pub mod layout;

/// Version 1 of the protocol.
#[allow(missing_docs, unused_qualifications, clippy::all)]
pub mod v1 {
    tonic::include_proto!("mixdown.v1");

    /// The compiled descriptors, for server reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mixdown.v1.bin"));
}

/// The largest message that crosses the wire: a session document of 16 MiB and its envelope.
pub const MAX_MESSAGE_BYTES: usize = 17 * 1024 * 1024;

/// The largest message with the reports of a job's files: 1024 of them, at most 256 KiB each.
pub const MAX_REPORTS_BYTES: usize = MAX_MESSAGE_BYTES + 1024 * 256 * 1024;

/// The largest part of an upload or download.
pub const MAX_PART_BYTES: usize = 1024 * 1024;
