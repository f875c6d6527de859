//! ID3v2.4 (id3.org, "ID3 tag version 2.4.0", structure and native frames): before MP3, and in a chunk of AIFF and WAVE.

use super::{Field, Tags};
use crate::media::picture::Picture;

/// UTF-8, among the text encodings of §4.
const UTF_8: u8 = 3;
const HEADER_BYTES: usize = 10;

/// A number in bytes of 7 bits, §6.2.
fn synchsafe(value: usize) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| (value >> shift) as u8 & 0x7F)
}

fn frame(id: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), &synchsafe(body.len()), &[0, 0], body].concat()
}

fn text_frame(id: &str, text: &str) -> Vec<u8> {
    frame(id, &[&[UTF_8], text.as_bytes()].concat())
}

/// A field that has no frame of its own: its name, then its text.
fn user_frame(name: &str, text: &str) -> Vec<u8> {
    frame("TXXX", &[&[UTF_8], name.as_bytes(), &[0], text.as_bytes()].concat())
}

fn field_frame(tags: &Tags, field: Field, text: &str) -> Option<Vec<u8>> {
    let of_total = |id: &str, total: Field| Some(text_frame(id, &tags.of_total(field, total)?));
    match field {
        Field::Title => Some(text_frame("TIT2", text)),
        Field::Artist => Some(text_frame("TPE1", text)),
        Field::Album => Some(text_frame("TALB", text)),
        Field::AlbumArtist => Some(text_frame("TPE2", text)),
        Field::TrackNumber => of_total("TRCK", Field::TrackTotal),
        Field::DiscNumber => of_total("TPOS", Field::DiscTotal),
        Field::TrackTotal | Field::DiscTotal => None,
        Field::Year => Some(text_frame("TDRC", text)),
        Field::Genre => Some(text_frame("TCON", text)),
        Field::Label => Some(text_frame("TPUB", text)),
        Field::Copyright => Some(text_frame("TCOP", text)),
        // The language is unknown (ISO 639-2), the description empty.
        Field::Comment => Some(frame("COMM", &[&[UTF_8], &b"und\0"[..], text.as_bytes()].concat())),
        Field::Isrc => Some(text_frame("TSRC", text)),
        Field::Barcode => Some(user_frame("BARCODE", text)),
        Field::Encoder => Some(text_frame("TSSE", text)),
    }
}

fn picture_frame(picture: &Picture) -> Vec<u8> {
    /// The front cover, §4.14.
    const FRONT_COVER: u8 = 3;
    let head = [&[UTF_8], picture.media_type().as_bytes(), &[0, FRONT_COVER, 0]].concat();
    frame("APIC", &[&head, &picture.bytes[..]].concat())
}

/// A whole tag, filled up with zeros to `at_least_bytes` (0 for none).
pub(in crate::media) fn tag(tags: &Tags, cover: Option<&Picture>, at_least_bytes: usize) -> Vec<u8> {
    let mut frames: Vec<u8> =
        tags.iter().filter_map(|(field, text)| field_frame(tags, field, text)).flatten().collect();
    if let Some(gain) = tags.replay_gain {
        frames.extend(user_frame("REPLAYGAIN_TRACK_GAIN", &gain.gain_text()));
        frames.extend(user_frame("REPLAYGAIN_TRACK_PEAK", &gain.peak_text()));
    }
    frames.extend(cover.map(picture_frame).unwrap_or_default());
    frames.resize(frames.len().max(at_least_bytes.saturating_sub(HEADER_BYTES)), 0);
    [&b"ID3\x04\0\0"[..], &synchsafe(frames.len()), &frames].concat()
}
