//! Comments of Vorbis: in FLAC (RFC 9639 §8.6), Ogg Vorbis and Opus (RFC 7845 §5.2).
//!
//! Names are those of the Vorbis comment recommendation (Xiph.Org) and, beyond it, those that players and taggers agree
//! on (MusicBrainz Picard, foobar2000).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{ENCODER, Field, Tags};
use crate::media::picture::Picture;
use crate::session::document::PictureFormat;

/// How the gain is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum Gain {
    /// REPLAYGAIN_TRACK_GAIN and REPLAYGAIN_TRACK_PEAK.
    ReplayGain,
    /// R128_TRACK_GAIN, the one that Opus has (RFC 7845 §5.2.1).
    R128,
}

fn name(field: Field) -> &'static str {
    match field {
        Field::Title => "TITLE",
        Field::Artist => "ARTIST",
        Field::Album => "ALBUM",
        Field::AlbumArtist => "ALBUMARTIST",
        Field::TrackNumber => "TRACKNUMBER",
        Field::TrackTotal => "TRACKTOTAL",
        Field::DiscNumber => "DISCNUMBER",
        Field::DiscTotal => "DISCTOTAL",
        Field::Year => "DATE",
        Field::Genre => "GENRE",
        Field::Label => "LABEL",
        Field::Copyright => "COPYRIGHT",
        Field::Comment => "COMMENT",
        Field::Isrc => "ISRC",
        Field::Barcode => "BARCODE",
        Field::Encoder => "ENCODER",
    }
}

/// The fields as `NAME=text`. `more` are those that tags do not have, such as a picture.
pub(in crate::media) fn fields(tags: &Tags, gain: Gain, more: &[String]) -> Vec<String> {
    let mut fields: Vec<String> = tags.iter().map(|(field, text)| format!("{}={text}", name(field))).collect();
    if let Some(replay_gain) = tags.replay_gain {
        match gain {
            Gain::ReplayGain => fields.extend([
                format!("REPLAYGAIN_TRACK_GAIN={}", replay_gain.gain_text()),
                format!("REPLAYGAIN_TRACK_PEAK={}", replay_gain.peak_text()),
            ]),
            Gain::R128 => fields.push(format!("R128_TRACK_GAIN={}", replay_gain.r128())),
        }
    }
    fields.extend_from_slice(more);
    fields
}

/// The comments: vendor, count and `NAME=text` each, little-endian lengths before UTF-8 text; without framing bit and
/// without the mark that Ogg packets begin with.
pub(in crate::media) fn comments(fields: &[String]) -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let count = (fields.len() as u32).to_le_bytes();
    let texts: Vec<u8> = fields.iter().flat_map(|field| text(field)).collect();
    [&text(ENCODER)[..], &count, &texts].concat()
}

/// The body of a PICTURE block (RFC 9639 §8.8); in Ogg the same bytes stand in base64 under METADATA_BLOCK_PICTURE.
pub(in crate::media) fn picture(picture: &Picture) -> Vec<u8> {
    /// The front cover, of the picture types of ID3v2.
    const FRONT_COVER: u32 = 3;
    let word = |value: usize| (value as u32).to_be_bytes();
    let media_type = picture.media_type().as_bytes();
    // A compressed colour has no depth of its own in JPEG; 24 bits are what everyone writes for it.
    let depth = if picture.format == PictureFormat::Jpeg { 24 } else { picture.bits_per_pixel };
    let size = [picture.width, picture.height, depth, picture.palette_colours].map(u32::to_be_bytes);
    let description = word(0);
    let data = word(picture.bytes.len());
    let head = [&FRONT_COVER.to_be_bytes()[..], &word(media_type.len()), media_type, &description].concat();
    [&head[..], size.as_flattened(), &data, &picture.bytes].concat()
}

/// A picture as a field of comments in Ogg.
pub(in crate::media) fn picture_comment(cover: &Picture) -> String {
    format!("METADATA_BLOCK_PICTURE={}", BASE64_STANDARD.encode(picture(cover)))
}
