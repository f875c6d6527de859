//! Checks of fields of requests.

use tonic::Status;
use uuid::Uuid;

use super::status;

/// A UUID in a required field.
pub(super) fn uuid(field: &'static str, value: &str) -> Result<Uuid, Status> {
    value.parse().map_err(|_| status::invalid_field(field, format!("`{value}` is not a UUID")))
}

/// A digest in a required field.
pub(super) fn digest(field: &'static str, value: &str) -> Result<(), Status> {
    match value.parse::<mixdown_dsp::digest::Digest>() {
        Ok(_) => Ok(()),
        Err(error) => Err(status::invalid_field(field, error.to_string())),
    }
}

/// A page size: 1 to 1000, 0 for 50.
pub(super) fn page_size(value: i32) -> Result<i64, Status> {
    match value {
        0 => Ok(50),
        1..=1000 => Ok(i64::from(value)),
        _ => Err(status::invalid_field("page_size", format!("{value} is not within 1 to 1000"))),
    }
}

/// A page token: what was given, cut in two at its first colon; `None` for the first page.
pub(super) fn page_token<A: std::str::FromStr>(value: &str) -> Result<Option<(A, Uuid)>, Status> {
    if value.is_empty() {
        return Ok(None);
    }
    let parts = value.split_once(':').and_then(|(id, key)| Some((key.parse().ok()?, id.parse().ok()?)));
    parts.map(Some).ok_or_else(|| status::invalid_field("page_token", "it is not from an answer of this list".into()))
}

/// Names of labels or limits: sorted, each once.
pub(super) fn names(field: &'static str, values: Vec<String>) -> Result<Vec<String>, Status> {
    const MOST: usize = 64;
    const LONGEST: usize = 63;
    let good = |name: &String| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (1..=LONGEST).contains(&name.len()) && name.bytes().all(letter)
    };
    if let Some(bad) = values.iter().find(|name| !good(name)) {
        let description = format!("`{bad}` is no name: expected 1 to {LONGEST} letters, digits, `-`, `_` and `.`");
        return Err(status::invalid_field(field, description));
    }
    let names: std::collections::BTreeSet<String> = values.into_iter().collect();
    if names.len() > MOST {
        return Err(status::invalid_field(field, format!("{} are more than {MOST}", names.len())));
    }
    Ok(names.into_iter().collect())
}
