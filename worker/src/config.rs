//! What a worker is told at its start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backoff::Backoff;
use crate::cpu::CpuMeter;
use crate::memory;
use crate::threads::{self, Threads};
use crate::worker::Error;

/// Everything a worker is told. Passed down; each part reads its share.
#[derive(Clone)]
pub struct Config {
    /// The coordinator: `http://127.0.0.1:7300`, `https://farm.example:7300`.
    pub coordinator_url: String,
    /// Bearer token with the worker role; `None` where the coordinator asks for none.
    pub token: Option<String>,
    /// Certificates (PEM) that sign the coordinator's, for `https`; `None` trusts those of the public web.
    pub tls_ca: Option<PathBuf>,
    /// Where blobs lie: a folder, `file:///…` or `s3://BUCKET/PREFIX` (with the usual `AWS_*` variables).
    pub store_url: String,
    /// Folder of the worker's own: cache, scratch and identity. One worker at a time.
    pub cache_dir: PathBuf,
    /// Most bytes of blobs kept in `cache_dir`; scratch space of running tasks comes on top.
    pub cache_bytes: u64,
    /// Tasks run side by side, 1 to 1024.
    pub slots: usize,
    /// Memory for running tasks together; 0 for any amount.
    pub memory_bytes: u64,
    /// What this machine has beside slots and memory; tasks may require it.
    pub labels: Vec<String>,
    /// Threads that tasks render on; one pool for all workers of a process.
    pub threads: Threads,
    /// Frames per block, 1 to 65536; changes no bit of the audio.
    pub block_frames: usize,
    /// For people; by default the host's name.
    pub name: String,
    /// How long running tasks may go on once the worker is asked to stop; then they are relinquished.
    pub drain_grace: Duration,
    /// How long a failing store is tried again before an attempt counts as failed.
    pub storage_patience: Duration,
    /// Most memory that the process is to use; close to it the newest attempt is ended as out of memory. `None` does not
    /// look.
    pub memory_limit_bytes: Option<u64>,
    /// Waits between tries, of calls and of the store alike.
    pub backoff: Backoff,
    /// Counts CPU time; one for all workers of a process.
    pub cpu: CpuMeter,
}

impl Config {
    /// A worker with one slot, one thread, 20 GiB of cache and no token.
    #[must_use]
    pub fn new(coordinator_url: &str, store_url: &str, cache_dir: &Path) -> Self {
        Self {
            coordinator_url: coordinator_url.to_owned(),
            token: None,
            tls_ca: None,
            store_url: store_url.to_owned(),
            cache_dir: cache_dir.to_owned(),
            cache_bytes: 20 << 30,
            slots: 1,
            memory_bytes: 0,
            labels: Vec::new(),
            threads: Threads::per_slot(1),
            block_frames: 512,
            name: host_name(),
            drain_grace: Duration::from_secs(60),
            storage_patience: Duration::from_secs(120),
            memory_limit_bytes: memory::limit_bytes(),
            backoff: Backoff::default(),
            cpu: CpuMeter::default(),
        }
    }
}

impl Config {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// A value is out of its range.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let ranges = [
            ("slots", self.slots, 1..=1024),
            ("threads", self.threads.count(), 1..=threads::MOST),
            ("frames per block", self.block_frames, 1..=65536),
        ];
        for (what, value, range) in ranges {
            if !range.contains(&value) {
                let (least, most) = range.into_inner();
                return Err(Error::Config(format!("{what} is {value}: expected {least} to {most}")));
            }
        }
        Ok(())
    }
}

// By hand, so that a token never reaches a log.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("coordinator_url", &self.coordinator_url)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("store_url", &self.store_url)
            .field("cache_dir", &self.cache_dir)
            .field("cache_bytes", &self.cache_bytes)
            .field("slots", &self.slots)
            .field("threads", &self.threads.count())
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The host's name, or `worker` where it has none.
#[must_use]
pub fn host_name() -> String {
    let name = nix::sys::utsname::uname().ok().and_then(|host| host.nodename().to_str().map(str::to_owned));
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "worker".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_reaches_a_log() {
        let mut config = Config::new("http://localhost:1", "/tmp", Path::new("/tmp"));
        config.token = Some("secret-of-the-farm".into());
        assert!(!format!("{config:?}").contains("secret-of-the-farm"));
    }
}
