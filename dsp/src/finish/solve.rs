//! The loudness solve: the gain into the limiter at which the limited mix has the loudness asked for.

use std::io;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chain::{Block, Chain, ChainSpec, Fault};
use super::edges::Edges;
use super::hearing::Hearing;
use super::mastering::Ceiling;
use crate::buffer::Buffer;
use crate::execute::ExecuteError;
use crate::loudness::Meter;
use crate::media::pcm::PcmReader;
use crate::progress::Monitor;
use crate::relay::{Leg, listening};
use crate::session::valid::Loudness;
use crate::units::{db_from_gain, gain_from_db};

/// The solve ends when the loudness is this near to the target, in LU.
const TOLERANCE_LU: f64 = 0.03;

/// The most limited passes over the mix.
const MAX_STEPS: u32 = 6;

/// What kept the loudness below its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitedBy {
    /// The limiter would have had to do more than `max_limiting_db`.
    MaxLimiting,
    /// The mix is silent, or all of it lies below the gate.
    Silence,
    /// The steps ran out: the best of them is used.
    Steps,
}

/// The gain that the solve found, and what it gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Solution {
    /// Gain into the limiter in dB.
    pub gain_db: f64,
    /// True-peak ceiling of the limiter in dBTP.
    pub ceiling_dbtp: f64,
    /// Integrated loudness asked for, in LUFS.
    pub target_lufs: f64,
    /// Integrated loudness of the mix before the gain; `None` when it is silent.
    pub mix_lufs: Option<f64>,
    /// True peak of the mix before the gain in dBTP; `None` when it is silent.
    pub mix_dbtp: Option<f64>,
    /// Integrated loudness after gain and limiter at the render rate; `None` when silent.
    pub reached_lufs: Option<f64>,
    /// What kept it below the target; `None` when the target is reached.
    pub limited_by: Option<LimitedBy>,
    /// Limited passes that were made.
    pub steps: u32,
}

/// Solves the gain on a mix (a PCM artifact), deterministically: a first pass without limiter, unless the mix was `heard` while
/// it was made, then secant steps on the limited loudness, six at most; on up to `threads` threads, which change no bit.
///
/// The gain never asks the limiter for more than `max_limiting_db` at the highest peak; where that binds,
/// the solution says so and the loudness stays below the target.
///
/// # Errors
/// A sample of the mix is NaN or infinite (`BadSession`, with its channel and frame); the mix cannot be read; the monitor asked
/// to stop.
pub fn solve(
    mix: &Path,
    heard: Option<Hearing>,
    loudness: &Loudness,
    threads: usize,
    monitor: &dyn Monitor,
) -> Result<Solution, ExecuteError> {
    let source = Mix { path: mix, threads, monitor };
    let heard = heard.map_or_else(|| source.hear(), Ok)?.finish();
    let (mix_lufs, mix_peak) = heard.map_err(not_a_number)?;
    let mut solution = Solution {
        gain_db: 0.0,
        ceiling_dbtp: loudness.ceiling_dbtp,
        target_lufs: loudness.integrated_lufs,
        mix_lufs,
        mix_dbtp: (mix_peak > 0.0).then(|| db_from_gain(mix_peak)),
        reached_lufs: None,
        limited_by: Some(LimitedBy::Silence),
        steps: 0,
    };
    let (Some(mix_lufs), Some(mix_dbtp)) = (solution.mix_lufs, solution.mix_dbtp) else { return Ok(solution) };
    solution.limited_by = None;
    let clean_db = loudness.ceiling_dbtp - mix_dbtp;
    let highest_db = clean_db + loudness.max_limiting_db;
    let mut gain_db = loudness.integrated_lufs - mix_lufs;
    if gain_db <= clean_db {
        solution.gain_db = gain_db;
        solution.reached_lufs = Some(mix_lufs + gain_db);
        return Ok(solution);
    }
    let mut before: Option<(f64, f64)> = None;
    let mut best = f64::INFINITY;
    gain_db = gain_db.min(highest_db);
    loop {
        let reached = source.limited_loudness(gain_db, loudness.ceiling_dbtp)?;
        let level = reached.unwrap_or(f64::NEG_INFINITY);
        let error = loudness.integrated_lufs - level;
        solution.steps += 1;
        if error.abs() < best || solution.steps == 1 {
            best = error.abs();
            solution.gain_db = gain_db;
            solution.reached_lufs = reached;
        }
        let bound = gain_db >= highest_db && error > TOLERANCE_LU;
        if bound || best <= TOLERANCE_LU || solution.steps == MAX_STEPS || reached.is_none() {
            let missed = if bound { LimitedBy::MaxLimiting } else { LimitedBy::Steps };
            solution.limited_by = (best > TOLERANCE_LU).then_some(missed);
            return Ok(solution);
        }
        let slope = before.map_or(1.0, |(gain, known)| (level - known) / (gain_db - gain)).clamp(0.1, 1.0);
        before = Some((gain_db, level));
        gain_db = (gain_db + error / slope).min(highest_db);
    }
}

struct Mix<'a> {
    path: &'a Path,
    threads: usize,
    monitor: &'a dyn Monitor,
}

impl Mix<'_> {
    /// The mix as it is.
    fn hear(&self) -> Result<Hearing, ExecuteError> {
        let header = self.header()?;
        let mut hearing = Hearing::new(header.sample_rate_hz(), header.channels());
        self.pass(None, hearing.legs())?;
        Ok(hearing)
    }

    /// Integrated loudness after gain and limiter.
    fn limited_loudness(&self, gain_db: f64, ceiling_dbtp: f64) -> Result<Option<f64>, ExecuteError> {
        let header = self.header()?;
        let mut meter = Meter::loudness_only(header.sample_rate_hz(), header.channels());
        let leg = listening(|audio: &Buffer| meter.push(audio), |block: &Block| &block.audio);
        self.pass(Some((gain_from_db(gain_db), Ceiling::new(gain_from_db(ceiling_dbtp), 0))), vec![leg])?;
        Ok(meter.finish().integrated_lufs)
    }

    /// One pass through the chain, which `legs` hear.
    fn pass(
        &self,
        mastering: Option<(f64, Ceiling)>,
        legs: Vec<Leg<'_, Block, ExecuteError>>,
    ) -> Result<(), ExecuteError> {
        let header = self.header()?;
        let spec = ChainSpec {
            source: self.path,
            length_frames: header.frames(),
            edges: Edges::whole(header.frames()),
            sample_rate_hz: header.sample_rate_hz(),
            mastering,
            trim: 1.0,
        };
        let mut chain = Chain::open(spec).map_err(|source| self.unreadable(source))?;
        chain.run(self.threads, self.monitor, legs, |fault| match fault {
            Fault::Unreadable(source) => self.unreadable(source),
            Fault::NotANumber(place) => not_a_number(place),
        })
    }

    fn header(&self) -> Result<PcmReader, ExecuteError> {
        PcmReader::open(self.path).map_err(|source| self.unreadable(source))
    }

    fn unreadable(&self, source: io::Error) -> ExecuteError {
        ExecuteError::Io { what: format!("cannot read the mix {}", self.path.display()), source }
    }
}

fn not_a_number(place: String) -> ExecuteError {
    ExecuteError::BadSession(format!("no loudness can be found: {place}"))
}
