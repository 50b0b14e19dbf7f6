//! Kinds of change between two dates or timestamps.

use crate::value::{DAY_NS, SECOND_NS, Value, place_ns};

const MINUTE_NS: i128 = 60 * SECOND_NS;
/// Zones lie on quarters of an hour, up to 14 hours from UTC.
const QUARTER_NS: i128 = 15 * MINUTE_NS;
const FARTHEST_ZONE_NS: i128 = 14 * 60 * MINUTE_NS;
/// 1973-03-03: a moment that was read in too fine a unit lies before it, one that is meant hardly ever does.
const EARLIEST_MEANT_NS: i128 = 100_000_000 * SECOND_NS;

pub(super) fn diagnose(live: &Value<'_>, shadow: &Value<'_>) -> Option<String> {
    let (live_ns, shadow_ns) = (place_ns(live)?, place_ns(shadow)?);
    let shift = shadow_ns - live_ns;
    if shift.abs() == DAY_NS {
        return Some("date_off_by_one".into());
    }
    if matches!((live, shadow), (Value::Date(_), Value::Date(_))) {
        return None;
    }
    if shift != 0 && shift % QUARTER_NS == 0 && shift.abs() <= FARTHEST_ZONE_NS {
        let (sign, minutes) = (if shift < 0 { '-' } else { '+' }, shift.abs() / MINUTE_NS);
        return Some(format!("time_zone({sign}{:02}:{:02})", minutes / 60, minutes % 60));
    }
    misread_unit(live_ns, shadow_ns)
}

/// One is exactly 10^3, 10^6 or 10^9 times as far from 1970 as the other: a number of seconds was read in a finer unit.
fn misread_unit(live_ns: i128, shadow_ns: i128) -> Option<String> {
    let (near, far) = if live_ns.abs() < shadow_ns.abs() {
        (live_ns, shadow_ns)
    } else {
        (shadow_ns, live_ns)
    };
    if near == 0 || far.abs() < EARLIEST_MEANT_NS {
        return None;
    }
    let units = [("milliseconds", 1_000), ("microseconds", 1_000_000), ("nanoseconds", 1_000_000_000)];
    // A near moment is multiplied, not the far one divided: nothing is rounded.
    let (unit, _) = units.iter().find(|(_, factor)| near * factor == far)?;
    Some(if far == live_ns {
        format!("unit(seconds/{unit})")
    } else {
        format!("unit({unit}/seconds)")
    })
}
