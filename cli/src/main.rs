//! The `mixdown` command.
fn main() {}
