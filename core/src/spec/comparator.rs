//! The comparators of a spec: each that can be written is one value, and no other can be made. Their fields, how they are read, the types
//! that they fit and how they show stand here; `core/src/compare.rs` says what compares.

use super::duration::Duration;
use super::group::{NAMES, Shape, group, names};
use super::item::{Fields, Item};
use super::mistakes::Mistakes;
use super::scalars::tolerance;
use crate::error::Error;
use crate::value::{Number, Tolerance, ValueType};
use crate::words::words;
use serde::{Deserialize, Serialize};

/// When two unequal cells of a column are equal enough. It shows in the spec's own words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Comparator {
    /// When their values are by the rule; lists element by element, or as multisets where they are unordered.
    Values { rule: ValueRule, unordered: bool },
    /// When their texts are the same JSON.
    Json,
    /// When SQL over the pair of rows is true.
    Sql(String),
}

/// When two unequal values are equal enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ValueRule {
    /// Never.
    Exact,
    Number(NumberTolerance),
    Text(TextRules),
    /// When they are at most this far apart.
    Time(Duration),
}

/// How far apart numbers may be; where both are given either may hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum NumberTolerance {
    Absolute(Tolerance),
    Relative(Tolerance),
    Either { absolute: Tolerance, relative: Tolerance },
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TextRules {
    pub normalize: Option<Normalization>,
    pub trim: bool,
    pub ignore_case: bool,
    pub collapse_whitespace: bool,
    pub empty_is_null: bool,
}

words! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Normalization {
        Nfc = "nfc",
        Nfd = "nfd",
        Nfkc = "nfkc",
        Nfkd = "nfkd",
    }
}

group! {
    /// How the values of some columns are compared.
    pub(super) static COMPARATOR = "comparator" {
        /// The columns; `*` stands for any characters. An exact name beats a pattern.
        required "columns": NAMES,
        /// Equal enough if |shadow - live| is at most this.
        "absolute": Shape::Tolerance,
        /// Equal enough if |shadow - live| is at most this share of |baseline|.
        "relative": Shape::Tolerance,
        /// Text is equal enough if it is equal after these steps.
        "text": Shape::Group(&TEXT),
        /// Times and dates are equal enough if they are at most this far apart.
        "time": Shape::Duration,
        /// Lists are compared as multisets. Goes with absolute, relative, time and text.
        "unordered": Shape::Flag,
        /// Text is parsed as JSON; the order of an object's members does not matter.
        "json": Shape::Flag,
        /// A boolean over live, shadow, live_row.x and shadow_row.x. NULL means different.
        "sql": Shape::Sql,
    }
}

group! {
    /// What is done to text before it is compared, in this order.
    pub(super) static TEXT = "text" {
        /// The Unicode normalization form. Default: none.
        "normalize": Shape::Word(|| names(Normalization::WORDS)),
        /// Runs of white space become one blank. Default: false.
        "collapse_whitespace": Shape::Flag,
        /// White space at both ends is cut. Default: false.
        "trim": Shape::Flag,
        /// Full case folding, no locale. Default: false.
        "ignore_case": Shape::Flag,
        /// The empty text equals NULL. Default: false.
        "empty_is_null": Shape::Flag,
    }
}

/// The comparator of an entry.
pub(super) fn read(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Comparator {
    let number = NumberTolerance::new(
        tolerance_of(fields, "absolute", mistakes),
        tolerance_of(fields, "relative", mistakes),
    );
    let text = fields.get("text").and_then(|item| text_rules(&item, mistakes));
    let time = fields.read("time", "a duration such as 1s", Duration::parse, mistakes);
    let unordered = fields.flag("unordered", mistakes);
    let json = fields.flag("json", mistakes);
    let sql = fields.text("sql", mistakes);
    refuse_mixtures(fields, mistakes);
    if let Some(sql) = sql {
        return Comparator::Sql(sql);
    }
    if json {
        return Comparator::Json;
    }
    let rule = number
        .map(ValueRule::Number)
        .or(text.map(ValueRule::Text))
        .or(time.map(ValueRule::Time));
    Comparator::Values {
        rule: rule.unwrap_or(ValueRule::Exact),
        unordered,
    }
}

/// A tolerance of a comparator or of `within`.
pub(super) fn tolerance_of(fields: &Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<Tolerance> {
    let item = fields.get(name)?;
    let found = item.read("a decimal such as 0.01, or a percentage such as 5%", tolerance, mistakes)?;
    let is_percentage = item.scalar("", mistakes).is_some_and(|text| text.ends_with('%'));
    if name == "relative" && !is_percentage && *found.exact() >= Number::from_int(1) {
        mistakes.warn(
            item.node.at,
            &item.path,
            Error::spec(format!("{found} allows any value up to {found} times the baseline"))
                .advice(format!("write {found}% if you mean percent")),
        );
    }
    Some(found)
}

fn text_rules(item: &Item<'_>, mistakes: &mut Mistakes) -> Option<TextRules> {
    let before = mistakes.count();
    let fields = item.fields(&TEXT, mistakes)?;
    let rules = TextRules {
        normalize: fields.word("normalize", Normalization::WORDS, mistakes),
        trim: fields.flag("trim", mistakes),
        ignore_case: fields.flag("ignore_case", mistakes),
        collapse_whitespace: fields.flag("collapse_whitespace", mistakes),
        empty_is_null: fields.flag("empty_is_null", mistakes),
    };
    if rules == TextRules::default() && mistakes.count() == before {
        item.wrong(
            mistakes,
            Error::spec("changes nothing").advice(format!("set at least one of {}", TEXT.names().collect::<Vec<_>>().join(", "))),
        );
    }
    Some(rules)
}

/// Only absolute and relative go together, and `unordered` with those, with text and with time.
fn refuse_mixtures(fields: &Fields<'_>, mistakes: &mut Mistakes) {
    let known = || COMPARATOR.fields.iter().filter(|field| !field.required);
    let mut given: Vec<&str> = known()
        .filter(|field| match field.shape {
            Shape::Flag => fields.flag(field.name, mistakes),
            _ => fields.has(field.name),
        })
        .map(|field| field.name)
        .collect();
    // A flag that is neither true nor false was told already.
    let is_unread = |item: Item<'_>| mistakes.has(item.node.at, &item.path);
    if given.is_empty() && !known().any(|field| fields.get(field.name).is_some_and(is_unread)) {
        let all = known().map(|field| field.name).collect::<Vec<_>>().join(", ");
        fields.wrong(mistakes, Error::spec("has no comparator").advice(format!("add one of {all}")));
    }
    if fields.has("absolute") {
        given.retain(|name| *name != "relative");
    }
    if given.contains(&"unordered") {
        given.retain(|name| *name != "unordered");
        if given.iter().any(|name| !["absolute", "relative", "text", "time"].contains(name)) {
            given.push("unordered");
        }
    }
    if given.len() > 1 {
        let what = Error::spec(format!("mixes {}", given.join(" and ")))
            .advice("keep one (only absolute and relative go together, and unordered with them, with text or with time)");
        fields.wrong(mistakes, what);
    }
}

impl Comparator {
    /// That of a column that no entry names.
    pub const EXACT: Comparator = Comparator::Values {
        rule: ValueRule::Exact,
        unordered: false,
    };

    /// The SQL that it evaluates, and thus what it reads besides the cells.
    pub fn sql(&self) -> Option<&str> {
        match self {
            Comparator::Sql(text) => Some(text),
            Comparator::Values { .. } | Comparator::Json => None,
        }
    }

    /// Whether it says which numbers are equal enough, where their types have no exact common form.
    pub fn has_tolerance(&self) -> bool {
        match self {
            Comparator::Values { rule, .. } => matches!(rule, ValueRule::Number(_)),
            Comparator::Json => false,
            Comparator::Sql(_) => true,
        }
    }

    /// Why it does not fit a type, or `None`. A column that is all NULL has no type yet: everything fits it.
    pub fn misfit(&self, shown: &ValueType) -> Option<&'static str> {
        let mut item = shown;
        while let ValueType::List(inner) = item {
            item = inner;
        }
        if *item == ValueType::Null {
            return None;
        }
        match self {
            Comparator::Values { rule, unordered } => rule.misfit(item).or_else(|| {
                let is_list = matches!(shown, ValueType::List(_));
                (*unordered && !is_list).then_some("`unordered` compares lists only")
            }),
            Comparator::Json => (*item != ValueType::Text).then_some("`json` compares text only"),
            Comparator::Sql(_) => None,
        }
    }
}

impl ValueRule {
    fn misfit(&self, item: &ValueType) -> Option<&'static str> {
        let (fits, mistake) = match self {
            ValueRule::Exact => return None,
            ValueRule::Number(NumberTolerance::Relative(_)) => (item.is_number(), "`relative` compares numbers only"),
            ValueRule::Number(_) => (item.is_number(), "`absolute` compares numbers only"),
            ValueRule::Text(_) => (*item == ValueType::Text, "`text` compares text only"),
            ValueRule::Time(_) => (item.is_time(), "`time` compares dates and times only"),
        };
        (!fits).then_some(mistake)
    }
}

impl NumberTolerance {
    /// `None` where neither is given.
    pub fn new(absolute: Option<Tolerance>, relative: Option<Tolerance>) -> Option<NumberTolerance> {
        match (absolute, relative) {
            (Some(absolute), Some(relative)) => Some(NumberTolerance::Either { absolute, relative }),
            (Some(absolute), None) => Some(NumberTolerance::Absolute(absolute)),
            (None, relative) => relative.map(NumberTolerance::Relative),
        }
    }

    pub fn absolute(&self) -> Option<&Tolerance> {
        match self {
            NumberTolerance::Absolute(absolute) | NumberTolerance::Either { absolute, .. } => Some(absolute),
            NumberTolerance::Relative(_) => None,
        }
    }

    pub fn relative(&self) -> Option<&Tolerance> {
        match self {
            NumberTolerance::Relative(relative) | NumberTolerance::Either { relative, .. } => Some(relative),
            NumberTolerance::Absolute(_) => None,
        }
    }

    /// All bounds halved so many times.
    pub fn halved(&self, times: u32) -> NumberTolerance {
        match self {
            NumberTolerance::Absolute(absolute) => NumberTolerance::Absolute(absolute.halved(times)),
            NumberTolerance::Relative(relative) => NumberTolerance::Relative(relative.halved(times)),
            NumberTolerance::Either { absolute, relative } => NumberTolerance::Either {
                absolute: absolute.halved(times),
                relative: relative.halved(times),
            },
        }
    }
}

impl Comparator {
    /// The same with its tolerance halved so many times; `None` where it has no distance, or none is left of it.
    pub fn halved(&self, times: u32) -> Option<Comparator> {
        let rule = match self {
            Comparator::Values {
                rule: ValueRule::Number(tolerance),
                unordered: false,
            } => ValueRule::Number(tolerance.halved(times)),
            Comparator::Values {
                rule: ValueRule::Time(limit),
                unordered: false,
            } => {
                let left = limit.nanoseconds().checked_shr(times).filter(|left| *left > 0)?;
                ValueRule::Time(Duration::from_nanoseconds(left))
            }
            Comparator::Values { .. } | Comparator::Json | Comparator::Sql(_) => return None,
        };
        Some(Comparator::Values { rule, unordered: false })
    }
}

impl std::fmt::Display for Comparator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Comparator::Values { rule, unordered: false } => write!(f, "{rule}"),
            Comparator::Values {
                rule: ValueRule::Exact,
                unordered: true,
            } => f.write_str("unordered: true"),
            Comparator::Values { rule, unordered: true } => write!(f, "{rule}, unordered: true"),
            Comparator::Json => f.write_str("json: true"),
            Comparator::Sql(text) => write!(f, "sql: {text}"),
        }
    }
}

impl std::fmt::Display for ValueRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ValueRule::Exact => f.write_str("exact"),
            ValueRule::Number(NumberTolerance::Absolute(absolute)) => write!(f, "absolute: {absolute}"),
            ValueRule::Number(NumberTolerance::Relative(relative)) => write!(f, "relative: {relative}"),
            ValueRule::Number(NumberTolerance::Either { absolute, relative }) => write!(f, "absolute: {absolute}, relative: {relative}"),
            ValueRule::Text(rules) => write!(f, "text: {rules}"),
            ValueRule::Time(limit) => write!(f, "time: {limit}"),
        }
    }
}

impl std::fmt::Display for TextRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let form = self.normalize.map(|form| format!("normalize: {}", form.name()));
        let flags = [
            (self.trim, "trim: true"),
            (self.ignore_case, "ignore_case: true"),
            (self.collapse_whitespace, "collapse_whitespace: true"),
            (self.empty_is_null, "empty_is_null: true"),
        ];
        let set = flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name.to_owned());
        write!(f, "{{{}}}", form.into_iter().chain(set).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Number;

    #[test]
    fn comparators_show_in_the_words_of_the_spec() {
        let tolerance = |text| Number::parse(text).and_then(Tolerance::new);
        let number = |absolute, relative| ValueRule::Number(NumberTolerance::new(absolute, relative).expect("a tolerance"));
        let values = |rule, unordered| Comparator::Values { rule, unordered };
        let text = TextRules {
            normalize: Some(Normalization::Nfkd),
            trim: true,
            empty_is_null: true,
            ..TextRules::default()
        };
        for (comparator, shown) in [
            (Comparator::EXACT, "exact"),
            (values(ValueRule::Exact, true), "unordered: true"),
            (values(number(tolerance("0.5"), None), false), "absolute: 0.5"),
            (
                values(number(tolerance("1"), tolerance("0.05")), true),
                "absolute: 1, relative: 0.05, unordered: true",
            ),
            (values(number(None, tolerance("2")), false), "relative: 2"),
            (
                values(ValueRule::Text(text), false),
                "text: {normalize: nfkd, trim: true, empty_is_null: true}",
            ),
            (
                values(ValueRule::Time(Duration::from_nanoseconds(1_500_000_000)), true),
                "time: 1500ms, unordered: true",
            ),
            (Comparator::Json, "json: true"),
            (Comparator::Sql("live > 0".into()), "sql: live > 0"),
        ] {
            assert_eq!(comparator.to_string(), shown);
        }
        assert_eq!(NumberTolerance::new(None, None), None);
    }

    #[test]
    fn each_fits_the_types_that_it_can_compare() {
        let number = |unordered| Comparator::Values {
            rule: ValueRule::Number(NumberTolerance::Relative(Tolerance::new(Number::from_int(1)).expect("a tolerance"))),
            unordered,
        };
        let list = |item| ValueType::List(Box::new(item));
        for (comparator, shown, mistake) in [
            (number(false), ValueType::DOUBLE, None),
            (number(false), list(list(ValueType::DOUBLE)), None),
            (number(false), ValueType::Text, Some("`relative` compares numbers only")),
            (number(true), list(ValueType::INT64), None),
            (number(true), ValueType::INT64, Some("`unordered` compares lists only")),
            (number(true), ValueType::Null, None),
            (Comparator::Json, list(ValueType::Text), None),
            (Comparator::Json, ValueType::Date, Some("`json` compares text only")),
            (Comparator::Sql("true".into()), ValueType::Date, None),
            (Comparator::EXACT, ValueType::Binary, None),
        ] {
            assert_eq!(comparator.misfit(&shown), mistake, "{comparator} of {shown}");
        }
    }
}
