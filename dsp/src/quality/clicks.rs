//! Suspected clicks: samples that nothing around them explains.

use core::f64::consts::TAU;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::places::{Place, Places};
use super::prediction::Predictor;
use crate::buffer::Buffer;
use crate::kernels::fft::{RealFft, Spectrum, Work};
use crate::math;

/// Order of the predictor that looks for candidates, and one more.
const SCAN_TAPS: usize = 21;
/// Order of the predictor that looks at them closely, and one more.
const CLOSE_TAPS: usize = 33;
/// A candidate stands so many times above the median of its block.
const STANDS_OUT: f64 = 8.0;
/// Clicks that are lower than this are no candidates: −50 dBFS.
const LEAST: f64 = 0.003;
/// Frames to either side of the middle of a click that may belong to it.
const HALF_WIDTHS: [usize; 5] = [0, 1, 4, 9, 18];
/// The widest of them.
const HALF_WIDEST: usize = 18;
/// What a sample of the click explains of the errors is so many times the power of those around it and of those left over.
const EXPLAINS: f64 = 1000.0;
/// Without the click the errors at its place have no more than this times the power of those around it: else it is the
/// beginning of a sound, which goes on.
const LEFT_OVER: f64 = 2.5;
/// Nothing within 20 ms is half as high: else it is an edge among many, of a wave or of a voice.
const PEERLESS: f64 = 2.0;
/// A click has a quarter (−6 dB) of the energy of the music around it in one of the third octaves at least; below that the music
/// masks it. Within a critical band noise masks what lies 4 to 6 dB below it: E. Zwicker, H. Fastl, "Psychoacoustics", chapter 4.
const UNMASKED: f64 = 0.25;
/// Where the third octaves begin and end, in Hz.
const HEARD_HZ: (f64, f64) = (707.0, 14_000.0);
/// Energy of the music that always masks: that of a band of silence.
const FLOOR: f64 = 1e-12;
/// One click may be two candidates, and stand in two channels, in ms.
const APART_MS: usize = 1;

/// Suspected clicks.
///
/// A sound is predicted from its neighbourhood (linear prediction, 20 ms); what is left where a few samples do not belong to it
/// stands out by far. A place is a suspected click if no more than 37 samples, put back to what the prediction makes of them,
/// explain what stands out (so an attack is none: the sound behind it is another), if nothing within 20 ms is half as high (so
/// the edges of a saw tooth are none), and if what was put back has a quarter of the energy of the 10 ms of music around it in
/// one third octave from 0.7 to 14 kHz at least (else the music masks it). S. J. Godsill, P. J. W. Rayner, "Digital Audio Restoration",
/// Springer 1998, chapter 5.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Clicks {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub places: Vec<Place>,
}

/// Looks for them block by block, one block behind.
pub(super) struct ClickFinder {
    block: usize,
    apart: u64,
    lines: Vec<Line>,
    /// The frame that the lines begin at; before the file there is silence.
    start: i64,
    frames: u64,
    /// Frames and channels of the clicks in the blocks looked at last.
    found: Vec<(u64, usize)>,
    last: Option<u64>,
    places: Places,
    ear: Ear,
    scratch: Scratch,
}

/// The latest samples of a channel: three blocks at most, of which the middle one is looked at.
type Line = Vec<f32>;

#[derive(Default)]
struct Scratch {
    errors: Vec<f64>,
    heights: Vec<f64>,
    sorted: Vec<f64>,
}

impl ClickFinder {
    pub(super) fn new(sample_rate_hz: u32, channels: usize) -> Self {
        let block = match sample_rate_hz {
            0..=24_000 => 512,
            24_001..=50_000 => 1024,
            50_001..=100_000 => 2048,
            _ => 4096,
        };
        let mut line = Vec::with_capacity(3 * block);
        line.resize(block, 0.0);
        Self {
            block,
            apart: (sample_rate_hz as usize * APART_MS / 1000) as u64,
            lines: vec![line; channels],
            start: -(block as i64),
            frames: 0,
            found: Vec::new(),
            last: None,
            places: Places::new(),
            ear: Ear::new(sample_rate_hz, block / 2),
            scratch: Scratch::default(),
        }
    }

    pub(super) fn push(&mut self, block: &Buffer) {
        self.frames += block.frames() as u64;
        self.take(block.frames(), |channel, from, to| &block.channel(channel)[from..to]);
    }

    fn take<'a>(&mut self, frames: usize, part: impl Fn(usize, usize, usize) -> &'a [f32]) {
        let mut from = 0;
        while from < frames {
            let to = frames.min(from + 3 * self.block - self.lines[0].len());
            for (channel, line) in self.lines.iter_mut().enumerate() {
                line.extend_from_slice(part(channel, from, to));
            }
            from = to;
            if self.lines[0].len() == 3 * self.block {
                self.look();
            }
        }
    }

    /// Looks at the middle block of every channel.
    fn look(&mut self) {
        for (channel, line) in self.lines.iter().enumerate() {
            for at in candidates(line, self.block, &mut self.scratch) {
                if is_click(line, at, self.block, &mut self.scratch, &mut self.ear) {
                    self.found.push((self.start.saturating_add_unsigned(at as u64).max(0) as u64, channel));
                }
            }
        }
        // Where a file begins or ends in the middle of a sound is no click.
        let edge = HALF_WIDEST as u64;
        let inside = edge..self.frames.saturating_sub(edge);
        self.found.retain(|(frame, _)| inside.contains(frame));
        self.found.sort_unstable();
        for (frame, channel) in self.found.drain(..) {
            if self.last.is_none_or(|last| frame > last + self.apart) {
                self.places.add(channel, frame);
            }
            self.last = Some(frame);
        }
        for line in &mut self.lines {
            line.copy_within(self.block.., 0);
            line.truncate(2 * self.block);
        }
        self.start += self.block as i64;
    }

    pub(super) fn finish(mut self, sample_rate_hz: u32) -> Clicks {
        let silence = vec![0.0; 2 * self.block];
        self.take(silence.len(), |_, from, to| &silence[from..to]);
        let (count, places) = self.places.finish(sample_rate_hz);
        Clicks { count, places }
    }
}

/// Where in the middle block something stands out.
fn candidates(line: &[f32], block: usize, scratch: &mut Scratch) -> Vec<usize> {
    let around = block / 4;
    let predictor = Predictor::<SCAN_TAPS>::of(&[&line[block - around..2 * block + around]]);
    // The first error is that of the sample `SCAN_TAPS` − 1 frames on: of the first of the block.
    predictor.errors(&line[block + 1 - SCAN_TAPS..2 * block + SCAN_TAPS - 1], &mut scratch.errors);
    predictor.heights(&scratch.errors, &mut scratch.heights);
    scratch.sorted.clear();
    scratch.sorted.extend(scratch.heights.iter().map(|height| height.abs()));
    let middle = scratch.sorted.len() / 2;
    let (_, median, _) = scratch.sorted.select_nth_unstable_by(middle, f64::total_cmp);
    let threshold = (STANDS_OUT * *median).max(LEAST);
    let mut found: Vec<usize> = Vec::new();
    let mut highest = 0.0;
    for (n, height) in scratch.heights.iter().map(|height| height.abs()).enumerate() {
        if height < threshold {
            continue;
        }
        match found.last_mut() {
            // One click stands out for some frames.
            Some(last) if n <= *last - block + HALF_WIDEST => {
                if height > highest {
                    (*last, highest) = (block + n, height);
                }
            }
            _ => {
                found.push(block + n);
                highest = height;
            }
        }
    }
    found
}

/// Looks closely at one place of a line.
fn is_click(line: &[f32], at: usize, block: usize, scratch: &mut Scratch, ear: &mut Ear) -> bool {
    const ORDER: usize = CLOSE_TAPS - 1;
    let margin = HALF_WIDEST + ORDER / 2;
    let near = block / 4;
    let before = &line[at - margin - (block - 2 * margin)..at - margin];
    let after = &line[at + margin..at + margin + (block - 2 * margin)];
    let predictor = Predictor::<CLOSE_TAPS>::of(&[before, after]);
    let power = |samples: &[f32], errors: &mut Vec<f64>| {
        predictor.errors(samples, errors);
        errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64
    };
    let quiet = power(&before[before.len() - near..], &mut scratch.errors);
    let around = quiet.max(power(&after[..near], &mut scratch.errors)).max(FLOOR);

    // The place, with what is needed to predict it and to see its errors.
    let from = at - HALF_WIDEST - 2 * ORDER;
    let whole: Vec<f64> = line[from..=at + HALF_WIDEST + 2 * ORDER].iter().copied().map(f64::from).collect();
    let seen = ORDER..whole.len() - ORDER;
    let mut energy = |samples: &[f64]| {
        predictor.errors(&samples[seen.start..seen.end], &mut scratch.errors);
        scratch.errors.iter().map(|error| error * error).sum::<f64>()
    };
    let broken = energy(&whole);
    let middle = at - from;
    let mut best: Option<(f64, Vec<f64>)> = None;
    for half in HALF_WIDTHS {
        let width = 2 * half + 1;
        let mut mended = whole.clone();
        predictor.mend(&mut mended, middle - half..middle + half + 1);
        let left = energy(&mended);
        let explained = (broken - left) / (width as f64 * around);
        let left_over = left / ((2 * HALF_WIDEST + CLOSE_TAPS - width) as f64 * around);
        // A third stands for what is left over by chance where little is.
        let score = explained / (0.3 + left_over);
        if score > EXPLAINS && left_over < LEFT_OVER && best.as_ref().is_none_or(|best| score > best.0) {
            best = Some((score, mended));
        }
    }
    let Some((_, mended)) = best else { return false };
    let click: Vec<f64> = whole.iter().zip(&mended).map(|(broken, mended)| broken - mended).collect();
    let Some(highest) = (0..click.len()).max_by(|a, b| click[*a].abs().total_cmp(&click[*b].abs())) else {
        return false;
    };
    let height = click[highest].abs();
    if height < LEAST || is_clipped(&whole, &mended) {
        return false;
    }
    let peer = [before, after].into_iter().fold(0.0_f64, |peer, stretch| {
        predictor.errors(stretch, &mut scratch.errors);
        predictor.heights(&scratch.errors, &mut scratch.heights);
        scratch.heights.iter().fold(peer, |peer, height| peer.max(height.abs()))
    });
    height > PEERLESS * peer && ear.hears(&click, &line[at - block / 4..at + block / 4], middle, block / 4)
}

/// Whether a wave was cut off there: near the highest level it stays where it is, and would have gone on outwards. That is
/// clipping.
fn is_clipped(whole: &[f64], mended: &[f64]) -> bool {
    let highest = whole.iter().fold(0.0_f64, |highest, x| highest.max(x.abs()));
    #[expect(clippy::float_cmp, reason = "what was cut off lies at the very same level")]
    let stays = |at: usize| whole[at - 1] == whole[at] && whole[at].abs() >= 0.9 * highest;
    (1..whole.len()).any(|at| stays(at) && mended[at] / whole[at] > 1.0)
}

/// Tells whether a click can be heard in what surrounds it.
struct Ear {
    fft: RealFft,
    work: Work,
    window: Vec<f64>,
    block: Vec<f64>,
    click: Spectrum,
    music: Spectrum,
    /// The bins of each third octave.
    bands: Vec<core::ops::Range<usize>>,
}

impl Ear {
    fn new(sample_rate_hz: u32, frames: usize) -> Self {
        let fft = RealFft::new(frames);
        let bin_hz = f64::from(sample_rate_hz) / frames as f64;
        let third = math::exp2(1.0 / 3.0);
        let mut bands = Vec::new();
        let mut low = HEARD_HZ.0;
        while low < HEARD_HZ.1 {
            let bin = |hz: f64| ((hz / bin_hz).ceil() as usize).min(fft.bins());
            bands.push(bin(low)..bin(low * third));
            low *= third;
        }
        bands.retain(|band| !band.is_empty());
        let hann = |n: usize| 0.5 - 0.5 * math::cos(TAU * (n as f64 + 0.5) / frames as f64);
        Self {
            work: fft.work(),
            window: (0..frames).map(hann).collect(),
            block: vec![0.0; frames],
            click: Spectrum::silent(fft.bins()),
            music: Spectrum::silent(fft.bins()),
            bands,
            fft,
        }
    }

    /// `click` has its middle at `click_middle`, what surrounds it (with the click) has it at `middle`.
    fn hears(&mut self, click: &[f64], surroundings: &[f32], click_middle: usize, middle: usize) -> bool {
        self.block.fill(0.0);
        let from = middle - click_middle;
        self.block[from..from + click.len()].copy_from_slice(click);
        self.fft.forward(&self.block, &mut self.click, &mut self.work);
        for ((x, sample), weight) in self.block.iter_mut().zip(surroundings).zip(&self.window) {
            *x = (f64::from(*sample) - *x) * weight;
        }
        self.fft.forward(&self.block, &mut self.music, &mut self.work);
        let energy = |spectrum: &Spectrum, band: &core::ops::Range<usize>| -> f64 {
            band.clone().map(|bin| spectrum.re[bin] * spectrum.re[bin] + spectrum.im[bin] * spectrum.im[bin]).sum()
        };
        self.bands.iter().any(|band| energy(&self.click, band) > UNMASKED * energy(&self.music, band) + FLOOR)
    }
}
