//! A stand-in systemd: a `systemctl` and a `journalctl` that know one unit, for a `PATH` of a test's own.
//!
//! As much of the real ones as a launcher asks: units are read at `daemon-reload` only, a unit that fails is started again after its
//! `RestartSec`, and the journal has systemd's own words beside the program's. It was held against no real one here: no machine of the tests is
//! run by systemd. Its answers are those of the manuals systemctl(1), systemd.service(5) and journalctl(1).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `$0`'s folder is `bin`; beside it are `units` (the unit folder), `loaded` (what daemon-reload read), `state`.
const SYSTEMCTL: &str = r#"#!/bin/bash
base=$(dirname "$(dirname "$(readlink -f "$0")")")
units=$base/units; loaded=$base/loaded; state=$base/state
verb=$1; shift
[ -e "$base/broken" ] && { echo "Failed to connect to bus: No such file or directory" >&2; exit 1; }
unit=
for word in "$@"; do case $word in -*) ;; *) unit=$word;; esac; done
get() { cat "$state/$unit.$1" 2>/dev/null || echo "$2"; }
put() { echo "$2" > "$state/$unit.$1"; }
need() { [ -e "$loaded/$unit" ] || { echo "Failed to $verb $unit: Unit $unit not found." >&2; exit 5; }; }
setting() { sed -n "s/^$1=//p" "$loaded/$unit"; }
# Never of nothing, or of 0: that would be the whole process group, the tests with it.
end() { [ "${2:-0}" -gt 1 ] && kill "$1" "$2" 2>/dev/null; }
running() { end -0 "$(get pid)"; }
serve() {
  while :; do
    put active activating; put sub start
    (
      while IFS= read -r line; do
        case $line in ''|'#'*) continue;; esac
        value=${line#*=\"}; value=${value%\"}; value=${value//\\\"/\"}; value=${value//\\\\/\\}
        export "${line%%=*}=$value"
      done < "$(setting EnvironmentFile)"
      exec $(setting ExecStart)
    ) >> "$state/$unit.log" 2>&1 < /dev/null &
    main=$!
    put main $main; put active active; put sub running
    wait $main; code=$?
    [ -e "$state/$unit.stopping" ] && break
    [ $code = 0 ] && { put active inactive; put sub dead; put pid 0; exit; }
    echo "$unit: Main process exited, code=exited, status=$code/FAILURE" >> "$state/$unit.own"
    put active activating; put sub auto-restart
    sleep 0.5
    put restarts $(($(get restarts 0) + 1))
  done
  put active inactive; put sub dead; put pid 0
}
case $verb in
  daemon-reload) rm -f "$loaded"/*; cp "$units"/*.service "$loaded"/ 2>/dev/null; true;;
  enable) need; ln -sf "$loaded/$unit" "$state/$unit.enabled";;
  disable) rm -f "$state/$unit.enabled";;
  start) need; running && exit 0
    rm -f "$state/$unit.stopping"; put restarts 0
    serve > /dev/null 2>&1 < /dev/null & put pid $!;;
  stop) need; : > "$state/$unit.stopping"
    end -TERM "$(get main)"
    while running; do sleep 0.05; done
    put active inactive; put sub dead;;
  reset-failed) [ -e "$loaded/$unit" ] || exit 1; rm -f "$state/$unit.restarts";;
  show)
    echo "ActiveState=$(get active inactive)"; echo "SubState=$(get sub dead)"; echo "NRestarts=$(get restarts 0)"
    echo "FragmentPath=$([ -e "$loaded/$unit" ] && echo "$units/$unit")";;
  *) echo "Unknown command verb $verb." >&2; exit 1;;
esac
"#;

const JOURNALCTL: &str = r#"#!/bin/bash
base=$(dirname "$(dirname "$(readlink -f "$0")")")
unit=; own=1; lines=1000
while [ $# -gt 0 ]; do
  case $1 in --unit) unit=$2; shift;; --identifier) own=; shift;; --since|-o) shift;; -n) lines=$2; shift;; esac
  shift
done
{ cat "$base/state/$unit.log" 2>/dev/null; [ -n "$own" ] && cat "$base/state/$unit.own" 2>/dev/null; } | tail -n "$lines"
"#;

/// The programs and folders of a stand-in systemd.
pub struct Systemd {
    /// Where units are written: `--unit-dir`.
    pub units: PathBuf,
    base: PathBuf,
}

impl Systemd {
    /// Makes its folders and programs under `folder`, which is in a scratch: what it runs ends with that.
    pub fn under(folder: &Path) -> Self {
        let systemd = Self { units: folder.join("units"), base: folder.to_owned() };
        for name in ["bin", "units", "loaded", "state"] {
            fs::create_dir_all(folder.join(name)).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        }
        for (name, script) in [("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)] {
            let path = folder.join("bin").join(name);
            fs::write(&path, script).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
        }
        systemd
    }

    /// The command finds these programs before any real ones.
    pub fn serve(&self, command: &mut Command) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(self.base.join("bin")).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(all).expect("no colon in a scratch's path"));
    }

    /// From now on every question fails, as on a machine that systemd does not run.
    pub fn break_down(&self) {
        fs::write(self.base.join("broken"), "").expect("our own folder");
    }

    /// The units that are enabled.
    pub fn enabled(&self) -> Vec<String> {
        let entries = fs::read_dir(self.base.join("state")).expect("our own folder").flatten();
        let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
        names.filter_map(|name| name.strip_suffix(".enabled").map(str::to_owned)).collect()
    }

    /// The files in the unit folder, hidden ones too.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.units).expect("our own folder").flatten();
        let mut names: Vec<_> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
