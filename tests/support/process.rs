//! A process of the farm, with its log and what it says.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::command;

/// What a process is started under: a command before its own, and more environment.
#[derive(Debug, Default)]
pub struct Under {
    /// The command that runs it, `unshare -m` say; empty for none.
    pub before: Vec<String>,
    /// Variables.
    pub environment: Vec<(&'static str, String)>,
}

/// A process of the farm; killed when dropped.
pub struct Process {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Process {
    pub(super) fn spawn<S: AsRef<OsStr>>(
        arguments: impl IntoIterator<Item = S>,
        environment: &[(&'static str, String)],
        log: &Path,
    ) -> Self {
        Self::spawn_under(&Under::default(), arguments, environment, log)
    }

    pub(super) fn spawn_under<S: AsRef<OsStr>>(
        under: &Under,
        arguments: impl IntoIterator<Item = S>,
        environment: &[(&'static str, String)],
        log: &Path,
    ) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(log).expect("the log opens");
        let mut command = command::under(&under.before);
        command
            .args(arguments)
            .envs(environment.iter().chain(&under.environment).cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().expect("mixdown starts");
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdout }
    }

    /// The next line that the process writes as JSON; `None` when it has ended.
    pub fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.stdout.as_mut()?.read_line(&mut line).expect("stdout is read");
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}")))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("the process is there");
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// Waits for the end and gives the exit code; −1 when a signal ended it.
    pub fn wait(&mut self) -> i32 {
        self.child.wait().expect("the process is waited for").code().unwrap_or(-1)
    }

    fn end(&mut self) {
        // A process that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
