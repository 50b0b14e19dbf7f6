//! The accounts of a result, until it is known which rules have kept their bounds: those that differ as their differences pass, and where the spec
//! lists all, those that do not.

use super::failed;
use crate::merged_runs::MergedRuns;
use shadowdiff_common::spool::{Scratch, Spool, SpoolWriter};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::{AccountLine, Merged, SeenAccount, print_accounts};
use std::io::Write;

/// What is held of the accounts that wait, before it goes to scratch or is written.
const ACCOUNT_PART_BYTES: usize = 1 << 20;

pub(super) struct WaitingAccounts<'a> {
    last: Option<AccountLine>,
    /// All accounts of both sides, where they are listed.
    seen: Option<Seen<'a>>,
    /// Whether accepted differences have a field of their own.
    shows_accepted: bool,
    spool: SpoolWriter,
    encoded: Vec<u8>,
    differing: u64,
    with_exceptions: u64,
}

/// All accounts, in the order in which those pass that differ.
struct Seen<'a> {
    accounts: MergedRuns<'a, SeenAccount>,
    count: u64,
}

impl Seen<'_> {
    fn next(&mut self) -> Result<Option<SeenAccount>> {
        let next = self.accounts.next()?;
        self.count += u64::from(next.is_some());
        Ok(next)
    }
}

impl<'a> WaitingAccounts<'a> {
    /// `seen`: the runs of all accounts, where they are listed.
    pub(super) fn new(seen: Option<&'a [Spool]>, shows_accepted: bool, scratch: &Scratch) -> Result<Self> {
        let seen = seen.map(|runs| MergedRuns::new(runs, scratch)).transpose()?;
        Ok(WaitingAccounts {
            last: None,
            seen: seen.map(|accounts| Seen { accounts, count: 0 }),
            shows_accepted,
            spool: SpoolWriter::new(scratch, ACCOUNT_PART_BYTES),
            encoded: Vec::new(),
            differing: 0,
            with_exceptions: 0,
        })
    }

    pub(super) fn add(&mut self, account: AccountLine) -> Result<()> {
        let next = match &mut self.last {
            Some(last) => last.goes_on(account),
            None => Some(account),
        };
        match next.and_then(|next| self.last.replace(next)) {
            Some(done) => self.store(done),
            None => Ok(()),
        }
    }

    fn store(&mut self, mut account: AccountLine) -> Result<()> {
        let seen = self.seen_before(&account)?;
        self.differing += 1;
        self.with_exceptions += u64::from(account.has_exceptions());
        self.encoded.clear();
        account.encode(seen.as_ref(), self.shows_accepted, &mut self.encoded);
        self.spool.append(&self.encoded)
    }

    /// Stores the accounts in front of this one, which do not differ; gives what was seen of this one, where all are listed.
    fn seen_before(&mut self, account: &AccountLine) -> Result<Option<SeenAccount>> {
        let Some(seen) = &mut self.seen else { return Ok(None) };
        while let Some(next) = seen.next()? {
            if account.is_of(&next.key) {
                return Ok(Some(next));
            }
            store_equal(&next, self.shows_accepted, &mut self.encoded, &mut self.spool)?;
        }
        Err(Error::internal(
            "the books of the accounts do not balance: one differs that no scan has seen",
        ))
    }

    /// Writes their lines, now that it is known which rules have kept their bounds.
    pub(super) fn write(mut self, kept: &[bool], out: &mut dyn Write, merged: Merged) -> Result<Merged> {
        if let Some(last) = self.last.take() {
            self.store(last)?;
        }
        if let Some(seen) = &mut self.seen {
            while let Some(next) = seen.next()? {
                store_equal(&next, self.shows_accepted, &mut self.encoded, &mut self.spool)?;
            }
        }
        let (spool, mut lines) = (self.spool.finish()?, String::new());
        for part in 0..spool.parts() {
            lines.clear();
            print_accounts(&spool.part(part)?, kept, &mut lines)?;
            out.write_all(lines.as_bytes()).map_err(failed)?;
        }
        Ok(Merged {
            differing_accounts: self.differing,
            accounts_with_exceptions: self.with_exceptions,
            all_accounts: self.seen.map(|seen| seen.count),
            ..merged
        })
    }
}

/// An account that does not differ.
fn store_equal(account: &SeenAccount, shows_accepted: bool, encoded: &mut Vec<u8>, spool: &mut SpoolWriter) -> Result<()> {
    encoded.clear();
    AccountLine::encode_equal(account, shows_accepted, encoded);
    spool.append(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadowdiff_core::side::Sides;
    use shadowdiff_core::tally::Judgement;

    /// A run of accounts, of which each has one row of live and two of shadow.
    fn run(scratch: &Scratch, names: &[&str]) -> Spool {
        let mut writer = SpoolWriter::new(scratch, 1);
        for name in names {
            let mut record = Vec::new();
            let rows = Sides::new(1, 2);
            let (key, text) = (name.as_bytes().to_vec(), (*name).to_owned());
            SeenAccount { key, text, rows }.encode(&mut record);
            writer.append(&record).expect("appends");
        }
        writer.finish().expect("finishes")
    }

    fn written(runs: &[Spool], differing: &[&str], scratch: &Scratch) -> Result<(String, Merged)> {
        let mut waiting = WaitingAccounts::new(Some(runs), false, scratch)?;
        for name in differing {
            let mut account = AccountLine::new(name.as_bytes(), name);
            account.count(true, Judgement::Expected(0));
            waiting.add(account)?;
        }
        let mut out = Vec::new();
        let merged = waiting.write(&[true], &mut out, Merged::default())?;
        Ok((String::from_utf8(out).expect("text"), merged))
    }

    #[test]
    fn accounts_that_do_not_differ_stand_among_those_that_do() {
        let scratch = Scratch::new(0, None).expect("scratch");
        let runs = [run(&scratch, &["a", "c", "d"]), run(&scratch, &["b", "c", "e"]), run(&scratch, &[])];
        let equal = |name: &str, rows: &str| format!("{name},0,0,0,no_difference,{rows}\n");
        let differing = |name: &str, rows: &str| format!("{name},1,1,0,flip,{rows}\n");
        let (text, merged) = written(&runs, &["b", "c"], &scratch).expect("the books balance");
        let expected = [
            equal("a", "1,2"),
            differing("b", "1,2"),
            differing("c", "2,4"),
            equal("d", "1,2"),
            equal("e", "1,2"),
        ];
        assert_eq!(text, expected.concat());
        assert_eq!((merged.differing_accounts, merged.all_accounts), (2, Some(5)));
        let (text, merged) = written(&runs[..1], &[], &scratch).expect("the books balance");
        assert_eq!(text, [equal("a", "1,2"), equal("c", "1,2"), equal("d", "1,2")].concat());
        assert_eq!((merged.differing_accounts, merged.all_accounts), (0, Some(3)));
        let (text, merged) = written(&[], &[], &scratch).expect("the books balance");
        assert_eq!((text.as_str(), merged.all_accounts), ("", Some(0)));
    }

    #[test]
    fn an_account_that_differs_but_was_not_seen_fails_the_merge() {
        let scratch = Scratch::new(0, None).expect("scratch");
        for differing in ["a", "bb", "z"] {
            let error = written(&[run(&scratch, &["b", "c"])], &[differing], &scratch).expect_err("the books do not balance");
            assert!(error.to_string().contains("no scan has seen"), "{error}");
        }
    }
}
