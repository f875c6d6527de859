//! The log of the commands that serve, on stderr.

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Logging")]
pub struct Arguments {
    /// What to log: `warn`, `info`, `debug`, or by part: `mixdown_coordinator=debug,warn`.
    #[arg(long, value_name = "FILTER", env = "MIXDOWN_LOG", default_value = "info,sqlx=warn,h2=warn,hyper=warn")]
    pub log: String,
    /// How log lines look.
    #[arg(long, value_enum, env = "MIXDOWN_LOG_FORMAT", default_value_t)]
    pub log_format: Format,
}

/// Starts logging to stderr.
pub fn start(arguments: &Arguments) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&arguments.log))
        .with_writer(std::io::stderr)
        // Whoever read the log may be gone; telling them so would panic.
        .log_internal_errors(false)
        .with_ansi(crate::report::colours());
    match arguments.log_format {
        Format::Text => builder.with_target(false).init(),
        Format::Json => builder.json().init(),
    }
}
