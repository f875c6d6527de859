//! What the writer may have meant.

/// At most this many alternatives are named in a message.
const MAX_NAMED: usize = 12;

/// Longer names are not compared.
const MAX_COMPARED: usize = 64;

/// `; did you mean "Verb"?`, or nothing if no candidate is near.
#[must_use]
pub fn did_you_mean<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(found, candidates).map_or(String::new(), |candidate| format!("; did you mean {candidate:?}?"))
}

/// The candidate that a slip of the fingers, or of the shift key, turns into what was found.
pub(super) fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = found.to_lowercase();
    let length = wanted.chars().count();
    let far = 1 + length / 4;
    // The distance takes the product of both lengths: names beyond any typing error are passed over.
    let near = |candidate: &&str| length <= MAX_COMPARED && candidate.chars().count().abs_diff(length) <= far;
    candidates
        .into_iter()
        .filter(near)
        .map(|candidate| (strsim::osa_distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `one of "Verb", "Echo"`; `nothing` if there is none, since none would be right.
#[must_use]
pub fn one_of<'a>(candidates: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = candidates.into_iter().collect();
    let quoted: Vec<String> = names.iter().take(MAX_NAMED).map(|name| format!("{name:?}")).collect();
    match (quoted.as_slice(), names.len()) {
        ([], _) => "nothing: there is none".to_owned(),
        ([only], _) => only.clone(),
        (_, count) if count > MAX_NAMED => format!("one of {} or {} more", quoted.join(", "), count - MAX_NAMED),
        _ => format!("one of {}", quoted.join(", ")),
    }
}
