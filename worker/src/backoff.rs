//! Waits between tries: they double up to a bound, with jitter, so that a farm of workers does not knock in step.

use std::time::Duration;

/// How long to wait after the first failure, and at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(200), most: Duration::from_secs(15) }
    }
}

impl Backoff {
    /// The wait after `failures` failures in a row, 1 or more: `first · 2^(failures − 1)`, at most `most`, of which
    /// `share` (0 to 1) decides the upper half.
    #[must_use]
    pub fn wait(&self, failures: u32, share: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.most);
        doubled.mul_f64(0.5 + 0.5 * share.clamp(0.0, 1.0))
    }

    /// Tries until it succeeds, the error cannot pass, or `patience` is spent; then the last error is the answer. A try
    /// under way is never cut short.
    ///
    /// # Errors
    /// That of the last try.
    pub async fn persist<T, E: std::fmt::Display, F: Future<Output = Result<T, E>>>(
        &self,
        patience: Duration,
        may_pass: impl Fn(&E) -> bool,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, E> {
        let begun = tokio::time::Instant::now();
        let mut failures = 0;
        loop {
            match attempt().await {
                Err(error) if may_pass(&error) && begun.elapsed() < patience => {
                    failures += 1;
                    tracing::warn!(%error, failures, "failed; trying again");
                    self.sleep(failures).await;
                }
                result => return result,
            }
        }
    }

    /// Sleeps after `failures` failures in a row.
    pub(crate) async fn sleep(&self, failures: u32) {
        tokio::time::sleep(self.wait(failures, random_share())).await;
    }
}

/// A random number from 0 to 1; the randomness is that of a version 4 UUID.
fn random_share() -> f64 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    f64::from((high >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound() {
        let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(1) };
        let waits: Vec<u128> = (1..=6).map(|failures| backoff.wait(failures, 1.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff.wait(u32::MAX, 0.0), Duration::from_millis(500));
    }
}
