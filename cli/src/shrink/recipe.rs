//! The spec of a reproducer: of the spec of the result only what a pattern needs, written so that `compare` reads it.

use serde_json::Value;
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::Spec;
use shadowdiff_core::yaml::{flow, list, one_or_list, scalar};
use std::collections::BTreeSet;
use std::fmt::Write;

/// A part of a spec that a pattern may do without.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Where(Value),
    /// The baseline of the row's account.
    ShadowIsOld,
    Derive(String, Value),
    /// Something inside of a list or map.
    Exclude(String),
}

#[derive(Debug, Clone)]
pub(super) struct Recipe {
    account: Vec<String>,
    key: Vec<String>,
    /// The columns that are compared, besides the key.
    pub(super) compared: Vec<String>,
    pub(super) parts: Vec<Part>,
}

impl Recipe {
    /// All of a spec that has to do with these columns. What a comparator finds different differs without it, too; what counts as a pattern no rule
    /// covers. `made`: the columns of both sides as compared, derived ones among them.
    pub(super) fn new(spec: &Spec, document: &Value, compared: Vec<String>, made: &BTreeSet<String>) -> Recipe {
        let mut parts: Vec<Part> = document.get("where").cloned().map(Part::Where).into_iter().collect();
        let derived = document.pointer("/columns/derive").and_then(Value::as_object);
        let derived = derived.into_iter().flatten().filter(|(name, _)| made.contains(*name));
        parts.extend(derived.map(|(name, sql)| Part::Derive(name.clone(), sql.clone())));
        let inside = spec.columns.exclude.iter().filter(|pattern| pattern.0.contains('['));
        let of_compared = inside.filter(|pattern| compared.iter().any(|name| pattern.0.starts_with(name.as_str())));
        parts.extend(of_compared.map(|pattern| Part::Exclude(pattern.0.clone())));
        Recipe {
            account: spec.account.clone(),
            key: spec.key.clone(),
            compared,
            parts,
        }
    }

    /// The spec for files at these places that have these columns.
    pub(super) fn text(&self, places: &Sides<String>, columns: &BTreeSet<&str>) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name}: {value}");
        };
        line("live", &scalar(&places.live));
        line("shadow", &scalar(&places.shadow));
        line("account", &one_or_list(&self.account));
        if self.key != self.account {
            line("key", &one_or_list(&self.key));
        }
        for part in &self.parts {
            match part {
                Part::Where(sql) => line("where", &flow(sql)),
                Part::ShadowIsOld => line("baseline", "shadow"),
                Part::Derive(..) | Part::Exclude(_) => {}
            }
        }
        let chosen = self.columns(columns);
        if !chosen.is_empty() {
            text += &format!("columns:\n{chosen}");
        }
        text + "output: result\n"
    }

    /// Which columns are compared. Nothing needs to be said where the files have no others.
    fn columns(&self, columns: &BTreeSet<&str>) -> String {
        let mut text = String::new();
        let in_key = |name: &str| self.key.iter().any(|key| key == name || key.split('.').next() == Some(name));
        let is_known = |name: &str| in_key(name) || self.compared.iter().any(|compared| compared == name);
        let others: Vec<&str> = columns.iter().copied().filter(|name| !is_known(name)).collect();
        let mut excluded: Vec<&str> = Vec::new();
        let mut derived = Vec::new();
        for part in &self.parts {
            match part {
                Part::Exclude(path) => excluded.push(path),
                Part::Derive(name, sql) => derived.push(format!("{}: {}", scalar(name), flow(sql))),
                Part::Where(_) | Part::ShadowIsOld => {}
            }
        }
        match self.compared.is_empty() {
            true => excluded.extend(&others),
            false if others.is_empty() && derived.is_empty() => {}
            false => text += &format!("  include: {}\n", list(&self.compared)),
        }
        if !excluded.is_empty() {
            text += &format!("  exclude: {}\n", list(&excluded));
        }
        if !derived.is_empty() {
            text += &format!("  derive: {{{}}}\n", derived.join(", "));
        }
        text
    }
}
