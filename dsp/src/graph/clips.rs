//! The clips of a track as one stream.

use std::path::PathBuf;

use super::error::Error;
use super::fade::ClipGain;
use crate::buffer::Buffer;
use crate::media::{AssetReader, Probe};
use crate::session::ValidSession;
use crate::session::valid::{Asset, TrackIndex};

/// Plays a track's clips. A file is open only while the playhead is over one of its clips.
pub struct ClipPlayer {
    sample_rate_hz: u32,
    /// All clips, latest start first: the next one to play is the last.
    upcoming: Vec<Upcoming>,
    /// The clips under the playhead, in document order: the order of summation.
    playing: Vec<Playing>,
    sums: Vec<Vec<f64>>,
    gains: Vec<f64>,
}

struct Upcoming {
    order: usize,
    asset_name: String,
    path: PathBuf,
    expected: Probe,
    at: u64,
    offset: u64,
    length: u64,
    gain: ClipGain,
}

struct Playing {
    clip: Upcoming,
    reader: AssetReader,
    block: Buffer,
}

impl ClipPlayer {
    /// A player of a track's clips; `asset_paths` has the file of every asset of the session.
    #[must_use]
    pub fn new(session: &ValidSession, track: TrackIndex, asset_paths: &[PathBuf], max_block_frames: usize) -> Self {
        let track = &session.tracks[track];
        let mut upcoming: Vec<Upcoming> = track
            .clips
            .iter()
            .enumerate()
            .map(|(order, clip)| Upcoming {
                order,
                asset_name: session.assets[clip.asset].name.clone(),
                path: asset_paths[clip.asset].clone(),
                expected: expected(&session.assets[clip.asset]),
                at: clip.at_frames,
                offset: clip.offset_frames,
                length: clip.length_frames,
                gain: ClipGain::new(clip),
            })
            .collect();
        upcoming.sort_by_key(|clip| std::cmp::Reverse(clip.at));
        Self {
            sample_rate_hz: session.sample_rate_hz,
            upcoming,
            playing: Vec::new(),
            sums: vec![vec![0.0; max_block_frames]; track.channels],
            gains: vec![0.0; max_block_frames],
        }
    }

    /// Fills `out` with the frames from session frame `frame` on, which must follow on those read before.
    ///
    /// # Errors
    /// A clip's file that cannot be read.
    pub fn read(&mut self, frame: u64, out: &mut Buffer) -> Result<(), Error> {
        let frames = out.frames();
        while self.upcoming.last().is_some_and(|next| next.at < frame + frames as u64) {
            let Some(clip) = self.upcoming.pop() else { break };
            let playing = Playing::start(clip, self.sample_rate_hz)?;
            let place = self.playing.partition_point(|other| other.clip.order < playing.clip.order);
            self.playing.insert(place, playing);
        }
        if self.playing.is_empty() {
            out.clear();
            return Ok(());
        }
        if let [playing] = self.playing.as_mut_slice()
            && let Some(gain) = playing.whole(frame, out)
        {
            playing.read_alone(gain, out)?;
            self.drop_ended(frame + frames as u64);
            return Ok(());
        }
        for sum in &mut self.sums {
            sum[..frames].fill(0.0);
        }
        for playing in &mut self.playing {
            playing.add(frame, frames, &mut self.sums, &mut self.gains)?;
        }
        self.drop_ended(frame + frames as u64);
        for (channel, sum) in out.iter_mut().zip(&self.sums) {
            for (sample, sum) in channel.iter_mut().zip(sum) {
                *sample = *sum as f32;
            }
        }
        Ok(())
    }

    /// Closes the files of clips that are over at a session frame.
    fn drop_ended(&mut self, frame: u64) {
        self.playing.retain(|playing| playing.clip.at + playing.clip.length > frame);
    }
}

impl Playing {
    fn start(clip: Upcoming, sample_rate_hz: u32) -> Result<Self, Error> {
        let reader = AssetReader::open(&clip.path, &clip.expected, sample_rate_hz, clip.offset)
            .map_err(|source| Error::media(&clip.asset_name, source))?;
        let block = Buffer::new(clip.expected.channels as usize, 0);
        Ok(Self { clip, reader, block })
    }

    /// The gain of the clip if it fills all of `out`, whose first frame is session frame `frame`, with one gain and as many
    /// channels.
    fn whole(&self, frame: u64, out: &Buffer) -> Option<f64> {
        let (clip, frames) = (&self.clip, out.frames() as u64);
        let fills = clip.at <= frame && frame + frames <= clip.at + clip.length;
        let within_clip = frame.checked_sub(clip.at).filter(|_| fills)?;
        let alike = self.block.channel_count() == out.channel_count();
        clip.gain.constant_over(within_clip, frames).filter(|_| alike)
    }

    /// Reads frames where no other clip plays: with the bits of a sum of one.
    fn read_alone(&mut self, gain: f64, out: &mut Buffer) -> Result<(), Error> {
        let Self { clip, reader, .. } = self;
        reader.read(out).map_err(|source| Error::media(&clip.asset_name, source))?;
        for channel in out.iter_mut() {
            if gain == 1.0 {
                channel.iter_mut().for_each(|sample| *sample += 0.0);
            } else {
                channel.iter_mut().for_each(|sample| *sample = (f64::from(*sample) * gain + 0.0) as f32);
            }
        }
        Ok(())
    }

    /// Adds the clip's part of `frames` frames from session frame `frame` on to the sums.
    fn add(&mut self, frame: u64, frames: usize, sums: &mut [Vec<f64>], gains: &mut [f64]) -> Result<(), Error> {
        let Self { clip, reader, block } = self;
        let from = clip.at.max(frame);
        let until = (clip.at + clip.length).min(frame + frames as u64);
        let (within_block, within_clip) = ((from - frame) as usize, from - clip.at);
        let count = (until - from) as usize;
        block.set_frames(count);
        reader.read(block).map_err(|source| Error::media(&clip.asset_name, source))?;

        let gains = &mut gains[..count];
        match clip.gain.constant_over(within_clip, count as u64) {
            Some(gain) => gains.fill(gain),
            None => gains.iter_mut().zip(within_clip..).for_each(|(gain, frame)| *gain = clip.gain.at(frame)),
        }
        let last = block.channel_count() - 1;
        for (index, sum) in sums.iter_mut().enumerate() {
            // A mono clip on a stereo track sounds on both sides as loud as it is.
            let channel = block.channel(index.min(last));
            for ((sum, sample), gain) in sum[within_block..].iter_mut().zip(channel).zip(&*gains) {
                *sum += f64::from(*sample) * gain;
            }
        }
        Ok(())
    }
}

/// What an asset's file must be like.
#[must_use]
pub fn expected(asset: &Asset) -> Probe {
    let facts = &asset.facts;
    Probe { frames: facts.frames, sample_rate_hz: facts.sample_rate_hz, channels: facts.channels, lossy: facts.lossy }
}
