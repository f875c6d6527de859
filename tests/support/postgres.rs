//! Where a private PostgreSQL runs: its socket, its process, its cluster.

use std::path::{Path, PathBuf};

use mixdown_coordinator::private_postgres::PrivatePostgres;
use nix::unistd::Pid;

use super::find;

/// The folder of its socket, which its URL names.
pub fn socket_folder(postgres: &PrivatePostgres) -> PathBuf {
    let url: url::Url = postgres.url().parse().expect("a URL");
    let host = url.query_pairs().find(|(name, _)| name == "host").expect("it names its folder").1.into_owned();
    host.into()
}

/// Its socket.
pub fn socket(postgres: &PrivatePostgres) -> PathBuf {
    socket_folder(postgres).join(".s.PGSQL.5432")
}

fn pid_file(folder: &Path) -> PathBuf {
    find(folder, "postmaster.pid").expect("PostgreSQL runs")
}

/// The cluster of the one that runs in a folder.
pub fn cluster(folder: &Path) -> PathBuf {
    pid_file(folder).parent().expect("it lies in the cluster").to_owned()
}

/// The first process of the one that runs in a folder; the rest of it notices its end by itself.
pub fn process(folder: &Path) -> Pid {
    let text = std::fs::read_to_string(pid_file(folder)).expect("it says who it is");
    let id = text.lines().next().and_then(|line| line.trim().parse().ok()).expect("its first line is the process");
    Pid::from_raw(id)
}
