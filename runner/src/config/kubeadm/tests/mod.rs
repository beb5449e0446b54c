//! Documents that are right, every mistake in its own words, and any text at all.

use std::path::Path;

use super::{ClusterDocument, Documents};
use crate::config::mistake::Mistake;

mod any_text;
mod documents;
mod good;
mod mistakes;

fn read(text: impl AsRef<[u8]>) -> Result<Documents, Mistake> {
    Documents::of_bytes(Path::new("kubeadm.yaml"), text.as_ref())
}

/// A document of this kind and version with these keys.
fn document(version: &str, kind: &str, keys: &str) -> String {
    format!("apiVersion: kubeadm.k8s.io/{version}\nkind: {kind}\n{keys}")
}

fn init(keys: &str) -> String {
    document("v1beta4", "InitConfiguration", keys)
}

fn join(keys: &str) -> String {
    document("v1beta4", "JoinConfiguration", keys)
}

fn cluster(keys: &str) -> String {
    document("v1beta4", "ClusterConfiguration", keys)
}

fn cluster3(keys: &str) -> String {
    document("v1beta3", "ClusterConfiguration", keys)
}

fn shown(text: impl std::fmt::Display, hints: &[String]) -> String {
    let hints: String = hints.iter().map(|hint| format!("\nhint: {hint}")).collect();
    format!("{text}{hints}")
}

/// The error as a person sees it: the sentence, and a line for each hint.
fn said(text: impl AsRef<[u8]>) -> String {
    let mistake = read(text).expect_err("it is wrong");
    shown(&mistake, &mistake.hints)
}

macro_rules! says {
    ($text:expr, @$snapshot:literal) => { insta::assert_snapshot!(super::said($text), @$snapshot) };
}
use says;
