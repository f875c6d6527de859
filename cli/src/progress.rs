//! Progress on stderr: a bar on a terminal, plain lines otherwise.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Work whose amount means nothing to people; shown as a share.
    Work,
    /// Bytes.
    Bytes,
}

/// Steps of a [`Unit::Work`] that is known as a share alone.
pub const WHOLE: u64 = 1000;

/// Tells how far an operation is. Cheap to call: once per block of audio.
pub struct Progress {
    label: String,
    total: u64,
    done: AtomicU64,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    /// The last tenth that was said.
    Lines(Mutex<u64>),
}

impl Progress {
    /// Progress towards `total`.
    #[must_use]
    pub fn new(label: &str, total: u64, unit: Unit) -> Self {
        let total = total.max(1);
        let shown = if draws_bars() {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
            let template = match unit {
                Unit::Work => "{msg:24} [{bar:40}] {percent:>3} %  {elapsed}",
                Unit::Bytes => "{msg:24} [{bar:40}] {bytes} of {total_bytes}  {bytes_per_sec}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(label.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            Shown::Bar(bar)
        } else {
            Shown::Lines(Mutex::new(0))
        };
        Self { label: label.to_owned(), total, done: AtomicU64::new(0), shown }
    }

    /// More is done.
    pub fn advance(&self, amount: u64) {
        let done = self.done.fetch_add(amount, Ordering::Relaxed).saturating_add(amount);
        self.show(done);
    }

    /// So much is done.
    pub fn set(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.show(done);
    }

    /// A share of the whole is done, 0 to 1.
    pub fn set_share(&self, share: f64) {
        self.set((share.clamp(0.0, 1.0) * self.total as f64) as u64);
    }

    /// Says something that stays, above the bar.
    pub fn say(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(|| say(text)),
            Shown::Lines(_) => say(text),
        }
    }

    /// Takes the bar away; what is printed next stands in its place.
    pub fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }

    fn show(&self, done: u64) {
        let done = done.min(self.total);
        match &self.shown {
            Shown::Bar(bar) => bar.set_position(done),
            Shown::Lines(said) => {
                let tenth = u64::try_from(u128::from(done) * 10 / u128::from(self.total)).unwrap_or(10);
                // A thread that finds another one saying something has nothing to add.
                if let Ok(mut said) = said.try_lock()
                    && tenth > *said
                {
                    *said = tenth;
                    say(&format!("{}: {} %", self.label, tenth * 10));
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Says one line on stderr.
pub fn say(text: &str) {
    // Nothing is left to be told to when stderr is closed.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn draws_bars() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
