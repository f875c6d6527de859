//! Trim, polarity, pan, width, mid and side, swap, mono.

use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::node::ParameterLane;
use mixdown_dsp::nodes::{
    Channels, Direction, MidSide, Mono, Pan, Polarity, Processor, StereoPan, Swap, Take, Trim, Width,
};

use super::support::{Rig, bits, noise, render};
use super::{db, from_db};

/// What comes out for one frame.
fn frame(processor: &Processor, input: &[f32]) -> Vec<f64> {
    let input: Vec<Vec<f32>> = input.iter().map(|sample| vec![*sample]).collect();
    render(processor, 48_000, &input).iter().map(|channel| f64::from(channel[0])).collect()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        // Half a step of f32.
        assert!((found - expected).abs() <= 6e-8 * expected.abs().max(1e-9), "{found}, not {expected}");
    }
}

#[test]
fn neutral_settings_pass_every_bit() {
    let neutral = [
        Processor::Trim(Trim::default()),
        Processor::Pan(Pan::default()),
        Processor::Pan(Pan { stereo: StereoPan::Dual, ..Pan::default() }),
        Processor::Width(Width::default()),
    ];
    let input = noise(2, 2000, 1.0);
    for processor in neutral {
        assert!(bits(&render(&processor, 48_000, &input)) == bits(&input), "{processor:?}");
    }
    let mono = noise(1, 500, 1.0);
    for processor in [
        Processor::Width(Width { width: 1.7 }),
        Processor::MidSide(MidSide { direction: Direction::Decode }),
        Processor::Swap(Swap {}),
        Processor::Mono(Mono { take: Take::Side }),
        Processor::Trim(Trim { left_db: 3.0, right_db: -9.0, ..Trim::default() }),
    ] {
        assert!(bits(&render(&processor, 48_000, &mono)) == bits(&mono), "{processor:?}");
    }
}

#[test]
fn trim_adds_the_decibels_of_the_whole_and_of_the_side() {
    let trim = Processor::Trim(Trim { gain_db: -6.5, left_db: 2.25, right_db: -1.75 });
    assert_near(&frame(&trim, &[1.0, -0.5]), &[from_db(-4.25), -0.5 * from_db(-8.25)]);
    assert_near(&frame(&trim, &[1.0]), &[from_db(-6.5)]);
}

#[test]
fn polarity_turns_the_channels_named_and_nulls_against_the_source() {
    let input = noise(2, 1000, 1.0);
    let turned = |channels| render(&Processor::Polarity(Polarity { channels }), 48_000, &input);
    let is_null = |channel: &[f32], source: &[f32]| channel.iter().zip(source).all(|(a, b)| a + b == 0.0);
    for (channels, left, right) in
        [(Channels::Both, true, true), (Channels::Left, true, false), (Channels::Right, false, true)]
    {
        let output = turned(channels);
        for (side, turned) in [left, right].into_iter().enumerate() {
            assert_eq!(is_null(&output[side], &input[side]), turned, "{channels:?}");
            assert_eq!(output[side] == input[side], !turned, "{channels:?}");
        }
    }
    let mono = noise(1, 300, 1.0);
    let right = render(&Processor::Polarity(Polarity { channels: Channels::Right }), 48_000, &mono);
    assert!(is_null(&right[0], &mono[0]));
}

#[test]
fn a_mono_source_is_panned_by_its_law() {
    let panned = |law_db, position| frame(&Processor::Pan(Pan { law_db, position, ..Pan::default() }), &[1.0]);
    // cos(3π/8) and sin(3π/8): half way to the right at equal power.
    let (far, near) = ((2.0 - 2.0_f64.sqrt()).sqrt() / 2.0, (2.0 + 2.0_f64.sqrt()).sqrt() / 2.0);
    assert_near(&panned(-3.0, 0.5), &[far, near]);
    assert_near(&panned(-3.0, -0.5), &[near, far]);
    assert_near(&panned(-6.0, 0.5), &[0.25, 0.75]);
    assert_near(&panned(-4.5, 0.5), &[(0.25 * far).sqrt(), (0.75 * near).sqrt()]);
    for (law_db, centre_db) in [(-3.0, -3.0103), (-4.5, -4.5154), (-6.0, -6.0206)] {
        let centre = panned(law_db, 0.0);
        assert!(centre[0].to_bits() == centre[1].to_bits() && (db(centre[0]) - centre_db).abs() < 1e-4, "{centre:?}");
        assert_eq!(panned(law_db, -1.0), [1.0, 0.0]);
        assert_eq!(panned(law_db, 1.0), [0.0, 1.0]);
    }
}

#[test]
fn equal_power_holds_while_the_position_moves() {
    let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
    let lane = Lane::new(vec![knot(0, -1.0), knot(48_000, 1.0)]).expect("because the frames rise");
    let lanes = [ParameterLane { parameter: 0, lane }];
    let output = Rig::new(&Processor::Pan(Pan::default()), 48_000, 1, &lanes).run(&[vec![1.0; 48_000]], None, &[777]);
    for (left, right) in output[0].iter().zip(&output[1]) {
        let (left, right) = (f64::from(*left), f64::from(*right));
        let power = left * left + right * right;
        // The rounding of both samples to f32 is up to 1.2e-7, the chord of 16 frames 7e-8.
        assert!((power - 1.0).abs() <= 2e-7, "{power}");
    }
}

#[test]
fn a_stereo_source_is_balanced_or_panned_side_by_side() {
    let balance = |position| frame(&Processor::Pan(Pan { position, ..Pan::default() }), &[0.5, -0.25]);
    assert_near(&balance(0.25), &[0.375, -0.25]);
    assert_near(&balance(-0.25), &[0.5, -0.1875]);
    assert_eq!(balance(1.0), [0.0, -0.25]);
    let dual = |left_position, right_position| {
        let pan = Pan { stereo: StereoPan::Dual, law_db: -6.0, left_position, right_position, ..Pan::default() };
        frame(&Processor::Pan(pan), &[0.5, -0.25])
    };
    assert_eq!(dual(1.0, -1.0), [-0.25, 0.5]);
    assert_near(&dual(-0.5, 0.5), &[0.375 - 0.0625, 0.125 - 0.1875]);
}

#[test]
fn width_scales_the_side_and_leaves_the_middle() {
    for width in [0.0, 0.3, 1.0, 1.5, 2.0] {
        let wide = Processor::Width(Width { width });
        assert_near(&frame(&wide, &[0.5, 0.5]), &[0.5, 0.5]);
        assert_near(&frame(&wide, &[0.5, -0.5]), &[0.5 * width, -0.5 * width]);
    }
    let doubled = frame(&Processor::Width(Width { width: 2.0 }), &[0.25, -0.25]);
    assert!((db(doubled[0] / 0.25) - 6.0206).abs() < 1e-4);
    let narrowed = render(&Processor::Width(Width { width: 0.0 }), 48_000, &noise(2, 1000, 1.0));
    assert!(narrowed[0] == narrowed[1]);
}

#[test]
fn mid_and_side_give_back_left_and_right_to_the_rounding_of_f32() {
    let both = |input: &[Vec<f32>]| {
        let encoded = render(&Processor::MidSide(MidSide { direction: Direction::Encode }), 48_000, input);
        render(&Processor::MidSide(MidSide { direction: Direction::Decode }), 48_000, &encoded)
    };
    // What came from a file of 24 bits comes back bit for bit: half of a sum of two such samples has 24 bits too.
    let of_24_bits = noise(2, 20_000, 1.0);
    assert!(bits(&both(&of_24_bits)) == bits(&of_24_bits));
    // Any other samples to three roundings.
    let any: Vec<Vec<f32>> =
        noise(2, 20_000, 1.0).into_iter().map(|channel| channel.iter().map(|s| s * s * s * 0.7).collect()).collect();
    let back = both(&any);
    for side in 0..2 {
        for frame in 0..20_000 {
            let loudest = any[0][frame].abs().max(any[1][frame].abs());
            assert!((back[side][frame] - any[side][frame]).abs() <= 1.5 * f32::EPSILON * loudest);
        }
    }
}

#[test]
fn mid_is_the_half_sum_and_side_the_half_difference() {
    let encode = Processor::MidSide(MidSide { direction: Direction::Encode });
    assert_eq!(frame(&encode, &[0.75, 0.25]), [0.5, 0.25]);
    assert_eq!(frame(&encode, &[-0.5, 0.5]), [0.0, -0.5]);
}

#[test]
fn swapping_twice_changes_nothing_and_once_changes_sides() {
    let input = noise(2, 1000, 1.0);
    let swapped = render(&Processor::Swap(Swap {}), 48_000, &input);
    assert!(swapped[0] == input[1] && swapped[1] == input[0]);
    assert!(render(&Processor::Swap(Swap {}), 48_000, &swapped) == input);
}

#[test]
fn mono_takes_what_it_is_told_to() {
    for (take, expected) in [(Take::Sum, 0.125), (Take::Left, 0.5), (Take::Right, -0.25), (Take::Side, 0.375)] {
        assert_eq!(frame(&Processor::Mono(Mono { take }), &[0.5, -0.25]), [expected], "{take:?}");
    }
}

#[test]
fn a_broken_sample_on_one_side_leaves_the_other_alone() {
    for processor in [
        Processor::Width(Width { width: 0.5 }),
        Processor::MidSide(MidSide::default()),
        Processor::Pan(Pan { stereo: StereoPan::Dual, left_position: 0.0, right_position: 0.5, ..Pan::default() }),
    ] {
        for broken in [f32::NAN, f32::INFINITY] {
            assert_eq!(frame(&processor, &[broken, 0.5]), frame(&processor, &[0.0, 0.5]), "{processor:?}");
        }
    }
}
