use mixdown_dsp::nodes::{Delay, Processor};

use super::support::{impulse, render};

/// Wide open cuts: what is left is the time and the level of the echoes.
fn open(delay: Delay) -> Processor {
    Processor::Delay(Delay { low_cut_hz: 10.0, high_cut_hz: 20_000.0, ..delay })
}

/// The sum of a channel over the echo that starts at a frame: the cuts smear it, the low cut takes a little.
fn echo(channel: &[f32], start: usize) -> f64 {
    channel[start..start + 30].iter().map(|sample| f64::from(*sample)).sum()
}

#[test]
fn echoes_come_on_time_and_fall_by_the_feedback() {
    let delay = Delay { time_ms: 10.0, feedback: 0.5, mix: 1.0, ..Delay::default() };
    let output = render(&open(delay), 48_000, &impulse(1, 4000));
    assert!(output[0][..480].iter().all(|sample| *sample == 0.0), "mix 1 lets nothing of the input through");
    for count in 1..=5 {
        let expected = (0..count - 1).fold(1.0, |level, _| level * 0.5);
        let measured = echo(&output[0], 480 * count);
        // Each pass through the low cut loses what 30 frames at 10 Hz let go, and hears the one before.
        assert!(
            (measured / expected - 1.0).abs() < 0.1 * count as f64,
            "echo {count}: {measured}, expected {expected}"
        );
        assert_eq!(output[0][480 * count - 50..480 * count].iter().position(|sample| sample.abs() > 0.02), None);
    }
}

#[test]
fn ping_pong_echoes_change_sides_and_widen_mono() {
    let delay = Delay { time_ms: 10.0, feedback: 0.5, ping_pong: true, mix: 1.0, ..Delay::default() };
    let output = render(&open(delay), 48_000, &impulse(1, 3000));
    assert_eq!(output.len(), 2);
    for count in 1..=4 {
        let (near, far) = if count % 2 == 1 { (0, 1) } else { (1, 0) };
        let (here, there) = (echo(&output[near], 480 * count), echo(&output[far], 480 * count));
        assert!(here > 0.05 && there.abs() < 0.2 * here, "echo {count}: {here} here, {there} there");
    }
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
