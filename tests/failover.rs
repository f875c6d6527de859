//! The machine of PostgreSQL is lost for good in the middle of a job. Its standby is promoted, and the address that the
//! coordinator knows leads there from now on: the job ends with the same bytes, and nothing that was answered is lost.

mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mixdown_coordinator::private_postgres::{Options, PrivatePostgres};
use nix::sys::signal::{Signal, kill};
use sqlx::{Connection as _, PgConnection};
use support::command::render;
use support::farm::Farm;
use support::fixture::Fixture;
use support::postgres::{cluster, process, socket, socket_folder};
use support::{assert_same_files, files};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// An address that leads to one PostgreSQL or another, as a virtual address or a proxy does.
struct Relay {
    address: SocketAddr,
    leads_to: Arc<Mutex<PathBuf>>,
}

impl Relay {
    async fn to(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let leads_to = Arc::new(Mutex::new(socket));
        let target = Arc::clone(&leads_to);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let socket = target.lock().expect("no holder panics").clone();
                tokio::spawn(async move { carry(&mut client, &socket).await });
            }
        });
        Self { address, leads_to }
    }

    fn lead_to(&self, socket: PathBuf) {
        *self.leads_to.lock().expect("no holder panics") = socket;
    }
}

/// Until either side ends; whoever finds nobody is cut off.
async fn carry(client: &mut TcpStream, socket: &Path) {
    if let Ok(mut server) = UnixStream::connect(socket).await {
        let _ = tokio::io::copy_bidirectional(client, &mut server).await;
    }
}

/// A PostgreSQL and a standby that has everything before a commit is answered.
async fn replicated(folder: &Path) -> (PrivatePostgres, PrivatePostgres) {
    let options = |name: &str| Options::new(folder.join(name));
    let start = async |name: &str| PrivatePostgres::start(&options(name)).await.expect("PostgreSQL starts");
    let mut clusters = Vec::new();
    for name in ["primary", "standby"] {
        let postgres = start(name).await;
        clusters.push(cluster(&folder.join(name)));
        postgres.stop().await.expect("PostgreSQL stops");
    }
    let [first, second] = [&clusters[0], &clusters[1]];
    std::fs::remove_dir_all(second).expect("the cluster is removed");
    assert!(Command::new("cp").arg("-a").args([first, second]).status().expect("cp starts").success());
    let primary = start("primary").await;
    let settings = second.join("postgresql.auto.conf");
    let upstream = format!("primary_conninfo = 'host={} port=5432 user=mixdown'\n", socket_folder(&primary).display());
    let known = std::fs::read_to_string(&settings).expect("a cluster has settings");
    std::fs::write(&settings, known + &upstream).expect("the settings are written");
    std::fs::write(second.join("standby.signal"), "").expect("the mark is made");
    let standby = start("standby").await;

    let mut connection = PgConnection::connect(primary.url()).await.expect("PostgreSQL answers");
    for setting in ["alter system set synchronous_standby_names = '*'", "select pg_reload_conf()"] {
        sqlx::query(setting).execute(&mut connection).await.expect("it is set");
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let follows = "select exists (select from pg_stat_replication where sync_state = 'sync')";
    while !sqlx::query_scalar::<_, bool>(follows).fetch_one(&mut connection).await.expect("PostgreSQL answers") {
        assert!(Instant::now() < deadline, "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (primary, standby)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_is_lost_for_good_costs_only_the_time_until_its_standby_takes_over() {
    let fixture = Fixture::new(3.0);
    let session = fixture.write();
    let out = tempfile::tempdir().unwrap();
    render(&session, &out.path().join("fresh"), &[]);
    let databases = tempfile::tempdir().unwrap();
    let (primary, standby) = replicated(databases.path()).await;
    let relay = Relay::to(socket(&primary)).await;
    let mut farm = Farm::start_on_database(&format!("postgres://mixdown@{}/mixdown", relay.address)).await;
    farm.start_worker(&["--block-frames", "4"]);
    let job = farm.queue(&session, &["--granularity", "spread"]);
    farm.wait_until_a_task_runs(&job);
    kill(process(&databases.path().join("primary")), Signal::SIGKILL).unwrap();
    drop(primary);
    let mut connection = PgConnection::connect(standby.url()).await.unwrap();
    let promoted: bool = sqlx::query_scalar("select pg_promote()").fetch_one(&mut connection).await.unwrap();
    assert!(promoted);
    relay.lead_to(socket(&standby));
    farm.start_worker(&[]);
    farm.finish(&job, &out.path().join("farm")).await;
    assert_same_files(&files(&out.path().join("farm")), &files(&out.path().join("fresh")), "after the fail-over");
    farm.audit().await;
}
