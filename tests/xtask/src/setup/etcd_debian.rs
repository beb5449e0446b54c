//! etcd from Debian's packages: 3.4.23 of bookworm and 3.5.16 of trixie, with their `etcdctl`.

use std::fs;

use anyhow::{Context as _, Result};

use super::{
    debian::PrivateApt,
    etcd::{self, Source},
};
use crate::{context::Context, say};

const FIX: &str = "RUNNER_DEBIAN_MIRROR=<URL of a Debian mirror> cargo xtask setup   # needs apt-get and dpkg-deb";

/// Oldest first. Testing and unstable are left alone: they move under us.
pub(crate) const SOURCES: &[Source] = &[
    Source { line: "3.4", name: "Debian bookworm", obtain, fix: FIX },
    Source { line: "3.5", name: "Debian trixie", obtain, fix: FIX },
];

fn obtain(context: &Context, source: &Source) -> Result<()> {
    say::timed(&format!("etcd {}: unpacking the packages of {}", source.line, source.name), || {
        let suite = source.name.split(' ').next_back().context("a source without a suite")?;
        let apt = PrivateApt::open(context, suite)?;
        let programs = apt.unpack(&["etcd-server", "etcd-client"])?.join("usr/bin");
        for entry in fs::read_dir(&programs).context("the packages hold no programs")? {
            let file = entry?.path();
            if !matches!(file.file_name().and_then(|name| name.to_str()), Some("etcd" | "etcdctl" | "etcdutl")) {
                fs::remove_file(&file)?;
            }
        }
        etcd::publish(context, source, apt.scratch(), &programs)
    })
}
