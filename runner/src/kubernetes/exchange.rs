//! One request and its answer, of bounded size. What a status means is the asker's to say.

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Client;
use kube::client::Body;

/// The most of an error's text that is shown.
const SHOWN: usize = 300;

/// Why there is no whole answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The kubeconfig's credentials cannot be used.
    Credentials(String),
    /// No answer came.
    Unreachable(String),
    /// The answer broke off.
    BrokeOff(String),
    /// The answer is longer than it may be.
    TooLarge,
}

/// Sends the request and reads the answer: its status, and a body of so many bytes at most.
pub(crate) async fn exchange(client: &Client, request: http::Request<Vec<u8>>, most: usize) -> Result<(u16, Bytes), Broken> {
    let response = client.send(request.map(Body::from)).await.map_err(|error| match &error {
        kube::Error::Auth(e) => Broken::Credentials(e.to_string()),
        other => Broken::Unreachable(innermost(other)),
    })?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), most).collect().await;
    let body = body.map_err(|e| match e.downcast_ref::<LengthLimitError>() {
        Some(_) => Broken::TooLarge,
        None => Broken::BrokeOff(innermost(&*e)),
    })?;
    Ok((status, body.to_bytes()))
}

/// The API's own words in an answer that is a refusal, or its status where there are none.
pub(crate) fn words(status: u16, body: &[u8]) -> String {
    let told = serde_json::from_slice::<Status>(body).ok().and_then(|status| status.message);
    told.map_or_else(|| format!("it answered with status {status}"), |text| text.chars().take(SHOWN).collect())
}

/// The innermost reason: the outer ones only say where it came from.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let innermost = std::iter::successors(Some(error), |e| e.source()).last().unwrap_or(error);
    innermost.to_string().chars().take(SHOWN).collect()
}
