//! The text chunks that containers had before ID3: RIFF's INFO list and those of AIFF. They know few fields and no
//! encoding; UTF-8 is what today's readers take them for.

use super::{Field, Tags};

/// The fields that a LIST chunk of type INFO has (Microsoft, "Multimedia Programming Interface and Data Specifications 1.0",
/// chapter 2; ITRK is younger). Its ISRC means another thing there: a source.
pub(in crate::media) fn info_fields(tags: &Tags) -> Vec<(&'static [u8; 4], String)> {
    let name = |field: Field| match field {
        Field::Title => Some(b"INAM"),
        Field::Artist => Some(b"IART"),
        Field::Album => Some(b"IPRD"),
        Field::TrackNumber => Some(b"ITRK"),
        Field::Year => Some(b"ICRD"),
        Field::Genre => Some(b"IGNR"),
        Field::Copyright => Some(b"ICOP"),
        Field::Comment => Some(b"ICMT"),
        Field::Encoder => Some(b"ISFT"),
        _ => None,
    };
    named(tags, name)
}

/// The text chunks of AIFF (Apple, "Audio Interchange File Format 1.3", Text Chunks).
pub(in crate::media) fn aiff_fields(tags: &Tags) -> Vec<(&'static [u8; 4], String)> {
    let name = |field: Field| match field {
        Field::Title => Some(b"NAME"),
        Field::Artist => Some(b"AUTH"),
        Field::Copyright => Some(b"(c) "),
        Field::Comment => Some(b"ANNO"),
        _ => None,
    };
    named(tags, name)
}

fn named(tags: &Tags, name: impl Fn(Field) -> Option<&'static [u8; 4]>) -> Vec<(&'static [u8; 4], String)> {
    tags.iter().filter_map(|(field, text)| Some((name(field)?, text.to_owned()))).collect()
}
