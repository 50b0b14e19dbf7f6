//! Lists of accounts: in the spec, or in a CSV file whose column is named like the account column, else the first.

use shadowdiff_common::read::{DataFile, Sources, csv_findings, list, open_csv_file};
use shadowdiff_core::align::{Aligned, Column};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::judge::AccountSet;
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::{AccountScope, CsvOptions, DatasetSpec, ListSource, Spec};
use shadowdiff_core::value::ValueType;
use std::path::Path;

/// Reads every list that the spec names.
pub(crate) struct Lists<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) aligned: &'a Aligned,
    pub(crate) base: &'a Path,
    pub(crate) sources: &'a Sources,
}

impl Lists<'_> {
    /// Accounts whose baseline is not the default.
    pub(crate) async fn flipped(&self) -> Result<AccountSet> {
        match &self.spec.baseline.flipped {
            Some(source) => self.read(source, "baseline").await,
            None => Ok(AccountSet::default()),
        }
    }

    /// A set a rule, where its accounts are listed.
    pub(crate) async fn rules(&self) -> Result<Vec<Option<AccountSet>>> {
        let mut sets = Vec::new();
        for rule in &self.spec.expected {
            sets.push(match &rule.accounts {
                Some(AccountScope::Source(source)) => Some(self.read(source, &format!("expected `{}`: accounts", rule.name)).await?),
                Some(AccountScope::Where(_)) | None => None,
            });
        }
        Ok(sets)
    }

    async fn read(&self, source: &ListSource, place: &str) -> Result<AccountSet> {
        let columns: Vec<&Column> = self.aligned.account().iter().map(|i| &self.aligned.columns[*i]).collect();
        // Without a value on either side, no account is one of the list.
        if columns.iter().any(|column| column.shown == ValueType::Null) {
            return Ok(AccountSet::default());
        }
        match source {
            ListSource::List(accounts) => AccountSet::parse(accounts, &columns, place),
            ListSource::File(path) => AccountSet::parse(
                &self.read_file(path).await.map_err(|e| e.at(place))?,
                &columns,
                &format!("{place}: {path}"),
            ),
        }
    }

    async fn read_file(&self, path: &str) -> Result<Vec<Vec<String>>> {
        let csv = CsvOptions::default();
        let spec = DatasetSpec {
            paths: vec![path.to_owned()],
            schema: Vec::new(),
            csv: csv.clone(),
            ready: None,
        };
        let dataset = list(Side::Live, &spec, self.base, &self.sources.stores).await.map_err(|e| Error {
            message: e.message.replacen("live dataset: ", "", 1),
            ..e
        })?;
        let names: Vec<String> = self.spec.account.clone();
        let sources = self.sources.clone();
        let read = move || {
            let mut accounts = Vec::new();
            for file in &dataset.files {
                check_form(file, &csv, &sources)?;
                let (reader, _) = open_csv_file(file, &csv, 8192, &sources)?;
                let columns = positions(reader.columns(), &names, &file.name)?;
                for batch in reader {
                    let batch = batch?;
                    for row in 0..batch.columns.num_rows() {
                        if let Some(account) = account(&batch.columns, &columns, row) {
                            accounts.push(account);
                        }
                    }
                }
            }
            Ok(accounts)
        };
        self.sources
            .runtime
            .spawn_blocking(read)
            .await
            .map_err(|e| Error::internal(format!("reading accounts was dropped: {e}")))?
    }
}

/// A list has no settings that could say how it is written.
fn check_form(file: &DataFile, csv: &CsvOptions, sources: &Sources) -> Result<()> {
    let found = csv_findings(file, csv, sources)?;
    if found.delimiter.is_none() && found.encoding.is_none() {
        return Ok(());
    }
    let form = found.setting().unwrap_or_default();
    Err(Error::input(format!(
        "{}: is not UTF-8 with commas, but seems to be {form}; write the list of accounts as UTF-8 with commas, or in the spec as `list`",
        file.name
    )))
}

/// Where the account columns are in a file: by name, else the first ones.
fn positions(header: &[String], names: &[String], file: &str) -> Result<Vec<usize>> {
    let by_name: Option<Vec<usize>> = names.iter().map(|name| header.iter().position(|h| h == name)).collect();
    match by_name {
        Some(found) => Ok(found),
        None if header.len() >= names.len() => Ok((0..names.len()).collect()),
        None => Err(Error::input(format!(
            "{file}: has {} columns, but an account has {}: {}",
            header.len(),
            names.len(),
            names.join(", ")
        ))),
    }
}

/// A row's account as text; a row that is NULL in one of them is none.
fn account(batch: &arrow_array::RecordBatch, columns: &[usize], row: usize) -> Option<Vec<String>> {
    use arrow_array::Array;
    let text = |column: &usize| {
        let array = batch.column(*column).as_any().downcast_ref::<arrow_array::StringArray>()?;
        array.is_valid(row).then(|| array.value(row).to_owned())
    };
    columns.iter().map(text).collect()
}
