//! Faults of the files asked for, and of what is written into them.

use mixdown_dsp::session::from_toml;

use super::{ASSETS, DELIVERABLE, HEAD, TRACK, body, deliverable, whole};

#[test]
fn a_shaped_dither_is_refused_beside_its_rate_and_its_depth() {
    let asked = |rest: &str| format!("name = \"a\"\nmix = \"main\"\nformat = \"wav\"\n{rest}\n");
    for curve in ["lipshitz_5", "wannamaker_9"] {
        deliverable(&asked(&format!("depth = \"16\"\ndither = «\"{curve}\"")), &["unsupported"]);
        deliverable(
            &asked(&format!("depth = \"24\"\nsample_rate_hz = 44100\ndither = «\"{curve}\"")),
            &["unsupported"],
        );
        let fits = asked(&format!("depth = \"16\"\nsample_rate_hz = 44100\ndither = \"{curve}\""));
        from_toml(&format!("{HEAD}{TRACK}[[deliverables]]\n{fits}{ASSETS}")).unwrap();
    }
    deliverable(&asked("depth = \"32f\"\ndither = «\"threshold_9\""), &["unsupported"]);
    deliverable(&asked("depth = \"16\"\nsample_rate_hz = 96000\ndither = «\"threshold_9\""), &["unsupported"]);
    let fits = asked("depth = \"16\"\ndither = \"threshold_9\"");
    from_toml(&format!("{HEAD}{TRACK}[[deliverables]]\n{fits}{ASSETS}")).unwrap();
    deliverable(&asked("depth = \"16\"\ndither = «\"shibata\""), &["unknown_value"]);
}

#[test]
fn deliverables_have_safe_names_of_their_own() {
    let named = |name: &str| format!("name = «\"{name}\"\nmix = \"main\"\nformat = \"wav\"\ndepth = \"16\"\n");
    for name in ["", " ", ".", "..", ".hidden", "../up", "a/b", "a\\\\b", "a\\u0007"] {
        deliverable(&named(name), &["bad_file_name"]);
    }
    deliverable(&named(&"x".repeat(201)), &["bad_file_name"]);
    deliverable(&named(&"ä".repeat(121)), &["bad_file_name"]);
    deliverable(&format!("{}[[deliverables]]\n{}", named("Mix").replace('«', ""), named("mix")), &["duplicate_name"]);
}

#[test]
fn deliverables_hold_one_thing_in_a_format_that_can() {
    deliverable("name = \"a\"\nmix = \"main\"\nprint = «\"Kick\"\nformat = \"wav\"\ndepth = \"16\"\n", &["too_many"]);
    whole(
        &format!("{HEAD}{TRACK}«[[deliverables]]\nname = \"a\"\nformat = \"wav\"\ndepth = \"16\"\n"),
        &["missing_field"],
    );
    deliverable("name = \"a\"\nmix = \"main\"\nformat = \"flac\"\ndepth = «\"32f\"\n", &["unsupported"]);
    deliverable(
        "name = \"a\"\nmix = \"main\"\nformat = \"wav\"\ndepth = \"16\"\nsample_rate_hz = «50000\n",
        &["out_of_range"],
    );
    deliverable(
        "name = \"a\"\nmix = \"main\"\nformat = \"wav\"\ndepth = \"16\"\nsample_rate_hz = «0\n",
        &["out_of_range"],
    );
}

#[test]
fn lossy_files_ask_of_their_encoder_what_it_has() {
    for format in ["\"opus\"", "\"vorbis\""] {
        deliverable(&format!("name = \"a\"\nmix = \"main\"\nformat = {format}"), &[]);
        deliverable(&format!("name = \"a\"\nmix = \"main\"\nformat = {format}\ndepth = «\"16\""), &["unsupported"]);
    }
    let opus = |rest: &str, codes: &[&str]| {
        deliverable(&format!("name = \"a\"\nmix = \"main\"\nformat = \"opus\"\n{rest}"), codes);
    };
    opus("bitrate_kbps = 6\nbitrate_mode = \"cbr\"\nsample_rate_hz = 48000", &[]);
    opus("bitrate_kbps = «5", &["out_of_range"]);
    opus("bitrate_kbps = «511", &["out_of_range"]);
    opus("quality = «3.0", &["unsupported"]);
    opus("bitrate_kbps = 96\nquality = «3.0", &["too_many"]);
    opus("sample_rate_hz = «44100", &["unsupported"]);
    opus("sample_rate_hz = «22050", &["out_of_range"]);
    opus("bitrate_mode = «\"abr\"", &["unknown_value"]);
    opus("keep_ceiling_decoded = «true", &["unsupported"]);
    let vorbis = |rest: &str, codes: &[&str]| {
        deliverable(&format!("name = \"a\"\nmix = \"main\"\nformat = \"vorbis\"\n{rest}"), codes);
    };
    vorbis("quality = -1.0\nsample_rate_hz = 192000", &[]);
    vorbis("quality = «10.5", &["out_of_range"]);
    vorbis("bitrate_kbps = «128", &["unsupported"]);
    vorbis("bitrate_mode = «\"cbr\"", &["unsupported"]);
    let limited = "[loudness]\nintegrated_lufs = -14.0\n[[deliverables]]\nname = \"b\"\n";
    opus(&format!("{limited}mix = \"main\"\nformat = \"opus\"\nkeep_ceiling_decoded = true"), &[]);
    opus(&format!("{limited}print = \"Kick\"\nformat = \"opus\"\nkeep_ceiling_decoded = «true"), &["unsupported"]);
}

#[test]
fn lossless_files_have_a_depth_and_nothing_of_an_encoder() {
    let flac = |rest: &str, codes: &[&str]| {
        deliverable(&format!("name = \"a\"\nmix = \"main\"\nformat = \"flac\"\ndepth = \"16\"\n{rest}"), codes);
    };
    flac("", &[]);
    flac("bitrate_kbps = «320", &["unsupported"]);
    flac("bitrate_mode = «\"cbr\"", &["unsupported"]);
    flac("quality = «5.0", &["unsupported"]);
    flac("keep_ceiling_decoded = «true", &["unsupported"]);
}

#[test]
fn aac_is_refused_and_mp3_where_it_is_not_built_in() {
    deliverable("name = \"a\"\nmix = \"main\"\nformat = «\"aac\"", &["unsupported"]);
    let built_in = cfg!(feature = "mp3");
    let mp3 = |rest: &str, codes: &[&str]| {
        if built_in {
            deliverable(&format!("name = \"a\"\nmix = \"main\"\nformat = \"mp3\"\n{rest}"), codes);
        }
    };
    if !built_in {
        let mp3 = "name = \"a\"\nmix = \"main\"\nformat = \"mp3\"";
        deliverable(&mp3.replace("\"mp3\"", "«\"mp3\""), &["unsupported"]);
        let refused = from_toml(&format!("{HEAD}{TRACK}[[deliverables]]\n{mp3}\n{ASSETS}")).unwrap_err().to_string();
        assert!(refused.contains("LAME is under the LGPL: build it with `--features mp3`"), "{refused}");
    }
    mp3("", &[]);
    mp3("bitrate_kbps = 128\nsample_rate_hz = 44100", &[]);
    mp3("quality = 0.0\nbitrate_mode = \"vbr\"", &[]);
    mp3("bitrate_kbps = «127", &["out_of_range"]);
    mp3("quality = «2.5", &["out_of_range"]);
    mp3("quality = «10.0", &["out_of_range"]);
    mp3("quality = 2.0\nbitrate_mode = «\"cbr\"", &["unsupported"]);
    mp3("bitrate_kbps = 128\nbitrate_mode = «\"vbr\"", &["unsupported"]);
    mp3("sample_rate_hz = «96000", &["unsupported"]);
}

#[test]
fn codes_in_the_metadata_are_checked() {
    let metadata = |line: &str| body(&format!("{TRACK}[metadata]\n{line}\n"), &["malformed"]);
    for isrc in ["QZABC260001", "qzABC2600001", "1ZABC2600001", "QZ-ABC-26-00001"] {
        metadata(&format!("isrc = «\"{isrc}\""));
    }
    metadata("upc = «\"12345\"");
    metadata("title = «\"\"");
    metadata(&format!("artist = «\"{}\"", "x".repeat(501)));
    body(&format!("{TRACK}[metadata]\nupc = «\"6291041500214\"\n"), &["check_digit"]);
    body(&format!("{TRACK}[metadata]\ntrack_number = «0\nyear = «26\n"), &["out_of_range"; 2]);
    for field in ["album_artist", "genre", "label", "copyright", "comment"] {
        metadata(&format!("{field} = «\" \""));
    }
    body(&format!("{TRACK}[metadata]\ntrack_number = 3\ntrack_total = «2\n"), &["out_of_range"]);
    body(&format!("{TRACK}[metadata]\ndisc_total = «2\n"), &["missing_field"]);
    body(&format!("{TRACK}[metadata]\ncover = «\"cover.png\"\n"), &["missing_asset"]);
}

#[test]
fn broadcast_fields_fit_their_chunk_and_dates_are_there() {
    let broadcast = |line: &str, code| body(&format!("{TRACK}[broadcast]\n{line}\n"), &[code]);
    broadcast(&format!("description = «\"{}\"", "x".repeat(257)), "malformed");
    broadcast(&format!("originator = «\"{}\"", "x".repeat(33)), "malformed");
    broadcast("originator_reference = «\"Étoile\"", "malformed");
    broadcast("project = «\" \"", "malformed");
    for date in ["26-11-24", "2026/11/24", "2026-1-2"] {
        broadcast(&format!("origination_date = «\"{date}\""), "malformed");
    }
    for date in ["2026-02-29", "2026-04-31", "2026-13-01", "2026-00-10", "1900-02-29"] {
        broadcast(&format!("origination_date = «\"{date}\""), "out_of_range");
    }
    broadcast("origination_time = «\"24:00:00\"", "malformed");
    broadcast("time_reference = «\"90000s\"", "out_of_range");
    let good = "origination_date = \"2028-02-29\"\norigination_time = \"23:59:59\"\ntime_reference = \"36000s\"";
    let text = format!("{HEAD}{TRACK}[broadcast]\n{good}\n{DELIVERABLE}{ASSETS}");
    assert_eq!(from_toml(&text).unwrap().time_reference_frames, 36_000 * 48_000);
}

#[test]
fn an_aiff_that_would_reach_4_gib_is_refused() {
    let deliver = |format: &str, depth: &str| {
        let head = HEAD.replace("20s", "15000s");
        format!("{head}{TRACK}[[deliverables]]\nname = \"x\"\nmix = \"main\"\nformat = {format}\ndepth = {depth}\n")
    };
    whole(&deliver("«\"aiff\"", "\"24\""), &["out_of_range"]);
    for (format, depth) in [("\"aiff\"", "\"16\""), ("\"bwf\"", "\"24\""), ("\"wav\"", "\"32f\"")] {
        assert!(from_toml(&format!("{}{ASSETS}", deliver(format, depth))).is_ok(), "{format} {depth}");
    }
}
