//! `mixdown limits list|set|remove`

use mixdown_coordinator::database::Pool;
use mixdown_coordinator::limits::{self, LimitRow};
use serde_json::json;

use crate::errors::{CommandError, Exit};
use crate::farm_database::{Place, failed};
use crate::output::Output;
use crate::tables::Listing;

/// List and set named limits, directly on the farm's database.
///
/// A named limit is something of which the farm has a number: licences of a plug-in, upload lines. A job that is submitted
/// with `--limit NAME` holds one for each of its tasks that runs; the tasks of all projects together never hold more.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  mixdown limits set plugin-x 4 --data farm/\n  \
    mixdown submit song.toml --limit plugin-x\n  \
    mixdown limits list --database-url postgres://mixdown@db/mixdown")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the limits and how much of each is held.
    #[command(after_long_help = "Example:\n  mixdown limits list --data farm/")]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Set how many tasks may hold a limit at once; those that hold it go on.
    #[command(after_long_help = "Example:\n  mixdown limits set plugin-x 4 --data farm/")]
    Set {
        /// Its name: a-z, 0-9, `-`, `_` and `.`.
        name: String,
        /// Tasks that may hold it at once.
        #[arg(value_parser = clap::value_parser!(i32).range(0..))]
        count: i32,
        #[command(flatten)]
        place: Place,
    },
    /// Remove a limit; tasks that ask for it wait until it is set again.
    #[command(after_long_help = "Example:\n  mixdown limits remove plugin-x --data farm/")]
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Does what was asked with limits.
///
/// # Errors
/// The database cannot be reached; the name is none; there is no such limit.
pub async fn run(arguments: Arguments, output: Output) -> Result<(), CommandError> {
    let (Action::List { place } | Action::Set { place, .. } | Action::Remove { place, .. }) = &arguments.action;
    let reached = place.reach().await?;
    let done = act(&arguments.action, &reached.pool, output).await;
    reached.leave().await?;
    done
}

async fn act(action: &Action, pool: &Pool, output: Output) -> Result<(), CommandError> {
    match action {
        Action::List { .. } => {
            let rows = limits::list(pool).await.map_err(|error| failed("list the limits", &error))?;
            list(&rows, output)
        }
        Action::Set { name, count, .. } => {
            if !limits::is_name(name) {
                let message = format!("`{name}` is no name of a limit");
                return Err(CommandError::new(Exit::BadInput, "bad_name", message)
                    .remedy("expected 1 to 63 of a-z, 0-9, `-`, `_` and `.`, beginning with a letter or digit"));
            }
            limits::set(pool, name, *count).await.map_err(|error| failed("set the limit", &error))?;
            if output.json {
                return output.document(&json!({ "name": name, "count": count }));
            }
            output.line(&format!("{name}  {count}"))
        }
        Action::Remove { name, .. } => {
            if !limits::remove(pool, name).await.map_err(|error| failed("remove the limit", &error))? {
                return Err(CommandError::new(Exit::BadInput, "not_found", format!("there is no limit {name}"))
                    .remedy("`mixdown limits list` shows them"));
            }
            if output.json {
                return output.document(&json!({ "name": name, "removed": true }));
            }
            output.line(&format!("{name}  removed"))
        }
    }
}

fn list(rows: &[LimitRow], output: Output) -> Result<(), CommandError> {
    if output.json {
        let row = |row: &LimitRow| json!({ "name": row.name, "count": row.count, "held": row.held });
        return output.document(&rows.iter().map(row).collect::<Vec<_>>());
    }
    let mut listing = Listing::new(&["=Limit", ">Held", ">Count"]);
    for row in rows {
        listing.row([row.name.clone(), row.held.to_string(), row.count.to_string()]);
    }
    output.line(&listing.text())
}
