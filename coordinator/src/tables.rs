//! Reads the tables of a finished result, a record at a time: `accounts.csv`, and `diff.csv` account by account.

use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::render::Line;
use shadowdiff_core::report::{Field, ResultFile, read_fields};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The records of a table, the header first.
#[derive(Debug)]
pub struct Table<R = BufReader<File>> {
    from: R,
    file: ResultFile,
    /// The record that was read last.
    record: String,
}

impl Table {
    /// Of a result that lies in a directory.
    pub fn open(directory: &Path, file: ResultFile) -> Result<Table> {
        let path = directory.join(file.name());
        let opened = File::open(&path).map_err(|e| Error::input(e.to_string()).file(path.display()))?;
        Ok(Table::new(BufReader::new(opened), file))
    }
}

impl<R: BufRead> Table<R> {
    pub fn new(from: R, file: ResultFile) -> Self {
        Table {
            from,
            file,
            record: String::new(),
        }
    }

    /// The fields of the next record; `None` at the end.
    pub fn next_record(&mut self) -> Result<Option<Vec<Field>>> {
        Ok(self.next_text()?.map(read_fields))
    }

    /// The next record, without its line feed; `None` at the end. A line may break within quotes.
    pub fn next_text(&mut self) -> Result<Option<&str>> {
        let (record, mut quotes) = (&mut self.record, 0);
        record.clear();
        loop {
            let before = record.len();
            let read = self.from.read_line(record);
            if read.map_err(|e| Error::input(e.to_string()).file(self.file.name()))? == 0 {
                break;
            }
            quotes += record[before..].matches('"').count();
            if quotes.is_multiple_of(2) {
                break;
            }
        }
        match record.strip_suffix('\n') {
            Some(whole) if quotes.is_multiple_of(2) => Ok(Some(whole)),
            None if record.is_empty() => Ok(None),
            Some(_) | None => Err(Error::input("ends within a record").file(self.file.name())),
        }
    }
}

/// The lines of `diff.csv`, for accounts that come in its order.
#[derive(Debug)]
pub struct AccountLines<R = BufReader<File>> {
    table: Table<R>,
    /// How many fields of a key are those of the account.
    account_fields: usize,
    ahead: Option<(Line, bool)>,
}

impl AccountLines {
    /// Of a result that lies in a directory.
    pub fn open(directory: &Path, account_fields: usize) -> Result<AccountLines> {
        AccountLines::new(Table::open(directory, ResultFile::Diff)?, account_fields)
    }
}

impl<R: BufRead> AccountLines<R> {
    /// `table`: at its header.
    pub fn new(mut table: Table<R>, account_fields: usize) -> Result<Self> {
        table.next_record()?;
        let mut lines = AccountLines {
            table,
            account_fields,
            ahead: None,
        };
        lines.advance()?;
        Ok(lines)
    }

    fn advance(&mut self) -> Result<()> {
        self.ahead = match self.table.next_record()? {
            None => None,
            Some(record) => {
                let read = Line::from_record(record).filter(|(line, _)| line.key.len() >= self.account_fields);
                let none = || Error::input("holds what is no difference").file(ResultFile::Diff.name());
                Some(read.ok_or_else(none)?)
            }
        };
        Ok(())
    }

    /// Gives the lines of an account, with whether each is an exception. Says how many there were.
    pub fn of(&mut self, account: &[Field], mut take: impl FnMut(&Line, bool)) -> Result<u64> {
        let mut lines = 0;
        while let Some((line, is_exception)) = &self.ahead {
            if line.key[..self.account_fields] != *account {
                break;
            }
            take(line, *is_exception);
            lines += 1;
            self.advance()?;
        }
        Ok(lines)
    }

    /// Fails where lines are left: they are of no account, or of one that came too late.
    pub fn finish(self) -> Result<()> {
        match self.ahead {
            None => Ok(()),
            Some(_) => Err(
                Error::input("has a line whose account is not where accounts.csv has it: the tables are not of one result")
                    .file(ResultFile::Diff.name()),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table<&[u8]> {
        Table::new(text.as_bytes(), ResultFile::Accounts)
    }

    #[test]
    fn records_end_where_their_quotes_do() {
        let mut records = table("a,,\"\"\n\"two\n\"\"lines\",\n");
        let t = |text: &str| Some(text.to_owned());
        assert_eq!(records.next_record().expect("a record"), Some(vec![t("a"), None, t("")]));
        assert_eq!(records.next_record().expect("a record"), Some(vec![t("two\n\"lines"), None]));
        assert_eq!(records.next_record().expect("the end"), None);
        for cut in ["a,b", "\"a\n", "\"a"] {
            assert!(table(cut).next_record().is_err(), "{cut}");
        }
    }

    #[test]
    fn each_account_has_its_lines() {
        let diff = "id,n,kind,column,live,shadow,delta,relative_delta,comparator,rule,verdict,diagnosis\n\
                    a,1,changed,v,1,2,1,1,exact,,exception,\n\
                    a,2,changed,v,1,2,1,1,exact,r,expected,\n\
                    c,1,missing_in_live,,,,,,,,exception,\n";
        let lines = || AccountLines::new(Table::new(diff.as_bytes(), ResultFile::Diff), 1).expect("a table");
        let mut of = lines();
        let mut exceptions = 0;
        for (account, expected) in [("a", 2), ("b", 0), ("c", 1)] {
            let found = of.of(&[Some(account.to_owned())], |_, is_exception| exceptions += u64::from(is_exception));
            assert_eq!(found.expect("lines"), expected, "{account}");
        }
        assert_eq!(exceptions, 2);
        of.finish().expect("none is left");
        assert!(lines().finish().is_err(), "lines of no account");
    }
}
