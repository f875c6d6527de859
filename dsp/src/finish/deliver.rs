//! Makes one file of a mix or stem.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chain::{Block, Chain, ChainSpec, Fault};
use super::delivered::{Delivered, Pass, bits};
use super::edges::Edges;
use super::mastering::Ceiling;
use super::report::{EdgesReport, LossyReport, LoudnessReport, Report};
use super::solve::Solution;
use crate::buffer::Buffer;
use crate::execute::ExecuteError;
use crate::kernels::resampler::Resampler;
use crate::media::pcm::PcmWriter;
use crate::media::{BroadcastSpec, FileSpec, FileWriter, MediaError, Picture, coding_history};
use crate::progress::Monitor;
use crate::quality::{FileFacts, Verdict};
use crate::relay::{Leg, listening};
use crate::session::ValidSession;
use crate::session::document::{Depth, Dither, Format};
use crate::session::valid::{Deliverable, DeliverableIndex};
use crate::units::{db_from_gain, gain_from_db};

/// Rounds in which overs are taken out where they are; what is left then is taken off the whole file.
pub const MAX_ROUNDS: u32 = 4;

/// A hair (0.0009 dB) below 1: the limiter bends true peaks by up to 0.0005 dB, and to make the file again for that is no use.
const BELOW: f64 = 0.9999;

/// Makes a deliverable out of `source`, the PCM artifact of its mix or stem, in `work_dir`, with `cover`, the file of the
/// session's cover picture, on up to `threads` threads, which change no bit. Returns the file and its report.
///
/// With a `solution`, no true-peak reader sees the file above the ceiling. Without one, the samples pass as they are,
/// and an over in an integer file is an error.
///
/// # Errors
/// A sample of the source that is NaN or infinite (`BadSession`, with its mix or stem, channel and frame); an over in an
/// integer file without limiter (`BadSession`, with the dB to pull down); files that cannot be read or
/// written; the monitor asked to stop.
pub fn deliver(
    source: &Path,
    session: &ValidSession,
    deliverable: DeliverableIndex,
    solution: Option<&Solution>,
    cover: Option<&Path>,
    work_dir: &Path,
    threads: usize,
    monitor: &dyn Monitor,
) -> Result<(PathBuf, serde_json::Value), ExecuteError> {
    let asked = &session.deliverables[deliverable];
    let path = work_dir.join(format!("master-{deliverable}"));
    let edges = Edges::find(source, session.length_frames, asked).map_err(|source| ExecuteError::Io {
        what: format!("cannot read the source of \"{}\"", asked.file_name),
        source,
    })?;
    let cover = cover.map(Picture::read).transpose().map_err(unreadable_cover)?.map(Arc::new);
    let mut finish = Finish { source, session, asked, edges, cover, path, dither: asked.dither, threads, monitor };
    let (pass, loudness, lossy) = match asked.lossy {
        Some(lossy) => finish.lossy(lossy, solution).map(|(pass, loudness, lossy)| (pass, loudness, Some(lossy)))?,
        None => finish.lossless(solution).map(|(pass, loudness)| (pass, loudness, None))?,
    };
    let report = serde_json::to_value(finish.report(pass, loudness, lossy))
        .map_err(|error| finish.io("cannot write the report of", io::Error::other(error)))?;
    Ok((finish.path, report))
}

fn unreadable_cover(error: MediaError) -> ExecuteError {
    match error {
        MediaError::Io { path, source } => {
            ExecuteError::Io { what: format!("cannot read the cover {}", path.display()), source }
        }
        bad @ MediaError::Bad { .. } => ExecuteError::BadMedia(format!("the cover: {bad}")),
    }
}

pub(super) struct Finish<'a> {
    source: &'a Path,
    pub(super) session: &'a ValidSession,
    pub(super) asked: &'a Deliverable,
    edges: Edges,
    pub(super) cover: Option<Arc<Picture>>,
    pub(super) path: PathBuf,
    dither: Dither,
    pub(super) threads: usize,
    pub(super) monitor: &'a dyn Monitor,
}

/// Where the samples of a pass go.
enum Sink {
    File(Box<FileWriter>),
    /// On their way to an encoder.
    Spool(PcmWriter),
}

impl Finish<'_> {
    /// Makes a lossless file: anew without dither when that turned out to be needless.
    fn lossless(&mut self, solution: Option<&Solution>) -> Result<(Pass, Option<LoudnessReport>), ExecuteError> {
        let (pass, loudness) = self.finished(solution)?;
        if !self.is_needless(&pass) {
            return Ok((pass, loudness));
        }
        self.dither = Dither::None;
        self.finished(solution)
    }

    /// Makes the file, or the spool of a lossy one.
    pub(super) fn finished(&self, solution: Option<&Solution>) -> Result<(Pass, Option<LoudnessReport>), ExecuteError> {
        match solution {
            Some(solution) => self.under_ceiling(solution),
            None => Ok((self.as_it_is()?, None)),
        }
    }

    /// Whether a pass put dither on a file whose depth does not fall: it is made again without.
    fn is_needless(&self, pass: &Pass) -> bool {
        pass.was_on_grid && self.dither != Dither::None
    }

    /// Makes the file without gain and limiter.
    fn as_it_is(&self) -> Result<Pass, ExecuteError> {
        let pass = self.pass(None, 1.0, f64::INFINITY)?;
        if pass.clipped == 0 || self.asked.depth == Depth::Float32 || self.is_needless(&pass) {
            return Ok(pass);
        }
        let highest = db_from_gain(self.highest_sample()?);
        Err(ExecuteError::BadSession(format!(
            "\"{}\": {} samples are over full scale, the highest at {highest:+.2} dBFS, and nothing limits this file: pull \
             it down by {:.2} dB, or ask for depth 32f",
            self.asked.file_name,
            pass.clipped,
            highest + 0.01
        )))
    }

    /// Makes the file until every reader sees it below the ceiling.
    fn under_ceiling(&self, solution: &Solution) -> Result<(Pass, Option<LoudnessReport>), ExecuteError> {
        let limit = gain_from_db(solution.ceiling_dbtp);
        let (from_hz, to_hz) = (self.session.sample_rate_hz, self.asked.sample_rate_hz);
        let kept = self.edges.kept_at(from_hz, to_hz);
        let mut ceiling = Ceiling::new((limit - self.dither_peak()) * BELOW, kept.end - kept.start);
        let gain = gain_from_db(solution.gain_db);
        let (mut corrections, mut trim) = (0, 1.0);
        loop {
            let pass = self.pass(Some((gain, ceiling.clone())), trim, limit)?;
            let highest = pass.window_peaks.iter().copied().fold(0.0, f64::max);
            if highest <= limit {
                let report = self.loudness_report(solution, &pass, corrections, trim);
                return Ok((pass, Some(report)));
            }
            if corrections < MAX_ROUNDS {
                corrections += 1;
                for (window, peak) in pass.window_peaks.iter().enumerate().filter(|(_, peak)| **peak > limit) {
                    ceiling.lower(window, limit / peak * BELOW);
                }
            } else {
                trim *= (limit - self.dither_peak()) / highest * BELOW;
            }
        }
    }

    /// The most that rounding and dither can add to a true peak, linear: 1.5 LSB a sample (±1 of TPDF, half a step of
    /// rounding), doubled for what interpolation can make of it. That is six deviations of its noise, and so much is kept
    /// for noise that has a shape.
    fn dither_peak(&self) -> f64 {
        let deviation = self.dither.shape().map_or(1.0, |shape| shape.power().sqrt());
        bits(self.asked.depth).map_or(0.0, |bits| 2.0 * 1.5 * deviation / f64::from(1u32 << (bits - 1)))
    }

    /// Makes the file once, and tells apart the windows whose true peak passes `limit`: then only these are known, and the file is
    /// not whole.
    fn pass(&self, mastering: Option<(f64, Ceiling)>, trim: f64, limit: f64) -> Result<Pass, ExecuteError> {
        let mut chain = self.chain(mastering, trim)?;
        let channels = chain.channels();
        let mut sink = self.sink(channels, chain.frames())?;
        let mut delivered = Delivered::new(self.asked, self.dither, self.session.seed, channels, limit);
        let legs = delivered.legs(|block| {
            match &mut sink {
                Sink::File(file) => file.write(Delivered::samples(self.asked.depth, block)),
                Sink::Spool(spool) => spool.write(&block.audio),
            }
            .map_err(|source| self.io("cannot write", source))
        });
        self.run(&mut chain, legs)?;
        let is_over = delivered.is_over();
        let pass = delivered.finish(chain.lowest_gain());
        if is_over {
            return Ok(pass);
        }
        match sink {
            Sink::File(file) => file.finish(Some(&pass.measurement)),
            Sink::Spool(spool) => spool.finish().map(drop),
        }
        .map_err(|source| self.io("cannot write", source))?;
        Ok(pass)
    }

    /// The greatest magnitude of a sample before it is clipped.
    fn highest_sample(&self) -> Result<f64, ExecuteError> {
        let mut chain = self.chain(None, 1.0)?;
        let mut highest = 0.0f32;
        let leg = listening(
            |audio: &Buffer| {
                highest = audio.iter().flatten().fold(highest, |highest, sample| highest.max(sample.abs()))
            },
            |block: &Block| &block.audio,
        );
        self.run(&mut chain, vec![leg])?;
        Ok(f64::from(highest))
    }

    fn chain(&self, mastering: Option<(f64, Ceiling)>, trim: f64) -> Result<Chain, ExecuteError> {
        let spec = ChainSpec {
            source: self.source,
            length_frames: self.session.length_frames,
            edges: self.edges.clone(),
            sample_rate_hz: self.asked.sample_rate_hz,
            mastering,
            trim,
        };
        Chain::open(spec).map_err(|source| self.io("cannot read the source of", source))
    }

    fn run<'a>(&'a self, chain: &'a mut Chain, legs: Vec<Leg<'a, Block, ExecuteError>>) -> Result<(), ExecuteError> {
        chain.run(self.threads, self.monitor, legs, |fault| match fault {
            Fault::Unreadable(source) => self.io("cannot read the source of", source),
            Fault::NotANumber(place) => {
                let content = self.session.content_name(self.asked.content);
                let file = &self.asked.file_name;
                ExecuteError::BadSession(format!("\"{file}\" cannot be written: in {content}, {place}"))
            }
        })
    }

    fn sink(&self, channels: usize, frames: u64) -> Result<Sink, ExecuteError> {
        let failed = |source| self.io("cannot write", source);
        if self.asked.lossy.is_some() {
            let spool = PcmWriter::create(&self.spool(), channels, self.asked.sample_rate_hz, frames);
            return spool.map(Sink::Spool).map_err(failed);
        }
        let spec = FileSpec {
            format: self.asked.format,
            depth: self.asked.depth,
            sample_rate_hz: self.asked.sample_rate_hz,
            channels,
            frames,
            metadata: self.session.metadata.clone(),
            cover: self.cover.clone(),
            replay_gain: self.asked.replay_gain,
            broadcast: (self.asked.format == Format::Bwf).then(|| self.broadcast(channels)),
        };
        FileWriter::create(&self.path, &spec).map(|file| Sink::File(Box::new(file))).map_err(failed)
    }

    fn broadcast(&self, channels: usize) -> BroadcastSpec {
        let (from_hz, to_hz) = (self.session.sample_rate_hz, self.asked.sample_rate_hz);
        let starts_at = self.session.time_reference_frames + self.edges.kept.start;
        BroadcastSpec {
            said: self.session.broadcast.clone(),
            time_reference_frames: Resampler::output_frames(from_hz, to_hz, starts_at),
            coding_history: coding_history(from_hz, to_hz, self.asked.depth, channels, self.dither.as_str()),
        }
    }

    fn loudness_report(&self, solution: &Solution, pass: &Pass, corrections: u32, trim: f64) -> LoudnessReport {
        let max_limiting_db = self.session.loudness.as_ref().map_or(0.0, |loudness| loudness.max_limiting_db);
        LoudnessReport {
            target_lufs: solution.target_lufs,
            reached_lufs: solution.reached_lufs,
            ceiling_dbtp: solution.ceiling_dbtp,
            gain_db: solution.gain_db,
            max_gain_reduction_db: 0.0 - db_from_gain(pass.lowest_gain),
            corrections,
            trim_db: db_from_gain(trim),
            limited_by: solution.limited_by,
            note: LoudnessReport::note(solution, max_limiting_db),
        }
    }

    fn report(&self, pass: Pass, loudness: Option<LoudnessReport>, lossy: Option<LossyReport>) -> Report {
        let nominal_bits = lossy.is_none().then(|| bits(self.asked.depth).unwrap_or(32));
        let facts = FileFacts { lossy: lossy.is_some(), bits: nominal_bits };
        Report {
            file: self.asked.file_name.clone(),
            content: self.session.content_name(self.asked.content),
            format: self.asked.format,
            depth: Some(self.asked.depth).filter(|_| lossy.is_none()),
            sample_rate_hz: self.asked.sample_rate_hz,
            dither: if self.asked.depth == Depth::Float32 { Dither::None } else { self.dither },
            verdicts: Verdict::all(&facts, &pass.measurement, &pass.quality),
            measurement: pass.measurement,
            loudness,
            lossy,
            edges: self.edges_report(),
            quality: Some(pass.quality),
        }
    }

    /// What was cut off and taken out; `None` where nothing of the kind was asked.
    fn edges_report(&self) -> Option<EdgesReport> {
        let Deliverable { trim, fade_in, fade_out, remove_dc, .. } = self.asked;
        let asked = trim.is_some() || fade_in.is_some() || fade_out.is_some() || *remove_dc;
        let ms = |frames: u64| frames as f64 * 1000.0 / f64::from(self.session.sample_rate_hz);
        asked.then(|| EdgesReport {
            trimmed_head_ms: ms(self.edges.kept.start),
            trimmed_tail_ms: ms(self.session.length_frames - self.edges.kept.end),
            fade_in_ms: ms(fade_in.map_or(0, |(frames, _)| frames)),
            fade_out_ms: ms(fade_out.map_or(0, |(frames, _)| frames)),
            dc_removed_dbfs: self.edges.dc.iter().map(|dc| (*dc != 0.0).then(|| db_from_gain(*dc))).collect(),
        })
    }

    pub(super) fn io(&self, what: &str, source: io::Error) -> ExecuteError {
        ExecuteError::Io { what: format!("{what} \"{}\" ({})", self.asked.file_name, self.path.display()), source }
    }
}
