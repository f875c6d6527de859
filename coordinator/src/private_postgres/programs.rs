//! Where PostgreSQL's programs are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Where distributions put them, one folder per version.
const USUAL_PLACES: [&str; 3] = ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt"];
/// Where they are without versions.
const PLAIN_PLACES: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin"];

/// PostgreSQL is not installed.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot find PostgreSQL (`initdb` and `postgres`) in {looked_in}: install it (`apt-get install postgresql`), name its folder with MIXDOWN_POSTGRES_BIN, or use one that runs with --database-url"
)]
pub struct FindError {
    /// Where it was looked for.
    pub looked_in: String,
}

/// The folder of PostgreSQL's programs.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    dir: PathBuf,
}

impl Programs {
    /// Finds them: in the folder named, else on the search path, else in the usual places, the newest version first.
    pub(super) fn find(named: Option<&Path>, search_path: Option<&OsStr>) -> Result<Self, FindError> {
        if let Some(dir) = named {
            let looked_in = dir.display().to_string();
            return Self::in_dir(dir).ok_or(FindError { looked_in });
        }
        let on_path = search_path.map(|path| std::env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
        let found = on_path.iter().map(PathBuf::as_path).find_map(Self::in_dir);
        let found = found.or_else(|| versioned().iter().map(PathBuf::as_path).find_map(Self::in_dir));
        let found = found.or_else(|| PLAIN_PLACES.iter().map(Path::new).find_map(Self::in_dir));
        found.ok_or_else(|| FindError { looked_in: "PATH and /usr/lib/postgresql/*/bin".into() })
    }

    fn in_dir(dir: &Path) -> Option<Self> {
        ["initdb", "postgres"].iter().all(|program| dir.join(program).is_file()).then(|| Self { dir: dir.to_owned() })
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }
}

/// The program folders of every installed version, newest first.
fn versioned() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = USUAL_PLACES
        .iter()
        .filter_map(|place| std::fs::read_dir(place).ok())
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name();
            let digits: String = name.to_str()?.chars().filter(char::is_ascii_digit).collect();
            Some((digits.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, dir)| dir).collect()
}
