//! `comparison.bin`: what a comparison found before its rules were asked, so that another spec can judge it without reading the data again.
//!
//! ```text
//! file    = "shadowdiff comparison\n", version u32, length u32, as many bytes of JSON (`ComparisonHead`)
//!           a record for each difference in order, an empty record, a record for each account in order where all are listed
//! record  = length u32, a difference (`core/src/difference.rs`), or an account (`core/src/report/seen.rs`)
//! ```
//! Numbers are little-endian. The file is for the program of the same version. What SQL said of a row on which it fails is in it as far as
//! it is known, so its bytes may depend on how the job was cut; nothing that is judged by them does.

use crate::compiled::KeptSql;
use crate::run::RunWriter;
use crate::spool::{Scratch, Spool, SpoolWriter};
use serde::{Deserialize, Serialize};
use shadowdiff_core::align::{Aligned, SideColumn};
use shadowdiff_core::difference::{Answers, Difference};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::noise::NoiseFacts;
use shadowdiff_core::plan::{Estimate, PLAN_VERSION, Pinned, Plan, PlanSecret, SidePlan, Warning, WarningOrigin};
use shadowdiff_core::rejudge::Rejudge;
use shadowdiff_core::report::SeenAccount;
use shadowdiff_core::row::Secret;
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::{Acceptance, Day, DifferenceKind, Spec};
use shadowdiff_core::tally::Tally;
use std::collections::BTreeMap;
use std::io::{Read, Write};

const HEAD: &[u8] = b"shadowdiff comparison\n";
/// A file of another version is refused.
const VERSION: u32 = 5;
/// A longer head or record is none of ours.
const MAX_BYTES: u32 = 1 << 30;
/// What the merge holds of a run at a time.
const PART_BYTES: usize = 128 << 10;
/// New SQL is asked of so many differences at a time, or fewer if they are large.
const ASKED_RECORDS: usize = 4096;
const ASKED_BYTES: usize = 4 << 20;

/// All that a result is made of besides differences, rules and lists.
#[derive(Debug, Serialize, Deserialize)]
pub struct ComparisonHead {
    /// As the summary shows it.
    pub document: serde_json::Value,
    pub aligned: Aligned,
    /// What the rows had that were compared.
    pub sides: Sides<SidePlan>,
    /// Of which columns each difference has the values of its rows.
    pub kept: Vec<String>,
    pub as_of: Day,
    pub pins: Sides<Vec<Pinned>>,
    /// Those that are not of the spec.
    pub warnings: Vec<Warning>,
    pub tally: Tally,
    /// Whether accounts were counted, though not listed.
    pub count_accounts: bool,
    pub lists_accounts: bool,
}

impl ComparisonHead {
    pub fn of(plan: &Plan, document: &serde_json::Value, tally: &Tally) -> ComparisonHead {
        let of_data = plan.warnings.iter().filter(|warning| warning.origin == WarningOrigin::Data);
        ComparisonHead {
            document: shadowdiff_core::redact::redacted_document(document.clone()),
            aligned: plan.aligned.clone(),
            sides: Sides::from_fn(|side| of_rows(&plan.sides[side], &plan.aligned)),
            kept: plan.kept.clone(),
            as_of: plan.as_of,
            pins: plan.pins.clone(),
            warnings: of_data.cloned().collect(),
            tally: tally.clone(),
            count_accounts: plan.count_accounts,
            lists_accounts: plan.spec.output.accounts == shadowdiff_core::spec::ListedAccounts::All,
        }
    }

    /// A plan that says what is judged by a spec, and of no work.
    pub fn plan(self, spec: &Spec, as_of: Day, (accepted, noise): (Vec<Acceptance>, Option<NoiseFacts>), warnings: Vec<Warning>) -> Plan {
        Plan {
            version: PLAN_VERSION,
            count_accounts: self.count_accounts || self.lists_accounts,
            spec: spec.clone(),
            accepted,
            noise,
            as_of,
            aligned: self.aligned,
            sides: self.sides,
            kept: self.kept,
            pins: self.pins,
            scans: Vec::new(),
            shards: 1,
            part_bytes: 0,
            form: None,
            estimate: Estimate::default(),
            secret: PlanSecret(Secret([0; 16])),
            warnings,
        }
    }

    pub fn write_head(&self, out: &mut dyn Write) -> Result<()> {
        let json = serde_json::to_vec(self).map_err(|e| Error::internal(format!("a comparison is not stored: {e}")))?;
        let length = u32::try_from(json.len()).map_err(|_| Error::internal("a comparison's head has more than 4 GiB"))?;
        [HEAD, &VERSION.to_le_bytes(), &length.to_le_bytes(), &json]
            .iter()
            .try_for_each(|part| out.write_all(part))
            .map_err(failed)
    }

    /// Reads what `write_head` wrote.
    pub fn read_head(from: &mut dyn Read) -> Result<ComparisonHead> {
        let mut head = [0; HEAD.len() + 4];
        from.read_exact(&mut head).map_err(|e| broken(&e.to_string()))?;
        if head != *[HEAD, &VERSION.to_le_bytes()].concat() {
            return Err(broken("it is of another version").advice("compare again with this program"));
        }
        let json = read_record(from)?.ok_or_else(|| broken("it has no head"))?;
        let head: ComparisonHead = serde_json::from_slice(&json).map_err(|e| broken(&e.to_string()))?;
        let sides = head.sides.each();
        let is_there = |side: &SidePlan| {
            side.carried
                .iter()
                .all(|name| side.columns.iter().any(|column| column.name == *name))
        };
        if head.aligned.is_sound() && sides.into_iter().all(|(_, side)| is_there(side)) {
            Ok(head)
        } else {
            Err(broken("its columns are not in order"))
        }
    }
}

/// Without what only `where` of one side reads: a column that is missing here and is there on the other side is one of that side alone.
fn of_rows(side: &SidePlan, aligned: &Aligned) -> SidePlan {
    let is_aligned = |name: &str| aligned.columns.iter().any(|column| column.path[0] == name);
    let is_of_rows = |column: &&SideColumn| side.carried.contains(&column.name) || is_aligned(&column.name);
    SidePlan {
        read: Vec::new(),
        columns: side.columns.iter().filter(is_of_rows).cloned().collect(),
        carried: side.carried.clone(),
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::exhausted(format!("comparison.bin cannot be written: {error}"))
}

fn broken(why: &str) -> Error {
    Error::input(format!("comparison.bin cannot be read: {why}"))
}

/// Stands behind the last difference; accounts may follow.
pub fn end_differences(out: &mut dyn Write) -> Result<()> {
    out.write_all(&0_u32.to_le_bytes()).map_err(failed)
}

pub fn write_account(account: &SeenAccount, out: &mut dyn Write) -> Result<()> {
    let mut record = Vec::new();
    account.encode(&mut record);
    let length = u32::try_from(record.len()).map_err(|_| Error::internal("an account of more than 4 GiB"))?;
    out.write_all(&length.to_le_bytes())
        .and_then(|()| out.write_all(&record))
        .map_err(failed)
}

/// The differences with the answers that the new rules ask for, in a run. `plan`: of the new rules.
pub fn read_differences(from: &mut dyn Read, plan: &Plan, rejudge: &mut Rejudge<'_>, scratch: &Scratch) -> Result<Spool> {
    let (mut run, mut kept_sql) = (RunWriter::new(scratch, PART_BYTES), KeptSql::new(plan));
    let (mut records, mut bytes) = (Vec::new(), 0);
    loop {
        let record = read_record(from)?.ok_or_else(|| broken("it ends among its differences"))?;
        let is_end = record.is_empty();
        if !is_end {
            bytes += record.len();
            records.push(record);
        }
        if is_end || records.len() == ASKED_RECORDS || bytes >= ASKED_BYTES {
            answer(&records, plan, rejudge, &mut kept_sql, &mut run)?;
            records.clear();
            bytes = 0;
        }
        if is_end {
            return run.finish();
        }
    }
}

/// Appends differences with their answers. New SQL is asked of all that are alike at a time.
fn answer(records: &[Vec<u8>], plan: &Plan, rejudge: &mut Rejudge<'_>, kept_sql: &mut KeptSql<'_>, run: &mut RunWriter) -> Result<()> {
    let differences: Vec<Difference<'_>> = records.iter().map(|record| Difference::decode(record)).collect::<Result<_>>()?;
    let mut alike: BTreeMap<(DifferenceKind, Option<usize>), Vec<usize>> = BTreeMap::new();
    let mut answers: Vec<Vec<u8>> = vec![Vec::new(); differences.len()];
    for (at, difference) in differences.iter().enumerate() {
        if difference.column.is_some_and(|column| column >= plan.aligned.columns.len()) {
            return Err(broken("a difference is in no column"));
        }
        rejudge.answers(difference, &mut answers[at]);
        alike.entry((difference.kind, difference.column)).or_default().push(at);
    }
    for ((kind, column), places) in alike {
        for question in rejudge.new_questions(kind, column).to_vec() {
            let asked: Vec<Difference<'_>> = places.iter().map(|at| differences[*at].clone()).collect();
            let found = kept_sql.answers(rejudge, question, &asked)?;
            let told = places.iter().zip(found);
            told.for_each(|(at, answer)| Answers::write(question, answer, &mut answers[*at]));
        }
    }
    differences.into_iter().zip(&answers).try_for_each(|(difference, answers)| {
        run.append(&Difference {
            answers: Answers::of(answers),
            ..difference
        })
    })
}

/// All accounts in a run, and how many there are.
pub fn read_accounts(from: &mut dyn Read, scratch: &Scratch) -> Result<(Spool, u64)> {
    let (mut run, mut count) = (SpoolWriter::new(scratch, PART_BYTES), 0);
    while let Some(record) = read_record(from)? {
        run.append(&record)?;
        count += 1;
    }
    Ok((run.finish()?, count))
}

/// `None` at the end of the file.
fn read_record(from: &mut dyn Read) -> Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(broken(&e.to_string())),
        Ok(()) => {}
    }
    let length = u32::from_le_bytes(length);
    if length > MAX_BYTES {
        return Err(broken("a record is too long"));
    }
    let mut record = Vec::new();
    let read = from
        .take(length.into())
        .read_to_end(&mut record)
        .map_err(|e| broken(&e.to_string()))?;
    if read < length as usize {
        return Err(broken("it ends within a record"));
    }
    Ok(Some(record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadowdiff_core::align::align;
    use shadowdiff_core::difference::StoredValues;
    use shadowdiff_core::side::Side;
    use shadowdiff_core::spec::{Overrides, parse};
    use shadowdiff_core::value::{Value, ValueType, sort_key, write_value};

    const SPEC: &str = r#"{"live": "a/", "shadow": "b/", "account": "id"}"#;

    fn head() -> ComparisonHead {
        let spec = parse(SPEC, "s.yaml", &Overrides::default()).expect("a spec of the test").spec;
        let column = |name: &str| SideColumn {
            name: name.to_owned(),
            value_type: ValueType::INT64,
        };
        let columns = Sides::from_fn(|_| ["id", "v"].map(column).to_vec());
        ComparisonHead {
            document: serde_json::from_str(SPEC).expect("JSON"),
            aligned: align(&spec, &columns).expect("equal sides meet"),
            sides: columns.map(|columns| SidePlan {
                read: Vec::new(),
                columns,
                carried: Vec::new(),
            }),
            kept: Vec::new(),
            as_of: Day(20_000),
            pins: Sides::default(),
            warnings: WarningOrigin::Data.of(["beware".to_owned()]).collect(),
            tally: Tally::default(),
            count_accounts: false,
            lists_accounts: true,
        }
    }

    fn difference<'a>(row_key: &'a [u8], key: &'a [u8], column: usize) -> Difference<'a> {
        Difference {
            row_key,
            account_key_bytes: row_key.len(),
            kind: DifferenceKind::Changed,
            column: Some(column),
            baseline: Side::Live,
            key: StoredValues::of(key),
            live: Value::Int(1),
            shadow: Value::Int(-2),
            diagnosis: Some("sign"),
            answers: Answers::default(),
            key_fingerprint: None,
            kept: StoredValues::default(),
        }
    }

    fn file(column: usize) -> Vec<u8> {
        let (mut out, mut row_key, mut key, mut record) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        sort_key(&Value::Int(7), &mut row_key);
        write_value(&Value::Int(7), &mut key);
        head().write_head(&mut out).expect("a vector takes all");
        difference(&row_key, &key, column).encode(&mut record);
        out.extend((record.len() as u32).to_le_bytes());
        out.extend(record);
        end_differences(&mut out).expect("a vector takes all");
        let account = SeenAccount {
            key: row_key,
            text: "7".to_owned(),
            rows: Sides::new(1, 2),
        };
        write_account(&account, &mut out).expect("a vector takes all");
        out
    }

    /// What can be read of a file: how many accounts it has.
    fn read(mut from: &[u8]) -> Result<u64> {
        let head = ComparisonHead::read_head(&mut from)?;
        let spec = parse(&head.document.to_string(), "s.yaml", &Overrides::default())?.spec;
        let plan = head.plan(&spec, Day(20_000), (Vec::new(), None), Vec::new());
        let mut rejudge = Rejudge::new(&spec, &spec, &plan.aligned)?;
        let scratch = Scratch::new(1 << 20, None)?;
        read_differences(&mut from, &plan, &mut rejudge, &scratch)?;
        Ok(read_accounts(&mut from, &scratch)?.1)
    }

    #[test]
    fn a_file_is_as_in_the_golden_file() {
        let now = file(1);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/comparison.bin");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &now).expect("the golden file can be written");
        }
        let golden = std::fs::read(path).expect("the golden file");
        assert!(golden == now, "run with UPDATE_GOLDEN=1 if the change is meant, and raise VERSION");
        assert_eq!(read(&golden).expect("it is read"), 1);
    }

    #[test]
    fn a_file_that_is_cut_or_does_not_fit_is_refused() {
        let whole = file(1);
        let mut no_end = Vec::new();
        head().write_head(&mut no_end).expect("a vector takes all");
        for (bytes, why) in [
            (whole[..10].to_vec(), "cannot be read"),
            (whole[..whole.len() - 1].to_vec(), "it ends within a record"),
            (whole[..whole.len() - 28].to_vec(), "it ends within a record"),
            (no_end, "it ends among its differences"),
            (file(2), "a difference is in no column"),
            (
                [&b"shadowdiff comparison\n\x01\0\0\0"[..], &whole[26..]].concat(),
                "it is of another version",
            ),
        ] {
            let refused = read(&bytes).expect_err("it is refused").to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
