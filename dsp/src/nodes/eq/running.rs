//! The equaliser at work: still bands run together, automated ones on the control grid.

use core::any::Any;
use core::ops::Mul;

use super::moving_band::MovingBand;
use super::{Eq, Knob};
use crate::automation::Lane;
use crate::control::{Run, Runs};
use crate::kernels::lanes::{Lanes, gather, scatter};
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

    /// Whether both stand still and have as many sections in each loop.
    fn is_like(&self, other: &Self) -> bool {
        let sections = |stage: &Stage<C>| match stage {
            Stage::Still { states, .. } => Some(states.len()),
            Stage::Moving { .. } => None,
        };
        let pairs = || self.stages.iter().zip(&other.stages);
        self.stages.len() == other.stages.len()
            && pairs().all(|(a, b)| sections(a).is_some() && sections(a) == sections(b))
    }
}

impl<const C: usize> Node for EqNode<C> {
    fn process(&mut self, block: &mut Block<'_>) {
        let mut signal = [Lanes::<C>::ZERO; RUN_FRAMES];
        for run in Runs::<RUN_FRAMES>::of(block.frame, block.audio.frames()) {
            let signal = &mut signal[..run.frames];
            gather(parts(block.audio.iter(), run), signal);
            for stage in &mut self.stages {
                stage.process(run, signal);
            }
            scatter(signal, parts_mut(block.audio.iter_mut(), run));
        }
    }

    fn process_beside(&mut self, block: &mut Block<'_>, other: &mut dyn Node, other_block: &mut Block<'_>) {
        let together = (block.frame, block.audio.frames()) == (other_block.frame, other_block.audio.frames());
        let like = (other as &mut dyn Any).downcast_mut::<Self>().filter(|other| together && self.is_like(other));
        match (like, C) {
            (Some(other), 1) => Pair::<C, 2>(self, other).process(block, other_block),
            (Some(other), 2) => Pair::<C, 4>(self, other).process(block, other_block),
            _ => {
                self.process(block);
                other.process(other_block);
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

/// Two equalisers of as many still sections, side by side in `D` = 2·`C` lanes.
struct Pair<'a, const C: usize, const D: usize>(&'a mut EqNode<C>, &'a mut EqNode<C>);

impl<const C: usize, const D: usize> Pair<'_, C, D> {
    fn process(self, block: &mut Block<'_>, other_block: &mut Block<'_>) {
        let mut signal = [Lanes::<D>::ZERO; RUN_FRAMES];
        for run in Runs::<RUN_FRAMES>::of(block.frame, block.audio.frames()) {
            let signal = &mut signal[..run.frames];
            gather(parts(block.audio.iter().chain(other_block.audio.iter()), run), signal);
            for (stage, other) in self.0.stages.iter_mut().zip(&mut self.1.stages) {
                match (stage, other) {
                    (
                        Stage::Still { coefficients, states },
                        Stage::Still { coefficients: other_coefficients, states: other_states },
                    ) => {
                        if run.starts_on_grid {
                            tidy(states);
                            tidy(other_states);
                        }
                        let both = coefficients.iter().zip(other_coefficients.iter());
                        let mut coefficients = [Coefficients::IDLE.beside(&Coefficients::IDLE); SERIES];
                        coefficients.iter_mut().zip(both).for_each(|(to, (a, b))| *to = a.beside(b));
                        let mut beside = [State::<D>::ZERO; SERIES];
                        let both = states.iter().zip(other_states.iter());
                        beside.iter_mut().zip(both).for_each(|(to, (a, b))| *to = a.beside(b));
                        run_still(&coefficients[..states.len()], &mut beside[..states.len()], signal);
                        for ((state, other), beside) in states.iter_mut().zip(other_states).zip(beside) {
                            (*state, *other) = beside.parted();
                        }
                    }
                    _ => unreachable!("because only equalisers that stand still are alike"),
                }
            }
            scatter(signal, parts_mut(block.audio.iter_mut().chain(other_block.audio.iter_mut()), run));
        }
    }
}

/// A run of each of `C` channels.
fn parts<'a, const C: usize>(mut channels: impl Iterator<Item = &'a [f32]>, run: Run) -> [&'a [f32]; C] {
    core::array::from_fn(|_| &channels.next().expect("because the node has so many channels")[run.range()])
}

/// The same, to be written.
fn parts_mut<'a, const C: usize>(mut channels: impl Iterator<Item = &'a mut [f32]>, run: Run) -> [&'a mut [f32]; C] {
    core::array::from_fn(|_| &mut channels.next().expect("because the node has so many channels")[run.range()])
}

fn tidy<const C: usize>(states: &mut [State<C>]) {
    states.iter_mut().for_each(|state| *state = state.without_dust());
}

impl<const C: usize> Stage<C> {
    fn states(&mut self) -> &mut [State<C>] {
        let (Self::Still { states, .. } | Self::Moving { states, .. }) = self;
        states
    }

    fn process(&mut self, run: Run, signal: &mut [Lanes<C>]) {
        if run.starts_on_grid {
            tidy(self.states());
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

fn run_still<const C: usize, T: Copy>(
    coefficients: &[Coefficients<T>],
    states: &mut [State<C>],
    signal: &mut [Lanes<C>],
) where
    Lanes<C>: Mul<T, Output = Lanes<C>>,
{
    fn of<const C: usize, const N: usize, T: Copy>(c: &[Coefficients<T>], s: &mut [State<C>], signal: &mut [Lanes<C>])
    where
        Lanes<C>: Mul<T, Output = Lanes<C>>,
    {
        let coefficients = c.try_into().expect("because the number of sections was matched");
        svf::run::<C, N, T>(coefficients, s.try_into().expect("because each section has its state"), signal);
    }
    match states.len() {
        1 => of::<C, 1, T>(coefficients, states, signal),
        2 => of::<C, 2, T>(coefficients, states, signal),
        3 => of::<C, 3, T>(coefficients, states, signal),
        _ => of::<C, SERIES, T>(coefficients, states, signal),
    }
}
