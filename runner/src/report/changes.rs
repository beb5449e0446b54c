//! What became of a member list: the difference between before and after.

use super::printer::Style;
use super::text::pad;
use crate::cluster::{Member, MemberList};

/// Every member of either list, a line each, marked where something changed: `+` added, `-` removed, `^` promoted, `~` renamed
/// or with other URLs. Ends without a line break.
pub fn text(before: &MemberList, after: &MemberList, style: Style) -> String {
    let mut lines = Vec::new();
    for member in &before.members {
        match after.get(member.id) {
            None => lines.push(('-', member, "removed".to_owned())),
            Some(now) => lines.push(changed(member, now)),
        }
    }
    let new = after.members.iter().filter(|m| before.get(m.id).is_none());
    lines.extend(new.map(|m| ('+', m, "added".to_owned())));
    lines.sort_by_key(|(_, m, _)| (m.name.is_empty(), m.name.clone()));

    let name = |m: &Member| if m.name.is_empty() { "(not started)".to_owned() } else { style.clean(&m.name) };
    let names = lines.iter().map(|(_, m, _)| console::measure_text_width(&name(m))).max().unwrap_or_default();
    let ids = lines.iter().map(|(_, m, _)| m.id.to_string().len()).max().unwrap_or_default();
    let line = |(mark, m, what): &(char, &Member, String)| {
        let role = if m.learner { "learner" } else { "voter" };
        let line = format!("{mark} {}  {}  {role:<7}  {what}", pad(&name(m), names), pad(&m.id.to_string(), ids));
        let line = line.trim_end();
        match mark {
            '+' | '^' => style.green(line),
            '-' => style.red(line),
            '~' => style.yellow(line),
            _ => line.to_owned(),
        }
    };
    let mut text: Vec<String> = lines.iter().map(line).collect();
    if lines.iter().all(|(mark, ..)| *mark == ' ') {
        let (count, s) = (lines.len(), if lines.len() == 1 { "" } else { "s" });
        text.push(style.dim(&format!("no change: {count} member{s} before and after")));
    }
    text.join("\n")
}

fn changed<'a>(before: &Member, now: &'a Member) -> (char, &'a Member, String) {
    let mut what = Vec::new();
    if before.learner != now.learner {
        what.push(if now.learner { "now a learner" } else { "promoted" });
    }
    if before.name != now.name {
        what.push(if before.name.is_empty() { "started" } else { "renamed" });
    }
    if !now.has_peer_urls(&before.peer_urls) {
        what.push("other peer URLs");
    }
    if before.started() && before.client_urls != now.client_urls {
        what.push("other client URLs");
    }
    let mark = match what.as_slice() {
        [] => ' ',
        ["promoted", ..] => '^',
        _ => '~',
    };
    (mark, now, what.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::MemberId;

    fn member(id: u64, name: &str, learner: bool) -> Member {
        let peer_urls = vec![format!("https://10.0.0.{id}:2380")];
        Member { id: MemberId(id), name: name.to_owned(), peer_urls, client_urls: Vec::new(), learner }
    }

    fn list(members: Vec<Member>) -> MemberList {
        MemberList { cluster_id: 1, members }
    }

    #[test]
    fn what_changed() {
        let before = list(vec![
            member(0x8e9e, "cp-1", false),
            member(0x2, "cp-2", true),
            member(0x33, "", true),
            member(0x4, "old", false),
        ]);
        let mut moved = member(0x33, "cp-3", true);
        moved.peer_urls = vec!["https://10.9.9.9:2380".to_owned()];
        let after = list(vec![member(0x8e9e, "cp-1", false), member(0x2, "cp-2", false), moved, member(0x5, "", true)]);
        insta::assert_snapshot!(text(&before, &after, Style::PLAIN), @r#"
          cp-1           8e9e  voter
        ^ cp-2           2     voter    promoted
        ~ cp-3           33    learner  started, other peer URLs
        - old            4     voter    removed
        + (not started)  5     learner  added
        "#);
    }

    #[test]
    fn nothing_changed() {
        let same = list(vec![member(0x8e9e, "cp-1", false)]);
        insta::assert_snapshot!(text(&same, &same, Style::PLAIN), @r#"
          cp-1  8e9e  voter
        no change: 1 member before and after
        "#);
        assert_eq!(text(&list(vec![]), &list(vec![]), Style::PLAIN), "no change: 0 members before and after");
    }
}
