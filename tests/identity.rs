//! One session, every path: the same bytes.

mod support;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::media::Decoder;
use support::command::render;
use support::farm::Farm;
use support::fixture::Fixture;
use support::{assert_same_files, files};

/// Seconds of audio: long enough that every block size ends in the middle of something.
const SECONDS: f64 = 3.3;

/// The fixture played from lossy files of every kind, with its groups printed beside the rest: a bus that is split, one
/// that is a group of its own, and a key from another group.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new(SECONDS);
    fixture.encode(0, "kick.opus", &["-c:a", "libopus", "-b:a", "96k"]);
    fixture.encode(1, "bass.ogg", &["-c:a", "libvorbis", "-q:a", "5"]);
    fixture.encode(2, "keys.mp3", &["-c:a", "libmp3lame", "-b:a", "192k"]);
    fixture.encode(3, "vox.m4a", &["-c:a", "aac", "-b:a", "128k"]);
    let document = &mut fixture.document;
    document["tracks"][1]["sends"] = serde_json::json!([{ "to": "Drums", "gain_db": -18.0 }]);
    document["groups"] =
        serde_json::json!([{ "name": "Drums", "tracks": ["Kick"] }, { "name": "Voice", "tracks": ["Vox"] }]);
    document["deliverables"].as_array_mut().expect("the fixture delivers files").extend([
        serde_json::json!({ "each": "group", "name": "{mix} - {group}", "format": "wav", "depth": "32f" }),
        serde_json::json!({ "group": "Rest", "mix": "instrumental", "format": "flac", "depth": "24" }),
    ]);
    fixture
}

#[test]
fn rendering_gives_the_same_bytes_for_any_threads_blocks_and_cut() {
    let fixture = fixture();
    let session = fixture.write();
    let out = tempfile::tempdir().unwrap();
    let once = |name: &str, arguments: &[&str]| {
        let folder = out.path().join(name);
        render(&session, &folder, arguments);
        files(&folder)
    };
    let expected = once("one", &["--threads", "1"]);
    // Nothing of the group Drums goes past the bus that is a group of its own: it has no file.
    assert_eq!(expected.len(), 9, "{:?}", expected.keys());
    for file in ["main - Voice.wav", "main - Drums bus.wav", "Fixture (instrumental) - Rest.flac"] {
        assert!(expected.contains_key(file), "{:?}", expected.keys());
    }
    let ways: [&[&str]; 7] = [
        &["--threads", "2"],
        &["--threads", "3", "--granularity", "spread"],
        &["--threads", "1", "--granularity", "spread"],
        &["--block-frames", "1"],
        &["--block-frames", "64", "--threads", "2"],
        &["--block-frames", "1000"],
        &["--block-frames", "4096", "--threads", "2"],
    ];
    for (index, way) in ways.iter().enumerate() {
        assert_same_files(&once(&format!("way-{index}"), way), &expected, &way.join(" "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn farms_of_one_and_three_workers_fused_and_spread_give_the_bytes_of_render() {
    let fixture = fixture();
    let session = fixture.write();
    let out = tempfile::tempdir().unwrap();
    render(&session, &out.path().join("render"), &[]);
    let expected = files(&out.path().join("render"));
    for (workers, cut) in [(1, "fused"), (1, "spread"), (3, "spread"), (3, "auto")] {
        let farm = Farm::start(workers).await;
        let name = format!("{workers} workers, {cut}");
        let folder = out.path().join(&name);
        farm.submit(&session, &folder, &["--granularity", cut]);
        assert_same_files(&files(&folder), &expected, &name);
    }
}

#[test]
fn a_flac_holds_the_pcm_of_the_wave_file_of_its_depth_and_rate() {
    let mut fixture = Fixture::new(SECONDS);
    for format in ["wav", "flac"] {
        let file = serde_json::json!({ "name": "twin", "mix": "main", "format": format, "depth": "24" });
        fixture.document["deliverables"].as_array_mut().unwrap().push(file);
    }
    let out = tempfile::tempdir().unwrap();
    render(&fixture.write(), out.path(), &[]);
    let pcm = |name: &str| {
        let mut decoder = Decoder::open(&out.path().join(name)).unwrap();
        let mut block = Buffer::new(2, 4096);
        let mut samples = Vec::new();
        loop {
            block.set_frames(4096);
            if decoder.read(&mut block).unwrap() == 0 {
                return samples;
            }
            samples.extend(block.iter().flat_map(|channel| channel.iter().map(|sample| sample.to_bits())));
        }
    };
    assert_eq!(pcm("twin.wav"), pcm("twin.flac"));
}
