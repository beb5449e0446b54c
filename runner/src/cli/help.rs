//! What `--help` says of defaults: the built-in ones stand in the flags' own texts; where a profile has others, its.

use std::path::Path;
use std::time::Duration;

use clap::Command;
use clap::builder::StyledStr;
use humantime::format_duration;

use super::defaults::Defaults;
use crate::terms::LauncherKind;

/// The command that starts etcd as a static pod unless told otherwise, whatever a profile says.
const KUBEADM_JOIN: &str = "kubeadm-join";

/// The command with the texts of these defaults in the place of the built-in ones.
pub(super) fn with_defaults(command: Command, defaults: &Defaults) -> Command {
    let built_in = Defaults::built_in();
    let everywhere = changed(&built_in, defaults);
    let mut with_pod = built_in.clone();
    with_pod.launcher = LauncherKind::StaticPod;
    let pod: Vec<_> = changed(&built_in, &with_pod);
    let others: Vec<_> = everywhere.iter().filter(|(flag, ..)| *flag != "launcher").cloned().collect();
    command.mut_subcommands(move |inner| match inner.get_name() == KUBEADM_JOIN {
        true => say(say(inner, &others), &pod),
        false => say(inner, &everywhere),
    })
}

/// A flag, what its text says, and what it is to say.
type Change = (&'static str, String, String);

fn changed(from: &Defaults, to: &Defaults) -> Vec<Change> {
    let both = texts(from).into_iter().zip(texts(to));
    both.filter(|(a, b)| a != b).map(|((flag, before), (_, after))| (flag, before, after)).collect()
}

fn say(command: Command, changes: &[Change]) -> Command {
    let changes = changes.to_vec();
    let inner = changes.clone();
    let own = command.mut_args(move |arg| {
        let change = changes.iter().find(|(flag, ..)| arg.get_long() == Some(flag));
        let help = arg.get_help().map(ToString::to_string);
        match (change, help) {
            (Some((_, before, after)), Some(help)) => {
                arg.help(StyledStr::from(help.replace(&bracketed(before), &bracketed(after))))
            }
            _ => arg,
        }
    });
    own.mut_subcommands(move |command| say(command, &inner))
}

fn bracketed(text: &str) -> String {
    format!("[default: {text}]")
}

/// Every flag whose default a profile can change, with what its text says of it.
fn texts(d: &Defaults) -> Vec<(&'static str, String)> {
    let path = |path: &Path| path.display().to_string();
    let time = |time: Duration| format_duration(time).to_string();
    let named = |value: Option<&Path>, usual: &str| value.map_or_else(|| usual.to_owned(), path);
    let kubelets = "what the kubelet's configuration says, or /etc/kubernetes/manifests";
    let of_user = "/var/lib/runner, or ~/.local/state/runner where one is not root";
    let plugins_of_user = "/var/lib/runner/plugins, or ~/.local/share/runner/plugins where one is not root";
    vec![
        ("pki-dir", path(&d.pki_dir)),
        ("data-dir", path(&d.data_dir)),
        ("etcd", if d.etcd == Path::new("etcd") { "the one on the PATH".to_owned() } else { path(&d.etcd) }),
        ("peer-port", d.peer_port.to_string()),
        ("client-port", d.client_port.to_string()),
        ("metrics-url", d.metrics_url.clone()),
        ("launcher", d.launcher.to_string()),
        ("manifests-dir", named(d.manifests_dir.as_deref(), kubelets)),
        ("kubelet-config", path(&d.kubelet_config)),
        ("unit-name", d.unit_name.clone()),
        ("unit-dir", path(&d.unit_dir)),
        ("state-dir", named(d.state_dir.as_deref(), of_user)),
        ("store", named(d.plugin_store.as_deref(), plugins_of_user)),
        ("kubeconfig", format!("those in KUBECONFIG, else {}, else this pod's service account", d.kubeconfig.display())),
        ("max-lag", d.gate.max_lag.to_string()),
        ("stability", time(d.gate.stability)),
        ("lock-timeout", time(d.timeouts.lock)),
        ("stale-learner", d.stale_learner.to_string()),
        ("silent-learner", d.silent_learner.to_string()),
        ("learner-timeout", time(d.timeouts.learner_slot)),
        (
            "start-timeout",
            format!("{}, or {} where somebody else starts it", time(d.timeouts.start), time(d.start_elsewhere)),
        ),
        ("stall-timeout", time(d.timeouts.stall)),
        ("approval-timeout", time(d.timeouts.approval)),
    ]
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Cli;
    use super::*;

    fn help(command: &Command, of: &str, flag: &str) -> String {
        let inner = command.find_subcommand(of).unwrap();
        let arg = inner.get_arguments().find(|arg| arg.get_long() == Some(flag));
        arg.and_then(|arg| arg.get_help()).map(ToString::to_string).unwrap_or_default()
    }

    /// Else a changed text would keep what a profile says out of the help, without a word.
    #[test]
    fn every_flag_says_its_built_in_default_in_these_words() {
        let command = Cli::command();
        for (flag, text) in texts(&Defaults::built_in()) {
            let said = help(&command, "join", flag);
            assert!(said.contains(&bracketed(&text)), "--{flag}: {said}");
        }
    }

    #[test]
    fn the_help_says_what_a_profile_says() {
        let defaults = Defaults {
            peer_port: 12380,
            launcher: LauncherKind::Systemd,
            unit_dir: "/run/units".into(),
            ..Defaults::built_in()
        };
        let command = with_defaults(Cli::command(), &defaults);
        assert!(help(&command, "join", "peer-port").ends_with("[default: 12380]"));
        assert!(help(&command, "init", "peer-port").ends_with("[default: 12380]"));
        assert!(help(&command, "join", "client-port").ends_with("[default: 2379]"));
        assert!(help(&command, "join", "launcher").ends_with("[default: systemd]"));
        assert!(help(&command, "join", "unit-dir").ends_with("[default: /run/units]"));
        assert!(help(&command, KUBEADM_JOIN, "peer-port").ends_with("[default: 12380]"));
    }

    #[test]
    fn kubeadm_s_way_is_a_static_pod() {
        let command = with_defaults(Cli::command(), &Defaults::built_in());
        assert!(help(&command, KUBEADM_JOIN, "launcher").ends_with("[default: static-pod]"));
        assert!(help(&command, "join", "launcher").ends_with("[default: process]"));
    }
}
