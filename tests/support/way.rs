//! The way between a machine and a service: a TCP proxy that can delay, black-hole and cut, and to a store also answer
//! errors, stall, cut bodies short and change their bytes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Where a way leads.
#[derive(Debug, Clone)]
pub enum Target {
    Unix(PathBuf),
    Tcp(SocketAddr),
    /// Any of these that is not cut and answers, in random order.
    Any(Vec<Way>),
}

/// What a store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    Status(u16),
    /// It says nothing for so long, then ends the connection.
    Stall(Duration),
    Truncate,
    WrongBytes,
    /// What it is sent arrives changed.
    WrongPut,
}

/// What a process that starts looks for, to see whether the store answers: it must.
const NO_BLOB: &str = "/blobs/00/00000000";

/// Requests that a fault is to hit, one by one.
#[derive(Debug, Clone)]
pub struct Strike {
    pub fault: StoreFault,
    /// How they begin: their method, `GET ` say.
    pub method: &'static str,
    /// What stands in their first line.
    pub about: String,
    /// How many.
    pub left: usize,
}

impl Strike {
    fn hits(&self, request: &[u8]) -> bool {
        let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let names = |what: &str| line.windows(what.len()).any(|window| window == what.as_bytes());
        let named = names(&self.about) && !names(NO_BLOB);
        self.left > 0 && named && line.starts_with(self.method.as_bytes())
    }
}

/// What becomes of what passes.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    /// Nothing passes, and nobody is told.
    pub cut: bool,
    /// Each piece waits so long.
    pub delay: Duration,
    /// With its chance in percent, for every piece.
    pub store: Option<(StoreFault, u8)>,
    /// Those that are still to hit.
    pub strikes: Vec<Strike>,
}

/// A way with its weather.
#[derive(Debug, Clone)]
pub struct Way {
    pub address: SocketAddr,
    weather: Arc<Mutex<Weather>>,
    /// Its own, so that what other ways do does not change what this one draws.
    random: Arc<Mutex<fastrand::Rng>>,
}

/// How often a black hole looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const CONNECT_PATIENCE: Duration = Duration::from_millis(500);

impl Way {
    /// Opens a way at a free port of this address, which draws from this seed.
    pub async fn open(host: &str, target: Target, seed: u64) -> Self {
        let listener = TcpListener::bind((host, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
        let way = Self { address, weather: Arc::default(), random };
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

    /// Lets a fault hit the next requests of its kind.
    pub fn strike(&self, strike: Strike) {
        self.change(|weather| weather.strikes.push(strike));
    }

    /// Requests that are still to be hit.
    pub fn left(&self) -> usize {
        self.weather().strikes.iter().map(|strike| strike.left).sum()
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
            Target::Tcp(address) => {
                if let Some(server) = connect(address).await {
                    self.both(client, server).await;
                }
            }
            Target::Any(mut ways) => {
                self.random().shuffle(&mut ways);
                for way in ways {
                    if way.weather().cut {
                        tokio::time::sleep(CONNECT_PATIENCE).await;
                    } else if let Some(server) = connect(way.address).await {
                        return self.both(client, server).await;
                    }
                }
            }
        }
    }

    fn random(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.random.lock().expect("no holder panics")
    }

    /// The fault that hits a piece, if one does.
    fn happening(&self, weather: &Weather) -> Option<StoreFault> {
        weather.store.filter(|(_, percent)| self.random().u8(..100) < *percent).map(|(fault, _)| fault)
    }

    /// The fault that is to hit this request, if it is one.
    fn struck(&self, piece: &[u8]) -> Option<StoreFault> {
        if !is_request(piece) {
            return None;
        }
        let mut weather = self.weather.lock().expect("no holder panics");
        let strike = weather.strikes.iter_mut().find(|strike| strike.hits(piece))?;
        strike.left -= 1;
        Some(strike.fault)
    }

    async fn both<S: AsyncRead + AsyncWrite>(&self, client: TcpStream, server: S) {
        let (from_client, to_client) = tokio::io::split(client);
        let (from_server, to_server) = tokio::io::split(server);
        let (answer, answers) = tokio::sync::mpsc::channel::<u16>(1);
        // A client sends its next request when it has the answer to the last.
        let pending = Mutex::new(None);
        // Whichever side ends first ends the connection.
        tokio::select! {
            () = self.requests(from_client, to_server, answer, &pending) => {}
            () = self.responses(from_server, to_client, answers, &pending) => {}
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
        pending: &Mutex<Option<StoreFault>>,
    ) {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(bytes @ 1..) = from.read(&mut piece).await {
            self.while_cut().await;
            let weather = self.weather();
            tokio::time::sleep(weather.delay).await;
            if let Some(fault) = self.struck(&piece[..bytes]) {
                *pending.lock().expect("no holder panics") = Some(fault);
            }
            let body = body_begins(&piece[..bytes]);
            let struck = take(pending, |fault| match fault {
                StoreFault::Status(_) | StoreFault::Stall(_) => true,
                StoreFault::WrongPut => body < bytes,
                StoreFault::Truncate | StoreFault::WrongBytes => false,
            });
            match struck.or_else(|| self.happening(&weather)) {
                Some(StoreFault::WrongPut) => piece[body + (bytes - body) / 2] ^= 0x10,
                Some(StoreFault::Status(status)) if is_request(&piece[..bytes]) => {
                    let _ = answer.send(status).await;
                    // The other half answers and ends the connection.
                    return std::future::pending().await;
                }
                Some(StoreFault::Stall(time)) => return tokio::time::sleep(time).await,
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
        pending: &Mutex<Option<StoreFault>>,
    ) {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let read = tokio::select! {
                Some(status) = answers.recv() => {
                    let head = format!(
                        "HTTP/1.1 {status} Chaos\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    );
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
            let struck =
                take(pending, |fault| body < bytes && matches!(fault, StoreFault::Truncate | StoreFault::WrongBytes));
            match struck.or_else(|| self.happening(&weather)) {
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

async fn connect(address: SocketAddr) -> Option<TcpStream> {
    let connected = tokio::time::timeout(CONNECT_PATIENCE, TcpStream::connect(address)).await;
    let server = connected.ok()?.ok()?;
    let _ = server.set_nodelay(true);
    Some(server)
}

/// The fault that waits for its moment, if this is it.
fn take(pending: &Mutex<Option<StoreFault>>, now: impl Fn(&StoreFault) -> bool) -> Option<StoreFault> {
    pending.lock().expect("no holder panics").take_if(|fault| now(fault))
}

fn is_request(piece: &[u8]) -> bool {
    [&b"GET "[..], b"PUT ", b"HEAD ", b"POST ", b"DELETE "].iter().any(|method| piece.starts_with(method))
}

/// Where the body begins in a piece: after its head, or at once when it has none.
fn body_begins(piece: &[u8]) -> usize {
    if !piece.starts_with(b"HTTP/1.1 ") && !is_request(piece) {
        return 0;
    }
    piece.windows(4).position(|four| four == b"\r\n\r\n").map_or(piece.len(), |head| head + 4)
}
