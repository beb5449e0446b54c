//! What is run, and in which order: nothing but command lines.

use super::done::Done;
use super::phases::{self, Known};

/// A part of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// kubeadm looks at the node and writes certificates, kubeconfigs and the control plane's manifests. Nothing runs yet.
    Prepare,
    /// runner asks whether the cluster would take a member now.
    Check,
    /// kubeadm starts the kubelet.
    Kubelet,
    /// runner joins etcd's member.
    Member,
    /// kubeadm does the rest.
    Finish,
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which part it does.
    pub part: Part,
    /// The program and its arguments. For runner's own parts it is what a person would type.
    pub words: Vec<String>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// In their order.
    pub lines: Vec<Line>,
}

/// What a plan is made of.
#[derive(Clone, Debug)]
pub struct Makings<'a> {
    /// The kubeadm program, as it is to be called.
    pub program: &'a str,
    /// Its phases.
    pub known: Known,
    /// kubeadm's configuration file.
    pub config: &'a str,
    /// The phases that the file itself skips: a flag is in the place of the file's list, so they have to be named again.
    pub skipped_by_file: &'a [String],
    /// runner's own arguments, from `--config` on.
    pub runner: &'a [String],
}

impl Plan {
    /// The parts one after the other, without those that are done.
    ///
    /// runner's check comes as early as it can: before everything where the certificates for it are there already (`can_check`), else
    /// right after kubeadm has fetched them. Neither the kubelet nor etcd is started before it.
    pub fn driven(makings: &Makings<'_>, done: &Done, can_check: bool) -> Self {
        let mut lines = Vec::new();
        if !done.prepared {
            // kubeadm's preflight refuses a node on which it has begun, by design (kubernetes/kubeadm#2095).
            let all = [phases::PREFLIGHT, phases::PREPARE];
            lines.push(makings.kubeadm(Part::Prepare, if done.begun { &all[1..] } else { &all }));
        }
        lines.insert(if can_check { 0 } else { lines.len() }, makings.runner(Part::Check, "check"));
        if !done.kubelet_started {
            lines.push(makings.kubeadm(Part::Kubelet, &[phases::KUBELET_START]));
        }
        lines.push(makings.runner(Part::Member, "join"));
        lines.push(makings.finish());
        Self { lines }
    }

    /// The same as three commands for a person to type: kubeadm up to etcd, etcd's member, kubeadm's rest.
    pub fn documented(makings: &Makings<'_>) -> Self {
        let before = [phases::PREFLIGHT, phases::PREPARE, phases::KUBELET_START];
        Self { lines: vec![makings.kubeadm(Part::Prepare, &before), makings.runner(Part::Member, "join"), makings.finish()] }
    }
}

impl Makings<'_> {
    fn finish(&self) -> Line {
        let before = [phases::PREFLIGHT, phases::PREPARE, phases::CHECK_ETCD, phases::KUBELET_START];
        let rest: Vec<&str> = self.known.phases().into_iter().filter(|phase| !before.contains(phase)).collect();
        self.kubeadm(Part::Finish, &rest)
    }

    /// kubeadm with every phase skipped but these, and never one in which etcd's member would join.
    fn kubeadm(&self, part: Part, run: &[&str]) -> Line {
        let etcd = self.known.etcd_phases();
        let all = self.known.phases();
        let mut skip: Vec<&str> = all.into_iter().filter(|phase| !run.contains(phase) || etcd.contains(phase)).collect();
        // A phase within one that is skipped as a whole goes with it.
        let inside = |phase: &&&str| phase.split_once('/').is_some_and(|(outer, _)| !skip.contains(&outer));
        let within: Vec<&str> = etcd.iter().filter(inside).copied().collect();
        skip.extend(within);
        let more = self.skipped_by_file.iter().map(String::as_str).filter(|phase| !skip.contains(phase));
        let skip: Vec<&str> = skip.iter().copied().chain(more).collect();
        let words = [
            self.program.to_owned(),
            "join".to_owned(),
            format!("--config={}", self.config),
            format!("--skip-phases={}", skip.join(",")),
        ];
        Line { part, words: words.into() }
    }

    fn runner(&self, part: Part, command: &str) -> Line {
        let mut words = vec!["runner".to_owned(), command.to_owned()];
        words.extend(self.runner.iter().cloned());
        Line { part, words }
    }
}

impl Part {
    /// What it does, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Prepare => "kubeadm prepares the node: certificates, kubeconfigs, manifests",
            Self::Check => "runner asks whether the cluster would take a member",
            Self::Kubelet => "kubeadm starts the kubelet",
            Self::Member => "runner joins etcd's member",
            Self::Finish => "kubeadm does the rest: bootstrap, labels and taints, waiting for the control plane",
        }
    }
}

/// A command line that a shell takes as it is meant.
pub fn shell(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+%".contains(c);
    let quoted = |word: &String| match !word.is_empty() && word.chars().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
