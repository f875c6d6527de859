//! S3 servers of our own: Ceph's gateway, or moto; both with one bucket, gone when dropped.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::store::Store;

/// Which program serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ceph's gateway: slow to start, and what people run.
    Ceph,
    /// moto: in memory, in Python.
    Moto,
}

/// A running server.
pub struct S3Server {
    process: Child,
    /// Where it listens on the loopback.
    pub address: String,
    _folder: tempfile::TempDir,
}

/// Makes the bucket as soon as the server answers; tries for two minutes.
const MAKE_BUCKET: &str = r#"
import sys, time, boto3, botocore
client = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id="key", aws_secret_access_key="secret",
                      region_name="us-east-1", config=botocore.config.Config(retries={"max_attempts": 1}))
deadline = time.monotonic() + 120
while True:
    try:
        client.create_bucket(Bucket="masters")
        break
    except Exception:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.2)
"#;

impl S3Server {
    /// Starts one and makes its bucket.
    pub fn start(kind: Kind) -> Self {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port().to_string();
        let mut command = match kind {
            Kind::Ceph => {
                let mut command = Command::new(format!("{root}/tests/ceph.sh"));
                command.arg(folder.path()).arg(&port).arg(free_port().to_string());
                command
            }
            Kind::Moto => {
                let mut command = Command::new(format!("{root}/.cache/python/bin/moto_server"));
                command.args(["-H", "127.0.0.1", "-p", &port]);
                command
            }
        };
        // The pipe ends with us, and Ceph with it; moto is killed.
        let stderr = std::fs::File::create(folder.path().join("stderr")).expect("a log");
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn();
        let mut process = spawned.unwrap_or_else(|error| panic!("{kind:?}: {error}; `make test` installs it"));
        if kind == Kind::Ceph {
            let mut ready = String::new();
            let stdout = process.stdout.as_mut().expect("stdout is piped");
            BufReader::new(stdout).read_line(&mut ready).expect("stdout is read");
            let said = || std::fs::read_to_string(folder.path().join("stderr")).unwrap_or_default();
            assert_eq!(ready.trim(), "ready", "Ceph did not start:\n{}", said());
        }
        let server = Self { process, address: format!("127.0.0.1:{port}"), _folder: folder };
        let python = format!("{root}/.cache/python/bin/python");
        let made = Command::new(&python).args(["-c", MAKE_BUCKET, &format!("http://{}", server.address)]).output();
        let made = made.unwrap_or_else(|error| panic!("{python}: {error}; `make test` installs it"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server
    }

    /// The bucket, with everything below a prefix.
    pub fn store(&self, prefix: &str) -> Store {
        Self::store_at(&self.address, prefix)
    }

    /// The bucket as it is reached at another address: through a proxy.
    pub fn store_at(address: &str, prefix: &str) -> Store {
        let endpoint = format!("http://{address}");
        let environment = [
            ("AWS_ENDPOINT", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
        ];
        let environment = environment.map(|(name, value)| (name, value.to_owned())).to_vec();
        Store { url: format!("s3://masters/{prefix}"), environment }
    }
}

/// Taken and freed again: the servers take a number, not a listener.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let ends_by_itself = self.process.stdout.is_some() && matches!(self.process.try_wait(), Ok(None));
        if ends_by_itself && std::fs::metadata(self._folder.path().join("ceph.conf")).is_ok() {
            let _ = self.process.wait();
        }
        // moto, or one that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
