//! Who calls, and whether they may.

use tonic::Status;
use tonic::metadata::MetadataMap;

use super::{Farm, status};
use crate::tokens::{self, Caller, Role};

/// Who calls without a token where that is allowed.
const ANONYMOUS_PROJECT: &str = "default";

async fn caller(farm: &Farm, metadata: &MetadataMap) -> Result<Caller, Status> {
    let Some(value) = metadata.get("authorization") else {
        return if farm.anonymous {
            Ok(Caller { role: Role::Admin, project_id: Some(ANONYMOUS_PROJECT.to_owned()) })
        } else {
            Err(status::unauthenticated())
        };
    };
    let token =
        value.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).ok_or_else(status::unauthenticated)?;
    tokens::find(&farm.pool, token).await?.ok_or_else(status::unauthenticated)
}

/// The project of a client or admin.
pub(super) async fn client(farm: &Farm, metadata: &MetadataMap) -> Result<String, Status> {
    match caller(farm, metadata).await? {
        Caller { role: Role::Client | Role::Admin, project_id: Some(project_id) } => Ok(project_id),
        _ => Err(status::not_allowed("client or admin")),
    }
}

/// Lets workers and admins through.
pub(super) async fn worker(farm: &Farm, metadata: &MetadataMap) -> Result<(), Status> {
    match caller(farm, metadata).await?.role {
        Role::Worker | Role::Admin => Ok(()),
        Role::Client => Err(status::not_allowed("worker or admin")),
    }
}

/// Lets admins through.
pub(super) async fn admin(farm: &Farm, metadata: &MetadataMap) -> Result<(), Status> {
    match caller(farm, metadata).await?.role {
        Role::Admin => Ok(()),
        Role::Client | Role::Worker => Err(status::not_allowed("admin")),
    }
}
