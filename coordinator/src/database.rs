//! The connection to PostgreSQL.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};

/// Connections to the database, for callers that hand them on.
pub type Pool = PgPool;

/// Every migration, compiled in.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL says nothing.
    #[error("the database URL is not valid: expected postgres://USER:PASSWORD@HOST/NAME")]
    Url(#[source] sqlx::Error),
    /// Nobody there, a wrong password, no such database.
    #[error("cannot connect to the database at {place}")]
    Connect {
        /// Host and database name, without the password.
        place: String,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// A migration failed, or the database is newer than this program.
    #[error("cannot bring the database up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl Error {
    /// Whether the database let nobody in under this user and password.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        // Class 28 of PostgreSQL's error codes: invalid authorization.
        let Self::Connect { source, .. } = self else { return false };
        source.as_database_error().and_then(|error| error.code()).is_some_and(|code| code.starts_with("28"))
    }
}

/// Refuses a server that takes no writes: after a fail-over an address may lead to the standby for a while, and a connection
/// to it would be kept. Has PostgreSQL end a transaction whose coordinator stands still: the rows that it has locked are
/// wanted by others. One that asks the store meanwhile stays within this; one that holds the queue's lock gets less.
async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let read_only: bool = sqlx::query_scalar(
        "select current_setting('transaction_read_only')::boolean
         from set_config('idle_in_transaction_session_timeout', '5min', false)",
    )
    .fetch_one(connection)
    .await?;
    if read_only {
        return Err(sqlx::Error::Protocol("the server is read-only, as a standby is".into()));
    }
    Ok(())
}

/// Connects and brings the schema up to date. Any number of coordinators may do so at once.
///
/// # Errors
/// See [`Error`].
pub async fn open(url: &str, max_connections: u32) -> Result<PgPool, Error> {
    // The parser looks at everything but the scheme.
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(Error::Url(sqlx::Error::Configuration("it does not begin with postgres://".into())));
    }
    let options = PgConnectOptions::from_str(url).map_err(Error::Url)?.application_name("mixdown coordinator");
    let place = format!("{}/{}", options.get_host(), options.get_database().unwrap_or_default());
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(10))
        .after_connect(|connection, _| Box::pin(prepare(connection)))
        .connect_with(options)
        .await
        .map_err(|source| Error::Connect { place, source })?;
    MIGRATIONS.run(&pool).await?;
    Ok(pool)
}
