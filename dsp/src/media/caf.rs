//! CAF whose audio was written into a pipe: its length says −1, "to the end of the file" (Apple, "Core Audio Format
//! Specification 1.0", Audio Data chunk). Symphonia 0.6 goes on to look for chunks within such audio; it gets to see the
//! length that is meant.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// Bytes of the file's own header, and of a chunk's.
const FILE_HEADER_BYTES: u64 = 8;
const CHUNK_HEADER_BYTES: u64 = 12;

/// A file, eight bytes of which are read as others.
struct Corrected {
    file: File,
    position: u64,
    at: u64,
    bytes: [u8; 8],
}

/// The file as symphonia can read it.
pub(super) fn source(mut file: File) -> io::Result<Box<dyn MediaSource>> {
    let file_bytes = file.metadata()?.len();
    let mut at = FILE_HEADER_BYTES;
    let open_length = loop {
        if at.saturating_add(CHUNK_HEADER_BYTES) > file_bytes {
            break None;
        }
        let mut header = [0; CHUNK_HEADER_BYTES as usize];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut header)?;
        let [name @ .., a, b, c, d, e, f, g, h] = header;
        match (&name, i64::from_be_bytes([a, b, c, d, e, f, g, h])) {
            (b"data", -1) => break Some(at + 4),
            // What is wrong with it, symphonia tells.
            (_, length) if length < 0 => break None,
            (_, length) => at = at.saturating_add(CHUNK_HEADER_BYTES).saturating_add(length.unsigned_abs()),
        }
    };
    file.seek(SeekFrom::Start(0))?;
    Ok(match open_length {
        Some(at) => Box::new(Corrected { file, position: 0, at, bytes: (file_bytes - at - 8).to_be_bytes() }),
        None => Box::new(file),
    })
}

impl Read for Corrected {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(buffer)?;
        for (byte, position) in self.bytes.iter().zip(self.at..) {
            let slot = position.checked_sub(self.position).and_then(|index| buffer[..got].get_mut(index as usize));
            slot.into_iter().for_each(|slot| *slot = *byte);
        }
        self.position += got as u64;
        Ok(got)
    }
}

impl Seek for Corrected {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}

impl MediaSource for Corrected {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        self.file.metadata().ok().map(|metadata| metadata.len())
    }
}
