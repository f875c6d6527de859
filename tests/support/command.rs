//! The `mixdown` command, run to its end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// What a run of the command gave.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; −1 when a signal ended it.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Ran {
    /// The one JSON value on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Asserts that the command succeeded.
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// The command, in an environment without any of its variables.
pub fn mixdown() -> Command {
    under(&[])
}

/// The same, run by another command.
pub fn under(before: &[String]) -> Command {
    const MIXDOWN: &str = env!("CARGO_BIN_EXE_mixdown");
    let mut command = match before {
        [] => Command::new(MIXDOWN),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(MIXDOWN);
            command
        }
    };
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MIXDOWN_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the command with these arguments.
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    ran(mixdown().args(arguments).output().expect("mixdown starts"))
}

/// What an ended process gave.
pub fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// `mixdown render`, which must succeed.
pub fn render(session: &Path, out: &Path, arguments: &[&str]) {
    run([OsStr::new("render"), session.as_os_str(), OsStr::new("--out"), out.as_os_str()]
        .into_iter()
        .chain(arguments.iter().map(OsStr::new)))
    .succeeded();
}
