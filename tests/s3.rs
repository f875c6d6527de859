//! The farm on an S3 server.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::command::render;
use support::farm::{Farm, Store};
use support::fixture::Fixture;
use support::{assert_same_files, files};

/// A server of its own with one bucket, gone when dropped.
struct S3 {
    server: Child,
    address: String,
}

impl S3 {
    fn start() -> Self {
        // Taken and freed again: the server takes a number, not a listener.
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../.cache/python/bin/moto_server");
        let server = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; `make test` installs it"));
        let s3 = Self { server, address: format!("127.0.0.1:{port}") };
        s3.make_bucket();
        s3
    }

    /// Makes the bucket as soon as the server answers.
    fn make_bucket(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut connection = loop {
            match TcpStream::connect(&self.address) {
                Ok(connection) => break connection,
                Err(error) => assert!(Instant::now() < deadline, "the S3 server does not answer: {error}"),
            }
            std::thread::yield_now();
        };
        let head = format!("PUT /masters HTTP/1.1\r\nHost: {}\r\n", self.address);
        let request = head + "Content-Length: 0\r\nConnection: close\r\n\r\n";
        connection.write_all(request.as_bytes()).expect("the bucket is asked for");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("the server answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn store(&self) -> Store {
        let endpoint = format!("http://{}", self.address);
        let environment = [
            ("AWS_ENDPOINT", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
        ];
        let environment = environment.map(|(name, value)| (name, value.to_owned())).to_vec();
        Store { url: "s3://masters/farm".to_owned(), environment }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // A server that has ended already is what is wanted.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farm_on_s3_gives_the_bytes_of_render_and_renders_nothing_twice() {
    let s3 = S3::start();
    let fixture = Fixture::new(3.0);
    let session = fixture.write();
    let out = tempfile::tempdir().unwrap();
    render(&session, &out.path().join("render"), &[]);
    let farm = Farm::start_on(s3.store(), 2).await;
    farm.submit(&session, &out.path().join("first"), &["--granularity", "spread", "--keep-stems", "always"]);
    let attempts = farm.count("select count(*) from attempt").await;
    farm.submit(&session, &out.path().join("second"), &["--deliver-to", "album/one"]);
    assert_eq!(farm.count("select count(*) from attempt").await, attempts, "the second job made no attempt");
    for folder in ["first", "second"] {
        assert_same_files(&files(&out.path().join(folder)), &files(&out.path().join("render")), folder);
    }
}
