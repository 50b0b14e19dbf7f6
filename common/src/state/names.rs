//! Which names in the folder of a job are ours: only those are ever removed.

use super::{Incarnation, Stage};
use object_store::path::Path as ObjectPath;
use shadowdiff_core::report::ResultFile;

/// Whose an object in the folder of a job is, by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// Of a submission of ours.
    Incarnation,
    /// Of a version before incarnations, which kept a job's objects beside each other in its folder; nobody else has such a name.
    Telling,
    /// The same, but others may have such a name too.
    Common,
    Foreign,
}

impl Name {
    pub(super) fn of(folder: &ObjectPath, path: &ObjectPath) -> Name {
        let Some(parts) = path.prefix_match(folder) else {
            return Name::Foreign;
        };
        let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
        Name::of_parts(&parts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The parts below the folder of the job.
    pub(super) fn of_parts(parts: &[&str]) -> Name {
        match parts {
            [first, rest @ ..] if Incarnation::parse(first).is_some() && is_stored(rest) => Name::Incarnation,
            ["journal" | "commit" | "data", ..] if is_stored(parts) => Name::Telling,
            _ if is_stored(parts) => Name::Common,
            _ => Name::Foreign,
        }
    }
}

/// Whether a job has an object of this name, as `JobState` gives them.
fn is_stored(parts: &[&str]) -> bool {
    let is_number = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    let is_stage = |text: &str| Stage::named(text).is_some();
    match parts {
        ["plan" | "manifest"] => true,
        ["journal", number] => is_number(number, 10),
        ["commit", stage, task] | ["data", stage, task, _] => is_stage(stage) && is_number(task, 8),
        ["tasks", stage] => is_stage(stage),
        ["tasks", stage, part] => is_stage(stage) && is_number(part, 8),
        ["accounts", digest] => digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()),
        ["result", _, file] => ResultFile::ALL.iter().any(|known| known.name() == *file),
        _ => false,
    }
}
