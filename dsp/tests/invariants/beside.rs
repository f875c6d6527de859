//! Two tracks processed beside each other: the bits of one after the other.

use mixdown_dsp::nodes::Processor;

use super::support::{Rig, bits, moving_lanes, noise, variants};
use super::{SPAN_HZ, keys};

const FRAMES: usize = 1500;

#[test]
fn a_node_beside_another_gives_the_bits_that_it_gives_alone() {
    let variants = variants();
    for (index, (label, processor)) in variants.iter().enumerate() {
        // The next of the same kind, which has other settings, and the next of all.
        let later = || variants.iter().cycle().skip(index + 1).take(variants.len()).map(|(_, other)| other);
        let same = later().find(|other| is_same_kind(processor, other)).expect("because it comes by itself again");
        let rate_hz = SPAN_HZ[index % SPAN_HZ.len()];
        let next = later().next().expect("because there are several");
        for channels in [1, 2] {
            check(label, [processor, same], rate_hz, channels, false);
        }
        check(label, [processor, same], rate_hz, 2, true);
        check(label, [processor, next], rate_hz, 1, false);
    }
}

fn is_same_kind(a: &Processor, b: &Processor) -> bool {
    core::mem::discriminant(a) == core::mem::discriminant(b)
}

fn check(label: &str, processors: [&Processor; 2], rate_hz: u32, channels: usize, moving: bool) {
    let input = noise(channels, FRAMES, 0.9);
    // Bursts, so that the second rises and falls where the first does not.
    let mut other_input = noise(channels, FRAMES, 0.5);
    other_input.iter_mut().for_each(|channel| channel[FRAMES / 4..FRAMES / 2].fill(0.0));
    let key = keys(processors[0], FRAMES).pop().expect("because there is a way without a key");
    let rigs = || {
        let lanes = |processor| if moving { moving_lanes(processor, FRAMES as u64) } else { Vec::new() };
        processors.map(|processor| Rig::new(processor, rate_hz, channels, &lanes(processor)))
    };
    let blocks = [64, 600, 17, 1, 333];
    let [mut a, mut b] = rigs();
    let alone = [a.run(&input, key.as_deref(), &blocks), b.run(&other_input, None, &blocks)];
    let [mut a, mut b] = rigs();
    let beside = a.run_beside(&mut b, [&input, &other_input], key.as_deref(), &blocks);
    for (beside, alone) in beside.iter().zip(&alone) {
        assert!(bits(beside) == bits(alone), "{label} at {rate_hz} Hz, {channels} channels, moving: {moving}");
    }
}
