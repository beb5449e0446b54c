//! `secrets`: read once, when the plugins are loaded and before anything is changed, and kept in memory only.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::OFlags;

use crate::grants::SecretSource;
use crate::surroundings::{Refused, room};

/// The largest secret: a certificate chain with its key fits, a mistaken path to a database does not.
const MAX: u64 = 64 << 10;

/// The shortest one: a shorter text could not be blotted out of what a plugin says without blotting half of everything.
const MIN: usize = 4;

/// The secrets that were read, by plugin and name.
#[derive(Clone, Default)]
pub(super) struct Secrets(Arc<Mutex<BTreeMap<(String, String), String>>>);

impl Secrets {
    /// The secret, if it was read before.
    pub(super) fn known(&self, plugin: &str, name: &str) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(plugin.to_owned(), name.to_owned())).filter(|text| text.len() <= room()).cloned()
    }

    /// Keeps a secret that was read, if it is one.
    pub(super) fn keep(&self, plugin: &str, name: &str, text: Result<String, Refused>) -> Result<String, Refused> {
        let about = |refused: Refused| {
            Refused::new(&refused.kind, format!("the secret {name:?} cannot be had: {}", refused.message))
        };
        let text = text.and_then(whole).map_err(about)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((plugin.to_owned(), name.to_owned()), text.clone());
        Ok(text)
    }
}

/// Reads a secret that is on this machine; none for one that is elsewhere. No error holds anything of it.
pub(super) fn local(source: &SecretSource) -> Option<Result<String, Refused>> {
    match source {
        SecretSource::File(path) => Some(file(path)),
        SecretSource::Env(name) => Some(variable(name)),
        SecretSource::Kubernetes { .. } => None,
    }
}

/// Without the one newline that editors and `echo` put at its end, if what is left is a secret at all.
fn whole(text: String) -> Result<String, Refused> {
    let text = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).unwrap_or(&text);
    match text.len() {
        0 => Err(Refused::new("failed", "it is empty")),
        length if length < MIN => {
            Err(Refused::new("failed", format!("it has fewer than {MIN} bytes, too few to be kept out of messages")))
        }
        length if length as u64 > MAX => Err(Refused::new("too-large", format!("it has more than {} KiB", MAX >> 10))),
        _ if text.contains('\0') => Err(Refused::new("failed", "it holds a zero byte, so it is no text")),
        _ => Ok(text.to_owned()),
    }
}

fn variable(name: &str) -> Result<String, Refused> {
    use std::env::VarError;
    std::env::var(name).map_err(|error| match error {
        VarError::NotPresent => Refused::new("not-found", format!("the environment has no variable {name}")),
        // Its text is in the error.
        VarError::NotUnicode(_) => Refused::new("failed", format!("the variable {name} is no UTF-8 text")),
    })
}

/// A file that others may read is refused, as ssh does with keys: whoever can read it needs no plugin.
fn file(path: &Path) -> Result<String, Refused> {
    let shown = path.display();
    let failed = |what: String| Refused::new("failed", what);
    let open = || {
        // A pipe that nobody writes to would be waited for.
        let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY).bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        Ok((file.metadata()?, file))
    };
    let (metadata, file) = open().map_err(|e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => Refused::new("not-found", format!("there is no file {shown}")),
        _ => failed(format!("{shown} cannot be opened: {}", e.kind())),
    })?;
    if !metadata.is_file() {
        return Err(failed(format!("{shown} is not a file")));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(failed(format!("{shown} is open to everybody (mode {mode:03o}); `chmod 600 {shown}` closes it")));
    }
    let mut bytes = Vec::new();
    // One byte more tells a file that is too large, also one that grows.
    file.take(MAX + 3).read_to_end(&mut bytes).map_err(|e| failed(format!("{shown} cannot be read: {}", e.kind())))?;
    String::from_utf8(bytes).map_err(|_| failed(format!("{shown} is no UTF-8 text, or larger than {} KiB", MAX >> 10)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn kept(source: &SecretSource) -> Result<String, String> {
        let secrets = Secrets::default();
        let text = secrets.keep("p", "s", local(source).unwrap()).map_err(|refused| refused.message)?;
        assert_eq!(secrets.known("p", "s").as_ref(), Some(&text));
        assert_eq!(secrets.known("other", "s"), None);
        Ok(text)
    }

    #[test]
    fn a_file_is_a_secret_if_it_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let source = SecretSource::File(path.clone());
        let write = |bytes: &[u8], mode: u32| {
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        assert!(kept(&source).unwrap_err().contains("there is no file"));
        write(b"T0ken\r\n", 0o600);
        assert_eq!(kept(&source).unwrap(), "T0ken");
        write(b"two\nlines\n\n", 0o640);
        assert_eq!(kept(&source).unwrap(), "two\nlines\n");
        for (bytes, mode, said) in [
            (&b"T0ken"[..], 0o644, "open to everybody (mode 644)"),
            (b"T0ken", 0o606, "open to everybody"),
            (b"\n", 0o600, "it is empty"),
            (b"abc\n", 0o600, "fewer than 4 bytes"),
            (b"T0ken\xff\xfe", 0o600, "no UTF-8"),
            (b"T0k\0en", 0o600, "zero byte"),
            (&vec![b'x'; 64 * 1024 + 1], 0o600, "more than 64 KiB"),
        ] {
            write(bytes, mode);
            let error = kept(&source).unwrap_err();
            assert!(error.contains(said) && error.contains("\"s\"") && !error.contains("T0k"), "{error}");
        }
        let folder = kept(&SecretSource::File(dir.path().to_owned())).unwrap_err();
        assert!(folder.contains("is not a file"), "{folder}");
    }

    #[test]
    fn a_variable_must_be_there() {
        let error = kept(&SecretSource::Env("RUNNER_TEST_NO_SUCH_VARIABLE".to_owned())).unwrap_err();
        assert!(error.contains("the environment has no variable RUNNER_TEST_NO_SUCH_VARIABLE"), "{error}");
        // Set by cargo for every test.
        assert_eq!(kept(&SecretSource::Env("CARGO_PKG_NAME".to_owned())).unwrap(), "runner");
    }
}
