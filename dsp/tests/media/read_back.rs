//! Every container with every tag, read back by mutagen, Python's struct and its parser of XML.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mixdown_dsp::digest::Digest;
use mixdown_dsp::media::tags::ReplayGain;
use mixdown_dsp::media::{FileSpec, Picture};
use mixdown_dsp::session::document::{Depth, Format};
use serde_json::{Value, json};

use crate::tags::{cover, measured, metadata, write};
use crate::tools::{spec, tones};
use crate::{broadcast, lossy};

/// What `tests/read_back.py` finds in a file.
pub fn read_back(path: &Path) -> Value {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let script = format!("{root}/tests/read_back.py");
    let found = crate::tools::run(&format!("{root}/.cache/python/bin/python"), &[&script, path.to_str().unwrap()]);
    serde_json::from_slice(&found).unwrap()
}

/// Every field of ID3v2.4, and no other.
fn id3() -> Value {
    json!({
        "TIT2": ["Überfahrt"], "TPE1": ["The Band"], "TALB": ["Album = One"], "TPE2": ["Various Artists"],
        "TRCK": ["7/12"], "TPOS": ["1/2"], "TDRC": ["2026"], "TCON": ["Fado"], "TPUB": ["Étoile"],
        "TCOP": ["2026 Étoile"], "COMM::und": ["第二版"], "TSRC": ["USS1Z9900001"],
        "TXXX:BARCODE": ["036000291452"], "TSSE": ["Mixdown"],
        "TXXX:REPLAYGAIN_TRACK_GAIN": ["-7.89 dB"], "TXXX:REPLAYGAIN_TRACK_PEAK": ["0.891251"],
    })
}

/// Every comment of Vorbis, and no other.
fn comments(format: Format) -> Value {
    let mut comments = json!({
        "TITLE": ["Überfahrt"], "ARTIST": ["The Band"], "ALBUM": ["Album = One"], "ALBUMARTIST": ["Various Artists"],
        "TRACKNUMBER": ["7"], "TRACKTOTAL": ["12"], "DISCNUMBER": ["1"], "DISCTOTAL": ["2"], "DATE": ["2026"],
        "GENRE": ["Fado"], "LABEL": ["Étoile"], "COPYRIGHT": ["2026 Étoile"], "COMMENT": ["第二版"],
        "ISRC": ["USS1Z9900001"], "BARCODE": ["036000291452"], "ENCODER": ["Mixdown"],
    });
    if format == Format::Opus {
        // 256 · (−23 + 10.11) dB.
        comments["R128_TRACK_GAIN"] = json!(["-3300"]);
    } else {
        comments["REPLAYGAIN_TRACK_GAIN"] = json!(["-7.89 dB"]);
        comments["REPLAYGAIN_TRACK_PEAK"] = json!(["0.891251"]);
    }
    comments
}

/// A file of this format with everything in it.
fn full(folder: &Path, format: Format, cover: &Arc<Picture>) -> PathBuf {
    let (path, samples) = (folder.join(format!("full.{}", format.extension())), tones(20_000, 48_000));
    if format.is_lossy() {
        lossy::write_full(&path, format, &samples, ReplayGain::of(&measured()), cover);
        return path;
    }
    let spec = FileSpec {
        metadata: metadata(),
        cover: Some(Arc::clone(cover)),
        replay_gain: true,
        broadcast: (format == Format::Bwf).then(broadcast::spec),
        ..spec(format, Depth::Int24, 2, 48_000, samples.len())
    };
    write(&path, &spec, &samples, Some(&measured()));
    path
}

#[test]
fn mutagen_finds_every_tag_and_the_cover_in_every_container_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let formats = [Format::Wav, Format::Bwf, Format::Aiff, Format::Flac, Format::Mp3, Format::Opus, Format::Vorbis];
    for name in ["cover.jpg", "cover.png"] {
        let cover = cover(folder.path(), name);
        for format in formats.into_iter().filter(|format| format.why_not_written().is_none()) {
            let found = read_back(&full(folder.path(), format, &cover));
            let (kind, tags) = match format {
                Format::Wav | Format::Bwf => ("WAVE", id3()),
                Format::Aiff => ("AIFF", id3()),
                Format::Mp3 => ("MP3", id3()),
                Format::Flac => ("FLAC", comments(format)),
                Format::Opus => ("OggOpus", comments(format)),
                _ => ("OggVorbis", comments(format)),
            };
            assert_eq!((&found["kind"], &found["tags"]), (&json!(kind), &tags), "{format:?}");
            // A front cover is picture 3 of ID3v2.4 §4.14.
            let digest = Digest::of(&cover.bytes).to_string();
            assert_eq!(found["covers"], json!({ cover.media_type(): [3, digest] }), "{format:?}");
            let seconds = found["seconds"].as_f64().unwrap();
            assert!((seconds - 20_000.0 / 48_000.0).abs() < 0.06, "{format:?}: {seconds} s");
        }
    }
}

#[test]
fn bext_and_ixml_say_by_readers_of_others_what_was_said_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    let found = read_back(&full(folder.path(), Format::Bwf, &cover(folder.path(), "cover.png")));
    let history = "A=PCM,F=96000,W=32,M=stereo,T=Mixdown;float render\r\n\
                   A=PCM,F=48000,W=24,M=stereo,T=Mixdown;dither tpdf\r\n";
    let bext = json!({
        "description": "Final mix of the crossing", "originator": "Harbour Studio",
        "originator_reference": "PTHARBOUR0001", "origination_date": "2026-11-24", "origination_time": "14:30:05",
        "time_reference": 16_588_800_000_u64, "version": 2, "loudness_value": -1011, "loudness_range": 500,
        "max_true_peak": -100, "max_momentary": -750, "max_short_term": -825, "reserved_is_zero": true,
        "coding_history": history,
    });
    assert_eq!(found["bext"], bext);
    let ixml = json!({
        "IXML_VERSION": ["2.10"], "PROJECT": ["Crossing & <Co>"], "TAKE": ["3"],
        "SPEED/FILE_SAMPLE_RATE": ["48000"], "SPEED/AUDIO_BIT_DEPTH": ["24"], "SPEED/DIGITIZER_SAMPLE_RATE": ["48000"],
        "SPEED/TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI": ["3"],
        "SPEED/TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO": ["3703898112"], "SPEED/TIMESTAMP_SAMPLE_RATE": ["48000"],
        "TRACK_LIST/TRACK_COUNT": ["2"], "TRACK_LIST/TRACK/CHANNEL_INDEX": ["1", "2"],
        "TRACK_LIST/TRACK/INTERLEAVE_INDEX": ["1", "2"], "TRACK_LIST/TRACK/NAME": ["L", "R"],
        "BEXT/BWF_DESCRIPTION": ["Final mix of the crossing"], "BEXT/BWF_ORIGINATOR": ["Harbour Studio"],
        "BEXT/BWF_ORIGINATOR_REFERENCE": ["PTHARBOUR0001"], "BEXT/BWF_ORIGINATION_DATE": ["2026-11-24"],
        "BEXT/BWF_ORIGINATION_TIME": ["14:30:05"], "BEXT/BWF_TIME_REFERENCE_LOW": ["3703898112"],
        "BEXT/BWF_TIME_REFERENCE_HIGH": ["3"], "BEXT/BWF_VERSION": ["2.0"],
        // XML ends a line by a line feed alone (XML 1.0 §2.11).
        "BEXT/BWF_CODING_HISTORY": [history.replace("\r\n", "\n").trim_end()],
        "BEXT/BWF_LOUDNESS_VALUE": ["-1011"], "BEXT/BWF_LOUDNESS_RANGE": ["500"],
        "BEXT/BWF_MAX_TRUE_PEAK_LEVEL": ["-100"], "BEXT/BWF_MAX_MOMENTARY_LOUDNESS": ["-750"],
        "BEXT/BWF_MAX_SHORT_TERM_LOUDNESS": ["-825"],
    });
    assert_eq!(found["ixml"], ixml);
    let identifier =
        "coreMetadata/{urn:ebu:metadata-schema:ebuCore_2012}identifier/{http://purl.org/dc/elements/1.1/}identifier";
    assert_eq!(
        found["axml"],
        json!({ format!("{{urn:ebu:metadata-schema:ebuCore_2012}}{identifier}"): ["ISRC:USS1Z9900001"] })
    );
}
