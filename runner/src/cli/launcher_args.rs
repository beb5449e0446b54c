//! Who starts the member's etcd, and what that one needs to know.

use std::path::PathBuf;

use super::bad_input;
use super::cluster_args::absolute;
use super::defaults::Defaults;
use super::member_args::{MemberArgs, Planned};
use super::setup::ChosenLauncher;
use super::word_args::word;
use crate::launch::{StaticPodConfig, SystemdConfig, listen_client_urls};
use crate::pipeline::Failure;
use crate::pki::Pki;
use crate::terms::LauncherKind;

/// Who starts the member.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Launcher")]
pub(super) struct LauncherArgs {
    /// Who starts the member's etcd [default: process]
    #[arg(long, value_parser = word::<LauncherKind>(&[
        "runner, as a process of its own that outlives it",
        "The kubelet, as a static pod with a manifest like kubeadm's",
        "systemd, as a unit",
        "Somebody else: runner prints the exact flags and waits for the member to appear",
    ]))]
    launcher: Option<LauncherKind>,
    /// The image of a static pod's etcd, for example registry.k8s.io/etcd:3.6.5-0
    #[arg(long, value_name = "REF")]
    image: Option<String>,
    /// Which etcd will be started, where neither the program nor the image's tag tells
    #[arg(long, value_name = "VERSION")]
    etcd_version: Option<String>,
    /// Where the kubelet looks for static pods [default: what the kubelet's configuration says, or /etc/kubernetes/manifests]
    #[arg(long, value_name = "DIR")]
    manifests_dir: Option<PathBuf>,
    /// The kubelet's configuration, read for its folders [default: /var/lib/kubelet/config.yaml]
    #[arg(long, value_name = "FILE")]
    kubelet_config: Option<PathBuf>,
    /// The name of the systemd unit [default: etcd]
    #[arg(long, value_name = "NAME")]
    unit_name: Option<String>,
    /// Where the systemd unit is written [default: /etc/systemd/system]
    #[arg(long, value_name = "DIR")]
    unit_dir: Option<PathBuf>,
}

impl LauncherArgs {
    /// Whether somebody else starts the member.
    pub(super) fn external(&self, defaults: &Defaults) -> bool {
        self.kind(defaults) == LauncherKind::External
    }

    /// Who starts it.
    pub(super) fn kind(&self, defaults: &Defaults) -> LauncherKind {
        self.launcher.unwrap_or(defaults.launcher)
    }

    /// Whether the command line names an image.
    pub(super) fn image_given(&self) -> bool {
        self.image.is_some()
    }

    /// The launcher and all that it needs; refuses options that are for another one.
    pub(super) fn chosen(
        &self,
        defaults: &Defaults,
        member: &MemberArgs,
        planned: &Planned,
        pki: Option<&Pki>,
        log_file: PathBuf,
    ) -> Result<ChosenLauncher, Failure> {
        let kind = self.kind(defaults);
        self.refuse_strangers(kind)?;
        match kind {
            LauncherKind::Process => Ok(ChosenLauncher::Process(member.process(defaults, planned, pki, log_file)?)),
            LauncherKind::StaticPod => Ok(ChosenLauncher::StaticPod(self.static_pod(defaults, member, planned, pki))),
            LauncherKind::Systemd => Ok(ChosenLauncher::Systemd(self.systemd(defaults, member, planned, pki)?)),
            LauncherKind::External => {
                let external = member.external(defaults, pki)?;
                Ok(ChosenLauncher::External(crate::launch::ExternalConfig {
                    version: self.etcd_version.clone(),
                    ..external
                }))
            }
        }
    }

    fn static_pod(&self, defaults: &Defaults, member: &MemberArgs, planned: &Planned, pki: Option<&Pki>) -> StaticPodConfig {
        let usual = StaticPodConfig::default();
        let mut member = member.config(defaults, planned, pki);
        member.listen_client_urls = member.listen_client_urls.map(|urls| listen_client_urls(&urls));
        StaticPodConfig {
            image: self.image.clone().or_else(|| defaults.node.image.clone()).unwrap_or_default(),
            etcd_version: self.etcd_version.clone(),
            manifests_dir: self.manifests_dir.clone().map(absolute).or_else(|| defaults.manifests_dir.clone()),
            kubelet_config: self.kubelet_config.clone().map_or_else(|| defaults.kubelet_config.clone(), absolute),
            startup_timeout: defaults.node.startup_timeout.unwrap_or(usual.startup_timeout),
            member,
        }
    }

    fn systemd(
        &self,
        defaults: &Defaults,
        member: &MemberArgs,
        planned: &Planned,
        pki: Option<&Pki>,
    ) -> Result<SystemdConfig, Failure> {
        Ok(SystemdConfig {
            etcd: member.program(defaults)?,
            unit: self.unit_name.clone().unwrap_or_else(|| defaults.unit_name.clone()),
            unit_dir: self.unit_dir.clone().map_or_else(|| defaults.unit_dir.clone(), absolute),
            member: member.config(defaults, planned, pki),
        })
    }

    fn refuse_strangers(&self, kind: LauncherKind) -> Result<(), Failure> {
        use LauncherKind::{External, StaticPod, Systemd};
        let rules: [(&str, bool, &[LauncherKind]); 6] = [
            ("--image", self.image.is_some(), &[StaticPod]),
            ("--manifests-dir", self.manifests_dir.is_some(), &[StaticPod]),
            ("--kubelet-config", self.kubelet_config.is_some(), &[StaticPod]),
            ("--etcd-version", self.etcd_version.is_some(), &[StaticPod, External]),
            ("--unit-name", self.unit_name.is_some(), &[Systemd]),
            ("--unit-dir", self.unit_dir.is_some(), &[Systemd]),
        ];
        match rules.iter().find(|(_, given, of)| *given && !of.contains(&kind)) {
            None => Ok(()),
            Some((flag, _, of)) => {
                let names: Vec<_> = of.iter().map(|kind| format!("--launcher {}", kind.name())).collect();
                Err(bad_input(format!("{flag} is for {}", names.join(" and ")))
                    .hint(format!("give that, too, or leave {flag} away")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_another_launcher_are_refused() {
        let args = LauncherArgs { image: Some("etcd:3.6.5-0".into()), ..LauncherArgs::default() };
        assert_eq!(
            args.refuse_strangers(LauncherKind::Process).unwrap_err().problem.message,
            "--image is for --launcher static-pod"
        );
        assert!(args.refuse_strangers(LauncherKind::StaticPod).is_ok());
        let args = LauncherArgs { etcd_version: Some("3.6.5".into()), ..LauncherArgs::default() };
        let said = args.refuse_strangers(LauncherKind::Process).unwrap_err().problem.message;
        assert_eq!(said, "--etcd-version is for --launcher static-pod and --launcher external");
    }
}
