//! What a sound document becomes: times in frames, names resolved, lengths by the rule of tails.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::node::Parameters;
use mixdown_dsp::nodes::Delay;
use mixdown_dsp::session::document::{Depth, FadeCurve, Format, Tap};
use mixdown_dsp::session::valid::{Content, KeySource, Output};
use mixdown_dsp::session::{ValidSession, from_json, from_toml, schema, to_json};

const ASSETS: &str = include_str!("session_assets.toml");

/// A session that uses every part of the document.
const FULL: &str = include_str!("session_full.toml");

fn full() -> ValidSession {
    from_toml(&format!("{FULL}{ASSETS}")).unwrap()
}

#[test]
fn times_become_frames_and_names_indices() {
    let session = full();
    let kick = &session.tracks[0];
    let clip = &kick.clips[0];
    assert_eq!((clip.at_frames, clip.offset_frames, clip.length_frames), (48_000, 24_000, 96_000));
    assert_eq!(clip.fade_in, Some((480, FadeCurve::SCurve)));
    assert_eq!(clip.fade_out, Some((480, FadeCurve::EqualPower)));
    assert_eq!(session.assets[clip.asset].name, "mono.wav");
    assert_eq!(kick.strip.output, Output::Bus(0));
    assert_eq!((kick.strip.sends[0].to, kick.strip.sends[0].tap), (1, Tap::PreFader));
    assert_eq!(session.tracks[1].strip.output, Output::Master);
    assert_eq!(session.buses[1].strip.output, Output::Master);
    assert_eq!(session.loudness.as_ref().unwrap().reference_mix, 0);
    assert_eq!((session.pan_law_db, session.seed), (-4.5, 7));
}

#[test]
fn only_files_that_clips_play_are_assets_by_name() {
    let names: Vec<_> = full().assets.iter().map(|asset| asset.name.clone()).collect();
    assert_eq!(names, ["mono.wav", "stereo.wav"]);
}

#[test]
fn channels_follow_the_clips_and_the_chain() {
    let text = r#"
        version = 1
        sample_rate_hz = 48000
        tracks = [
            { name = "mono", clips = [{ file = "mono.wav" }] },
            { name = "stereo", clips = [{ file = "mono.wav" }, { file = "stereo.wav" }] },
            { name = "wide", clips = [{ file = "mono.wav" }], inserts = [{ reverb = {} }] },
            { name = "bypassed", clips = [{ file = "mono.wav" }], inserts = [{ bypass = true, reverb = {} }] },
            { name = "asked", channels = 2, clips = [{ file = "mono.wav" }] },
            { name = "empty" },
        ]
        deliverables = [{ name = "x", mix = "main", format = "wav", depth = "16" }]
    "#;
    let session = from_toml(&format!("{text}{ASSETS}")).unwrap();
    let channels: Vec<_> = session.tracks.iter().map(|track| (track.channels, track.stem_channels)).collect();
    assert_eq!(channels, [(1, 1), (2, 2), (1, 2), (1, 1), (2, 2), (1, 1)]);
    assert_eq!(session.tracks[5].stem_frames, 0);
}

#[test]
fn bypassed_inserts_are_left_out_and_unnamed_ones_named_by_place() {
    let session = full();
    let names: Vec<_> = session.tracks[0].inserts.iter().map(|insert| insert.name.as_str()).collect();
    assert_eq!(names, ["tone", "compressor-3"]);
    assert_eq!(session.master.inserts[0].name, "glue");
}

#[test]
fn lanes_belong_to_their_parameter() {
    let session = full();
    let kick = &session.tracks[0];
    assert_eq!(kick.strip.fader_db, Lane::constant(-3.0));
    assert_eq!(kick.strip.pan, Lane::constant(-0.5));
    let knots = [
        Knot { frame: 48_000, value: -12.0, curve: Curve::Linear },
        Knot { frame: 96_000, value: -6.0, curve: Curve::Hold },
    ];
    assert_eq!(kick.strip.sends[0].gain_db.knots(), knots);
    let tone = &kick.inserts[0];
    assert_eq!(tone.lanes.len(), 1);
    let specs = tone.processor.parameters().specs();
    assert_eq!(specs[tone.lanes[0].parameter].name, "bands.2.gain_db");
    assert!(kick.inserts[1].lanes.is_empty());
    assert_eq!(session.master.fader_db, Lane::constant(-1.0));
}

#[test]
fn keys_come_from_stems_and_on_buses_from_buses_too() {
    let session = full();
    assert_eq!(session.tracks[1].inserts[0].sidechain, Some(KeySource::Track(0)));
    assert_eq!(session.buses[2].inserts[0].sidechain, Some(KeySource::Bus(1)));
    assert_eq!(session.master.inserts[0].sidechain, Some(KeySource::Bus(0)));
}

#[test]
fn buses_come_after_all_that_feed_or_key_them() {
    assert_eq!(full().bus_order, [0, 1, 2]);
    let text = r#"
        version = 1
        sample_rate_hz = 48000
        end = 1
        tracks = [{ name = "t" }]
        buses = [
            { name = "a", inserts = [{ sidechain = "c", compressor = {} }] },
            { name = "b", output = "a" },
            { name = "c", sends = [{ to = "b" }] },
        ]
        deliverables = [{ name = "x", mix = "main", format = "wav", depth = "16" }]
    "#;
    assert_eq!(from_toml(text).unwrap().bus_order, [2, 1, 0]);
}

#[test]
fn mixes_say_who_sounds() {
    let session = full();
    let [full, kick] = session.mixes.as_slice() else { panic!("two mixes") };
    assert_eq!((full.track_sounds.as_slice(), full.bus_sounds.as_slice()), (&[true, false][..], &[true; 3][..]));
    // Solo does not open what the strip itself mutes, and leaves buses alone.
    assert_eq!(
        (kick.track_sounds.as_slice(), kick.bus_sounds.as_slice()),
        (&[true, false][..], &[true, false, true][..])
    );
    assert_eq!(
        (kick.track_offset_db.as_slice(), kick.bus_offset_db.as_slice()),
        (&[1.5, 0.0][..], &[0.0, 0.0, -2.0][..])
    );
    assert!(full.master_chain && !kick.master_chain);
}

#[test]
fn deliverables_carry_their_extension_and_rate() {
    let session = full();
    let [song, kick] = session.deliverables.as_slice() else { panic!("two deliverables") };
    assert_eq!(
        (song.file_name.as_str(), song.content, song.sample_rate_hz),
        ("Song (Master).flac", Content::Mix(0), 44_100)
    );
    assert_eq!((kick.file_name.as_str(), kick.content, kick.sample_rate_hz), ("Kick.wav", Content::Print(0), 48_000));
    assert_eq!((kick.format, kick.depth), (Format::Wav, Depth::Float32));
}

/// A session of one clip of a second and a delay of 1 s without feedback in each chain named; the tail of each delay.
fn delayed(track: bool, bus: bool, master: bool) -> (ValidSession, u64) {
    let delay = "inserts = [{ delay = { time_ms = 1000, feedback = 0 } }]";
    let insert = |on: bool| if on { delay } else { "" };
    let text = format!(
        "version = 1\nsample_rate_hz = 48000\n[[tracks]]\nname = \"t\"\noutput = \"b\"\n\
         clips = [{{ file = \"mono.wav\", at = 1000, length = \"1s\" }}]\n{}\n[[buses]]\nname = \"b\"\n{}\n\
         [master]\n{}\n[[deliverables]]\nname = \"x\"\nmix = \"main\"\nformat = \"wav\"\ndepth = \"16\"\n{ASSETS}",
        insert(track),
        insert(bus),
        insert(master),
    );
    let parameters = Delay { time_ms: 1000.0, feedback: 0.0, ..Delay::default() };
    (from_toml(&text).unwrap(), parameters.tail_frames(48_000))
}

#[test]
fn a_session_lasts_until_its_longest_tail_is_over() {
    let clips_end = 1000 + 48_000;
    let (plain, tail) = delayed(false, false, false);
    assert_eq!((plain.length_frames, plain.tracks[0].stem_frames), (clips_end, clips_end));
    // The session's tail is rounded up to whole seconds, a stem's is not.
    let seconds = |tail: u64| tail.div_ceil(48_000) * 48_000;
    let (session, _) = delayed(true, true, true);
    assert_eq!(session.length_frames, clips_end + seconds(3 * tail));
    assert_eq!(session.tracks[0].stem_frames, clips_end + tail);
    let (session, _) = delayed(false, true, false);
    assert_eq!((session.length_frames, session.tracks[0].stem_frames), (clips_end + seconds(tail), clips_end));
}

#[test]
fn no_tail_counts_more_than_thirty_seconds_and_the_end_may_be_named() {
    let with = |line: &str| {
        let text = format!(
            "version = 1\nsample_rate_hz = 48000\n{line}\n[[tracks]]\nname = \"t\"\nclips = [{{ file = \"mono.wav\" }}]\n\
             inserts = [{{ reverb = {{ decay_s = 20 }} }}]\n[[deliverables]]\nname = \"x\"\nmix = \"main\"\n\
             format = \"wav\"\ndepth = \"16\"\n{ASSETS}"
        );
        from_toml(&text).unwrap()
    };
    assert_eq!(with("").length_frames, (10 + 30) * 48_000);
    assert_eq!(with("end = \"5s\"").length_frames, 5 * 48_000);
    assert_eq!(with("end = \"5s\"").tracks[0].stem_frames, 40 * 48_000);
}

#[test]
fn an_automated_tail_is_as_long_as_its_longest_knot() {
    let with = |feedback: f64, line: &str| {
        let text = format!(
            "version = 1\nsample_rate_hz = 48000\n[[tracks]]\nname = \"t\"\nclips = [{{ file = \"mono.wav\" }}]\n\
             inserts = [{{ name = \"d\", delay = {{ time_ms = 100, feedback = {feedback} }} }}]\n{line}\n\
             [[deliverables]]\nname = \"x\"\nmix = \"main\"\nformat = \"wav\"\ndepth = \"16\"\n{ASSETS}"
        );
        from_toml(&text).unwrap().length_frames
    };
    let lane = "automation = [{ parameter = \"inserts.d.feedback\", points = [{ at = 0, value = 0 }, { at = 9, value = 0.8 }] }]";
    assert_eq!(with(0.3, lane), with(0.8, ""));
}

#[test]
fn toml_and_json_give_the_same_session() {
    let session = full();
    let json = to_json(&session.document);
    assert_eq!(from_json(&json).unwrap(), session);
    assert_eq!(to_json(&from_json(&json).unwrap().document), json, "canonical JSON reads back as itself");
    assert!(!json.contains("\": ") && !json.contains(", \"") && !json.contains('\n'), "{json}");
    // The order of fields and the way numbers are written do not matter.
    let shuffled: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(to_json(&from_json(&format!("{shuffled:#}")).unwrap().document), json);
}

#[test]
fn the_schema_has_a_title_and_describes_every_field() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    assert_eq!(schema["title"], "Mixdown session");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let definitions = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for definition in definitions {
        for (name, field) in definition["properties"].as_object().into_iter().flatten() {
            let description = field["description"].as_str().unwrap_or_else(|| panic!("{name} has no description"));
            assert!(!description.contains(['\n', '[']), "{name}: {description}");
        }
    }
    assert_eq!(schema["properties"]["sample_rate_hz"]["enum"][0], 44_100);
    assert_eq!(schema["$defs"]["Strip"], serde_json::Value::Null, "the strip is part of tracks and buses");
}

#[test]
fn a_hundred_thousand_points_read_back_the_same() {
    let mut text = String::from("version = 1\nsample_rate_hz = 48000\n");
    for track in 0..22 {
        let points: String = (0..5000).map(|at| format!("{{ at = {at}, value = -{}.7 }}, ", at % 60)).collect();
        text += &format!(
            "[[tracks]]\nname = \"t{track}\"\nclips = [{{ file = \"mono.wav\" }}]\n\
             automation = [{{ parameter = \"fader_db\", points = [{points}] }}]\n"
        );
    }
    text += "[[deliverables]]\nname = \"x\"\nmix = \"main\"\nformat = \"wav\"\ndepth = \"16\"\n";
    let session = from_toml(&format!("{text}{ASSETS}")).unwrap();
    assert_eq!(session.tracks[21].strip.fader_db.knots().len(), 5000);
    assert_eq!(from_json(&to_json(&session.document)).unwrap(), session);
}
