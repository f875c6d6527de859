//! The same bits however a session is cut: blocks, threads, passes.

use crate::production::{mixes, production};
use crate::random;
use crate::studio::{Cut, PLAIN, Rng, Studio, noise};

#[test]
fn stems_and_mixes_have_the_same_bits_for_any_block_length_threads_and_passes() {
    let (studio, document) = production();
    let session = studio.session(document);
    let expected = studio.render(&session, PLAIN);
    assert!(expected.mixes.iter().flatten().all(|channel| channel.iter().any(|sample| *sample != 0.0)));
    for (threads, block_frames, spread) in [
        (1, 1, false),
        (2, 64, false),
        (3, 1000, false),
        (2, 4096, false),
        (1, 65_536, false),
        (2, 1, true),
        (1, 64, true),
        (3, 4096, true),
    ] {
        let cut = Cut { threads, block_frames, spread };
        let found = studio.render(&session, cut);
        for (index, (found, expected)) in found.stems.iter().zip(&expected.stems).enumerate() {
            assert!(bits(found) == bits(expected), "stem {index} differs with {cut:?}");
        }
        for (index, (found, expected)) in found.mixes.iter().zip(&expected.mixes).enumerate() {
            assert!(bits(found) == bits(expected), "mix {index} differs with {cut:?}");
        }
    }
}

#[test]
fn a_random_graph_of_a_hundred_strips_has_the_same_bits_on_up_to_64_threads() {
    let mut studio = Studio::new();
    studio.asset("noise.wav", &[noise(1, 3000, 0.5)]);
    for seed in 0..u64::from(crate::long::rounds(2)) {
        let document = random::graph_of(70, 30, "noise.wav", mixes(), &mut Rng(seed));
        let session = studio.session(document);
        let expected = studio.render(&session, PLAIN);
        assert!(expected.mixes[0].iter().flatten().any(|sample| *sample != 0.0), "graph {seed} is silent");
        for (threads, block_frames) in [(2, 64), (3, 1000), (16, 4096), (64, 64), (64, 1 << 20)] {
            let cut = Cut { threads, block_frames, spread: false };
            assert!(studio.render(&session, cut) == expected, "graph {seed} differs with {cut:?}");
        }
    }
}

fn bits(audio: &[Vec<f32>]) -> Vec<Vec<u32>> {
    audio.iter().map(|channel| channel.iter().map(|sample| sample.to_bits()).collect()).collect()
}
