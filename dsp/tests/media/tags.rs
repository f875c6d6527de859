//! Tags, read back by programs that have nothing of ours.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mixdown_dsp::loudness::Measurement;
use mixdown_dsp::media::{FileSpec, FileWriter, Picture, Samples};
use mixdown_dsp::session::document::{Depth, Format, Metadata, PictureFormat};

use crate::tools::{ffmpeg, make_file, run, spec, tones};

/// Every field, with letters beyond ASCII.
pub fn metadata() -> Metadata {
    let text = |text: &str| Some(text.to_owned());
    Metadata {
        title: text("Überfahrt"),
        artist: text("The Band"),
        album: text("Album = One"),
        album_artist: text("Various Artists"),
        isrc: text("USS1Z9900001"),
        upc: text("036000291452"),
        track_number: Some(7),
        track_total: Some(12),
        disc_number: Some(1),
        disc_total: Some(2),
        year: Some(2026),
        genre: text("Fado"),
        label: text("Étoile"),
        copyright: text("2026 Étoile"),
        comment: text("第二版"),
        cover: text("cover.png"),
    }
}

/// A picture that ffmpeg drew.
pub fn cover(folder: &Path, name: &str) -> Arc<Picture> {
    let path = folder.join(name);
    ffmpeg(&["-f", "lavfi", "-i", "testsrc=s=120x90", "-frames:v", "1", path.to_str().unwrap()]);
    Arc::new(Picture::read(&path).unwrap())
}

/// What a meter could have said of the file.
pub fn measured() -> Measurement {
    Measurement {
        frames: 1,
        sample_rate_hz: 48_000,
        channels: 2,
        duration_seconds: 1.0,
        integrated_lufs: Some(-10.11),
        loudness_range_lu: Some(5.0),
        momentary_max_lufs: Some(-7.5),
        short_term_max_lufs: Some(-8.25),
        true_peak_dbtp: Some(-1.0),
        sample_peak_dbfs: Some(-1.3),
    }
}

/// Writes a file with all tags that was measured to be so.
pub fn write(path: &Path, spec: &FileSpec, samples: &[i32], measured: Option<&Measurement>) {
    let mut writer = FileWriter::create(path, spec).unwrap();
    samples.chunks(10_000).for_each(|piece| writer.write(Samples::Int(piece)).unwrap());
    writer.finish(measured).unwrap();
}

fn metaflac(arguments: &[&str], path: &Path) -> String {
    String::from_utf8(run("metaflac", &[arguments, &["--no-utf8-convert", path.to_str().unwrap()]].concat())).unwrap()
}

#[test]
fn pictures_have_the_size_that_ffmpeg_drew() {
    let folder = tempfile::tempdir().unwrap();
    for (name, format, bits_per_pixel) in
        [("a.png", PictureFormat::Png, 24), ("b.jpg", PictureFormat::Jpeg, 24), ("c.jpeg", PictureFormat::Jpeg, 24)]
    {
        let picture = cover(folder.path(), name);
        assert_eq!((picture.format, picture.width, picture.height), (format, 120, 90));
        assert_eq!((picture.bits_per_pixel, picture.palette_colours), (bits_per_pixel, 0));
    }
    let path = folder.path().join("p.png");
    let draw = ["-f", "lavfi", "-i", "testsrc=s=64x32", "-frames:v", "1", "-pix_fmt", "pal8", path.to_str().unwrap()];
    ffmpeg(&draw);
    let palette = Picture::read(&path).unwrap();
    assert_eq!((palette.bits_per_pixel, palette.palette_colours), (8, 256));
}

#[test]
fn a_flac_carries_its_tags_its_cover_and_true_facts() {
    let folder = tempfile::tempdir().unwrap();
    let (path, samples) = (folder.path().join("a.flac"), tones(10_000, 48_000));
    let cover = cover(folder.path(), "cover.png");
    let spec = FileSpec {
        metadata: metadata(),
        cover: Some(Arc::clone(&cover)),
        replay_gain: true,
        ..spec(Format::Flac, Depth::Int24, 2, 48_000, samples.len())
    };
    write(&path, &spec, &samples, Some(&measured()));
    let list = metaflac(&["--list", "--except-block-type=PICTURE"], &path);
    for line in [
        "TITLE=Überfahrt",
        "ARTIST=The Band",
        "ALBUM=Album = One",
        "ALBUMARTIST=Various Artists",
        "TRACKNUMBER=7",
        "TRACKTOTAL=12",
        "DISCNUMBER=1",
        "DISCTOTAL=2",
        "DATE=2026",
        "GENRE=Fado",
        "LABEL=Étoile",
        "COPYRIGHT=2026 Étoile",
        "COMMENT=第二版",
        "ISRC=USS1Z9900001",
        "BARCODE=036000291452",
        "ENCODER=Mixdown",
        "REPLAYGAIN_TRACK_GAIN=-7.89 dB",
        "REPLAYGAIN_TRACK_PEAK=0.891251",
        "minimum blocksize: 4096",
        "maximum blocksize: 4096",
        "total samples: 10000",
        "bits-per-sample: 24",
    ] {
        assert!(list.contains(line), "`{line}` is missing in:\n{list}");
    }
    let raw = ffmpeg(&["-i", path.to_str().unwrap(), "-map", "0:a", "-f", "md5", "-c:a", "pcm_s24le", "-"]);
    let md5 = metaflac(&["--show-md5sum"], &path);
    assert_eq!(String::from_utf8(raw).unwrap().trim(), format!("MD5={}", md5.trim()));
    run("flac", &["-t", "-s", "-w", path.to_str().unwrap()]);

    let list = metaflac(&["--list", "--block-type=PICTURE"], &path);
    for line in
        ["type: 3 (Cover (front))", "MIME type: image/png", "width: 120", "height: 90", "depth: 24", "colors: 0"]
    {
        assert!(list.contains(line), "`{line}` is missing in:\n{list}");
    }
    assert!(run("metaflac", &["--export-picture-to=-", path.to_str().unwrap()]) == cover.bytes);
}

#[test]
fn the_gain_is_told_where_it_is_asked_and_known_and_takes_no_room_of_the_audio() {
    let folder = tempfile::tempdir().unwrap();
    let (path, samples) = (folder.path().join("a.flac"), tones(5_000, 48_000));
    let plain = spec(Format::Flac, Depth::Int16, 2, 48_000, samples.len());
    let asked = FileSpec { replay_gain: true, ..plain.clone() };
    let silent = Measurement { integrated_lufs: None, true_peak_dbtp: None, sample_peak_dbfs: None, ..measured() };
    let samples: Vec<i32> = samples.iter().map(|sample| sample >> 8).collect();
    for (spec, measured, told) in
        [(&asked, Some(measured()), true), (&asked, Some(silent), false), (&asked, None, false), (&plain, None, false)]
    {
        write(&path, spec, &samples, measured.as_ref());
        assert_eq!(metaflac(&["--list"], &path).contains("REPLAYGAIN"), told);
        run("flac", &["-t", "-s", "-w", path.to_str().unwrap()]);
    }
}

#[test]
fn seek_points_of_a_flac_stand_every_ten_seconds_and_lead_to_their_frames() {
    let folder = tempfile::tempdir().unwrap();
    let (path, samples) = (folder.path().join("a.flac"), tones(44_100 * 25, 44_100));
    let samples: Vec<i32> = samples.iter().map(|sample| sample >> 8).collect();
    write(&path, &spec(Format::Flac, Depth::Int16, 2, 44_100, samples.len()), &samples, None);
    // Blocks of 4096 that hold the frames 0, 441000 and 882000.
    let list = metaflac(&["--list", "--block-type=SEEKTABLE"], &path);
    for point in ["seek points: 3", "sample_number=0,", "sample_number=438272,", "sample_number=880640,"] {
        assert!(list.contains(point), "`{point}` is missing in:\n{list}");
    }
    let skip = ["-d", "-s", "-c", "--force-raw-format", "--endian=little", "--sign=signed", "--skip=900001"];
    let rest = run("flac", &[&skip[..], &[path.to_str().unwrap()]].concat());
    let wanted: Vec<u8> = samples[2 * 900_001..].iter().flat_map(|sample| (*sample as i16).to_le_bytes()).collect();
    assert!(rest == wanted);
}

/// The tags that ffprobe finds, `key=value` a line.
pub fn ffprobe_tags(path: &Path) -> String {
    let show = ["-v", "error", "-show_entries", "format_tags", "-of", "default=nk=0:nw=1", path.to_str().unwrap()];
    String::from_utf8(run("ffprobe", &show)).unwrap()
}

/// A file in which ffmpeg finds the ID3 tag that a file of ours carries in a chunk: ffmpeg looks into that of AIFF itself, but
/// not into that of WAVE, and so gets it where it expects one, before an MP3.
fn with_id3_in_sight(path: &Path) -> PathBuf {
    let bytes = std::fs::read(path).unwrap();
    if !bytes.starts_with(b"RIFF") {
        return path.to_owned();
    }
    let chunks = crate::broadcast::chunks(&bytes);
    let tag = &chunks.iter().find(|(name, ..)| name == "id3 ").unwrap().2;
    let (bare, tagged) = (path.with_extension("bare.mp3"), path.with_extension("mp3"));
    make_file(&bare, &tones(4_800, 48_000), 2, 48_000, &["-id3v2_version", "0", "-write_xing", "0"]);
    std::fs::write(&tagged, [&tag[..], &std::fs::read(bare).unwrap()].concat()).unwrap();
    tagged
}

#[test]
fn wave_broadcast_wave_and_aiff_carry_every_tag_and_the_cover() {
    let folder = tempfile::tempdir().unwrap();
    let samples = tones(3_001, 48_000);
    let cover = cover(folder.path(), "cover.jpg");
    for (format, name) in [(Format::Wav, "a.wav"), (Format::Bwf, "b.wav"), (Format::Aiff, "c.aiff")] {
        let path = folder.path().join(name);
        let spec = FileSpec {
            metadata: metadata(),
            cover: Some(Arc::clone(&cover)),
            replay_gain: true,
            broadcast: (format == Format::Bwf).then(crate::broadcast::spec),
            ..spec(format, Depth::Int24, 2, 48_000, samples.len())
        };
        write(&path, &spec, &samples, Some(&measured()));
        let seen = with_id3_in_sight(&path);
        let tags = ffprobe_tags(&seen);
        for tag in [
            "title=Überfahrt",
            "artist=The Band",
            "album=Album = One",
            "album_artist=Various Artists",
            "track=7/12",
            "disc=1/2",
            "date=2026",
            "genre=Fado",
            "publisher=Étoile",
            "copyright=2026 Étoile",
            "comment=第二版",
            "TSRC=USS1Z9900001",
            "BARCODE=036000291452",
            "REPLAYGAIN_TRACK_GAIN=-7.89 dB",
            "REPLAYGAIN_TRACK_PEAK=0.891251",
            "encoder=Mixdown",
        ] {
            assert!(tags.lines().any(|line| line == format!("TAG:{tag}")), "{name}: `{tag}` is missing in:\n{tags}");
        }
        let picture = ["-i", seen.to_str().unwrap(), "-map", "0:v", "-c", "copy", "-f", "image2pipe", "-"];
        assert!(ffmpeg(&picture) == cover.bytes, "{name}: another picture");
        let decoded = ffmpeg(&["-i", path.to_str().unwrap(), "-map", "0:a", "-f", "s32le", "-"]);
        assert!(samples.iter().flat_map(|sample| (sample << 8).to_le_bytes()).eq(decoded), "{name}");
    }
}

#[test]
fn readers_that_know_no_id3_find_the_older_texts() {
    let folder = tempfile::tempdir().unwrap();
    let samples = tones(1_001, 48_000);
    let path = folder.path().join("a.wav");
    let spec = FileSpec { metadata: metadata(), ..spec(Format::Wav, Depth::Int16, 2, 48_000, samples.len()) };
    let samples: Vec<i32> = samples.iter().map(|sample| sample >> 8).collect();
    write(&path, &spec, &samples, None);
    let tags = ffprobe_tags(&path);
    for tag in [
        "title=Überfahrt",
        "artist=The Band",
        "album=Album = One",
        "track=7",
        "date=2026",
        "genre=Fado",
        "copyright=2026 Étoile",
        "comment=第二版",
        "encoder=Mixdown",
    ] {
        assert!(tags.lines().any(|line| line == format!("TAG:{tag}")), "`{tag}` is missing in:\n{tags}");
    }
    let path = folder.path().join("a.aiff");
    write(&path, &FileSpec { format: Format::Aiff, ..spec }, &samples, None);
    let bytes = std::fs::read(&path).unwrap();
    for (name, text) in [("NAME", "Überfahrt"), ("AUTH", "The Band"), ("(c) ", "2026 Étoile"), ("ANNO", "第二版")]
    {
        let chunk = [name.as_bytes(), &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat();
        assert!(bytes.windows(chunk.len()).any(|window| window == chunk), "{name}");
    }
}
