//! `mixdown tokens create|list|revoke`

use mixdown_coordinator::database::Pool;
use mixdown_coordinator::tokens::{self, CreateError, Role, TokenRow};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::errors::{CommandError, Exit};
use crate::farm_database::{Place, failed};
use crate::output::Output;
use crate::progress::say;
use crate::tables::Listing;

const DEFAULT_PROJECT: &str = "default";

/// Create, list and revoke access tokens, directly on the farm's database.
///
/// A client token submits and follows the jobs of one project; a worker token takes tasks of every project; an admin
/// token may do both and look after the farm. A token is shown once, when it is made: the database keeps its hash alone.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown tokens create --data farm/ --role client --project label-a\n  \
    mixdown tokens list --database-url postgres://mixdown@db/mixdown\n  \
    mixdown tokens revoke --data farm/ 0190d5c2-7d5f-7b4e-9c55-2b7a5c0d9e11")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a token and print it; it is shown this once.
    #[command(after_long_help = "Examples:\n  \
        export MIXDOWN_TOKEN=$(mixdown tokens create --data farm/ --role client)\n  \
        mixdown tokens create --database-url URL --role worker --name studio-2")]
    Create {
        /// What the token lets its bearer do.
        #[arg(long, value_enum)]
        role: RoleName,
        /// The one project of a client or admin token; made if it is new. `default` unless told otherwise.
        #[arg(long)]
        project: Option<String>,
        /// A name for people: whose token it is.
        #[arg(long, default_value = "")]
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// List the tokens, without their secrets.
    #[command(
        after_long_help = "Example:\n  mixdown tokens list --data farm/ --json | jq '.[] | select(.revoked | not)'"
    )]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Revoke a token: calls with it are refused from now on.
    #[command(after_long_help = "Example:\n  mixdown tokens revoke --data farm/ 0190d5c2-7d5f-7b4e-9c55-2b7a5c0d9e11")]
    Revoke {
        /// The token's id, as `list` shows it.
        #[arg(value_name = "ID")]
        token_id: Uuid,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum RoleName {
    /// Submits and follows jobs of one project.
    Client,
    /// Takes tasks of every project.
    Worker,
    /// Does both, and looks after the farm.
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Client => Self::Client,
            RoleName::Worker => Self::Worker,
            RoleName::Admin => Self::Admin,
        }
    }
}

/// Does what was asked with tokens.
///
/// # Errors
/// The database cannot be reached; there is no such token.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), CommandError> {
    let place = match &arguments.action {
        Action::Create { place, .. } | Action::List { place } | Action::Revoke { place, .. } => place,
    };
    let reached = place.reach().await?;
    let done = act(&arguments.action, &reached.pool, output).await;
    reached.leave().await?;
    done
}

async fn act(action: &Action, pool: &Pool, output: Output) -> Result<(), CommandError> {
    match action {
        Action::Create { role, project, name, .. } => {
            create(pool, (*role).into(), project.as_deref(), name, output).await
        }
        Action::List { .. } => list(pool, output).await,
        Action::Revoke { token_id, .. } => revoke(pool, *token_id, output).await,
    }
}

async fn create(
    pool: &Pool,
    role: Role,
    project: Option<&str>,
    name: &str,
    output: Output,
) -> Result<(), CommandError> {
    let project = match role {
        Role::Worker => project,
        Role::Client | Role::Admin => Some(project.unwrap_or(DEFAULT_PROJECT)),
    };
    let (token_id, token) = tokens::create(pool, role, project, name).await.map_err(|error| match &error {
        CreateError::Project | CreateError::ProjectId(_) => {
            CommandError::new(Exit::BadInput, "bad_project", error.to_string())
        }
        CreateError::Queue(_) | CreateError::Random(_) => failed("make the token", &error),
    })?;
    if output.json {
        return output.document(&json!({
            "token_id": token_id, "token": token, "role": role_name(role), "project": project, "name": name,
        }));
    }
    say(&format!("token {token_id} is shown this once; give it with --token or MIXDOWN_TOKEN"));
    output.line(&token)
}

async fn list(pool: &Pool, output: Output) -> Result<(), CommandError> {
    let rows = tokens::list(pool).await.map_err(|error| failed("list the tokens", &error))?;
    if output.json {
        return output.document(&rows.iter().map(row_json).collect::<Vec<_>>());
    }
    let mut listing = Listing::new(&["=Token", "Role", "Project", "Name", "Made", "State"]);
    for row in &rows {
        listing.row([
            row.token_id.to_string(),
            role_name(row.role).to_owned(),
            row.project_id.clone().unwrap_or_else(|| "–".to_owned()),
            row.name.clone(),
            create_time(row),
            if row.revoked { "revoked" } else { "valid" }.to_owned(),
        ]);
    }
    output.line(&listing.text())
}

async fn revoke(pool: &Pool, token_id: Uuid, output: Output) -> Result<(), CommandError> {
    if !tokens::revoke(pool, token_id).await.map_err(|error| failed("revoke the token", &error))? {
        let message = format!("there is no valid token {token_id}");
        return Err(CommandError::new(Exit::BadInput, "not_found", message).remedy("`mixdown tokens list` shows them"));
    }
    if output.json {
        return output.document(&json!({ "token_id": token_id, "revoked": true }));
    }
    output.line(&format!("{token_id}  revoked"))
}

fn row_json(row: &TokenRow) -> Value {
    json!({
        "token_id": row.token_id,
        "role": role_name(row.role),
        "project": row.project_id,
        "name": row.name,
        "create_time": create_time(row),
        "revoked": row.revoked,
    })
}

fn create_time(row: &TokenRow) -> String {
    let nanos = row.create_micros.rem_euclid(1_000_000) * 1000;
    prost_types::Timestamp {
        seconds: row.create_micros.div_euclid(1_000_000),
        nanos: i32::try_from(nanos).unwrap_or(0),
    }
    .to_string()
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Client => "client",
        Role::Worker => "worker",
        Role::Admin => "admin",
    }
}
