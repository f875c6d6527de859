//! Where things lie in object storage: the one agreement between coordinator and workers that no message carries.
//!
//! ```text
//! projects/PROJECT/blobs/ab/ab12…      a blob under its digest
//! projects/PROJECT/partial/NAME        being written; may be deleted once a day old
//! projects/PROJECT/DELIVER_TO/FILE     a master under its name
//! mixdown-store                        a UUID: which store it is, written by the first coordinator
//! ```
//!
//! Pure functions of strings. Paths are relative to the store's URL; their parts are used as they are, so callers pass
//! only digests, ids, and prefixes and file names that passed [`is_safe_prefix`] or [`is_safe_name`].

/// Says which store it is: coordinators and workers must mean the same.
pub const IDENTITY: &str = "mixdown-store";

/// Everything of a project lies below this prefix.
#[must_use]
pub fn project(project_id: &str) -> String {
    format!("projects/{project_id}")
}

/// A blob; `digest` is 64 lower-case hex digits.
#[must_use]
pub fn blob(project_id: &str, digest: &str) -> String {
    let shard = digest.get(..2).unwrap_or(digest);
    format!("projects/{project_id}/blobs/{shard}/{digest}")
}

/// A file that is being written and will be moved; `name` is unique, a UUID say.
#[must_use]
pub fn partial(project_id: &str, name: &str) -> String {
    format!("projects/{project_id}/partial/{name}")
}

/// A master under its name; `deliver_to` may begin or end with `/`, and may be empty.
#[must_use]
pub fn delivery(project_id: &str, deliver_to: &str, file_name: &str) -> String {
    match deliver_to.trim_matches('/') {
        "" => format!("projects/{project_id}/{file_name}"),
        prefix => format!("projects/{project_id}/{prefix}/{file_name}"),
    }
}

/// Whether masters may be delivered under this prefix: no part is empty, `.` or `..`, it holds no control characters or
/// backslashes, and it keeps out of what the farm itself writes (`blobs`, `partial`).
#[must_use]
pub fn is_safe_prefix(deliver_to: &str) -> bool {
    let prefix = deliver_to.trim_matches('/');
    let first = prefix.split('/').next().unwrap_or_default();
    prefix.split('/').all(is_safe_name) && !["blobs", "partial"].contains(&first)
}

/// Whether a file may have this name in the store: not empty, `.` or `..`, without `/`, `\` and control characters.
/// A trailing `#` with digits is what a folder store calls files that it is still writing.
#[must_use]
pub fn is_safe_name(name: &str) -> bool {
    let is_staging =
        name.split_once('#').is_some_and(|(_, rest)| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    !["", ".", ".."].contains(&name)
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
        && !is_staging
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_spread_by_the_first_two_digits_of_their_digest() {
        let digest = "ab".repeat(32);
        assert_eq!(blob("p1", &digest), format!("projects/p1/blobs/ab/{digest}"));
    }

    #[test]
    fn deliveries_lie_below_their_project_whatever_slashes_the_prefix_has() {
        for prefix in ["album/one", "/album/one", "album/one/", "/album/one/"] {
            assert_eq!(delivery("p1", prefix, "Main.wav"), "projects/p1/album/one/Main.wav");
        }
        assert_eq!(delivery("p1", "", "Main.wav"), "projects/p1/Main.wav");
    }

    #[test]
    fn prefixes_that_leave_the_project_or_reach_its_blobs_are_unsafe() {
        for unsafe_prefix in ["..", "a/../b", "a//b", "blobs", "blobs/ab", "partial", "a\\b", "a\nb", "", "/"] {
            assert!(!is_safe_prefix(unsafe_prefix), "{unsafe_prefix:?}");
        }
        for safe in ["jobs/3f", "/album/", "my blobs", "a.b/c"] {
            assert!(is_safe_prefix(safe), "{safe:?}");
        }
    }

    #[test]
    fn names_of_half_written_files_are_unsafe() {
        assert!(!is_safe_name("Main.wav#12"));
        assert!(is_safe_name("Song #1.wav"));
    }
}
