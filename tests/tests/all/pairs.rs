//! Generated pairs: the engine against the oracle, byte for byte, and against itself with the sides swapped.

use shadowdiff_tests::generate::{Generated, generate};
use shadowdiff_tests::{binary, mirror, pair};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs at most; more failures than this say nothing new.
const MAX_FAILURES: usize = 8;

#[test]
fn oracle() {
    check_seeds("oracle", count(500), |seed, folder| {
        let generated = generate(seed);
        let want = pair::expected(&generated)?;
        pair::hold_against(&pair::run(&generated, folder)?, &want)
    });
}

/// What only large data reaches otherwise: shards and keys that are divided, spills, pages of row numbers, a window that gives up.
#[test]
fn oracle_within_small_limits() {
    check_seeds("limits", count(500) / 2, |seed, folder| {
        let generated = generate(seed);
        let want = pair::expected(&generated)?;
        pair::hold_against(&pair::run_within(Some(seed), &generated, folder)?, &want)
    });
}

#[test]
fn mirrored() {
    check_seeds("mirror", count(500) / 5, |seed, folder| {
        let generated = generate(seed);
        let result = pair::run(&generated, &folder.join("plain"))?;
        let swapped = pair::run(&pair::mirrored(&generated), &folder.join("swapped"))?;
        same_lines(&result.diff, &swapped.diff)?;
        pair::same_text("accounts.csv", &swapped.accounts, &mirror::mirrored_accounts(&result.accounts))?;
        if result.exit == swapped.exit {
            Ok(())
        } else {
            Err(format!("exit {}, swapped {}", result.exit, swapped.exit))
        }
    });
}

/// What `judge` says of a finished comparison is what a comparison by the new rules says.
#[test]
fn judging_equals_comparing_again() {
    check_seeds("judge", count(500) / 5, |seed, folder| {
        let mut generated = generate(seed);
        generated.spec.judgeable = true;
        let first = folder.join("first");
        pair::run(&generated, &first)?;
        generated.spec = generated.spec.with_other_rules(seed);
        let (compared, judged) = compared_and_judged(&generated, &first, folder)?;
        same_judgement(compared, judged?)
    });
}

/// So it is where the rules ask in SQL what nobody asked before, as far as what was kept of the rows can tell.
#[test]
fn judging_by_new_sql_equals_comparing_again() {
    let (answered, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    check_seeds("new-sql", count(500) / 5, |seed, folder| {
        let mut generated = generate(seed);
        let rules = generated.spec.clone();
        generated.spec = rules.without_rules();
        let first = folder.join("first");
        pair::run(&generated, &first)?;
        generated.spec.rules = rules.rules;
        let asks = generated
            .spec
            .rules
            .iter()
            .any(|rule| rule.filter.is_some() || rule.accounts.is_some());
        let (compared, judged) = compared_and_judged(&generated, &first, folder)?;
        match judged {
            Ok(judged) => {
                answered.fetch_add(asks.into(), Ordering::Relaxed);
                same_judgement(compared, judged)
            }
            Err(why) if why.contains("was not asked") => {
                refused.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(why) => Err(why),
        }
    });
    let (answered, refused) = (answered.into_inner(), refused.into_inner());
    assert!(answered > refused, "{answered} answered, {refused} refused");
}

/// The result of a comparison, and that of judging an earlier one by its spec.
fn compared_and_judged(generated: &Generated, first: &Path, folder: &Path) -> Result<(pair::Result, Result<pair::Result, String>), String> {
    let again = folder.join("again");
    let compared = pair::run(generated, &again)?;
    Ok((
        compared,
        pair::judge(&first.join("out"), &again.join("spec.yaml"), &folder.join("judged")),
    ))
}

fn same_judgement(mut compared: pair::Result, mut judged: pair::Result) -> Result<(), String> {
    pair::same_text("diff.csv", &judged.diff, &compared.diff)?;
    pair::same_text("accounts.csv", &judged.accounts, &compared.accounts)?;
    for result in [&mut compared, &mut judged] {
        // Tables are looked at above; the data of each run was written anew; warnings have no order.
        ["timings", "files", "pins"]
            .iter()
            .for_each(|field| result.summary[field] = serde_json::Value::Null);
        result.summary["spec"]["output"]["to"] = serde_json::Value::Null;
        // A spec is named as the command line names it.
        let unplaced = |warning: &serde_json::Value| {
            warning
                .as_str()
                .map(|text| text.rsplit("spec.yaml:").next().unwrap_or(text).to_owned())
        };
        let mut warnings: Vec<Option<String>> = result.summary["warnings"].as_array().into_iter().flatten().map(unplaced).collect();
        warnings.sort();
        result.summary["warnings"] = warnings.into();
    }
    let fields = compared.summary.as_object().into_iter().flatten();
    let other = fields
        .map(|(name, want)| (name, want, &judged.summary[name]))
        .find(|(_, want, got)| want != got);
    match other {
        Some((name, want, got)) => Err(format!("{name} is {got}, want {want}")),
        None if judged.exit != compared.exit => Err(format!("exit {}, want {}", judged.exit, compared.exit)),
        None => Ok(()),
    }
}

/// Patterns of a result that are shrunk.
const SHRUNKEN: usize = 2;

/// A pattern that a result lists comes out of its reproducer, and nothing else does, with a row or a few of one key.
#[test]
fn what_is_shrunken_shows_its_pattern() {
    check_seeds("shrink", count(500) / 20, |seed, folder| {
        let result = pair::run(&generate(seed), folder)?;
        for fingerprint in fingerprints(&result.summary).iter().take(SHRUNKEN) {
            let shrink = [
                "shrink",
                "out",
                "--spec",
                "spec.yaml",
                "--pattern",
                fingerprint,
                "--output",
                fingerprint,
            ];
            let run = binary::run(folder, &shrink)?;
            if run.exit != 0 {
                return Err(format!("{fingerprint}: {}", run.stderr));
            }
            let again = binary::run(&folder.join(fingerprint), &["compare", "spec.yaml"])?;
            let text = std::fs::read_to_string(folder.join(fingerprint).join("result/summary.json"))
                .map_err(|e| format!("{fingerprint}: {e}: {}", again.stderr))?;
            let summary = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            if fingerprints(&summary) != [fingerprint.as_str()] {
                return Err(format!("{fingerprint}: shows {:?}", fingerprints(&summary)));
            }
        }
        Ok(())
    });
}

/// Of the patterns that a summary lists.
fn fingerprints(summary: &serde_json::Value) -> Vec<String> {
    let lists = ["listed", "listed_alone"]
        .into_iter()
        .filter_map(|list| summary["row_patterns"][list].as_array());
    let named = lists.flatten().filter_map(|pattern| pattern["fingerprint"].as_str());
    named.map(str::to_owned).collect()
}

/// The oracle alone: it is its own mirror, or the oracle is wrong.
#[test]
fn the_oracle_mirrors() {
    check_seeds("oracle-mirror", 300, |seed, _| {
        let generated = generate(seed);
        let (plain, swapped) = (pair::expected(&generated)?, pair::expected(&pair::mirrored(&generated))?);
        same_lines(&plain.diff, &swapped.diff)?;
        pair::same_text("accounts.csv", &swapped.accounts, &mirror::mirrored_accounts(&plain.accounts))?;
        if plain.broken.len() == swapped.broken.len() {
            Ok(())
        } else {
            Err(format!("broken {:?}, swapped {:?}", plain.broken, swapped.broken))
        }
    });
}

/// A generator that went tame would let every engine pass.
#[test]
fn the_pairs_are_nasty() {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..300 {
        let want = pair::expected(&generate(seed)).expect("every generated spec is valid");
        let counts = &want.counts;
        let found = [
            ("cancelled", counts.cancelled),
            ("within tolerance", counts.within_tolerance),
            ("changed", counts.changed),
            ("missing in shadow", counts.missing_in_shadow),
            ("missing in live", counts.missing_in_live),
            ("duplicate key", counts.duplicate_key),
            ("expected", counts.expected),
            ("exceptions", counts.exceptions),
            ("filtered", counts.filtered.live),
            ("accounts to flip", want.accounts.matches(",flip").count() as u64),
            (
                "accounts that do not differ",
                want.accounts.matches(",no_difference,").count() as u64,
            ),
            ("passes", want.broken.is_empty().into()),
            ("failures", (!want.broken.is_empty()).into()),
        ];
        for (name, count) in found {
            *seen.entry(name).or_default() += count;
        }
    }
    assert!(seen.values().all(|count| *count > 20), "too few of some: {seen:?}");
}

fn same_lines(plain: &str, swapped: &str) -> Result<(), String> {
    let (want, got) = (mirror::mirrored_lines(plain)?, mirror::lines(swapped)?);
    match want.iter().zip(&got).find(|(a, b)| a != b) {
        Some((want, got)) => Err(format!("the mirror has\n    {got:?}\n    want {want:?}")),
        None if want.len() != got.len() => Err(format!("{} lines, swapped {}", want.len(), got.len())),
        None => Ok(()),
    }
}

/// How many pairs to try; `SHADOWDIFF_PAIRS` asks for more.
fn count(default: u64) -> u64 {
    std::env::var("SHADOWDIFF_PAIRS")
        .ok()
        .map_or(default, |text| text.parse().expect("SHADOWDIFF_PAIRS is a number"))
}

/// Runs the check for each seed (or for `SHADOWDIFF_SEED` alone), two at a time; the folder of a failed one stays.
fn check_seeds(name: &str, count: u64, check: impl Fn(u64, &Path) -> Result<(), String> + Sync) {
    let only = std::env::var("SHADOWDIFF_SEED")
        .ok()
        .map(|text| text.parse::<u64>().expect("SHADOWDIFF_SEED is a number"));
    let (first, end) = only.map_or((0, count), |seed| (seed, seed + 1));
    let (next, failures) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end
                || failures
                    .lock()
                    .is_ok_and(|f: std::sync::MutexGuard<'_, Vec<String>>| f.len() >= MAX_FAILURES)
            {
                return;
            }
            if let Err(why) = in_folder(name, seed, &check) {
                failures.lock().expect("no check panics").push(why);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let failures = failures.into_inner().expect("no check panics");
    assert!(
        failures.is_empty(),
        "{} of {} pairs tried differ:\n{}",
        failures.len(),
        next.into_inner().min(end) - first,
        failures.join("\n")
    );
}

fn in_folder(name: &str, seed: u64, check: &impl Fn(u64, &Path) -> Result<(), String>) -> Result<(), String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{seed}"));
    // What an earlier failure of this seed left behind.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    match check(seed, &folder) {
        Ok(()) => std::fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display())),
        Err(why) => Err(format!("seed {seed} (SHADOWDIFF_SEED={seed}; kept in {}): {why}", folder.display())),
    }
}
