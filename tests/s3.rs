//! The farm on S3 servers.

mod support;

use support::command::render;
use support::farm::Farm;
use support::fixture::Fixture;
use support::s3_server::{Kind, S3Server};
use support::{assert_same_files, files};

async fn gives_the_bytes_of_render_and_renders_nothing_twice(kind: Kind) {
    let s3 = S3Server::start(kind);
    let fixture = Fixture::new(3.0);
    let session = fixture.write();
    let out = tempfile::tempdir().expect("a temporary folder");
    render(&session, &out.path().join("render"), &[]);
    let farm = Farm::start_on(s3.store("farm"), 2).await;
    farm.submit(&session, &out.path().join("first"), &["--granularity", "spread", "--keep-stems", "always"]);
    let attempts = farm.count("select count(*) from attempt").await;
    farm.submit(&session, &out.path().join("second"), &["--deliver-to", "album/one"]);
    assert_eq!(farm.count("select count(*) from attempt").await, attempts, "the second job made no attempt");
    for folder in ["first", "second"] {
        assert_same_files(&files(&out.path().join(folder)), &files(&out.path().join("render")), folder);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farm_on_moto_gives_the_bytes_of_render_and_renders_nothing_twice() {
    gives_the_bytes_of_render_and_renders_nothing_twice(Kind::Moto).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farm_on_ceph_gives_the_bytes_of_render_and_renders_nothing_twice() {
    gives_the_bytes_of_render_and_renders_nothing_twice(Kind::Ceph).await;
}
