//! The first line of a file that runner writes for a member (a manifest, a unit): by it runner knows its own, and whose it is.

use crate::cluster::MemberId;
use crate::pipeline::Identity;

/// What the line begins with.
pub(super) const MARK: &str = "# Written by runner for the etcd member ";

const IDS: &str = " (member ";
const CLUSTER: &str = " of cluster ";
const END: &str = "); removed when its join is undone.";

/// The line for this member, without its end. The first member of a cluster has no ids before it starts.
pub(super) fn line(name: &str, identity: Option<&Identity>) -> String {
    match identity {
        Some(Identity { cluster_id, member_id }) => format!("{MARK}{name}{IDS}{member_id}{CLUSTER}{cluster_id:x}{END}"),
        None => format!("{MARK}{name}; removed when its join is undone."),
    }
}

/// Whose the file is that begins with this line; none where the line names no ids: the first member's, or one of runner 0.1.0's.
pub(super) fn identity(text: &str) -> Option<Identity> {
    let line = text.lines().next()?.strip_prefix(MARK)?.strip_suffix(END)?;
    // From the end: a name may hold anything.
    let (rest, cluster) = line.rsplit_once(CLUSTER)?;
    let (_, member) = rest.rsplit_once(IDS)?;
    let number = |hex: &str| u64::from_str_radix(hex, 16).ok();
    Some(Identity { cluster_id: number(cluster)?, member_id: MemberId(number(member)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_whose_it_is() {
        let whose = Identity { cluster_id: 0x1a2b, member_id: MemberId(0xbeef) };
        let text = line("n2", Some(&whose));
        assert_eq!(
            text,
            "# Written by runner for the etcd member n2 (member beef of cluster 1a2b); removed when its join is undone."
        );
        assert_eq!(identity(&format!("{text}\napiVersion: v1\n")), Some(whose));
        let odd = line("a (member 1 of cluster 2); removed when its join is undone.", Some(&whose));
        assert_eq!(identity(&odd), Some(whose));
        assert_eq!(identity(&line("n1", None)), None);
        assert_eq!(identity("apiVersion: v1\n"), None);
    }
}
