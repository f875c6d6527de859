//! The command line: help, exit codes, errors for people and for programs.

mod support;

use support::{command, run};

const COMMANDS: [&[&str]; 28] = [
    &["render"],
    &["check"],
    &["schema"],
    &["presets"],
    &["plot"],
    &["analyze"],
    &["serve"],
    &["coordinator"],
    &["worker"],
    &["submit"],
    &["completions"],
    &["jobs"],
    &["jobs", "list"],
    &["jobs", "show"],
    &["jobs", "watch"],
    &["jobs", "cancel"],
    &["jobs", "retry"],
    &["workers"],
    &["workers", "list"],
    &["workers", "drain"],
    &["projects", "list"],
    &["projects", "set"],
    &["limits", "list"],
    &["limits", "set"],
    &["limits", "remove"],
    &["tokens", "create"],
    &["tokens", "list"],
    &["tokens", "revoke"],
];

#[test]
fn every_command_has_help_that_shows_an_example() {
    for path in COMMANDS {
        let ran = run(&[path, &["--help"]].concat()).expect_code(0);
        assert!(ran.stdout.contains("Usage: mixdown"), "{path:?}:\n{}", ran.stdout);
        assert!(ran.stdout.contains("Example"), "{path:?} shows no example:\n{}", ran.stdout);
        assert_eq!(ran.stderr, "", "{path:?}");
    }
}

#[test]
fn bad_usage_ends_with_two_and_says_what_was_expected() {
    for arguments in [
        &["no-such-command"][..],
        &["render"],
        &["render", "song.toml"],
        &["render", "song.toml", "--out", "x", "--threads", "0"],
        &["render", "song.toml", "--out", "x", "--block-frames", "65537"],
        &["analyze"],
        &["submit", "song.toml", "--priority", "soon"],
        &["submit", "song.toml", "--out", "masters"],
        &["submit", "song.toml", "--wait", "--timeout", "later"],
        &["jobs"],
        &["jobs", "show"],
        &["completions", "tcsh-ish"],
    ] {
        let ran = run(arguments).expect_code(2);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(ran.stderr.contains("Usage:") || ran.stderr.contains("error"), "{arguments:?}:\n{}", ran.stderr);
    }
}

#[test]
fn bad_usage_is_json_when_asked_for() {
    let ran = run(&["render", "--json"]).expect_code(2);
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "usage");
    assert_eq!(error["exit_code"], 2);
    assert!(error["message"].as_str().unwrap().contains("--out"));
}

#[test]
fn an_unreachable_coordinator_is_told_with_code_and_remedy() {
    // Port 9 of the loopback (discard) answers on no machine that tests run on.
    let ran = run(&["jobs", "list", "--coordinator", "http://127.0.0.1:9"]).expect_code(1);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("coordinator_unreachable") && ran.stderr.contains("mixdown serve"), "{}", ran.stderr);

    let ran = run(&["jobs", "list", "--json", "--coordinator", "http://127.0.0.1:9"]).expect_code(1);
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "coordinator_unreachable");
    assert_eq!(error["exit_code"], 1);
    assert!(error["remedy"].as_str().unwrap().contains("mixdown serve"));
    assert!(!error["causes"].as_array().unwrap().is_empty());
}

#[test]
fn an_address_that_is_none_is_bad_usage() {
    for url in ["ftp://farm", "farm", "http://", "http://[::1"] {
        let ran = run(&["jobs", "list", "--coordinator", url]).expect_code(2);
        assert!(ran.stderr.contains("bad_url"), "{url}:\n{}", ran.stderr);
    }
}

#[test]
fn completions_name_the_commands_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&["completions", shell]).expect_code(0);
        for name in ["render", "analyze", "submit"] {
            assert!(ran.stdout.contains(name), "{shell} does not complete {name}");
        }
    }
}

#[test]
fn nothing_is_coloured_off_a_terminal() {
    for arguments in [&["--help"][..], &["render"], &["jobs", "list", "--coordinator", "http://127.0.0.1:9"]] {
        let ran = run(arguments);
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = command().args(["completions", "bash"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
