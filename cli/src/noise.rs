//! The noise of a spec: live is compared with its second run first, by the same spec, and the comparison that was asked for reads that result.

use crate::spec::SpecFile;
use serde_json::{Map, Value};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::spec::parse_again;

/// What is compared one after the other: live with its second run, where the spec names one, then what was asked for.
pub(crate) fn noise_specs(found: &SpecFile) -> Result<(Option<SpecFile>, SpecFile)> {
    let Some(noise) = found.parsed.spec.noise.as_ref().filter(|noise| !noise.live_again.is_empty()) else {
        return Ok((None, found.clone()));
    };
    let place = match &noise.result {
        Some(place) => place.clone(),
        None => beside(&found.output)?,
    };
    let document = against_itself(&found.parsed.document, &noise.live_again, &place);
    let parsed = parse_again(&document, "the spec of live against itself")?;
    let first = SpecFile {
        parsed,
        output: place.clone(),
        ..found.clone()
    };
    let mut then = found.clone();
    if let Some(noise) = &mut then.parsed.spec.noise {
        noise.result = Some(place.clone());
    }
    then.parsed.document["noise"]["result"] = place.into();
    Ok((Some(first), then))
}

/// The place beside that of the result.
fn beside(output: &str) -> Result<String> {
    let output = output.trim_end_matches('/');
    let is_bucket = output.split_once("://").is_some_and(|(_, rest)| !rest.contains('/'));
    if is_bucket {
        return Err(Error::spec("the output is a whole bucket, beside which there is no place")
            .field("noise")
            .advice("name one in `noise.result`"));
    }
    Ok(format!("{output}-noise"))
}

/// The spec in which both sides are read as live is. Its rules stay: what they cover is no noise.
fn against_itself(document: &Value, live_again: &[String], place: &str) -> Value {
    let mut document = document.clone();
    let Some(fields) = document.as_object_mut() else { return document };
    for field in ["noise", "accepted", "verdict", "baseline"] {
        fields.remove(field);
    }
    fields.insert("shadow".to_owned(), live_again.into());
    fields.insert("output".to_owned(), place.into());
    both_as_live(fields, "where", |_| true);
    both_as_live(fields, "ready", |_| true);
    both_as_live(fields, "csv", Value::is_object);
    both_as_live(fields, "schema", Value::is_object);
    if let Some(columns) = fields.get_mut("columns").and_then(Value::as_object_mut) {
        both_as_live(columns, "cast", Value::is_object);
        // Not per side it is of shadow's names.
        if !both_as_live(columns, "rename", Value::is_object) {
            columns.remove("rename");
        }
        if let Some(derived) = columns.get_mut("derive").and_then(Value::as_object_mut) {
            let names: Vec<String> = derived.keys().cloned().collect();
            for name in names {
                both_as_live(derived, &name, |_| true);
            }
        }
    }
    document
}

/// Puts what is said of live in the place of a field that is given per side; whether it was. `fits`: what the value of a side is.
fn both_as_live(fields: &mut Map<String, Value>, field: &str, fits: impl Fn(&Value) -> bool) -> bool {
    let Some(Value::Object(sides)) = fields.get(field) else {
        return false;
    };
    let mut given = sides.iter();
    if sides.is_empty() || !given.all(|(name, value)| matches!(name.as_str(), "live" | "shadow") && fits(value)) {
        return false;
    }
    let Some(live) = sides.get("live").cloned() else {
        return fields.remove(field).is_some();
    };
    let of_live = |side: &str| (side.to_owned(), live.clone());
    fields.insert(
        field.to_owned(),
        Value::Object(["live", "shadow"].map(of_live).into_iter().collect()),
    );
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadowdiff_core::spec::{Overrides, parse};

    #[test]
    fn both_sides_are_read_as_live_is() {
        let text = "live: a\nshadow: b\naccount: id\nwhere: {live: \"x > 1\", shadow: \"y > 1\"}\nschema: {live: text}\n\
                    csv: {shadow: {delimiter: \";\"}}\nnoise: {live_again: [c, d]}\nbaseline: shadow\n\
                    columns: {exclude: [t], rename: {new: old}, derive: {k: {live: \"id\", shadow: \"lower(id)\"}, z: {shadow: \"1\"}, w: \"2\"}}\n\
                    expected: [{name: r, columns: [v], within: {relative: 1%}}]\nverdict: {noise: subtract}\n";
        let spec = parse(text, "s.yaml", &Overrides::default()).expect("a spec");
        let document = against_itself(&spec.document, &["c".to_owned(), "d".to_owned()], "out-noise");
        let found = parse_again(&document, "noise").expect("a spec").spec;
        let (live, again) = (&found.sides.live, &found.sides.shadow);
        assert_eq!(
            (&live.paths[..], &again.paths[..]),
            (&["a".to_owned()][..], &["c".to_owned(), "d".to_owned()][..])
        );
        assert_eq!((&live.schema, &live.csv), (&again.schema, &again.csv));
        assert_eq!(
            (found.filter.live.as_deref(), found.filter.shadow.as_deref()),
            (Some("x > 1"), Some("x > 1"))
        );
        assert_eq!(found.columns.derive.live, found.columns.derive.shadow);
        assert_eq!(found.columns.rename.live, found.columns.rename.shadow);
        assert_eq!(
            (&found.expected, &found.columns.exclude),
            (&spec.spec.expected, &spec.spec.columns.exclude)
        );
        assert_eq!(found.columns.derive.live, spec.spec.columns.derive.live);
        assert!(!found.verdict.subtracts_noise && found.noise.is_none());
    }
}
