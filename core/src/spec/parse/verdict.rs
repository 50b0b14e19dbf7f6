//! What passes: the thresholds on exceptions and on schema differences.

use crate::error::Error;
use crate::spec::fields::{ALLOW_OR_FAIL, NOISE_VERDICTS, SCHEMA_CHANGES, VERDICT};
use crate::spec::item::{Fields, Item};
use crate::spec::mistakes::Mistakes;
use crate::spec::model::{Limit, Pattern, SchemaChange, VerdictSpec};
use crate::value::Number;

const LIMIT: &str = "a count such as 10, or a percentage such as 5%";

pub(super) fn read(fields: &Fields<'_>, mistakes: &mut Mistakes) -> VerdictSpec {
    let default = VerdictSpec::default();
    let Some(fields) = fields.get("verdict").and_then(|item| item.fields(&VERDICT, mistakes)) else {
        return default;
    };
    VerdictSpec {
        max_exceptions: fields
            .read("max_exceptions", LIMIT, Limit::parse, mistakes)
            .unwrap_or(default.max_exceptions),
        max_exception_accounts: fields.with("max_exception_accounts", share_of_all, mistakes),
        max_column_mismatch: fields.with("max_column_mismatch", mismatches, mistakes),
        schema_changes: fields.with("schema_changes", schema_changes, mistakes),
        type_changes_fail: fields.word("type_changes", ALLOW_OR_FAIL, mistakes).unwrap_or(false),
        unused_rules_fail: fields.word("unused_rules", ALLOW_OR_FAIL, mistakes).unwrap_or(false),
        allow_empty: fields.flag("allow_empty", mistakes),
        subtracts_noise: fields.word("noise", NOISE_VERDICTS, mistakes).unwrap_or(false),
    }
}

/// A limit on what there are only so many of; a percentage above 100 limits nothing.
fn share_of_all(item: &Item<'_>, mistakes: &mut Mistakes) -> Option<Limit> {
    let found = item.read(LIMIT, Limit::parse, mistakes)?;
    if matches!(&found, Limit::Share(share) if *share > Number::from_int(1)) {
        item.wrong(
            mistakes,
            Error::spec("is more than 100%, which limits nothing").advice("write a smaller percentage"),
        );
    }
    Some(found)
}

fn mismatches(item: &Item<'_>, mistakes: &mut Mistakes) -> Vec<(Pattern, Limit)> {
    let pairs = item.pairs("a mapping from columns to limits", mistakes).unwrap_or_default();
    pairs
        .into_iter()
        .filter_map(|(entry, item)| Some((Pattern(entry.key.clone()), share_of_all(&item, mistakes)?)))
        .collect()
}

fn schema_changes(item: &Item<'_>, mistakes: &mut Mistakes) -> Vec<SchemaChange> {
    let mut changes = Vec::new();
    for item in item.list("a list of added, removed, or an empty one", mistakes).unwrap_or_default() {
        if let Some(change) = item.word(SCHEMA_CHANGES, mistakes).filter(|change| !changes.contains(change)) {
            changes.push(change);
        }
    }
    changes
}
