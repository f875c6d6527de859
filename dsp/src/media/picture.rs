//! Cover pictures: PNG and JPEG, read as far as their size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::decode::{Fault, MediaError};
use crate::digest::Digest;
use crate::session::document::{PictureFacts, PictureFormat};

/// The greatest picture: the length of a FLAC block has 24 bits, and counts more than the picture.
pub const MAX_PICTURE_BYTES: u64 = 16_000_000;

/// A picture with what its header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The file's bytes, at most [`MAX_PICTURE_BYTES`].
    pub bytes: Vec<u8>,
    /// How it is stored.
    pub format: PictureFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bits of a pixel; 24 for plain colours.
    pub bits_per_pixel: u32,
    /// Colours of a palette; 0 without one.
    pub palette_colours: u32,
}

impl Picture {
    /// Reads a picture.
    ///
    /// # Errors
    /// `empty`, `too_large`, `not_a_picture`, `corrupt` and `truncated`; see [`MediaError`].
    pub fn read(path: &Path) -> Result<Self, MediaError> {
        read_bytes(path).and_then(Self::parse).map_err(|fault| fault.of(path))
    }

    /// What a session knows of it.
    #[must_use]
    pub fn facts(&self) -> PictureFacts {
        PictureFacts {
            digest: Digest::of(&self.bytes),
            size_bytes: self.bytes.len() as u64,
            format: self.format,
            width: self.width,
            height: self.height,
        }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        match self.format {
            PictureFormat::Jpeg => "image/jpeg",
            PictureFormat::Png => "image/png",
        }
    }

    fn parse(bytes: Vec<u8>) -> Result<Self, Fault> {
        if bytes.starts_with(PNG_SIGNATURE) {
            parse_png(bytes)
        } else if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
            parse_jpeg(bytes)
        } else {
            Err(Fault::new("not_a_picture", "it begins as neither a PNG nor a JPEG does"))
        }
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Fault> {
    let mut file = File::open(path)?;
    let size_bytes = file.metadata()?.len();
    if size_bytes > MAX_PICTURE_BYTES {
        let message = format!("it has {size_bytes} bytes: at most {MAX_PICTURE_BYTES} fit into every container");
        return Err(Fault::new("too_large", message));
    }
    let mut bytes = Vec::with_capacity(size_bytes as usize);
    match file.by_ref().take(MAX_PICTURE_BYTES).read_to_end(&mut bytes)? {
        0 => Err(Fault::new("empty", "it holds nothing")),
        _ => Ok(bytes),
    }
}

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn cut() -> Fault {
    Fault::new("truncated", "it ends before its last byte")
}

/// The chunks of ISO/IEC 15948 §5.3: IHDR first, IEND last; their checksums are left to those who show the picture.
fn parse_png(bytes: Vec<u8>) -> Result<Picture, Fault> {
    let (mut at, mut header, mut palette_colours) = (PNG_SIGNATURE.len(), None, 0);
    loop {
        let length = u32_at(&bytes, at).ok_or_else(cut)? as usize;
        let kind = bytes.get(at + 4..at + 8).ok_or_else(cut)?;
        let body = bytes.get(at + 8..(at + 8).saturating_add(length)).ok_or_else(cut)?;
        match kind {
            b"IHDR" => header = body.first_chunk::<13>().copied(),
            b"PLTE" => palette_colours = (length / 3) as u32,
            b"IEND" => break,
            _ => {}
        }
        at += 12 + length;
    }
    let Some([a, b, c, d, e, f, g, h, depth, colour, ..]) = header else {
        return Err(Fault::new("corrupt", "it has no IHDR chunk of 13 bytes"));
    };
    let (width, height) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    // §11.2.2: grey, colours, palette, grey with alpha, colours with alpha.
    let samples = match colour {
        0 | 3 => 1,
        2 => 3,
        4 => 2,
        6 => 4,
        _ => return Err(Fault::new("corrupt", format!("its colour type is {colour}: expected 0, 2, 3, 4 or 6"))),
    };
    let palette_colours = if colour == 3 { palette_colours } else { 0 };
    let bits_per_pixel = samples * u32::from(depth);
    sized(Picture { bytes, format: PictureFormat::Png, width, height, bits_per_pixel, palette_colours })
}

/// The segments of ITU-T T.81 Annex B up to the frame header, and the mark at the end.
fn parse_jpeg(bytes: Vec<u8>) -> Result<Picture, Fault> {
    let mut at = 2;
    let (height, width, bits_per_pixel) = loop {
        let [0xFF, marker] = bytes.get(at..at + 2).ok_or_else(cut)? else {
            return Err(Fault::new("corrupt", format!("no marker at byte {at}")));
        };
        match marker {
            // A fill byte, and markers that stand alone.
            0xFF => at += 1,
            0x01 | 0xD0..=0xD7 => at += 2,
            // Start of frame, whatever the process; C4, C8 and CC are none.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                let size = (u16_at(&bytes, at + 5), u16_at(&bytes, at + 7));
                let (Some(height), Some(width), Some(precision), Some(components)) =
                    (size.0, size.1, bytes.get(at + 4), bytes.get(at + 9))
                else {
                    return Err(cut());
                };
                break (height, width, u32::from(*precision) * u32::from(*components));
            }
            0xD9 | 0xDA => return Err(Fault::new("corrupt", "no frame header before its picture")),
            _ => match usize::from(u16_at(&bytes, at + 2).ok_or_else(cut)?) {
                0 | 1 => return Err(Fault::new("corrupt", format!("the segment at byte {at} has no length"))),
                length => at += 2 + length,
            },
        }
    };
    // Cameras and editors leave bytes behind the end of the image.
    if !bytes[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]) {
        return Err(cut());
    }
    let (width, height) = (width.into(), height.into());
    sized(Picture { bytes, format: PictureFormat::Jpeg, width, height, bits_per_pixel, palette_colours: 0 })
}

fn sized(picture: Picture) -> Result<Picture, Fault> {
    let Picture { width, height, .. } = picture;
    let size = 1..=u32::from(u16::MAX);
    if size.contains(&width) && size.contains(&height) {
        return Ok(picture);
    }
    Err(Fault::new("corrupt", format!("it is {width} by {height} pixels: expected 1 to {} each way", u16::MAX)))
}
