//! Values of flags, as they are written.

use shadowdiff_core::side::Side;
use shadowdiff_core::spec::CsvOverride;
use std::time::Duration;

/// With less, not even the buffers of two readers fit.
const MIN_MEMORY_BYTES: u64 = 32 << 20;

pub(super) fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    if name.is_empty() {
        Err("the name is empty".into())
    } else {
        Ok((name.to_owned(), value.to_owned()))
    }
}

/// Column names may hold `=`, limits do not.
pub(super) fn column_and_limit(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((column, limit)) if !column.is_empty() && !limit.is_empty() => Ok((column.to_owned(), limit.to_owned())),
        Some(_) | None => Err("write COLUMN=N, such as amount=0.01".into()),
    }
}

/// `delimiter=;` for both sides, `live.delimiter=;` for one.
pub(super) fn csv_field(text: &str) -> Result<CsvOverride, String> {
    let (name, value) = name_and_value(text)?;
    let of = |side: Side| {
        name.strip_prefix(side.name())?
            .strip_prefix('.')
            .map(|name| (side, name.to_owned()))
    };
    let apart = Side::BOTH.into_iter().find_map(of);
    let (side, name) = apart.map_or((None, name), |(side, name)| (Some(side), name));
    Ok(CsvOverride { side, name, value })
}

/// A flag in the environment: `1` as well as `true`.
pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("write 1 or 0".into()),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, shadowdiff_core::error::Error> {
    shadowdiff_core::spec::Duration::parse_ms(text).map(Duration::from_millis)
}

/// Bytes, with decimal (kB, MB, GB, TB) or binary (KiB, MiB, GiB, TiB; also K, M, G, T) units.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| "write a size such as 512MiB or 8GB".to_owned())?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        other => return Err(format!("unknown unit `{other}`; use MiB, GiB, MB or GB")),
    };
    let bytes = number * factor as f64;
    if (MIN_MEMORY_BYTES as f64..1e18).contains(&bytes) {
        Ok(bytes as u64)
    } else {
        Err("at least 32MiB are needed".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_fields_may_be_of_one_side() {
        for (text, expected) in [
            ("delimiter=;", Some((None, "delimiter", ";"))),
            ("live.decimal=,", Some((Some(Side::Live), "decimal", ","))),
            ("quote==", Some((None, "quote", "="))),
            ("live.=x", Some((Some(Side::Live), "", "x"))),
            ("delimiter", None),
            ("=;", None),
        ] {
            let found = csv_field(text).ok();
            assert_eq!(
                found.as_ref().map(|c| (c.side, c.name.as_str(), c.value.as_str())),
                expected,
                "{text}"
            );
        }
        assert_eq!(column_and_limit("a=b=1").ok(), Some(("a=b".to_owned(), "1".to_owned())));
        assert!(column_and_limit("a").is_err() && column_and_limit("=1").is_err() && column_and_limit("a=").is_err());
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("512MiB", Some(536_870_912)),
            ("1.5GB", Some(1_500_000_000)),
            ("2g", Some(2_147_483_648)),
            ("1", None),
            ("x", None),
            ("5 parsecs", None),
        ] {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
    }
}
