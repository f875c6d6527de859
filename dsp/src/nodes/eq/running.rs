//! The equaliser at work: still bands run together, automated ones on the control grid.

use super::{Band, Eq, Knob};
use crate::automation::Lane;
use crate::control::{Run, Runs, finite};
use crate::kernels::eq_design::Section;
use crate::kernels::eq_fit::Correction;
use crate::kernels::lanes::Lanes;
use crate::kernels::svf::{self, Coefficients, State};
use crate::node::{Block, CONTROL_FRAMES, Node, ParameterLane};

/// Frames processed together; a multiple of [`CONTROL_FRAMES`].
const RUN_FRAMES: usize = 64;

/// The most sections that run in one loop, their states in registers.
const SERIES: usize = 4;

pub(super) struct EqNode<const C: usize> {
    stages: Vec<Stage<C>>,
}

/// Sections that run together.
enum Stage<const C: usize> {
    /// Up to [`SERIES`] sections that never change.
    Still { coefficients: Vec<Coefficients>, states: Vec<State<C>> },
    /// The sections of one automated band.
    Moving { band: Box<MovingBand>, states: Vec<State<C>> },
}

impl<const C: usize> EqNode<C> {
    pub(super) fn new(eq: &Eq, sample_rate_hz: f64, lanes: &[ParameterLane]) -> Self {
        let mut stages: Vec<Stage<C>> = Vec::new();
        for (index, band) in eq.bands.iter().enumerate() {
            let lanes: Vec<(Knob, Lane)> = lanes
                .iter()
                .map(|lane| (eq.knob_at(lane.parameter), &lane.lane))
                .filter(|((of, _), _)| *of == index)
                .map(|((_, knob), lane)| (knob, lane.clone()))
                .collect();
            if !lanes.is_empty() {
                let band = Box::new(MovingBand::new(band.clone(), sample_rate_hz, lanes));
                let states = vec![State::ZERO; band.from.len()];
                stages.push(Stage::Moving { band, states });
                continue;
            }
            for section in band.sections(sample_rate_hz) {
                match stages.last_mut() {
                    Some(Stage::Still { coefficients, states }) if states.len() < SERIES => {
                        coefficients.push(section);
                        states.push(State::ZERO);
                    }
                    _ => stages.push(Stage::Still { coefficients: vec![section], states: vec![State::ZERO] }),
                }
            }
        }
        Self { stages }
    }
}

impl<const C: usize> Node for EqNode<C> {
    fn process(&mut self, block: &mut Block<'_>) {
        let mut signal = [Lanes::<C>::ZERO; RUN_FRAMES];
        for run in Runs::<RUN_FRAMES>::of(block.frame, block.audio.frames()) {
            let signal = &mut signal[..run.frames];
            for (lane, channel) in block.audio.iter().enumerate() {
                for (frame, sample) in signal.iter_mut().zip(&channel[run.range()]) {
                    frame.0[lane] = f64::from(finite(*sample));
                }
            }
            for stage in &mut self.stages {
                stage.process(run, signal);
            }
            for (lane, channel) in block.audio.iter_mut().enumerate() {
                for (frame, sample) in signal.iter().zip(&mut channel[run.range()]) {
                    *sample = finite(frame.0[lane] as f32);
                }
            }
        }
    }

    fn reset(&mut self) {
        self.stages.iter_mut().for_each(|stage| stage.states().fill(State::ZERO));
    }

    fn is_at_rest(&self) -> bool {
        self.stages.iter().all(|stage| {
            let (Stage::Still { states, .. } | Stage::Moving { states, .. }) = stage;
            states.iter().all(|state| *state == State::ZERO)
        })
    }
}

impl<const C: usize> Stage<C> {
    fn states(&mut self) -> &mut [State<C>] {
        let (Self::Still { states, .. } | Self::Moving { states, .. }) = self;
        states
    }

    fn process(&mut self, run: Run, signal: &mut [Lanes<C>]) {
        if run.starts_on_grid {
            self.states().iter_mut().for_each(|state| *state = state.without_dust());
        }
        match self {
            Self::Still { coefficients, states } => run_still(coefficients, states, signal),
            Self::Moving { band, states } => {
                for part in Runs::<CONTROL_FRAMES>::of(run.frame, run.frames) {
                    band.seek(part.frame);
                    let phase = (part.frame.rem_euclid(CONTROL_FRAMES as i64) as usize, CONTROL_FRAMES);
                    for ((from, to), state) in band.from.iter().zip(&band.to).zip(states.iter_mut()) {
                        svf::run_moving((from, to), phase, state, &mut signal[part.range()]);
                    }
                }
            }
        }
    }
}

fn run_still<const C: usize>(coefficients: &[Coefficients], states: &mut [State<C>], signal: &mut [Lanes<C>]) {
    fn of<const C: usize, const N: usize>(c: &[Coefficients], s: &mut [State<C>], signal: &mut [Lanes<C>]) {
        let coefficients = c.try_into().expect("because the number of sections was matched");
        svf::run::<C, N>(coefficients, s.try_into().expect("because each section has its state"), signal);
    }
    match states.len() {
        1 => of::<C, 1>(coefficients, states, signal),
        2 => of::<C, 2>(coefficients, states, signal),
        3 => of::<C, 3>(coefficients, states, signal),
        _ => of::<C, SERIES>(coefficients, states, signal),
    }
}

/// Frames between the searches for a moving band's correction, a multiple of [`CONTROL_FRAMES`].
const SEARCH_FRAMES: i64 = 1024;

/// A band with automated parameters: the coefficients on both sides of the frames at work.
///
/// On the control grid the closed form is computed; every [`SEARCH_FRAMES`] absolute frames the search tells how far it is
/// from the best design, and between the correction is interpolated. So a lane that rests, or goes slowly, sounds as
/// a band that never moved; one that jumps is off by what the closed form is off until the search has caught up.
struct MovingBand {
    band: Band,
    sample_rate_hz: f64,
    lanes: Vec<(Knob, Lane)>,
    /// The grid frame of `from`; `to` is [`CONTROL_FRAMES`] later.
    frame: Option<i64>,
    from: Vec<Coefficients>,
    to: Vec<Coefficients>,
    /// The corrections on both sides.
    corrections: [Corrections; 2],
}

/// What the search adds to each prototype of a band at a frame.
#[derive(Clone)]
struct Corrections {
    frame: Option<i64>,
    /// Frequency, gain and Q that they are for.
    of: [f64; 3],
    each: Vec<Correction>,
}

impl MovingBand {
    fn new(band: Band, sample_rate_hz: f64, lanes: Vec<(Knob, Lane)>) -> Self {
        let prototypes = band.prototypes().count();
        let none = Corrections { frame: None, of: [f64::NAN; 3], each: vec![Correction::NONE; prototypes] };
        let idle = vec![Coefficients::from(&Section::IDLE_HELPER); 2 * prototypes];
        let corrections = [none.clone(), none];
        Self { band, sample_rate_hz, lanes, frame: None, from: idle.clone(), to: idle, corrections }
    }

    /// Makes `from` and `to` those around `frame`.
    fn seek(&mut self, frame: i64) {
        let grid = CONTROL_FRAMES as i64;
        let before = frame - frame.rem_euclid(grid);
        if self.frame == Some(before) {
            return;
        }
        if self.frame != Some(before - grid) {
            self.design(before);
        }
        core::mem::swap(&mut self.from, &mut self.to);
        self.design(before + grid);
        self.frame = Some(before);
    }

    /// Sets the band to its parameters at a frame.
    fn set(&mut self, frame: i64) {
        for (knob, lane) in &self.lanes {
            *knob.of(&mut self.band) = lane.value_at(frame);
        }
    }

    /// Computes `to` for the parameters at `frame`.
    fn design(&mut self, frame: i64) {
        let phase = frame.rem_euclid(SEARCH_FRAMES);
        self.correct(frame - phase);
        self.set(frame);
        let place = self.band.frequency_hz / self.sample_rate_hz;
        let [before, after] = &self.corrections;
        let corrections = before.each.iter().zip(&after.each);
        for ((prototype, (before, after)), to) in
            self.band.prototypes().zip(corrections).zip(self.to.chunks_exact_mut(2))
        {
            let correction = before.interpolated(after, phase as f64 / SEARCH_FRAMES as f64);
            let sections = correction.applied(&Section::closed_form(&prototype, place));
            for (to, section) in to.iter_mut().zip(&sections) {
                *to = if self.band.is_neutral() { Coefficients::passthrough(section) } else { section.into() };
            }
        }
    }

    /// Makes the corrections those at `before` and [`SEARCH_FRAMES`] later.
    fn correct(&mut self, before: i64) {
        if self.corrections[0].frame == Some(before) {
            return;
        }
        if self.corrections[1].frame == Some(before) {
            self.corrections.swap(0, 1);
        } else {
            self.search(0, before);
        }
        self.search(1, before + SEARCH_FRAMES);
    }

    fn search(&mut self, side: usize, frame: i64) {
        self.set(frame);
        let of = [self.band.frequency_hz, self.band.gain_db, self.band.q];
        let [one, other] = &mut self.corrections;
        let (found, known) = if side == 0 { (one, &*other) } else { (other, &*one) };
        found.frame = Some(frame);
        if known.of == of {
            found.each.copy_from_slice(&known.each);
        } else if found.of != of {
            let place = self.band.frequency_hz / self.sample_rate_hz;
            for (found, prototype) in found.each.iter_mut().zip(self.band.prototypes()) {
                *found = Correction::of(&prototype, place);
            }
        }
        found.of = of;
    }
}
