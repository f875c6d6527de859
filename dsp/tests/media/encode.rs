use std::path::Path;

use mixdown_dsp::media::{FileSpec, FileWriter, Probe, Samples, verify};
use mixdown_dsp::session::document::{Depth, Format, SAMPLE_RATES_HZ};

use crate::tools::{decode, ffmpeg, floats, noise, run, spec, tones, write};

/// What `flac -d` makes of a file, as interleaved integers of `bits` bits.
fn flac_decode(path: &Path, bits: usize) -> Vec<i32> {
    let raw = ["-d", "-s", "-c", "--force-raw-format", "--endian=little", "--sign=signed", path.to_str().unwrap()];
    let widen = |bytes: &[u8]| {
        bytes.iter().rev().fold(0_i32, |value, byte| value << 8 | i32::from(*byte)) << (32 - bits) >> (32 - bits)
    };
    run("flac", &raw).chunks_exact(bits / 8).map(widen).collect()
}

/// Signals that try an encoder: loud noise, a tone, silence, the two extremes in turn, and a lone impulse.
fn signals(samples: usize, bits: u32) -> Vec<Vec<i32>> {
    let top = (1 << (bits - 1)) - 1;
    let loud: Vec<i32> =
        noise(samples.max(2))[..samples].iter().map(|sample| (sample << 1) >> (25 - bits) << 1 >> 1).collect();
    let loud = loud.into_iter().map(|sample: i32| sample.clamp(-top - 1, top)).collect();
    let tone = tones(samples.div_ceil(2), 48_000)[..samples].iter().map(|sample| sample >> (24 - bits)).collect();
    let extremes = (0..samples).map(|at| if at % 2 == 0 { top } else { -top - 1 }).collect();
    let slow = (0..samples).map(|at| if at / 2 % 2 == 0 { top } else { -top - 1 }).collect();
    let mut impulse = vec![0; samples];
    impulse[samples / 2] = -top - 1;
    vec![loud, tone, extremes, slow, vec![0; samples], impulse]
}

const FORMATS: [(Format, &str); 4] =
    [(Format::Wav, "a.wav"), (Format::Bwf, "b.wav"), (Format::Aiff, "a.aiff"), (Format::Flac, "a.flac")];

#[test]
fn every_integer_file_holds_the_very_samples_by_our_decoder_and_by_others() {
    let folder = tempfile::tempdir().unwrap();
    for (format, depth, bits, name) in [
        (Format::Wav, Depth::Int16, 16, "a.wav"),
        (Format::Wav, Depth::Int24, 24, "b.wav"),
        (Format::Aiff, Depth::Int16, 16, "e.aiff"),
        (Format::Aiff, Depth::Int24, 24, "f.aiff"),
        (Format::Flac, Depth::Int16, 16, "c.flac"),
        (Format::Flac, Depth::Int24, 24, "d.flac"),
    ] {
        for (channels, sample_rate_hz) in [(1, 44_100), (2, 48_000), (2, 96_000), (2, 176_400), (1, 192_000)] {
            for frames in [1, 15, 16, 17, 64, 4_095, 4_096, 4_097, 20_011] {
                // Every length at one mono and one stereo rate, the longest at all.
                if frames < 20_011 && ![44_100, 96_000].contains(&sample_rate_hz) {
                    continue;
                }
                for (number, samples) in signals(frames * channels, bits).into_iter().enumerate() {
                    let path = folder.path().join(format!("{number}{name}"));
                    write(
                        &path,
                        &spec(format, depth, channels, sample_rate_hz, samples.len()),
                        &samples,
                        1_000 * channels,
                    );
                    let told =
                        format!("signal {number}, {frames} frames of {channels} at {sample_rate_hz} Hz in {name}");
                    let expected =
                        Probe { frames: frames as u64, sample_rate_hz, channels: channels as u32, lossy: false };
                    assert_eq!(verify(&path).unwrap(), expected, "{told}");
                    let wide: Vec<i32> = samples.iter().map(|sample| sample << (24 - bits)).collect();
                    assert!(decode(&path, 4_096).unwrap() == floats(&wide), "{told}");
                    // The programs are slow to start: they judge every signal at two lengths.
                    if [17, 20_011].contains(&frames) && format == Format::Flac && channels == 2 {
                        run("flac", &["-t", "-s", "-w", path.to_str().unwrap()]);
                        assert!(flac_decode(&path, bits as usize) == samples, "flac -d: {told}");
                    }
                    if frames == 20_011 && sample_rate_hz == 48_000 {
                        let theirs = ffmpeg(&["-i", path.to_str().unwrap(), "-f", "s32le", "-"]);
                        let shifted = samples.iter().flat_map(|sample| (sample << (32 - bits)).to_le_bytes());
                        assert!(shifted.eq(theirs), "ffmpeg: {told}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_float_file_holds_the_very_bits() {
    let folder = tempfile::tempdir().unwrap();
    let samples: Vec<f32> =
        [0.0, -0.0, 1.5, -3.0e10, f32::MIN_POSITIVE / 4.0].into_iter().chain(floats(&noise(9_995))).collect();
    for (format, name) in [(Format::Wav, "a.wav"), (Format::Bwf, "b.wav"), (Format::Aiff, "c.aiff")] {
        let path = folder.path().join(name);
        let mut writer = FileWriter::create(&path, &spec(format, Depth::Float32, 2, 96_000, samples.len())).unwrap();
        writer.write(Samples::Float(&samples)).unwrap();
        writer.finish(None).unwrap();
        let bits = |samples: &[f32]| samples.iter().map(|sample| sample.to_bits()).collect::<Vec<_>>();
        assert!(bits(&decode(&path, 700).unwrap()) == bits(&samples), "{name}");
        assert!(bits(&crate::tools::ffmpeg_decode(&path)) == bits(&samples), "ffmpeg: {name}");
    }
}

/// The greatest distance of what ffmpeg decodes of a file from a float master, rounded to the file's depth without dither.
fn null_of(path: &Path, format: Format, depth: Depth, sample_rate_hz: u32, master: &[f32]) -> f64 {
    let mut writer = FileWriter::create(path, &spec(format, depth, 2, sample_rate_hz, master.len())).unwrap();
    match depth {
        Depth::Float32 => writer.write(Samples::Float(master)).unwrap(),
        _ => {
            let scale = if depth == Depth::Int16 { 32_768.0 } else { 8_388_608.0 };
            let integers: Vec<i32> = master.iter().map(|sample| (f64::from(*sample) * scale).round() as i32).collect();
            writer.write(Samples::Int(&integers)).unwrap();
        }
    }
    writer.finish(None).unwrap();
    let decoded = ffmpeg(&["-i", path.to_str().unwrap(), "-f", "f64le", "-c:a", "pcm_f64le", "-"]);
    let decoded = decoded.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
    assert_eq!(decoded.len(), master.len(), "{path:?}");
    decoded.zip(master).map(|(decoded, master)| (decoded - f64::from(*master)).abs()).fold(0.0, f64::max)
}

#[test]
fn every_format_at_every_rate_and_depth_nulls_against_its_float_master_as_far_as_the_depth_allows() {
    let folder = tempfile::tempdir().unwrap();
    // Finer than 24 bits, and within them: noise of 24 bits, 3 dB down and a third of a step off.
    let master: Vec<f32> = floats(&noise(2 * 3_001)).iter().map(|sample| sample * 0.7 + 4.0e-8).collect();
    for (number, format) in [Format::Wav, Format::Bwf, Format::Aiff, Format::Flac].into_iter().enumerate() {
        for sample_rate_hz in SAMPLE_RATES_HZ {
            for (depth, most) in
                [(Depth::Int16, 0.5 / 32_768.0), (Depth::Int24, 0.5 / 8_388_608.0), (Depth::Float32, 0.0)]
            {
                if format == Format::Flac && depth == Depth::Float32 {
                    continue;
                }
                let path = folder.path().join(format!("{number}.{}", format.extension()));
                let off = null_of(&path, format, depth, sample_rate_hz, &master);
                assert!(off <= most, "{format:?} {depth:?} at {sample_rate_hz} Hz: {off:e} off");
                assert!(depth == Depth::Float32 || off > most / 2.0, "a master on the grid shows nothing: {off:e}");
                let show = ["-v", "error", "-show_entries", "stream=sample_rate,channels", "-of", "csv=p=0"];
                let shown = run("ffprobe", &[&show[..], &[path.to_str().unwrap()]].concat());
                assert_eq!(String::from_utf8(shown).unwrap().trim(), format!("{sample_rate_hz},2"));
            }
        }
    }
}

#[test]
fn the_same_samples_give_the_same_bytes_however_they_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let samples = noise(2 * 10_000);
    for (format, name) in FORMATS {
        let path = folder.path().join(name);
        let bytes = [2, 2 * 777, 2 * 4_096, 2 * 10_000].map(|piece| {
            write(&path, &spec(format, Depth::Int24, 2, 48_000, samples.len()), &samples, piece);
            std::fs::read(&path).unwrap()
        });
        assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]), "{name}");
    }
}

#[test]
fn what_a_container_cannot_hold_is_refused_with_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let refused = |spec: &FileSpec| FileWriter::create(&path, spec).err().unwrap();
    // 4 GiB of 24-bit stereo at 48 kHz are 4 h 8 min.
    let long = FileSpec { frames: 48_000 * 3_600 * 5, ..spec(Format::Aiff, Depth::Int24, 2, 48_000, 0) };
    assert_eq!(refused(&long).kind(), std::io::ErrorKind::InvalidInput);
    assert!(refused(&long).to_string().contains("holds at most 4294967295 (4 GiB)"), "{}", refused(&long));
    for format in [Format::Wav, Format::Bwf, Format::Flac] {
        assert!(FileWriter::create(&path, &FileSpec { format, ..long.clone() }).is_ok());
    }
    for wrong in [
        spec(Format::Flac, Depth::Float32, 2, 48_000, 0),
        FileSpec { frames: 1 << 36, ..spec(Format::Flac, Depth::Int16, 2, 48_000, 0) },
        FileSpec { channels: 3, ..spec(Format::Wav, Depth::Int16, 2, 48_000, 0) },
    ] {
        assert_eq!(refused(&wrong).kind(), std::io::ErrorKind::InvalidInput);
    }
}

#[test]
fn a_file_whose_writer_was_lost_or_that_was_cut_in_its_sound_reads_as_broken() {
    let folder = tempfile::tempdir().unwrap();
    let samples = noise(2 * 50_000);
    for (format, name) in FORMATS {
        let path = folder.path().join(name);
        let spec = spec(format, Depth::Int24, 2, 48_000, samples.len());
        for written in [0, 2 * 4_096, 2 * 30_000, 2 * 49_999] {
            let mut writer = FileWriter::create(&path, &spec).unwrap();
            writer.write(Samples::Int(&samples[..written])).unwrap();
            drop(writer);
            assert!(verify(&path).is_err(), "{name}: {written} samples written");
        }
        write(&path, &spec, &samples, samples.len());
        let whole = std::fs::read(&path).unwrap();
        verify(&path).unwrap();
        // Noise of 24 bits takes all of them, so that these are places in the sound.
        for share in [0.001, 0.1, 0.5, 0.9, 0.99] {
            std::fs::write(&path, &whole[..(whole.len() as f64 * share) as usize]).unwrap();
            assert!(verify(&path).is_err(), "{name}: cut to {share}");
        }
    }
}

#[test]
fn a_file_of_another_length_or_kind_than_announced_fails() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name) in FORMATS {
        let path = folder.path().join(name);
        let mut writer = FileWriter::create(&path, &spec(format, Depth::Int16, 2, 48_000, 20)).unwrap();
        assert!(writer.write(Samples::Float(&[0.0; 4])).is_err());
        let mut writer = FileWriter::create(&path, &spec(format, Depth::Int16, 2, 48_000, 20)).unwrap();
        assert!(writer.write(Samples::Int(&[0, 32_768])).is_err());
        let mut writer = FileWriter::create(&path, &spec(format, Depth::Int16, 2, 48_000, 20)).unwrap();
        writer.write(Samples::Int(&[0; 18])).unwrap();
        assert!(writer.write(Samples::Int(&[0; 4])).is_err(), "one frame too many");
        let mut writer = FileWriter::create(&path, &spec(format, Depth::Int16, 2, 48_000, 20)).unwrap();
        writer.write(Samples::Int(&[0; 18])).unwrap();
        assert!(writer.finish(None).is_err(), "one frame too few");
    }
}
