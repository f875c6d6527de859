//! What no session should hold, and parameters at the ends of their ranges.

use super::support::{MAX_BLOCK_FRAMES, noise};
use super::{RATES_HZ, SPAN_HZ, for_all};

#[test]
fn nan_infinity_and_plus_100_db_never_leave_a_node_broken() {
    for_all(&SPAN_HZ, |case| {
        let mut input = noise(case.channels, 4000, 1.0);
        for (index, sample) in input.iter_mut().flatten().enumerate() {
            match index % 400 {
                7 => *sample = f32::NAN,
                21 => *sample = f32::INFINITY,
                33 => *sample = f32::NEG_INFINITY,
                50..200 => *sample *= 1e5,
                301 => *sample = f32::MAX,
                _ => {}
            }
        }
        let keys = case.keys(1).into_iter().map(|key| key.map(|_| input.clone()));
        for key in keys {
            let mut rig = case.rig(&[]);
            let output = rig.run(&input, key.as_deref(), &[100]);
            assert!(output.iter().flatten().all(|sample| sample.is_finite()), "{}", case.label);
            // Sound goes on afterwards.
            rig.run_silence(case.channels, case.frames(60_000));
            let after = rig.run(&noise(case.channels, case.frames(60_000), 0.5), None, &[MAX_BLOCK_FRAMES]);
            assert!(after.iter().flatten().all(|sample| sample.is_finite()), "{}", case.label);
            assert!(after.iter().flatten().any(|sample| *sample != 0.0), "{} stays silent", case.label);
        }
    });
}

#[test]
fn extreme_parameters_at_every_rate_give_finite_sound() {
    for_all(&RATES_HZ, |case| {
        for (parameter, spec) in case.processor.parameters().specs().into_iter().enumerate() {
            for value in [spec.min, spec.max] {
                let mut extreme = case.processor.clone();
                extreme.parameters_mut().set(parameter, value);
                let output = case.render(&extreme, &noise(case.channels, 1000, 1.0));
                let loudest = output.iter().flatten().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
                assert!(loudest < 1e4, "{}, {} = {value}: {loudest}", case.label, spec.name);
            }
        }
    });
}
