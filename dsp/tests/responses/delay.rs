use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::math;
use mixdown_dsp::node::{ParameterLane, Parameters};
use mixdown_dsp::nodes::{Delay, Processor};

use super::db;
use super::support::{MAX_BLOCK_FRAMES, Rig, impulse, noise, render};
use super::tools::{filter, read_f32};

/// Cuts where they are off: what is left is the time and the level of the echoes.
fn open(delay: Delay) -> Processor {
    Processor::Delay(Delay { low_cut_hz: 10.0, high_cut_hz: 20_000.0, ..delay })
}

/// What an impulse gives at a frame: echo n of 0.5^(n − 1) on frame 480·n, and silence between.
fn echoed(frame: usize) -> f32 {
    if frame == 0 || !frame.is_multiple_of(480) {
        return 0.0;
    }
    (1..frame / 480).fold(1.0, |level, _| level * 0.5)
}

#[test]
fn echoes_come_on_time_and_fall_by_the_feedback() {
    let delay = Delay { time_ms: 10.0, feedback: 0.5, mix: 1.0, ..Delay::default() };
    let output = render(&open(delay), 48_000, &impulse(1, 4000));
    let expected: Vec<f32> = (0..4000).map(echoed).collect();
    assert_eq!(output, [expected]);
}

#[test]
fn ping_pong_echoes_change_sides_and_widen_mono() {
    let delay = Delay { time_ms: 10.0, feedback: 0.5, ping_pong: true, mix: 1.0, ..Delay::default() };
    let output = render(&open(delay), 48_000, &impulse(1, 3000));
    let on = |odd: usize| (0..3000).map(|frame| if frame / 480 % 2 == odd { echoed(frame) } else { 0.0 }).collect();
    let expected: [Vec<f32>; 2] = [on(1), on(0)];
    assert_eq!(output, expected);
}

#[test]
fn cuts_shape_the_echo() {
    let delay = |low_cut_hz, high_cut_hz| {
        Processor::Delay(Delay { time_ms: 10.0, feedback: 0.0, low_cut_hz, high_cut_hz, ..Delay::default() })
    };
    // One pole: the step of the first sample is G = g/(1 + g), g = tan(π·f/fs); a low cut removes all at 0 Hz.
    let high_cut = render(&delay(10.0, 12_000.0), 48_000, &impulse(1, 1000));
    assert!((high_cut[0][480] - 0.5).abs() < 1e-3, "{}", high_cut[0][480]);
    let low_cut = render(&delay(2000.0, 20_000.0), 48_000, &impulse(1, 4000));
    let at_dc: f64 = low_cut[0].iter().map(|sample| f64::from(*sample)).sum();
    assert!(at_dc.abs() < 1e-6, "{at_dc}");
}

#[test]
fn ffmpeg_hears_the_same_echoes() {
    let folder = tempfile::tempdir().expect("because there is room for a folder");
    let input = noise(2, 48_000, 0.4);
    let delay = Delay { time_ms: 62.5, feedback: 0.6, mix: 0.5, ..Delay::default() };
    let ours = render(&open(delay), 48_000, &input);
    let echoes = 1..=16;
    let list = |of: &dyn Fn(i32) -> f64| echoes.clone().map(|echo| of(echo).to_string()).collect::<Vec<_>>().join("|");
    let delays = list(&|echo| 62.5 * f64::from(echo));
    let decays = list(&|echo| (1..echo).fold(0.5, |level, _| level * 0.6));
    let theirs = read_f32(&filter(folder.path(), &[&input], &format!("[0]aecho=0.5:1:{delays}:{decays}")), 2);
    let (mut power, mut error) = (0.0, 0.0);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        for (ours, theirs) in ours.iter().zip(theirs) {
            power += f64::from(*theirs) * f64::from(*theirs);
            error += (f64::from(*ours) - f64::from(*theirs)) * (f64::from(*ours) - f64::from(*theirs));
        }
    }
    let difference_db = db(error / power) / 2.0;
    println!("against aecho: {difference_db:.1} dB");
    assert!(difference_db < -120.0, "{difference_db} dB");
}

/// A delay whose time goes from one to another between two frames.
fn sweep(from_ms: f64, to_ms: f64, at: u64, until: u64) -> Rig {
    let delay = Delay { feedback: 0.0, time_ms: from_ms, mix: 1.0, ..Delay::default() };
    let parameter = delay.specs().iter().position(|spec| spec.name == "time_ms").expect("because it is automatable");
    let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
    let lane = Lane::new(vec![knot(at, from_ms), knot(until, to_ms)]).expect("because the frames rise");
    Rig::new(&open(delay), 48_000, 1, &[ParameterLane { parameter, lane }])
}

#[test]
fn a_moving_time_bends_the_pitch_without_clicks() {
    // From 20 to 30 ms in a second: everything sounds 1 % lower meanwhile.
    let sine = |frame: f64| 0.5 * math::sin(core::f64::consts::TAU * 1000.0 / 48_000.0 * frame);
    let input = vec![(0..72_000).map(|frame| sine(f64::from(frame)) as f32).collect::<Vec<f32>>()];
    let out = sweep(20.0, 30.0, 12_000, 60_000).run(&input, None, &[MAX_BLOCK_FRAMES]);
    let mut worst = 0.0_f64;
    for (frame, sample) in out[0].iter().enumerate().skip(2000) {
        let moved = ((frame as f64 - 12_000.0) / 48_000.0).clamp(0.0, 1.0);
        let expected = sine(frame as f64 - 960.0 - 480.0 * moved);
        worst = worst.max((f64::from(*sample) - expected).abs());
    }
    println!("worst error of a moving delay: {:.1} dB", db(worst));
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn a_time_that_rests_on_a_frame_hands_on_the_sample() {
    let input = noise(1, 30_000, 0.7);
    let out = sweep(20.0, 30.0, 1000, 9000).run(&input, None, &[777]);
    // From 9000 on the delay is 1440 frames.
    for (frame, sample) in out[0].iter().enumerate().skip(9100) {
        assert!((sample - input[0][frame - 1440]).abs() < 1e-7, "frame {frame}");
    }
}
