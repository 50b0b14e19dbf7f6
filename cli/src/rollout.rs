//! `rollout`: lists of the accounts that may flip, ring by ring, and of those that may not, by a finished result.
//!
//! `accounts.csv` is read twice: first to count the safe accounts by their rows, then to write each to its ring. What is held of accounts are
//! these counts and the lists that were given.

mod folder;
mod known;
mod shown;

use crate::args::RolloutArgs;
use crate::note;
use crate::process::{block_on, exit_code_of, sources, working_directory};
use crate::render::visible;
use crate::shown::AnswerArgs;
pub(crate) use folder::refuse_inputs;
use folder::{Folder, List};
use known::Known;
use serde::Serialize;
use shadowdiff_coordinator::{AccountLines, Fetched, Table, fetch_result};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::{AccountRecord, FileMark, FileMarks, ResultFile, Summary, is_defused, write_fields};
use shadowdiff_core::rollout::{
    BlockerCount, BlockerCounts, Blockers, Exposures, Ring, Standing, check_lists_all, is_named, release_blockers, rings, spec_of, standing,
};
use shadowdiff_core::spec::Spec;
use shadowdiff_core::verdict::Verdict;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// The version of `rollout.json`.
const ROLLOUT_VERSION: u32 = 1;

/// What was written: `rollout.json`.
#[derive(Debug, Default, Serialize)]
struct Rollout {
    version: u32,
    /// Of the result.
    verdict: Option<Verdict>,
    broken: Vec<String>,
    as_of: String,
    /// Why nobody may flip; empty where the rings may.
    blocked: Vec<String>,
    accounts: Counts,
    rings: Vec<RingSummary>,
    /// What holds accounts; absent where the result was cut, as lines are missing then.
    blockers: Option<Vec<BlockerCount>>,
    warnings: Vec<String>,
    /// The tables of the result.
    result: FileMarks,
    /// The lists.
    files: BTreeMap<String, FileMark>,
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    /// In the result.
    listed: u64,
    safe: u64,
    hold: u64,
    /// Flipped already, and fine.
    flipped: u64,
    flip_back: u64,
    /// Not among those of `--accounts`.
    left_out: u64,
    not_compared: u64,
}

#[derive(Debug, Serialize)]
struct RingSummary {
    file: String,
    /// Of the safe accounts, those of the rings before included.
    share: String,
    accounts: u64,
    rows: u64,
}

/// What the lists are made of.
struct Source<'a> {
    summary: &'a Summary,
    spec: &'a Spec,
    directory: &'a Path,
    rings: &'a [Ring],
}

pub(crate) fn run(args: &RolloutArgs) -> Result<ExitCode> {
    block_on(rollout(args))
}

async fn rollout(args: &RolloutArgs) -> Result<ExitCode> {
    let rings = rings(&args.rings)?;
    let here = working_directory()?;
    let folder = Folder::at(&args.output, &here, args.overwrite)?;
    let sources = sources();
    let place = args.result.to_string_lossy();
    let Fetched { summary, files, .. } = fetch_result(&place, &here, &sources.stores, &ResultFile::TABLES).await?;
    let spec = spec_of(&summary)?;
    check_lists_all(&spec)?;
    refuse_inputs(&folder.directory, "rest.csv", &spec, &here)?;
    let known = Known::read(args, &spec, &here, &sources).await?;
    let source = Source {
        summary: &summary,
        spec: &spec,
        directory: files.directory(),
        rings: &rings,
    };
    let rollout = source.write(known, &folder)?;
    folder.publish(&rollout)?;
    rollout
        .warnings
        .iter()
        .for_each(|warning| note(&format!("shadowdiff: warning: {}", visible(warning))));
    let answer = AnswerArgs {
        json: args.json,
        color: args.color,
    };
    answer.tell(&rollout, |rollout, paint| shown::text(rollout, &args.output, paint))?;
    Ok(exit_code_of(rollout.blocked.is_empty() && rollout.accounts.safe > 0))
}

impl Source<'_> {
    /// Writes the lists, and says what is in them.
    fn write(&self, mut known: Known, folder: &Folder) -> Result<Rollout> {
        let mut rollout = Rollout {
            version: ROLLOUT_VERSION,
            verdict: Some(self.summary.verdict),
            broken: self.summary.broken.clone(),
            as_of: self.summary.as_of.clone(),
            blocked: release_blockers(self.summary),
            result: self.summary.files.clone(),
            ..Rollout::default()
        };
        let exposures = self.count(&mut known, &mut rollout.accounts)?;
        self.divide(&mut known, exposures, folder, &mut rollout)?;
        self.write_not_compared(&known, folder, &mut rollout)?;
        rollout.warnings = known.warnings();
        Ok(rollout)
    }

    /// Looks at every account once.
    fn count(&self, known: &mut Known, counts: &mut Counts) -> Result<Exposures> {
        let mut exposures = Exposures::default();
        self.each_account(|account| {
            counts.listed += 1;
            match self.standing(&account, known)? {
                Standing::Safe { rows } => exposures.add(rows),
                Standing::Hold => counts.hold += 1,
                Standing::Flipped => counts.flipped += 1,
                Standing::FlipBack => counts.flip_back += 1,
                Standing::LeftOut => counts.left_out += 1,
            }
            Ok(())
        })?;
        counts.safe = exposures.accounts();
        let listed = self.summary.accounts.all.unwrap_or(0);
        if counts.listed != listed {
            return Err(Error::internal(format!(
                "accounts.csv lists {} accounts where summary.json counts {listed}",
                counts.listed
            )));
        }
        Ok(exposures)
    }

    /// Writes each account to its list.
    fn divide(&self, known: &mut Known, exposures: Exposures, folder: &Folder, rollout: &mut Rollout) -> Result<()> {
        known.look_for_near();
        let mut division = exposures.divide(self.rings);
        let mut lists = self.lists(folder, rollout)?;
        let mut lines = AccountLines::open(self.directory, self.spec.account.len())?;
        let broken_rules = Blockers::broken_rules(self.summary);
        let mut counts = BlockerCounts::default();
        let is_cut = self.summary.differences.cut > 0;
        self.each_account(|account| {
            let mut blockers = Blockers::default();
            let found = lines.of(&account.account, |line, is_exception| {
                blockers.add(line, is_exception, &broken_rules)
            })?;
            if found < account.lines() && !is_cut {
                return Err(Error::internal("diff.csv has fewer lines of an account than accounts.csv counts"));
            }
            let standing = self.standing(&account, known)?;
            known.compare_near(&account);
            match standing {
                Standing::Safe { rows } => {
                    let ring = division.ring_of(rows);
                    lists.flip(ring, &account, rows)?;
                }
                Standing::Hold | Standing::FlipBack => {
                    counts.add(&blockers);
                    lists.hold(standing, &account, &blockers.described(is_named(&account), is_cut))?;
                }
                Standing::Flipped | Standing::LeftOut => {}
            }
            Ok(())
        })?;
        lines.finish()?;
        lists.finish(rollout)?;
        rollout.blockers = (!is_cut).then(|| counts.finish());
        Ok(())
    }

    fn standing(&self, account: &AccountRecord, known: &mut Known) -> Result<Standing> {
        let altered = account.account.iter().flatten().any(|field| is_defused(field));
        if self.spec.output.spreadsheet_safe && altered {
            return Err(
                Error::input("an account of accounts.csv was altered for spreadsheets: no flag system knows it by that name")
                    .field("output.spreadsheet_safe")
                    .advice("compare without `spreadsheet_safe`"),
            );
        }
        let (is_flipped, is_asked) = known.meet(account);
        Ok(standing(account, is_flipped, is_asked))
    }

    fn each_account(&self, mut take: impl FnMut(AccountRecord) -> Result<()>) -> Result<()> {
        let mut table = Table::open(self.directory, ResultFile::Accounts)?;
        table.next_record()?;
        while let Some(record) = table.next_record()? {
            let read = AccountRecord::read(record, self.spec.account.len());
            take(read.ok_or_else(|| Error::input("holds what is no account").file(ResultFile::Accounts.name()))?)?;
        }
        Ok(())
    }

    /// The lists in the making. Where nobody may flip there are no rings.
    fn lists(&self, folder: &Folder, rollout: &Rollout) -> Result<Lists<'_>> {
        let header = self.header(&[]);
        let mut rings = Vec::new();
        if rollout.blocked.is_empty() {
            let shares = self
                .rings
                .iter()
                .enumerate()
                .map(|(at, ring)| (format!("ring-{}.csv", at + 1), ring.share.as_str()));
            for (file, share) in shares.chain([("rest.csv".to_owned(), "100%")]) {
                let list = folder.create(&file, &header)?;
                let summary = RingSummary {
                    file,
                    share: share.to_owned(),
                    accounts: 0,
                    rows: 0,
                };
                rings.push((list, summary));
            }
        }
        let why = self.header(&["rows", "expected", "exceptions", "blocked_by"]);
        Ok(Lists {
            spec: self.spec,
            rings,
            hold: folder.create("hold.csv", &why)?,
            flip_back: folder.create("flip-back.csv", &why)?,
        })
    }

    fn header(&self, behind: &[&str]) -> String {
        let names = self.spec.account.iter().map(String::as_str);
        write_fields(names.chain(behind.iter().copied()).map(Some), false)
    }

    fn write_not_compared(&self, known: &Known, folder: &Folder, rollout: &mut Rollout) -> Result<()> {
        let mut list = folder.create("not-compared.csv", &self.header(&["flipped"]))?;
        known.not_compared(|account, is_flipped| {
            rollout.accounts.not_compared += 1;
            list.line(&format!("{account},{}", if is_flipped { "yes" } else { "no" }))
        })?;
        list.finish(rollout)
    }
}

/// The lists that accounts go to.
struct Lists<'a> {
    spec: &'a Spec,
    /// The last one is for those behind all rings. None where nobody may flip.
    rings: Vec<(List, RingSummary)>,
    hold: List,
    flip_back: List,
}

impl Lists<'_> {
    fn flip(&mut self, ring: usize, account: &AccountRecord, rows: u64) -> Result<()> {
        let Some((list, summary)) = self.rings.get_mut(ring) else {
            return Ok(());
        };
        summary.accounts += 1;
        summary.rows += rows;
        list.line(&known::text(account))
    }

    fn hold(&mut self, standing: Standing, account: &AccountRecord, blocked_by: &str) -> Result<()> {
        let counts = [account.rows, account.expected, account.exceptions].map(|count| count.to_string());
        let why = write_fields(
            counts.iter().map(String::as_str).chain([blocked_by]).map(Some),
            self.spec.output.spreadsheet_safe,
        );
        let list = if standing == Standing::FlipBack {
            &mut self.flip_back
        } else {
            &mut self.hold
        };
        list.line(&format!("{},{why}", known::text(account)))
    }

    fn finish(self, rollout: &mut Rollout) -> Result<()> {
        for (list, summary) in self.rings {
            list.finish(rollout)?;
            rollout.rings.push(summary);
        }
        self.hold.finish(rollout)?;
        self.flip_back.finish(rollout)
    }
}
