use jiff::Timestamp;
use runner_plugin::fake;
use runner_plugin::settings::{plugin, problems};

use super::*;

fn check(settings: &str, now: &str) -> Vec<Finding> {
    let now: Timestamp = now.parse().unwrap();
    assert_eq!(problems::<MaintenanceWindow>(settings), []);
    fake::set_now_ms(now.as_millisecond().try_into().unwrap());
    let (cluster, newcomer) = (fake::Cluster::new().build(), fake::Newcomer::new("cp-4").build());
    plugin::<MaintenanceWindow>(settings).unwrap().check(&cluster, &newcomer).unwrap()
}

/// The code, or `open`.
fn code(settings: &str, now: &str) -> String {
    check(settings, now).first().map_or_else(|| "open".to_owned(), |found| found.code.clone())
}

/// That it opens and closes at these moments, to the second.
fn opens(settings: &str, from: &str, to: &str) {
    let second_before = |at: &str| {
        let at: Timestamp = at.parse().unwrap();
        Timestamp::from_second(at.as_second() - 1).unwrap().to_string()
    };
    assert_eq!(code(settings, &second_before(from)), "outside-window", "before {from}");
    assert_eq!(code(settings, from), "open", "{from}");
    assert_eq!(code(settings, &second_before(to)), "open", "before {to}");
    assert_eq!(code(settings, to), "outside-window", "{to}");
}

const NIGHTS: &str =
    r#"{"timeZone": "Europe/Berlin", "windows": [{"days": ["mon", "thu"], "from": "22:00", "to": "04:00"}]}"#;

#[test]
fn a_window_across_midnight_belongs_to_the_day_it_begins_on() {
    // Monday to Tuesday, in winter.
    opens(NIGHTS, "2026-11-23T21:00:00Z", "2026-11-24T03:00:00Z");
    // Sunday to Monday, and Monday morning, are none.
    assert_eq!(code(NIGHTS, "2026-11-22T23:00:00Z"), "outside-window");
    assert_eq!(code(NIGHTS, "2026-11-23T01:00:00Z"), "outside-window");
}

#[test]
fn who_is_outside_is_told_when_it_opens() {
    let found = check(NIGHTS, "2026-11-24T12:30:00Z").remove(0);
    assert_eq!(found.severity, Severity::Error);
    assert_eq!(found.message, "it is Tue 2026-11-24 13:30 (Europe/Berlin), outside the maintenance windows");
    assert_eq!(found.remedy.as_deref(), Some("join cp-4 from Thu 2026-11-26 22:00 (Europe/Berlin) on"));
}

#[test]
fn summer_time_moves_the_window_with_the_wall_clock() {
    let daily = r#"{"timeZone": "America/New_York", "windows": [{"from": "09:00", "to": "17:00"}]}"#;
    opens(daily, "2026-03-07T14:00:00Z", "2026-03-07T22:00:00Z");
    // On 2026-03-08 New York goes from UTC-5 to UTC-4.
    opens(daily, "2026-03-08T13:00:00Z", "2026-03-08T21:00:00Z");
}

#[test]
fn the_night_in_which_the_clock_goes_forward() {
    // Berlin, 2026-03-29: 02:00 becomes 03:00 at 01:00 UTC.
    let zone = |window: &str| format!(r#"{{"timeZone": "Europe/Berlin", "windows": [{{"days": ["sun"], {window}}}]}}"#);
    opens(&zone(r#""from": "01:00", "to": "04:00""#), "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z");
    opens(&zone(r#""from": "02:30", "to": "04:00""#), "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z");
    opens(&zone(r#""from": "01:00", "to": "02:30""#), "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z");
    // All of it is left out: it opens the week after.
    let skipped = zone(r#""from": "02:10", "to": "02:50""#);
    let found = check(&skipped, "2026-03-29T01:00:00Z").remove(0);
    assert_eq!(found.remedy.as_deref(), Some("join cp-4 from Sun 2026-04-05 02:10 (Europe/Berlin) on"));
}

#[test]
fn the_night_in_which_the_clock_goes_back() {
    // Berlin, 2026-10-25: 03:00 becomes 02:00 at 01:00 UTC; 02:30 is at 00:30 and at 01:30 UTC.
    let zone = |window: &str| format!(r#"{{"timeZone": "Europe/Berlin", "windows": [{{"days": ["sun"], {window}}}]}}"#);
    opens(&zone(r#""from": "01:00", "to": "02:30""#), "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z");
    opens(&zone(r#""from": "02:30", "to": "03:00""#), "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z");
    assert_eq!(code(&zone(r#""from": "01:00", "to": "02:30""#), "2026-10-25T01:15:00Z"), "outside-window");
}

#[test]
fn days_that_begin_at_one_o_clock() {
    // Cairo, 2026-04-24: midnight becomes 01:00, at 22:00 UTC the evening before.
    let friday = r#"{"timeZone": "Africa/Cairo", "windows": [{"days": ["fri"], "from": "00:00", "to": "24:00"}]}"#;
    opens(friday, "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z");
    let freeze = r#"{"timeZone": "Africa/Cairo", "freezes": [{"from": "2026-04-24", "to": "2026-04-24"}]}"#;
    assert_eq!(code(freeze, "2026-04-23T21:59:59Z"), "open");
    assert_eq!(code(freeze, "2026-04-23T22:00:00Z"), "change-freeze");
    assert_eq!(code(freeze, "2026-04-24T21:00:00Z"), "open");
}

#[test]
fn clocks_that_move_by_half_an_hour() {
    // Lord Howe, 2026-10-04: 02:00 becomes 02:30, at 15:30 UTC the day before.
    let sunday = r#"{"windows": [{"days": ["sun"], "from": "02:15", "to": "03:00", "timeZone": "Australia/Lord_Howe"}]}"#;
    opens(sunday, "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z");
}

#[test]
fn a_freeze_lasts_to_the_end_of_its_last_day_and_tells_why() {
    let settings = r#"{"timeZone": "Europe/Berlin",
        "freezes": [{"from": "2026-12-20", "to": "2027-01-06", "reason": "year-end freeze"}]}"#;
    assert_eq!(code(settings, "2026-12-19T22:59:59Z"), "open");
    assert_eq!(code(settings, "2027-01-06T23:00:00Z"), "open");
    let found = check(settings, "2026-12-19T23:00:00Z").remove(0);
    assert_eq!(found.code, "change-freeze");
    let text = "it is Sun 2026-12-20 00:00 (Europe/Berlin), in a change freeze (year-end freeze) until Thu 2027-01-07 00:00 \
                (Europe/Berlin)";
    assert_eq!(found.message, text);
    assert_eq!(found.remedy.as_deref(), Some("join cp-4 from Thu 2027-01-07 00:00 (Europe/Berlin) on"));
}

#[test]
fn a_freeze_by_the_hour_lasts_through_the_hour_that_comes_twice() {
    let settings = r#"{"timeZone": "Europe/Berlin", "freezes": [{"from": "2026-10-25T02:30", "to": "2026-10-25T02:45"}]}"#;
    assert_eq!(code(settings, "2026-10-25T00:29:59Z"), "open");
    assert_eq!(code(settings, "2026-10-25T00:30:00Z"), "change-freeze");
    assert_eq!(code(settings, "2026-10-25T01:00:00Z"), "change-freeze");
    assert_eq!(code(settings, "2026-10-25T01:45:00Z"), "open");
}

#[test]
fn the_next_opening_is_one_outside_the_freezes() {
    let settings = r#"{"windows": [{"days": ["mon"], "from": "08:00", "to": "10:00"}],
        "freezes": [{"from": "2026-11-20T12:00", "to": "2026-11-30T09:00", "reason": "sale"}]}"#;
    let found = check(settings, "2026-11-17T00:00:00Z").remove(0);
    assert_eq!(found.remedy.as_deref(), Some("join cp-4 from Mon 2026-11-30 09:00 (UTC) on"));
}

#[test]
fn enough_time_must_be_left() {
    let settings = r#"{"minutesLeft": 30, "windows": [{"from": "22:00", "to": "24:00"}, {"from": "00:00", "to": "02:00"}],
        "freezes": [{"from": "2026-11-25T00:00", "to": "2026-11-25"}]}"#;
    // The second window follows the first without a gap.
    assert_eq!(code(settings, "2026-11-23T23:59:00Z"), "open");
    assert_eq!(code(settings, "2026-11-24T01:30:00Z"), "open");
    let found = check(settings, "2026-11-24T01:31:00Z").remove(0);
    assert_eq!(found.code, "window-closing");
    assert_eq!(found.message, "it is Tue 2026-11-24 01:31 (UTC): 29 of the required 30 minutes are left");
    assert_eq!(found.remedy.as_deref(), Some("join cp-4 from Tue 2026-11-24 22:00 (UTC) on"));
    // The freeze cuts the window.
    assert_eq!(code(settings, "2026-11-24T23:45:00Z"), "window-closing");
}

#[test]
fn windows_that_never_close_leave_enough_time() {
    let settings = r#"{"minutesLeft": 10080, "windows": [{"from": "00:00", "to": "24:00"}]}"#;
    assert_eq!(code(settings, "2026-11-24T23:59:00Z"), "open");
}

#[test]
fn no_opening_at_all_is_said() {
    let settings = r#"{"minutesLeft": 61, "windows": [{"from": "10:00", "to": "11:00"}]}"#;
    let found = check(settings, "2026-11-24T10:00:00Z").remove(0);
    assert_eq!(found.remedy.as_deref(), Some("no opening is left in these windows and freezes: correct them"));
}

#[test]
fn bad_settings_are_refused_by_path() {
    let paths = |json| problems::<MaintenanceWindow>(json).into_iter().map(|p| p.path).collect::<Vec<_>>();
    assert_eq!(paths("{}"), [""]);
    assert_eq!(paths(r#"{"windows": []}"#), ["windows"]);
    assert_eq!(paths(r#"{"freezes": []}"#), Vec::<String>::new());
    assert_eq!(paths(r#"{"window": []}"#), ["window"]);
    assert_eq!(paths(r#"{"windows": [{"from": "22:00", "to": "4:00"}]}"#), ["windows[0].to"]);
    assert_eq!(paths(r#"{"windows": [{"from": "22:00"}]}"#), ["windows[0]"]);
    assert_eq!(paths(r#"{"windows": [{"days": ["mo"], "from": "22:00", "to": "23:00"}]}"#), ["windows[0].days[0]"]);
    assert_eq!(
        paths(r#"{"windows": [{"from": "22:00", "to": "22:00", "days": []}]}"#),
        ["windows[0].days", "windows[0].to"]
    );
    assert_eq!(paths(r#"{"windows": [{"from": "24:00", "to": "01:00"}]}"#), ["windows[0].from"]);
    assert_eq!(paths(r#"{"freezes": [{"from": "2026-12-02", "to": "2026-12-01"}]}"#), ["freezes[0].to"]);
    assert_eq!(paths(r#"{"freezes": [{"from": "2026-12-02T10:00Z", "to": "2026-12-03"}]}"#), ["freezes[0].from"]);
    assert_eq!(paths(r#"{"freezes": [], "minutesLeft": 10081}"#), ["minutesLeft"]);
    let zones = r#"{"timeZone": "Mars", "windows": [{"from": "01:00", "to": "02:00", "timeZone": "CEST"}],
        "freezes": [{"from": "2026-12-02", "to": "2026-12-03", "timeZone": ""}]}"#;
    assert_eq!(paths(zones), ["timeZone", "windows[0].timeZone", "freezes[0].timeZone"]);
    let text = "`Mars` is not a time zone; write its IANA name, for example `Europe/Berlin`";
    assert_eq!(problems::<MaintenanceWindow>(r#"{"freezes": [], "timeZone": "Mars"}"#), [Problem::new("timeZone", text)]);
}
