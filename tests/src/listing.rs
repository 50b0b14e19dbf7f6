//! Writes what the oracle found as diff.csv and accounts.csv.

use crate::cell::order_all;
use crate::csv::line;
use crate::ledger::{Difference, Ledger, covered, distinct, keeps_bounds, same};
use crate::oracle::Comparing;
use crate::print::print_key;
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::ListedAccounts;

impl Comparing<'_> {
    pub(crate) fn diff_csv(&self, ledger: &Ledger) -> String {
        let fixed = [
            "kind",
            "column",
            "live",
            "shadow",
            "delta",
            "relative_delta",
            "comparator",
            "rule",
            "verdict",
            "diagnosis",
        ];
        let header: Vec<Option<String>> = self
            .keys
            .iter()
            .map(|p| p.name.as_str())
            .chain(fixed)
            .map(|n| Some(n.to_owned()))
            .collect();
        let mut out = String::new();
        line(&header, &mut out);
        for difference in &ledger.differences {
            let mut fields: Vec<Option<String>> = difference
                .key
                .iter()
                .zip(&self.keys)
                .map(|(cell, pair)| print_key(cell, &pair.shown))
                .collect();
            fields.push(Some(difference.kind.name().to_owned()));
            fields.push(Some(difference.column.clone()).filter(|c| !c.is_empty()));
            fields.extend(difference.fields.clone());
            fields.push(difference.rule.map(|rule| self.spec.expected[rule].name.clone()));
            fields.push(Some(if difference.rule.is_some() { "expected" } else { "exception" }.to_owned()));
            fields.push(difference.diagnosis.map(str::to_owned));
            line(&fields, &mut out);
        }
        out
    }

    pub(crate) fn accounts_csv(&self, ledger: &Ledger) -> String {
        let width = self.spec.account.len();
        let lists_all = self.spec.output.accounts == ListedAccounts::All;
        let own = ["rows", "expected", "exceptions", "decision", "live_rows", "shadow_rows"];
        let own = &own[..if lists_all { 6 } else { 4 }];
        let header = self.spec.account.iter().map(String::as_str).chain(own.iter().copied());
        let mut out = String::new();
        line(&header.map(|n| Some(n.to_owned())).collect::<Vec<_>>(), &mut out);
        let differing = distinct(ledger.differences.iter().map(|d| d.key[..width].to_vec()));
        let mut accounts = if lists_all { ledger.accounts.clone() } else { differing };
        accounts.sort_by(|a, b| order_all(a, b));
        for account in &accounts {
            let own: Vec<&Difference> = ledger.differences.iter().filter(|d| same(&d.key[..width], account)).collect();
            let rows = distinct(own.iter().map(|d| d.key.clone())).len();
            let expected = own.iter().filter(|d| d.rule.is_some()).count();
            let flips = own.iter().all(|d| {
                d.rule
                    .is_some_and(|rule| keeps_bounds(&self.spec.expected[rule], covered(ledger, rule)))
            });
            let mut fields: Vec<Option<String>> = account
                .iter()
                .zip(&self.keys)
                .map(|(cell, pair)| print_key(cell, &pair.shown))
                .collect();
            fields.extend([rows, expected, own.len() - expected].map(|n| Some(n.to_string())));
            let decision = if own.is_empty() {
                "no_difference"
            } else if flips {
                "flip"
            } else {
                "hold"
            };
            fields.push(Some(decision.to_owned()));
            if lists_all {
                let at = ledger.accounts.iter().position(|a| same(a, account)).expect("it is one of all");
                let Sides { live, shadow } = ledger.account_rows[at];
                fields.extend([live, shadow].map(|rows| Some(rows.to_string())));
            }
            line(&fields, &mut out);
        }
        out
    }
}
