//! Lists of accounts: in the spec, or in a CSV file whose column is named like the account column, else the first.

use arrow_array::cast::AsArray;
use arrow_array::{Array, StringArray};
use shadowdiff_common::read::{DataFile, Dataset, Sources, TextRows, csv_findings, list, open_csv_file};
use shadowdiff_common::tasks::blocking;
use shadowdiff_core::accounts::{AccountReader, AccountSet, AccountSets, BadAccount, Packer};
use shadowdiff_core::align::{Aligned, Column};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::write_fields;
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::{AccountScope, CsvOptions, DatasetSpec, ListSource, Spec};
use shadowdiff_core::value::ValueType;
use std::collections::BTreeMap;
use std::path::Path;

/// Reads every list that the spec names.
pub(crate) struct Lists<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) aligned: &'a Aligned,
    pub(crate) base: &'a Path,
    pub(crate) sources: &'a Sources,
}

impl Lists<'_> {
    /// Lists of the same accounts are one set.
    pub(crate) async fn read(&self) -> Result<AccountSets> {
        let mut known = AlreadyRead::default();
        let mut sets = AccountSets::default();
        if let Some(source) = &self.spec.baseline.flipped {
            let field = format!("baseline.{}_for", self.spec.baseline.default.other());
            sets.flipped = self.set(source, &field, &mut known).await?;
        }
        for (at, rule) in self.spec.expected.iter().enumerate() {
            sets.rules.push(match &rule.accounts {
                Some(AccountScope::Source(source)) => Some(self.set(source, &format!("expected[{at}].accounts"), &mut known).await?),
                Some(AccountScope::Where(_)) | None => None,
            });
        }
        Ok(sets)
    }

    async fn set(&self, source: &ListSource, field: &str, known: &mut AlreadyRead) -> Result<AccountSet> {
        let columns: Vec<&Column> = self.aligned.account().iter().map(|i| &self.aligned.columns[*i]).collect();
        // Without a value on either side, no account is one of the list.
        if columns.iter().any(|column| column.shown == ValueType::Null) {
            return Ok(AccountSet::default());
        }
        match source {
            ListSource::List(accounts) => AccountSet::parse(accounts, &columns, &format!("{field}.list")).map(|set| known.shared(set)),
            ListSource::File(path) => {
                if let Some(set) = known.files.get(path) {
                    return Ok(set.clone());
                }
                let set = self.read_file(path, &columns).await.map_err(|e| e.field(format!("{field}.file")))?;
                let set = known.shared(set);
                known.files.insert(path.clone(), set.clone());
                Ok(set)
            }
        }
    }

    async fn read_file(&self, path: &str, columns: &[&Column]) -> Result<AccountSet> {
        let dataset = list_file(path, self.base, self.sources).await?;
        let columns: Vec<Column> = columns.iter().map(|column| (*column).clone()).collect();
        let names: Vec<String> = self.spec.account.clone();
        let sources = self.sources.clone();
        let read = move || {
            let mut reader = AccountReader::new(&columns.iter().collect::<Vec<_>>());
            let mut push = |texts: &[&StringArray]| reader.push(texts);
            dataset
                .files
                .iter()
                .try_for_each(|file| read_accounts(file, &names, &sources, &mut push))?;
            Ok(reader.finish())
        };
        blocking("reading accounts", read).await
    }
}

/// Reads a list of accounts as text, whatever their types: each as a record of `accounts.csv` has it. An entry that is NULL in one of the
/// columns `names` is no account.
pub async fn read_account_texts(path: &str, names: &[String], base: &Path, sources: &Sources) -> Result<AccountSet> {
    let dataset = list_file(path, base, sources).await?;
    let (names, sources) = (names.to_vec(), sources.clone());
    let read = move || {
        let mut packer = Packer::default();
        let mut push = |texts: &[&StringArray]| {
            let rows = texts.first().map_or(0, |column| column.len());
            for row in (0..rows).filter(|row| texts.iter().all(|column| column.is_valid(*row))) {
                let account = write_fields(texts.iter().map(|column| Some(column.value(row))), false);
                packer.push(account.as_bytes());
            }
            Ok(())
        };
        dataset
            .files
            .iter()
            .try_for_each(|file| read_accounts(file, &names, &sources, &mut push))?;
        Ok(packer.finish())
    };
    blocking("reading accounts", read).await
}

/// The files of a list of accounts, which is of no side.
async fn list_file(path: &str, base: &Path, sources: &Sources) -> Result<Dataset> {
    let spec = DatasetSpec {
        paths: vec![path.to_owned()],
        schema: Vec::new(),
        csv: CsvOptions::default(),
        ready: None,
    };
    list(Side::Live, &spec, base, &sources.stores).await.map_err(Error::of_no_side)
}

/// What was read before, so that nothing is held or read twice.
#[derive(Default)]
struct AlreadyRead {
    files: BTreeMap<String, AccountSet>,
    sets: Vec<AccountSet>,
}

impl AlreadyRead {
    /// The set that is known already, where this is the same.
    fn shared(&mut self, set: AccountSet) -> AccountSet {
        if let Some(known) = self.sets.iter().find(|known| **known == set) {
            return known.clone();
        }
        self.sets.push(set.clone());
        set
    }
}

/// Reads one file of a list, a batch at a time.
fn read_accounts(
    file: &DataFile,
    names: &[String],
    sources: &Sources,
    push: &mut dyn FnMut(&[&StringArray]) -> Result<(), BadAccount>,
) -> Result<()> {
    let csv = CsvOptions::default();
    check_form(file, &csv, sources)?;
    let (rows, _) = open_csv_file(file, &csv, TextRows::All, 8192, sources)?;
    let columns = positions(rows.columns(), names, &file.name)?;
    for batch in rows {
        let batch = batch?;
        let texts = columns.iter().map(|column| batch.columns.column(*column).as_string());
        push(&texts.collect::<Vec<_>>()).map_err(|bad| Error::spec(bad.why).file(&file.name).line(batch.lines[bad.row]))?;
    }
    Ok(())
}

/// A list has no settings that could say how it is written.
fn check_form(file: &DataFile, csv: &CsvOptions, sources: &Sources) -> Result<()> {
    let found = csv_findings(file, csv, sources)?;
    if found.delimiter.is_none() && found.encoding.is_none() {
        return Ok(());
    }
    let form = found.setting().unwrap_or_default();
    Err(Error::input(format!("is not UTF-8 with commas, but seems to be {form}"))
        .file(&file.name)
        .advice("write the list of accounts as UTF-8 with commas, or in the spec as `list`"))
}

/// Where the account columns are in a file: by name, else the first ones.
fn positions(header: &[String], names: &[String], file: &str) -> Result<Vec<usize>> {
    let by_name: Option<Vec<usize>> = names.iter().map(|name| header.iter().position(|h| h == name)).collect();
    match by_name {
        Some(found) => Ok(found),
        None if header.len() >= names.len() => Ok((0..names.len()).collect()),
        None => Err(Error::input(format!(
            "has {} columns, but an account has {}: {}",
            header.len(),
            names.len(),
            names.join(", ")
        ))
        .file(file)),
    }
}
