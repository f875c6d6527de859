//! The same bits however the sound comes in, and again after a reset.

use proptest::prelude::*;

use super::support::{MAX_BLOCK_FRAMES, Rig, bits, moving_lanes, noise, variants};
use super::{RATES_HZ, SPAN_HZ, for_all, keys, long};

#[test]
fn any_split_into_blocks_gives_the_bits_of_one_block() {
    for_all(&SPAN_HZ, |case| {
        let input = noise(case.channels, 2000, 0.7);
        for key in case.keys(2000) {
            for (lanes, start) in [(Vec::new(), 0), (moving_lanes(&case.processor, 2000), -37)] {
                let rendered = |blocks: &[usize]| {
                    let mut rig = case.rig(&lanes);
                    rig.frame = start;
                    bits(&rig.run(&input, key.as_deref(), blocks))
                };
                let whole = rendered(&[MAX_BLOCK_FRAMES]);
                for blocks in [&[1][..], &[64], &[1000], &[17, 1, 333, 16, 63]] {
                    let (label, keyed) = (&case.label, key.is_some());
                    assert!(rendered(blocks) == whole, "{label}, keyed: {keyed}, blocks {blocks:?} from {start}");
                }
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: long::rounds(200), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_splits_give_the_bits_of_one_block(
        which in any::<prop::sample::Index>(),
        blocks in prop::collection::vec(1usize..300, 1..12),
        start in -5000i64..5000,
        channels in 1usize..=2,
        rate_hz in prop::sample::select(RATES_HZ.to_vec()),
        moving in any::<bool>(),
        keyed in any::<prop::sample::Index>(),
    ) {
        let variants = variants();
        let (label, processor) = which.get(&variants);
        let input = noise(channels, 1500, 0.9);
        let lanes = if moving { moving_lanes(processor, 1500) } else { Vec::new() };
        let keys = keys(processor, 1500);
        let key = keyed.get(&keys);
        let rendered = |blocks: &[usize]| {
            let mut rig = Rig::new(processor, rate_hz, channels, &lanes);
            rig.frame = start;
            bits(&rig.run(&input, key.as_deref(), blocks))
        };
        let whole = rendered(&[MAX_BLOCK_FRAMES]);
        prop_assert!(rendered(&blocks) == whole, "{} at {} Hz in {:?} from {}", label, rate_hz, blocks, start);
    }
}

#[test]
fn reset_equals_a_new_node() {
    for_all(&SPAN_HZ, |case| {
        let input = noise(case.channels, 3000, 0.8);
        for lanes in [Vec::new(), moving_lanes(&case.processor, 3000)] {
            for key in case.keys(3000) {
                let mut rig = case.rig(&lanes);
                let first = rig.run(&input, key.as_deref(), &[1000]);
                rig.node.reset();
                rig.frame = 0;
                let again = rig.run(&input, key.as_deref(), &[1000]);
                assert!(bits(&again) == bits(&first), "{}, keyed: {}", case.label, key.is_some());
            }
        }
    });
}
