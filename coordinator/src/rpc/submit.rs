//! SubmitJob: from a document to a job.

use mixdown_dsp::digest::Digest;
use mixdown_dsp::plan::{self, Granularity, KeepStems, Keys};
use mixdown_dsp::session::ValidSession;
use mixdown_proto::{layout, v1};
use tonic::Status;
use uuid::Uuid;

use super::{Farm, check, status, views, workers};
use crate::planning;
use crate::queue::request::Request;
use crate::queue::submit::{Requirements, RevisionChange, Submission, Submitted, submit};

const MAX_SESSION_BYTES: usize = 16 * 1024 * 1024;
const MAX_DISPLAY_NAME: usize = 200;

/// Queues a job; gives its id and what sounds different from the last time.
pub(super) async fn submit_job(
    farm: &Farm,
    project_id: String,
    request: v1::SubmitJobRequest,
) -> Result<(Uuid, Vec<RevisionChange>), Status> {
    let request_id = check::uuid("request_id", &request.request_id)?;
    if request.session_json.len() > MAX_SESSION_BYTES {
        return Err(status::invalid_field("session_json", "it is larger than 16 MiB".into()));
    }
    if request.display_name.chars().count() > MAX_DISPLAY_NAME {
        return Err(status::invalid_field("display_name", "it is longer than 200 characters".into()));
    }
    check_deliver_to(&request.deliver_to)?;
    let requirements = requirements(request.requirements.clone().unwrap_or_default())?;
    let (granularity, keep_stems) = (granularity(request.granularity()), keep_stems(request.keep_stems()));

    // Reading and planning take milliseconds to a second: not on a thread that serves calls.
    let json = request.session_json.clone();
    let read = tokio::task::spawn_blocking(move || {
        let session = mixdown_dsp::session::from_json(&json)?;
        let keys = Keys::of(&session);
        Ok((session, keys))
    });
    let (session, keys) =
        read.await.map_err(|error| status::internal(&error))?.map_err(|faults| status::bad_session(&faults))?;
    let job_id = Uuid::now_v7();
    let call = Request::new(
        request_id,
        "SubmitJob",
        &[
            request.session_json.as_bytes(),
            &[request.priority as u8, request.granularity as u8, request.keep_stems as u8, u8::from(request.replace)],
            request.display_name.as_bytes(),
            request.deliver_to.as_bytes(),
            // Nothing when nothing is asked for, so that a call repeated across an upgrade is the same call.
            &request.requirements.iter().flat_map(prost::Message::encode_to_vec).collect::<Vec<u8>>(),
        ],
    );
    let submission = Submission {
        project_id,
        request: call,
        job_id,
        session_digest: Digest::of(request.session_json.as_bytes()).to_string(),
        display_name: display_name(&session, &request.display_name),
        priority: views::wanted_priority(request.priority()),
        deliver_to: if request.deliver_to.is_empty() { format!("jobs/{job_id}") } else { request.deliver_to },
        replace: request.replace,
        revisions: planning::revisions(&session, &keys),
        assets: session.input_files().map(|file| file.digest.to_string()).collect(),
        artifacts: planning::artifacts(&keys),
        deliverables: session
            .deliverables
            .iter()
            .zip(&keys.masters)
            .map(|(deliverable, key)| (deliverable.file_name.clone(), *key))
            .collect(),
        document: request.session_json,
        requirements,
    };
    let planned = submit(&farm.pool, &submission, |present| {
        tokio::task::block_in_place(|| plan::plan(&session, &keys, present, granularity, keep_stems))
    });
    match planned.await? {
        Submitted::Queued { job_id, revision_changes } => Ok((job_id, revision_changes)),
        Submitted::MissingAssets(digests) => Err(status::missing_assets(&digests)),
        Submitted::RequestReused => Err(status::request_reused()),
        Submitted::UnknownLimits(names) => Err(status::failed_precondition(
            "UNKNOWN_LIMIT",
            format!("no limit is named {}: an admin sets it with `mixdown limits set`", names.join(", ")),
        )),
    }
}

fn requirements(asked: v1::Requirements) -> Result<Requirements, Status> {
    if !(0..=workers::MAX_SLOTS).contains(&asked.slots) {
        let description = format!("{} is not within 0 to {}", asked.slots, workers::MAX_SLOTS);
        return Err(status::invalid_field("requirements.slots", description));
    }
    if asked.memory_bytes < 0 {
        return Err(status::invalid_field("requirements.memory_bytes", "it is negative".into()));
    }
    Ok(Requirements {
        slots: asked.slots.max(1),
        whole_worker: asked.whole_worker,
        memory_bytes: asked.memory_bytes,
        labels: check::names("requirements.labels", asked.labels)?,
        limits: check::names("requirements.limits", asked.limits)?,
    })
}

fn granularity(value: v1::Granularity) -> Granularity {
    match value {
        v1::Granularity::Unspecified | v1::Granularity::Auto => Granularity::Auto,
        v1::Granularity::Fused => Granularity::Fused,
        v1::Granularity::Spread => Granularity::Spread,
    }
}

fn keep_stems(value: v1::KeepStems) -> KeepStems {
    match value {
        v1::KeepStems::Unspecified | v1::KeepStems::Auto => KeepStems::Auto,
        v1::KeepStems::Always => KeepStems::Always,
        v1::KeepStems::Never => KeepStems::Never,
    }
}

fn display_name(session: &ValidSession, given: &str) -> String {
    let title = session.metadata.title.as_deref().unwrap_or("session");
    let name = if given.is_empty() { title } else { given };
    name.chars().filter(|character| *character != '\0').take(MAX_DISPLAY_NAME).collect()
}

/// A prefix that stays within its project and clear of what the farm itself writes.
fn check_deliver_to(prefix: &str) -> Result<(), Status> {
    const MAX_LENGTH: usize = 500;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    let good = prefix.len() <= MAX_LENGTH && prefix.bytes().all(allowed) && layout::is_safe_prefix(prefix);
    if prefix.is_empty() || good {
        return Ok(());
    }
    let description = format!(
        "`{prefix}` is no prefix: expected letters, digits, `-`, `_`, `.` and `/`, no empty, `.` or `..` segment, not \
         below `blobs` or `partial`, at most {MAX_LENGTH} characters"
    );
    Err(status::invalid_field("deliver_to", description))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_cannot_be_delivered_outside_their_project_or_over_blobs() {
        for good in ["", "albums/first", "a.b-c_d/2026"] {
            assert!(check_deliver_to(good).is_ok(), "{good}");
        }
        for bad in ["..", "a/../b", "a//b", "blobs", "blobs/aa", "a b", "/", "partial/x", "ä"] {
            assert!(check_deliver_to(bad).is_err(), "{bad}");
        }
    }
}
