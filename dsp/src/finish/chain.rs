//! The streaming part of the finish: source → rate conversion → trim and fades → gain → limiter → what listens.

use std::io;
use std::path::Path;

use super::edges::Edges;
use super::feed::Feed;
use super::mastering::{Ceiling, Mastering};
use crate::buffer::Buffer;
use crate::execute::ExecuteError;
use crate::progress::Monitor;
use crate::relay::{Leg, listening, relay};

/// What the chain does to its source.
pub(super) struct ChainSpec<'a> {
    /// PCM artifact of a mix or stem.
    pub source: &'a Path,
    /// Frames of the session; the source is cut or continued with silence to this.
    pub length_frames: u64,
    /// What is kept of them.
    pub edges: Edges,
    /// Rate of the output in Hz.
    pub sample_rate_hz: u32,
    /// Linear gain, and the ceiling of the limiter after it; `None` leaves the signal alone.
    pub mastering: Option<(f64, Ceiling)>,
    /// Linear gain after the limiter: 1 unless the ceiling could not be held otherwise.
    pub trim: f64,
}

/// A block on its way.
pub(super) struct Block {
    pub audio: Buffer,
    /// What the limiter must do to each frame that goes into it.
    pub required: Vec<f64>,
    /// The frames as the file gets them, interleaved: as integers, or as floats.
    pub integers: Vec<i32>,
    pub floats: Vec<f32>,
}

/// Why a source gives no sound.
pub(super) enum Fault {
    /// It cannot be read.
    Unreadable(io::Error),
    /// The place of a sample that is NaN or infinite.
    NotANumber(String),
}

/// The chain at work.
pub(super) struct Chain {
    feed: Feed,
    mastering: Option<Mastering>,
}

impl Chain {
    pub(super) fn open(spec: ChainSpec<'_>) -> io::Result<Self> {
        let feed = Feed::open(spec.source, spec.length_frames, spec.edges, spec.sample_rate_hz)?;
        let Some((gain, ceiling)) = spec.mastering else { return Ok(Self { feed, mastering: None }) };
        let mastering = Mastering::new(gain, ceiling, spec.trim, spec.sample_rate_hz, feed.channels());
        Ok(Self { feed: feed.followed_by(mastering.latency_frames()), mastering: Some(mastering) })
    }

    /// Frames that come out in all.
    pub(super) fn frames(&self) -> u64 {
        self.feed.frames()
    }

    /// Channels that come out.
    pub(super) fn channels(&self) -> usize {
        self.feed.channels()
    }

    /// The lowest gain of the limiter so far; 1 without one.
    pub(super) fn lowest_gain(&self) -> f64 {
        self.mastering.as_ref().map_or(1.0, Mastering::lowest_gain)
    }

    /// Runs everything through the chain and then through `legs`, on up to `threads` threads, which change no bit. `blame`
    /// makes an error of a fault of the source.
    ///
    /// # Errors
    /// What `blame` makes, what a leg fails with, and that the monitor asked to stop.
    pub(super) fn run<'a>(
        &'a mut self,
        threads: usize,
        monitor: &'a dyn Monitor,
        legs: Vec<Leg<'a, Block, ExecuteError>>,
        blame: impl Fn(Fault) -> ExecuteError + Send + 'a,
    ) -> Result<(), ExecuteError> {
        let Self { feed, mastering } = self;
        let channels = feed.channels();
        let mut all: Vec<Leg<'a, Block, ExecuteError>> = Vec::new();
        if let Some(Mastering { drive, ride }) = mastering {
            all.push(Box::new(|block| {
                drive.process(block);
                Ok(())
            }));
            all.push(Box::new(|block| {
                ride.process(block);
                Ok(())
            }));
        }
        // The first blocks hold nothing while the limiter's latency passes, nor those outside the edges.
        all.extend(legs.into_iter().map(|mut leg| -> Leg<'a, Block, ExecuteError> {
            Box::new(move |block| if block.audio.frames() == 0 { Ok(()) } else { leg(block) })
        }));
        all.push(listening(|audio: &Buffer| monitor.advance(audio.frames() as u64), |block: &Block| &block.audio));
        let make = move |block: &mut Block| {
            if monitor.is_cancelled() {
                return Err(ExecuteError::Cancelled);
            }
            let made = feed.next(&mut block.audio).map_err(|source| blame(Fault::Unreadable(source)))?;
            feed.not_a_number().map_or(Ok(made), |place| Err(blame(Fault::NotANumber(place))))
        };
        let empty = || Block {
            audio: Buffer::new(channels, 0),
            required: Vec::new(),
            integers: Vec::new(),
            floats: Vec::new(),
        };
        relay(threads, || monitor.threads(), empty, make, all)
    }
}
