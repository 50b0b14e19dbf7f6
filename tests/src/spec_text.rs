//! A generated spec before it is text: small enough to be mirrored.

use crate::print::quoted;
use shadowdiff_core::side::{Side, Sides};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The parts of a spec that the generator uses; SQL is what [`crate::sql`] understands.
#[derive(Debug, Clone)]
pub struct SpecText {
    pub account: Vec<String>,
    pub key: Vec<String>,
    pub baseline: Side,
    /// Accounts whose baseline is the other side.
    pub flipped: Vec<String>,
    pub filter: Sides<Option<String>>,
    pub exclude: Vec<String>,
    pub rename: Sides<Vec<(String, String)>>,
    /// Types by the names after renames.
    pub cast: Sides<Vec<(String, String)>>,
    pub derive: Vec<Derive>,
    /// Types of a side that is stored as CSV.
    pub schema: Sides<Vec<(String, String)>>,
    /// Column pattern, fields such as `absolute: 0.5`.
    pub comparators: Vec<(String, Vec<String>)>,
    pub rules: Vec<RuleText>,
    /// Fields of `verdict`, but for `schema_changes`.
    pub verdict: Vec<String>,
    /// Sides whose own columns are allowed.
    pub may_have_more: Sides<bool>,
    /// Whether all accounts are listed, and whether differences come as Parquet too.
    pub lists_all: bool,
    pub parquet: bool,
    /// Whether what was found is kept for other rules.
    pub judgeable: bool,
    /// Whether what columns hold over all rows is told.
    pub totals: bool,
    /// Columns that are kept with each difference.
    pub attributes: Vec<String>,
}

/// A column that SQL makes, on the sides that have it.
#[derive(Debug, Clone)]
pub struct Derive {
    pub name: String,
    pub sql: Sides<Option<String>>,
}

/// An entry of `expected`.
#[derive(Debug, Clone, Default)]
pub struct RuleText {
    pub name: String,
    /// Such as `{list: ["a"]}`.
    pub accounts: Option<String>,
    pub columns: Vec<String>,
    pub kinds: Vec<String>,
    pub within: Option<String>,
    pub filter: Option<String>,
    /// Such as `min: 1`.
    pub bounds: Vec<String>,
}

impl SpecText {
    /// The same comparison with the sides swapped.
    pub fn mirrored(&self) -> SpecText {
        let mut mirrored = self.clone();
        mirrored.baseline = self.baseline.other();
        mirrored.filter = swapped(&self.filter);
        mirrored.cast = swapped(&self.cast);
        mirrored.derive = self.derive.clone();
        mirrored.derive.iter_mut().for_each(|d| d.sql = swapped(&d.sql));
        mirrored.rename = Sides::new(self.rename.shadow.clone(), self.rename.live.clone());
        mirrored.schema = Sides::new(self.schema.shadow.clone(), self.schema.live.clone());
        mirrored.may_have_more = Sides::new(self.may_have_more.shadow, self.may_have_more.live);
        for field in mirrored.comparators.iter_mut().flat_map(|(_, fields)| fields) {
            *field = swap_words(field);
        }
        for rule in &mut mirrored.rules {
            rule.kinds = rule.kinds.iter().map(|kind| swap_words(kind)).collect();
            rule.filter = rule.filter.as_deref().map(swap_words);
        }
        mirrored
    }

    /// The same comparison under other rules and thresholds, whose SQL is that of rules that are there.
    pub fn with_other_rules(&self, seed: u64) -> SpecText {
        let mut other = self.clone();
        other.rules.reverse();
        if seed.is_multiple_of(2) {
            other.rules.truncate(2);
        }
        if let Some(rule) = other.rules.first_mut() {
            rule.bounds = vec!["max: 1".to_owned()];
            rule.within = None;
        }
        other.rules.push(RuleText {
            name: "rows that are new".to_owned(),
            kinds: vec!["missing_in_live".to_owned()],
            ..RuleText::default()
        });
        other.totals &= !seed.is_multiple_of(3);
        other.verdict = vec![
            "max_exceptions: 2".to_owned(),
            "max_exception_accounts: 1".to_owned(),
            "unused_rules: fail".to_owned(),
        ];
        other
    }

    /// The same comparison without its rules, that keeps the columns by which they name accounts.
    pub fn without_rules(&self) -> SpecText {
        let conditions = self
            .rules
            .iter()
            .filter_map(|rule| rule.accounts.as_ref()?.strip_prefix("{where: \""));
        let columns = conditions.filter_map(|text| text.split(" > ").next().map(str::to_owned));
        SpecText {
            attributes: columns.collect::<BTreeSet<_>>().into_iter().collect(),
            rules: Vec::new(),
            judgeable: true,
            ..self.clone()
        }
    }

    /// As YAML, with the datasets in the folders `live` and `shadow` beside it.
    pub fn yaml(&self) -> String {
        let mut out = "live: live/\nshadow: shadow/\nas_of: 2026-11-01\n".to_owned();
        let _ = writeln!(out, "account: {}\nkey: {}", list(&self.account), list(&self.key));
        let other = self.baseline.other();
        let _ = match self.flipped.as_slice() {
            [] => writeln!(out, "baseline: {}", self.baseline),
            flipped => writeln!(
                out,
                "baseline: {{default: {}, {other}_for: {{list: {}}}}}",
                self.baseline,
                list(flipped)
            ),
        };
        match &self.filter {
            Sides { live: None, shadow: None } => {}
            Sides {
                live: Some(live),
                shadow: Some(shadow),
            } if live == shadow => {
                let _ = writeln!(out, "where: {}", quoted(live));
            }
            sides => {
                let _ = writeln!(out, "where: {}", by_side(sides));
            }
        }
        self.write_columns(&mut out);
        self.write_rules(&mut out);
        let _ = writeln!(out, "verdict:\n  schema_changes: [{}]", self.schema_changes().join(", "));
        for field in &self.verdict {
            let _ = writeln!(out, "  {field}");
        }
        let accounts = if self.lists_all { "all" } else { "differing" };
        let (parquet, judgeable, totals) = (self.parquet, self.judgeable, self.totals);
        let attributes = match self.attributes.as_slice() {
            [] => String::new(),
            names => format!(", attributes: {}", list(names)),
        };
        let _ = writeln!(
            out,
            "output: {{accounts: {accounts}, parquet: {parquet}, judgeable: {judgeable}, totals: {totals}{attributes}}}"
        );
        out
    }

    fn schema_changes(&self) -> Vec<&'static str> {
        let words = [("added", self.may_have_more.shadow), ("removed", self.may_have_more.live)];
        words.into_iter().filter(|w| w.1).map(|w| w.0).collect()
    }

    fn write_columns(&self, out: &mut String) {
        let _ = writeln!(out, "columns:\n  exclude: {}\n  rename:", list(&self.exclude));
        for (side, names) in self.rename.each() {
            let _ = writeln!(out, "    {side}: {{{}}}", pairs(names));
        }
        let _ = writeln!(out, "  cast:");
        for (side, types) in self.cast.each() {
            let _ = writeln!(out, "    {side}: {{{}}}", pairs(types));
        }
        let _ = writeln!(out, "  derive: {{{}}}", derives(&self.derive));
        if !(self.schema.live.is_empty() && self.schema.shadow.is_empty()) {
            let _ = writeln!(out, "schema:");
            for (side, types) in self.schema.each().into_iter().filter(|(_, types)| !types.is_empty()) {
                let _ = writeln!(out, "  {side}: {{{}}}", pairs(types));
            }
        }
        if !self.comparators.is_empty() {
            let _ = writeln!(out, "comparators:");
        }
        for (pattern, fields) in &self.comparators {
            let _ = writeln!(out, "  - columns: [{}]", quoted(pattern));
            for field in fields {
                let _ = writeln!(out, "    {field}");
            }
        }
    }

    fn write_rules(&self, out: &mut String) {
        if !self.rules.is_empty() {
            let _ = writeln!(out, "expected:");
        }
        for rule in &self.rules {
            let _ = writeln!(out, "  - name: {}", quoted(&rule.name));
            let lists = [("columns", &rule.columns), ("kinds", &rule.kinds)];
            for (field, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
                let _ = writeln!(out, "    {field}: {}", list(names));
            }
            let fields = [
                ("accounts", rule.accounts.clone()),
                ("within", rule.within.clone()),
                ("where", rule.filter.as_deref().map(quoted)),
            ];
            for (field, value) in fields.into_iter().filter_map(|(field, value)| Some((field, value?))) {
                let _ = writeln!(out, "    {field}: {value}");
            }
            for field in &rule.bounds {
                let _ = writeln!(out, "    {field}");
            }
        }
    }
}

fn swapped<T: Clone>(sides: &Sides<T>) -> Sides<T> {
    Sides::new(sides.shadow.clone(), sides.live.clone())
}

fn derives(items: &[Derive]) -> String {
    let derive = |d: &Derive| format!("{}: {}", quoted(&d.name), by_side(&d.sql));
    items.iter().map(derive).collect::<Vec<_>>().join(", ")
}

/// `{live: "…", shadow: "…"}`, without the side that has none.
fn by_side(sql: &Sides<Option<String>>) -> String {
    let given = sql
        .each()
        .into_iter()
        .filter_map(|(side, text)| Some(format!("{side}: {}", quoted(text.as_ref()?))));
    format!("{{{}}}", given.collect::<Vec<_>>().join(", "))
}

/// `live` for `shadow` and back.
fn swap_words(text: &str) -> String {
    text.replace("live", "\u{0}").replace("shadow", "live").replace('\u{0}', "shadow")
}

/// A list of texts.
pub fn list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|i| quoted(i)).collect::<Vec<_>>().join(", "))
}

fn pairs(items: &[(String, String)]) -> String {
    items
        .iter()
        .map(|(a, b)| format!("{}: {}", quoted(a), quoted(b)))
        .collect::<Vec<_>>()
        .join(", ")
}
