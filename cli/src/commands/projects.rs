//! `mixdown projects list|set`

use std::str::FromStr;

use mixdown_coordinator::database::Pool;
use mixdown_coordinator::projects::{self, ProjectRow};
use serde_json::{Value, json};

use crate::errors::{CommandError, Exit};
use crate::farm_database::{Place, failed};
use crate::output::Output;
use crate::tables::Listing;

/// List projects, and set their shares of the farm and how much of each runs at once, directly on the farm's database.
///
/// Projects that have tasks ready share the workers' slots by weight: one of weight 3 runs three times what one of weight 1
/// does. A project is made with its first token.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown projects list --data farm/\n  \
    mixdown projects set label-a --weight 3 --running-limit 200 --database-url postgres://mixdown@db/mixdown")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the projects with their weights, limits and what runs of them.
    #[command(
        after_long_help = "Example:\n  mixdown projects list --data farm/ --json | jq '.[] | {project, running}'"
    )]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Change a project's weight or limit; what runs goes on.
    #[command(after_long_help = "Examples:\n  mixdown projects set label-a --weight 3 --data farm/\n  \
        mixdown projects set label-a --running-limit none --data farm/")]
    Set {
        /// The project.
        project: String,
        /// Its share beside other projects.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=1000))]
        weight: Option<i32>,
        /// Tasks of it that may run at once; `none` for any number.
        #[arg(long, value_name = "N|none", required_unless_present = "weight")]
        running_limit: Option<RunningLimit>,
        #[command(flatten)]
        place: Place,
    },
}

/// A number of tasks, or any.
#[derive(Debug, Clone, Copy)]
struct RunningLimit(Option<i32>);

impl FromStr for RunningLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let number = text.parse().ok().filter(|number: &i32| *number >= 0);
        number.map(|number| Self(Some(number))).ok_or_else(|| "expected a number from 0 on, or `none`".to_owned())
    }
}

/// Does what was asked with projects.
///
/// # Errors
/// The database cannot be reached; there is no such project.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), CommandError> {
    let (Action::List { place } | Action::Set { place, .. }) = &arguments.action;
    let reached = place.reach().await?;
    let done = act(&arguments.action, &reached.pool, output).await;
    reached.leave().await?;
    done
}

async fn act(action: &Action, pool: &Pool, output: Output) -> Result<(), CommandError> {
    match action {
        Action::List { .. } => {
            let rows = projects::list(pool).await.map_err(|error| failed("list the projects", &error))?;
            tell(&rows, output)
        }
        Action::Set { project, weight, running_limit, .. } => {
            let set = projects::set(pool, project, *weight, running_limit.map(|limit| limit.0)).await;
            let row = set.map_err(|error| failed("change the project", &error))?.ok_or_else(|| {
                CommandError::new(Exit::BadInput, "not_found", format!("there is no project {project}"))
                    .remedy("`mixdown projects list` shows them; a project is made with its first token")
            })?;
            if output.json { output.document(&row_json(&row)) } else { tell(&[row], output) }
        }
    }
}

fn tell(rows: &[ProjectRow], output: Output) -> Result<(), CommandError> {
    if output.json {
        return output.document(&rows.iter().map(row_json).collect::<Vec<_>>());
    }
    let mut listing = Listing::new(&["=Project", ">Weight", ">Running", ">Limit", ">Active jobs"]);
    for row in rows {
        listing.row([
            row.project_id.clone(),
            row.weight.to_string(),
            row.running.to_string(),
            row.running_limit.map_or_else(|| "–".to_owned(), |limit| limit.to_string()),
            row.active_jobs.to_string(),
        ]);
    }
    output.line(&listing.text())
}

fn row_json(row: &ProjectRow) -> Value {
    json!({
        "project": row.project_id,
        "weight": row.weight,
        "running": row.running,
        "running_limit": row.running_limit,
        "active_jobs": row.active_jobs,
    })
}
