//! Faults of the document, its tracks, buses, chains and mixes.

use mixdown_dsp::nodes::{Delay, Processor};
use mixdown_dsp::session::{Inspection, from_json, from_toml, load};

use super::{ASSETS, BUS, DELIVERABLE, HEAD, TRACK, body, bus, deliverable, track, unmark, whole};

#[test]
fn the_usual_parts_are_sound() {
    from_toml(&format!("{HEAD}{TRACK}{BUS}{DELIVERABLE}{ASSETS}")).unwrap();
}

#[test]
fn syntax_errors_have_a_place() {
    whole("version = 1\nsample_rate_hz = «= 3\n", &["syntax"]);
    whole("version = 1\ntitle = \"äöü\" «x\n", &["syntax"]);
    whole("version = 1\n«version = 1\nseed = 1\n«seed = 2\n", &["duplicate_key", "duplicate_key"]);
}

#[test]
fn unknown_fields_stand_at_their_key() {
    track("«fader = -3.0\n", &["unknown_field"]);
    track("inserts = [{ compressor = { «treshold_db = -3.0 } }]\n", &["unknown_field"]);
    body(&format!("{TRACK}[master]\n«pan = 0.0\n"), &["unknown_field"]);
    body(&format!("{TRACK}[«mastering]\n"), &["unknown_field"]);
}

#[test]
fn a_near_name_is_suggested() {
    let faults = from_toml(&format!("{HEAD}{TRACK}fader_bd = 1\n{DELIVERABLE}{ASSETS}")).unwrap_err();
    assert_eq!(faults.0[0].message, "unknown field \"fader_bd\"; did you mean \"fader_db\"?");
    assert_eq!(faults.0[0].pointer, "/tracks/0/fader_bd");
    let faults = from_toml(&format!("{HEAD}{TRACK}output = \"verb\"\n{BUS}{DELIVERABLE}{ASSETS}")).unwrap_err();
    assert_eq!(faults.0[0].message, "no bus is named \"verb\"; did you mean \"Verb\"?");
    assert_eq!(faults.0[0].expected, "one of \"Verb\", \"master\"");
}

#[test]
fn missing_fields_stand_at_their_table() {
    whole(&format!("«sample_rate_hz = 48000\n{TRACK}{DELIVERABLE}"), &["missing_field"]);
    body(&format!("{TRACK}«[[buses]]\n"), &["missing_field"]);
    track("inserts = [«{ bypass = true }]\n", &["missing_field"]);
    track("automation = [{ parameter = \"pan\", points = [«{ at = 0 }] }]\n", &["missing_field"]);
}

#[test]
fn wrong_types_stand_at_their_value() {
    track("fader_db = «\"-3 dB\"\n", &["wrong_type"]);
    track("mute = «1\n", &["wrong_type"]);
    track("sends = «\"Verb\"\n", &["wrong_type"]);
    track("inserts = [«3]\n", &["wrong_type"]);
    whole(&format!("version = 1\nsample_rate_hz = 48000\nend = «12.5\n{TRACK}{DELIVERABLE}"), &["wrong_type"]);
    whole(&format!("version = 1\nsample_rate_hz = 48000\nend = «1979-05-27\n{TRACK}{DELIVERABLE}"), &["wrong_type"]);
}

#[test]
fn values_out_of_range_stand_at_their_value() {
    track("fader_db = «24.5\n", &["out_of_range"]);
    track("pan = «-2\n", &["out_of_range"]);
    track("channels = «3\n", &["out_of_range"]);
    track("inserts = [{ compressor = { ratio = «0.5 } }]\n", &["out_of_range"]);
    whole(&format!("version = «2\nsample_rate_hz = «0\nend = 1\n{TRACK}{DELIVERABLE}"), &["out_of_range"; 2]);
    whole(
        &format!(
            "version = «99999999999999999999999999999999999999999999\nsample_rate_hz = 48000\nend = 1\n{TRACK}{DELIVERABLE}"
        ),
        &["out_of_range"],
    );
    whole(&format!("tempo_bpm = «5\npan_law_db = «-3.1\n{HEAD}{TRACK}{DELIVERABLE}"), &["out_of_range"; 2]);
    body("tracks = «[]\n", &["out_of_range"]);
}

#[test]
fn values_that_are_no_numbers_are_refused() {
    track("fader_db = «nan\n", &["not_finite"]);
    track("pan = «-inf\n", &["not_finite"]);
    track("inserts = [{ gain = { gain_db = «1e999 } }]\n", &["not_finite"]);
}

#[test]
fn words_and_patterns_are_checked() {
    track("sends = [{ to = \"Verb\", tap = «\"pre\" }]\n", &["unknown_value"]);
    track(
        "clips = [{ file = \"mono.wav\", at = «\"1 minute\" }]\n"
            .replace("clips", "sends = []\n[[tracks]]\nname = \"B\"\nclips")
            .as_str(),
        &["malformed"],
    );
    whole(
        &format!(
            "{HEAD}{TRACK}{DELIVERABLE}[assets.\"x.wav\"]\ndigest = «\"AF\"\nsize_bytes = 1\nframes = 1\nsample_rate_hz = 1\nchannels = 1\nlossy = false\n"
        ),
        &["malformed"],
    );
}

#[test]
fn what_cannot_be_automated_says_why() {
    for (insert, parameter, reason) in [
        ("compressor = {}", "compressor-1.lookahead_ms", "decides the latency"),
        ("limiter = {}", "limiter-1.lookahead_ms", "decides the latency"),
        ("clipper = {}", "clipper-1.oversampling", "decides the latency"),
        ("compressor = {}", "compressor-1.detection", "is a choice"),
        ("delay = {}", "delay-1.time_beats", "automate `time_ms`"),
        (
            "eq = { bands = [{ kind = \"high_pass\", frequency_hz = 80 }] }",
            "eq-1.bands.1.slope_db_per_octave",
            "sections",
        ),
        ("eq = { bands = [{ kind = \"high_pass\", frequency_hz = 80 }] }", "eq-1.bands.1.kind", "is a choice"),
        ("eq = { bands = [{ kind = \"high_pass\", frequency_hz = 80 }] }", "eq-1.bands.1.gain_db", "no use for it"),
        ("name = \"room\", convolution = { file = \"mono.wav\" }", "room.length_s", "transformed once"),
    ] {
        let marked = format!(
            "inserts = [{{ {insert} }}]\nautomation = [{{ parameter = «\"inserts.{parameter}\", points = [{{ at = 0, value = 2 }}] }}]\n"
        );
        track(&marked, &["not_automatable"]);
        let (text, _) = unmark(&format!("{HEAD}{TRACK}{marked}{BUS}{DELIVERABLE}{ASSETS}"));
        let message = from_toml(&text).unwrap_err().0[0].message.clone();
        assert!(message.contains("cannot be automated") && message.contains(reason), "{message}");
    }
}

#[test]
fn a_misspelt_processor_is_told_once() {
    track(
        "inserts = [{ «compresor = {} }]\nautomation = [{ parameter = \"inserts.compressor-1.ratio\", points = [{ at = 0, value = 2 }] }]\n",
        &["unknown_field"],
    );
}

#[test]
fn an_insert_holds_one_processor() {
    track("inserts = [{ gain = {}, «eq = {} }]\n", &["too_many"]);
}

#[test]
fn names_of_tracks_and_buses_are_unique_together() {
    body(&format!("{TRACK}[[tracks]]\nname = «\"Kick\"\n"), &["duplicate_name"]);
    body(&format!("{TRACK}[[buses]]\nname = «\"Kick\"\n"), &["duplicate_name"]);
    body(&format!("{TRACK}[[buses]]\nname = «\"\"\n[[buses]]\nname = «\"a\\u0000b\"\n"), &["bad_name"; 2]);
    body(&format!("{TRACK}[[buses]]\nname = «\"{}\"\n", "x".repeat(201)), &["bad_name"]);
    body(&format!("{TRACK}[[buses]]\nname = «\"master\"\n"), &["reserved_name"]);
    track("inserts = [{ name = \"a\", gain = {} }, { name = «\"a\", gain = {} }]\n", &["duplicate_name"]);
    track("inserts = [{ name = \"gain-2\", gain = {} }, «{ gain = {} }]\n", &["duplicate_name"]);
}

#[test]
fn dangling_names_are_found_everywhere() {
    track("output = «\"Nowhere\"\nsends = [{ to = «\"None\" }]\n", &["dangling_name"; 2]);
    track("output = «\"Kick\"\n", &["not_a_bus"]);
    track("automation = [{ parameter = «\"volume\", points = [{ at = 0, value = 0 }] }]\n", &["dangling_name"]);
    track(
        "automation = [{ parameter = «\"sends.Verb.gain_db\", points = [{ at = 0, value = 0 }] }]\n",
        &["dangling_name"],
    );
    track("inserts = [{ sidechain = «\"Bass\", compressor = {} }]\n", &["dangling_name"]);
    bus(
        "[[mixes]]\nname = \"main\"\nmute = [\"Verb\", «\"Bass\"]\nsolo = [«\"Gong\", «\"Verb\"]\nfader_offset_db = { Kick = 1, Snare = «1 }\n",
        &["dangling_name", "dangling_name", "not_a_track", "dangling_name"],
    );
    body(&format!("{TRACK}[loudness]\nintegrated_lufs = -14\nreference_mix = «\"Main\"\n"), &["dangling_name"]);
    deliverable("name = \"a\"\nmix = «\"Main\"\nformat = \"wav\"\ndepth = \"16\"\n", &["dangling_name"]);
    deliverable("name = \"a\"\nprint = «\"Snare\"\nformat = \"wav\"\ndepth = \"16\"\n", &["dangling_name"]);
}

#[test]
fn circles_are_told_with_the_way_around() {
    let text = format!(
        "{TRACK}[[buses]]\nname = \"A\"\noutput = «\"B\"\n[[buses]]\nname = \"B\"\nsends = [{{ to = \"A\" }}]\n"
    );
    body(&text, &["cycle"]);
    let (text, _) = unmark(&format!("{HEAD}{text}{DELIVERABLE}{ASSETS}"));
    let faults = from_toml(&text).unwrap_err();
    assert_eq!(faults.0[0].message, "buses feed each other in a circle: \"A\" → \"B\" → \"A\"");
    // A bus that keys another must come before it, and one that is fed must come after.
    body(
        &format!(
            "{TRACK}[[buses]]\nname = \"A\"\noutput = «\"B\"\ninserts = [{{ sidechain = \"B\", compressor = {{}} }}]\n[[buses]]\nname = \"B\"\n"
        ),
        &["cycle"],
    );
    body(&format!("{TRACK}[[buses]]\nname = \"A\"\noutput = «\"A\"\n"), &["cycle"]);
    body(
        "[[tracks]]\nname = \"A\"\ninserts = [{ sidechain = \"B\", compressor = {} }]\n[[tracks]]\nname = \"B\"\ninserts = [{ sidechain = «\"A\", compressor = {} }]\n",
        &["cycle"],
    );
    track("inserts = [{ sidechain = «\"Kick\", compressor = {} }]\n", &["cycle"]);
}

#[test]
fn side_chains_need_a_listener_and_a_stem() {
    track("inserts = [{ sidechain = «\"Kick\", bypass = true, gain = {} }]\n", &["no_sidechain"]);
    track("inserts = [{ sidechain = «\"Verb\", compressor = {} }]\n", &["not_a_track"]);
}

#[test]
fn lanes_rise_within_their_range() {
    let lane = |points: &str| format!("automation = [{{ parameter = \"fader_db\", points = [{points}] }}]\n");
    track(&lane("{ at = 5, value = 0 }, { at = «5, value = 1 }"), &["not_rising"]);
    track(&lane("{ at = \"1s\", value = 0 }, { at = «\"999ms\", value = «25 }"), &["not_rising", "out_of_range"]);
    track(&lane("{ at = 0, value = -6, curve = \"exponential\" }, { at = 1, value = «0 }"), &["bad_curve"]);
    track(&lane("{ at = 0, value = -6, curve = \"exponential\" }, { at = 1, value = «6 }"), &["bad_curve"]);
    track(&lane("{ at = «\"1 beat\", value = 0 }"), &["no_tempo"]);
    track(&lane("{ at = «\"90000s\", value = 0 }"), &["out_of_range"]);
    track(
        "automation = [{ parameter = \"pan\", points = [{ at = 0, value = 0 }] }, { parameter = «\"pan\", points = [{ at = 0, value = 0 }] }]\n",
        &["duplicate_name"],
    );
    track(
        "inserts = [{ name = \"c\", compressor = {} }]\nautomation = [{ parameter = \"inserts.c.ratio\", points = [{ at = 0, value = «0.5 }] }]\n",
        &["out_of_range"],
    );
    track(
        "inserts = [{ compressor = {} }]\nautomation = [{ parameter = «\"inserts.compressor-1.lookahead_ms\", points = [{ at = 0, value = 5 }] }]\n",
        &["not_automatable"],
    );
    body(
        &format!("{TRACK}[master]\nautomation = [{{ parameter = «\"pan\", points = [{{ at = 0, value = 0 }}] }}]\n"),
        &["dangling_name"],
    );
}

#[test]
fn clips_lie_within_their_files() {
    let clips = |clip: &str| format!("[[tracks]]\nname = \"A\"\nclips = [{{ {clip} }}]\n");
    body(&clips("file = \"mono.wav\", offset = «480000"), &["out_of_range"]);
    body(&clips("file = \"mono.wav\", length = «480001"), &["out_of_range"]);
    body(&clips("file = \"mono.wav\", length = «0"), &["out_of_range"]);
    body(&clips("file = \"mono.wav\", offset = 479999, length = «2"), &["out_of_range"]);
    body(&clips("file = \"mono.wav\", at = «\"86399s\""), &["out_of_range"]);
    body(&clips("file = \"mono.wav\", length = 10, fade_in = { length = «11 }"), &["out_of_range"]);
    body(&clips("file = \"mono.wav\", length = 10, fade_out = { length = «\"1s\" }"), &["out_of_range"]);
    body(&clips("file = «\"mono.flac\""), &["missing_asset"]);
    body(&clips("file = «\"six.wav\""), &["too_many_channels"]);
    body(
        &clips("file = «\"stereo.wav\" }], channels = 1, inserts = [{ gain = {}")
            .replace("}], ", "}]\n")
            .replace("1, ", "1\n"),
        &["stereo_on_mono"],
    );
    // 441000 frames at 44100 Hz are 480000 at 48000 Hz.
    body(&clips("file = \"stereo.wav\", length = «480001"), &["out_of_range"]);
}

#[test]
fn parameters_fit_the_sample_rate() {
    track(
        "inserts = [{ eq = { bands = [{ kind = \"bell\", frequency_hz = «24000 }, { kind = \"low_pass\", frequency_hz = 100, slope_db_per_octave = «7 }] } }]\n",
        &["bad_parameter"; 2],
    );
}

#[test]
fn mixes_have_names_of_their_own_and_offsets_in_range() {
    body(
        &format!(
            "{TRACK}[[mixes]]\nname = \"main\"\n[[mixes]]\nname = «\"main\"\nfader_offset_db = {{ Kick = «25 }}\n"
        ),
        &["duplicate_name", "out_of_range"],
    );
    body(
        &format!(
            "{TRACK}[[mixes]]\nname = \"main\"\n[[mixes]]\nname = \"dry\"\nmaster_chain = false\n[loudness]\nintegrated_lufs = -14\nreference_mix = «\"dry\"\n"
        ),
        &["bad_reference"],
    );
}

#[test]
fn a_session_has_a_length() {
    whole(
        &format!("version = 1\nsample_rate_hz = 48000\n«[[tracks]]\nname = \"A\"\n{DELIVERABLE}"),
        &["empty_session"],
    );
    whole(&format!("version = 1\nsample_rate_hz = 48000\nend = «0\n{TRACK}{DELIVERABLE}"), &["empty_session"]);
}

#[test]
fn faults_of_every_kind_are_told_in_one_run() {
    whole(
        "version = 1\nsample_rate_hz = «47000\nend = «\"1 beat\"\n[[tracks]]\nname = \"Kick\"\nfader_db = «99\n«fadr = 1\noutput = «\"Verbb\"\nclips = [{ file = «\"gone.wav\" }]\n[[buses]]\nname = \"Verb\"\n[[deliverables]]\nname = «\"../x\"\nmix = «\"man\"\nformat = «\"wma\"\ndepth = \"24\"\n",
        &[
            "out_of_range",
            "no_tempo",
            "out_of_range",
            "unknown_field",
            "dangling_name",
            "missing_asset",
            "bad_file_name",
            "dangling_name",
            "unknown_value",
        ],
    );
}

#[test]
fn faults_on_the_wire_are_pointers() {
    let faults = from_json(
        r#"{"version":1,"sample_rate_hz":48000,"end":1,"tracks":[{"name":"A","fader_db":99}],"deliverables":[]}"#,
    )
    .unwrap_err();
    let found: Vec<_> = faults.0.iter().map(|f| (f.code, f.pointer.as_str(), f.line)).collect();
    assert_eq!(found[..2], [("out_of_range", "/tracks/0/fader_db", 0), ("out_of_range", "/deliverables", 0)]);
    let faults = from_json("{\"version\":1,\n \"version\":1}").unwrap_err();
    assert_eq!((faults.0[0].code, faults.0[0].line, faults.0[0].column), ("duplicate_key", 2, 2));
    let faults = from_json("{\"version\":1,\n \"ä\" 1}").unwrap_err();
    assert_eq!((faults.0[0].code, faults.0[0].line, faults.0[0].column), ("syntax", 2, 6));
}

#[test]
fn ten_million_tracks_are_refused_with_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.json");
    std::fs::write(&path, format!("{{\"tracks\":[{}1]}}", "{},".repeat(10_000_000))).unwrap();
    let faults = load(&path, Inspection::Digests).unwrap_err();
    assert_eq!(faults.0[0].code, "too_large");
    assert!(faults.0[0].expected.contains("16 MiB") && faults.0[0].expected.contains("1024 tracks"), "{faults}");
    // As many as fit a document: the limit of the list is told, and nothing else is searched.
    let mut text = format!(
        "{{\"version\":1,\"sample_rate_hz\":48000,\"deliverables\":[],\"tracks\":[{}{{}}]}}",
        "{},".repeat(5_000_000)
    );
    let faults = from_json(&text).unwrap_err();
    assert_eq!(faults.0.len(), 2, "{faults}");
    assert_eq!(faults.0[1].expected, "a list of 1 to 1024");
    text = text.replace("{}", "{]");
    assert_eq!(from_json(&text).unwrap_err().0[0].code, "syntax");
}

#[test]
fn a_delay_in_beats_needs_a_tempo_and_a_time_it_can_reach() {
    let insert = "inserts = [{ delay = { time_beats = «0.75 } }]\n";
    track(insert, &["no_tempo"]);
    let tempo = |bpm: &str| format!("tempo_bpm = {bpm}\n{HEAD}{TRACK}{insert}{BUS}{DELIVERABLE}");
    let session = from_toml(&format!("{}{ASSETS}", tempo("120").replace('«', ""))).unwrap();
    let Processor::Delay(delay) = &session.tracks[0].inserts[0].processor else { panic!("a delay") };
    // Keys know milliseconds alone: the same time said in beats or not has one key.
    assert_eq!(*delay, Delay { time_ms: 375.0, ..Delay::default() });
    whole(&tempo("120").replace("0.75", "12"), &["out_of_range"]);
    track("inserts = [{ delay = { time_beats = «0.001 } }]\n", &["out_of_range"]);
}

#[test]
fn impulse_responses_are_mono_stereo_or_true_stereo_and_at_most_30_s() {
    let room = |convolution: &str| format!("inserts = [{{ convolution = {convolution} }}]\n");
    from_toml(&format!("{HEAD}{TRACK}{}{BUS}{DELIVERABLE}{ASSETS}", room("{ file = \"stereo.wav\" }"))).unwrap();
    track(&room("«{}"), &["missing_field"]);
    track(&room("{ file = «\"\" }"), &["missing_field"]);
    track(&room("{ file = «\"none.wav\" }"), &["missing_asset"]);
    track(&room("{ file = «\"six.wav\" }"), &["too_many_channels"]);
    track(&room("{ file = «\"long.wav\" }"), &["out_of_range"]);
    bus(&room("{ file = «\"long.wav\" }"), &["out_of_range"]);
    track(&room("{ file = \"mono.wav\", predelay_ms = «501 }"), &["out_of_range"]);
}

#[test]
fn a_session_file_that_cannot_be_read_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(load(&folder.path().join("none.toml"), Inspection::Digests).unwrap_err().0[0].code, "missing_file");
    assert_eq!(load(folder.path(), Inspection::Digests).unwrap_err().0[0].code, "unreadable_file");
    let path = folder.path().join("latin.toml");
    std::fs::write(&path, b"version = 1 # \xe9").unwrap();
    assert_eq!(load(&path, Inspection::Digests).unwrap_err().0[0].code, "not_utf8");
}
