use std::path::Path;

use mixdown_dsp::media::{FileSpec, FileWriter, Probe, Samples, verify};
use mixdown_dsp::session::document::{Depth, Format};

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

#[test]
fn every_integer_file_holds_the_very_samples_by_our_decoder_and_by_others() {
    let folder = tempfile::tempdir().unwrap();
    for (format, depth, bits, name) in [
        (Format::Wav, Depth::Int16, 16, "a.wav"),
        (Format::Wav, Depth::Int24, 24, "b.wav"),
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
fn a_float_wave_holds_the_very_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let samples: Vec<f32> =
        [0.0, -0.0, 1.5, -3.0e10, f32::MIN_POSITIVE / 4.0].into_iter().chain(floats(&noise(9_995))).collect();
    let mut writer = FileWriter::create(&path, &spec(Format::Wav, Depth::Float32, 2, 96_000, samples.len())).unwrap();
    writer.write(Samples::Float(&samples)).unwrap();
    writer.finish(None).unwrap();
    let bits = |samples: &[f32]| samples.iter().map(|sample| sample.to_bits()).collect::<Vec<_>>();
    assert!(bits(&decode(&path, 700).unwrap()) == bits(&samples));
    assert!(bits(&crate::tools::ffmpeg_decode(&path)) == bits(&samples));
}

#[test]
fn the_same_samples_give_the_same_bytes_however_they_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let samples = noise(2 * 10_000);
    for (format, name) in [(Format::Wav, "a.wav"), (Format::Flac, "a.flac")] {
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
    let long = FileSpec { frames: 48_000 * 3_600 * 5, ..spec(Format::Wav, Depth::Int24, 2, 48_000, 0) };
    assert_eq!(refused(&long).kind(), std::io::ErrorKind::InvalidInput);
    assert!(refused(&long).to_string().contains("holds at most 4294967167 (4 GiB)"), "{}", refused(&long));
    assert!(FileWriter::create(&path, &FileSpec { format: Format::Flac, ..long }).is_ok());
    for wrong in [
        spec(Format::Flac, Depth::Float32, 2, 48_000, 0),
        FileSpec { frames: 1 << 36, ..spec(Format::Flac, Depth::Int16, 2, 48_000, 0) },
        FileSpec { channels: 3, ..spec(Format::Wav, Depth::Int16, 2, 48_000, 0) },
    ] {
        assert_eq!(refused(&wrong).kind(), std::io::ErrorKind::InvalidInput);
    }
}

#[test]
fn a_file_of_another_length_or_kind_than_announced_fails() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name) in [(Format::Wav, "a.wav"), (Format::Flac, "a.flac")] {
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
