//! The dynamic equaliser at work: levels cell by cell of the control grid, coefficients that go straight between.

use super::hold::Hold;
use super::{DynamicBand, DynamicEq, When};
use crate::control::{Run, Runs, TIDY_FRAMES, finite, set_lanes};
use crate::kernels::ballistics::{Ballistics, Smoothing, Times, larger};
use crate::kernels::eq_design::Section;
use crate::kernels::eq_fit::Correction;
use crate::kernels::gain_computer::{Expansion, GainComputer, LOG2_PER_DB, SILENCE};
use crate::kernels::lanes::Lanes;
use crate::kernels::svf::{self, Coefficients, State};
use crate::math;
use crate::node::{Block, CONTROL_FRAMES, Node, ParameterLane};
use crate::nodes::bands;

pub(super) struct DynamicEqNode<const C: usize> {
    bands: Vec<Band<C>>,
    keyed: bool,
}

impl<const C: usize> DynamicEqNode<C> {
    pub(super) fn new(eq: &DynamicEq, sample_rate_hz: f64, lanes: &[ParameterLane]) -> Self {
        let band = |(index, band): (usize, &DynamicBand)| {
            Band::new(band.clone(), sample_rate_hz, bands::lanes_of(&eq.bands, index, 0, lanes))
        };
        Self { bands: eq.bands.iter().enumerate().map(band).collect(), keyed: false }
    }

    fn process_run(&mut self, block: &mut Block<'_>, run: Run) {
        let mut key = [Lanes::<2>::ZERO; CONTROL_FRAMES];
        read(block.key.unwrap_or(block.audio).iter(), run, &mut key);
        let mut signal = [Lanes::<C>::ZERO; CONTROL_FRAMES];
        read(block.audio.iter(), run, &mut signal);
        let mut moved = false;
        for band in &mut self.bands {
            band.seek(run.frame);
            band.listen(run, key);
            band.equalise(run, &mut signal[..run.frames]);
            moved |= !band.is_neutral();
        }
        for (lane, channel) in block.audio.iter_mut().enumerate() {
            for (sample, frame) in channel[run.range()].iter_mut().zip(&signal) {
                *sample = finite(if moved { frame.0[lane] as f32 } else { *sample });
            }
        }
    }
}

fn read<'a, const C: usize>(channels: impl Iterator<Item = &'a [f32]>, run: Run, to: &mut [Lanes<C>; CONTROL_FRAMES]) {
    for (lane, channel) in channels.take(C).enumerate() {
        for (frame, sample) in to.iter_mut().zip(&channel[run.range()]) {
            frame.0[lane] = f64::from(finite(*sample));
        }
    }
}

impl<const C: usize> Node for DynamicEqNode<C> {
    fn process(&mut self, block: &mut Block<'_>) {
        self.keyed |= block.key.is_some();
        let frames = block.audio.frames();
        Runs::<CONTROL_FRAMES>::of(block.frame, frames).for_each(|run| self.process_run(block, run));
    }

    fn reset(&mut self) {
        self.bands.iter_mut().for_each(Band::reset);
        self.keyed = false;
    }

    fn is_at_rest(&self) -> bool {
        // A key can sound while the input is silent.
        !self.keyed && self.bands.iter().all(Band::is_at_rest)
    }
}

/// A band that hears, and moves one cell later.
///
/// The level is the highest magnitude of a cell behind the ear's filter, where the band moves below its threshold held over
/// the valleys of the wave; it asks for an effect in dB, which is smoothed once a cell, and which the coefficients reach at the
/// end of the next cell.
struct Band<const C: usize> {
    parameters: DynamicBand,
    sample_rate_hz: f64,
    lanes: Vec<ParameterLane>,
    /// The coefficients of a band without lanes, from rest to full range.
    course: Option<Course>,
    law: Law,
    /// The grid frame of the cell at work.
    cell: Option<i64>,
    /// The highest level in this cell.
    level: f64,
    hold: Hold,
    ear: [Coefficients; 2],
    ear_state: State<2>,
    ballistics: Ballistics,
    /// At both ends of the cell.
    coefficients: [[Coefficients; 2]; 2],
    neutral: [bool; 2],
    states: [State<C>; 2],
}

impl<const C: usize> Band<C> {
    fn new(parameters: DynamicBand, sample_rate_hz: f64, lanes: Vec<ParameterLane>) -> Self {
        let place = parameters.frequency_hz / sample_rate_hz;
        let course = lanes.is_empty().then(|| Course::new(&parameters, place));
        let rest = design(&parameters, place, 0.0, &Correction::NONE);
        let ear = Coefficients::from(&Section::closed_form(&parameters.ear(), place));
        Self {
            law: Law::of(&parameters, sample_rate_hz),
            hold: Hold::of(&parameters, sample_rate_hz),
            parameters,
            sample_rate_hz,
            lanes,
            course,
            cell: None,
            level: 0.0,
            ear: [ear; 2],
            ear_state: State::ZERO,
            ballistics: Ballistics::default(),
            coefficients: [rest; 2],
            neutral: [true; 2],
            states: [State::ZERO; 2],
        }
    }

    fn reset(&mut self) {
        self.cell = None;
        self.level = 0.0;
        self.hold.reset();
        self.ear_state = State::ZERO;
        self.ballistics = Ballistics::default();
        if let Some(course) = &self.course {
            self.coefficients = [course.at(0.0); 2];
        }
        self.neutral = [true; 2];
        self.states = [State::ZERO; 2];
    }

    /// Makes the coefficients those of the cell that holds `frame`.
    fn seek(&mut self, frame: i64) {
        let grid = CONTROL_FRAMES as i64;
        let before = frame - frame.rem_euclid(grid);
        if self.cell == Some(before) {
            return;
        }
        if before.rem_euclid(TIDY_FRAMES) == 0 {
            self.ballistics.tidy();
            self.ear_state = self.ear_state.without_dust();
            self.states = self.states.map(State::without_dust);
        }
        if !self.lanes.is_empty() {
            self.move_to(before);
        }
        self.cell = Some(before);
        let level = self.hold.held(self.level, before / grid);
        let mut effect = [self.law.effect(level)];
        self.level = 0.0;
        let times = self.law.times;
        self.ballistics.run((Smoothing::Decoupled, false), &mut effect, |_| times);
        let share = self.law.share(effect[0]);
        self.coefficients[0] = self.coefficients[1];
        self.coefficients[1] = match &self.course {
            Some(course) => course.at(share),
            None => design(&self.parameters, self.place(), share * self.parameters.range_db, &Correction::NONE),
        };
        self.neutral = [self.neutral[1], share == 0.0];
    }

    /// Takes over the automated parameters at the end of the cell that begins at `before`.
    fn move_to(&mut self, before: i64) {
        let grid = CONTROL_FRAMES as i64;
        if self.cell.is_none() {
            self.set(before);
            self.coefficients[1] = design(&self.parameters, self.place(), 0.0, &Correction::NONE);
        }
        self.set(before + grid);
        self.law = Law::of(&self.parameters, self.sample_rate_hz);
        self.hold.move_to(&self.parameters, self.sample_rate_hz);
    }

    /// Sets the parameters, and the ear at the end of the cell, to those of `frame`.
    fn set(&mut self, frame: i64) {
        set_lanes(&mut self.parameters, &self.lanes, frame);
        let ear = Section::closed_form(&self.parameters.ear(), self.place());
        self.ear = [self.ear[1], Coefficients::from(&ear)];
    }

    /// The frequency as a share of the sample rate.
    fn place(&self) -> f64 {
        self.parameters.frequency_hz / self.sample_rate_hz
    }

    /// Hears a run of the key.
    fn listen(&mut self, run: Run, mut key: [Lanes<2>; CONTROL_FRAMES]) {
        let key = &mut key[..run.frames];
        if self.lanes.is_empty() {
            let mut state = [self.ear_state];
            svf::run(&[self.ear[0]], &mut state, key);
            [self.ear_state] = state;
        } else {
            let [from, to] = &self.ear;
            svf::run_moving((from, to), (phase(run), CONTROL_FRAMES), &mut self.ear_state, key);
        }
        for Lanes([left, right]) in key {
            self.level = larger(self.level, larger(left.abs(), right.abs()));
        }
    }

    fn equalise(&mut self, run: Run, signal: &mut [Lanes<C>]) {
        let [from, to] = &self.coefficients;
        if from == to {
            svf::run(from, &mut self.states, signal);
        } else {
            for ((from, to), state) in from.iter().zip(to).zip(&mut self.states) {
                svf::run_moving((from, to), (phase(run), CONTROL_FRAMES), state, signal);
            }
        }
    }

    /// Whether the cell at work passes the sound as it is.
    fn is_neutral(&self) -> bool {
        self.neutral == [true; 2]
    }

    fn is_at_rest(&self) -> bool {
        self.is_neutral()
            && self.level == 0.0
            && self.hold.is_empty()
            && self.law.effect(0.0) == 0.0
            && self.lanes.is_empty()
            && self.ballistics.is_at_rest()
            && self.ear_state == State::ZERO
            && self.states == [State::ZERO; 2]
    }
}

/// How far into its cell a run starts.
fn phase(run: Run) -> usize {
    run.frame.rem_euclid(CONTROL_FRAMES as i64) as usize
}

/// The sections of a band at a gain.
fn design(band: &DynamicBand, place: f64, gain_db: f64, correction: &Correction) -> [Coefficients; 2] {
    let sections = correction.applied(&Section::closed_form(&band.prototype(gain_db), place));
    sections.map(
        |section| {
            if gain_db == 0.0 { Coefficients::passthrough(&section) } else { Coefficients::from(&section) }
        },
    )
}

/// Steps of a [`Course`]: at most 1 dB each.
const STEPS: usize = 24;

/// The coefficients of a band from rest to full range, evenly in dB. At full range it is the band of the equaliser; what the
/// equaliser's search adds to the closed form there is taken in proportion on the way.
struct Course(Vec<[Coefficients; 2]>);

impl Course {
    fn new(band: &DynamicBand, place: f64) -> Self {
        let full =
            if band.range_db == 0.0 { Correction::NONE } else { Correction::of(&band.prototype(band.range_db), place) };
        let at = |step: usize| {
            let share = step as f64 / STEPS as f64;
            design(band, place, share * band.range_db, &Correction::NONE.interpolated(&full, share))
        };
        Self((0..=STEPS).map(at).collect())
    }

    /// The coefficients at a share of the range, 0 to 1.
    fn at(&self, share: f64) -> [Coefficients; 2] {
        let place = share * STEPS as f64;
        let below = (place as usize).min(STEPS - 1);
        let t = place - below as f64;
        let (from, to) = (&self.0[below], &self.0[below + 1]);
        core::array::from_fn(|index| from[index].interpolated(&to[index], t))
    }
}

/// The static curve of a band and its times, by cells.
#[derive(Debug, Clone, Copy)]
struct Law {
    curve: Curve,
    /// −1 where the effect grows as the level falls.
    sign: f64,
    /// |range|, in binary logarithms.
    range: f64,
    times: Times,
}

#[derive(Debug, Clone, Copy)]
enum Curve {
    Compression(GainComputer),
    /// Of the level upside down.
    Expansion(Expansion),
}

impl Law {
    fn of(band: &DynamicBand, sample_rate_hz: f64) -> Self {
        let sign = if band.when == When::Above { 1.0 } else { -1.0 };
        let (threshold_db, ratio, knee_db) = (sign * band.threshold_db, band.ratio, band.knee_db);
        let expands = (band.range_db > 0.0) == (band.when == When::Above);
        let curve = if expands {
            Curve::Expansion(Expansion::new(-threshold_db, ratio, knee_db, band.range_db.abs()))
        } else {
            Curve::Compression(GainComputer::new(threshold_db, ratio, knee_db))
        };
        let cells_per_second = sample_rate_hz / CONTROL_FRAMES as f64;
        let times = Times::new(band.attack_ms, band.release_ms, cells_per_second);
        Self { curve, sign, range: band.range_db.abs() * LOG2_PER_DB, times }
    }

    /// The effect that a level asks for, in binary logarithms; never more than the range.
    fn effect(&self, level: f64) -> f64 {
        let beyond = self.sign * math::quick_log2(larger(level, SILENCE));
        let effect = match self.curve {
            Curve::Compression(curve) => curve.reduction(beyond),
            Curve::Expansion(curve) => curve.reduction(-beyond),
        };
        effect.min(self.range)
    }

    /// The share of the range that an effect is.
    fn share(&self, effect: f64) -> f64 {
        if self.range > 0.0 { (effect / self.range).min(1.0) } else { 0.0 }
    }
}
