use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use mixdown_coordinator::private_postgres::{Error as PostgresError, Options, PrivatePostgres};
use mixdown_coordinator::server::{Config, Error, serve};
use mixdown_coordinator::{blobs, database};
use sqlx::Connection as _;
use tokio::net::TcpListener;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use crate::support::Farm;

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_reports_its_health_and_stops_though_somebody_watches() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let job_id = farm.submit(&crate::support::submission("default"), crate::support::two_stems_one_mix()).await;
    let mut health = HealthClient::new(coordinator.channel().await);
    for service in ["", "mixdown.v1.JobService", "mixdown.v1.WorkerService"] {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let watch = mixdown_proto::v1::WatchJobRequest { job_id: job_id.to_string(), after_sequence: 0 };
    let _watching = coordinator.jobs().await.watch_job(watch).await.unwrap();
    coordinator.stop().await;
}

#[tokio::test]
async fn what_cannot_be_used_is_named_before_anything_is_served() {
    let farm = Farm::new().await;
    let start = async |config: Config| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        serve(config, listener, std::future::pending()).await.unwrap_err()
    };
    let no_database = Config { database_url: farm.url.replace("/test_", "/gone_"), ..farm.config() };
    assert!(matches!(start(no_database).await, Error::Database(database::Error::Connect { .. })));
    let no_url = Config { database_url: "mysql".into(), ..farm.config() };
    assert!(matches!(start(no_url).await, Error::Database(database::Error::Url(_))));
    let no_store = Config { store_url: "ftp://x".into(), ..farm.config() };
    assert!(matches!(start(no_store).await, Error::Store(blobs::Error::Url { .. })));
    let short_lease = Config { lease_seconds: 5.0, heartbeat_seconds: 4.0, ..farm.config() };
    assert!(matches!(start(short_lease).await, Error::Lease { .. }));
}

#[tokio::test]
async fn a_private_postgres_keeps_its_data_and_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    // As root, another user must get there.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Longer than a socket's path may be.
    let mut options = Options::new(folder.path().join("a-long-name".repeat(9)));
    options.durable = false;
    options.programs_dir = std::env::var_os("MIXDOWN_POSTGRES_BIN").map(PathBuf::from);
    options.search_path = std::env::var_os("PATH");
    let postgres = PrivatePostgres::start(&options).await.unwrap();
    let url = postgres.url().to_owned();
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::query("create table kept (n int)").execute(&mut connection).await.unwrap();
    assert!(matches!(PrivatePostgres::start(&options).await.unwrap_err(), PostgresError::InUse { .. }));
    // An open connection does not hold it up.
    postgres.stop().await.unwrap();
    let postgres = PrivatePostgres::start(&options).await.unwrap();
    assert_eq!(postgres.url(), url);
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    let rows: i64 = sqlx::query_scalar("select count(*) from kept").fetch_one(&mut connection).await.unwrap();
    assert_eq!(rows, 0);
    let locale: String = sqlx::query_scalar("select datcollate from pg_database where datname = 'mixdown'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(locale, "C.UTF-8");
    drop(postgres);
    sqlx::PgConnection::connect(&url).await.unwrap_err();
}

#[tokio::test]
async fn a_missing_postgres_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path().join("data"));
    options.programs_dir = Some(folder.path().to_owned());
    let error = PrivatePostgres::start(&options).await.unwrap_err();
    assert!(matches!(error, PostgresError::Programs(_)));
    assert!(error.to_string().contains("--database-url"));
}

/// As root, PostgreSQL runs as another user, who cannot enter a private folder. For anybody else nothing is special.
#[tokio::test]
async fn a_private_postgres_works_in_a_folder_that_only_its_owner_may_enter() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut options = Options::new(folder.path().join("data"));
    options.durable = false;
    options.programs_dir = std::env::var_os("MIXDOWN_POSTGRES_BIN").map(PathBuf::from);
    options.search_path = std::env::var_os("PATH");
    let mut urls = Vec::new();
    for _ in 0..2 {
        let postgres = PrivatePostgres::start(&options).await.unwrap();
        sqlx::PgConnection::connect(postgres.url()).await.unwrap();
        urls.push(postgres.url().to_owned());
        postgres.stop().await.unwrap();
    }
    assert_eq!(urls[0], urls[1]);
    let home = std::fs::canonicalize(folder.path().join("data/postgres")).unwrap();
    assert!(home.join("cluster/PG_VERSION").exists());
    std::fs::remove_dir_all(home).unwrap();
}
