//! Errors: what somebody does about one (`Kind`), where it happened (`Place`), what happened, and what to do.
//!
//! ```text
//! spec.yaml:3:10: columns.rename (shadow): no column `amount`; did you mean `amt`?
//! shadow/a.csv:7: column `price` of shadow: `x` is not an integer; fix the value
//! shadow/a.parquet: row 12: column `price` of shadow: …
//! file:line:character: row: field: column, with the side: what; advice
//! ```

use crate::nearest::did_you_mean;
use crate::redact::redacted;
use crate::side::Side;
use crate::words::words;
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter};

words! {
    /// What to do about an error; it decides whether an attempt is tried again.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Kind {
        /// Fix the spec.
        Spec = "spec",
        /// Fix the data: it is malformed, missing, or it changed under the job.
        Input = "input",
        /// Wait and try again: a store or a peer does not answer.
        Unavailable = "unavailable",
        /// Give more memory or disk, or cut finer.
        Exhausted = "exhausted",
        /// Report a bug.
        Internal = "internal",
        /// Somebody asked for it.
        Interrupted = "interrupted",
    }
}

impl Kind {
    /// The kind of this name; what nobody knows is `Internal`.
    pub fn from_name(name: &str) -> Kind {
        let known = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        known.unwrap_or(Kind::Internal)
    }
}

/// Where something is wrong, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// A file or an object as messages name it, or another source such as the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// In the line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub character: Option<u64>,
    /// In the file, from 1: where lines are not known, or a row may be of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The column's name; of a member, its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// The path of a field of the spec or of a request, such as `expected[0].columns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Display for Place {
    /// What is known, the file first and as editors understand it, with a colon after each part.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
            for number in [self.line, self.line.and(self.character)].into_iter().flatten() {
                write!(f, ":{number}")?;
            }
            f.write_str(": ")?;
        }
        if let Some(row) = self.row {
            write!(f, "row {row}: ")?;
        }
        match (&self.field, self.side) {
            (Some(field), Some(side)) if self.column.is_none() => write!(f, "{field} ({side}): ")?,
            (Some(field), _) => write!(f, "{field}: ")?,
            (None, _) => {}
        }
        match (&self.column, self.side) {
            (Some(column), Some(side)) => write!(f, "column `{column}` of {side}: "),
            (Some(column), None) => write!(f, "column `{column}`: "),
            (None, Some(side)) if self.field.is_none() => write!(f, "{side} dataset: "),
            (None, _) => Ok(()),
        }
    }
}

/// One error, or several of one kind. Secrets of URLs are taken out of its texts when they come in, so that wherever it goes it may be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    pub kind: Kind,
    /// What happened.
    pub what: String,
    #[serde(default, skip_serializing_if = "is_nowhere")]
    pub place: Box<Place>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// What else is wrong, such as the other mistakes of a spec. None of these has others itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Error>,
}

fn is_nowhere(place: &Place) -> bool {
    *place == Place::default()
}

/// The place of a field of the spec.
impl From<&str> for Place {
    fn from(field: &str) -> Place {
        Place {
            field: Some(public(field)),
            ..Place::default()
        }
    }
}

impl Place {
    /// The same place on one side.
    pub fn of(self, side: Side) -> Place {
        Place { side: Some(side), ..self }
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Error {
            kind,
            what: public(what),
            place: Box::default(),
            advice: None,
            others: Vec::new(),
        }
    }
    pub fn spec(what: impl Into<String>) -> Self {
        Error::new(Kind::Spec, what)
    }
    pub fn input(what: impl Into<String>) -> Self {
        Error::new(Kind::Input, what)
    }
    pub fn unavailable(what: impl Into<String>) -> Self {
        Error::new(Kind::Unavailable, what)
    }
    pub fn exhausted(what: impl Into<String>) -> Self {
        Error::new(Kind::Exhausted, what)
    }
    pub fn internal(what: impl Into<String>) -> Self {
        Error::new(Kind::Internal, what)
    }

    /// Several mistakes of one kind as one error.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub fn all(mistakes: Vec<Error>) -> Result<()> {
        let mut mistakes = mistakes.into_iter();
        match mistakes.next() {
            Some(first) => Err(mistakes.fold(first, Error::and)),
            None => Ok(()),
        }
    }

    /// This error and another one.
    pub fn and(mut self, mut other: Error) -> Self {
        let others = std::mem::take(&mut other.others);
        self.others.push(other);
        self.others.extend(others);
        self
    }

    /// The mistakes one by one, each as an error without others.
    pub fn each(&self) -> impl Iterator<Item = &Error> {
        std::iter::once(self).chain(&self.others)
    }

    /// At this place.
    pub fn at(mut self, place: &Place) -> Self {
        *self.place = Place {
            file: place.file.clone().map(public),
            column: place.column.clone().map(public),
            field: place.field.clone().map(public),
            ..*place
        };
        self
    }

    /// In this file, object or other source.
    pub fn file(mut self, name: impl Display) -> Self {
        self.place.file = Some(public(name.to_string()));
        self
    }

    /// At this line of the file, from 1.
    pub fn line(mut self, line: u64) -> Self {
        self.place.line = Some(line);
        self
    }

    /// At this character of the line, from 1.
    pub fn character(mut self, character: u64) -> Self {
        self.place.character = Some(character);
        self
    }

    /// In this row of the file, from 1.
    pub fn row(mut self, row: u64) -> Self {
        self.place.row = Some(row);
        self
    }

    /// In this column, or member of one.
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.place.column = Some(public(name));
        self
    }

    /// On this side.
    pub fn side(mut self, side: Side) -> Self {
        self.place.side = Some(side);
        self
    }

    /// On neither side in particular.
    pub fn of_no_side(mut self) -> Self {
        self.place.side = None;
        self
    }

    /// In this field of the spec or of a request.
    pub fn field(mut self, path: impl Into<String>) -> Self {
        self.place.field = Some(public(path));
        self
    }

    /// What to do about it, after what is advised already.
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        let advice = public(advice);
        self.advice = Some(match self.advice {
            Some(question) if question.ends_with('?') => format!("{question} {advice}"),
            Some(before) => format!("{before}; {advice}"),
            None => advice,
        });
        self
    }

    /// Advises the known name that is nearest to an unknown one, if one is near enough.
    pub fn did_you_mean<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match did_you_mean(name, known) {
            Some(advice) => self.advice(advice),
            None => self,
        }
    }

    /// The same error with every text of it changed.
    pub fn map_texts(mut self, change: &impl Fn(&str) -> String) -> Self {
        self.what = change(&self.what);
        let place = self.place.as_mut();
        for text in [&mut self.advice, &mut place.file, &mut place.column, &mut place.field] {
            *text = text.as_deref().map(change);
        }
        self.others = self.others.into_iter().map(|other| other.map_texts(change)).collect();
        self
    }

    /// What happened and what to do, without the place.
    pub fn said(&self) -> String {
        match &self.advice {
            Some(advice) => format!("{}; {advice}", self.what),
            None => self.what.clone(),
        }
    }
}

impl std::error::Error for Error {}

impl Display for Error {
    /// A line for each mistake.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for (at, error) in self.each().enumerate() {
            let line_break = if at == 0 { "" } else { "\n" };
            write!(f, "{line_break}{}{}", error.place, error.said())?;
        }
        Ok(())
    }
}

fn public(text: impl Into<String>) -> String {
    redacted(&text.into()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_printed_one_way() {
        let what = || Error::input("is wrong");
        for (error, text) in [
            (what(), "is wrong"),
            (what().file("a.csv"), "a.csv: is wrong"),
            (what().file("a.csv").line(3), "a.csv:3: is wrong"),
            (
                what().file("s.yaml").line(3).character(9).field("key[0]"),
                "s.yaml:3:9: key[0]: is wrong",
            ),
            (
                what().file("a.csv").line(3).column("p.x").side(Side::Live),
                "a.csv:3: column `p.x` of live: is wrong",
            ),
            (
                what().file("a.parquet").row(7).column("p"),
                "a.parquet: row 7: column `p`: is wrong",
            ),
            (
                what().field("columns.derive.x").side(Side::Shadow),
                "columns.derive.x (shadow): is wrong",
            ),
            (what().side(Side::Live).file("l/"), "l/: live dataset: is wrong"),
            (what().advice("mend it").advice("or not"), "is wrong; mend it; or not"),
            (what().did_you_mean("liv", ["live", "shadow"]), "is wrong; did you mean `live`?"),
            (what().did_you_mean("x", ["live", "shadow"]), "is wrong"),
            (
                what().file("a").and(what().file("b").and(what().advice("c"))),
                "a: is wrong\nb: is wrong\nis wrong; c",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
        assert_eq!(Error::all(vec![]), Ok(()));
    }

    #[test]
    fn no_text_of_an_error_has_a_secret() {
        let url = "https://u:p@h/a.csv?sig=x";
        let error = Error::input(url).file(url).column(url).field(url).advice(url);
        let text = error.to_string();
        assert!(!text.contains("u:p") && !text.contains("sig=x"), "{text}");
        let place = Place {
            file: Some(url.to_owned()),
            ..Place::default()
        };
        assert_eq!(Error::input("x").at(&place).to_string(), "https://h/a.csv?…: x");
    }

    #[test]
    fn an_error_reads_back_as_it_was_stored() {
        let one = Error::input("is wrong").file("a.csv").line(3).side(Side::Live).advice("mend it");
        for error in [Error::internal("x"), one.clone().and(one.clone()), one] {
            let text = serde_json::to_string(&error).expect("JSON");
            assert_eq!(serde_json::from_str::<Error>(&text).expect("an error"), error, "{text}");
        }
    }
}
