//! `--profile`: what each rung of a comparison took, as a table on stderr.

use crate::note;
use crate::render::padded;
use clap::Args;
use shadowdiff_core::profile::{Profile, RungCost};
use shadowdiff_core::render::grouped;
use shadowdiff_core::report::Summary;

/// Whether it is told what the comparison took.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ProfileArgs {
    /// Tell on stderr what the comparison took: rows, bytes and time of each way in which rows end, as `timings.rungs` in summary.json
    #[arg(long)]
    pub(crate) profile: bool,
}

impl ProfileArgs {
    /// Tells it, if it was asked for.
    pub(crate) fn tell(self, summary: &Summary) {
        if self.profile {
            note(&table(&summary.timings.rungs));
        }
    }
}

const HEAD: &str = "Profile: rows of both sides that ended so, MB of the datasets as stored,
seconds of all threads together";
const NAME_COLUMNS: usize = 13;
const ROW_COLUMNS: usize = 15;
const COLUMNS: usize = 11;
const TIME_COLUMNS: usize = 8;

fn table(profile: &Profile) -> String {
    if profile.is_empty() {
        return "Profile: the result does not say".to_owned();
    }
    let mut out = format!("{HEAD}\n{}{:>ROW_COLUMNS$}{:>COLUMNS$}", padded("", NAME_COLUMNS), "rows", "MB");
    for work in ["decode", "hash", "join", "compare", "write"] {
        out += &format!("{work:>TIME_COLUMNS$}");
    }
    for (rung, cost) in &profile.rungs {
        out.push('\n');
        out += &padded(rung.name(), NAME_COLUMNS);
        out += &line(cost);
    }
    out
}

/// What took nothing is a dash; what took little is not.
fn line(cost: &RungCost) -> String {
    let times = [cost.decode_us, cost.hash_us, cost.join_us, cost.compare_us, cost.write_us];
    let rows = if cost.rows == 0 { "-".to_owned() } else { grouped(cost.rows) };
    let mut line = format!("{rows:>ROW_COLUMNS$}{:>COLUMNS$}", thousandths(cost.bytes / 1000));
    for time_us in times {
        line += &format!("{:>TIME_COLUMNS$}", thousandths(time_us.div_ceil(1000)));
    }
    line
}

/// A number of thousandths, with its point.
fn thousandths(count: u64) -> String {
    match count {
        0 => "-".to_owned(),
        _ => format!("{}.{:03}", count / 1000, count % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadowdiff_core::profile::{Rung, Work};

    #[test]
    fn each_rung_is_a_line_that_fits_a_terminal() {
        let mut profile = Profile::default();
        profile.add_rows(Rung::SameChunk, 12_000_000_000);
        profile.add_bytes(Rung::SameChunk, 290_123_456_789);
        profile.add_time(Rung::SameChunk, Work::Compare, 110_020_000);
        profile.add_time(Rung::Window, Work::Hash, 7);
        let table = table(&profile);
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "                        rows         MB  decode    hash    join compare   write",
                "same-chunk    12 000 000 000 290123.456       -       -       - 110.020       -",
                "window                     -          -       -   0.001       -       -       -",
            ]
        );
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(super::table(&Profile::default()).contains("does not say"));
    }
}
