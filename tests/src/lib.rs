//! Farm tests.
