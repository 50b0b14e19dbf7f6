//! The columns `delta` and `relative_delta`: two doubles differ as IEEE says, all else exactly.

use crate::cell::{Cell, Type};
use crate::exact::Exact;
use crate::print::double;
use shadowdiff_core::side::Side;

/// `delta` and `relative_delta`, where the column has them. Two doubles differ as IEEE says, all else exactly.
pub(crate) fn deltas(live: &Cell, shadow: &Cell, shown: &Type, old: Side) -> (Option<String>, Option<String>) {
    if let (Cell::Double(live), Cell::Double(shadow)) = (live, shadow) {
        let delta = shadow - live;
        return (
            Some(double(delta)),
            relative(delta, if old == Side::Live { *live } else { *shadow }),
        );
    }
    if let (Some(live), Some(shadow)) = (live.instant(), shadow.instant()) {
        return (Some(time_delta(shadow - live, shown)), None);
    }
    let (Some(live), Some(shadow)) = (live.number(), shadow.number()) else {
        return (None, None);
    };
    let delta = shadow.minus(&live);
    let text = match shown {
        Type::Decimal { scale, .. } => Exact {
            units: delta.at_scale(u32::from(*scale)),
            scale: u32::from(*scale),
        }
        .text(),
        _ => delta.short_text(),
    };
    (
        Some(text),
        relative(
            delta.nearest_double(),
            if old == Side::Live { &live } else { &shadow }.nearest_double(),
        ),
    )
}

fn relative(delta: f64, old: f64) -> Option<String> {
    // Adding zero: a quotient too small for a double is 0.0 on either side of it.
    (old != 0.0 && old.is_finite() && delta.is_finite()).then(|| double(delta / old.abs() + 0.0))
}

fn time_delta(ns: i128, shown: &Type) -> String {
    match shown {
        Type::Timestamp { digits, .. } => Exact {
            units: (ns / 10_i128.pow(9 - u32::from(*digits))).into(),
            scale: u32::from(*digits),
        }
        .text(),
        _ => (ns / 86_400_000_000_000).to_string(),
    }
}
