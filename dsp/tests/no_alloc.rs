//! `process` and `reset` never allocate, in any processor.

mod support;

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::node::Block;
use support::{Rig, moving_lanes, noise, variants};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

#[test]
fn processing_never_allocates() {
    for (label, processor) in variants() {
        for channels in [1, 2] {
            for lanes in [Vec::new(), moving_lanes(&processor, 1000)] {
                let wide = processor.parameters().channels_out(channels).max(channels);
                let mut rig = Rig::new(&processor, 48_000, channels, &lanes);
                let mut audio = Buffer::new(wide, 500);
                let key = Buffer::new(2, 500);
                for (channel, samples) in audio.iter_mut().zip(noise(wide, 500, 0.9)) {
                    channel.copy_from_slice(&samples);
                }
                eprintln!("{label}, {channels} channels");
                assert_no_alloc(|| {
                    for frame in [-100, 400, 900] {
                        rig.node.process(&mut Block { frame, audio: &mut audio, key: None });
                    }
                    rig.node.process(&mut Block { frame: 1400, audio: &mut audio, key: Some(&key) });
                    rig.node.reset();
                });
            }
        }
    }
}
