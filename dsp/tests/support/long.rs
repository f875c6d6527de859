//! The counts of random tests: small ones in `make test`, large ones in `make test-long`.

/// `count`, or that many times MIXDOWN_LONG where it is set.
pub fn rounds(count: u32) -> u32 {
    let factor = std::env::var("MIXDOWN_LONG").ok().and_then(|factor| factor.parse().ok());
    count * factor.unwrap_or(1)
}
