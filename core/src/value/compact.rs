//! Compact forms: what a column may be in while it is only compared and hashed, as files store it, instead of the storage form of its type.
//!
//! ```text
//! text, binary                 a dictionary: values, and a number of 32 bits a row
//! decimal of up to 18 digits   64 bits a value
//! ```

use super::types::ValueType;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal64Type, Decimal128Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DECIMAL64_MAX_PRECISION, DECIMAL64_MAX_SCALE, DataType};
use arrow_select::take::take;
use std::sync::Arc;

/// Whether an array is of the type, in a compact form of it. A dictionary has no NULL among its values.
pub fn is_compact(array: &ArrayRef, value_type: &ValueType) -> bool {
    match (array.data_type(), value_type) {
        (DataType::Dictionary(numbers, values), ValueType::Text | ValueType::Binary) => {
            **numbers == DataType::Int32 && **values == value_type.storage() && array.as_any_dictionary().values().null_count() == 0
        }
        (decimal @ DataType::Decimal64(_, _), ValueType::Decimal { .. }) => *decimal == fixed_form(value_type),
        _ => false,
    }
}

/// Whether an array is in the compact form of some type.
pub fn is_compact_form(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Dictionary(_, _) | DataType::Decimal64(_, _))
}

/// The smallest form whose values all have one width, if the type has any such: its storage form, or the compact one.
pub fn fixed_form(value_type: &ValueType) -> DataType {
    match value_type.storage() {
        DataType::Decimal128(digits, scale) => decimal_in_64_bits(digits, scale).unwrap_or(DataType::Decimal128(digits, scale)),
        storage => storage,
    }
}

/// The form in 64 bits of decimals of so many digits, where they fit.
pub fn decimal_in_64_bits(digits: u8, scale: i8) -> Option<DataType> {
    (digits <= DECIMAL64_MAX_PRECISION && (0..=DECIMAL64_MAX_SCALE).contains(&scale)).then_some(DataType::Decimal64(digits, scale))
}

/// An array of a type in its [`fixed_form`]; it is in that, or in its storage form.
pub fn in_fixed_form(array: &ArrayRef, value_type: &ValueType) -> ArrayRef {
    match (array.data_type(), fixed_form(value_type)) {
        (DataType::Decimal128(_, _), fixed @ DataType::Decimal64(_, _)) => {
            // No value has more digits than its type; what lies under a NULL is nobody's.
            let values = array.as_primitive::<Decimal128Type>();
            Arc::new(values.unary::<_, Decimal64Type>(|value| value as i64).with_data_type(fixed))
        }
        _ => Arc::clone(array),
    }
}

/// An array that may be in a compact form as one that is not.
pub(crate) fn laid_out(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            take(dictionary.values(), dictionary.keys(), None).expect("numbers of a dictionary are those of its values")
        }
        DataType::Decimal64(digits, scale) => {
            let values = array.as_primitive::<Decimal64Type>();
            let wide = values.unary::<_, Decimal128Type>(i128::from);
            Arc::new(wide.with_data_type(DataType::Decimal128(*digits, *scale)))
        }
        _ => Arc::clone(array),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Decimal128Array, DictionaryArray, StringArray};

    fn decimals(digits: u8, values: Vec<Option<i128>>) -> ArrayRef {
        let values = Decimal128Array::from(values).with_precision_and_scale(digits, 2);
        Arc::new(values.expect("a decimal type"))
    }

    #[test]
    fn decimals_of_up_to_18_digits_come_back_from_64_bits() {
        let most = 999_999_999_999_999_999;
        let wide = decimals(18, vec![Some(most), None, Some(-most), Some(0)]);
        let value_type = ValueType::Decimal { precision: 18, scale: 2 };
        let fixed = in_fixed_form(&wide, &value_type);
        assert_eq!(*fixed.data_type(), DataType::Decimal64(18, 2));
        assert!(is_compact(&fixed, &value_type) && !is_compact(&wide, &value_type));
        assert_eq!(&laid_out(&fixed), &wide);
        let more = ValueType::Decimal { precision: 19, scale: 2 };
        let wider = decimals(19, vec![Some(most * 10)]);
        assert_eq!(&in_fixed_form(&wider, &more), &wider);
        assert!(!is_compact(&fixed, &more), "a decimal of other digits");
    }

    #[test]
    fn a_dictionary_is_compact_where_no_value_of_it_is_null() {
        let texts: ArrayRef = Arc::new(DictionaryArray::<arrow_array::types::Int32Type>::from_iter([
            Some("a"),
            None,
            Some("a"),
        ]));
        assert!(is_compact(&texts, &ValueType::Text) && !is_compact(&texts, &ValueType::Binary));
        let plain: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("a")]));
        assert_eq!(&laid_out(&texts), &plain);
    }
}
