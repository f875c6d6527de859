//! The way between a machine and a service: a TCP proxy that can delay, black-hole and cut, and to a store also answer
//! errors, stall, cut bodies short and change their bytes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Where a way leads.
#[derive(Debug, Clone)]
pub enum Target {
    Unix(PathBuf),
    /// Any of these that answers, in random order.
    Tcp(Vec<SocketAddr>),
}

/// What a store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    Status(u16),
    Stall,
    Truncate,
    WrongBytes,
}

/// What becomes of what passes.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    /// Nothing passes, and nobody is told.
    pub cut: bool,
    /// Each piece waits so long.
    pub delay: Duration,
    /// With its chance in percent.
    pub store: Option<(StoreFault, u8)>,
}

/// A way with its weather.
#[derive(Debug, Clone)]
pub struct Way {
    pub address: SocketAddr,
    weather: Arc<Mutex<Weather>>,
}

/// How often a black hole looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A stalled connection breaks in the end.
const LONGEST_STALL: Duration = Duration::from_secs(10);
const CONNECT_PATIENCE: Duration = Duration::from_millis(500);

impl Way {
    /// Opens a way at a free port of this address.
    pub async fn open(host: &str, target: Target) -> Self {
        let listener = TcpListener::bind((host, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let weather = Arc::new(Mutex::new(Weather::default()));
        let way = Self { address, weather };
        let serving = way.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (way, target) = (serving.clone(), target.clone());
                // A connection that breaks is what this is for.
                tokio::spawn(async move { way.pass(client, target).await });
            }
        });
        way
    }

    pub fn change(&self, change: impl FnOnce(&mut Weather)) {
        change(&mut self.weather.lock().expect("no holder panics"));
    }

    fn weather(&self) -> Weather {
        self.weather.lock().expect("no holder panics").clone()
    }

    async fn pass(self, client: TcpStream, target: Target) {
        self.while_cut().await;
        let _ = client.set_nodelay(true);
        match target {
            Target::Unix(path) => {
                if let Ok(server) = UnixStream::connect(path).await {
                    self.both(client, server).await;
                }
            }
            Target::Tcp(mut addresses) => {
                fastrand::shuffle(&mut addresses);
                for address in addresses {
                    if let Ok(Ok(server)) = tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(address)).await {
                        let _ = server.set_nodelay(true);
                        return self.both(client, server).await;
                    }
                }
            }
        }
    }

    async fn both<S: AsyncRead + AsyncWrite>(&self, client: TcpStream, server: S) {
        let (from_client, to_client) = tokio::io::split(client);
        let (from_server, to_server) = tokio::io::split(server);
        let (answer, answers) = tokio::sync::mpsc::channel::<u16>(1);
        // Whichever side ends first ends the connection.
        tokio::select! {
            () = self.requests(from_client, to_server, answer) => {}
            () = self.responses(from_server, to_client, answers) => {}
        }
    }

    async fn while_cut(&self) {
        while self.weather().cut {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn requests(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        answer: tokio::sync::mpsc::Sender<u16>,
    ) {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(bytes @ 1..) = from.read(&mut piece).await {
            self.while_cut().await;
            let weather = self.weather();
            tokio::time::sleep(weather.delay).await;
            match happening(&weather) {
                Some(StoreFault::Status(status)) if is_request(&piece[..bytes]) => {
                    let _ = answer.send(status).await;
                    // The other half answers and ends the connection.
                    return std::future::pending().await;
                }
                Some(StoreFault::Stall) => return tokio::time::sleep(LONGEST_STALL).await,
                _ => {}
            }
            if to.write_all(&piece[..bytes]).await.is_err() {
                return;
            }
        }
    }

    async fn responses(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        mut answers: tokio::sync::mpsc::Receiver<u16>,
    ) {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let read = tokio::select! {
                Some(status) = answers.recv() => {
                    let head = format!("HTTP/1.1 {status} Chaos\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    let _ = to.write_all(head.as_bytes()).await;
                    return;
                }
                read = from.read(&mut piece) => read,
            };
            let Ok(bytes @ 1..) = read else { return };
            self.while_cut().await;
            let weather = self.weather();
            tokio::time::sleep(weather.delay).await;
            let body = body_begins(&piece[..bytes]);
            match happening(&weather) {
                Some(StoreFault::Truncate) => {
                    let _ = to.write_all(&piece[..body + (bytes - body) / 2]).await;
                    return;
                }
                Some(StoreFault::WrongBytes) if body < bytes => piece[body + (bytes - body) / 2] ^= 0x10,
                _ => {}
            }
            if to.write_all(&piece[..bytes]).await.is_err() {
                return;
            }
        }
    }
}

/// The fault that hits this piece, if one does.
fn happening(weather: &Weather) -> Option<StoreFault> {
    weather.store.filter(|(_, percent)| fastrand::u8(..100) < *percent).map(|(fault, _)| fault)
}

fn is_request(piece: &[u8]) -> bool {
    [&b"GET "[..], b"PUT ", b"HEAD ", b"POST ", b"DELETE "].iter().any(|method| piece.starts_with(method))
}

/// Where the body begins in a piece of a response: after its head, or at once when it has none.
fn body_begins(piece: &[u8]) -> usize {
    if !piece.starts_with(b"HTTP/1.1 ") {
        return 0;
    }
    piece.windows(4).position(|four| four == b"\r\n\r\n").map_or(piece.len(), |head| head + 4)
}
