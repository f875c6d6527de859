//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::errors::{CommandError, Exit};

/// Hears of interruptions; clones hear of the same.
#[derive(Debug, Clone)]
pub struct Interrupt {
    flag: Arc<AtomicBool>,
    raised: watch::Receiver<bool>,
}

impl Interrupt {
    /// Begins to listen, on a thread of its own: commands that render have no runtime.
    ///
    /// # Errors
    /// If the signals cannot be listened to.
    pub fn listen() -> Result<Self, CommandError> {
        let failed =
            |error: &io::Error| CommandError::new(Exit::Failed, "internal", "cannot listen for signals").because(error);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(|error| failed(&error))?;
        let flag = Arc::new(AtomicBool::new(false));
        let (raise, raised) = watch::channel(false);
        let interrupt = Self { flag: Arc::clone(&flag), raised };
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
                        if flag.swap(true, Ordering::SeqCst) {
                            std::process::exit(Exit::Interrupted as i32);
                        }
                        // Commands that never wait look at the flag alone.
                        let _ = raise.send(true);
                    }
                });
            })
            .map_err(|error| failed(&error))?;
        Ok(interrupt)
    }

    /// Whether the user has asked for an end.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// Waits until the user asks for an end.
    pub async fn raised(&self) {
        let mut raised = self.raised.clone();
        if raised.wait_for(|raised| *raised).await.is_err() {
            // The listening thread ends only with the process.
            std::future::pending::<()>().await;
        }
    }
}
