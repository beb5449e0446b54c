//! What is posted, in each format.

use serde_json::{Value, json};

use crate::story::Story;
use crate::{Format, Webhook, When};

/// The body; none where there is nothing to tell.
pub(crate) fn of(settings: &Webhook, story: &Story) -> Option<Value> {
    if settings.when == When::Trouble && story.went_well() {
        return None;
    }
    let headline = story.headline(settings.cluster.as_deref());
    match settings.format {
        Format::Json => json(settings, story),
        Format::Slack => Some(slack(&headline?, story)),
        Format::Teams => Some(teams(&headline?, story)),
    }
}

fn json(settings: &Webhook, story: &Story) -> Option<Value> {
    let events = story.events.iter().filter(|(kind, _)| settings.kinds.contains(kind));
    let events: Vec<&Value> = events.map(|(_, event)| event).collect();
    if events.is_empty() {
        return None;
    }
    let (start, end) = (story.start.as_ref(), story.end.as_ref());
    Some(json!({
        "source": "runner",
        "cluster": settings.cluster,
        "run": start.map(|start| &start.run),
        "operation": start.map(|start| &start.operation),
        "member": start.map(|start| &start.member),
        "outcome": end.map(|end| &end.outcome),
        "exitStatus": end.map(|end| end.exit_status),
        "message": end.map(|end| &end.message),
        "events": events,
    }))
}

/// Slack reads `&`, `<` and `>` as markup, and nothing else outside of it.
fn slack(headline: &str, story: &Story) -> Value {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut text = escaped(headline);
    for line in &story.lines {
        text.push_str("\n• ");
        text.push_str(&escaped(line));
    }
    json!({ "text": text })
}

fn teams(headline: &str, story: &Story) -> Value {
    let color = if story.went_well() { "Good" } else { "Attention" };
    let title = json!({ "type": "TextBlock", "text": plain(headline), "weight": "Bolder", "color": color, "wrap": true });
    let lines =
        story.lines.iter().map(|line| json!({ "type": "TextBlock", "text": plain(line), "wrap": true, "spacing": "Small" }));
    let body: Vec<Value> = std::iter::once(title).chain(lines).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
            },
        }],
    })
}

/// A card's text is a little markdown: what it would read as markup is escaped.
fn plain(text: &str) -> String {
    text.chars().flat_map(|c| ['\\'].into_iter().filter(move |_| "\\`*_[]".contains(c)).chain([c])).collect()
}
