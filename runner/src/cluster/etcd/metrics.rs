//! The few lines of etcd's metrics page that show a starting member's progress.

use crate::cluster::{ClusterError, MemberMetrics, Reason, Result};

/// A page this large is no metrics page of etcd (those are some 100 to 300 kB).
const MAX_PAGE: usize = 8 << 20;

/// Fetches and reads `<url>/metrics`; a URL that ends in `/metrics` is taken as it is.
pub(super) async fn fetch(http: &reqwest::Client, url: &str) -> Result<MemberMetrics> {
    let base = url.trim_end_matches('/');
    let page = if base.ends_with("/metrics") { base.to_owned() } else { format!("{base}/metrics") };
    let failed = |error: reqwest::Error| {
        let (reason, text) = match () {
            () if error.is_connect() => (Reason::Unreachable, "cannot connect to the metrics listener"),
            () if error.is_timeout() => (Reason::DeadlineExceeded, "the metrics listener does not answer"),
            () if error.is_builder() => (Reason::Other, "not a metrics URL (http://host:port)"),
            () => (Reason::ConnectionLost, "the metrics listener broke off"),
        };
        ClusterError::new(reason, text, url)
    };
    let mut answer = http.get(&page).send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(ClusterError::new(Reason::Other, format!("the metrics listener answers {}", answer.status()), url));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_PAGE {
            return Err(ClusterError::new(Reason::Other, "the metrics page is too large to be etcd's", url));
        }
    }
    Ok(parse(&String::from_utf8_lossy(&body)))
}

/// Reads the Prometheus text format, as far as needed: `name value` and `name{labels} value`.
fn parse(page: &str) -> MemberMetrics {
    let mut found = MemberMetrics::default();
    let mut in_flight: Option<f64> = None;
    for line in page.lines().filter(|line| line.starts_with("etcd_")) {
        let Some((name, value)) = sample(line) else { continue };
        match name {
            "etcd_server_proposals_applied_total" => found.applied_index = Some(whole(value)),
            "etcd_network_peer_received_bytes_total" => {
                found.received_bytes = Some(found.received_bytes.unwrap_or(0) + whole(value));
            }
            "etcd_network_snapshot_receive_inflights_total" | "etcd_server_snapshot_apply_in_progress_total" => {
                in_flight = Some(in_flight.unwrap_or(0.0) + value);
            }
            _ => {}
        }
    }
    found.snapshot_in_flight = in_flight.map(|n| n > 0.0);
    found
}

/// One sample line's metric and value. Label values of the metrics read here hold no spaces (they are member ids).
fn sample(line: &str) -> Option<(&str, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let name = series.split_once('{').map_or(series, |(name, _)| name);
    Some((name, value.parse().ok().filter(|v: &f64| v.is_finite())?))
}

/// Counters are printed as floats (`1.234e+06`); these are never negative.
fn whole(value: f64) -> u64 {
    value.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_lines_are_read_and_summed() {
        let page = "# HELP etcd_server_proposals_applied_total The total number of consensus proposals applied.\n\
            # TYPE etcd_server_proposals_applied_total gauge\n\
            etcd_server_proposals_applied_total 1.234e+06\n\
            etcd_network_peer_received_bytes_total{From=\"a1\"} 100\n\
            etcd_network_peer_received_bytes_total{From=\"b2\"} 23\n\
            etcd_network_peer_received_bytes_total_other{From=\"b2\"} 999\n\
            etcd_network_snapshot_receive_inflights_total{From=\"a1\"} 1\n\
            etcd_server_snapshot_apply_in_progress_total 0\n";
        let expected =
            MemberMetrics { applied_index: Some(1_234_000), received_bytes: Some(123), snapshot_in_flight: Some(true) };
        assert_eq!(parse(page), expected);
    }

    #[test]
    fn what_is_absent_or_broken_is_none() {
        assert_eq!(parse(""), MemberMetrics::default());
        assert_eq!(parse("etcd_server_proposals_applied_total NaN\netcd_server\n"), MemberMetrics::default());
        assert_eq!(parse("etcd_server_snapshot_apply_in_progress_total 0").snapshot_in_flight, Some(false));
    }
}
