//! The lists of accounts that a roll-out is given: those that may flip, and those that the baseline names. Which of them the result has is
//! noted as its accounts pass.

use crate::args::RolloutArgs;
use shadowdiff_common::read::Sources;
use shadowdiff_coordinator::read_account_texts;
use shadowdiff_core::accounts::{AccountSet, Packer};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::{AccountRecord, write_fields};
use shadowdiff_core::rollout::is_flipped;
use shadowdiff_core::shorten::shortened;
use shadowdiff_core::spec::{BaselineSpec, ListSource, Spec};
use std::collections::BTreeMap;
use std::path::Path;

/// Of an account in a message.
const SHOWN_BYTES: usize = 100;
/// Accounts that the data does not have, of which a near one is looked for.
const LOOKED_FOR: usize = 10_000;

pub(super) struct Known {
    baseline: BaselineSpec,
    /// Those that may flip, where not all may.
    asked: Option<AccountList>,
    /// Those that the baseline names.
    listed: AccountList,
    near: Near,
}

/// A list, and which of its accounts the result has.
struct AccountList {
    set: AccountSet,
    seen: Vec<u64>,
}

/// Accounts of the lists that the result has under another spelling, such as `007` for `7`.
#[derive(Default)]
struct Near {
    /// By what both spellings have in common.
    wanted: BTreeMap<String, String>,
    found: u64,
    example: Option<(String, String)>,
}

/// An account as a record of a list has it.
pub(super) fn text(account: &AccountRecord) -> String {
    write_fields(account.account.iter().map(Option::as_deref), false)
}

impl Known {
    pub(super) async fn read(args: &RolloutArgs, spec: &Spec, here: &Path, sources: &Sources) -> Result<Known> {
        let read = async |file: &str, flag: &str| {
            let set = read_account_texts(file, &spec.account, here, sources).await;
            set.map_err(|e| e.field(flag.to_owned()))
        };
        let listed = match (&spec.baseline.flipped, args.baseline.as_deref()) {
            (None, None) => AccountSet::default(),
            (Some(ListSource::List(accounts)), None) => texts(accounts),
            (Some(ListSource::File(_)), Some(file)) => read(file, "--baseline").await?,
            (Some(ListSource::File(file)), None) => {
                return Err(
                    Error::spec(format!("who has flipped already stands in {file}, which the result does not hold"))
                        .field("--baseline")
                        .advice(format!("give that list as the comparison read it, such as --baseline {file}")),
                );
            }
            (None | Some(ListSource::List(_)), Some(_)) => {
                return Err(Error::spec("the baseline of the result is in no file").field("--baseline"));
            }
        };
        let asked = match &args.accounts {
            Some(file) => Some(AccountList::new(read(file, "--accounts").await?)),
            None => None,
        };
        Ok(Known {
            baseline: spec.baseline.clone(),
            asked,
            listed: AccountList::new(listed),
            near: Near::default(),
        })
    }

    /// Notes that the result has an account. Says whether it has flipped, and whether it is one of those that may.
    pub(super) fn meet(&mut self, account: &AccountRecord) -> (bool, bool) {
        let text = text(account);
        let is_listed = self.listed.meet(&text);
        let is_asked = self.asked.as_mut().is_none_or(|asked| asked.meet(&text));
        (is_flipped(&self.baseline, is_listed), is_asked)
    }

    /// Gives the accounts of the lists that the result does not have, and whether they have flipped.
    pub(super) fn not_compared(&self, mut take: impl FnMut(&str, bool) -> Result<()>) -> Result<()> {
        let mut done = Ok(());
        let mut give = |account: &[u8]| {
            if done.is_ok() {
                let is_listed = self.listed.set.contains(account);
                done = take(&String::from_utf8_lossy(account), is_flipped(&self.baseline, is_listed));
            }
        };
        if let Some(asked) = &self.asked {
            asked.each_missing(&mut give);
        }
        self.listed.each_missing(|account| {
            if !self.asked.as_ref().is_some_and(|asked| asked.set.contains(account)) {
                give(account);
            }
        });
        done
    }

    /// Once all accounts of the result have passed: begins to look for those that it has under another spelling.
    pub(super) fn look_for_near(&mut self) {
        let wanted = &mut self.near.wanted;
        let mut want = |account: &[u8]| {
            if wanted.len() < LOOKED_FOR {
                let text = String::from_utf8_lossy(account);
                wanted.insert(spelled_plainly(&text), text.into_owned());
            }
        };
        self.listed.each_missing(&mut want);
        if let Some(asked) = &self.asked {
            asked.each_missing(&mut want);
        }
    }

    /// Looks at an account of the result, for one of the lists that may mean it.
    pub(super) fn compare_near(&mut self, account: &AccountRecord) {
        let text = text(account);
        let is_named = |list: &AccountList| list.set.contains(text.as_bytes());
        if self.near.wanted.is_empty() || is_named(&self.listed) || self.asked.as_ref().is_some_and(is_named) {
            return;
        }
        if let Some(other) = self.near.wanted.get(&spelled_plainly(&text)) {
            self.near.found += 1;
            self.near.example.get_or_insert_with(|| (other.clone(), text));
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let example = self.near.example.iter();
        let warnings = example.map(|(listed, found)| {
            let [listed, found] = [listed, found].map(|account| shortened(account, SHOWN_BYTES));
            format!(
                "accounts of the data that no list names differ from listed ones in zeros in front, blanks or case alone: {}, such as `{found}`, \
                 where a list has `{listed}`; accounts are the same where accounts.csv has the same text",
                self.near.found
            )
        });
        warnings.collect()
    }
}

/// Accounts of a spec.
fn texts(accounts: &[Vec<String>]) -> AccountSet {
    let mut packer = Packer::default();
    for account in accounts {
        packer.push(write_fields(account.iter().map(|field| Some(field.as_str())), false).as_bytes());
    }
    packer.finish()
}

/// Without what spreadsheets and exports add to an account, or take away.
fn spelled_plainly(text: &str) -> String {
    let parts = text.split(',').map(|part| {
        let part = part.trim_matches(|c: char| c.is_whitespace() || c == '"');
        let part = part.strip_suffix(".0").unwrap_or(part);
        let stripped = part.trim_start_matches(['0', '+', '\'']);
        if stripped.is_empty() {
            "0".to_owned()
        } else {
            stripped.to_lowercase()
        }
    });
    parts.collect::<Vec<_>>().join(",")
}

impl AccountList {
    fn new(set: AccountSet) -> AccountList {
        let words = set.len().div_ceil(64) as usize;
        AccountList { set, seen: vec![0; words] }
    }

    fn meet(&mut self, account: &str) -> bool {
        let place = self.set.position(account.as_bytes());
        if let Some(place) = place {
            self.seen[(place / 64) as usize] |= 1 << (place % 64);
        }
        place.is_some()
    }

    fn each_missing(&self, mut take: impl FnMut(&[u8])) {
        self.set.each(|place, account| {
            if self.seen[(place / 64) as usize] & (1 << (place % 64)) == 0 {
                take(account);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_account_meet() {
        for (listed, found) in [
            ("007", "7"),
            (" a1", "A1"),
            ("7.0", "7"),
            ("\"a-1 \"", "a-1"),
            ("'07,x", "7,x"),
            ("000", "0"),
        ] {
            assert_eq!(spelled_plainly(listed), spelled_plainly(found), "{listed}");
        }
        assert_ne!(spelled_plainly("70"), spelled_plainly("7"));
    }
}
