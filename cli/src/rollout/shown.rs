//! A roll-out in the terminal: who may flip, in which ring, and what to mend so that more may.

use super::Rollout;
use crate::render::{Paint, and_more, heading, wrapped};
use shadowdiff_core::render::{counted_apart, grouped};
use shadowdiff_core::verdict::Verdict;
use std::fmt::Write;

/// Of what holds accounts.
const SHOWN: usize = 10;

/// `place`: the folder, as the user calls it.
pub(super) fn text(rollout: &Rollout, place: &str, paint: Paint) -> String {
    let counts = &rollout.accounts;
    let may_flip = if rollout.blocked.is_empty() { counts.safe } else { 0 };
    let head = format!("{} may flip", counted_apart(may_flip, "account"));
    let mut out = format!("{}, {} on hold", paint.either(may_flip > 0, &head), grouped(counts.hold));
    if counts.flip_back > 0 {
        out += &format!(", {}", paint.bad(&format!("{} to flip back", grouped(counts.flip_back))));
    }
    out.push('\n');
    for why in &rollout.blocked {
        out += &paint.complaint("nobody flips", why);
    }
    if rollout.verdict == Some(Verdict::Fail) && rollout.blocked.is_empty() {
        for broken in &rollout.broken {
            out += &wrapped("  the verdict is fail  ", &format!("{broken}; no account with one may flip"));
        }
    }
    heading(&mut out, "Accounts", paint);
    for (accounts, words) in [
        (counts.listed, "compared"),
        (counts.safe, "safe: all that differs is expected, or nothing differs"),
        (counts.hold, "on hold: hold.csv"),
        (counts.flipped, "flipped already, and fine"),
        (counts.flip_back, "to flip back: flip-back.csv"),
        (counts.left_out, "not among those of --accounts"),
        (counts.not_compared, "of the lists not in the data: not-compared.csv"),
    ] {
        if accounts > 0 {
            let _ = writeln!(out, "{:>12} {words}", grouped(accounts));
        }
    }
    rings(&mut out, rollout, paint);
    blockers(&mut out, rollout, paint);
    let _ = writeln!(out, "\nLists: {place}");
    out
}

fn rings(out: &mut String, rollout: &Rollout, paint: Paint) {
    if rollout.rings.is_empty() {
        return;
    }
    heading(out, "Rings (shares of the safe accounts, fewest rows first)", paint);
    for ring in &rollout.rings {
        let accounts = counted_apart(ring.accounts, "account");
        let _ = writeln!(
            out,
            "  {:<14}to {:<8}{accounts:>16}  in {}",
            ring.file,
            ring.share,
            counted_apart(ring.rows, "row")
        );
    }
}

fn blockers(out: &mut String, rollout: &Rollout, paint: Paint) {
    let Some(blockers) = &rollout.blockers else {
        *out += "\n";
        *out += &wrapped(
            "",
            "diff.csv was cut (`output.max_differences`): what holds accounts is not known of all",
        );
        return;
    };
    if blockers.is_empty() {
        return;
    }
    heading(out, "What holds accounts", paint);
    for blocker in blockers.iter().take(SHOWN) {
        let numbers = format!(
            "{:>12} held, {:>6} by this alone  ",
            grouped(blocker.accounts),
            grouped(blocker.frees)
        );
        *out += &wrapped(&numbers, &blocker.blocker);
    }
    and_more(out, blockers.len(), SHOWN);
}
