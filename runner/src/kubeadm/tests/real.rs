//! What is said here of kubeadm, against what the real one says of itself.

use super::*;

const KEPT: [u32; 3] = [33, 35, 36];

#[test]
fn the_phases_are_those_of_its_help() {
    for minor in KEPT {
        let help = kept(minor, "join-phases.txt");
        let outer = help.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_whitespace().next());
        let ours = Known::minor(minor).unwrap().phases();
        let shown: Vec<&str> = outer.collect();
        // Its help leaves out the hidden ones.
        let of_ours: Vec<&str> = ours.iter().copied().filter(|phase| shown.contains(phase)).collect();
        assert_eq!(of_ours, shown, "1.{minor}");
    }
}

#[test]
fn every_name_that_is_skipped_is_one_that_it_takes() {
    for minor in KEPT {
        let taken = kept(minor, "skippable.txt");
        let taken: Vec<&str> = taken.lines().collect();
        let plan = Plan::driven(&makings(minor, "kubeadm", &[]), &Done::default(), false);
        for line in plan.lines.iter().chain(&Plan::documented(&makings(minor, "kubeadm", &[])).lines) {
            for phase in skipped(line).iter().filter(|phase| !phase.is_empty()) {
                assert!(taken.contains(&phase.as_str()), "1.{minor} does not take {phase}");
            }
        }
        let etcd: Vec<&str> = taken.into_iter().filter(|phase| phase.contains("etcd") && *phase != "check-etcd").collect();
        assert_eq!(Known::minor(minor).unwrap().etcd_phases(), etcd, "1.{minor}");
    }
}

#[test]
fn its_version_is_understood() {
    for minor in KEPT {
        assert_eq!(program::Version::of_json(&kept(minor, "version.json")).unwrap().minor, minor);
    }
    for bad in ["", "{}", r#"{"clientVersion":{"gitVersion":"v2.0.0"}}"#, r#"{"clientVersion":{"gitVersion":"v1.x.0"}}"#] {
        assert_eq!(program::Version::of_json(bad), None, "{bad}");
    }
}
