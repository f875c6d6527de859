//! Lossy files, read back by the decoders of their formats.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::media::tags::{ReplayGain, Tags};
use mixdown_dsp::media::{LossySpec, LossyWriter, Picture, probe, verify};
use mixdown_dsp::session::document::{Format, Metadata, SAMPLE_RATES_HZ};
use mixdown_dsp::session::lossy::{BitRate, MP3_KBPS};
use mixdown_dsp::units::db_from_gain;

use crate::gapless::reference;
use crate::tags::{cover, metadata};
use crate::tools::{decode, ffmpeg, ffmpeg_decode, floats, lag, make_file, run, sweep, tones};

/// One way to encode, and the least signal-to-noise ratio in dB that a sweep comes out of it with.
struct Way {
    format: Format,
    bit_rate: BitRate,
    least_snr_db: f64,
}

const fn way(format: Format, bit_rate: BitRate, least_snr_db: f64) -> Way {
    Way { format, bit_rate, least_snr_db }
}

fn ways() -> Vec<Way> {
    let quality = |quality| BitRate::Quality { quality };
    let mut ways = vec![
        way(Format::Opus, BitRate::Variable { kbps: 64 }, 12.0),
        way(Format::Opus, BitRate::Variable { kbps: 128 }, 20.0),
        way(Format::Opus, BitRate::Variable { kbps: 256 }, 30.0),
        way(Format::Opus, BitRate::Variable { kbps: 510 }, 40.0),
        way(Format::Opus, BitRate::Constant { kbps: 160 }, 20.0),
        way(Format::Vorbis, quality(-1.0), 4.0),
        way(Format::Vorbis, quality(3.0), 10.0),
        way(Format::Vorbis, quality(6.0), 15.0),
        way(Format::Vorbis, quality(10.0), 25.0),
    ];
    if Format::Mp3.why_not_written().is_none() {
        ways.extend(MP3_KBPS.map(|kbps| way(Format::Mp3, BitRate::Constant { kbps }, 10.0)));
        ways.extend([0.0, 2.0, 5.0, 9.0].map(|best| way(Format::Mp3, quality(best), 3.0)));
    }
    ways
}

fn spec(way: &Way, channels: usize, sample_rate_hz: u32, frames: usize) -> LossySpec {
    LossySpec {
        format: way.format,
        bit_rate: way.bit_rate,
        sample_rate_hz,
        channels,
        frames: frames as u64,
        tags: Tags::of(&Metadata::default(), None),
        cover: None,
    }
}

/// Writes interleaved samples in pieces of so many frames.
fn write(path: &Path, spec: &LossySpec, samples: &[f32], piece_frames: usize) {
    let mut writer = LossyWriter::create(path, spec).unwrap();
    for piece in samples.chunks(piece_frames * spec.channels) {
        let mut block = Buffer::new(spec.channels, piece.len() / spec.channels);
        for (index, channel) in block.iter_mut().enumerate() {
            let from = piece.iter().skip(index).step_by(spec.channels);
            channel.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
        writer.write(&block).unwrap();
    }
    writer.finish().unwrap();
}

/// Writes 24-bit stereo at 48 kHz with every tag, in the middling way of its format.
pub fn write_full(path: &Path, format: Format, samples: &[i32], gain: Option<ReplayGain>, cover: &Arc<Picture>) {
    let way = match format {
        Format::Opus => way(format, BitRate::Variable { kbps: 128 }, 0.0),
        _ => way(format, BitRate::Quality { quality: 3.0 }, 0.0),
    };
    let tags = Tags::of(&metadata(), gain);
    let spec = LossySpec { tags, cover: Some(Arc::clone(cover)), ..spec(&way, 2, 48_000, samples.len() / 2) };
    write(path, &spec, &floats(samples), 4_096);
}

fn file(folder: &Path, format: Format) -> PathBuf {
    folder.join(format!("lossy.{}", format.extension()))
}

/// Of a sweep, the same on all channels.
fn snr_db(source: &[f32], decoded: &[f32]) -> f64 {
    let power = |samples: &mut dyn Iterator<Item = f64>| samples.map(|x| x * x).sum::<f64>();
    let signal = power(&mut source.iter().map(|x| f64::from(*x)));
    let noise = power(&mut source.iter().zip(decoded).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    db_from_gain((signal / noise).sqrt())
}

#[test]
fn every_lossy_file_gives_back_its_frames_in_their_places_by_our_decoder_and_by_others() {
    let folder = tempfile::tempdir().unwrap();
    for way in ways() {
        let rates: &[u32] = way.format.sample_rates_hz().unwrap_or(&SAMPLE_RATES_HZ);
        for (index, sample_rate_hz) in rates.iter().copied().enumerate() {
            for channels in [1, 2] {
                for frames in [1, 1_151 + index, 30_011 + 7 * channels] {
                    let what = format!("{:?} {} {channels} × {frames} at {sample_rate_hz}", way.format, way.bit_rate);
                    let source = floats(&sweep(frames, sample_rate_hz));
                    let source = if channels == 2 { source } else { source.into_iter().step_by(2).collect() };
                    let (path, spec) = (file(folder.path(), way.format), spec(&way, channels, sample_rate_hz, frames));
                    write(&path, &spec, &source, 4_096);
                    let found = verify(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
                    let facts = (found.frames, found.sample_rate_hz, found.channels as usize);
                    assert_eq!(facts, (frames as u64, sample_rate_hz, channels), "{what}");
                    let (ours, theirs) = (decode(&path, 4_096).unwrap(), reference(&path));
                    assert_eq!((ours.len(), theirs.len()), (source.len(), source.len()), "{what}");
                    if frames > 20_000 {
                        let first = |samples: &[f32]| samples.iter().copied().step_by(channels).collect::<Vec<f32>>();
                        assert_eq!(lag(&first(&source), &first(&theirs)), 0, "{what}");
                        let snr = snr_db(&source, &theirs);
                        assert!(snr > way.least_snr_db, "{what}: {snr:.1} dB");
                    }
                }
            }
        }
    }
}

#[test]
fn a_file_is_the_same_bytes_however_it_is_cut_and_told_to_nobody_when() {
    let folder = tempfile::tempdir().unwrap();
    let samples = floats(&tones(40_001, 48_000));
    for way in ways() {
        let (path, spec) = (file(folder.path(), way.format), spec(&way, 2, 48_000, 40_001));
        let bytes = |piece_frames: usize| {
            write(&path, &spec, &samples, piece_frames);
            std::fs::read(&path).unwrap()
        };
        let once = bytes(4_096);
        assert!(bytes(4_096) == once, "{:?} {}", way.format, way.bit_rate);
        assert!(bytes(777) == once && bytes(40_001) == once, "{:?} {}", way.format, way.bit_rate);
    }
}

#[test]
fn opus_is_as_near_to_its_source_as_libopus_comes() {
    let folder = tempfile::tempdir().unwrap();
    let frames = 48_000 * 4;
    let source = sweep(frames, 48_000);
    for kbps in [64, 96, 128, 192] {
        let way = way(Format::Opus, BitRate::Constant { kbps }, 0.0);
        let (ours, theirs) = (file(folder.path(), Format::Opus), folder.path().join("libopus.opus"));
        write(&ours, &spec(&way, 2, 48_000, frames), &floats(&source), 4_096);
        let arguments = ["-c:a", "libopus", "-b:a", &format!("{kbps}k"), "-vbr", "off"];
        make_file(&theirs, &source, 2, 48_000, &arguments);
        let snr = |path: &Path| snr_db(&floats(&source), &reference(path));
        let bytes = |path: &Path| std::fs::metadata(path).unwrap().len() as f64;
        let (gain, size) = (snr(&ours) - snr(&theirs), bytes(&ours) / bytes(&theirs));
        assert!(gain > -1.0 && (0.98..1.02).contains(&size), "{kbps} kb/s: {gain:.2} dB, {size:.3} times the bytes");
    }
}

#[test]
fn opusinfo_finds_nothing_to_warn_of_and_mp3_frames_are_what_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let samples = floats(&tones(100_003, 48_000));
    for way in ways() {
        let path = file(folder.path(), way.format);
        write(&path, &spec(&way, 2, 48_000, 100_003), &samples, 4_096);
        let name = path.to_str().unwrap();
        match (way.format, way.bit_rate) {
            (Format::Opus, _) => {
                let told = String::from_utf8(run("opusinfo", &[name])).unwrap();
                assert!(!told.contains("WARNING") && told.contains("Pre-skip: 312"), "{told}");
                assert!(told.contains("Playback length: 0m:02.083s"), "{told}");
            }
            (Format::Vorbis, _) => {
                let told = String::from_utf8(run("ogginfo", &[name])).unwrap();
                assert!(!told.to_lowercase().contains("warning") && told.contains("0m:02.083s"), "{told}");
            }
            (_, BitRate::Constant { kbps }) => {
                let entries = ["-show_entries", "packet=size", "-of", "csv=p=0", name];
                let told = run("ffprobe", &[&["-v", "error"], &entries[..]].concat());
                let sizes: Vec<f64> = String::from_utf8(told)
                    .unwrap()
                    .lines()
                    .filter_map(|line| line.trim_matches(',').parse().ok())
                    .collect();
                let mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
                assert!((mean * 8.0 * 48_000.0 / 1_152.0 / 1000.0 - f64::from(kbps)).abs() < 1.0, "{kbps}: {mean}");
            }
            _ => {}
        }
    }
}

#[test]
fn ffmpeg_counts_the_very_frames_at_every_rate_that_a_session_may_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    for way in ways() {
        let rates: &[u32] = way.format.sample_rates_hz().unwrap_or(&SAMPLE_RATES_HZ);
        for sample_rate_hz in rates.iter().copied() {
            // Beyond the second page: of Vorbis streams that end before, ffmpeg keeps the padding.
            let frames = 2 * sample_rate_hz as usize + 1_013;
            let path = file(folder.path(), way.format);
            write(&path, &spec(&way, 2, sample_rate_hz, frames), &floats(&sweep(frames, sample_rate_hz)), 4_096);
            let decoded = ffmpeg_decode(&path);
            assert_eq!(decoded.len(), 2 * frames, "{:?} {} at {sample_rate_hz} Hz", way.format, way.bit_rate);
        }
    }
}

/// The tags as ffprobe reads them, `key=value` a line, keys in lower case.
fn ffprobe_tags(path: &Path) -> Vec<String> {
    let entries = ["-show_entries", "format_tags:stream_tags", "-of", "default=nw=1", path.to_str().unwrap()];
    let told = String::from_utf8(run("ffprobe", &[&["-v", "error"], &entries[..]].concat())).unwrap();
    let lines = told.lines().filter_map(|line| line.strip_prefix("TAG:")).filter_map(|line| line.split_once('='));
    lines.map(|(key, value)| format!("{}={value}", key.to_lowercase())).collect()
}

#[test]
fn tags_and_cover_are_read_back_by_ffprobe() {
    let folder = tempfile::tempdir().unwrap();
    let cover = cover(folder.path(), "cover.png");
    let samples = floats(&tones(20_000, 48_000));
    let gain = ReplayGain { gain_db: -4.5, peak: 0.9 };
    for way in ways() {
        let path = file(folder.path(), way.format);
        let spec = LossySpec {
            tags: Tags::of(&metadata(), Some(gain)),
            cover: Some(cover.clone()),
            ..spec(&way, 2, 48_000, 20_000)
        };
        write(&path, &spec, &samples, 4_096);
        assert_eq!(probe(&path).unwrap().frames, 20_000, "{:?}", way.format);
        let mut tags = ffprobe_tags(&path);
        // Those of the picture's stream.
        tags.retain(|tag| !["comment=Cover (front)", "encoder=LAME3.100"].contains(&tag.as_str()));
        tags.sort();
        let mut expected = vec![
            "title=Überfahrt",
            "artist=The Band",
            "album=Album = One",
            "album_artist=Various Artists",
            "date=2026",
            "genre=Fado",
            "copyright=2026 Étoile",
            "comment=第二版",
            "barcode=036000291452",
            "encoder=Mixdown",
        ];
        expected.extend(match way.format {
            Format::Mp3 => ["track=7/12", "disc=1/2", "publisher=Étoile", "tsrc=USS1Z9900001"].as_slice(),
            _ => &["track=7", "tracktotal=12", "disc=1", "disctotal=2", "label=Étoile", "isrc=USS1Z9900001"],
        });
        expected.extend(match way.format {
            Format::Opus => ["r128_track_gain=-2432"].as_slice(),
            _ => &["replaygain_track_gain=-4.50 dB", "replaygain_track_peak=0.900000"],
        });
        expected.sort_unstable();
        assert_eq!(tags, expected, "{:?} {}", way.format, way.bit_rate);
        let picture = folder.path().join("back.png");
        ffmpeg(&["-i", path.to_str().unwrap(), "-map", "0:v", "-c", "copy", "-f", "image2", picture.to_str().unwrap()]);
        assert!(std::fs::read(&picture).unwrap() == cover.bytes, "{:?}", way.format);
    }
}

#[test]
fn a_writer_refuses_what_its_codec_does_not_have_and_counts_its_frames() {
    let folder = tempfile::tempdir().unwrap();
    let opus = way(Format::Opus, BitRate::Variable { kbps: 96 }, 0.0);
    let refused = |spec: &LossySpec| {
        let error = LossyWriter::create(&folder.path().join("refused"), spec).err().expect("a refusal");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        error.to_string()
    };
    assert!(refused(&spec(&opus, 2, 44_100, 10)).contains("expected 48000"));
    assert!(refused(&spec(&opus, 3, 48_000, 10)).contains("3 channels"));
    assert!(refused(&spec(&way(Format::Aac, opus.bit_rate, 0.0), 2, 48_000, 10)).contains("licence"));
    assert!(refused(&spec(&way(Format::Wav, opus.bit_rate, 0.0), 2, 48_000, 10)).contains("lossless"));
    assert!(refused(&spec(&way(Format::Vorbis, opus.bit_rate, 0.0), 2, 48_000, 10)).contains("quality"));
    let mut writer = LossyWriter::create(&folder.path().join("a.opus"), &spec(&opus, 2, 48_000, 10)).unwrap();
    assert!(writer.write(&Buffer::new(1, 5)).is_err());
    assert!(writer.write(&Buffer::new(2, 11)).is_err());
    writer.write(&Buffer::new(2, 9)).unwrap();
    assert!(writer.finish().unwrap_err().to_string().contains("1 frames fewer"));
}
