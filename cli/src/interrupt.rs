//! SIGINT and SIGTERM: the first asks for an orderly end, later ones insist.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::errors::{CommandError, Exit};

/// Hears of interruptions; clones hear of the same.
#[derive(Debug, Clone)]
pub struct Interrupt {
    signals: watch::Receiver<u32>,
}

/// Commands that hold nothing for others end at the second signal.
const SHORT: u32 = 2;
/// Those that serve stop hard at the second, and end at the third.
const SERVING: u32 = 3;

impl Interrupt {
    /// Begins to listen. The process ends at the second signal.
    ///
    /// # Errors
    /// If the signals cannot be listened to.
    pub fn listen() -> Result<Self, CommandError> {
        Self::listen_until(SHORT)
    }

    /// Begins to listen. The second signal is [`Self::insisted`], the process ends at the third.
    ///
    /// # Errors
    /// If the signals cannot be listened to.
    pub fn listen_while_serving() -> Result<Self, CommandError> {
        Self::listen_until(SERVING)
    }

    /// Listens on a thread of its own: commands that render have no runtime.
    fn listen_until(last: u32) -> Result<Self, CommandError> {
        let failed =
            |error: &io::Error| CommandError::new(Exit::Failed, "internal", "cannot listen for signals").because(error);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(|error| failed(&error))?;
        let (raise, signals) = watch::channel(0);
        let (mut keyboard, mut terminate) = {
            let _entered = runtime.enter();
            let keyboard = signal(SignalKind::interrupt()).map_err(|error| failed(&error))?;
            (keyboard, signal(SignalKind::terminate()).map_err(|error| failed(&error))?)
        };
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    loop {
                        tokio::select! {
                            _ = keyboard.recv() => {}
                            _ = terminate.recv() => {}
                        }
                        raise.send_modify(|count| *count += 1);
                        if *raise.borrow() >= last {
                            std::process::exit(Exit::Interrupted as i32);
                        }
                    }
                });
            })
            .map_err(|error| failed(&error))?;
        Ok(Self { signals })
    }

    /// Whether the user has asked for an end.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        *self.signals.borrow() > 0
    }

    /// Waits until the user asks for an end.
    pub async fn raised(&self) {
        self.reached(1).await;
    }

    /// Waits until the user insists.
    pub async fn insisted(&self) {
        self.reached(2).await;
    }

    async fn reached(&self, count: u32) {
        let mut signals = self.signals.clone();
        if signals.wait_for(|signals| *signals >= count).await.is_err() {
            // The listening thread ends only with the process.
            std::future::pending::<()>().await;
        }
    }
}
