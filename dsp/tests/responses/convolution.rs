use mixdown_dsp::automation::{Curve, Knot, Lane};
use mixdown_dsp::math;
use mixdown_dsp::node::ParameterLane;
use mixdown_dsp::nodes::{Convolution, Processor};

use super::db;
use super::support::{Rig, impulse, noise, render};
use crate::signals::buffer;

/// Exponentially decaying noise, `decay_frames` to −60 dB.
fn decaying(channels: usize, frames: usize, decay_frames: f64) -> Vec<Vec<f32>> {
    let mut response = noise(channels, frames, 0.5);
    for (frame, sample) in response.iter_mut().flat_map(|channel| channel.iter_mut().enumerate()) {
        *sample *= super::from_db(-60.0 * frame as f64 / decay_frames) as f32;
    }
    response
}

fn loaded(convolution: Convolution, response: &[Vec<f32>]) -> Processor {
    let channels: Vec<&[f32]> = response.iter().map(Vec::as_slice).collect();
    Processor::Convolution(convolution.loaded(buffer(&channels), 1.0))
}

fn plain() -> Convolution {
    Convolution { normalize: false, ..Convolution::default() }
}

/// What comes out of `processor` for `input`, its latency taken off.
fn aligned(processor: &Processor, input: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let latency = processor.parameters().latency_frames(48_000);
    let longer: Vec<Vec<f32>> = input.iter().map(|channel| [&channel[..], &vec![0.0; latency]].concat()).collect();
    render(processor, 48_000, &longer).into_iter().map(|channel| channel[latency..].to_vec()).collect()
}

/// The sum that defines a convolution, in f64.
fn direct(input: &[f32], response: &[f32]) -> Vec<f64> {
    let mut out = vec![0.0; input.len()];
    for (start, sample) in input.iter().enumerate().filter(|(_, sample)| **sample != 0.0) {
        for (out, tap) in out[start..].iter_mut().zip(response) {
            *out += f64::from(*sample) * f64::from(*tap);
        }
    }
    out
}

/// The rms of what differs from the reference, against the reference, in dB.
fn error_db(out: &[f32], reference: &[f64]) -> f64 {
    let power: f64 = reference.iter().map(|sample| sample * sample).sum();
    let differences = out.iter().zip(reference).map(|(out, reference)| f64::from(*out) - reference);
    let error: f64 = differences.map(|difference| difference * difference).sum();
    db(error / power) / 2.0
}

#[test]
fn it_is_the_sum_that_defines_a_convolution() {
    let add = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(&b).map(|(a, b)| a + b).collect::<Vec<f64>>();
    // Shorter than a part, longer than sixteen, no multiple of one.
    for frames in [100, 777, 9001] {
        let input = noise(2, 12_000, 0.7);
        let response = decaying(4, frames, 6000.0);
        let mono = aligned(&loaded(plain(), &response[..1]), &input[..1]);
        let stereo = aligned(&loaded(plain(), &response[..2]), &input);
        let true_stereo = aligned(&loaded(plain(), &response), &input);
        let widened = aligned(&loaded(plain(), &response[..2]), &input[..1]);
        assert_eq!((mono.len(), widened.len()), (1, 2));
        let way = |from: usize, channel: usize| direct(&input[from], &response[channel]);
        let mut worst = f64::NEG_INFINITY;
        for (out, reference) in [
            (&mono[0], way(0, 0)),
            (&stereo[0], way(0, 0)),
            (&stereo[1], way(1, 1)),
            (&widened[1], way(0, 1)),
            (&true_stereo[0], add(way(0, 0), way(1, 2))),
            (&true_stereo[1], add(way(0, 1), way(1, 3))),
        ] {
            worst = worst.max(error_db(out, &reference));
        }
        println!("{frames} frames: error {worst:.1} dB");
        // What is left is the rounding to f32 at the output.
        assert!(worst <= -140.0, "{frames} frames: {worst} dB");
    }
}

#[test]
fn a_silent_side_stays_silent_and_the_tail_ends_where_the_response_does() {
    let response = decaying(2, 5000, 9000.0);
    let mut input = noise(2, 20_000, 0.7);
    input[1].fill(0.0);
    input[0][1000..].fill(0.0);
    let out = aligned(&loaded(Convolution { predelay_ms: 10.0, ..plain() }, &response), &input);
    assert!(out[1].iter().all(|sample| *sample == 0.0));
    assert!(out[0][..480].iter().all(|sample| sample.abs() < 1e-12), "the pre-delay sounds");
    assert!(out[0][480].abs() > 1e-3 && out[0][1000 + 480 + 4998].abs() > 1e-9);
    assert!(out[0][1000 + 480 + 5000..].iter().all(|sample| sample.abs() < 1e-12), "it sounds after its response");
}

#[test]
fn normalized_responses_leave_white_noise_as_loud_as_it_was() {
    let power = |signal: &[f32]| signal.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum::<f64>();
    for channels in [1, 2, 4] {
        let response: Vec<Vec<f32>> = decaying(channels, 6000, 5000.0);
        let input = noise(2, 40_000, 0.5);
        let out = aligned(&loaded(Convolution::default(), &response), &input);
        let power = |signal: &[Vec<f32>]| signal.iter().map(|channel| power(&channel[10_000..])).sum::<f64>();
        let level_db = db(power(&out) / power(&input)) / 2.0;
        assert!(level_db.abs() < 0.7, "{channels} channels: {level_db} dB");
    }
}

#[test]
fn start_and_length_cut_the_response_and_fade_its_end() {
    let response = vec![(0..4800).map(|frame| 1.0 - frame as f32 / 9600.0).collect::<Vec<f32>>()];
    let cut = Convolution { start_ms: 10.0, length_s: 0.05, ..plain() };
    let out = aligned(&loaded(cut, &response), &impulse(1, 4800));
    for frame in 0..2160 {
        assert!((out[0][frame] - response[0][480 + frame]).abs() < 1e-6, "frame {frame}: {}", out[0][frame]);
    }
    // A cubic from the last tenth to the end.
    assert!((out[0][2280] / response[0][2760] - 0.5).abs() < 0.01, "{}", out[0][2280]);
    assert!(out[0][2399].abs() < 1e-3 && out[0][2400..].iter().all(|sample| sample.abs() < 1e-12));
}

#[test]
fn gain_width_and_mix_do_what_they_say() {
    let response = decaying(2, 3000, 3000.0);
    let input = noise(2, 6000, 0.5);
    let wet = aligned(&loaded(plain(), &response), &input);
    let louder = aligned(&loaded(Convolution { gain_db: 6.0, ..plain() }, &response), &input);
    for (wet, louder) in wet[0].iter().zip(&louder[0]) {
        assert!((f64::from(*louder) - f64::from(*wet) * super::from_db(6.0)).abs() < 1e-5);
    }
    let narrow = aligned(&loaded(Convolution { width: 0.0, ..plain() }, &response), &input);
    assert!(narrow[0] == narrow[1] && wet[0] != wet[1]);
    let dry = aligned(&loaded(Convolution { mix: 0.0, ..plain() }, &response), &input);
    assert!(dry == input, "at mix 0 nothing is touched");
}

#[test]
fn ffmpeg_hears_the_same() {
    use crate::tools::{afir, read_f32};
    let folder = tempfile::tempdir().expect("because there is room for a folder");
    let (input, response) = (noise(2, 24_000, 0.5), decaying(2, 9600, 8000.0));
    let out = aligned(&loaded(plain(), &response), &input);
    let theirs = read_f32(&afir(folder.path(), &input, &response), 2);
    let (mut power, mut error) = (0.0, 0.0);
    for (ours, theirs) in out.iter().flatten().zip(theirs.iter().flatten()) {
        power += f64::from(*theirs) * f64::from(*theirs);
        error += (f64::from(*ours) - f64::from(*theirs)) * (f64::from(*ours) - f64::from(*theirs));
    }
    // afir works in f32.
    let difference_db = db(error / power) / 2.0;
    println!("against afir: {difference_db:.1} dB");
    assert!(difference_db <= -125.0, "{difference_db} dB");
}

#[test]
fn a_predelay_that_moves_bends_tones_and_nothing_else() {
    let rate = 48_000.0;
    let tone = |hz: f64, from: f64| -> Vec<f32> {
        let sample = |n: u32| math::sin(core::f64::consts::TAU * hz * (f64::from(n) - from) / rate) as f32;
        (0..48_000).map(sample).collect()
    };
    let processor = loaded(plain(), &[vec![1.0]]);
    let parameter = processor.parameters().specs().iter().position(|spec| spec.name == "predelay_ms");
    let knot = |frame, value| Knot { frame, value, curve: Curve::Linear };
    // 100 ms in a second: a tone of 1 kHz leaves at 900 Hz.
    let lane = Lane::new(vec![knot(0, 0.0), knot(48_000, 100.0)]).expect("because the frames rise");
    let lanes = [ParameterLane { parameter: parameter.expect("because it has one"), lane }];
    let latency = processor.parameters().latency_frames(48_000);
    let output = Rig::new(&processor, 48_000, 1, &lanes).run(&[tone(1000.0, 0.0)], None, &[512]);
    let bent = tone(900.0, 0.0);
    let error = error_db(
        &output[0][latency + 480..],
        &bent[480..48_000 - latency].iter().map(|s| f64::from(*s)).collect::<Vec<_>>(),
    );
    assert!(error < -120.0, "{error} dB");
}
