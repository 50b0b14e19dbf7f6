//! The one form of every value that SQL sees: one NaN, which sorts above all numbers, and no -0.0, at every depth.
//!
//! What bits a NaN has depends on the processor that made it, and arrow sorts one with its sign bit set below all numbers.

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray, make_array};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue};
use std::sync::Arc;

/// Whether values of this type have more than one form.
pub(super) fn has_forms(data_type: &DataType) -> bool {
    match data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Struct(_) => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) | DataType::Map(item, _) => {
            has_forms(item.data_type())
        }
        DataType::Dictionary(_, values) => has_forms(values),
        _ => false,
    }
}

/// The same values in their one form; a member of a struct that is NULL is NULL, whatever lies beneath.
pub(super) fn canonical(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => floats::<Float64Type>(array, |v| if v.is_nan() { f64::NAN } else { v + 0.0 }),
        DataType::Float32 => floats::<Float32Type>(array, |v| if v.is_nan() { f32::NAN } else { v + 0.0 }),
        DataType::Float16 => floats::<Float16Type>(array, |v| if v.is_nan() { Half::NAN } else { v + Half::ZERO }),
        nested if !has_forms(nested) => Arc::clone(array),
        DataType::Struct(fields) if !fields.is_empty() => {
            let whole = array.as_struct();
            let members = fields.iter().zip(whole.columns());
            let members = members.map(|(field, member)| match field.is_nullable() {
                true => canonical(&beneath(member, whole.nulls())),
                false => canonical(member),
            });
            Arc::new(StructArray::new(fields.clone(), members.collect(), whole.nulls().cloned()))
        }
        DataType::List(item) => list::<i32>(array, item),
        DataType::LargeList(item) => list::<i64>(array, item),
        DataType::FixedSizeList(item, size) => {
            let whole = array.as_fixed_size_list();
            let values = canonical(whole.values());
            Arc::new(FixedSizeListArray::new(Arc::clone(item), *size, values, whole.nulls().cloned()))
        }
        DataType::Map(entries, sorted) => {
            let whole = array.as_map();
            let pairs = canonical(&(Arc::new(whole.entries().clone()) as ArrayRef));
            let (offsets, nulls) = (whole.offsets().clone(), whole.nulls().cloned());
            Arc::new(MapArray::new(
                Arc::clone(entries),
                offsets,
                pairs.as_struct().clone(),
                nulls,
                *sorted,
            ))
        }
        DataType::Dictionary(_, _) => {
            let whole = array.as_any_dictionary();
            whole.with_values(canonical(whole.values()))
        }
        _ => Arc::clone(array),
    }
}

/// The same for one value.
pub(super) fn canonical_scalar(value: &ScalarValue) -> Result<ScalarValue> {
    if !has_forms(&value.data_type()) {
        return Ok(value.clone());
    }
    ScalarValue::try_from_array(&canonical(&value.to_array()?), 0)
}

type Half = <Float16Type as ArrowPrimitiveType>::Native;

fn floats<T: ArrowPrimitiveType>(array: &ArrayRef, form: impl Fn(T::Native) -> T::Native) -> ArrayRef {
    Arc::new(array.as_primitive::<T>().unary::<_, T>(form))
}

fn list<O: OffsetSizeTrait>(array: &ArrayRef, item: &FieldRef) -> ArrayRef {
    let whole = array.as_list::<O>();
    let values = canonical(whole.values());
    Arc::new(GenericListArray::<O>::new(
        Arc::clone(item),
        whole.offsets().clone(),
        values,
        whole.nulls().cloned(),
    ))
}

fn beneath(member: &ArrayRef, nulls: Option<&NullBuffer>) -> ArrayRef {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 && *member.data_type() != DataType::Null => {
            let all = NullBuffer::union(member.nulls(), Some(nulls));
            let data = member.to_data().into_builder().nulls(all).build();
            make_array(data.expect("NULLs over valid data are valid"))
        }
        Some(_) | None => Arc::clone(member),
    }
}
