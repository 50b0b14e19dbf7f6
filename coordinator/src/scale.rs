//! How decimals print whose type nobody wrote down: numbers of JSON have no scale.

use shadowdiff_common::read::Format;
use shadowdiff_core::align::{Aligned, Role};
use shadowdiff_core::plan::ReadColumn;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::Spec;
use shadowdiff_core::value::ValueType;

/// Lets numbers of JSON print without zeros at their end: 39.4823 is not `39.4823000000000000` because another row has more digits.
///
/// That holds where neither side says a type, in its files or in the spec, and one side is JSON. Keys are left alone, since they sort at a scale.
pub(crate) fn forget_scales(spec: &Spec, formats: &Sides<Format>, read: &Sides<Vec<ReadColumn>>, aligned: &mut Aligned) {
    if !Side::BOTH.iter().any(|side| formats[*side] == Format::Json) {
        return;
    }
    let is_found = |side: Side, name: &str| {
        let is_text = matches!(formats[side], Format::Json | Format::Csv);
        let is_named = |given: &[(String, ValueType)], name: &str| given.iter().any(|(n, _)| n == name);
        let column = read[side].iter().find(|c| c.name == name);
        let is_declared = is_named(&spec.columns.cast[side], name) || column.is_none_or(|c| is_named(&spec.sides[side].schema, &c.source));
        is_text && !is_declared && !spec.columns.derive[side].iter().any(|(n, _)| n == name)
    };
    for column in aligned.columns.iter_mut().filter(|c| matches!(c.role, Role::Value(_))) {
        if Side::BOTH.iter().all(|side| is_found(*side, &column.path[0])) {
            column.shown = without_scale(&column.shown);
        }
    }
}

/// Of scale 0; a value that is finer keeps its own digits.
fn without_scale(of: &ValueType) -> ValueType {
    match of {
        ValueType::Decimal { precision, scale } if *scale > 0 => ValueType::Decimal {
            precision: *precision,
            scale: 0,
        },
        ValueType::List(item) => ValueType::List(Box::new(without_scale(item))),
        ValueType::Map(key, value) => ValueType::Map(Box::new(without_scale(key)), Box::new(without_scale(value))),
        ValueType::Struct(members) => ValueType::Struct(members.iter().map(|(name, t)| (name.clone(), without_scale(t))).collect()),
        other => other.clone(),
    }
}
