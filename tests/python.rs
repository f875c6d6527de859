//! A client in another language, on the protos alone.

mod support;

use std::process::Command;

use support::command::render;
use support::farm::Farm;
use support::fixture::Fixture;
use support::{assert_same_files, files};

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_submits_a_session_and_downloads_the_masters() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let python = format!("{root}/.cache/python/bin/python");
    let fixture = Fixture::new(1.5);
    let session = fixture.write();
    let farm = Farm::start(1).await;
    let out = tempfile::tempdir().unwrap();
    let client = Command::new(&python)
        .arg(format!("{root}/tests/client.py"))
        .arg(farm.url().trim_start_matches("http://"))
        .args([&session, &out.path().to_path_buf()])
        .output()
        .unwrap_or_else(|error| panic!("{python}: {error}; `make test` installs it"));
    assert!(client.status.success(), "{}\n{}", String::from_utf8_lossy(&client.stderr), farm.log());
    let fresh = tempfile::tempdir().unwrap();
    render(&session, fresh.path(), &[]);
    assert_same_files(&files(out.path()), &files(fresh.path()), "the Python client's masters");
}
