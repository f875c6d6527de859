//! Bad input and bad surroundings: each gets its code, its exit code and its place, and nothing is left half done.

mod support;

use std::path::Path;
use std::process::Command;

use mixdown_coordinator::private_postgres::{Options, PrivatePostgres};
use serde_json::{Value, json};
use support::command::{Ran, ran, run};
use support::fixture::Fixture;
use support::{files, find};

/// The codes that `check --json` gives.
fn codes(fixture: &Fixture) -> Vec<String> {
    let ran = run([Path::new("check"), Path::new("--json"), &fixture.write()]);
    assert_eq!(ran.code, 2, "{ran:?}");
    faults(&ran.json())
}

fn faults(answer: &Value) -> Vec<String> {
    let faults = answer["faults"].as_array().or_else(|| answer["error"]["faults"].as_array());
    let faults = faults.unwrap_or_else(|| panic!("no faults in {answer}"));
    faults.iter().map(|fault| fault["code"].as_str().expect("a fault has a code").to_owned()).collect()
}

fn edited(edit: impl FnOnce(&mut Fixture)) -> Vec<String> {
    let mut fixture = Fixture::new(1.0);
    edit(&mut fixture);
    codes(&fixture)
}

fn write(fixture: &Fixture, name: &str, bytes: &[u8]) {
    std::fs::write(fixture.folder().join(name), bytes).expect("the file is written");
}

#[test]
fn broken_audio_is_told_apart() {
    assert_eq!(edited(|fixture| std::fs::remove_file(fixture.folder().join("kick.wav")).unwrap()), ["missing_file"]);
    assert_eq!(
        edited(|fixture| write(fixture, "kick.wav", b"These are only words, not sound at all.\n")),
        ["not_audio"]
    );
    assert_eq!(
        edited(|fixture| support::fixture::tone(&fixture.folder().join("kick.wav"), 48_000, 1, 0, |_| 0.0)),
        ["empty"]
    );
    let truncated = edited(|fixture| {
        let flac = fixture.folder().join("kick.flac");
        let made = Command::new("flac").arg("-s").arg("-o").arg(&flac).arg(fixture.folder().join("kick.wav")).status();
        assert!(made.expect("flac is there; `make test` installs it").success());
        let bytes = std::fs::read(&flac).unwrap();
        write(fixture, "kick.flac", &bytes[..bytes.len() * 2 / 3]);
        fixture.document["tracks"][0]["clips"][0]["file"] = json!("kick.flac");
    });
    assert_eq!(truncated, ["truncated"]);
    let not_finite = edited(|fixture| {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(fixture.folder().join("kick.wav"), spec).unwrap();
        (0..48_000).for_each(|frame| writer.write_sample(if frame == 31_000 { f32::NAN } else { 0.1 }).unwrap());
        writer.finalize().unwrap();
    });
    assert_eq!(not_finite, ["not_finite"]);
}

#[test]
fn sessions_that_do_not_hold_together_are_told_apart() {
    assert_eq!(edited(|fixture| fixture.document["tracks"][0]["fadr_db"] = json!(1.0)), ["unknown_field"]);
    let buses = edited(|fixture| fixture.document["buses"][0]["output"] = json!("Drums"));
    assert_eq!(buses, ["cycle"]);
    let keys = edited(|fixture| {
        fixture.document["tracks"][0]["inserts"] = json!([{ "sidechain": "Bass", "compressor": {} }]);
    });
    assert_eq!(keys, ["cycle"]);
    let twice = edited(|fixture| {
        let again = fixture.document["deliverables"][0].clone();
        fixture.document["deliverables"].as_array_mut().unwrap().push(again);
    });
    assert_eq!(twice, ["duplicate_name"]);
    assert_eq!(edited(|fixture| fixture.document["sample_rate_hz"] = json!(0)), ["out_of_range"]);
    assert_eq!(edited(|fixture| fixture.document["deliverables"][0]["name"] = json!("../main")), ["bad_file_name"]);
}

#[test]
fn ten_million_tracks_are_refused_with_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.json");
    let tracks = vec![r#"{"name":"T"}"#; 10_000_000].join(",");
    let document = format!(r#"{{"version":1,"sample_rate_hz":48000,"tracks":[{tracks}],"deliverables":[]}}"#);
    std::fs::write(&path, document).unwrap();
    let ran = run(["check", path.to_str().unwrap()]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("16 MiB"), "{}", ran.stderr);
}

#[test]
fn a_full_disk_fails_the_render_and_leaves_no_half_file() {
    let fixture = Fixture::new(4.0);
    let (session, out) = (fixture.write(), tempfile::tempdir().unwrap());
    // A disk of its own for --out, smaller than one master.
    let script = r#"mount -t tmpfs -o size=400k tmpfs "$2" && "$0" render "$1" --out "$2" --json
        code=$?; echo; echo "left: $(ls -A "$2" | tr '\n' ' ')"; exit $code"#;
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_mixdown")])
        .args([&session, &out.path().to_path_buf()])
        .output()
        .expect("unshare is part of every Debian");
    let Ran { code, stdout, stderr } = ran(output);
    assert_eq!(code, 1, "{stdout}\n{stderr}");
    assert!(stdout.contains(r#""code":"disk_full""#), "{stdout}\n{stderr}");
    assert_eq!(stdout.lines().last(), Some("left: "), "{stdout}\n{stderr}");
}

#[test]
fn a_taken_port_is_told_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let serve = run(["serve", "--data", folder.path().join("data").to_str().unwrap(), "--listen", &port, "--json"]);
    assert_eq!((serve.code, error_code(&serve)), (1, "port_taken".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_database_password_is_not_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = PrivatePostgres::start(&Options::new(folder.path().join("data"))).await.expect("PostgreSQL starts");
    let rules = find(folder.path(), "pg_hba.conf").expect("PostgreSQL has its rules in a file");
    let before = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("local all locked scram-sha-256\n{before}")).unwrap();
    let pool = sqlx::PgPool::connect(postgres.url()).await.unwrap();
    sqlx::raw_sql("create role locked login password 'right'; select pg_reload_conf();").execute(&pool).await.unwrap();
    pool.close().await;

    let socket = postgres.url().split("host=").nth(1).unwrap().split('&').next().unwrap();
    let url = format!("postgres://locked:wrong@localhost/mixdown?host={socket}");
    let store = folder.path().join("store");
    let arguments = ["coordinator", "--json", "--listen", "127.0.0.1:0", "--store", store.to_str().unwrap()];
    let refused = run(arguments.into_iter().chain(["--database-url", &url]));
    assert_eq!((refused.code, error_code(&refused)), (4, "database_refused".to_owned()));
    postgres.stop().await.unwrap();
}

#[test]
fn an_unreachable_store_is_told_at_the_start() {
    let mut command = support::command::mixdown();
    command.args(["coordinator", "--json", "--listen", "127.0.0.1:0", "--store", "s3://bucket"]);
    command.args(["--database-url", "postgres://mixdown@127.0.0.1:1/mixdown"]);
    command.env("AWS_ENDPOINT", "http://127.0.0.1:1").env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "x");
    command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
    let refused = ran(command.output().unwrap());
    assert_eq!((refused.code, error_code(&refused)), (1, "store_unreachable".to_owned()));
}

fn error_code(ran: &Ran) -> String {
    ran.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("{ran:?}")).to_owned()
}

#[test]
fn a_failed_render_leaves_the_out_folder_as_it_was() {
    let mut fixture = Fixture::new(1.0);
    fixture.document["tracks"][0]["fader_db"] = json!(24.0);
    fixture.document["loudness"] = Value::Null;
    fixture.document["tracks"][0]["clips"][0]["gain_db"] = json!(40.0);
    let out = tempfile::tempdir().unwrap();
    let kept = out.path().join("main.wav");
    std::fs::write(&kept, "an older master").unwrap();
    let ran = run([Path::new("render"), &fixture.write(), Path::new("--out"), out.path()]);
    assert!(ran.code == 1 || ran.code == 2, "{ran:?}");
    assert!(ran.stderr.contains("over full scale"), "{}", ran.stderr);
    assert_eq!(files(out.path()).keys().collect::<Vec<_>>(), ["main.wav"]);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "an older master");
}
