//! The coordinator on a real PostgreSQL: one private server for the whole binary, a fresh database for each test.

mod claiming;
mod support;
