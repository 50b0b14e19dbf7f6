//! Integers, decimals and floats become each other where the number stays exactly the same.

use super::super::number::{Misfit, Numeral};
use super::{bad, each, lossless, texts, unfit};
use crate::value::parse::{BadValue, parse_into};
use crate::value::types::ValueType;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int64Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::i256;
use arrow_schema::DataType;
use std::sync::Arc;

pub(super) fn to_number(array: &ArrayRef, target: &ValueType) -> Result<ArrayRef, BadValue> {
    match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => return texts::parsed(array, target),
        DataType::Boolean if matches!(target, ValueType::Int { .. }) => return to_number(&lossless(array, &DataType::Int64)?, target),
        _ => {}
    }
    let source = widest(array, target)?;
    match target {
        ValueType::Int { bits, signed } => to_int(&source, *bits, *signed, target),
        ValueType::Decimal { precision, scale } => to_decimal(&source, *precision, *scale, target),
        ValueType::Float { bits } => to_float(&source, *bits, target),
        other => Err(unfit(array, other)),
    }
}

/// One of six forms that hold every number of its family: `Int64`, `UInt64`, `Decimal128`, `Decimal256`, `Float32`, `Float64`.
fn widest(array: &ArrayRef, target: &ValueType) -> Result<ArrayRef, BadValue> {
    match array.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            lossless(array, &DataType::Int64)
        }
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            lossless(array, &DataType::Decimal128(*precision, *scale))
        }
        DataType::Float16 => {
            let floats = array.as_primitive::<Float16Type>().unary::<_, Float32Type>(|value| value.to_f32());
            Ok(Arc::new(floats))
        }
        DataType::Int64 | DataType::UInt64 | DataType::Float32 | DataType::Float64 => Ok(Arc::clone(array)),
        DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => Ok(Arc::clone(array)),
        _ => Err(unfit(array, target)),
    }
}

fn to_int(source: &ArrayRef, bits: u8, signed: bool, target: &ValueType) -> Result<ArrayRef, BadValue> {
    let (smallest, largest) = if signed {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    } else {
        (0, (1_i128 << bits) - 1)
    };
    let fits = |value: i128| (smallest..=largest).contains(&value).then_some(value);
    if signed || bits < 64 {
        integers::<Int64Type>(source, |value| fits(value).map(|value| value as i64), target)
    } else {
        integers::<UInt64Type>(source, |value| fits(value).map(|value| value as u64), target)
    }
}

/// The integers of any source, of which `fit` takes those that the target holds.
fn integers<T: ArrowPrimitiveType>(
    source: &ArrayRef,
    fit: impl Fn(i128) -> Option<T::Native>,
    target: &ValueType,
) -> Result<ArrayRef, BadValue> {
    let why = || format!("is not {}", target.with_article());
    Ok(Arc::new(match source.data_type() {
        DataType::Int64 => each::<Int64Type, T>(source, |value| fit(value.into()), why)?,
        DataType::UInt64 => each::<UInt64Type, T>(source, |value| fit(value.into()), why)?,
        DataType::Float32 => each::<Float32Type, T>(source, |value| fit(whole(value.into())?), why)?,
        DataType::Float64 => each::<Float64Type, T>(source, |value| fit(whole(value)?), why)?,
        DataType::Decimal128(_, scale) => {
            each::<Decimal128Type, T>(source, |value| fit(rescaled(i256::from_i128(value), *scale, 0)?.to_i128()?), why)?
        }
        DataType::Decimal256(_, scale) => each::<Decimal256Type, T>(source, |value| fit(rescaled(value, *scale, 0)?.to_i128()?), why)?,
        _ => return Err(unfit(source, target)),
    }))
}

/// The integer that a double is, if it is one of up to 64 bits or so.
fn whole(value: f64) -> Option<i128> {
    const BEYOND_64_BITS: f64 = 1e20;
    (value.fract() == 0.0 && value.abs() < BEYOND_64_BITS).then_some(value as i128)
}

fn to_decimal(source: &ArrayRef, precision: u8, scale: i8, target: &ValueType) -> Result<ArrayRef, BadValue> {
    match target.storage() {
        DataType::Decimal128(_, _) => {
            let narrow = |value: i256| within(value, precision)?.to_i128();
            let decimals = match source.data_type() {
                // The common case, without 256-bit arithmetic.
                DataType::Decimal128(_, from) if *from <= scale => {
                    let (factor, limit) = (
                        10_i128.checked_pow((i32::from(scale) - i32::from(*from)) as u32),
                        10_i128.pow(precision.into()),
                    );
                    let scaled = |value: i128| if value == 0 { Some(0) } else { value.checked_mul(factor?) };
                    each::<Decimal128Type, Decimal128Type>(
                        source,
                        |value| scaled(value).filter(|value| value.abs() < limit),
                        || no_decimal(target),
                    )?
                }
                _ => decimals::<Decimal128Type>(source, scale, narrow, target)?,
            };
            Ok(Arc::new(decimals.with_data_type(target.storage())))
        }
        _ => Ok(Arc::new(
            decimals::<Decimal256Type>(source, scale, |value| within(value, precision), target)?.with_data_type(target.storage()),
        )),
    }
}

fn no_decimal(target: &ValueType) -> String {
    format!("does not fit {target} without rounding")
}

fn decimals<T: ArrowPrimitiveType>(
    source: &ArrayRef,
    scale: i8,
    narrow: impl Fn(i256) -> Option<T::Native>,
    target: &ValueType,
) -> Result<PrimitiveArray<T>, BadValue> {
    let why = || no_decimal(target);
    let integer = |value: i128| narrow(rescaled(i256::from_i128(value), 0, scale)?);
    match source.data_type() {
        DataType::Int64 => each::<Int64Type, T>(source, |value| integer(value.into()), why),
        DataType::UInt64 => each::<UInt64Type, T>(source, |value| integer(value.into()), why),
        DataType::Decimal128(_, from) => {
            each::<Decimal128Type, T>(source, |value| narrow(rescaled(i256::from_i128(value), *from, scale)?), why)
        }
        DataType::Decimal256(_, from) => each::<Decimal256Type, T>(source, |value| narrow(rescaled(value, *from, scale)?), why),
        // A float is the number that its shortest print says.
        DataType::Float32 => each::<Float32Type, T>(source, |value| narrow(printed(&format!("{value:e}"), scale).ok()?), why),
        DataType::Float64 => each::<Float64Type, T>(source, |value| narrow(printed(&format!("{value:e}"), scale).ok()?), why),
        _ => Err(unfit(source, target)),
    }
}

fn printed(text: &str, scale: i8) -> Result<i256, Misfit> {
    Numeral::scan(text)
        .ok_or(Misfit::TooLarge)?
        .to_i256(scale.into(), super::super::types::MAX_DIGITS)
}

/// `unscaled * 10^-from` as a multiple of `10^-to`; `None` if it is none or too large.
fn rescaled(unscaled: i256, from: i8, to: i8) -> Option<i256> {
    let shift = i32::from(to) - i32::from(from);
    if shift == 0 || unscaled == i256::ZERO {
        return Some(unscaled);
    }
    let factor = i256::from_i128(10).checked_pow(shift.unsigned_abs())?;
    if shift > 0 {
        unscaled.checked_mul(factor)
    } else {
        (unscaled.checked_rem(factor)? == i256::ZERO).then(|| unscaled.wrapping_div(factor))
    }
}

fn within(value: i256, precision: u8) -> Option<i256> {
    let limit = i256::from_i128(10).checked_pow(precision.into())?;
    (value < limit && value > limit.wrapping_neg()).then_some(value)
}

fn to_float(source: &ArrayRef, bits: u8, target: &ValueType) -> Result<ArrayRef, BadValue> {
    let why = || format!("is not exactly a {target}");
    let doubles: ArrayRef = match source.data_type() {
        DataType::Int64 => Arc::new(each::<Int64Type, Float64Type>(source, |value| double_of(value.into()), why)?),
        DataType::UInt64 => Arc::new(each::<UInt64Type, Float64Type>(source, |value| double_of(value.into()), why)?),
        DataType::Float32 if bits == 64 => lossless(source, &DataType::Float64)?,
        DataType::Float32 | DataType::Float64 => Arc::clone(source),
        DataType::Decimal128(_, _) | DataType::Decimal256(_, _) => doubles_of_decimals(source, target)?,
        _ => return Err(unfit(source, target)),
    };
    match (doubles.data_type(), bits) {
        (DataType::Float64, 64) | (DataType::Float32, 32) => Ok(doubles),
        (DataType::Float32, _) => Ok(Arc::new(each::<Float32Type, Float32Type>(&doubles, half, why)?)),
        (_, 32) => Ok(Arc::new(each::<Float64Type, Float32Type>(&doubles, single, why)?)),
        (_, _) => Ok(Arc::new(each::<Float64Type, Float32Type>(
            &doubles,
            |value| half(single(value)?),
            why,
        )?)),
    }
}

fn double_of(value: i128) -> Option<f64> {
    let double = value as f64;
    (double as i128 == value).then_some(double)
}

fn single(value: f64) -> Option<f32> {
    let narrow = value as f32;
    (f64::from(narrow) == value || value.is_nan()).then_some(narrow)
}

fn half(value: f32) -> Option<f32> {
    let narrow = <Float16Type as ArrowPrimitiveType>::Native::from_f32(value).to_f32();
    (narrow == value || value.is_nan()).then_some(value)
}

/// A decimal is the double that it is exactly, or whose shortest print is the same number.
fn doubles_of_decimals(source: &ArrayRef, target: &ValueType) -> Result<ArrayRef, BadValue> {
    let text = texts::to_text(source)?;
    parse_into(text.as_string::<i32>(), &ValueType::DOUBLE).map_err(|why| bad(source, why.row, format!("is not exactly a {target}")))
}
