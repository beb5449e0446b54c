//! Puts what `runner plugin new` and `build` write into people's projects into the program: templates, SDKs, the contract.
//!
//! Every file of a folder is taken, so that a new one needs no list to be kept.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// A constant's name, and the folder whose files it holds.
const CARRIED: [(&str, &str); 7] = [
    ("CONTRACT", "../wit"),
    ("TEMPLATES", "templates"),
    ("SDK_C", "../plugins/sdk-c"),
    ("SDK_GO", "../plugins/sdk-go"),
    ("SDK_JS", "../plugins/sdk-js"),
    ("SDK_PYTHON", "../plugins/sdk-python"),
    ("SDK_RUST", "../plugins/sdk"),
];

/// Not taken: what is not of the contract's newest version, and what tools leave behind.
const LEFT_OUT: [&str; 5] = ["examples", "released", "target", "node_modules", "__pycache__"];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut text = String::new();
    for (name, folder) in CARRIED {
        let folder = here.join(folder).canonicalize()?;
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        find(&folder, &mut files)?;
        files.sort();
        let _ = writeln!(text, "/// The files of `{name}`, as path and text.\npub(crate) const {name}: &[Carried] = &[");
        for file in files {
            let path = file.strip_prefix(&folder).unwrap_or(&file);
            let _ =
                writeln!(text, "    ({:?}, include_str!({:?})),", path.display().to_string(), file.display().to_string());
        }
        text.push_str("];\n\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("carried.rs"), text)
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() { find(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
