use mixdown_coordinator::server::{Config, Error, Tls, serve};
use mixdown_coordinator::tokens::{self, CreateError, Role};
use mixdown_dsp::digest::Digest;
use mixdown_proto::v1::job_service_client::JobServiceClient;
use mixdown_proto::v1::{
    DownloadRequest, FindMissingRequest, GetJobRequest, ListJobsRequest, ListWorkersRequest, RegisterRequest,
};
use tokio::net::TcpListener;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use uuid::Uuid;

use crate::support::running::{Coordinator, bearing, certificate, upload};
use crate::support::{Farm, submission, two_stems_one_mix};

fn registration() -> RegisterRequest {
    RegisterRequest {
        worker_id: Uuid::new_v4().to_string(),
        slots: 1,
        request_id: Uuid::new_v4().to_string(),
        ..RegisterRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_its_own_and_nothing_else() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let (_, client) = tokens::create(&farm.pool, Role::Client, Some("studio"), "a studio").await.unwrap();
    let (_, worker) = tokens::create(&farm.pool, Role::Worker, None, "a rack").await.unwrap();
    let (_, admin) = tokens::create(&farm.pool, Role::Admin, Some("default"), "us").await.unwrap();
    let (mut jobs, mut workers) = (coordinator.jobs().await, coordinator.workers().await);
    // (token, may list jobs, may register, may list workers)
    let rights = [(&client, true, false, false), (&worker, false, true, false), (&admin, true, true, true)];
    for (token, lists_jobs, registers, lists_workers) in rights {
        let allowed = |result: Result<(), tonic::Status>| match result {
            Ok(()) => true,
            Err(status) => {
                assert_eq!(status.code(), Code::PermissionDenied);
                false
            }
        };
        let listed = jobs.list_jobs(bearing(token, ListJobsRequest::default())).await.map(drop);
        assert_eq!(allowed(listed), lists_jobs);
        let registered = workers.register(bearing(token, registration())).await.map(drop);
        assert_eq!(allowed(registered), registers);
        let listed = workers.list_workers(bearing(token, ListWorkersRequest::default())).await.map(drop);
        assert_eq!(allowed(listed), lists_workers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_revoked_token_is_no_token_even_on_this_machine() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let mut jobs = coordinator.jobs().await;
    let (token_id, token) = tokens::create(&farm.pool, Role::Client, Some("studio"), "a studio").await.unwrap();
    jobs.list_jobs(bearing(&token, ListJobsRequest::default())).await.unwrap();
    assert!(tokens::revoke(&farm.pool, token_id).await.unwrap());
    assert!(!tokens::revoke(&farm.pool, token_id).await.unwrap());
    for token in [token.as_str(), "mxd_00", ""] {
        let refused = jobs.list_jobs(bearing(token, ListJobsRequest::default())).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    // Without any, on this machine, one is an admin.
    jobs.list_jobs(ListJobsRequest::default()).await.unwrap();
}

#[tokio::test]
async fn the_database_holds_no_token() {
    let farm = Farm::new().await;
    let (_, token) = tokens::create(&farm.pool, Role::Client, Some("studio"), "a studio").await.unwrap();
    assert!(token.starts_with("mxd_") && token.len() == 4 + 64);
    let hash: Vec<u8> = sqlx::query_scalar("select token_hash from token").fetch_one(&farm.pool).await.unwrap();
    assert_eq!(hash, blake3::hash(token.as_bytes()).as_bytes());
    let listed = tokens::list(&farm.pool).await.unwrap();
    assert_eq!((listed[0].name.as_str(), listed[0].revoked), ("a studio", false));
    let bad = tokens::create(&farm.pool, Role::Worker, Some("studio"), "x").await.unwrap_err();
    assert!(matches!(bad, CreateError::Project));
    let bad = tokens::create(&farm.pool, Role::Client, Some("../x"), "x").await.unwrap_err();
    assert!(matches!(bad, CreateError::ProjectId(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_sees_neither_anothers_jobs_nor_its_blobs() {
    let farm = Farm::new().await;
    let coordinator = farm.start().await;
    let (_, mine) = tokens::create(&farm.pool, Role::Client, Some("mine"), "me").await.unwrap();
    let (_, theirs) = tokens::create(&farm.pool, Role::Client, Some("theirs"), "they").await.unwrap();
    let job_id = farm.submit(&submission("mine"), two_stems_one_mix()).await.to_string();
    let mut jobs = coordinator.jobs().await;
    let get = GetJobRequest { job_id };
    jobs.get_job(bearing(&mine, get.clone())).await.unwrap();
    assert_eq!(jobs.get_job(bearing(&theirs, get)).await.unwrap_err().code(), Code::NotFound);
    assert!(jobs.list_jobs(bearing(&theirs, ListJobsRequest::default())).await.unwrap().into_inner().jobs.is_empty());

    let digest = Digest::of(b"a kick").to_string();
    let mut blobs = coordinator.blobs().await;
    blobs.upload(bearing(&mine, futures::stream::iter(upload(b"a kick", &digest, 0, 100)))).await.unwrap();
    let find = FindMissingRequest { digests: vec![digest.clone()] };
    assert!(blobs.find_missing(bearing(&mine, find.clone())).await.unwrap().into_inner().missing_digests.is_empty());
    assert_eq!(blobs.find_missing(bearing(&theirs, find)).await.unwrap().into_inner().missing_digests.len(), 1);
    let get = DownloadRequest { digest, offset_bytes: 0 };
    assert_eq!(blobs.download(bearing(&theirs, get)).await.unwrap_err().code(), Code::NotFound);
}

async fn refusal(config: Config) -> Option<&'static str> {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    match serve(config, listener, async {}).await {
        Ok(()) => None,
        Err(Error::Unprotected { missing, .. }) => Some(missing),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listening_beyond_this_machine_needs_tls_and_a_token() {
    let farm = Farm::new().await;
    let (certificate_file, key_file, _) = certificate(farm.folder.path());
    let with_tls = Config { tls: Some(Tls { certificate_file, key_file }), ..farm.config() };
    assert_eq!(refusal(farm.config()).await, Some("TLS"));
    assert_eq!(refusal(with_tls.clone()).await, Some("a token in the database"));
    assert_eq!(refusal(Config { insecure: true, ..farm.config() }).await, None);
    tokens::create(&farm.pool, Role::Worker, None, "a rack").await.unwrap();
    assert_eq!(refusal(farm.config()).await, Some("TLS"));
    assert_eq!(refusal(with_tls).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_encrypted_with_the_certificate_given() {
    let farm = Farm::new().await;
    let (certificate_file, key_file, trusted) = certificate(farm.folder.path());
    let tls = Some(Tls { certificate_file, key_file });
    let coordinator = Coordinator::start(Config { tls, ..farm.config() }).await;
    let address = format!("https://{}", coordinator.address);
    let trusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(trusted));
    let channel = Channel::from_shared(address.clone()).unwrap().tls_config(trusting).unwrap().connect().await.unwrap();
    JobServiceClient::new(channel).list_jobs(ListJobsRequest::default()).await.unwrap();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap().cert.pem();
    let distrusting = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(other));
    Channel::from_shared(address).unwrap().tls_config(distrusting).unwrap().connect().await.unwrap_err();
}
