//! From an impulse response's file to what sound is convolved with.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Convolution;
use crate::buffer::Buffer;
use crate::kernels::convolver::Response;
use crate::units::frames_from_ms;

/// A response is no longer than this, whatever its rate: no tail counts longer.
pub const MAX_RESPONSE_SECONDS: u64 = 30;

/// Numbers of channels that a response may have: mono, stereo, true stereo.
pub const RESPONSE_CHANNELS: [usize; 3] = [1, 2, 4];

/// The share of a shortened response that fades out.
const FADE_SHARE: f64 = 0.1;

/// An impulse response: its size, which a session knows, and its sound, which is there while the session renders.
#[derive(Clone)]
pub struct Impulse {
    /// Channels: 1, 2 or 4.
    pub channels: usize,
    /// Frames at the session's rate.
    pub frames: usize,
    loaded: Option<Arc<Loaded>>,
}

/// A response at the session's rate.
struct Loaded {
    audio: Buffer,
    gain: f64,
    /// What sound is convolved with, for so many channels at such a rate: made when first asked for, shared by all mixes.
    shaped: Mutex<Vec<Shaped>>,
}

/// A response, cut, scaled and transformed.
struct Shaped {
    channels: usize,
    sample_rate_hz: u32,
    response: Arc<Response>,
}

impl Impulse {
    /// A unit impulse, which changes nothing: what a convolution without a file has.
    pub const UNIT: Self = Self { channels: 1, frames: 1, loaded: None };

    /// The size of a response that is not loaded.
    #[must_use]
    pub fn of_size(channels: usize, frames: usize) -> Self {
        Self { channels, frames, loaded: None }
    }

    /// The response that is loaded, or a unit impulse.
    pub(super) fn response(&self, convolution: &Convolution, channels: usize, sample_rate_hz: u32) -> Arc<Response> {
        let Some(loaded) = &self.loaded else {
            let mut unit = Buffer::new(self.channels, self.frames);
            unit.iter_mut().for_each(|channel| channel[0] = 1.0);
            return Arc::new(shape(convolution, &unit, 1.0, channels, sample_rate_hz));
        };
        let mut shaped = loaded.shaped.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |shaped: &&Shaped| (shaped.channels, shaped.sample_rate_hz) == (channels, sample_rate_hz);
        if let Some(known) = shaped.iter().find(fits) {
            return known.response.clone();
        }
        let response = Arc::new(shape(convolution, &loaded.audio, loaded.gain, channels, sample_rate_hz));
        shaped.push(Shaped { channels, sample_rate_hz, response: response.clone() });
        response
    }
}

/// Two impulses are alike if their sizes are: their sound follows from the file.
impl PartialEq for Impulse {
    fn eq(&self, other: &Self) -> bool {
        (self.channels, self.frames) == (other.channels, other.frames)
    }
}

impl fmt::Debug for Impulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} channels of {} frames", self.channels, self.frames)
    }
}

impl Convolution {
    /// The convolution with its response loaded: `audio` is the file at the session's rate, `gain` what makes up for the
    /// conversion (the file's rate over the session's: a response is a density in time).
    #[must_use]
    pub fn loaded(mut self, audio: Buffer, gain: f64) -> Self {
        let loaded = Loaded { audio, gain, shaped: Mutex::default() };
        self.impulse = Impulse {
            channels: loaded.audio.channel_count(),
            frames: loaded.audio.frames(),
            loaded: Some(Arc::new(loaded)),
        };
        self
    }

    /// The convolution with the response of another, which [`Self::sounds_like`] it.
    #[must_use]
    pub fn loaded_like(mut self, other: &Self) -> Self {
        self.impulse = other.impulse.clone();
        self
    }

    /// Whether two convolutions with the same file have the same response.
    #[must_use]
    pub fn sounds_like(&self, other: &Self) -> bool {
        let shape = |of: &Self| (of.start_ms, of.length_s, of.normalize);
        shape(self) == shape(other)
    }
}

/// Cuts, fades and scales a response and wires its channels for `channels` that come in.
fn shape(convolution: &Convolution, audio: &Buffer, gain: f64, channels: usize, sample_rate_hz: u32) -> Response {
    let frames = convolution.response_frames(sample_rate_hz);
    let start = frames_from_ms(convolution.start_ms, sample_rate_hz).min(audio.frames().saturating_sub(1));
    let is_cut = start + frames < audio.frames();
    let fade = if is_cut { (FADE_SHARE * frames as f64).ceil().max(1.0) } else { 0.0 };
    let heard: Vec<Vec<f64>> = audio
        .iter()
        .map(|channel| {
            let at = |(index, sample): (usize, &f32)| {
                // A raised cosine would need a cosine: this is its cubic twin.
                let left = (frames - index) as f64;
                let t = if left < fade { left / fade } else { 1.0 };
                f64::from(*sample) * (t * t * (3.0 - 2.0 * t))
            };
            channel[start..][..frames].iter().enumerate().map(at).collect()
        })
        .collect();
    let gain = if convolution.normalize { level(&heard) } else { gain };
    let scaled = |heard: &[f64]| heard.iter().map(|frame| frame * gain).collect::<Vec<f64>>();
    let both = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(a, b)| a + b).collect::<Vec<f64>>();
    let paths = match (channels, heard.as_slice()) {
        (1, [mono]) => vec![(0, 0, scaled(mono))],
        (_, [mono]) => vec![(0, 0, scaled(mono)), (1, 1, scaled(mono))],
        (1, [left, right]) => vec![(0, 0, scaled(left)), (0, 1, scaled(right))],
        (_, [left, right]) => vec![(0, 0, scaled(left)), (1, 1, scaled(right))],
        // A mono input is one that sounds alike on both sides.
        (1, [ll, lr, rl, rr]) => vec![(0, 0, scaled(&both(ll, rl))), (0, 1, scaled(&both(lr, rr)))],
        (_, [ll, lr, rl, rr]) => {
            vec![(0, 0, scaled(ll)), (1, 0, scaled(rl)), (0, 1, scaled(lr)), (1, 1, scaled(rr))]
        }
        (_, other) => panic!("a response has one, two or four channels, not {}", other.len()),
    };
    Response::new(&paths, convolution.part_frames(sample_rate_hz))
}

/// The gain that makes the energy of an output 1, as a mean over the outputs; 1 for silence.
fn level(heard: &[Vec<f64>]) -> f64 {
    let energy: f64 = heard.iter().map(|channel| channel.iter().map(|frame| frame * frame).sum::<f64>()).sum();
    let outputs = heard.len().min(2) as f64;
    if energy > 0.0 { (outputs / energy).sqrt() } else { 1.0 }
}
