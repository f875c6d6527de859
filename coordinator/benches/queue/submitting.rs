//! Submitting a session of 100 tracks whose files are there.

use mixdown_dsp::digest::Digest;
use mixdown_proto::v1::{FindMissingRequest, SubmitJobRequest};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use crate::coordinator::Coordinator;

const TRACKS: usize = 100;
const TIMES: usize = 15;

/// The median in milliseconds of what a client waits for beyond its uploads, over gRPC, each time with other audio: asking
/// which files are missing, and submitting.
pub async fn milliseconds(pool: &PgPool, coordinator: &Coordinator) -> f64 {
    let (mut jobs, mut blobs) = (coordinator.jobs(), coordinator.blobs());
    let mut times = Vec::new();
    for number in 0..TIMES {
        let session = session(number);
        for asset in session["assets"].as_object().unwrap().values() {
            sqlx::query(
                "insert into blob (project_id, digest, size_bytes, uploaded) values ('default', $1, 1000, true)",
            )
            .bind(asset["digest"].as_str())
            .execute(pool)
            .await
            .unwrap();
        }
        let request = SubmitJobRequest {
            request_id: Uuid::new_v4().to_string(),
            session_json: session.to_string(),
            ..SubmitJobRequest::default()
        };
        let digests = session["assets"].as_object().unwrap().values().map(|asset| asset["digest"].as_str().unwrap());
        let asking = FindMissingRequest { digests: digests.map(str::to_owned).collect() };
        let begun = Instant::now();
        assert!(blobs.find_missing(asking).await.unwrap().into_inner().missing_digests.is_empty());
        jobs.submit_job(request).await.unwrap();
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    times[TIMES / 2]
}

fn session(number: usize) -> Value {
    let track = |track| {
        json!({
            "name": format!("Track {track}"),
            "clips": [{ "file": format!("{track}.wav") }],
            "inserts": [
                { "eq": { "bands": [{ "kind": "bell", "frequency_hz": 200.0, "q": 1.0, "gain_db": 2.0 }] } },
                { "compressor": { "threshold_db": -18.0, "ratio": 3.0, "attack_ms": 10.0, "release_ms": 120.0 } },
            ],
        })
    };
    let asset = |track| {
        let digest = Digest::of(format!("{number} {track}").as_bytes()).to_string();
        let facts = json!({
            "digest": digest, "size_bytes": 1000, "frames": 48000 * 200, "sample_rate_hz": 48000, "channels": 2,
            "lossy": false,
        });
        (format!("{track}.wav"), facts)
    };
    json!({
        "version": 1,
        "sample_rate_hz": 48000,
        "tracks": (0..TRACKS).map(track).collect::<Vec<_>>(),
        "deliverables": [{ "name": "Main", "mix": "main", "format": "wav", "depth": "24" }],
        "assets": (0..TRACKS).map(asset).collect::<serde_json::Map<_, _>>(),
    })
}
