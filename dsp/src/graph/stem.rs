//! One track's stem: its clips through its inserts.

use std::path::{Path, PathBuf};

use super::chain::{Chain, KeyPort};
use super::clips::ClipPlayer;
use super::error::Error;
use super::view::View;
use crate::buffer::Buffer;
use crate::media::pcm::PcmReader;
use crate::node::Prepare;
use crate::session::ValidSession;
use crate::session::valid::{Insert, KeySource, TrackIndex};

/// A stem as a stream. At time t of the render it yields its session frame t − [`Stem::lag_frames`]; frames outside
/// the stem are exact zeros.
pub struct Stem {
    source: Source,
    channels: usize,
    lag: usize,
    frames: u64,
    time: u64,
}

enum Source {
    Clips {
        clips: ClipPlayer,
        chain: Box<Chain>,
        block_frames: usize,
    },
    Artifact {
        path: PathBuf,
        reader: Box<PcmReader>,
    },
    /// Nothing is left to come.
    Over,
}

impl Stem {
    /// The stem of a track, rendered from its clips in blocks of `block_frames`; `lag_of` says how late the stems arrive that
    /// key it.
    #[must_use]
    pub fn render(
        session: &ValidSession,
        index: TrackIndex,
        asset_paths: &[PathBuf],
        block_frames: usize,
        lag_of: &dyn Fn(TrackIndex) -> usize,
    ) -> Self {
        let track = &session.tracks[index];
        let prepare = Prepare {
            sample_rate_hz: session.sample_rate_hz,
            channels: track.channels,
            max_block_frames: block_frames,
        };
        let port = |source| {
            let key = keying_track(source);
            KeyPort { channels: session.tracks[key].stem_channels, lag: lag_of(key) as i64 }
        };
        let chain = Box::new(Chain::new(&track.inserts, prepare, &port));
        let clips = ClipPlayer::new(session, index, asset_paths, block_frames);
        Self {
            channels: track.stem_channels,
            lag: chain.latency_frames(),
            frames: track.stem_frames,
            time: 0,
            source: Source::Clips { clips, chain, block_frames },
        }
    }

    /// The stem of a track, read from its artifact.
    ///
    /// # Errors
    /// An artifact that cannot be read, or is not this stem.
    pub fn open(session: &ValidSession, index: TrackIndex, path: &Path) -> Result<Self, Error> {
        let track = &session.tracks[index];
        let reader = PcmReader::open(path).map_err(Error::reading(path))?;
        let found = (reader.channels(), reader.sample_rate_hz(), reader.frames());
        let expected = (track.stem_channels, session.sample_rate_hz, track.stem_frames);
        if found != expected {
            let message =
                format!("the stem of track `{}` has (channels, Hz, frames) {found:?}, not {expected:?}", track.name);
            return Err(Error::reading(path)(std::io::Error::new(std::io::ErrorKind::InvalidData, message)));
        }
        Ok(Self {
            channels: track.stem_channels,
            lag: 0,
            frames: track.stem_frames,
            time: 0,
            source: Source::Artifact { path: path.to_owned(), reader: Box::new(reader) },
        })
    }

    /// Channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Frames by which the stream lags the time of the render.
    #[must_use]
    pub fn lag_frames(&self) -> usize {
        self.lag
    }

    /// Length of the stem in frames.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Fills `out` with what comes next; `key` gives what a keying stem has yielded over the same time.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn next<'k>(&mut self, out: &mut Buffer, key: &dyn Fn(TrackIndex) -> &'k Buffer) -> Result<(), Error> {
        let start = self.begin(out.frames());
        let wanted = self.wanted(start, out.frames());
        match &mut self.source {
            Source::Clips { clips, chain, block_frames } => {
                let mut done = 0;
                while done < wanted {
                    let frame = start + done as u64;
                    let count = (wanted - done).min(*block_frames).min(chain.frames_until_start(frame as i64));
                    clips.read(frame, chain.input(count))?;
                    let key = |source| View::new(key(keying_track(source)), done, count);
                    copy(chain.process(frame as i64, &key), out, done);
                    done += count;
                }
                out.iter_mut().for_each(|channel| channel[done..].fill(0.0));
            }
            Source::Artifact { path, reader } => reader.read(out).map_err(Error::reading(path))?,
            Source::Over => out.clear(),
        }
        self.end();
        Ok(())
    }

    /// Whether blocks of both can be processed beside each other.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        match (&self.source, &other.source) {
            (Source::Clips { chain, .. }, Source::Clips { chain: other_chain, .. }) => chain.is_like(other_chain),
            _ => false,
        }
    }

    /// Fills `out` with what comes next of this stem, and `other_out` with what comes of another. Both buffers are of one
    /// length, and nothing keys the stems.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn next_beside(&mut self, out: &mut Buffer, other: &mut Self, other_out: &mut Buffer) -> Result<(), Error> {
        let (start, wanted) = (self.time, self.wanted(self.time, out.frames()));
        let together = start == other.time && wanted == other.wanted(other.time, other_out.frames());
        match (&mut self.source, &mut other.source) {
            (
                Source::Clips { clips, chain, block_frames },
                Source::Clips { clips: other_clips, chain: other_chain, .. },
            ) if together && chain.is_like(other_chain) => {
                let mut done = 0;
                while done < wanted {
                    let frame = start + done as u64;
                    let count = (wanted - done).min(*block_frames).min(chain.frames_until_start(frame as i64));
                    clips.read(frame, chain.input(count))?;
                    other_clips.read(frame, other_chain.input(count))?;
                    let [rendered, other_rendered] = chain.process_beside(other_chain, frame as i64);
                    copy(rendered, out, done);
                    copy(other_rendered, other_out, done);
                    done += count;
                }
                for channel in out.iter_mut().chain(other_out.iter_mut()) {
                    channel[done..].fill(0.0);
                }
            }
            _ => {
                let no_key = |_| unreachable!("because nothing keys the stems");
                self.next(out, &no_key)?;
                return other.next(other_out, &no_key);
            }
        }
        self.begin(out.frames());
        other.begin(other_out.frames());
        self.end();
        other.end();
        Ok(())
    }

    /// Moves on by some frames and gives where they start.
    fn begin(&mut self, frames: usize) -> u64 {
        let start = self.time;
        self.time += frames as u64;
        start
    }

    /// How many of the frames from a time on are still of the stem.
    fn wanted(&self, start: u64, frames: usize) -> usize {
        (self.lag as u64 + self.frames).saturating_sub(start).min(frames as u64) as usize
    }

    /// Closes the source once all of it has come.
    fn end(&mut self) {
        if self.time >= self.lag as u64 + self.frames {
            self.source = Source::Over;
        }
    }
}

/// Copies a rendered block into a chunk from frame `at` on.
fn copy(rendered: &Buffer, out: &mut Buffer, at: usize) {
    for (out, rendered) in out.iter_mut().zip(rendered.iter()) {
        for (out, sample) in out[at..at + rendered.len()].iter_mut().zip(rendered) {
            // Turns −0 into 0: where a node rests while its input is silent, blocks of other lengths
            // would differ in the sign of zero.
            *out = *sample + 0.0;
        }
    }
}

/// The tracks whose stems key a track's inserts.
pub fn keying_tracks(inserts: &[Insert]) -> impl Iterator<Item = TrackIndex> + '_ {
    inserts.iter().filter_map(|insert| insert.sidechain).map(keying_track)
}

fn keying_track(source: KeySource) -> TrackIndex {
    match source {
        KeySource::Track(track) => track,
        KeySource::Bus(_) => unreachable!("validation lets no bus key a track"),
    }
}
