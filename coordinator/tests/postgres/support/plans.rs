use std::collections::{BTreeMap, BTreeSet};

use mixdown_coordinator::queue::request::Request;
use mixdown_coordinator::queue::submit::{Requirements, Submission};
use mixdown_coordinator::state::Priority;
use mixdown_dsp::digest::Digest;
use mixdown_dsp::plan::{Key, Plan, PlannedTask, TaskKind, TaskSpec};
use uuid::Uuid;

/// The key of the artifact with this name.
pub fn key(name: &str) -> Key {
    Key(Digest::of(name.as_bytes()))
}

/// A task that makes the artifact of its name out of others, after those tasks.
pub fn planned(name: &str, needs: &[&str], after: &[usize]) -> PlannedTask {
    PlannedTask {
        spec: TaskSpec { render_stems: vec![0], ..TaskSpec::default() },
        display_name: name.to_owned(),
        makes: vec![key(name)],
        needs: needs.iter().map(|name| key(name)).collect(),
        after: after.to_vec(),
        cost: 100,
        memory_bytes: 1000,
        revisions: BTreeMap::from([("gain".to_owned(), 1)]),
    }
}

/// Two stems, then the master of their mix.
pub fn two_stems_one_mix() -> Plan {
    Plan {
        tasks: vec![planned("vox", &[], &[]), planned("bass", &[], &[]), planned("master", &["bass", "vox"], &[0, 1])],
        cached: Vec::new(),
    }
}

/// So many tasks that wait for nothing, named after the job so that no other makes the same.
pub fn independent(job: &Submission, tasks: usize) -> Plan {
    let name = |number| format!("{} {number}", job.job_id);
    Plan { tasks: (0..tasks).map(|number| planned(&name(number), &[], &[])).collect(), cached: Vec::new() }
}

/// A job that delivers `master`, with a request id and a session of its own.
pub fn submission(project_id: &str) -> Submission {
    let request_id = Uuid::new_v4();
    let document = format!("{{\"session\":\"{request_id}\"}}");
    let kinds = [("vox", TaskKind::Stem), ("bass", TaskKind::Stem), ("master", TaskKind::Master)];
    Submission {
        project_id: project_id.to_owned(),
        request: Request::new(request_id, "SubmitJob", &[document.as_bytes()]),
        job_id: Uuid::now_v7(),
        session_digest: Digest::of(document.as_bytes()).to_string(),
        document,
        display_name: "A song".into(),
        priority: Priority::Normal,
        deliver_to: "album".into(),
        replace: false,
        revisions: BTreeMap::from([("gain".to_owned(), 1)]),
        assets: BTreeSet::new(),
        artifacts: kinds.iter().map(|(name, kind)| (key(name), *kind)).collect(),
        deliverables: vec![("Main.wav".into(), key("master"))],
        requirements: Requirements::default(),
    }
}
