//! The impulse responses of a session's convolutions, loaded before a render.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::clips::expected;
use super::error::Error;
use super::render::Request;
use crate::buffer::Buffer;
use crate::kernels::resampler::Resampler;
use crate::media::AssetReader;
use crate::nodes::{Convolution, Processor};
use crate::session::ValidSession;
use crate::session::valid::{Asset, AssetIndex, Insert};

/// The session of a request with the responses loaded of all convolutions that the request runs. Convolutions with the same
/// file and shape share theirs.
///
/// # Errors
/// A file that cannot be read.
pub fn with_responses<'a>(request: &Request<'a>) -> Result<Cow<'a, ValidSession>, Error> {
    let session = request.session;
    let stems = request.render_stems.keys().flat_map(|track| &session.tracks[*track].inserts);
    let mixes = request.mixes.iter().flat_map(|(wiring, _)| wiring.inserts(session));
    let wanted: BTreeSet<AssetIndex> = stems.chain(mixes).filter_map(|insert| insert.asset).collect();
    if wanted.is_empty() {
        return Ok(Cow::Borrowed(session));
    }
    let rate = session.sample_rate_hz;
    let mut with = session.clone();
    for index in wanted {
        let asset = &session.assets[index];
        let audio = load(asset, &request.asset_paths[index], rate)?;
        let gain = f64::from(asset.facts.sample_rate_hz) / f64::from(rate);
        let mut loaded: Vec<Convolution> = Vec::new();
        for insert in inserts_mut(&mut with).filter(|insert| insert.asset == Some(index)) {
            let Processor::Convolution(convolution) = &mut insert.processor else { continue };
            *convolution = match loaded.iter().find(|other| other.sounds_like(convolution)) {
                Some(other) => convolution.clone().loaded_like(other),
                None => {
                    let new = convolution.clone().loaded(audio.clone(), gain);
                    loaded.push(new.clone());
                    new
                }
            };
        }
    }
    Ok(Cow::Owned(with))
}

/// The processor of one insert of a session, ready to be built; `asset_path` finds the file of an asset.
///
/// # Errors
/// A file that cannot be read.
pub fn loaded_processor(
    session: &ValidSession,
    insert: &Insert,
    asset_path: impl Fn(&Asset) -> PathBuf,
) -> Result<Processor, Error> {
    match (&insert.processor, insert.asset) {
        (Processor::Convolution(convolution), Some(index)) => {
            let (asset, rate) = (&session.assets[index], session.sample_rate_hz);
            let audio = load(asset, &asset_path(asset), rate)?;
            let gain = f64::from(asset.facts.sample_rate_hz) / f64::from(rate);
            Ok(Processor::Convolution(convolution.clone().loaded(audio, gain)))
        }
        (processor, _) => Ok(processor.clone()),
    }
}

fn inserts_mut(session: &mut ValidSession) -> impl Iterator<Item = &mut Insert> {
    let tracks = session.tracks.iter_mut().flat_map(|track| &mut track.inserts);
    let buses = session.buses.iter_mut().flat_map(|bus| &mut bus.inserts);
    tracks.chain(buses).chain(&mut session.master.inserts)
}

/// The whole of an asset at the session's rate; validation has limited its length.
fn load(asset: &Asset, path: &Path, sample_rate_hz: u32) -> Result<Buffer, Error> {
    let facts = expected(asset);
    let frames = Resampler::output_frames(facts.sample_rate_hz, sample_rate_hz, facts.frames);
    let mut audio = Buffer::new(facts.channels as usize, frames.max(1) as usize);
    let media = |error| Error::media(&asset.name, error);
    let mut reader = AssetReader::open(path, &facts, sample_rate_hz, 0).map_err(media)?;
    reader.read(&mut audio).map_err(media)?;
    Ok(audio)
}
