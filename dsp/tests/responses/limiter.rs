//! The limiter node: what moves, moves where the lane says, and the release takes the time asked for.

use core::f64::consts::TAU;

use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::math;
use mixdown_dsp::node::ParameterLane;
use mixdown_dsp::nodes::{Limiter, Processor};
use mixdown_dsp::units::{db_from_gain, gain_from_db};

use crate::support::Rig;

const RATE: u32 = 48_000;

/// What comes out for `signal` with one parameter stepping to `value` at a frame, latency taken off.
fn limited(limiter: &Limiter, signal: &[f32], parameter: &str, from: f64, at: u64, to: f64) -> Vec<f32> {
    let processor = Processor::Limiter(limiter.clone());
    let parameters = processor.parameters();
    let index = parameters.specs().iter().position(|spec| spec.name == parameter).expect("because it is automatable");
    let knot = |frame, value| Knot { frame, value, curve: Curve::Hold };
    let lane = Lane::new(vec![knot(0, from), knot(at, to)]).expect("because the frames rise");
    let latency = parameters.latency_frames(RATE);
    let input = [signal, &vec![0.0; latency][..]].concat();
    let mut rig = Rig::new(&processor, RATE, 1, &[ParameterLane { parameter: index, lane }]);
    rig.run(&[input], None, &[777, 64, 4096]).remove(0).split_off(latency)
}

fn tone(amplitude: f64, frames: usize) -> Vec<f32> {
    (0..frames).map(|n| (amplitude * math::sin(TAU * 997.0 * n as f64 / f64::from(RATE))) as f32).collect()
}

fn greatest(samples: &[f32]) -> f64 {
    db_from_gain(f64::from(samples.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()))))
}

#[test]
fn an_automated_ceiling_holds_at_its_very_frames() {
    let limiter = Limiter { release_ms: 50.0, ..Limiter::default() };
    for (from, to) in [(-1.0, -13.0), (-13.0, -1.0)] {
        let out = limited(&limiter, &tone(2.0, 60_000), "ceiling_dbtp", from, 30_000, to);
        let (before, after) = (greatest(&out[..30_000]), greatest(&out[30_000..]));
        assert!(before <= from && before > from - 0.05, "{before:.4} dB before, {from} asked");
        assert!(after <= to && after > to - 0.05, "{after:.4} dB after, {to} asked");
        // And no longer before or after than the look-ahead and the hold need.
        assert!(greatest(&out[..28_000]) > from - 0.05 && greatest(&out[34_000..]) > to - 0.05);
    }
}

#[test]
fn the_gain_is_back_from_6_db_in_half_the_release() {
    let ceiling = gain_from_db(-1.0);
    let burst = 1_000;
    let signal: Vec<f32> = (0..80_000).map(|n| (if n < burst { 2.0 } else { 0.1 }) as f32 * ceiling as f32).collect();
    for release_ms in [40.0, 400.0] {
        let limiter = Limiter { release_ms, ..Limiter::default() };
        // A lane that steps to the value it has: the moving path.
        let moving = limited(&limiter, &signal, "release_ms", 2000.0, 1, release_ms);
        let gain = |n: usize| f64::from(moving[n]) / f64::from(signal[n]);
        // Straight: 0.3 of the way up to 1 takes 0.3 of the release.
        let first = |level: f64| (burst..).find(|&n| gain(n) > level).expect("because the gain comes back");
        let ms = (first(0.9) - first(0.6)) as f64 / 48.0;
        let expected = 0.3 * release_ms;
        assert!((ms - expected).abs() < 0.05 * expected + 0.5, "{ms:.2} ms for {expected}");
    }
}

#[test]
fn a_moving_drive_is_in_front_of_the_ceiling() {
    let limiter = Limiter::default();
    let out = limited(&limiter, &tone(0.5, 60_000), "drive_db", 0.0, 30_000, 20.0);
    assert_eq!(out[..28_000], tone(0.5, 60_000)[..28_000], "0 dB changes no bit");
    let driven = greatest(&out[31_000..]);
    assert!((-1.05..=-1.0).contains(&driven), "{driven}");
}
