//! The table of `runner status`: members, alarms, quorum; for people and for machines.

use console::{measure_text_width, truncate_str};
use serde_json::{Value, json};

use super::human;
use super::printer::Style;
use super::text::{pad, pad_left, wrap};
use crate::cluster::{AlarmKind, MemberId, MemberView, View};

/// A column: its heading, whether it holds numbers, and how soon it is left out where there is no room (0 is never).
const COLUMNS: [(&str, bool, u8); 9] = [
    ("NAME", false, 0),
    ("ID", false, 4),
    ("ROLE", false, 0),
    ("HEALTH", false, 0),
    ("VERSION", false, 2),
    ("DB SIZE", true, 3),
    ("APPLIED", true, 5),
    ("LAG", true, 1),
    ("ENDPOINT", false, 6),
];

/// The narrowest that a column is made before columns are left out.
const NARROWEST: usize = 16;

/// The table as text: aligned, no wider than `width` (names and endpoints are cut, then columns left out), with what is wrong
/// below it. Ends without a line break.
pub fn text(view: &View, style: Style, width: Option<usize>) -> String {
    // etcd's own order is by id, which tells a person nothing.
    let mut members: Vec<&MemberView> = view.members.iter().collect();
    members.sort_by_key(|m| (m.member.name.is_empty(), &m.member.name));
    let rows: Vec<[String; 9]> = members.iter().map(|m| row(view, m, style)).collect();
    let mut lines = table(&rows, &members, view.leader, style, width);
    lines.push(String::new());
    lines.extend(sentences(view, style, width.unwrap_or(usize::MAX)));
    lines.join("\n")
}

/// The same for machines. Fields may be added; those that are here stay.
pub fn json(view: &View) -> Value {
    let members: Vec<Value> = view.members.iter().map(|m| member_json(view, m)).collect();
    let alarms: Vec<Value> = view.alarms.iter().map(|a| json!({"member": a.member, "kind": a.kind})).collect();
    let silent: Vec<Value> = view.silent.iter().map(|e| json!({"endpoint": e.endpoint, "error": e.message})).collect();
    json!({
        "clusterId": format!("{:x}", view.cluster_id),
        "observedAt": view.observed_at,
        "leader": view.leader,
        "voters": view.voters().count(),
        "healthyVoters": view.healthy_voters(),
        "quorum": view.quorum(),
        "faultTolerance": view.fault_tolerance(),
        "members": members,
        "alarms": alarms,
        "silentEndpoints": silent,
    })
}

fn member_json(view: &View, m: &MemberView) -> Value {
    let status = m.status.as_ref().ok();
    json!({
        "id": m.member.id,
        "name": m.member.name,
        "started": m.member.started(),
        "learner": m.member.learner,
        "leader": view.leader == Some(m.member.id),
        "healthy": m.healthy(),
        "version": status.map(|s| &s.version),
        "dbSize": status.map(|s| s.db_size),
        "dbSizeInUse": status.map(|s| s.db_size_in_use),
        "raftIndex": status.map(|s| s.raft_index),
        "raftAppliedIndex": status.map(|s| s.raft_applied_index),
        "raftTerm": status.map(|s| s.raft_term),
        "lag": lag(view, m),
        "roundTripUs": status.map(|s| s.round_trip.as_micros() as u64),
        "endpoint": m.endpoint,
        "peerUrls": m.member.peer_urls,
        "clientUrls": m.member.client_urls,
        "errors": status.map(|s| &s.errors),
        "error": m.status.as_ref().err().map(|e| &e.message),
    })
}

/// Entries that the member has yet to apply of those that the leader knows to be committed. The two were asked side by side,
/// not at one moment: a busy cluster shows a few.
fn lag(view: &View, m: &MemberView) -> Option<u64> {
    let leader = view.leader_view()?.status.as_ref().ok()?;
    let own = m.status.as_ref().ok()?;
    if view.leader == Some(m.member.id) {
        return Some(0);
    }
    Some(leader.raft_index.saturating_sub(own.raft_applied_index))
}

fn row(view: &View, m: &MemberView, style: Style) -> [String; 9] {
    let none = || "-".to_owned();
    let status = m.status.as_ref().ok();
    let leader = view.leader == Some(m.member.id);
    let role = match (m.member.learner, leader) {
        (true, _) => "learner",
        (false, true) => "leader *",
        (false, false) => "voter",
    };
    let health = match &m.status {
        Ok(s) if s.leader.is_none() => "no leader",
        Ok(s) if !s.errors.is_empty() => "degraded",
        Ok(_) => "healthy",
        Err(_) if !m.member.started() => "not started",
        Err(_) => "unreachable",
    };
    [
        if m.member.name.is_empty() { none() } else { style.clean(&m.member.name) },
        m.member.id.to_string(),
        role.to_owned(),
        health.to_owned(),
        status.map_or_else(none, |s| style.clean(&s.version)),
        status.map_or_else(none, |s| human::bytes(s.db_size)),
        status.map_or_else(none, |s| style.count(s.raft_applied_index)),
        lag(view, m).map_or_else(none, |lag| style.count(lag)),
        m.endpoint.as_deref().map_or_else(none, |e| style.clean(e)),
    ]
}

fn table(
    rows: &[[String; 9]],
    members: &[&MemberView],
    leader: Option<MemberId>,
    style: Style,
    width: Option<usize>,
) -> Vec<String> {
    let mut widths = COLUMNS.map(|(heading, ..)| heading.len());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(measure_text_width(cell));
        }
    }
    let shown = fit(&mut widths, width.unwrap_or(usize::MAX));
    let cut = style.sign("…", "~");
    let line = |cells: &[String], dress: &dyn Fn(usize, &str) -> String| {
        let cells = shown.iter().map(|i| {
            let cell = truncate_str(&cells[*i], widths[*i], cut);
            let aligned = if COLUMNS[*i].1 { pad_left(&cell, widths[*i]) } else { pad(&cell, widths[*i]) };
            dress(*i, &aligned)
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let headings = COLUMNS.map(|(heading, ..)| heading.to_owned());
    let mut lines = vec![line(&headings, &|_, cell| style.dim(cell))];
    for (row, member) in rows.iter().zip(members) {
        lines.push(line(row, &|column, cell| match column {
            0 | 2 if leader == Some(member.member.id) => style.bold(cell),
            2 if member.member.learner => style.cyan(cell),
            3 => match row[3].as_str() {
                "healthy" => style.green(cell),
                "degraded" | "not started" => style.yellow(cell),
                _ => style.red(cell),
            },
            _ => cell.to_owned(),
        }));
    }
    lines
}

/// Narrows the widest columns, then leaves out columns, until the table fits; returns the columns that are shown.
fn fit(widths: &mut [usize; 9], room: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..COLUMNS.len()).collect();
    loop {
        let needed: usize = shown.iter().map(|i| widths[*i]).sum::<usize>() + 2 * shown.len().saturating_sub(1);
        if needed <= room {
            return shown;
        }
        // Only what has no meaning cut out of it: the endpoint and the name; never a number or an id.
        let surplus = needed - room;
        let cuttable = |i: &usize| (*i == 8 || *i == 0) && widths[*i] > NARROWEST;
        if let Some(i) = shown.iter().copied().filter(cuttable).max_by_key(|i| widths[*i]) {
            widths[i] = widths[i].saturating_sub(surplus).max(NARROWEST);
            continue;
        }
        match shown.iter().copied().filter(|i| COLUMNS[*i].2 > 0).max_by_key(|i| COLUMNS[*i].2) {
            Some(least) => shown.retain(|i| *i != least),
            None => return shown,
        }
    }
}

/// What the table does not say: quorum, alarms, and why a member is not healthy.
fn sentences(view: &View, style: Style, width: usize) -> Vec<String> {
    let (voters, healthy, quorum) = (view.voters().count(), view.healthy_voters(), view.quorum());
    let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let text = format!("{}, {healthy} healthy, quorum {quorum}:", counted(voters, "voter"));
    let more = view.fault_tolerance();
    let (text, dress): (String, fn(Style, &str) -> String) = if healthy < quorum {
        (format!("{text} the cluster has no quorum and accepts no writes"), Style::alarm)
    } else if more == 0 {
        (format!("{text} the cluster stops if one more is lost"), Style::yellow)
    } else {
        (format!("{text} the cluster survives the loss of {more} more"), |_, text| text.to_owned())
    };
    let mut lines: Vec<String> = wrap(&text, width).iter().map(|l| dress(style, l)).collect();
    for alarm in &view.alarms {
        let member = view.get(alarm.member).map_or_else(|| alarm.member.to_string(), |m| style.clean(&m.member.label()));
        let text = match alarm.kind {
            AlarmKind::Nospace => {
                format!("alarm NOSPACE on {member}: its database has reached the quota, writes are refused")
            }
            AlarmKind::Corrupt => format!("alarm CORRUPT on {member}: its data differs from the other members'"),
            AlarmKind::Unknown => format!("an alarm on {member} of a kind that this runner does not know"),
        };
        lines.extend(wrap(&text, width).iter().map(|l| style.red(l)));
    }
    for m in &view.members {
        let name = style.clean(&m.member.label());
        let said = match &m.status {
            Err(error) => vec![error.to_string()],
            Ok(status) => status.errors.clone(),
        };
        for said in said {
            let said = style.clean(&said);
            let text = if said.starts_with(&name) { said } else { format!("{name}: {said}") };
            lines.extend(wrap(&text, width).iter().map(|l| style.yellow(l)));
        }
    }
    for error in &view.silent {
        // A member that is in the table has said so above.
        if !view.members.iter().any(|m| m.status.as_ref().is_err_and(|e| e.endpoint == error.endpoint)) {
            let text = format!("no answer from a given endpoint: {}", style.clean(&error.to_string()));
            lines.extend(wrap(&text, width).iter().map(|l| style.yellow(l)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::{Alarm, ClusterError, Member, MemberId, MemberStatus, Reason};

    const UNICODE: Style = Style { color: false, unicode: true };

    fn member(n: u64, name: &str, learner: bool, applied: Option<u64>) -> MemberView {
        let id = MemberId(0x8e9e_05c5_2164_6940 + n);
        let endpoint = format!("https://10.0.0.{n}:2379");
        let status = applied.map(|applied| MemberStatus {
            cluster_id: 0xcafe,
            member_id: id,
            version: "3.6.4".to_owned(),
            db_size: 108_003_328,
            db_size_in_use: 90_000_000,
            leader: Some(MemberId(0x8e9e_05c5_2164_6941)),
            raft_index: 161_803,
            raft_applied_index: applied,
            raft_term: 7,
            learner,
            errors: Vec::new(),
            round_trip: Duration::from_micros(420),
        });
        let urls = if name.is_empty() { vec![] } else { vec![endpoint.clone()] };
        MemberView {
            member: Member {
                id,
                name: name.to_owned(),
                peer_urls: vec![format!("https://10.0.0.{n}:2380")],
                client_urls: urls.clone(),
                learner,
            },
            endpoint: urls.first().cloned(),
            status: status.ok_or_else(|| ClusterError::new(Reason::Unreachable, "connection refused", &endpoint)),
        }
    }

    fn view() -> View {
        View {
            cluster_id: 0xcafe,
            members: vec![
                member(1, "cp-1", false, Some(161_803)),
                member(2, "cp-2", false, Some(161_801)),
                member(3, "cp-3\u{1b}[2J", false, None),
                member(4, "", true, None),
            ],
            leader: Some(MemberId(0x8e9e_05c5_2164_6941)),
            alarms: vec![Alarm { member: MemberId(0x8e9e_05c5_2164_6942), kind: AlarmKind::Nospace }],
            observed_at: "2026-03-14T09:26:53.5Z".parse().unwrap(),
            silent: vec![
                ClusterError::new(Reason::Unreachable, "connection refused", "https://10.0.0.3:2379"),
                ClusterError::new(Reason::Tls, "the certificate is for another name", "https://cp.example.org:2379"),
            ],
        }
    }

    #[test]
    fn a_table() {
        insta::assert_snapshot!(text(&view(), UNICODE, None), @r#"
        NAME  ID                ROLE      HEALTH       VERSION    DB SIZE  APPLIED  LAG  ENDPOINT
        cp-1  8e9e05c521646941  leader *  healthy      3.6.4    103.0 MiB  161 803    0  https://10.0.0.1:2379
        cp-2  8e9e05c521646942  voter     healthy      3.6.4    103.0 MiB  161 801    2  https://10.0.0.2:2379
        cp-3  8e9e05c521646943  voter     unreachable  -                -        -    -  https://10.0.0.3:2379
        -     8e9e05c521646944  learner   not started  -                -        -    -  -

        3 voters, 2 healthy, quorum 2: the cluster stops if one more is lost
        alarm NOSPACE on cp-2: its database has reached the quota, writes are refused
        cp-3: connection refused (at https://10.0.0.3:2379)
        8e9e05c521646944 (not started): connection refused (at https://10.0.0.4:2379)
        no answer from a given endpoint: the certificate is for another name (at https://cp.example.org:2379)
        "#);
    }

    #[test]
    fn a_narrow_table_cuts_endpoints_and_then_columns() {
        insta::assert_snapshot!(text(&view(), UNICODE, Some(100)), @r#"
        NAME  ID                ROLE      HEALTH       VERSION    DB SIZE  APPLIED  LAG  ENDPOINT
        cp-1  8e9e05c521646941  leader *  healthy      3.6.4    103.0 MiB  161 803    0  https://10.0.0.1:2…
        cp-2  8e9e05c521646942  voter     healthy      3.6.4    103.0 MiB  161 801    2  https://10.0.0.2:2…
        cp-3  8e9e05c521646943  voter     unreachable  -                -        -    -  https://10.0.0.3:2…
        -     8e9e05c521646944  learner   not started  -                -        -    -  -

        3 voters, 2 healthy, quorum 2: the cluster stops if one more is lost
        alarm NOSPACE on cp-2: its database has reached the quota, writes are refused
        cp-3: connection refused (at https://10.0.0.3:2379)
        8e9e05c521646944 (not started): connection refused (at https://10.0.0.4:2379)
        no answer from a given endpoint: the certificate is for another name (at
        https://cp.example.org:2379)
        "#);
        insta::assert_snapshot!(text(&view(), Style::PLAIN, Some(60)), @r#"
        NAME  ROLE      HEALTH       VERSION    DB SIZE  LAG
        cp-1  leader *  healthy      3.6.4    103.0 MiB    0
        cp-2  voter     healthy      3.6.4    103.0 MiB    2
        cp-3  voter     unreachable  -                -    -
        -     learner   not started  -                -    -

        3 voters, 2 healthy, quorum 2: the cluster stops if one more
        is lost
        alarm NOSPACE on cp-2: its database has reached the quota,
        writes are refused
        cp-3: connection refused (at https://10.0.0.3:2379)
        8e9e05c521646944 (not started): connection refused (at
        https://10.0.0.4:2379)
        no answer from a given endpoint: the certificate is for
        another name (at https://cp.example.org:2379)
        "#);
    }

    #[test]
    fn a_healthy_cluster_has_little_to_say() {
        let mut view = view();
        view.members.truncate(2);
        view.members.push(member(3, "cp-3", false, Some(161_803)));
        (view.alarms, view.silent) = (Vec::new(), Vec::new());
        let text = text(&view, UNICODE, Some(120));
        assert!(text.ends_with("3 voters, 3 healthy, quorum 2: the cluster survives the loss of 1 more"), "{text}");
    }

    #[test]
    fn color_changes_no_word_and_every_line_fits() {
        for width in 20..140 {
            let plain = text(&view(), UNICODE, Some(width));
            let colored = text(&view(), Style { color: true, unicode: true }, Some(width));
            let stripped = console::strip_ansi_codes(&colored);
            assert!(colored.contains('\u{1b}') && !plain.contains('\u{1b}'));
            let trimmed = |t: &str| t.lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>();
            assert_eq!(trimmed(&stripped), trimmed(&plain));
            if width >= 50 {
                let widest = plain.lines().map(measure_text_width).max().unwrap();
                assert!(widest <= width, "{widest} > {width}:\n{plain}");
            }
        }
    }

    #[test]
    fn for_machines() {
        let json = json(&view());
        assert_eq!((&json["quorum"], &json["faultTolerance"], &json["healthyVoters"]), (&2.into(), &0.into(), &2.into()));
        assert_eq!(json["members"][1]["lag"], 2);
        assert_eq!(json["members"][0]["leader"], true);
        assert_eq!(json["members"][2]["error"], "connection refused");
        assert_eq!(json["members"][3]["started"], false);
        assert_eq!(json["alarms"][0]["kind"], "NOSPACE");
        assert_eq!(json["clusterId"], "cafe");
    }
}
