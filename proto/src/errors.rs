//! Errors as they travel: their text for people, their parts for programs.

use crate::v1::{AttemptFailed, ErrorPlace, JobError, Mistake};
use shadowdiff_core::error::{Error, Kind, Place};
use shadowdiff_core::side::Side;

/// As many mistakes are sent in parts; the text has them all.
const MAX_MISTAKES: usize = 20;

impl From<&Error> for JobError {
    fn from(error: &Error) -> JobError {
        JobError {
            kind: error.kind.name().into(),
            message: error.to_string(),
            mistakes: mistakes(error),
        }
    }
}

impl From<&JobError> for Error {
    fn from(error: &JobError) -> Error {
        whole(&error.kind, &error.message, &error.mistakes)
    }
}

impl AttemptFailed {
    /// The end of an attempt.
    pub fn new(attempt_id: String, error: &Error) -> AttemptFailed {
        AttemptFailed {
            attempt_id,
            kind: error.kind.name().into(),
            message: error.to_string(),
            mistakes: mistakes(error),
        }
    }

    /// What a worker says went wrong.
    pub fn error(&self) -> Error {
        whole(&self.kind, &self.message, &self.mistakes)
    }
}

/// What is sent in parts; nothing of an error that is a text alone, or that has more parts than are sent.
fn mistakes(error: &Error) -> Vec<Mistake> {
    let is_text = |error: &Error| *error.place == Place::default() && error.advice.is_none();
    if error.others.len() >= MAX_MISTAKES || error.each().all(is_text) {
        return Vec::new();
    }
    error.each().map(mistake).collect()
}

fn mistake(error: &Error) -> Mistake {
    let place = error.place.as_ref().clone();
    Mistake {
        place: (place != Place::default()).then(|| ErrorPlace {
            file: place.file.unwrap_or_default(),
            line: place.line.unwrap_or_default(),
            character: place.character.unwrap_or_default(),
            row: place.row.unwrap_or_default(),
            column: place.column.unwrap_or_default(),
            side: place.side.map(Side::name).unwrap_or_default().into(),
            field: place.field.unwrap_or_default(),
        }),
        what: error.what.clone(),
        advice: error.advice.clone().unwrap_or_default(),
    }
}

/// Other versions send the text alone.
fn whole(kind: &str, message: &str, mistakes: &[Mistake]) -> Error {
    let kind = Kind::from_name(kind);
    let mistakes = mistakes.iter().take(MAX_MISTAKES).map(|mistake| one(kind, mistake));
    mistakes.reduce(Error::and).unwrap_or_else(|| Error::new(kind, message))
}

fn one(kind: Kind, mistake: &Mistake) -> Error {
    let error = Error::new(kind, &mistake.what);
    let error = match &mistake.place {
        Some(known) => error.at(&place(known)),
        None => error,
    };
    match mistake.advice.as_str() {
        "" => error,
        advice => error.advice(advice),
    }
}

fn place(sent: &ErrorPlace) -> Place {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let number = |number: u64| (number > 0).then_some(number);
    Place {
        file: text(&sent.file),
        line: number(sent.line),
        character: number(sent.character),
        row: number(sent.row),
        column: text(&sent.column),
        side: Side::named(&sent.side),
        field: text(&sent.field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_arrives_as_it_was_sent() {
        let text = Error::unavailable("503");
        let placed = Error::input("is wrong")
            .file("a.csv")
            .line(3)
            .column("c")
            .side(Side::Shadow)
            .advice("mend it");
        let field = Error::input("is wrong").field("key[1]").row(7);
        for error in [text.clone(), placed.clone(), field.clone().and(placed).and(Error::input("more"))] {
            assert_eq!(Error::from(&JobError::from(&error)), error);
            let failed = AttemptFailed::new("a".into(), &error);
            assert_eq!((failed.error(), failed.message), (error.clone(), error.to_string()));
        }
        let many = Error::all(vec![field; 30]).expect_err("many");
        let sent = JobError::from(&many);
        assert!(sent.mistakes.is_empty());
        assert_eq!(Error::from(&sent).to_string(), many.to_string());
    }
}
