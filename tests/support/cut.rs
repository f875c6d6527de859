//! A PostgreSQL reached through a proxy that cuts connections at the worst moment: after a COMMIT has been carried out and
//! before its answer arrives. Whoever called cannot know whether it happened.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// A simple query message as PostgreSQL's protocol writes it (55.7, "Query"), without its length.
const COMMIT: &[u8] = b"COMMIT\0";
/// Begins the answer that ends every query: ReadyForQuery.
const READY: u8 = b'Z';

/// A proxy before the socket of a PostgreSQL.
#[derive(Debug)]
pub struct Cut {
    /// Where it listens.
    pub address: SocketAddr,
    commits: Arc<AtomicUsize>,
}

impl Cut {
    /// Stands before this socket until the runtime ends.
    pub async fn before(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let commits = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&commits);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("connections are taken");
                let server = UnixStream::connect(&socket).await.expect("PostgreSQL listens");
                tokio::spawn(carry(client, server, Arc::clone(&counting)));
            }
        });
        Self { address, commits }
    }

    /// Cuts the connection of each of the next `commits` commits.
    pub fn cut_commits(&self, commits: usize) {
        self.commits.store(commits, Ordering::SeqCst);
    }

    /// Commits that are still to be cut.
    pub fn left(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

/// Carries bytes both ways until one side ends or a commit is cut; then both connections close.
async fn carry(client: TcpStream, server: UnixStream, commits: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let cutting = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = Arc::clone(&cutting);
    let there = async move {
        let mut bytes = vec![0; 64 * 1024];
        while let Some(part) = read(&mut from_client, &mut bytes).await {
            let commit = part.windows(COMMIT.len()).any(|window| window == COMMIT);
            if commit && commits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                asked.store(true, Ordering::SeqCst);
            }
            if !write(&mut to_server, part).await {
                return;
            }
        }
    };
    let back = async move {
        let mut bytes = vec![0; 64 * 1024];
        while let Some(part) = read(&mut from_server, &mut bytes).await {
            // The answer is CommandComplete and ReadyForQuery, a few bytes that come together.
            if cutting.load(Ordering::SeqCst) && part.contains(&READY) {
                return;
            }
            if !write(&mut to_client, part).await {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

async fn read<'a>(from: &mut (impl AsyncRead + Unpin), bytes: &'a mut [u8]) -> Option<&'a [u8]> {
    match from.read(bytes).await {
        Ok(0) | Err(_) => None,
        Ok(count) => Some(&bytes[..count]),
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> bool {
    to.write_all(bytes).await.is_ok()
}
