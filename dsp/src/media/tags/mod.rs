//! What is written into a file beside its sound.
//!
//! [`Tags::of`] turns a session's metadata and the measured figures into one ordered list of fields; each container then
//! takes from it the fields that it has names for: `vorbis` (FLAC, Ogg), `id3` (MP3, AIFF, WAVE), `plain`
//! (what WAVE and AIFF had before ID3). `docs/files.md` lists
//! all names with their sources.
//!
//! The gain is known only when the last sample is measured, so a writer asks twice. Where tags stand before the sound, it
//! reserves at [`super::FileWriter::create`] what tags made with [`ReplayGain::WIDEST`] take, and at `finish` writes the
//! true ones there, padded to that length (FLAC: a PADDING block, ID3: zeros behind the last frame). Where padding has no
//! place, as in Ogg, it keeps the sound aside until then; where tags stand behind the sound, it asks once.
//!
//! Written here and not by a library: those there are (lofty, id3) change whole files in place, reading them into memory,
//! know no RF64, and choose padding and order themselves, which are part of the bytes that we promise.

pub(in crate::media) mod id3;
pub(in crate::media) mod plain;
mod replay_gain;
pub(in crate::media) mod vorbis;

pub use replay_gain::ReplayGain;

use crate::session::document::Metadata;

/// The program, in the words of every container. Without a version: a new release must not change the bytes of an old master.
pub(in crate::media) const ENCODER: &str = "Mixdown";

/// A field of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Title of the track.
    Title,
    /// Its artist.
    Artist,
    /// Title of the album.
    Album,
    /// Artist of the album.
    AlbumArtist,
    /// Position on the disc.
    TrackNumber,
    /// Tracks on the disc.
    TrackTotal,
    /// Disc of the release.
    DiscNumber,
    /// Discs of the release.
    DiscTotal,
    /// Year of release.
    Year,
    /// Genre.
    Genre,
    /// Label.
    Label,
    /// Copyright notice.
    Copyright,
    /// Comment.
    Comment,
    /// International Standard Recording Code.
    Isrc,
    /// UPC or EAN.
    Barcode,
    /// The program that wrote the file.
    Encoder,
}

/// The tags of one file, in the order in which they are written.
#[derive(Debug, Clone, PartialEq)]
pub struct Tags {
    fields: Vec<(Field, String)>,
    /// The gain to play it at, where it is written.
    pub replay_gain: Option<ReplayGain>,
}

impl Tags {
    /// The tags of a file.
    #[must_use]
    pub fn of(metadata: &Metadata, replay_gain: Option<ReplayGain>) -> Self {
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        let fields = [
            (Field::Title, metadata.title.clone()),
            (Field::Artist, metadata.artist.clone()),
            (Field::Album, metadata.album.clone()),
            (Field::AlbumArtist, metadata.album_artist.clone()),
            (Field::TrackNumber, number(metadata.track_number)),
            (Field::TrackTotal, number(metadata.track_total)),
            (Field::DiscNumber, number(metadata.disc_number)),
            (Field::DiscTotal, number(metadata.disc_total)),
            (Field::Year, number(metadata.year)),
            (Field::Genre, metadata.genre.clone()),
            (Field::Label, metadata.label.clone()),
            (Field::Copyright, metadata.copyright.clone()),
            (Field::Comment, metadata.comment.clone()),
            (Field::Isrc, metadata.isrc.clone()),
            (Field::Barcode, metadata.upc.clone()),
            (Field::Encoder, Some(ENCODER.to_owned())),
        ];
        let fields = fields.into_iter().filter_map(|(field, text)| Some((field, text?))).collect();
        Self { fields, replay_gain }
    }

    /// The fields that are there.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &str)> {
        self.fields.iter().map(|(field, text)| (*field, text.as_str()))
    }

    /// The text of a field.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&str> {
        self.iter().find(|(found, _)| *found == field).map(|(_, text)| text)
    }

    /// A number with its total, `3/12`, as ID3 and RIFF write it; the number alone where there is no total.
    pub(in crate::media) fn of_total(&self, number: Field, total: Field) -> Option<String> {
        let number = self.get(number)?;
        Some(self.get(total).map_or_else(|| number.to_owned(), |total| format!("{number}/{total}")))
    }
}
