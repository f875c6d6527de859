//! A PostgreSQL reached through a proxy that cuts connections at the worst moment: after a COMMIT has been carried out and
//! before its answer arrives. Whoever called cannot know whether it happened.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// A simple query message as PostgreSQL's protocol writes it (55.7, "Query"), without its length.
const COMMIT: &[u8] = b"COMMIT\0";
/// Begins the answer that ends every query: ReadyForQuery.
const READY: u8 = b'Z';

/// Bytes of statements remembered until their commit.
const REMEMBERED: usize = 1 << 20;

/// A proxy before the socket of a PostgreSQL.
#[derive(Debug)]
pub struct Cut {
    /// Where it listens.
    pub address: SocketAddr,
    cutting: Arc<Cutting>,
}

/// Which commits are cut.
#[derive(Debug, Default)]
struct Cutting {
    left: AtomicUsize,
    /// Only after a statement that holds this text.
    after: Mutex<Vec<u8>>,
}

impl Cutting {
    /// Whether this commit, after these statements, is to be cut; counts it.
    fn hits(&self, statements: &[u8]) -> bool {
        let after = self.after.lock().expect("no holder panics").clone();
        let wanted = after.is_empty() || statements.windows(after.len()).any(|window| window == after);
        wanted && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

impl Cut {
    /// Stands before this socket until the runtime ends.
    pub async fn before(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let cutting = Arc::new(Cutting::default());
        let counting = Arc::clone(&cutting);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("connections are taken");
                let server = UnixStream::connect(&socket).await.expect("PostgreSQL listens");
                tokio::spawn(carry(client, server, Arc::clone(&counting)));
            }
        });
        Self { address, cutting }
    }

    /// Cuts the connection of each of the next `commits` commits.
    pub fn cut_commits(&self, commits: usize) {
        self.cutting.left.store(commits, Ordering::SeqCst);
    }

    /// Cuts the connection of the next commit after a statement that holds this text and is sent for the first time.
    pub fn cut_commit_after(&self, statement: &str) {
        *self.cutting.after.lock().expect("no holder panics") = statement.as_bytes().to_vec();
        self.cut_commits(1);
    }

    /// Commits that are still to be cut.
    pub fn left(&self) -> usize {
        self.cutting.left.load(Ordering::SeqCst)
    }
}

/// Carries bytes both ways until one side ends or a commit is cut; then both connections close.
async fn carry(client: TcpStream, server: UnixStream, commits: Arc<Cutting>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let cutting = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = Arc::clone(&cutting);
    let there = async move {
        let mut bytes = vec![0; 64 * 1024];
        // Since the last commit.
        let mut statements = Vec::new();
        while let Some(part) = read(&mut from_client, &mut bytes).await {
            let forgotten = (statements.len() + part.len()).saturating_sub(REMEMBERED);
            statements.drain(..forgotten.min(statements.len()));
            statements.extend_from_slice(part);
            if part.windows(COMMIT.len()).any(|window| window == COMMIT) {
                if commits.hits(&statements) {
                    asked.store(true, Ordering::SeqCst);
                }
                statements.clear();
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
