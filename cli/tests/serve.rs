//! `mixdown serve` and `mixdown tokens`: a farm starts from nothing, guards its folder and its port, and stops in order.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{command, run, run_in};

/// A farm that runs; killed when dropped, its PostgreSQL follows.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start(folder: &Path, flags: &[&str]) -> Self {
        Self::start_logging_to(folder, &[&["--log", "warn"], flags].concat(), Stdio::inherit())
    }

    fn start_logging_to(folder: &Path, flags: &[&str], log: Stdio) -> Self {
        let mut child = command()
            .current_dir(folder)
            .args(["serve", "--data", "farm", "--listen", "127.0.0.1:0", "--json"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&ready).expect("a farm that starts says that it is ready");
        assert_eq!(ready["ready"], true);
        Self { child, url: format!("http://{}", ready["listen"].as_str().unwrap()) }
    }

    fn stop(mut self) -> Option<i32> {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_farm_starts_from_nothing_guards_its_folder_and_port_and_stops_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let farm = Served::start(folder.path(), &["--workers", "1"]);
    let jobs = run(&["jobs", "list", "--json", "--coordinator", &farm.url]).expect_code(0).json();
    assert_eq!(jobs, serde_json::json!([]));

    let again = run_in(folder.path(), &["serve", "--data", "farm", "--listen", "127.0.0.1:0", "--json"]).expect_code(1);
    assert_eq!(again.json()["error"]["code"], "data_in_use");
    let listen = farm.url.trim_start_matches("http://");
    let taken = run_in(folder.path(), &["serve", "--data", "other", "--listen", listen, "--json"]).expect_code(1);
    assert_eq!(taken.json()["error"]["code"], "port_taken");
    assert!(taken.json()["error"]["remedy"].as_str().unwrap().contains("--listen"));

    // Tokens are made on the database of the farm that runs, and outlive it.
    let tokens =
        |arguments: &[&str]| run_in(folder.path(), &[&["tokens"], arguments, &["--data", "farm", "--json"]].concat());
    let made = tokens(&["create", "--role", "worker", "--name", "studio-2"]).expect_code(0).json();
    assert!(made["project"].is_null());
    let refused = run(&["jobs", "list", "--coordinator", &farm.url, "--token", made["token"].as_str().unwrap()]);
    assert!(refused.expect_code(4).stderr.contains("mixdown tokens create"));
    assert_eq!(farm.stop(), Some(0));

    let listed = tokens(&["list"]).expect_code(0).json();
    assert_eq!(listed[0]["token_id"], made["token_id"]);
    assert_eq!((&listed[0]["name"], &listed[0]["revoked"]), (&"studio-2".into(), &false.into()));
    assert!(listed[0].get("token").is_none(), "a token is shown only when it is made");
    let token_id = made["token_id"].as_str().unwrap();
    tokens(&["revoke", token_id]).expect_code(0);
    assert_eq!(tokens(&["revoke", token_id]).expect_code(2).json()["error"]["code"], "not_found");
    let bad = tokens(&["create", "--role", "client", "--project", "../other"]).expect_code(2);
    assert_eq!(bad.json()["error"]["code"], "bad_project");
}

#[test]
fn a_farm_that_was_killed_starts_again_on_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    drop(Served::start(folder.path(), &["--workers", "0"]));
    assert_eq!(Served::start(folder.path(), &["--workers", "0"]).stop(), Some(0));
}

#[test]
fn listening_beyond_this_machine_is_refused_without_tls_and_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_in(folder.path(), &["serve", "--data", "farm", "--listen", "0.0.0.0:0", "--json", "--log", "warn"]);
    let error = &ran.expect_code(2).json()["error"];
    assert_eq!(error["code"], "unprotected");
    assert!(error["remedy"].as_str().unwrap().contains("--tls-cert"), "{error}");
}

#[test]
fn a_certificate_that_its_own_workers_do_not_trust_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::from_params(&authority, &authority_key);
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &issuer).unwrap();
    for (name, pem) in [("ca.pem", authority_pem), ("farm.pem", certificate.pem()), ("farm.key", key.serialize_pem())] {
        std::fs::write(folder.path().join(name), pem).unwrap();
    }
    let tls = ["--workers", "1", "--tls-cert", "farm.pem", "--tls-key", "farm.key"];
    let serve = ["serve", "--data", "farm", "--listen", "127.0.0.1:0", "--json", "--log", "warn"];
    let ran = run_in(folder.path(), &[&serve[..], &tls].concat()).expect_code(1);
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "coordinator_unreachable");
    assert!(error["remedy"].as_str().unwrap().contains("--ca-cert"), "{error}");
    let trusting = Served::start(folder.path(), &[&tls[..], &["--ca-cert", "ca.pem"]].concat());
    assert_eq!(trusting.stop(), Some(0));
}

#[test]
fn a_database_or_a_store_that_is_not_there_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody answers on this port while the listener that took it is gone.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let database_url = format!("postgres://mixdown:wrong@127.0.0.1:{port}/mixdown");
    let coordinator = |flags: &[&str]| {
        run_in(folder.path(), &[&["coordinator", "--listen", "127.0.0.1:0", "--json", "--log", "warn"], flags].concat())
    };
    let ran = coordinator(&["--database-url", &database_url, "--store", "store"]).expect_code(1);
    assert_eq!(ran.json()["error"]["code"], "database_unreachable");
    assert!(!ran.stderr.contains("wrong"), "a password is never printed:\n{}", ran.stderr);
    let ran = coordinator(&["--database-url", "mysql://db", "--store", "store"]).expect_code(2);
    assert_eq!(ran.json()["error"]["code"], "bad_database_url");
    let ran = coordinator(&["--database-url", &database_url, "--store", "ftp://store"]).expect_code(2);
    assert_eq!(ran.json()["error"]["code"], "bad_url");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let ran = coordinator(&["--database-url", &database_url, "--store", "file"]).expect_code(1);
    assert_eq!(ran.json()["error"]["code"], "store_unreachable");

    let nobody = format!("http://127.0.0.1:{port}");
    let worker = command()
        .current_dir(folder.path())
        .args(["worker", "--store", "s3://bucket", "--cache", "cache", "--coordinator", &nobody])
        .envs([("AWS_ENDPOINT", nobody.as_str()), ("AWS_ALLOW_HTTP", "true")])
        .envs([("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&worker.stderr);
    assert_eq!(worker.status.code(), Some(1), "{told}");
    assert!(told.contains("store_unreachable"), "{told}");
}

#[test]
fn a_farm_whose_log_nobody_reads_any_more_works_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let enough = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&enough);
    // Until it is ready: a pipe holds 64 KiB, and a slow start says more than that.
    let reading = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while !told.load(Ordering::SeqCst) {
            assert!(reader.read(&mut bytes).unwrap() > 0, "it still runs");
        }
    });
    let farm = Served::start_logging_to(folder.path(), &["--workers", "1", "--log", "debug"], writer.into());
    enough.store(true, Ordering::SeqCst);
    let list = || run(&["jobs", "list", "--json", "--coordinator", &farm.url]).expect_code(0);
    // Its log wakes the reader, which then goes away.
    list();
    reading.join().unwrap();
    list();
    assert_eq!(farm.stop(), Some(0));
}
