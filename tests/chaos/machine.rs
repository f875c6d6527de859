//! A coordinator or a worker of the farm that suffers, as a process.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::network::{Place, Trouble};
use crate::relay::Relay;
use crate::support::command::mixdown;
use crate::support::s3_server::S3Server;
use crate::support::way::Way;

/// How long one may take to leave in good order, whatever else goes wrong meanwhile.
const LONGEST_GOODBYE: Duration = Duration::from_secs(60);
/// And how long one may take to begin: a coordinator that finds no database ends by itself.
const BEGINNING: Duration = Duration::from_secs(5);

/// A coordinator or a worker.
pub struct Machine {
    pub name: String,
    pub place: Place,
    /// To the database or to the coordinators.
    pub upstream: Way,
    /// Of a worker: to each of the coordinators.
    pub legs: Vec<Way>,
    /// Of a worker: what makes its calls twice, if anything does.
    pub relay: Option<Relay>,
    /// To the store.
    pub store: Way,
    /// What it is started with.
    pub arguments: Vec<String>,
    process: Option<Child>,
    started: Instant,
    /// It is dead on purpose.
    pub down: bool,
    /// Since when it has been asked to leave.
    leaving: Option<Instant>,
    pub troubles: Vec<Trouble>,
}

impl Machine {
    /// One that is not started yet.
    pub fn new(name: String, place: Place, upstream: Way, store: Way, arguments: Vec<String>) -> Self {
        Self {
            name,
            place,
            upstream,
            legs: Vec::new(),
            relay: None,
            store,
            arguments,
            process: None,
            started: Instant::now(),
            down: false,
            leaving: None,
            troubles: Vec::new(),
        }
    }

    /// What a supervisor does: starts it if it has ended and is not down on purpose. One that was asked to leave has to have
    /// left in good order, and in time; nobody leaves in good order unasked.
    pub fn keep_up(&mut self, folder: &Path) {
        let ended = match &mut self.process {
            None => true,
            Some(process) => match process.try_wait().expect("it is waited for") {
                None => false,
                Some(status) => {
                    // One that was asked when it had hardly begun had nothing to put in order.
                    let asked = self.leaving.take().map(|since| since.duration_since(self.started) > BEGINNING);
                    let well = if status.success() { asked.is_some() } else { asked != Some(true) };
                    assert!(well, "{} ended with {status}, asked to leave: {asked:?}\n{}", self.name, self.log(folder));
                    true
                }
            },
        };
        let late = self.leaving.is_some_and(|since| since.elapsed() > LONGEST_GOODBYE);
        assert!(!late, "{} did not leave within {LONGEST_GOODBYE:?}:\n{}", self.name, self.log(folder));
        if ended && !self.down {
            self.start(folder);
        }
    }

    /// Whether it has been asked to leave and has not.
    pub fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// SIGTERM.
    pub fn ask_to_leave(&mut self) {
        self.signal(Signal::SIGTERM);
        self.leaving = self.process.is_some().then(Instant::now);
    }

    /// The last lines that it logged.
    pub fn log(&self, folder: &Path) -> String {
        let log = std::fs::read_to_string(folder.join(self.log_name())).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!("--- {}\n{}\n", self.name, lines[lines.len().saturating_sub(15)..].join("\n"))
    }

    fn log_name(&self) -> String {
        format!("{}.log", self.name.replace(' ', "-"))
    }

    fn start(&mut self, folder: &Path) {
        let log = File::options().create(true).append(true).open(folder.join(self.log_name()));
        let store = S3Server::store_at(&self.store.address.to_string(), "farm");
        let program = mixdown();
        let mut command: Command = self.place.command(program.get_program().to_str().expect("its path is text"));
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.args(&self.arguments).args(["--store", &store.url]).envs(store.environment);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("the log opens"));
        self.process = Some(command.spawn().expect("mixdown starts"));
        self.started = Instant::now();
    }

    pub fn signal(&self, signal: Signal) {
        let Some(process) = &self.process else { return };
        // It may have ended by itself: a supervisor's case.
        let _ = kill(Pid::from_raw(process.id() as i32), signal);
    }

    /// SIGKILL; it stays down until it is no longer `down` and is kept up.
    pub fn kill(&mut self) {
        self.down = true;
        self.leaving = None;
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Makes the troubles come true, by packets or by the ways.
    pub fn apply(&self, drops_packets: bool) {
        if drops_packets {
            return self.place.suffer(&self.troubles);
        }
        let all = self.troubles.contains(&Trouble::Everything);
        for way in [&self.upstream, &self.store] {
            let cut = all || self.troubles.contains(&Trouble::Port(way.address.port()));
            way.change(|weather| weather.cut = cut);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}
