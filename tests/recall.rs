//! Recalls: only what changed is rendered again, as the database's rows say.

mod support;

use serde_json::{Value, json};
use support::command::render;
use support::farm::Farm;
use support::fixture::Fixture;
use support::{assert_same_files, files};

/// The names of the tasks that a job rendered.
fn rendered(job: &Value) -> Vec<String> {
    let tasks = job["tasks"].as_array().expect("a job has tasks").iter();
    tasks
        .filter(|task| task["cached"] == false)
        .map(|task| task["display_name"].as_str().expect("a task has a name").to_owned())
        .collect()
}

async fn attempts(farm: &Farm) -> i64 {
    farm.count("select count(*) from attempt").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_identical_submit_renders_nothing() {
    let fixture = Fixture::new(2.0);
    let session = fixture.write();
    let farm = Farm::start(1).await;
    let out = tempfile::tempdir().unwrap();
    farm.submit(&session, &out.path().join("first"), &[]);
    let before = attempts(&farm).await;
    assert!(before > 0);
    let second = farm.submit(&session, &out.path().join("second"), &[]);
    assert_eq!(attempts(&farm).await, before, "no attempt was made");
    assert_eq!(rendered(&second), Vec::<String>::new());
    assert!(!second["tasks"].as_array().unwrap().is_empty(), "every task is shown, cached");
    assert_same_files(&files(&out.path().join("second")), &files(&out.path().join("first")), "second submit");

    // Whoever edits a delivered master in place edits nothing that the farm relies on.
    let job = second["job"]["job_id"].as_str().unwrap();
    farm.store().write(&format!("projects/default/jobs/{job}/main.wav"), b"retouched".to_vec()).await;
    farm.submit(&session, &out.path().join("third"), &[]);
    assert_same_files(&files(&out.path().join("third")), &files(&out.path().join("first")), "third submit");
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_render_exactly_what_contains_them_and_sound_like_a_fresh_render() {
    let mut fixture = Fixture::new(2.0);
    let farm = Farm::start(1).await;
    let out = tempfile::tempdir().unwrap();
    let keep = ["--granularity", "spread", "--keep-stems", "always"];
    let first = farm.submit(&fixture.write(), &out.path().join("first"), &keep);
    assert_eq!(rendered(&first).iter().filter(|name| name.starts_with("stem")).count(), 4);

    let recall = |name: &str, fixture: &Fixture| {
        let session = fixture.write();
        let job = farm.submit(&session, &out.path().join(name), &keep);
        let fresh = out.path().join(format!("{name}-fresh"));
        render(&session, &fresh, &[]);
        assert_same_files(&files(&out.path().join(name)), &files(&fresh), name);
        rendered(&job)
    };

    fixture.document["tracks"][3]["inserts"][0]["eq"]["bands"][2]["gain_db"] = json!(1.0);
    let edited = recall("one track", &fixture);
    assert_eq!(edited.iter().filter(|name| name.starts_with("stem")).collect::<Vec<_>>(), ["stem \"Vox\""]);
    assert!(!edited.contains(&"mix \"instrumental\"".to_owned()), "{edited:?}");
    assert!(edited.contains(&"mix \"main\"".to_owned()) && edited.contains(&"master \"Vox.wav\"".to_owned()));

    fixture.document["tracks"][1]["fader_db"] = json!(-4.0);
    let faded = recall("a fader", &fixture);
    assert!(faded.iter().all(|name| !name.starts_with("stem")), "{faded:?}");
    assert!(!faded.contains(&"mix \"a cappella\"".to_owned()), "{faded:?}");

    fixture.document["mixes"].as_array_mut().unwrap().push(json!({ "name": "no bass", "mute": ["Bass"] }));
    let file = json!({ "name": "no bass", "mix": "no bass", "format": "wav", "depth": "24" });
    fixture.document["deliverables"].as_array_mut().unwrap().push(file);
    let added = recall("one more mix", &fixture);
    assert_eq!(added, ["mix \"no bass\"", "master \"no bass.wav\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fused_first_run_keeps_stems_for_the_recall() {
    let mut fixture = Fixture::new(2.0);
    let farm = Farm::start(1).await;
    let out = tempfile::tempdir().unwrap();
    farm.submit(&fixture.write(), &out.path().join("first"), &["--granularity", "fused", "--keep-stems", "always"]);
    fixture.document["tracks"][2]["pan"] = json!(0.5);
    let job = farm.submit(&fixture.write(), &out.path().join("second"), &["--granularity", "spread"]);
    assert!(rendered(&job).iter().all(|name| !name.starts_with("stem")), "{:?}", rendered(&job));
}

/// The fixture with a voice that was handed in as an MP3, which two tracks play.
fn with_lossy_voice() -> Fixture {
    let mut fixture = Fixture::new(2.0);
    fixture.encode(3, "vox.mp3", &["-c:a", "libmp3lame", "-b:a", "192k"]);
    let mut double = fixture.document["tracks"][3].clone();
    double["name"] = json!("Double");
    double["clips"][0]["at"] = json!("30ms");
    fixture.document["tracks"].as_array_mut().expect("the fixture has tracks").push(double);
    fixture
}

/// Decodes that were planned to be done, and attempts at any.
async fn decodes(farm: &Farm) -> (i64, i64) {
    let tasks = "select count(*) from task where display_name like 'decode%' and not cached";
    let attempts =
        "select count(*) from attempt join task using (project_id, task_id) where display_name like 'decode%'";
    (farm.count(tasks).await, farm.count(attempts).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lossy_file_is_decoded_once_for_all_jobs_of_a_project() {
    let mut fixture = with_lossy_voice();
    let farm = Farm::start(1).await;
    let out = tempfile::tempdir().unwrap();
    let spread = ["--granularity", "spread"];
    let first = farm.submit(&fixture.write(), &out.path().join("first"), &spread);
    let decoded = "decode \"vox.mp3\"".to_owned();
    assert!(rendered(&first).contains(&decoded), "{:?}", rendered(&first));
    assert_eq!(decodes(&farm).await, (1, 1));

    // Both stems that play it are new, and so is the session.
    fixture.document["tracks"][3]["inserts"][0]["eq"]["bands"][2]["gain_db"] = json!(1.0);
    fixture.document["tracks"][4]["clips"][0]["at"] = json!("35ms");
    let session = fixture.write();
    let second = farm.submit(&session, &out.path().join("second"), &spread);
    let names = rendered(&second);
    assert!(names.contains(&"stem \"Vox\"".to_owned()) && names.contains(&"stem \"Double\"".to_owned()), "{names:?}");
    assert!(!names.contains(&decoded), "{names:?}");
    assert_eq!(decodes(&farm).await, (1, 1));
    render(&session, &out.path().join("fresh"), &[]);
    assert_same_files(&files(&out.path().join("second")), &files(&out.path().join("fresh")), "from the artifact");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_submitted_at_once_share_one_decode() {
    let mut fixture = with_lossy_voice();
    let mut farm = Farm::start(0).await;
    let out = tempfile::tempdir().unwrap();
    let spread = ["--granularity", "spread"];
    let mut sessions = Vec::new();
    for gain_db in [0.5, 1.0, 1.5] {
        fixture.document["tracks"][3]["inserts"][0]["eq"]["bands"][2]["gain_db"] = json!(gain_db);
        let path = fixture.folder().join(format!("{gain_db}.json"));
        std::fs::rename(fixture.write(), &path).unwrap();
        sessions.push(path);
    }
    let jobs: Vec<String> = std::thread::scope(|scope| {
        let queued: Vec<_> = sessions.iter().map(|session| scope.spawn(|| farm.queue(session, &spread))).collect();
        queued.into_iter().map(|job| job.join().expect("it is queued")).collect()
    });
    let waiting = "select count(distinct job_task.job_id) from job_task join task using (project_id, task_id) \
                   where display_name like 'decode%' and state = 'ready'";
    assert_eq!((decodes(&farm).await, farm.count(waiting).await), ((1, 0), 3), "three jobs wait for one task");
    farm.start_worker(&[]);
    farm.start_worker(&[]);
    for (job, session) in jobs.iter().zip(&sessions) {
        let (farmed, fresh) = (out.path().join(job), out.path().join(format!("{job}-fresh")));
        farm.finish(job, &farmed).await;
        render(session, &fresh, &[]);
        assert_same_files(&files(&farmed), &files(&fresh), job);
    }
    assert_eq!(decodes(&farm).await, (1, 1));
    let keys = "select count(distinct artifact_key) from task_output join task using (project_id, task_id) \
                where display_name like 'decode%'";
    assert_eq!(farm.count(keys).await, 1);
}
