//! The answer of `runner plan`, for people and for machines.

use serde_json::{Value, json};

use super::phrases;
use super::printer::Style;
use crate::cluster::oracle::Forecast;

/// One line for each change and, where it is refused, one for what mends it. Ends without a line break.
pub fn text(forecasts: &[Forecast], style: Style) -> String {
    let lines = forecasts.iter().flat_map(|forecast| {
        let fix = forecast.fix.iter().map(|fix| format!("  remedy: {}", style.clean(fix)));
        std::iter::once(phrases::forecast(forecast, style)).chain(fix).collect::<Vec<_>>()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The same for machines. Fields may be added; those that are here stay.
pub fn json(forecasts: &[Forecast]) -> Value {
    json!({ "accepted": forecasts.iter().all(Forecast::accepted), "changes": forecasts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Reason;
    use crate::cluster::oracle::{Answer, Tolerance};

    const PLAIN: Style = Style::PLAIN;

    fn forecast(answer: Answer, fix: Option<&str>, tolerance: Tolerance) -> Forecast {
        let (change, why) = ("promote cp-4\u{1b}[2J".to_owned(), "3 of 4 voters are connected".to_owned());
        Forecast { change, answer, why, fix: fix.map(str::to_owned), tolerance }
    }

    #[test]
    fn every_answer_and_what_is_survived() {
        let good = Tolerance { now: Some(1), after: Some(1), newcomer_dead: Some(0) };
        let bad = Tolerance { now: Some(0), after: Some(0), newcomer_dead: None };
        let stopped = Tolerance { now: None, after: None, newcomer_dead: None };
        let forecasts = [
            forecast(Answer::Accepted, None, good),
            forecast(Answer::Refused(Reason::UnhealthyCluster), Some("bring cp-2 back"), bad),
            forecast(Answer::Unanswered(Reason::NoLeader), None, stopped),
        ];
        insta::assert_snapshot!(text(&forecasts, PLAIN), @"
        promote cp-4: accepted: 3 of 4 voters are connected; more losses survived: 1 now, 1 afterwards, 0 if the newcomer fails
        promote cp-4: will be refused: 3 of 4 voters are connected; more losses survived: 0 now, 0 afterwards, no quorum if the newcomer fails
          remedy: bring cp-2 back
        promote cp-4: cannot be done now: 3 of 4 voters are connected; more losses survived: no quorum now, no quorum afterwards
        ");
        assert_eq!(json(&forecasts)["accepted"], false);
        assert_eq!(json(&forecasts)["changes"][1]["answer"]["reason"], "unhealthy-cluster");
        assert_eq!(json(&forecasts[..1])["accepted"], true);
    }
}
