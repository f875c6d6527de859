//! Processors measured by running them, as a session would.

use core::f64::consts::TAU;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::math;
use mixdown_dsp::node::{Block, Prepare};
use mixdown_dsp::nodes::Processor;
use mixdown_dsp::units::db_from_gain;

/// Frames processed together.
const BLOCK_FRAMES: usize = 4096;

/// Channels of samples.
pub type Audio = Vec<Vec<f32>>;

/// What is measured, and how.
pub struct Bench<'a> {
    /// The processor.
    pub processor: &'a Processor,
    /// The sample rate in Hz.
    pub sample_rate_hz: u32,
    /// Channels that go in.
    pub channels: usize,
}

impl Bench<'_> {
    /// What comes out of a new node for `input`, its latency taken off; as long as the input.
    pub fn run(&self, input: &[Vec<f32>]) -> Audio {
        let parameters = self.processor.parameters();
        let channels_out = parameters.channels_out(self.channels);
        let latency = parameters.latency_frames(self.sample_rate_hz);
        let prepare =
            Prepare { sample_rate_hz: self.sample_rate_hz, channels: self.channels, max_block_frames: BLOCK_FRAMES };
        let mut node = self.processor.build(prepare, &[]);
        let frames = input[0].len();
        let mut output = vec![Vec::with_capacity(frames + latency); channels_out];
        for start in (0..frames + latency).step_by(BLOCK_FRAMES) {
            let count = BLOCK_FRAMES.min(frames + latency - start);
            let mut audio = Buffer::new(self.channels.max(channels_out), count);
            for (channel, samples) in audio.iter_mut().zip(input) {
                let samples = samples.get(start..).unwrap_or_default();
                let given = count.min(samples.len());
                channel[..given].copy_from_slice(&samples[..given]);
            }
            node.process(&mut Block { frame: start as i64, audio: &mut audio, key: None });
            for (output, channel) in output.iter_mut().zip(audio.iter()) {
                output.extend_from_slice(channel);
            }
        }
        output.iter_mut().for_each(|channel| drop(channel.drain(..latency)));
        output
    }

    /// What comes out for a sample of 1 on one channel, or on all.
    pub fn impulse_response(&self, channel: Option<usize>, frames: usize) -> Audio {
        let mut input = vec![vec![0.0; frames]; self.channels];
        for (index, samples) in input.iter_mut().enumerate() {
            if channel.is_none_or(|channel| channel == index) {
                samples[0] = 1.0;
            }
        }
        self.run(&input)
    }

    /// The level in dB at which a sine of `frequency_hz` with a peak of `level_db` on all channels leaves the first one, once
    /// it has settled: the peak of a sine with the same mean square.
    pub fn settled_db(&self, frequency_hz: f64, level_db: f64) -> f64 {
        // As long as the slowest time constants of the processors need to settle to a few hundredths of a dB.
        let frames = (1.5 * f64::from(self.sample_rate_hz)) as usize;
        // Whole cycles, at least 0.1 s of them: a part of one would read as a ripple at low frequencies.
        let cycles = (0.1 * frequency_hz).ceil();
        let window = (cycles * f64::from(self.sample_rate_hz) / frequency_hz).round() as usize;
        let peak = mixdown_dsp::units::gain_from_db(level_db);
        let step = TAU * frequency_hz / f64::from(self.sample_rate_hz);
        let tone: Vec<f32> = (0..frames).map(|frame| (peak * math::sin(step * frame as f64)) as f32).collect();
        let output = self.run(&vec![tone; self.channels]);
        let squares: f64 =
            output[0][frames - window..].iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum();
        db_from_gain((2.0 * squares / window as f64).sqrt())
    }
}

/// The magnitude in dB of an impulse response at a frequency.
pub fn magnitude_db(response: &[f32], frequency_hz: f64, sample_rate_hz: u32) -> f64 {
    let step = TAU * frequency_hz / f64::from(sample_rate_hz);
    let (turn_re, turn_im) = (math::cos(step), -math::sin(step));
    let (mut re, mut im, mut sum_re, mut sum_im) = (1.0, 0.0, 0.0, 0.0);
    for sample in response {
        let sample = f64::from(*sample);
        sum_re += sample * re;
        sum_im += sample * im;
        (re, im) = (re * turn_re - im * turn_im, re * turn_im + im * turn_re);
    }
    db_from_gain((sum_re * sum_re + sum_im * sum_im).sqrt())
}
