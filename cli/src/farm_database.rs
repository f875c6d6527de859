//! The database of a farm, for commands that look after the farm directly.

use std::path::PathBuf;

use mixdown_coordinator::database::{self, Pool};
use mixdown_coordinator::private_postgres::PrivatePostgres;

use crate::errors::{CommandError, Exit};
use crate::home::Home;
use crate::listening;

/// Which farm's database.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Place {
    /// Data folder of an embedded farm, running or not.
    #[arg(long, value_name = "DIR", env = "MIXDOWN_DATA")]
    data: Option<PathBuf>,
    /// The database: postgres://USER:PASSWORD@HOST:PORT/DATABASE.
    #[arg(long, value_name = "URL", env = "MIXDOWN_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

/// A database that is reached; a private one is started for the length of the command when no farm runs it.
pub struct Reached {
    /// One connection.
    pub pool: Pool,
    started: Option<PrivatePostgres>,
}

impl Place {
    /// Reaches the database.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn reach(&self) -> Result<Reached, CommandError> {
        let open = async |url: &str| database::open(url, 1).await;
        if let Some(url) = &self.database_url {
            let pool = open(url).await.map_err(|error| listening::describe_database(&error))?;
            return Ok(Reached { pool, started: None });
        }
        let Some(folder) = &self.data else {
            return Err(CommandError::new(Exit::BadInput, "usage", "name a farm with --data or --database-url"));
        };
        let home = Home::open(folder)?;
        // The database of a farm that runs; what a killed one noted leads nowhere.
        if let Some(url) = home.noted_database()
            && let Ok(pool) = open(&url).await
        {
            return Ok(Reached { pool, started: None });
        }
        let _held = home.hold()?;
        let postgres = home.start_database(None).await?;
        let pool = open(postgres.url()).await.map_err(|error| listening::describe_database(&error))?;
        Ok(Reached { pool, started: Some(postgres) })
    }
}

impl Reached {
    /// Leaves the database as it was found.
    ///
    /// # Errors
    /// The private PostgreSQL does not stop.
    pub async fn leave(self) -> Result<(), CommandError> {
        self.pool.close().await;
        if let Some(postgres) = self.started {
            let stopped = postgres.stop().await;
            stopped.map_err(|error| {
                CommandError::new(Exit::Failed, "postgres_failed", "the private PostgreSQL does not stop")
                    .because(&error)
            })?;
        }
        Ok(())
    }
}

/// The database refused what a command was doing.
pub fn failed(doing: &str, error: &dyn std::error::Error) -> CommandError {
    CommandError::new(Exit::Failed, "database", format!("cannot {doing}")).because(error)
}
