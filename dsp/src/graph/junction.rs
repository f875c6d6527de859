//! Where signals meet: a bus or the master up to the end of its inserts.

use super::chain::{Chain, KeyPort};
use super::delay_line::DelayLine;
use super::strip::StripGain;
use super::view::View;
use crate::buffer::Buffer;
use crate::node::Prepare;
use crate::session::valid::{BusIndex, Insert, KeySource, TrackIndex};

/// A place in a mix where a signal can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A track's stem.
    Stem(TrackIndex),
    /// The bus at a place in the wiring, after its inserts.
    Inserts(usize),
    /// A bus as it is in the mix, after its fader and balance.
    Fader(BusIndex),
}

/// What is known of a signal before it flows.
#[derive(Debug, Clone, Copy)]
pub struct Signal {
    /// Where it is taken.
    pub point: Point,
    /// Channels.
    pub channels: usize,
    /// Frames by which it lags the time of the render.
    pub lag: usize,
}

/// Sums its feeds, aligned to the latest of them, and runs the sum through inserts.
pub struct Junction {
    feeds: Vec<Feed>,
    lag: usize,
    left: Vec<f64>,
    right: Vec<f64>,
    chain: Chain,
}

struct Feed {
    point: Point,
    gain: StripGain,
    wait: DelayLine,
    block: Buffer,
}

impl Junction {
    /// A stereo junction; `feeds` are summed in their order, `key` tells of the signal that a side-chain listens to.
    #[must_use]
    pub fn new(
        feeds: Vec<(Signal, StripGain)>,
        inserts: &[Insert],
        prepare: Prepare,
        key: &dyn Fn(KeySource) -> Signal,
    ) -> Self {
        let lag = feeds.iter().map(|(signal, _)| signal.lag).max().unwrap_or(0);
        let port = |source| {
            let signal = key(source);
            KeyPort { channels: signal.channels, lag: signal.lag as i64 - lag as i64 }
        };
        let chain = Chain::new(inserts, prepare, &port);
        let feed = |(signal, gain): (Signal, StripGain)| Feed {
            point: signal.point,
            gain,
            wait: DelayLine::new(signal.channels, lag - signal.lag),
            block: Buffer::new(signal.channels, prepare.max_block_frames),
        };
        let sum = vec![0.0; prepare.max_block_frames];
        Self { feeds: feeds.into_iter().map(feed).collect(), lag, left: sum.clone(), right: sum, chain }
    }

    /// Frames by which the output lags the time of the render.
    #[must_use]
    pub fn lag_out(&self) -> usize {
        self.lag + self.chain.latency_frames()
    }

    /// Channels of the output.
    #[must_use]
    pub fn channels_out(&self) -> usize {
        self.chain.channels_out()
    }

    /// Frames from `time` on until the next of the nodes starts: no block may reach across.
    #[must_use]
    pub fn frames_until_start(&self, time: i64) -> usize {
        self.chain.frames_until_start(time - self.lag as i64)
    }

    /// Runs one block. `signal` gives what a point has yielded over the same time.
    pub fn run<'a>(&mut self, time: i64, frames: usize, signal: &dyn Fn(Point) -> View<'a>) -> &Buffer {
        let Self { feeds, lag, left, right, chain } = self;
        let frame = time - *lag as i64;
        let (left, right) = (&mut left[..frames], &mut right[..frames]);
        left.fill(0.0);
        right.fill(0.0);
        for feed in feeds {
            let mut audio = signal(feed.point);
            if feed.wait.frames() > 0 {
                audio.copy_to(&mut feed.block);
                feed.wait.process(&mut feed.block);
                audio = View::new(&feed.block, 0, frames);
            }
            feed.gain.over(frame, frames).add(audio, left, right);
        }
        let (left_in, right_in) = chain.input(frames).stereo_mut();
        round(left, left_in);
        round(right, right_in);
        chain.process(frame, &|source| {
            signal(match source {
                KeySource::Track(track) => Point::Stem(track),
                KeySource::Bus(bus) => Point::Fader(bus),
            })
        })
    }
}

fn round(sum: &[f64], out: &mut [f32]) {
    for (out, sum) in out.iter_mut().zip(sum) {
        *out = *sum as f32;
    }
}
