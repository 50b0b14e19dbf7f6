//! What converts to what, with which values, and what is refused.

use super::*;
use crate::value::{print, value_at};
use arrow_array::builder::{Int32Builder, MapBuilder, StringBuilder};
use arrow_array::types::{Float16Type, Float64Type, Int8Type, IntervalMonthDayNanoType};
use arrow_array::*;
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer, i256};
use arrow_schema::Field;

/// What the values print as, NULL as `None`; or a row and a part of what is wrong with it.
type Want<'a> = Result<Vec<Option<&'a str>>, (usize, &'a str)>;

fn check(array: impl Array + 'static, target: &str, want: Want<'_>) {
    check_type(Arc::new(array), &ValueType::parse(target).expect(target), want);
}

fn check_type(array: ArrayRef, target: &ValueType, want: Want<'_>) {
    let name = format!("{} to {target}", array.data_type());
    match (convert(&array, target), want) {
        (Ok(got), Ok(want)) => {
            assert_eq!(got.data_type(), &target.storage(), "{name}");
            let text = |row: usize| {
                let mut text = String::new();
                print(&value_at(got.as_ref(), row), &mut text);
                got.is_valid(row).then_some(text)
            };
            // The Null type has no valid rows and no null buffer.
            let got: Vec<_> = (0..got.len())
                .map(|row| if *target == ValueType::Null { None } else { text(row) })
                .collect();
            assert_eq!(got.iter().map(Option::as_deref).collect::<Vec<_>>(), want, "{name}");
        }
        (Err(wrong), Err((row, part))) => {
            assert_eq!(wrong.row, row, "{name}: {wrong}");
            assert!(wrong.to_string().contains(part), "{name}: {wrong}");
        }
        (got, want) => panic!("{name}: got {got:?}, want {want:?}"),
    }
}

fn all<'a>(texts: &[&'a str]) -> Want<'a> {
    Ok(texts.iter().copied().map(Some).collect())
}

#[test]
fn storage_is_given_back_as_it_is() {
    let array: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let same = convert(&array, &ValueType::INT64).expect("the same");
    assert!(std::ptr::eq(
        array.as_primitive::<Int64Type>().values().as_ptr(),
        same.as_primitive::<Int64Type>().values().as_ptr()
    ));
    let bits = convert(
        &(Arc::new(Float64Array::from(vec![-0.0, f64::NAN])) as ArrayRef),
        &ValueType::DOUBLE,
    )
    .expect("the same");
    assert!(bits.as_primitive::<Float64Type>().value(0).is_sign_negative());
}

#[test]
fn forms_do_not_matter() {
    let dictionary: DictionaryArray<Int8Type> = vec![Some("b"), None, Some("a"), Some("b")].into_iter().collect();
    check(dictionary.slice(1, 3), "text", Ok(vec![None, Some("a"), Some("b")]));
    // NULL among the values of a dictionary, and a value that nobody uses and that would not parse.
    let values = StringArray::from(vec![None, Some("7"), Some("unused")]);
    check(
        DictionaryArray::<Int8Type>::new(vec![0, 1].into(), Arc::new(values)),
        "int",
        Ok(vec![None, Some("7")]),
    );
    let runs = RunArray::<Int32Type>::try_new(&vec![2, 3, 5].into(), &StringArray::from(vec![Some("a"), None, Some("b")])).expect("runs");
    check(runs.slice(1, 3), "text", Ok(vec![Some("a"), None, Some("b")]));
    check(LargeStringArray::from(vec!["a"]), "text", all(&["a"]));
    check(
        StringViewArray::from(vec!["a string too long to be inlined"]),
        "text",
        all(&["a string too long to be inlined"]),
    );
    check(BinaryViewArray::from(vec![b"\xff".as_slice()]), "binary", all(&["ff"]));
    check(LargeBinaryArray::from(vec![b"\xff".as_slice()]), "binary", all(&["ff"]));
    check(
        FixedSizeBinaryArray::try_from_iter([[1_u8, 2]].into_iter()).expect("fixed"),
        "binary",
        all(&["0102"]),
    );
    check(NullArray::new(2), "decimal(4,2)", Ok(vec![None, None]));
    check(Int32Array::from(vec![None, None]), "null", Ok(vec![None, None]));
    check(Int32Array::from(vec![None, Some(1)]), "null", Err((1, "`1` is a value")));
}

#[test]
fn integers() {
    check(Int8Array::from(vec![Some(-128), None]), "int", Ok(vec![Some("-128"), None]));
    check(UInt32Array::from(vec![u32::MAX]), "int", all(&["4294967295"]));
    check(UInt64Array::from(vec![u64::MAX]), "uint64", all(&["18446744073709551615"]));
    check(
        UInt64Array::from(vec![1, u64::MAX]),
        "int",
        Err((1, "`18446744073709551615` is not an int64")),
    );
    check(Int64Array::from(vec![1, -1]), "uint64", Err((1, "`-1` is not a uint64")));
    check(
        Int64Array::from(vec![1, 1 << 31]),
        "int32",
        Err((1, "`2147483648` is not an int32")),
    );
    check(Float64Array::from(vec![3.0, -0.0]), "int", all(&["3", "0"]));
    check(Float64Array::from(vec![3.0, 3.5]), "int", Err((1, "`3.5` is not an int64")));
    check(
        Float64Array::from(vec![9_223_372_036_854_775_808.0]),
        "int",
        Err((0, "is not an int64")),
    );
    check(Float64Array::from(vec![f64::NAN]), "int", Err((0, "`NaN` is not an int64")));
    check(Float32Array::from(vec![f32::INFINITY]), "int", Err((0, "`inf` is not an int64")));
    check(decimals(&[300, -1000], 5, 2), "int", all(&["3", "-10"]));
    check(decimals(&[301], 5, 2), "int", Err((0, "`3.01` is not an int64")));
    check(StringArray::from(vec!["1", "x"]), "int", Err((1, "`x` is not an integer")));
    check(BooleanArray::from(vec![true, false]), "int", all(&["1", "0"]));
    check(Int32Array::from(vec![1, 0]), "bool", all(&["true", "false"]));
    check(Int32Array::from(vec![1, 2]), "bool", Err((1, "`2` is neither 0 nor 1")));
    check(StringViewArray::from(vec!["True"]), "bool", all(&["true"]));
    check(
        Date32Array::from(vec![0]),
        "int",
        Err((0, "`1970-01-01` is date, which does not become int64")),
    );
}

fn decimals(unscaled: &[i128], precision: u8, scale: i8) -> Decimal128Array {
    Decimal128Array::from(unscaled.to_vec())
        .with_precision_and_scale(precision, scale)
        .expect("valid")
}

#[test]
fn decimals_keep_every_digit() {
    check(Int32Array::from(vec![7]), "decimal(5,2)", all(&["7.00"]));
    check(
        Int32Array::from(vec![7, 1000]),
        "decimal(5,2)",
        Err((1, "`1000` does not fit decimal(5,2)")),
    );
    check(UInt64Array::from(vec![u64::MAX]), "decimal(20,0)", all(&["18446744073709551615"]));
    check(decimals(&[150], 5, 2), "decimal(5,1)", all(&["1.5"]));
    check(
        decimals(&[150, 155], 5, 2),
        "decimal(5,1)",
        Err((1, "`1.55` does not fit decimal(5,1) without rounding")),
    );
    check(decimals(&[99999], 5, 2), "decimal(5,3)", Err((0, "`999.99` does not fit")));
    let largest = 10_i128.pow(38) - 1;
    check(
        decimals(&[largest], 38, 0),
        "decimal(48,10)",
        all(&[&format!("{largest}.0000000000")]),
    );
    check(decimals(&[largest, 0], 38, 0), "decimal(38,1)", Err((0, "does not fit")));
    check(decimals(&[12], 2, -2), "decimal(5,1)", all(&["1200.0"]));
    let wide = i256::from_i128(largest).checked_mul(i256::from_i128(10)).expect("fits");
    let wide = Decimal256Array::from(vec![wide]).with_precision_and_scale(76, 1).expect("valid");
    check(wide.clone(), "decimal(38,0)", all(&[&largest.to_string()]));
    check(wide, "decimal(37,0)", Err((0, "does not fit")));
    check(
        Decimal32Array::from(vec![-15]).with_precision_and_scale(3, 1).expect("valid"),
        "decimal(18,2)",
        all(&["-1.50"]),
    );
    check(
        Decimal64Array::from(vec![15]).with_precision_and_scale(3, 1).expect("valid"),
        "decimal(40,2)",
        all(&["1.50"]),
    );
    check(Float64Array::from(vec![0.1, 1e3]), "decimal(18,2)", all(&["0.10", "1000.00"]));
    check(Float32Array::from(vec![0.1]), "decimal(18,2)", all(&["0.10"]));
    check(
        Float64Array::from(vec![0.1, 0.125]),
        "decimal(18,2)",
        Err((1, "`0.125` does not fit")),
    );
    check(Float64Array::from(vec![f64::NAN]), "decimal(18,2)", Err((0, "`NaN` does not fit")));
    check(StringArray::from(vec!["1.505"]), "decimal(18,2)", Err((0, "would be rounded")));
}

#[test]
fn floats_are_exact() {
    let halves = Float16Array::from(vec![<Float16Type as ArrowPrimitiveType>::Native::from_f32(0.1)]);
    check(halves.clone(), "double", all(&["0.0999755859375"]));
    check(halves, "float16", all(&["0.099975586"]));
    check(
        Float32Array::from(vec![0.1, f32::NAN]),
        "double",
        all(&["0.10000000149011612", "NaN"]),
    );
    check(
        Int64Array::from(vec![1 << 53, (1 << 53) + 1]),
        "double",
        Err((1, "`9007199254740993` is not exactly a double")),
    );
    check(
        UInt64Array::from(vec![1 << 63]),
        "double",
        all(&["9.223372036854775808e18"
            .parse::<f64>()
            .map(|v| format!("{v:?}"))
            .expect("a double")
            .as_str()]),
    );
    check(
        Int64Array::from(vec![(1 << 24) + 1]),
        "float32",
        Err((0, "is not exactly a float32")),
    );
    check(
        Float64Array::from(vec![0.5, f64::NAN, -0.0]),
        "float32",
        all(&["0.5", "NaN", "0.0"]),
    );
    check(
        Float64Array::from(vec![0.5, 0.1]),
        "float32",
        Err((1, "`0.1` is not exactly a float32")),
    );
    check(
        Float32Array::from(vec![0.5, 0.1]),
        "float16",
        Err((1, "`0.1` is not exactly a float16")),
    );
    check(decimals(&[10, 150], 5, 2), "double", all(&["0.1", "1.5"]));
    check(decimals(&[-(1 << 63) * 10_000], 38, 4), "double", all(&["-9.223372036854776e18"]));
    check(
        decimals(&[((1 << 63) + 1) * 10_000], 38, 4),
        "double",
        Err((0, "is not exactly a double")),
    );
    check(
        decimals(&[12_345_678_901_234_567_890], 20, 2),
        "double",
        Err((0, "is not exactly a double")),
    );
    check(StringArray::from(vec!["-inf"]), "double", all(&["-inf"]));
}

#[test]
fn moments_never_wrap() {
    let days = |date: &str| crate::value::calendar::days_from_date(date[..4].parse().expect("year"), 12, 31).expect("a day");
    let last = days("9999");
    check(Date32Array::from(vec![last]), "timestamp(us)", all(&["9999-12-31T00:00:00.000000"]));
    check(
        Date32Array::from(vec![0, last]),
        "timestamp(ns)",
        Err((1, "`9999-12-31` does not fit timestamp(ns)")),
    );
    check(
        Date64Array::from(vec![86_400_000, -86_400_000]),
        "date",
        all(&["1970-01-02", "1969-12-31"]),
    );
    check(Date64Array::from(vec![0, 1]), "date", Err((1, "does not fit date without loss")));
    check(
        TimestampMillisecondArray::from(vec![-1]),
        "timestamp(us)",
        all(&["1969-12-31T23:59:59.999000"]),
    );
    check(
        TimestampMillisecondArray::from(vec![i64::MAX]),
        "timestamp(us)",
        Err((0, "does not fit")),
    );
    check(
        TimestampNanosecondArray::from(vec![1_000, 1_001]),
        "timestamp(us)",
        Err((1, "does not fit timestamp(us) without loss")),
    );
    check(
        TimestampNanosecondArray::from(vec![-1_000]),
        "timestamp(us)",
        all(&["1969-12-31T23:59:59.999999"]),
    );
    let berlin = TimestampSecondArray::from(vec![0]).with_timezone("Europe/Berlin");
    check(berlin.clone(), "timestamp(s, UTC)", all(&["1970-01-01T00:00:00Z"]));
    check(berlin.clone(), "timestamp(s)", all(&["1970-01-01T00:00:00"]));
    check(
        TimestampSecondArray::from(vec![1]).with_timezone("Europe/Berlin"),
        "date",
        Err((0, "`1970-01-01T00:00:01Z` does not fit date")),
    );
    check(TimestampSecondArray::from(vec![86_400]), "date", all(&["1970-01-02"]));
    check(
        TimestampSecondArray::from(vec![0]),
        "timestamp(ms, UTC)",
        all(&["1970-01-01T00:00:00.000Z"]),
    );
    check(Time32SecondArray::from(vec![1]), "time(ns)", all(&["00:00:01.000000000"]));
    check(Time64MicrosecondArray::from(vec![1_000_000]), "time(s)", all(&["00:00:01"]));
    check(Time64MicrosecondArray::from(vec![1]), "time(ms)", Err((0, "does not fit time(ms)")));
    check(
        Time32SecondArray::from(vec![0]),
        "timestamp(s)",
        Err((0, "does not become timestamp(s)")),
    );
    check(Int64Array::from(vec![0]), "timestamp(s)", Err((0, "does not become timestamp(s)")));
    check(DurationSecondArray::from(vec![i64::MAX]), "duration(ns)", Err((0, "does not fit")));
    check(
        StringArray::from(vec!["2026-01-01T00:00:00+01:00"]),
        "timestamp(s, UTC)",
        all(&["2025-12-31T23:00:00Z"]),
    );
    let months = IntervalYearMonthArray::from(vec![14]);
    assert_eq!(
        convert(&(Arc::new(months) as ArrayRef), &ValueType::Interval)
            .expect("an interval")
            .data_type(),
        &ValueType::Interval.storage()
    );
    let day_time = IntervalDayTimeArray::from(vec![arrow_buffer::IntervalDayTime::new(1, i32::MAX)]);
    let wide = convert(&(Arc::new(day_time) as ArrayRef), &ValueType::Interval).expect("an interval");
    assert_eq!(
        wide.as_primitive::<IntervalMonthDayNanoType>().value(0).nanoseconds,
        i64::from(i32::MAX) * 1_000_000
    );
}

#[test]
fn text_is_what_the_output_prints() {
    check(BooleanArray::from(vec![Some(true), None]), "text", Ok(vec![Some("true"), None]));
    check(Int8Array::from(vec![-1]), "text", all(&["-1"]));
    check(decimals(&[150], 5, 2), "text", all(&["1.50"]));
    check(
        Float64Array::from(vec![1.0, f64::NAN, f64::NEG_INFINITY]),
        "text",
        all(&["1.0", "NaN", "-inf"]),
    );
    check(Date32Array::from(vec![-1]), "text", all(&["1969-12-31"]));
    check(
        TimestampMillisecondArray::from(vec![0]).with_timezone("+03:00"),
        "text",
        all(&["1970-01-01T00:00:00.000Z"]),
    );
    check(Time32SecondArray::from(vec![1]), "text", all(&["00:00:01"]));
    check(BinaryArray::from(vec!["ä".as_bytes()]), "text", all(&["ä"]));
    check(
        BinaryArray::from(vec![b"a".as_slice(), b"\xff"]),
        "text",
        Err((1, "is binary that is not UTF-8")),
    );
    check(LargeStringArray::from(vec!["ä"]), "binary", all(&["c3a4"]));
    check(
        ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None])]),
        "text",
        all(&["[1,null]"]),
    );
}

/// Four texts of which the one at `BAD` is not an integer.
fn items() -> ArrayRef {
    Arc::new(StringArray::from(vec!["1", "2", "bad", "4"]))
}

fn item() -> Arc<Field> {
    Field::new("element", DataType::Utf8, true).into()
}

#[test]
fn lists_of_every_form() {
    let offsets = |ends: Vec<i32>| OffsetBuffer::new(ends.into());
    let list = ListArray::new(
        item(),
        offsets(vec![0, 2, 3, 4]),
        items(),
        Some(NullBuffer::from(vec![true, false, true])),
    );
    // The bad item lies under a NULL list.
    check(list.clone(), "list(int)", Ok(vec![Some("[1,2]"), None, Some("[4]")]));
    check(list.slice(1, 2), "list(int)", Ok(vec![None, Some("[4]")]));
    let list = ListArray::new(item(), offsets(vec![0, 2, 2, 4]), items(), None);
    check(list.slice(0, 2), "list(int)", all(&["[1,2]", "[]"]));
    check(list, "list(int)", Err((2, "`bad` is not an integer")));
    let large = LargeListArray::new(item(), OffsetBuffer::new(vec![0_i64, 1, 2].into()), items(), None);
    check(large, "list(int)", all(&["[1]", "[2]"]));
    let fixed = FixedSizeListArray::new(item(), 2, items(), Some(NullBuffer::from(vec![true, false])));
    check(fixed.clone(), "list(int)", Ok(vec![Some("[1,2]"), None]));
    check(fixed.slice(1, 1), "list(int)", Ok(vec![None]));
    let buffer = |values: Vec<i32>| ScalarBuffer::from(values);
    let view = ListViewArray::new(item(), buffer(vec![3, 0]), buffer(vec![1, 2]), items(), None);
    check(view, "list(int)", all(&["[4]", "[1,2]"]));
    let view = LargeListViewArray::new(
        item(),
        vec![3_i64, 2, 0].into(),
        vec![1_i64, 1, 1].into(),
        items(),
        Some(NullBuffer::from(vec![true, false, true])),
    );
    check(view, "list(int)", Ok(vec![Some("[4]"), None, Some("[1]")]));
    check(StringArray::from(vec!["[1]"]), "list(int)", Err((0, "does not become list(int64)")));
    let nested = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![]), None]);
    check(nested, "list(double)", Ok(vec![Some("[]"), None]));
}

#[test]
fn structs_by_name() {
    let fields = vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![1, 2, 3])),
        Arc::new(StringArray::from(vec!["7", "bad", "9"])),
    ];
    let whole = StructArray::new(fields.clone().into(), columns.clone(), None);
    let masked = StructArray::new(fields.into(), columns, Some(NullBuffer::from(vec![true, false, true])));
    let member = |name: &str, kind: ValueType| (name.to_string(), kind);
    let target = ValueType::Struct(vec![
        member("c", ValueType::Bool),
        member("b", ValueType::INT64),
        member("a", ValueType::INT64),
    ]);
    check_type(
        Arc::new(masked),
        &target,
        Ok(vec![Some(r#"{"c":null,"b":7,"a":1}"#), None, Some(r#"{"c":null,"b":9,"a":3}"#)]),
    );
    check_type(Arc::new(whole.slice(2, 1)), &target, all(&[r#"{"c":null,"b":9,"a":3}"#]));
    check_type(Arc::new(whole), &target, Err((1, "`bad` in member b is not an integer")));
    check_type(Arc::new(Int32Array::from(vec![1])), &target, Err((0, "does not become struct(")));
}

#[test]
fn maps_of_any_field_names() {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    builder.keys().append_value("a");
    builder.values().append_value(1);
    builder.append(true).expect("an entry");
    builder.append(false).expect("a NULL");
    builder.keys().append_value("b");
    builder.values().append_null();
    builder.append(true).expect("an entry");
    let map = builder.finish();
    check(map.slice(1, 2), "map(text, double)", Ok(vec![None, Some(r#"{"b":null}"#)]));
    check(map, "map(int, int)", Err((0, "`a` is not an integer")));
}
