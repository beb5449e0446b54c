//! The protobuf compiler: `etcd-client` compiles etcd's service descriptions when it is built.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    process,
    scratch::{self, Scratch},
};

/// `PROTOC`, else `protoc` on the `PATH`, else the one that the crate `protoc-bin-vendored` carries.
pub(crate) fn find(tools: &Path) -> Result<PathBuf> {
    if let Some(file) = std::env::var_os("PROTOC").map(PathBuf::from).or_else(|| process::on_path("protoc")) {
        return Ok(file);
    }
    let carried = protoc_bin_vendored::protoc_bin_path()
        .context("no protoc on the PATH and none is carried for this platform; hint: apt-get install protobuf-compiler")?;
    runnable(&carried, tools)
}

/// The file itself, or a copy that may be executed where the crate was unpacked without that permission.
fn runnable(carried: &Path, tools: &Path) -> Result<PathBuf> {
    if process::is_executable(carried) {
        return Ok(carried.to_owned());
    }
    // Same layout as in the crate: protoc looks for the well-known types in `../include`.
    let folder = tools.join("protoc");
    let file = folder.join("bin").join("protoc");
    if process::is_executable(&file) {
        return Ok(file);
    }
    let scratch = Scratch::new(tools, &format!("protoc-{}", std::process::id()))?;
    let copy = scratch.path().join("bin").join("protoc");
    fs::create_dir_all(scratch.path().join("bin"))?;
    fs::copy(carried, &copy).with_context(|| format!("failed to copy {}", carried.display()))?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
    if let Some(include) =
        carried.parent().and_then(Path::parent).map(|root| root.join("include")).filter(|dir| dir.is_dir())
    {
        scratch::copy_tree(&include, &scratch.path().join("include"))?;
    }
    scratch.publish(scratch.path(), &folder)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carried_protoc_without_permission_is_copied_with_its_types() {
        let root = std::env::temp_dir().join(format!("xtask-protoc-{}", std::process::id()));
        fs::create_dir_all(root.join("crate/bin")).unwrap();
        fs::create_dir_all(root.join("crate/include/google")).unwrap();
        fs::write(root.join("crate/bin/protoc"), "#!/bin/sh\n").unwrap();
        fs::write(root.join("crate/include/google/any.proto"), "x").unwrap();
        let file = runnable(&root.join("crate/bin/protoc"), &root.join("tools")).unwrap();
        assert_eq!(file, root.join("tools/protoc/bin/protoc"));
        assert!(process::is_executable(&file) && root.join("tools/protoc/include/google/any.proto").is_file());
        scratch::remove(&root).unwrap();
    }
}
