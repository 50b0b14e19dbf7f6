//! What the values of a text column say about its type, and which of them keep it from being more than text.

use shadowdiff_core::value::{DateForm, Guess, TextForm, TextKind, ValueType};
use std::str::Utf8Error;

/// More different values than this are not the odd ones out: then the column is text.
const ODD_LIMIT: usize = 3;

/// Forms of dates that a column may be written in, none of them the usual one. Where two fit, both are said: which is meant is not guessed.
const DATE_FORMS: [&str; 7] = ["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d"];

/// A value, and where it stands first.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PlacedValue {
    text: String,
    place: String,
}

/// The values of one kind.
#[derive(Debug, Clone, Default)]
struct KindValues {
    guess: Guess,
    count: u64,
    /// Each once, the first few.
    values: Vec<PlacedValue>,
    has_more: bool,
}

impl KindValues {
    /// Whether a value is new.
    fn observe(&mut self, one: &Guess, text: &str, place: impl FnOnce() -> String) -> bool {
        self.count += 1;
        self.guess.merge(one);
        if self.has_more || self.values.iter().any(|value| value.text == text) {
            return self.has_more;
        }
        if self.values.len() < ODD_LIMIT {
            let (text, place) = (text.to_owned(), place());
            self.values.push(PlacedValue { text, place });
        } else {
            self.has_more = true;
        }
        true
    }

    fn merge(&mut self, later: &KindValues) {
        self.count += later.count;
        self.guess.merge(&later.guess);
        self.has_more |= later.has_more;
        for value in &later.values {
            if self.values.iter().any(|mine| mine.text == value.text) {
                continue;
            }
            if self.values.len() < ODD_LIMIT {
                self.values.push(value.clone());
            } else {
                self.has_more = true;
            }
        }
    }
}

/// The values of a column so far. Merged in the order of the files, it does not depend on who read what when.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// By [`TextKind`].
    kinds: [KindValues; 5],
    /// Of the values that are mere text, with a decimal comma.
    comma: Guess,
    /// Some comma has no three digits behind it, so it does not separate thousands.
    is_surely_decimal: bool,
    /// Forms of dates in which all the values that are mere text can be read.
    date_forms: Vec<(&'static str, TextForm)>,
}

impl Default for Evidence {
    fn default() -> Self {
        let form = |pattern: &'static str| {
            let date = DateForm::parse(pattern).ok();
            let usual = TextForm::default();
            (pattern, TextForm { date, ..usual })
        };
        Evidence {
            kinds: Default::default(),
            comma: Guess::default(),
            is_surely_decimal: false,
            date_forms: DATE_FORMS.map(form).into(),
        }
    }
}

impl Evidence {
    fn of(&self, kind: TextKind) -> &KindValues {
        &self.kinds[kind as usize]
    }

    /// Takes a value in; NULLs are not to be shown. `place` is asked for values that are kept alone. Its kind, unless nothing more matters.
    pub fn observe(&mut self, text: &str, form: &TextForm, place: impl FnOnce() -> String) -> Option<TextKind> {
        if self.is_settled() {
            return None;
        }
        let mut one = Guess::default();
        one.observe_in(text, form);
        let kind = one.kind();
        let is_new = self.kinds[kind as usize].observe(&one, text, place);
        if is_new && kind == TextKind::Text {
            self.observe_text(text);
        }
        Some(kind)
    }

    /// Takes in a plain number or day where that says no more than how large it is. Says whether it was one; else nothing has changed.
    fn observe_plain(&mut self, kind: Option<TextKind>, text: &[u8]) -> bool {
        let of_kind = match kind {
            Some(kind @ (TextKind::Number | TextKind::Time)) => &mut self.kinds[kind as usize],
            Some(TextKind::Bool | TextKind::LooseNumber | TextKind::Text) | None => return false,
        };
        let is_plain = of_kind.has_more
            && match kind {
                Some(TextKind::Time) => of_kind.guess.observe_plain_day(text),
                _ => of_kind.guess.observe_plain_number(text),
            };
        of_kind.count += u64::from(is_plain);
        is_plain
    }

    /// Takes in a value of this kind that has been taken in before: that there is one more of it is all it says.
    fn observe_again(&mut self, kind: TextKind) {
        self.kinds[kind as usize].count += 1;
    }

    /// Reads a value that is mere text in forms that the spec does not name.
    fn observe_text(&mut self, text: &str) {
        let comma = TextForm {
            decimal_comma: true,
            ..TextForm::default()
        };
        self.comma.observe_in(text, &comma);
        let behind = text.rsplit_once(',').map_or(0, |(_, digits)| digits.len());
        let before = text.trim_start_matches('-').find(',').unwrap_or(0);
        self.is_surely_decimal |= behind != 3 || before > 3 || text.trim_start_matches('-').starts_with("0,");
        self.date_forms.retain(|(_, form)| {
            let mut one = Guess::default();
            one.observe_in(text, form);
            one.result() == ValueType::Date
        });
    }

    /// Whether more values can change nothing: the column is text, and there is nothing to say about it.
    fn is_settled(&self) -> bool {
        self.of(TextKind::Text).has_more && self.comma.is_text() && self.date_forms.is_empty()
    }

    /// Takes in the values of other rows that have been looked at elsewhere: all that `others` says but for what it says of `left`. How many they are
    /// is all that is new, where whoever asks knows the others too.
    pub fn add_known(&mut self, others: &Evidence, left: &Evidence) {
        let counts = others.kinds.iter().zip(&left.kinds);
        for (mine, (all, left)) in self.kinds.iter_mut().zip(counts) {
            mine.count += all.count.saturating_sub(left.count);
        }
    }

    /// Takes in what a later file says.
    pub fn merge(&mut self, later: &Evidence) {
        self.kinds.iter_mut().zip(&later.kinds).for_each(|(mine, later)| mine.merge(later));
        self.comma.merge(&later.comma);
        self.is_surely_decimal |= later.is_surely_decimal;
        self.date_forms
            .retain(|(pattern, _)| later.date_forms.iter().any(|(other, _)| other == pattern));
    }

    /// The same beside values that have no place; `None` where these are text themselves, or of several kinds.
    #[must_use]
    pub fn beside(mut self, others: &Guess) -> Option<Evidence> {
        let kind = others.kind();
        if others.is_empty() {
            return Some(self);
        }
        let count = self.kinds.iter().map(|of_kind| of_kind.count).sum();
        let of_kind = &mut self.kinds[kind as usize];
        of_kind.guess.merge(others);
        // How many they are is not known.
        (of_kind.count, of_kind.has_more) = (count, true);
        (kind != TextKind::Text).then_some(self)
    }

    /// What all values have in common.
    pub fn guess(&self) -> Guess {
        let mut all = Guess::default();
        self.kinds.iter().for_each(|of_kind| all.merge(&of_kind.guess));
        all
    }

    /// All values are numbers, some of them with a comma that cannot separate thousands.
    pub fn has_decimal_commas(&self) -> bool {
        self.has_commas() && self.is_surely_decimal
    }

    fn has_commas(&self) -> bool {
        let is_number = |guess: &Guess| matches!(guess.result(), ValueType::Int { .. } | ValueType::Decimal { .. });
        let numbers = self.of(TextKind::Number);
        let is_alone = self.count_besides(&[TextKind::Text, TextKind::Number]) == 0;
        let are_whole = numbers.count == 0 || numbers.guess.result() == ValueType::INT64;
        is_alone && are_whole && !self.comma.is_empty() && is_number(&self.comma)
    }

    fn count_besides(&self, kinds: &[TextKind]) -> u64 {
        let all: u64 = self.kinds.iter().map(|of_kind| of_kind.count).sum();
        all - kinds.iter().map(|kind| self.of(*kind).count).sum::<u64>()
    }

    /// The forms in which every value is a date; none where there is no value, or where dates are written as usual.
    pub fn date_forms(&self) -> Vec<&'static str> {
        if self.of(TextKind::Text).count == 0 || self.count_besides(&[TextKind::Text]) > 0 {
            return Vec::new();
        }
        self.date_forms.iter().map(|(pattern, _)| *pattern).collect()
    }

    /// Why the column is text although most of it is not, and what makes it more; `None` where it simply is text, or is none.
    pub fn why_text(&self) -> Option<String> {
        if self.guess().result() != ValueType::Text {
            return None;
        }
        let first = self.of(TextKind::Text).values.first();
        let shown = first.map_or_else(String::new, |odd| format!("{} '{}'", odd.place, odd.text));
        if self.has_commas() {
            let thousands = if self.is_surely_decimal {
                ""
            } else {
                " if the commas are decimal ones; if they separate thousands, write the numbers without them"
            };
            return Some(format!(
                "is text because its numbers have commas, such as {shown}; csv: {{decimal: \",\"}} makes it a number{thousands}"
            ));
        }
        if let [first, more @ ..] = self.date_forms().as_slice() {
            let or = more.iter().map(|pattern| format!(" or \"{pattern}\"")).collect::<String>();
            let meant = if more.is_empty() { "" } else { ", whichever is meant," };
            return Some(format!(
                "is text because its dates are not ISO 8601, such as {shown}; csv: {{dates: \"{first}\"}}{or}{meant} makes it a date"
            ));
        }
        self.why_odd()
    }

    /// A few values are not what all others are.
    fn why_odd(&self) -> Option<String> {
        let main = [TextKind::Bool, TextKind::Number, TextKind::Time]
            .into_iter()
            .max_by_key(|kind| self.of(*kind).count)?;
        let (kind, kinds) = match self.of(main).guess.result() {
            ValueType::Bool => ("a bool", "bools"),
            ValueType::Int { .. } | ValueType::Decimal { .. } | ValueType::Float { .. } => ("a number", "numbers"),
            ValueType::Date => ("a date", "dates"),
            ValueType::Timestamp { .. } => ("a time", "times"),
            _ => return None,
        };
        let others = || self.kinds.iter().enumerate().filter(|(at, _)| *at != main as usize);
        let odd: Vec<&PlacedValue> = others().flat_map(|(_, of_kind)| &of_kind.values).collect();
        let has_more = odd.len() > ODD_LIMIT || others().any(|(_, of_kind)| of_kind.has_more);
        if has_more || self.count_besides(&[main]) > self.of(main).count {
            return None;
        }
        let shown: Vec<String> = odd.iter().map(|odd| format!("{} '{}'", odd.place, odd.text)).collect();
        let because = format!("is text because of {}", shown.join(" and "));
        Some(if odd.iter().all(|odd| is_null_mark(&odd.text)) {
            let marks: Vec<String> = odd.iter().map(|odd| in_yaml(&odd.text)).collect();
            format!("{because}; csv: {{null_values: [{}]}} makes it {kind}", marks.join(", "))
        } else {
            // What may be a value is not to be made NULL, which would hide it.
            format!("{because}; all its other values are {kinds}")
        })
    }
}

/// The values of a column as they come. What says no more than how large it is, is quickly read; one that was among the last ones not at all.
#[derive(Debug, Clone)]
pub struct Observer {
    evidence: Evidence,
    form: TextForm,
    is_settled: bool,
    /// Of the value that was read last.
    kind: Option<TextKind>,
    /// By a hash of the text: the short text and its kind; 0: none. Empty where most values were new.
    last: Vec<u128>,
    asked: u32,
    known: u32,
}

impl Observer {
    /// Values kept, 16 bytes each: those of some columns stay near the processor.
    const KEPT: usize = 1 << 10;
    /// After so many it shows whether values come again.
    const TRIED: u32 = 1 << 14;
    /// Where the kind lies in a short text.
    const KIND: u32 = 124;

    /// Of a column whose values are written in this form.
    pub fn new(form: &TextForm) -> Observer {
        Observer {
            evidence: Evidence::default(),
            form: form.clone(),
            is_settled: false,
            kind: None,
            last: vec![0; Observer::KEPT],
            asked: 0,
            known: 0,
        }
    }

    /// As [`Evidence::observe`]; an error where the bytes are not UTF-8.
    pub fn observe(&mut self, text: &[u8], place: impl FnOnce() -> String) -> Result<(), Utf8Error> {
        if self.is_settled {
            return if text.is_ascii() {
                Ok(())
            } else {
                str::from_utf8(text).map(|_| ())
            };
        }
        if self.form.is_usual() && self.evidence.observe_plain(self.kind, text) {
            return Ok(());
        }
        let Some(short) = short(text).filter(|_| !self.last.is_empty()) else {
            return self.read(text, place);
        };
        // Multiplied by an odd number, bits of all bytes come to the top.
        let folded = (short as u64) ^ ((short >> 64) as u64).rotate_left(29);
        let slot = (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54) as usize % Observer::KEPT;
        let last = self.last[slot];
        self.asked += 1;
        if last & !(0xF << Observer::KIND) == short && last >> Observer::KIND != 0 {
            self.known += 1;
            self.evidence.observe_again(TextKind::ALL[(last >> Observer::KIND) as usize - 1]);
            return Ok(());
        }
        self.read(text, place)?;
        self.last[slot] = self.kind.map_or(0, |kind| short | (kind as u128 + 1) << Observer::KIND);
        if self.asked == Observer::TRIED {
            self.give_up_if_useless();
        }
        Ok(())
    }

    fn read(&mut self, text: &[u8], place: impl FnOnce() -> String) -> Result<(), Utf8Error> {
        self.kind = self.evidence.observe(str::from_utf8(text)?, &self.form, place);
        self.is_settled = self.evidence.is_settled();
        Ok(())
    }

    /// To look for values that never come again costs more than to read them.
    fn give_up_if_useless(&mut self) {
        if self.known < self.asked / 2 {
            self.last = Vec::new();
        }
        (self.asked, self.known) = (0, 0);
    }

    pub fn evidence(self) -> Evidence {
        self.evidence
    }
}

/// A text of up to 15 bytes and its length, in 124 bits.
fn short(text: &[u8]) -> Option<u128> {
    let low = |from: usize| {
        text.get(from..from + 4)
            .map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
    };
    let eight = |from: usize| Some(u64::from(low(from)?) | u64::from(low(from + 4)?) << 32);
    let length = text.len();
    let bytes = match length {
        0..4 => text.iter().rev().fold(0, |sum, byte| sum << 8 | u128::from(*byte)),
        // The ends overlap in the middle: of one length, the same bytes give the same number, and others another one.
        4..8 => u128::from(low(0)?) | u128::from(low(length - 4)?) << 32,
        8..16 => u128::from(eight(0)?) | u128::from(eight(length - 8)?) << 64 >> (8 * (16 - length)),
        _ => return None,
    };
    Some(bytes | (length as u128) << 120)
}

/// Whether a text is one of those with which people and programs say that there is no value.
pub(in crate::read) fn is_null_mark(text: &str) -> bool {
    const MARKS: &[&str] = &[
        "n/a",
        "na",
        "#n/a",
        "#na",
        "n.a.",
        "n/d",
        "n.v.",
        "k.a.",
        "null",
        "(null)",
        "<null>",
        "none",
        "nil",
        "nan",
        "nat",
        "<na>",
        "\\n",
        "-",
        "--",
        "---",
        ".",
        "?",
        "unknown",
        "missing",
        "undefined",
        "not available",
    ];
    MARKS.contains(&text.trim().to_lowercase().as_str())
}

/// A text as an element of a YAML list in brackets.
pub(in crate::read) fn in_yaml(text: &str) -> String {
    const WORDS: [&str; 8] = ["null", "true", "false", "yes", "no", "on", "off", "~"];
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'/' || byte == b'_');
    if is_plain && !WORDS.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of values that are each seen as if new, and the same of an observer that knows them again.
    fn evidence(values: &[&str]) -> Evidence {
        let (mut evidence, mut observer) = (Evidence::default(), Observer::new(&TextForm::default()));
        for (at, value) in values.iter().enumerate() {
            evidence.observe(value, &TextForm::default(), || format!("s.csv:{}", at + 2));
            let place = || format!("s.csv:{}", at + 2);
            observer.observe(value.as_bytes(), place).expect("text");
        }
        assert_eq!(format!("{:?}", observer.evidence()), format!("{evidence:?}"), "{values:?}");
        evidence
    }

    #[test]
    fn plain_values_in_a_row_and_what_comes_between_them_are_evidence() {
        let numbers = [
            "1",
            "-2",
            "3.50",
            "12",
            "40",
            "0.25",
            "123456789012345",
            "9007199254740993",
            "7",
            "1e3",
            "5",
        ];
        let days = [
            "2026-01-01",
            "2026-01-02",
            "2026-02-28",
            "2026-12-31",
            "1999-05-05",
            "9999-01-01",
            "2026-02-03",
        ];
        let texts = ["a", "b", "c", "d", "1", "2026-01-01", "e"];
        for (a, b) in [
            (&numbers[..], &days[..]),
            (&days, &numbers),
            (&numbers, &texts),
            (&days, &texts),
            (&texts, &days),
        ] {
            let all = [a, b, a, &["007", "true", "x", "NaN"], b, a].concat();
            for from in 0..all.len() {
                evidence(&all[from..]);
            }
        }
    }

    #[test]
    fn texts_are_known_again_by_all_their_bytes() {
        let texts = [
            "",
            "\0",
            "\0\0",
            "a",
            "a\0",
            "abcd",
            "abcde",
            "abcdabcd",
            "abcdbbcd",
            "abcdabcde",
            "123456789012345",
            "12345678901234\u{e}",
        ];
        let different: std::collections::BTreeSet<u128> = texts.iter().filter_map(|text| short(text.as_bytes())).collect();
        assert_eq!(different.len(), texts.len());
        assert_eq!(short(b"1234567890123456"), None);
    }

    #[test]
    fn the_values_that_keep_a_column_from_being_more_are_told() {
        let check = |values: &[&str], want: Option<&str>| {
            let all = evidence(values);
            assert_eq!(all.why_text().as_deref(), want, "{values:?}");
            let mut plain = Guess::default();
            values.iter().for_each(|value| plain.observe(value));
            assert_eq!(all.guess().result(), plain.result(), "{values:?}");
            for cut in 0..values.len() {
                let mut merged = evidence(&values[..cut]);
                let mut later = Evidence::default();
                for (at, value) in values.iter().enumerate().skip(cut) {
                    later.observe(value, &TextForm::default(), || format!("s.csv:{}", at + 2));
                }
                merged.merge(&later);
                assert_eq!(merged.why_text().as_deref(), want, "{values:?} cut at {cut}");
            }
        };
        check(
            &["1", "n/a", "2", "n/a"],
            Some("is text because of s.csv:3 'n/a'; csv: {null_values: [n/a]} makes it a number"),
        );
        check(
            &["2026-01-01", "-", "NULL", "2026-01-02"],
            Some("is text because of s.csv:3 '-' and s.csv:4 'NULL'; csv: {null_values: [\"-\", \"NULL\"]} makes it a date"),
        );
        check(
            &["1", "12x"],
            Some("is text because of s.csv:3 '12x'; all its other values are numbers"),
        );
        check(&["1", ""], Some("is text because of s.csv:3 ''; all its other values are numbers"));
        // To make these NULL would hide values.
        check(
            &["1", "Y", "2"],
            Some("is text because of s.csv:3 'Y'; all its other values are numbers"),
        );
        check(&["1", "Y", "N"], None);
        check(&["1", "2"], None);
        check(&["a", "b"], None);
        check(&["1", "a", "b", "c", "d"], None);
        check(&["007", "x"], None);
        check(
            &["1", "2", "007"],
            Some("is text because of s.csv:4 '007'; all its other values are numbers"),
        );
        check(
            &["1", "true", "2"],
            Some("is text because of s.csv:3 'true'; all its other values are numbers"),
        );
        check(
            &["2026-01-01", "5", "2026-01-02"],
            Some("is text because of s.csv:3 '5'; all its other values are dates"),
        );
        check(&["1", "NaN", "9007199254740993"], None);
        check(
            &["1,5", "2", "-0,25"],
            Some("is text because its numbers have commas, such as s.csv:2 '1,5'; csv: {decimal: \",\"} makes it a number"),
        );
        check(
            &["1,234", "2"],
            Some(
                "is text because its numbers have commas, such as s.csv:2 '1,234'; csv: {decimal: \",\"} makes it a number \
                 if the commas are decimal ones; if they separate thousands, write the numbers without them",
            ),
        );
        check(&["1,5", "2.5", "x", "y", "z"], None);
        check(
            &["31.12.2026", "01.02.2026", "02.02.2026", "03.02.2026", "04.02.2026"],
            Some("is text because its dates are not ISO 8601, such as s.csv:2 '31.12.2026'; csv: {dates: \"%d.%m.%Y\"} makes it a date"),
        );
        check(
            &["01/02/2026"],
            Some(
                "is text because its dates are not ISO 8601, such as s.csv:2 '01/02/2026'; \
                 csv: {dates: \"%d/%m/%Y\"} or \"%m/%d/%Y\", whichever is meant, makes it a date",
            ),
        );
    }
}
