//! The lines of `diff.csv`.

use super::csv::{cell, cell_of_struct, field, key_cell, key_text, text};
use super::delta::Delta;
use crate::align::{Aligned, Role};
use crate::difference::Difference;
use crate::spec::Spec;
use crate::tally::Judgement;
use crate::value::ValueType;

/// What is said of a difference, by which rule or acceptance, and its delta.
pub(super) type JudgedBy<'a> = (Judgement, Option<&'a str>, Option<&'a Delta>);

/// Prints differences; the words that all lines share are made once.
#[derive(Debug)]
pub struct LinePrinter<'a> {
    pub(super) spec: &'a Spec,
    pub(super) aligned: &'a Aligned,
    /// By column.
    comparators: Vec<String>,
}

impl<'a> LinePrinter<'a> {
    pub fn new(spec: &'a Spec, aligned: &'a Aligned) -> Self {
        let columns = aligned.columns.iter();
        LinePrinter {
            spec,
            aligned,
            comparators: columns.map(|column| column.comparator().to_string()).collect(),
        }
    }

    /// The comparator of a column, in words.
    pub(super) fn comparator(&self, column: usize) -> &str {
        &self.comparators[column]
    }

    /// The name of a rule.
    pub(super) fn rule(&self, rule: usize) -> &str {
        &self.spec.expected[rule].name
    }

    /// The fields of the key: the same for all lines of a row. Gives the length of the account's.
    pub(super) fn print_key(&self, difference: &Difference<'_>, out: &mut String) -> usize {
        let mut account_bytes = 0;
        for (at, (column, value)) in self.aligned.key_columns().zip(difference.key.values()).enumerate() {
            if at > 0 {
                out.push(',');
            }
            key_cell(&value, column, self.spec.output.spreadsheet_safe, out);
            if at + 1 == self.aligned.account_count {
                account_bytes = out.len();
            }
        }
        account_bytes
    }

    /// The fields of the key as a reader of the line has them.
    pub(super) fn key_texts(&self, difference: &Difference<'_>) -> Vec<Option<String>> {
        let key = self.aligned.key_columns().zip(difference.key.values());
        key.map(|(column, value)| key_text(&value, column)).collect()
    }

    /// The value of shadow as a reader of the line has it; `None` for NULL.
    pub(super) fn shadow_text(&self, difference: &Difference<'_>) -> Option<String> {
        let column = &self.aligned.columns[difference.column?];
        let form = match column.role {
            Role::Presence => &ValueType::Null,
            Role::Key | Role::Value(_) => &column.shown,
        };
        text(&difference.shadow, form)
    }

    /// All fields behind the key's, and the end of the line.
    pub(super) fn print_rest(&self, difference: &Difference<'_>, (judgement, by, delta): JudgedBy<'_>, out: &mut String) {
        let safe = self.spec.output.spreadsheet_safe;
        out.push(',');
        out.push_str(difference.kind.name());
        out.push(',');
        let column = difference.column.map(|at| &self.aligned.columns[at]);
        if let Some(column) = column {
            field(&column.name, safe, out);
        }
        for value in [&difference.live, &difference.shadow] {
            out.push(',');
            match column {
                Some(column) if column.role == Role::Presence => cell_of_struct(value, safe, out),
                Some(column) => cell(value, &column.shown, safe, out),
                None => cell(value, &ValueType::INT64, safe, out),
            }
        }
        out.push(',');
        delta.iter().for_each(|delta| delta.print(out));
        out.push(',');
        delta.iter().for_each(|delta| delta.print_relative(out));
        for text in [
            difference.column.map_or("", |column| self.comparator(column)),
            by.unwrap_or_default(),
            judgement.name(),
            difference.diagnosis.unwrap_or_default(),
        ] {
            out.push(',');
            if !text.is_empty() {
                field(text, safe, out);
            }
        }
        out.push('\n');
    }
}
