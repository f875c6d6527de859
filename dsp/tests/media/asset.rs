use std::path::Path;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::media::pcm::{PcmReader, PcmWriter};
use mixdown_dsp::media::{AssetReader, Probe, probe};

use crate::tools::{code, decode, floats, make_file, message, noise, tones};

/// `frames` frames of an asset from `from_frame` on, interleaved, read in blocks of `block_frames`.
fn read(path: &Path, rate_hz: u32, from_frame: u64, frames: usize, block_frames: usize) -> Vec<f32> {
    let facts = probe(path).unwrap();
    let mut reader = AssetReader::open(path, &facts, rate_hz, from_frame).unwrap();
    let (mut block, mut samples) = (Buffer::new(facts.channels as usize, block_frames), Vec::new());
    while samples.len() < frames * facts.channels as usize {
        reader.read(&mut block).unwrap();
        for frame in 0..block_frames {
            samples.extend(block.iter().map(|channel| channel[frame]));
        }
    }
    samples.truncate(frames * facts.channels as usize);
    samples
}

#[test]
fn a_start_anywhere_gives_the_bits_of_a_start_at_the_first_frame() {
    let folder = tempfile::tempdir().unwrap();
    for (name, arguments) in [
        ("a.wav", &["-c:a", "pcm_s24le"][..]),
        ("b.flac", &[]),
        ("c.aiff", &["-c:a", "pcm_s24be"]),
        ("d.m4a", &["-c:a", "alac"]),
        ("e.mp3", &[]),
        ("f.ogg", &[]),
        ("g.m4a", &["-c:a", "aac"]),
    ] {
        let path = folder.path().join(name);
        make_file(&path, &tones(100_000, 48_000), 2, 48_000, arguments);
        for (rate_hz, total) in [(48_000, 100_000_usize), (44_100, 91_875), (96_000, 200_000)] {
            // 1000 frames past the end are silence.
            let whole = read(&path, rate_hz, 0, total + 1_000, 4096);
            assert!(whole[..total * 2].iter().any(|sample| *sample != 0.0));
            assert!(whole[total * 2..].iter().all(|sample| *sample == 0.0), "{name}: sound past the end");
            for from_frame in [1, 300, 4_095, 4_608, total / 2 + 1, total - 1, total, total + 500] {
                let rest = read(&path, rate_hz, from_frame as u64, total + 1_000 - from_frame, 777);
                assert!(rest == whole[from_frame * 2..], "{name} at {rate_hz} Hz from frame {from_frame}");
            }
        }
    }
}

#[test]
fn a_pcm_artifact_reads_like_the_file_it_was_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let (path, artifact) = (folder.path().join("a.wav"), folder.path().join("artifact"));
    make_file(&path, &noise(2 * 20_000), 2, 48_000, &["-c:a", "pcm_s24le"]);
    let samples = decode(&path, 4096).unwrap();
    let mut writer = PcmWriter::create(&artifact, 2, 48_000, 20_000).unwrap();
    for part in samples.chunks(2 * 777) {
        let mut block = Buffer::new(2, part.len() / 2);
        for channel in 0..2 {
            block
                .channel_mut(channel)
                .iter_mut()
                .zip(part[channel..].iter().step_by(2))
                .for_each(|(to, from)| *to = *from);
        }
        writer.write(&block).unwrap();
    }
    writer.finish().unwrap();
    let facts = probe(&path).unwrap();
    for rate_hz in [48_000, 44_100] {
        for from_frame in [0, 5_000, 30_000] {
            let mut readers =
                [&path, &artifact].map(|path| AssetReader::open(path, &facts, rate_hz, from_frame).unwrap());
            let [file, pcm] = readers.each_mut().map(|reader| {
                let mut block = Buffer::new(2, 3_000);
                reader.read(&mut block).unwrap();
                block
            });
            assert!(file == pcm, "{rate_hz} Hz from frame {from_frame}");
        }
    }
}

#[test]
fn a_file_that_is_not_what_the_session_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    make_file(&path, &noise(2 * 1_000), 2, 48_000, &["-c:a", "pcm_s24le"]);
    let facts = Probe { frames: 1_000, sample_rate_hz: 48_000, channels: 2, lossy: false };
    assert!(AssetReader::open(&path, &facts, 44_100, 0).is_ok());
    for wrong in
        [Probe { frames: 999, ..facts }, Probe { sample_rate_hz: 44_100, ..facts }, Probe { channels: 1, ..facts }]
    {
        let refused = AssetReader::open(&path, &wrong, 44_100, 0);
        assert_eq!(code(refused), "facts_differ");
        let refused = message(AssetReader::open(&path, &wrong, 44_100, 0));
        assert!(refused.contains("1000 frames of 2 channels at 48000 Hz"), "{refused}");
    }
}

#[test]
fn an_artifact_holds_any_float_and_starts_at_any_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("artifact");
    let samples: Vec<f32> =
        [f32::MIN_POSITIVE / 2.0, -0.0, 1e30, -1.5].into_iter().chain(floats(&noise(9_996))).collect();
    for channels in [1, 2, 3] {
        let frames = 10_000;
        let mut block = Buffer::new(channels, frames);
        block.iter_mut().for_each(|channel| channel.copy_from_slice(&samples));
        let mut writer = PcmWriter::create(&path, channels, 96_000, frames as u64).unwrap();
        writer.write(&block).unwrap();
        writer.finish().unwrap();
        let mut reader = PcmReader::open(&path).unwrap();
        assert_eq!((reader.channels(), reader.sample_rate_hz(), reader.frames()), (channels, 96_000, 10_000));
        for start in [0, 9_000, 1, 5_000, 10_000, 12_000] {
            let mut out = Buffer::new(channels, 1_500);
            out.iter_mut().for_each(|channel| channel.fill(7.0));
            reader.seek(start as u64).unwrap();
            reader.read(&mut out).unwrap();
            let expected = samples.iter().skip(start).copied().chain(std::iter::repeat(0.0)).take(1_500);
            let expected: Vec<u32> = expected.map(f32::to_bits).collect();
            for channel in out.iter() {
                assert!(channel.iter().map(|sample| sample.to_bits()).eq(expected.iter().copied()), "from {start}");
            }
        }
    }
}

#[test]
fn an_artifact_of_another_length_than_announced_is_no_artifact() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("artifact");
    let mut writer = PcmWriter::create(&path, 2, 48_000, 100).unwrap();
    writer.write(&Buffer::new(2, 60)).unwrap();
    assert!(writer.write(&Buffer::new(2, 60)).is_err(), "20 frames too many");
    assert!(writer.write(&Buffer::new(1, 10)).is_err(), "a mono block");
    assert!(writer.finish().is_err(), "40 frames too few");
    assert_eq!(PcmReader::open(&path).err().unwrap().kind(), std::io::ErrorKind::InvalidData);
    std::fs::write(&path, b"MXDPCM1\0").unwrap();
    assert_eq!(PcmReader::open(&path).err().unwrap().kind(), std::io::ErrorKind::InvalidData);
    let hostile = [&b"MXDPCM1\0"[..], &u32::MAX.to_le_bytes(), &48_000_u32.to_le_bytes(), &[0xFF; 8], &[0; 8]].concat();
    std::fs::write(&path, hostile).unwrap();
    assert_eq!(PcmReader::open(&path).err().unwrap().kind(), std::io::ErrorKind::InvalidData);
}
