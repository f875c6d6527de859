//! Vector instructions, chosen when the program runs.
//!
//! A loop over samples that is worth it is a [`Kernel`]. [`run`] compiles the same scalar source once per instruction
//! set and calls the widest that the processor has. Nothing is reordered and no multiplication is fused with an addition:
//! sums stand in lanes that the source fixes, so every width gives the same bits (`tests/golden.rs` compares them).
//!
//! The one file with `unsafe`: a function compiled for instructions that a processor may lack can only be called so.

#![allow(unsafe_code, reason = "calls functions compiled for instructions that were looked for first")]

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// A loop whose instructions are chosen at run time. `run` and everything it calls in the loop are `#[inline(always)]`: what
/// is not inlined is compiled for the baseline.
pub trait Kernel {
    /// What the loop gives.
    type Output;
    /// The loop, in plain scalar code.
    fn run(self) -> Self::Output;
}

/// An instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// What every processor of the target has: SSE2 on x86-64, NEON on ARM64.
    Baseline = 1,
    /// 256-bit vectors of x86-64. Wider ones were no faster where it was measured, on Zen 4.
    Avx2 = 2,
}

/// The level in use; 0 until it is first asked for. Every level gives the same bits, so nothing depends on it but time.
static LEVEL: AtomicU8 = AtomicU8::new(0);

impl Level {
    /// Every level, the narrowest first.
    pub const ALL: [Self; 2] = [Self::Baseline, Self::Avx2];

    /// Whether this processor has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return match self {
            Self::Baseline => true,
            Self::Avx2 => is_x86_feature_detected!("avx2"),
        };
        #[cfg(not(target_arch = "x86_64"))]
        return self == Self::Baseline;
    }

    /// The level in use.
    #[must_use]
    pub fn current() -> Self {
        match LEVEL.load(Ordering::Relaxed) {
            1 => Self::Baseline,
            2 => Self::Avx2,
            _ => {
                let best = Self::ALL.into_iter().filter(|level| level.is_available()).fold(Self::Baseline, Self::max);
                LEVEL.store(best as u8, Ordering::Relaxed);
                best
            }
        }
    }

    /// Uses this level from now on. False, and nothing changes, if the processor lacks it.
    pub fn force(self) -> bool {
        let available = self.is_available();
        if available {
            LEVEL.store(self as u8, Ordering::Relaxed);
        }
        available
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
        })
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|level| level.to_string() == name);
        named.ok_or_else(|| format!("is {name:?}; expected baseline or avx2"))
    }
}

/// Runs a loop with the instructions of [`Level::current`].
#[inline]
pub fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if Level::current() == Level::Avx2 {
        // SAFETY: AVX2 is the level in use only where `is_available` found it.
        return unsafe { avx2(kernel) };
    }
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
