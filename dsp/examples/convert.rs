//! One file to another rate and format, on one thread: what `sox` and `flac` do, for the bench to run beside them.
//!
//! `convert IN OUT RATE_HZ` writes 24 bits, undithered; the extension of OUT, `wav` or `flac`, says the format.

use std::error::Error;
use std::path::Path;

use mixdown_dsp::buffer::Buffer;
use mixdown_dsp::kernels::resampler::Resampler;
use mixdown_dsp::media::{Decoder, FileSpec, FileWriter, Samples};
use mixdown_dsp::session::document::{Depth, Format, Metadata};
use mixdown_dsp::simd;

const BLOCK_FRAMES: usize = 4096;
const FULL_SCALE: f64 = 8_388_608.0;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, rate_hz] = words.as_slice() else {
        return Err("usage: convert IN OUT RATE_HZ".into());
    };
    convert(Path::new(input), Path::new(output), rate_hz.parse()?)
}

fn convert(input: &Path, output: &Path, rate_hz: u32) -> Result<(), Box<dyn Error>> {
    let mut decoder = Decoder::open(input)?;
    let probe = decoder.probe().clone();
    let channels = probe.channels as usize;
    let frames = Resampler::output_frames(probe.sample_rate_hz, rate_hz, probe.frames);
    let spec = FileSpec {
        format: if output.extension().is_some_and(|extension| extension == "flac") {
            Format::Flac
        } else {
            Format::Wav
        },
        depth: Depth::Int24,
        sample_rate_hz: rate_hz,
        channels,
        frames,
        metadata: Metadata::default(),
        cover: None,
        replay_gain: false,
        broadcast: None,
    };
    let mut writer = FileWriter::create(output, &spec)?;
    let mut resampler =
        (rate_hz != probe.sample_rate_hz).then(|| Resampler::new(probe.sample_rate_hz, rate_hz, channels));
    let (mut block, mut converted, mut samples) =
        (Buffer::new(channels, BLOCK_FRAMES), Buffer::new(channels, 0), Vec::new());
    let mut left = usize::try_from(frames)?;
    while left > 0 {
        block.set_frames(BLOCK_FRAMES);
        let read = decoder.read(&mut block)?;
        // Behind the end there is silence, until the resampler has given all.
        block.set_frames(if read == 0 { BLOCK_FRAMES } else { read });
        if read == 0 {
            block.iter_mut().for_each(|channel| channel.fill(0.0));
        }
        let out = match &mut resampler {
            None => &block,
            Some(resampler) => {
                resampler.process(&block, &mut converted);
                &converted
            }
        };
        let count = out.frames().min(left);
        samples.resize(count * channels, 0);
        simd::run(Quantise { block: out, samples: &mut samples });
        writer.write(Samples::Int(&samples))?;
        left -= count;
    }
    writer.finish(None)?;
    Ok(())
}

/// The nearest integers of 24 bits, interleaved.
struct Quantise<'a> {
    block: &'a Buffer,
    samples: &'a mut [i32],
}

impl simd::Kernel for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { block, samples } = self;
        let channels = block.channel_count();
        for (index, channel) in block.iter().enumerate() {
            for (sample, from) in samples.iter_mut().skip(index).step_by(channels).zip(channel) {
                let level = (f64::from(*from) * FULL_SCALE).round_ties_even();
                *sample = level.clamp(-FULL_SCALE, FULL_SCALE - 1.0) as i32;
            }
        }
    }
}
