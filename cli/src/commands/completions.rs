//! `mixdown completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::errors::CommandError;
use crate::output::Output;

/// Print a completion script for a shell.
///
/// Put it where the shell looks for such scripts; commands and flags then complete with the Tab key.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Examples:\n  mixdown completions bash > ~/.local/share/bash-completion/completions/mixdown\n  \
    mixdown completions zsh > ~/.zfunc/_mixdown\n  mixdown completions fish > ~/.config/fish/completions/mixdown.fish"
)]
pub struct Arguments {
    /// The shell.
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// If stdout cannot be written.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::Cli::command(), "mixdown", &mut script);
    output.line(String::from_utf8_lossy(&script).trim_end())
}
