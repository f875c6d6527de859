//! What is rendered amid the chaos, and what it must sound like.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mixdown_dsp::digest::Digest;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::LOOK_EVERY;
use crate::farm::Farm;
use crate::support::command::{mixdown, ran, render};
use crate::support::files;
use crate::support::fixture::Fixture;

/// A production of which every job renders its own version.
pub struct Production {
    fixture: Fixture,
    /// As a client sends it: with the facts of its files.
    session: Value,
    pub upload: Upload,
}

/// What people do when the farm has lost an input file, as it holds of one that the store gave wrong.
#[derive(Debug, Clone)]
pub struct Upload {
    session: PathBuf,
    coordinator: String,
}

impl Upload {
    /// Submits the session as it was first, which uploads what is missing; asks until the farm takes it.
    pub async fn again(&self) {
        loop {
            let mut command = mixdown();
            command.arg("submit").arg(&self.session).args(["--coordinator", &self.coordinator]);
            let submitted = tokio::task::spawn_blocking(move || ran(command.output().unwrap())).await.unwrap();
            if submitted.code == 0 {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Production {
    /// Uploads the files with a first job.
    pub async fn upload(farm: &Farm, pool: &PgPool) -> Self {
        let mut fixture = Fixture::new(3.0);
        fixture.document["mixes"] = json!([{ "name": "main" }]);
        fixture.document["deliverables"] = json!([
            { "name": "main", "mix": "main", "format": "wav", "depth": "24" },
            { "name": "Vox", "print": "Vox", "format": "flac", "depth": "24" },
        ]);
        let upload = Upload { session: fixture.write(), coordinator: format!("http://{}", farm.client.address) };
        upload.again().await;
        let document: String = sqlx::query_scalar("select document from session").fetch_one(pool).await.unwrap();
        Self { fixture, session: serde_json::from_str(&document).unwrap(), upload }
    }

    fn fader_db(version: usize) -> Value {
        json!(-2.0 - 0.01 * version as f64)
    }

    /// What a client sends.
    pub fn version(&self, version: usize) -> String {
        let mut session = self.session.clone();
        session["tracks"][1]["fader_db"] = Self::fader_db(version);
        session["tracks"][3]["clips"][0]["gain_db"] = Self::fader_db(version);
        session.to_string()
    }

    /// Digest by file name of what a calm render of it gives.
    fn calm(&mut self, version: usize) -> BTreeMap<String, String> {
        self.fixture.document["tracks"][1]["fader_db"] = Self::fader_db(version);
        self.fixture.document["tracks"][3]["clips"][0]["gain_db"] = Self::fader_db(version);
        let out = tempfile::tempdir().unwrap();
        render(&self.fixture.write(), out.path(), &[]);
        files(out.path()).into_iter().map(|(name, bytes)| (name, Digest::of(&bytes).to_string())).collect()
    }

    /// Masters that are not what a calm render gives; the jobs in the order of their versions, which begin at 1.
    pub async fn differing(&mut self, pool: &PgPool, jobs: &[String]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (index, job) in jobs.iter().enumerate() {
            let expected = self.calm(index + 1);
            let found: Vec<(String, String)> = sqlx::query_as(
                "select file_name, digest from deliverable join artifact using (project_id, artifact_key)
                 where job_id::text = $1",
            )
            .bind(job)
            .fetch_all(pool)
            .await
            .unwrap();
            let found: BTreeMap<String, String> = found.into_iter().collect();
            if found != expected {
                wrong.push(format!("job {job} gave {found:?}, a calm render {expected:?}"));
            }
        }
        wrong
    }
}
