//! The audit itself: of a farm that did well it tells nothing; of rows and bytes made wrong it tells what is wrong.

mod support;

use support::farm::Farm;
use support::fixture::Fixture;
use support::store::blob;

/// What is made wrong, how it is made right again, and the rule that must be told as broken.
const WRONGS: [(&str, &str, &str); 7] = [
    (
        "update project set running_limit = 0",
        "update project set running_limit = null",
        "a project ran more tasks at once than its limit",
    ),
    (
        "update named_limit set count = 0",
        "update named_limit set count = 2",
        "more tasks held a named limit at once than there are of it",
    ),
    (
        "update attempt set outcome = 'failed', failure_kind = 'internal', failure_message = 'no' where attempt = 1",
        "update attempt set outcome = 'succeeded', failure_kind = null, failure_message = null where attempt = 1",
        "a succeeded task has not exactly one accepted attempt, its newest",
    ),
    (
        "update job set last_sequence = last_sequence + 1",
        "update job set last_sequence = last_sequence - 1",
        "the events of a job have gaps",
    ),
    (
        "update attempt set start_time = start_time - interval '1 day' where attempt = 1",
        "update attempt set start_time = start_time + interval '1 day' where attempt = 1",
        "a worker ran more attempts at once than it has slots",
    ),
    (
        "update deliverable set delivered = false",
        "update deliverable set delivered = true",
        "a succeeded job lacks a task or a delivery",
    ),
    (
        "update blob set size_bytes = size_bytes + 1",
        "update blob set size_bytes = size_bytes - 1",
        "an artifact has no blob of its size",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_of_a_good_farm_tells_nothing_and_of_a_bad_one_what_is_wrong() {
    let farm = Farm::start(2).await;
    farm.execute("insert into named_limit values ('plugin-x', 2)").await;
    let out = tempfile::tempdir().unwrap();
    let cut = ["--granularity", "spread", "--keep-stems", "always", "--limit", "plugin-x"];
    farm.submit(&Fixture::new(1.0).write(), out.path(), &cut);
    assert_eq!(farm.found_wrong().await, Vec::<String>::new());
    for (wrong, right, rule) in WRONGS {
        farm.execute(wrong).await;
        let told = farm.found_wrong().await;
        assert!(told.iter().any(|told| told.starts_with(rule)), "{rule}: {told:?}");
        farm.execute(right).await;
    }
    assert_eq!(farm.found_wrong().await, Vec::<String>::new());
    let digest = farm.texts("select digest from artifact where not master limit 1").await.remove(0);
    farm.store().write(&blob(&digest), b"other bytes".to_vec()).await;
    let told = farm.found_wrong().await;
    assert!(told.len() == 1 && told[0].contains(&digest), "{told:?}");
    farm.store().write("projects/default/blobs/00/notes.txt", b"whose?".to_vec()).await;
    let told = farm.found_wrong().await;
    assert!(told.len() == 2 && told[1].contains("notes.txt"), "{told:?}");
}
