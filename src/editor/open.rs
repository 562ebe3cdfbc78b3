//! A lab that is open, and what is known of it.

use std::collections::BTreeSet;

use super::Judged;
use super::document::Document;
use super::line;
use crate::lab::keywords::FenceKind;
use crate::lab::{ClusterKind, Lab};
use crate::parse::Outline;
use crate::text::{Diagnostic, SourceFile};

/// What answers are made of.
pub(super) struct Open<'a> {
    pub(super) source: &'a SourceFile,
    pub(super) document: &'a Document,
    pub(super) outline: Outline,
    /// As much of it as could be read.
    pub(super) lab: Option<&'a Lab>,
    pub(super) findings: &'a [Diagnostic],
    /// The other labs of its collection.
    pub(super) around: Vec<&'a Lab>,
    /// What Kubernetes says of a field.
    pub(super) describe: &'a dyn Fn(&str) -> Option<String>,
    /// How its checks came out last.
    pub(super) judged: &'a dyn Fn() -> Vec<Judged>,
}

impl Open<'_> {
    /// Whether the lab brings up an etcd of its own, whose keys may be any.
    pub(super) fn is_bare(&self) -> bool {
        self.lab
            .is_some_and(|lab| !lab.etcd.is_empty() || lab.clusters.iter().any(|kind| kind.value == ClusterKind::Bare))
    }

    /// The keys and patterns that the lab's checks name, as they are written.
    pub(super) fn keys(&self) -> Vec<String> {
        let fences = self.outline.fences.iter().filter(|f| matches!(f.kind, Some(FenceKind::Check | FenceKind::Wait)));
        let mut keys = BTreeSet::new();
        for content in fences.map(|fence| fence.content.text()) {
            let mut at = 0;
            for line in content.split_inclusive('\n') {
                if line.starts_with(|c: char| c.is_ascii_lowercase())
                    && let [verb, key, ..] = &line::words(content, at)[..]
                    && matches!(verb.text.as_str(), "key" | "keys" | "events" | "never")
                    && !key.quoted
                    && !key.folded
                {
                    keys.insert(key.text.clone());
                }
                at += line.len();
            }
        }
        keys.into_iter().collect()
    }

    /// Namespaces that the lab's keys name, and those that every cluster has.
    pub(super) fn namespaces(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for key in self.keys() {
            let path = key.strip_prefix("/registry/").unwrap_or_default();
            let Some((kind, rest)) = kube_etcd_codec::kind_by_folder(path) else { continue };
            let name = if kind.namespaced { rest.split_once('/').map(|(name, _)| name) } else { Some(rest) };
            let is_one = kind.namespaced || kind.kind == "Namespace";
            if let Some(name) = name.filter(|name| is_one && !name.is_empty() && !name.contains(['*', '/'])) {
                names.push(name.to_owned());
            }
        }
        names.extend(["default", "kube-system"].map(str::to_owned));
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }
}
