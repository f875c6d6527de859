//! Lossy files: the finished master is spooled in floating point, encoded, and decoded again, because what players give
//! back peaks elsewhere than what went in.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::BLOCK_FRAMES;
use super::deliver::Finish;
use super::delivered::Pass;
use super::headroom::Headroom;
use super::report::{Decoded, LossyReport, LoudnessReport};
use super::solve::Solution;
use crate::buffer::Buffer;
use crate::execute::ExecuteError;
use crate::kernels::true_peak::TruePeakReader;
use crate::media::pcm::PcmReader;
use crate::media::tags::{ReplayGain, Tags};
use crate::media::{Decoder, LossySpec, LossyWriter};
use crate::quality::{Analysis, Analyzer, Source, Split};
use crate::relay::{listening, relay};
use crate::session::lossy::Lossy;

impl Finish<'_> {
    /// Makes a lossy file; what is measured is what its decoder gives back. With `keep_ceiling_decoded`, the ceiling is
    /// lowered by what the decoded file is over it until it is no more; what the report says of the ceiling stays what was
    /// asked.
    pub(super) fn lossy(
        &self,
        lossy: Lossy,
        solution: Option<&Solution>,
    ) -> Result<(Pass, Option<LoudnessReport>, LossyReport), ExecuteError> {
        let mut headroom = Headroom::default();
        loop {
            let lowered_db = headroom.lowered_db();
            let lowered =
                solution.map(|known| Solution { ceiling_dbtp: known.ceiling_dbtp - lowered_db, ..known.clone() });
            let (pass, loudness) = self.finished(lowered.as_ref())?;
            self.encode(lossy, &pass)?;
            let heard = self.decode_back(pass.measurement.frames)?;
            let decoded = Decoded::from(&heard.measurement);
            let over_db = solution.zip(decoded.true_peak_dbtp).map(|(asked, peak)| peak - asked.ceiling_dbtp);
            if !headroom.settles(over_db.unwrap_or(0.0)) && lossy.keep_ceiling_decoded {
                continue;
            }
            let loudness = loudness
                .zip(solution)
                .map(|(report, asked)| LoudnessReport { ceiling_dbtp: asked.ceiling_dbtp, ..report });
            fs::remove_file(self.spool()).map_err(|source| self.io("cannot remove the spool of", source))?;
            let over_db = over_db.filter(|over| *over > 0.0);
            let encoded_dbtp = pass.measurement.true_peak_dbtp;
            let report = LossyReport::of(lossy, encoded_dbtp, decoded, over_db, lowered_db, headroom.encodings());
            let pass = Pass { measurement: heard.measurement, quality: heard.quality, ..pass };
            return Ok((pass, loudness, report));
        }
    }

    /// Where the finished master waits for its encoder.
    pub(super) fn spool(&self) -> PathBuf {
        self.path.with_extension("pcm")
    }

    /// The spooled master into the file.
    fn encode(&self, lossy: Lossy, pass: &Pass) -> Result<(), ExecuteError> {
        let unreadable = |source| self.io("cannot read the spool of", source);
        let mut reader = PcmReader::open(&self.spool()).map_err(unreadable)?;
        let replay_gain = Some(&pass.measurement).filter(|_| self.asked.replay_gain).and_then(ReplayGain::of);
        let spec = LossySpec {
            format: self.asked.format,
            bit_rate: lossy.bit_rate,
            sample_rate_hz: self.asked.sample_rate_hz,
            channels: reader.channels(),
            frames: reader.frames(),
            tags: Tags::of(&self.session.metadata, replay_gain),
            cover: self.cover.clone(),
        };
        let failed = |source| self.io("cannot write", source);
        let mut writer = LossyWriter::create(&self.path, &spec).map_err(failed)?;
        let mut block = Buffer::new(spec.channels, BLOCK_FRAMES);
        for start in (0..spec.frames).step_by(BLOCK_FRAMES) {
            if self.monitor.is_cancelled() {
                return Err(ExecuteError::Cancelled);
            }
            block.set_frames((spec.frames - start).min(BLOCK_FRAMES as u64) as usize);
            reader.read(&mut block).map_err(unreadable)?;
            writer.write(&block).map_err(failed)?;
            self.monitor.advance(block.frames() as u64);
        }
        writer.finish().map_err(failed)
    }

    /// What a player gets from the file. Other than `frames` frames are an error: every format tells its exact length.
    fn decode_back(&self, frames: u64) -> Result<Analysis, ExecuteError> {
        let failed = |error: String| self.io("cannot decode what was written as", io::Error::other(error));
        let mut decoder = Decoder::open(&self.path).map_err(|error| failed(error.to_string()))?;
        let channels = decoder.probe().channels as usize;
        let source =
            Source { sample_rate_hz: decoder.probe().sample_rate_hz, channels, speakers: 0, nominal_bits: None };
        let mut analyzer = Analyzer::new(source, TruePeakReader::strict);
        let Split { mut intake, parts, .. } = analyzer.split();
        let decode = |block: &mut Buffer| {
            if self.monitor.is_cancelled() {
                return Err(ExecuteError::Cancelled);
            }
            block.set_frames(BLOCK_FRAMES);
            let frames = decoder.read(block).map_err(|error| failed(error.to_string()))?;
            intake.mend(block);
            Ok(frames > 0)
        };
        let legs = parts.into_iter().map(|part| listening(part, |block| block));
        relay(self.threads, || self.monitor.threads(), || Buffer::new(channels, 0), decode, legs.collect())?;
        let heard = analyzer.finish();
        if heard.measurement.frames != frames {
            return Err(failed(format!("it gives back {} frames of {frames}", heard.measurement.frames)));
        }
        Ok(heard)
    }
}
