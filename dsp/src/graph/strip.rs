//! The gains of channel strips: polarity, fader, pan and send level as one pair of factors.

use super::view::View;
use crate::automation::Lane;
use crate::buffer::Buffer;
use crate::kernels::pan::PanLaw;
use crate::session::valid::Strip;
use crate::simd;
use crate::units::gain_from_db;

/// The level in dB at and below which faders and sends are silent.
const SILENCE_DB: f64 = -120.0;

/// The factors (left, right) with which a signal enters a sum, over session time.
#[derive(Debug)]
pub struct StripGain {
    sign: f64,
    law: PanLaw,
    /// Fader and pan; `None` before the fader.
    fader: Option<Fader>,
    send_db: Option<Lane>,
    fader_gains: Vec<f64>,
    send_gains: Vec<f64>,
    left: Vec<f64>,
    right: Vec<f64>,
}

#[derive(Debug)]
struct Fader {
    db: Lane,
    offset_db: f64,
    pan: Lane,
}

/// The factors over one block.
#[derive(Debug, Clone, Copy)]
pub enum Factors<'a> {
    /// The same for every frame.
    Constant(f64, f64),
    /// One per frame.
    PerFrame(&'a [f64], &'a [f64]),
}

impl StripGain {
    /// After polarity, fader (moved by `offset_db`) and pan.
    #[must_use]
    pub fn post_fader(strip: &Strip, offset_db: f64, law: PanLaw) -> Self {
        let fader = Fader { db: strip.fader_db.clone(), offset_db, pan: strip.pan.clone() };
        Self { sign: if strip.invert_polarity { -1.0 } else { 1.0 }, fader: Some(fader), ..Self::pre_fader(law) }
    }

    /// Before polarity, fader and pan; a mono signal stands at the centre.
    #[must_use]
    pub fn pre_fader(law: PanLaw) -> Self {
        Self {
            sign: 1.0,
            law,
            fader: None,
            send_db: None,
            fader_gains: Vec::new(),
            send_gains: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
        }
    }

    /// A fader alone, for a stereo signal.
    #[must_use]
    pub fn fader(db: &Lane) -> Self {
        let fader = Fader { db: db.clone(), offset_db: 0.0, pan: Lane::constant(0.0) };
        Self { fader: Some(fader), ..Self::pre_fader(PanLaw::Balance) }
    }

    /// And then a send of this level.
    #[must_use]
    pub fn sent(self, gain_db: &Lane) -> Self {
        Self { send_db: Some(gain_db.clone()), ..self }
    }

    /// The factors of `frames` frames from session frame `frame` on.
    pub fn over(&mut self, frame: i64, frames: usize) -> Factors<'_> {
        match self.constant_over(frame, frames) {
            Some((left, right)) => Factors::Constant(left, right),
            None => {
                self.fill(frame, frames);
                Factors::PerFrame(&self.left, &self.right)
            }
        }
    }

    fn constant_over(&self, frame: i64, frames: usize) -> Option<(f64, f64)> {
        let (fader, (left, right)) = match &self.fader {
            None => (1.0, self.law.gains(0.0)),
            Some(fader) => {
                let db = fader.db.constant_over(frame, frames)?;
                (fader_gain(db, fader.offset_db), self.law.gains(fader.pan.constant_over(frame, frames)?))
            }
        };
        let send = match &self.send_db {
            None => 1.0,
            Some(lane) => fader_gain(lane.constant_over(frame, frames)?, 0.0),
        };
        let gain = self.sign * fader * send;
        Some((gain * left, gain * right))
    }

    fn fill(&mut self, frame: i64, frames: usize) {
        for values in [&mut self.fader_gains, &mut self.send_gains, &mut self.left, &mut self.right] {
            values.clear();
            values.resize(frames, 1.0);
        }
        let centre = self.law.gains(0.0);
        self.left.fill(centre.0);
        self.right.fill(centre.1);
        if let Some(fader) = &self.fader {
            fill_gains(&fader.db, fader.offset_db, frame, &mut self.fader_gains);
            fader.pan.fill(frame, &mut self.left);
            let mut last = (f64::NAN, centre);
            for (left, right) in self.left.iter_mut().zip(&mut self.right) {
                if *left != last.0 {
                    last = (*left, self.law.gains(*left));
                }
                (*left, *right) = last.1;
            }
        }
        if let Some(lane) = &self.send_db {
            fill_gains(lane, 0.0, frame, &mut self.send_gains);
        }
        let gains = self.fader_gains.iter().zip(&self.send_gains);
        for ((left, right), (fader, send)) in self.left.iter_mut().zip(&mut self.right).zip(gains) {
            let gain = self.sign * fader * send;
            *left *= gain;
            *right *= gain;
        }
    }
}

/// Turns a lane in dB into factors, one exponential per value and not per frame.
fn fill_gains(lane: &Lane, offset_db: f64, frame: i64, out: &mut [f64]) {
    lane.fill(frame, out);
    let mut last = (f64::NAN, 0.0);
    for value in out {
        if *value != last.0 {
            last = (*value, fader_gain(*value, offset_db));
        }
        *value = last.1;
    }
}

fn fader_gain(db: f64, offset_db: f64) -> f64 {
    if db <= SILENCE_DB || db + offset_db <= SILENCE_DB { 0.0 } else { gain_from_db(db + offset_db) }
}

impl Factors<'_> {
    /// Adds a block, times these factors, to a sum; a mono block goes to both sides.
    pub fn add(self, audio: View<'_>, left_sum: &mut [f64], right_sum: &mut [f64]) {
        let (left, right) = (audio.channel(0), audio.channel(audio.channel_count() - 1));
        match self {
            Self::Constant(0.0, 0.0) => {}
            Self::Constant(left_gain, right_gain) => {
                add_constant(left, left_gain, left_sum);
                add_constant(right, right_gain, right_sum);
            }
            Self::PerFrame(left_gains, right_gains) => {
                add_per_frame(left, left_gains, left_sum);
                add_per_frame(right, right_gains, right_sum);
            }
        }
    }

    /// Writes a block, times these factors, to the frames of a stereo buffer from `at` on.
    pub fn scale(self, audio: View<'_>, out: &mut Buffer, at: usize) {
        let (left, right) = (audio.channel(0), audio.channel(audio.channel_count() - 1));
        let (left_out, right_out) = out.stereo_mut();
        let (left_out, right_out) = (&mut left_out[at..at + left.len()], &mut right_out[at..at + right.len()]);
        match self {
            Self::Constant(left_gain, right_gain) => {
                scale(left, std::iter::repeat(&left_gain), left_out);
                scale(right, std::iter::repeat(&right_gain), right_out);
            }
            Self::PerFrame(left_gains, right_gains) => {
                scale(left, left_gains, left_out);
                scale(right, right_gains, right_out);
            }
        }
    }
}

fn scale<'g>(audio: &[f32], gains: impl IntoIterator<Item = &'g f64>, out: &mut [f32]) {
    for ((out, sample), gain) in out.iter_mut().zip(audio).zip(gains) {
        // Adding 0 turns −0 into 0, as every other sum here does.
        *out = (f64::from(*sample) * gain + 0.0) as f32;
    }
}

fn add_constant(audio: &[f32], gain: f64, sum: &mut [f64]) {
    simd::run(AddConstant { audio, gain, sum });
}

struct AddConstant<'a> {
    audio: &'a [f32],
    gain: f64,
    sum: &'a mut [f64],
}

impl simd::Kernel for AddConstant<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (sum, sample) in self.sum.iter_mut().zip(self.audio) {
            *sum += f64::from(*sample) * self.gain;
        }
    }
}

fn add_per_frame(audio: &[f32], gains: &[f64], sum: &mut [f64]) {
    for ((sum, sample), gain) in sum.iter_mut().zip(audio).zip(gains) {
        *sum += f64::from(*sample) * gain;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automation::{Curve, Knot};
    use crate::session::valid::Output;

    fn moving_strip() -> Strip {
        let knot = |frame, value, curve| Knot { frame, value, curve };
        let fader = [knot(10, -6.0, Curve::Linear), knot(30, 0.0, Curve::Hold), knot(50, -130.0, Curve::Hold)];
        let pan = [knot(20, -1.0, Curve::Linear), knot(60, 1.0, Curve::Linear)];
        Strip {
            fader_db: Lane::new(fader.to_vec()).unwrap(),
            pan: Lane::new(pan.to_vec()).unwrap(),
            invert_polarity: true,
            mute: false,
            output: Output::Master,
            sends: Vec::new(),
        }
    }

    fn factors(gain: &mut StripGain, frame: i64, frames: usize) -> Vec<(u64, u64)> {
        match gain.over(frame, frames) {
            Factors::Constant(left, right) => vec![(left.to_bits(), right.to_bits()); frames],
            Factors::PerFrame(left, right) => {
                left.iter().zip(right).map(|(left, right)| (left.to_bits(), right.to_bits())).collect()
            }
        }
    }

    #[test]
    fn factors_have_the_same_bits_however_the_time_is_cut() {
        let send = Lane::new(vec![
            Knot { frame: 40, value: -20.0, curve: Curve::Linear },
            Knot { frame: 70, value: 6.0, curve: Curve::Linear },
        ])
        .unwrap();
        for law in [PanLaw::EqualPower, PanLaw::Compromise, PanLaw::Linear, PanLaw::Balance] {
            let mut gain = StripGain::post_fader(&moving_strip(), 1.5, law).sent(&send);
            let whole = factors(&mut gain, -5, 100);
            for block in [1, 7, 33] {
                let starts = (0..100).step_by(block);
                let cut: Vec<_> =
                    starts.flat_map(|start| factors(&mut gain, start as i64 - 5, block.min(100 - start))).collect();
                assert_eq!(whole, cut);
            }
        }
    }

    #[test]
    fn a_fader_at_minus_120_db_is_silent_even_when_a_mix_raises_it() {
        let mut gain = StripGain::post_fader(&moving_strip(), 24.0, PanLaw::Balance);
        let Factors::Constant(left, right) = gain.over(60, 10) else { panic!("the lanes stand still from 60 on") };
        assert_eq!((left.abs(), right.abs()), (0.0, 0.0));
    }

    #[test]
    fn polarity_turns_the_fader_s_sign_and_leaves_pre_fader_sends_alone() {
        let turned = factors(&mut StripGain::post_fader(&moving_strip(), 0.0, PanLaw::Linear), 0, 1)[0];
        assert!(f64::from_bits(turned.0) < 0.0);
        let untouched = factors(&mut StripGain::pre_fader(PanLaw::Linear), 0, 1)[0];
        assert_eq!(f64::from_bits(untouched.0), 0.5);
    }
}
