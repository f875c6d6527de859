use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::node::ParameterLane;
use mixdown_dsp::nodes::{Gain, Processor};

use super::from_db;
use super::support::{Rig, bits, noise, render};

#[test]
fn no_gain_is_bit_exact_and_polarity_cancels_exactly() {
    let input = noise(2, 1000, 1.0);
    let plain = render(&Processor::Gain(Gain::default()), 48_000, &input);
    assert!(bits(&plain) == bits(&input));
    for gain_db in [0.0, -7.3, 60.0] {
        let upright = render(&Processor::Gain(Gain { gain_db, invert_polarity: false }), 48_000, &input);
        let inverted = render(&Processor::Gain(Gain { gain_db, invert_polarity: true }), 48_000, &input);
        for (a, b) in upright.iter().flatten().zip(inverted.iter().flatten()) {
            assert_eq!(a + b, 0.0);
        }
    }
}

#[test]
fn gain_follows_its_lane_frame_by_frame() {
    let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
    let lane = Lane::new(vec![knot(100, -60.0), knot(900, 20.0)]).expect("because the frames rise");
    let ones = vec![vec![1.0f32; 1000]];
    let mut rig =
        Rig::new(&Processor::Gain(Gain::default()), 48_000, 1, &[ParameterLane { parameter: 0, lane: lane.clone() }]);
    let output = rig.run(&ones, None, &[333]);
    for (frame, sample) in output[0].iter().enumerate() {
        let expected = from_db(-60.0 + 0.1 * (frame.clamp(100, 900) - 100) as f64);
        assert!((f64::from(*sample) / expected - 1.0).abs() < 1e-7, "frame {frame}: {sample}");
    }
}
