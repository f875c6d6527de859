//! As whom PostgreSQL runs: as ourselves, or, since it refuses root, as another user.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Gid, Uid, User};

use super::{Error, file};

/// Where the cluster goes when root's data folder lies where nobody else may enter.
const FALLBACK_HOME: &str = "/var/lib";

/// The user that PostgreSQL runs as.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// `None` when it is who we are.
    other: Option<(Uid, Gid)>,
}

impl Account {
    /// Ourselves, or `postgres`, or `nobody`.
    pub(super) fn choose() -> Result<Self, Error> {
        if !Uid::effective().is_root() {
            return Ok(Self { other: None });
        }
        // A failed look-up means the same as no such user.
        let user = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
        user.map(|user| Self { other: Some((user.uid, user.gid)) }).ok_or(Error::NoUser)
    }

    /// Whether it is not us.
    pub(super) fn is_other(&self) -> bool {
        self.other.is_some()
    }

    /// Has a command run as this user, without the groups of ours.
    pub(super) fn run_as(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.other {
            // Root's groups are dropped by the standard library along with its user id.
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        // Both programs look at where they are started, and must be allowed to.
        command.current_dir("/");
    }

    /// Gives a file or folder to this user.
    pub(super) fn give(&self, path: &Path) -> Result<(), Error> {
        let Some((uid, gid)) = self.other else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(uid.as_raw()), Some(gid.as_raw()))
            .map_err(file(|| format!("give {} to another user", path.display())))
    }

    /// Refuses a folder that somebody else has made where we wanted one: they could answer in our place.
    pub(super) fn check_ours(&self, dir: &Path) -> Result<(), Error> {
        let found = fs::symlink_metadata(dir).map_err(file(|| format!("look at {}", dir.display())))?;
        let owner = self.other.map_or(Uid::effective(), |(uid, _)| uid);
        if found.is_dir() && found.uid() == owner.as_raw() {
            return Ok(());
        }
        let source = std::io::Error::other("it is no folder of ours");
        Err(Error::File { what: format!("use {}", dir.display()), source })
    }

    /// The folder of cluster, log and socket: `postgres` in the data folder. Should this user be unable to get there, as
    /// below /root, that becomes a link to a folder below /var/lib.
    pub(super) fn home(&self, data_dir: &Path) -> Result<PathBuf, Error> {
        let home = data_dir.join("postgres");
        if self.other.is_some() && !self.can_enter(data_dir) {
            if fs::symlink_metadata(&home).is_err() {
                // A name of its own, so that a data folder that was deleted and made again begins anew.
                let name = uuid::Uuid::new_v4().simple().to_string();
                let elsewhere = Path::new(FALLBACK_HOME).join(format!("mixdown-{}", &name[..12]));
                self.make(&elsewhere)?;
                std::os::unix::fs::symlink(&elsewhere, &home).map_err(file(|| format!("link {}", home.display())))?;
            }
            return fs::canonicalize(&home).map_err(file(|| format!("follow {}", home.display())));
        }
        self.make(&home)?;
        Ok(home)
    }

    fn make(&self, dir: &Path) -> Result<(), Error> {
        fs::create_dir_all(dir).map_err(file(|| format!("make {}", dir.display())))?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
            .map_err(file(|| format!("protect {}", dir.display())))?;
        self.give(dir)
    }

    /// Whether this user may pass through a folder and all those above it.
    fn can_enter(&self, dir: &Path) -> bool {
        let Some((uid, gid)) = self.other else { return true };
        dir.ancestors().all(|folder| {
            fs::metadata(folder).is_ok_and(|found| {
                let bit = match (found.uid() == uid.as_raw(), found.gid() == gid.as_raw()) {
                    (true, _) => 0o100,
                    (false, true) => 0o010,
                    (false, false) => 0o001,
                };
                found.mode() & bit != 0
            })
        })
    }
}
