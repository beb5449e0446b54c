//! Joins that are under way, for people.

use jiff::{SignedDuration, Timestamp};

use crate::kubernetes::{Joins, Names};
use crate::report::text::wrap;
use crate::report::{Style, human};

/// Sentences about the joins that Kubernetes shows, no wider than `width`; nothing where it shows none.
pub(super) fn text(joins: &Joins, names: &Names, now: Timestamp, style: Style, width: usize) -> Vec<String> {
    let mut sentences = Vec::new();
    let ago = |at: Option<Timestamp>| match at {
        Some(at) => format!("{} ago", human::duration(now.duration_since(at).max(SignedDuration::ZERO).unsigned_abs())),
        None => "at a time that it does not say".to_owned(),
    };
    if let Some(holder) = &joins.lease {
        let held = format!(
            "{} holds the join's Lease {}/{} (run {}), renewed {}",
            style.clean(&holder.node),
            names.namespace,
            names.lease,
            style.clean(&holder.run),
            ago(holder.renewed)
        );
        sentences.push(match holder.expired {
            true => format!("{held}: its run has ended or cannot reach Kubernetes, and the next join takes it over"),
            false => held,
        });
    }
    sentences.extend(joins.entries.iter().map(|entry| {
        let (node, phase, message) = (style.clean(&entry.node), style.clean(&entry.phase), style.clean(&entry.message));
        format!("{node}: {} at {phase}, {message} (written {})", entry.operation, ago(entry.updated))
    }));
    sentences.iter().flat_map(|sentence| wrap(sentence, width)).map(|line| style.yellow(&line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::{Entry, Holder};

    #[test]
    fn who_joins_and_how_far_it_is() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let joins = |expired| Joins {
            lease: Some(Holder { node: "cp-2".into(), run: "r-1".into(), renewed: Some(at(-3)), expired }),
            entries: vec![Entry {
                node: "cp-2".into(),
                run: "r-1".into(),
                operation: "join".into(),
                phase: "sync".into(),
                message: "waiting: 3 of 5 samples".into(),
                updated: Some(at(-1)),
            }],
        };
        let said = |joins: &Joins| text(joins, &Names::default(), at(0), Style::PLAIN, 200).join("\n");
        insta::assert_snapshot!(said(&joins(false)), @r"
        cp-2 holds the join's Lease kube-system/runner-etcd-join (run r-1), renewed 3.0 s ago
        cp-2: join at sync, waiting: 3 of 5 samples (written 1.0 s ago)
        ");
        assert!(said(&joins(true)).contains("cannot reach Kubernetes, and the next join takes it over"));
        assert_eq!(said(&Joins::default()), "");
    }
}
