//! Whose word a profile is: it decides what is mandatory, so nobody but root and the user may be able to write it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::config::mistake::Mistake;
use crate::config::yaml::MAX_SIZE;

/// A profile's content, where it is root's or the user's own and nobody else may write it. What is looked at is the file that was
/// opened, whatever becomes of its name meanwhile. Its folders are not looked at.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Mistake> {
    let unreadable = |error: std::io::Error| Mistake::of_file(path, format!("cannot be read: {error}"));
    // Before it is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Mistake::of_file(path, "is not a file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    check(path, metadata.uid(), metadata.mode(), rustix::process::geteuid().as_raw())?;
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Refuses a file of another user, and one that others may write.
fn check(path: &Path, owner: u32, mode: u32, user: u32) -> Result<(), Mistake> {
    let hint = "a profile decides what a join may do: it belongs to root or to you, and nobody else may write it";
    if owner != 0 && owner != user {
        let what = format!("belongs to the user {owner}, who could change what this profile allows");
        return Err(Mistake::of_file(path, what).hint(hint).hint(format!("chown root {}", path.display())));
    }
    if mode & 0o022 != 0 {
        let what = format!("may be written by others than its owner: its mode is {:04o}", mode & 0o7777);
        return Err(Mistake::of_file(path, what).hint(hint).hint(format!("chmod go-w {}", path.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(owner: u32, mode: u32) -> String {
        check(Path::new("/etc/p.toml"), owner, mode, 1000).map_or_else(|m| m.to_string(), |()| "accepted".to_owned())
    }

    #[test]
    fn a_profile_is_roots_or_the_users_and_nobody_elses() {
        assert_eq!(refused(0, 0o100_644), "accepted");
        assert_eq!(refused(1000, 0o100_600), "accepted");
        insta::assert_snapshot!(refused(1001, 0o100_644), @"/etc/p.toml: belongs to the user 1001, who could change what this profile allows");
        insta::assert_snapshot!(refused(0, 0o100_664), @"/etc/p.toml: may be written by others than its owner: its mode is 0664");
        insta::assert_snapshot!(refused(1000, 0o100_602), @"/etc/p.toml: may be written by others than its owner: its mode is 0602");
    }
}
