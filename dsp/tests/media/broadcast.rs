//! Broadcast wave: the chunks beside the audio, byte by byte where EBU Tech 3285 puts them, and by ffmpeg.

use mixdown_dsp::loudness::Measurement;
use mixdown_dsp::media::{BroadcastSpec, FileSpec, coding_history};
use mixdown_dsp::session::document::{Broadcast, Depth, Format, Metadata};

use crate::tags::{ffprobe_tags, measured, metadata, write};
use crate::tools::{spec as plain, tones};

/// What a studio says.
pub fn spec() -> BroadcastSpec {
    let text = |text: &str| Some(text.to_owned());
    let said = Broadcast {
        description: text("Final mix of the crossing"),
        originator: text("Harbour Studio"),
        originator_reference: text("PTHARBOUR0001"),
        origination_date: text("2026-11-24"),
        origination_time: text("14:30:05"),
        project: text("Crossing & <Co>"),
        take: text("3"),
        ..Broadcast::default()
    };
    // 24 hours at 192 kHz need more than 32 bits.
    let time_reference_frames = 16_588_800_000;
    BroadcastSpec {
        said,
        time_reference_frames,
        coding_history: coding_history(96_000, 48_000, Depth::Int24, 2, "tpdf"),
    }
}

/// The chunks of a WAVE file: name, offset of the body, body.
pub fn chunks(bytes: &[u8]) -> Vec<(String, usize, Vec<u8>)> {
    let (mut at, mut chunks) = (12, Vec::new());
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        let name = String::from_utf8(bytes[at..at + 4].to_vec()).unwrap();
        chunks.push((name, at + 8, bytes[at + 8..at + 8 + length].to_vec()));
        at += 8 + length.next_multiple_of(2);
    }
    chunks
}

/// A broadcast wave file with `metadata`.
fn bwf_with(metadata: Metadata, measured: Option<&Measurement>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (path, samples) = (folder.path().join("a.wav"), tones(1_001, 48_000));
    let plain = plain(Format::Bwf, Depth::Int24, 2, 48_000, samples.len());
    let spec = FileSpec { metadata, broadcast: Some(spec()), ..plain };
    write(&path, &spec, &samples, measured);
    std::fs::read(&path).unwrap()
}

fn bwf(measured: Option<&Measurement>) -> Vec<u8> {
    bwf_with(metadata(), measured)
}

fn body(bytes: &[u8], name: &str) -> Vec<u8> {
    chunks(bytes).into_iter().find(|(found, ..)| found == name).unwrap().2
}

#[test]
fn bext_lies_as_tech_3285_lays_it_out() {
    let bytes = bwf(Some(&measured()));
    let names: Vec<String> = chunks(&bytes).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["JUNK", "bext", "fmt ", "data", "LIST", "id3 ", "iXML", "axml"]);
    let bext = body(&bytes, "bext");
    let text = |from: usize, bytes: usize| {
        let field = &bext[from..from + bytes];
        std::str::from_utf8(&field[..field.iter().position(|byte| *byte == 0).unwrap_or(bytes)]).unwrap()
    };
    assert_eq!(text(0, 256), "Final mix of the crossing");
    assert_eq!(text(256, 32), "Harbour Studio");
    assert_eq!(text(288, 32), "PTHARBOUR0001");
    assert_eq!(text(320, 10), "2026-11-24");
    assert_eq!(text(330, 8), "14:30:05");
    let word = |at: usize| u32::from_le_bytes(bext[at..at + 4].try_into().unwrap());
    // TimeReferenceLow, TimeReferenceHigh, Version.
    assert_eq!((u64::from(word(342)) << 32) + u64::from(word(338)), 16_588_800_000);
    assert_eq!(word(346) & 0xFFFF, 2);
    assert!(bext[348..412].iter().all(|byte| *byte == 0), "no UMID");
    let level = |at: usize| i16::from_le_bytes(bext[at..at + 2].try_into().unwrap());
    assert_eq!([412, 414, 416, 418, 420].map(level), [-1011, 500, -100, -750, -825]);
    assert!(bext[422..602].iter().all(|byte| *byte == 0), "reserved");
    let history = std::str::from_utf8(&bext[602..]).unwrap();
    assert_eq!(
        history,
        "A=PCM,F=96000,W=32,M=stereo,T=Mixdown;float render\r\nA=PCM,F=48000,W=24,M=stereo,T=Mixdown;dither tpdf\r\n"
    );
}

#[test]
fn what_was_not_measured_is_7fff_and_a_true_peak_is_rounded_up() {
    let silent = Measurement {
        integrated_lufs: None,
        loudness_range_lu: None,
        momentary_max_lufs: None,
        short_term_max_lufs: None,
        true_peak_dbtp: Some(-1.004_9),
        ..measured()
    };
    let levels = |measured: Option<&Measurement>| {
        let bext = body(&bwf(measured), "bext");
        [412, 414, 416, 418, 420].map(|at| i16::from_le_bytes(bext[at..at + 2].try_into().unwrap()))
    };
    assert_eq!(levels(Some(&silent)), [0x7FFF, 0x7FFF, -100, 0x7FFF, 0x7FFF]);
    assert_eq!(levels(None), [0x7FFF; 5]);
}

#[test]
fn ffmpeg_finds_what_bext_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    // Without tags: ffmpeg gives a comment of INFO the name that it has for the description.
    std::fs::write(&path, bwf_with(Metadata::default(), Some(&measured()))).unwrap();
    let tags = ffprobe_tags(&path);
    for tag in [
        "comment=Final mix of the crossing",
        "encoded_by=Harbour Studio",
        "originator_reference=PTHARBOUR0001",
        "date=2026-11-24",
        "creation_time=14:30:05",
        "time_reference=16588800000",
    ] {
        assert!(tags.contains(&format!("TAG:{tag}\n")), "`{tag}` is missing in:\n{tags}");
    }
}

#[test]
fn ixml_is_well_formed_and_tells_the_same() {
    let bytes = bwf(Some(&measured()));
    let ixml = String::from_utf8(body(&bytes, "iXML")).unwrap();
    for element in [
        "<PROJECT>Crossing &amp; &lt;Co&gt;</PROJECT>",
        "<TAKE>3</TAKE>",
        "<FILE_SAMPLE_RATE>48000</FILE_SAMPLE_RATE>",
        "<AUDIO_BIT_DEPTH>24</AUDIO_BIT_DEPTH>",
        "<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>3</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>",
        "<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>3703898112</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>",
        "<TRACK_COUNT>2</TRACK_COUNT>",
        "<BWF_ORIGINATION_DATE>2026-11-24</BWF_ORIGINATION_DATE>",
        "<BWF_MAX_TRUE_PEAK_LEVEL>-100</BWF_MAX_TRUE_PEAK_LEVEL>",
    ] {
        assert!(ixml.contains(element), "{element} is missing in:\n{ixml}");
    }
    for xml in [ixml, String::from_utf8(body(&bytes, "axml")).unwrap()] {
        let mut open = Vec::new();
        for tag in xml.split('<').skip(2).filter_map(|rest| rest.split(['>', ' ', '\n']).next()) {
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{xml}"),
                None => open.push(tag),
            }
        }
        assert!(open.is_empty(), "{open:?} in {xml}");
    }
}
