//! The lines of `diff.csv`.

use super::csv::{cell, cell_of_struct, field, key_cell, key_text, text};
use super::delta::Delta;
use crate::align::{Aligned, Role};
use crate::difference::Difference;
use crate::spec::Spec;
use crate::tally::Judgement;
use crate::value::{Value, ValueType};

/// What is said of a difference, by which rule or acceptance, and its delta.
pub(super) type JudgedBy<'a> = (Judgement, Option<&'a str>, Option<&'a Delta>);

/// Prints differences; the words that all lines share are made once.
#[derive(Debug)]
pub struct LinePrinter<'a> {
    pub(super) spec: &'a Spec,
    pub(super) aligned: &'a Aligned,
    /// By column.
    comparators: Vec<String>,
    /// The same as fields, the names of the columns too.
    comparator_fields: Vec<String>,
    column_fields: Vec<String>,
}

impl<'a> LinePrinter<'a> {
    pub fn new(spec: &'a Spec, aligned: &'a Aligned) -> Self {
        let comparators: Vec<String> = aligned.columns.iter().map(|column| column.comparator().to_string()).collect();
        let field_of = |text: &str| {
            let mut out = String::new();
            field(text, spec.output.spreadsheet_safe, &mut out);
            out
        };
        LinePrinter {
            spec,
            aligned,
            comparator_fields: comparators.iter().map(|text| field_of(text)).collect(),
            column_fields: aligned.columns.iter().map(|column| field_of(&column.name)).collect(),
            comparators,
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

    /// Fields of the key: the same for all lines of a row. `values` are those of its columns from `first` on.
    pub(super) fn print_key<'d>(&self, first: usize, values: impl Iterator<Item = Value<'d>>, out: &mut String) {
        for (at, (column, value)) in self.aligned.key_columns().skip(first).zip(values).enumerate() {
            if first + at > 0 {
                out.push(',');
            }
            key_cell(&value, column, self.spec.output.spreadsheet_safe, out);
        }
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
        out.push_str(difference.column.map_or("", |at| &self.column_fields[at]));
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
        out.push(',');
        out.push_str(difference.column.map_or("", |at| &self.comparator_fields[at]));
        let some = |text: Option<&str>, out: &mut String| match text {
            None | Some("") => {}
            Some(text) => field(text, safe, out),
        };
        out.push(',');
        some(by, out);
        out.push(',');
        out.push_str(judgement.name());
        out.push(',');
        some(difference.diagnosis, out);
        out.push('\n');
    }
}
