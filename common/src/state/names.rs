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
        ["result", _, file] => ResultFile::try_from((*file).to_owned()).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_picture_of_a_jobs_life_names_all_objects_and_no_other() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md")).expect("the page is there");
        let drawn: BTreeSet<&str> = page
            .split_whitespace()
            .filter_map(|word| word.strip_prefix("<incarnation>/"))
            .collect();
        for name in &drawn {
            let numbered = [
                ("<n>", "0000000001"),
                ("<stage>", "scan"),
                ("<task>", "00000001"),
                ("<part>", "00000001"),
            ];
            let named = [
                ("<digest>", "a".repeat(64)),
                ("<attempt>", "1-2".into()),
                ("<file>", "diff.csv".into()),
            ];
            let name = numbered.iter().fold((*name).to_owned(), |name, (from, to)| name.replace(from, to));
            let name = named.iter().fold(name, |name, (from, to)| name.replace(from, to));
            assert!(is_stored(&name.split('/').collect::<Vec<_>>()), "ARCHITECTURE.md: {name}");
        }
        let kinds: BTreeSet<&str> = drawn.iter().filter_map(|name| name.split('/').next()).collect();
        let all = ["accounts", "commit", "data", "journal", "manifest", "plan", "result", "tasks"];
        assert_eq!(kinds, BTreeSet::from(all));
    }
}
