//! Expressions as specs write them: what they answer, and what is refused.

use super::*;
use arrow_array::types::Int64Type;
use arrow_array::{
    Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray, StructArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow_buffer::NullBuffer;
use shadowdiff_core::error::Kind;

fn columns() -> (Vec<SqlColumn>, Vec<ArrayRef>) {
    let column = |name: &str, data_type| SqlColumn {
        qualifier: None,
        name: name.into(),
        data_type,
    };
    let schema = vec![
        column("Amount", DataType::Float64),
        column("plan", DataType::Utf8),
        column("n", DataType::Int64),
    ];
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![-0.0, 2.5, f64::NAN])),
        Arc::new(StringArray::from(vec![Some("trial"), None, Some("paid")])),
        Arc::new(Int64Array::from(vec![1, 2, 3])),
    ];
    (schema, arrays)
}

fn truth(text: &str) -> Vec<bool> {
    let (schema, arrays) = columns();
    let planned = Sql::default().plan_condition("where", text, &schema).expect("plans");
    planned.is_true(&arrays, 3).expect("evaluates").iter().collect()
}

#[test]
fn conditions_over_one_row() {
    for (text, expected) in [
        ("Amount > 1.0", [false, true, true]),
        ("\"Amount\" = 0", [true, false, false]),
        ("plan = 'trial'", [true, false, false]),
        ("plan IS NULL OR n = 3", [false, true, true]),
        ("LEVENSHTEIN(plan, 'trail') <= 2", [true, false, false]),
        ("n IN (1, 3) AND Amount >= 0", [true, false, true]),
        ("NULL", [false, false, false]),
        ("coalesce(plan, 'none') <> 'trial'", [false, true, true]),
        ("nvl2(plan, n, 7) = 7 OR nvl(plan, 'x') = 'x'", [false, true, false]),
        ("arrow_cast(n, 'Utf8') = '3'", [false, false, true]),
    ] {
        assert_eq!(truth(text), expected, "{text}");
    }
}

#[test]
fn integers_that_do_not_fit_are_an_error_and_rows_not_asked_about_raise_none() {
    let schema = [SqlColumn {
        qualifier: None,
        name: "a".into(),
        data_type: DataType::Int64,
    }];
    let arrays: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![1, i64::MAX, 0]))];
    let times = Sql::default().plan_condition("where", "a * 4 > 0", &schema).expect("plans");
    assert!(times.is_true(&arrays, 3).is_err());
    let asked = BooleanBuffer::from(vec![true, false, true]);
    assert_eq!(
        times.is_true_where(&asked, &arrays).expect("fits"),
        BooleanBuffer::from(vec![true, false, false])
    );
}

#[test]
fn columns_called_like_the_cell_are_told_apart() {
    let column = |qualifier, name: &str| SqlColumn {
        qualifier,
        name: name.into(),
        data_type: DataType::Int64,
    };
    let schema = vec![
        column(None, "live"),
        column(None, "shadow"),
        column(Some("live_row"), "live"),
        column(Some("live_row"), "p.x"),
    ];
    let arrays: Vec<ArrayRef> = [1, 2, 3, 4].map(|v| Arc::new(Int64Array::from(vec![v])) as ArrayRef).to_vec();
    for text in [
        "shadow > live",
        "live_row.live = 3",
        "live_row.p.x = 4 AND live = 1",
        "\"live_row\".\"live\" > shadow",
    ] {
        let planned = Sql::default().plan_condition("where", text, &schema).expect(text);
        assert!(planned.is_true(&arrays, 1).expect("evaluates").value(0), "{text}");
    }
}

#[test]
fn members_of_structs_are_read_by_dots_or_brackets_and_null_under_a_null_struct() {
    let fields: Vec<Field> = vec![Field::new("x", DataType::Float64, true), Field::new("y z", DataType::Int64, true)];
    let inner: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![-0.0, 7.0])),
        Arc::new(Int64Array::from(vec![Some(1), Some(2)])),
    ];
    // The second struct is NULL, though values lie beneath.
    let whole = StructArray::new(fields.into(), inner, Some(NullBuffer::from(vec![true, false])));
    let column = |qualifier| SqlColumn {
        qualifier,
        name: "p".into(),
        data_type: whole.data_type().clone(),
    };
    for (qualifier, texts) in [
        (
            Some("live_row"),
            [
                "live_row.p.x = 0",
                "live_row.p['x'] = 0",
                "\"live_row\".p.\"y z\" = 1",
                "NOT live_row.p.x > 3",
            ],
        ),
        (None, ["p.x = 0", "p['x'] = 0", "p.\"y z\" = 1", "p.x IS NOT NULL"]),
    ] {
        for text in texts {
            let planned = Sql::default().plan_condition("where", text, &[column(qualifier)]).expect(text);
            let answers = planned.is_true(&[Arc::new(whole.clone())], 2).expect("evaluates");
            assert_eq!(answers, BooleanBuffer::from(vec![true, false]), "{text}");
        }
    }
    let error = Sql::default()
        .plan_condition("where", "p.q > 1", &[column(None)])
        .expect_err("no member");
    assert!(error.to_string().contains("no column `p.q`"), "{}", error);
}

#[test]
fn names_are_told_from_texts_and_functions() {
    let names = Sql::default().names("live_row.\"a\"\"b\" = 'c' AND upper(d) LIKE e || '%' AND f.g['h'] IN (1, i)");
    for name in ["live_row.a\"b", "d", "e", "f.g", "i"] {
        assert!(names.iter().any(|parts| parts.join(".") == name), "{name}: {names:?}");
    }
    for word in ["c", "upper", "h"] {
        assert!(names.iter().all(|parts| !parts.iter().any(|p| p == word)), "{word}: {names:?}");
    }
}

#[test]
fn what_is_refused_says_why() {
    for (text, mention) in [
        ("amount > 1", "no column `amount`; did you mean `Amount`"),
        ("n + 1", "condition"),
        ("sum(n) > 1", "more than one row"),
        ("random() > 0.5", "another answer"),
        ("now() > '2026-01-01'", "another answer"),
        ("(SELECT 1) = 1", ""),
        ("n >", ""),
    ] {
        let error = Sql::default().plan_condition("where", text, &columns().0).expect_err(text);
        assert!(
            error.to_string().starts_with("where: ") && error.to_string().contains(mention),
            "{text}: {}",
            error
        );
    }
}

/// Rows of `zero` 0.0, 0.0, 2.0 and `n` 0, the least integer, 3.
fn edges() -> (Vec<SqlColumn>, Vec<ArrayRef>) {
    let schema = vec![column("zero", DataType::Float64), column("n", DataType::Int64)];
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![0.0, -0.0, 2.0])),
        Arc::new(Int64Array::from(vec![0, i64::MIN, 3])),
    ];
    (schema, arrays)
}

#[test]
fn computed_nan_sorts_above_all_numbers_and_there_is_no_minus_zero() {
    for (text, expected) in [
        ("zero / zero > 0.5", [true, true, true]),
        ("zero / zero > 1", [true, true, false]),
        ("-(zero / zero) > 1e300", [true, true, false]),
        ("zero / zero = CAST('NaN' AS DOUBLE)", [true, true, false]),
        ("zero / zero IN (CAST('NaN' AS DOUBLE), 7)", [true, true, false]),
        ("zero / zero BETWEEN 0 AND 1", [false, false, true]),
        ("greatest(zero / zero, 9.0) > 9", [true, true, false]),
        ("least(zero / zero, 9.0) = 9", [true, true, false]),
        ("nullif(-(zero / zero), CAST('NaN' AS DOUBLE)) IS NULL", [true, true, false]),
        (
            "CASE zero / zero WHEN 1.0 THEN 0.0 ELSE -(zero / zero) END > 5",
            [true, true, false],
        ),
        ("[zero / zero, 1.0][1] > 5", [true, true, false]),
        ("array_max([zero / zero, 1.0]) > 5", [true, true, false]),
        ("array_sort([zero / zero, 1.0])[2] > 5", [true, true, false]),
        ("named_struct('x', -(zero / zero))['x'] > 5", [true, true, false]),
        ("ln(zero) * 0 > 5", [true, true, false]),
        ("CAST(zero / zero AS FLOAT) > 5", [true, true, false]),
        ("zero * -1 = 0", [true, true, false]),
        ("-zero = -0.0", [true, true, false]),
        ("CAST(-zero AS VARCHAR) = '0.0'", [true, true, false]),
        ("nullif(zero, -0.0) IS NULL", [true, true, false]),
        ("zero IN (-0.0, 5)", [true, true, false]),
    ] {
        let (schema, arrays) = edges();
        let planned = Sql::default().plan_condition("where", text, &schema).expect(text);
        let answers: Vec<bool> = planned.is_true(&arrays, 3).expect(text).iter().collect();
        assert_eq!(answers, expected, "{text}");
    }
}

#[test]
fn a_sign_that_cannot_be_turned_is_an_error() {
    for text in ["-n > 0", "abs(n) > 0", "n - 1 < 0", "n * -1 > 0", "n / -1 > 0"] {
        let (schema, arrays) = edges();
        let planned = Sql::default().plan_condition("where", text, &schema).expect(text);
        assert!(planned.is_true(&arrays, 3).is_err(), "{text}");
        let first = BooleanBuffer::from(vec![true, false, true]);
        assert!(planned.is_true_where(&first, &arrays).is_ok(), "{text}");
    }
}

#[test]
fn whether_a_row_fails_depends_on_that_row_alone() {
    for (text, expected) in [
        ("n <> 0 AND 10 / n >= 3", [false, false, true]),
        ("NOT (n = 0 OR 10 / n < 3)", [false, false, true]),
        ("n > 0 AND zero > 1 AND 10 / n >= 3 OR n = 0", [true, false, true]),
        ("n <> 0 AND NULL AND 10 / n > 0 OR n > 2", [false, false, true]),
        ("CASE WHEN n = 0 THEN true ELSE 10 / n >= 3 END", [true, false, true]),
        ("coalesce(nullif(n, 0) IS NULL, false) OR 10 / n >= 3", [true, false, true]),
    ] {
        let (schema, arrays) = edges();
        let planned = Sql::default().plan_condition("where", text, &schema).expect(text);
        let answers: Vec<bool> = planned.is_true(&arrays, 3).expect(text).iter().collect();
        assert_eq!(answers, expected, "{text}");
    }
    let (schema, arrays) = edges();
    let planned = Sql::default().plan_condition("where", "1 / 0 > n", &schema).expect("plans");
    assert!(planned.is_true(&arrays, 3).is_err());
    let none = BooleanBuffer::new_unset(3);
    assert_eq!(planned.is_true_where(&none, &arrays).expect("no row asks"), none);
}

fn column(name: &str, data_type: DataType) -> SqlColumn {
    SqlColumn {
        qualifier: None,
        name: name.into(),
        data_type,
    }
}

/// Checks conditions over three rows of `columns`.
fn check(columns: &[(&str, ArrayRef)], texts: &[(&str, [bool; 3])]) {
    let schema: Vec<SqlColumn> = columns
        .iter()
        .map(|(name, array)| column(name, array.data_type().clone()))
        .collect();
    let arrays: Vec<ArrayRef> = columns.iter().map(|(_, array)| Arc::clone(array)).collect();
    for (text, expected) in texts {
        let planned = Sql::default().plan_condition("where", text, &schema).expect(text);
        let answers: Vec<bool> = planned.is_true(&arrays, 3).expect(text).iter().collect();
        assert_eq!(answers, expected, "{text}");
    }
}

const DAY_US: i64 = 86_400_000_000;
/// 9999-12-31 and 2025-01-01 in days.
const LAST_DAY: i64 = 2_932_896;
const NEW_YEAR: i64 = 20_089;

#[test]
fn times_of_all_years_compare_by_value_in_all_units() {
    let us = vec![Some(LAST_DAY * DAY_US), Some(NEW_YEAR * DAY_US), None];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("us", Arc::new(TimestampMicrosecondArray::from(us.clone()))),
        ("utc", Arc::new(TimestampMicrosecondArray::from(us).with_timezone("UTC"))),
        (
            "ns",
            Arc::new(TimestampNanosecondArray::from(vec![0, NEW_YEAR * DAY_US * 1_000, 1])),
        ),
        ("d", Arc::new(Date32Array::from(vec![LAST_DAY as i32, NEW_YEAR as i32, -719_162]))),
        (
            "t",
            Arc::new(StringArray::from(vec!["9999-12-31", "2025-01-01T01:00:00+01:00", "0001-01-01"])),
        ),
    ];
    check(
        &columns,
        &[
            ("us > '2025-01-01'", [true, false, false]),
            ("us > TIMESTAMP '2025-01-01'", [true, false, false]),
            ("us > DATE '2025-01-01'", [true, false, false]),
            ("us >= DATE '2025-01-01'", [true, true, false]),
            ("DATE '2025-01-01' < us", [true, false, false]),
            ("us = TIMESTAMP '9999-12-31'", [true, false, false]),
            ("utc < TIMESTAMP '9999-12-31 00:00:00Z'", [false, true, false]),
            ("utc = '2025-01-01T01:00:00+01:00'", [false, true, false]),
            ("us < '2025-01-01T00:00:00.000000001'", [false, true, false]),
            ("us = '2025-01-01T00:00:00.000000001'", [false, false, false]),
            ("us > ns", [true, false, false]),
            ("us = ns", [false, true, false]),
            ("ns < TIMESTAMP '9999-12-31'", [true, true, true]),
            ("us = d AND d = utc", [true, true, false]),
            ("d < '9999-12-31'", [false, true, true]),
            ("d = TIMESTAMP '0001-01-01'", [false, false, true]),
            ("t = d AND CAST(t AS TIMESTAMP) = d", [true, true, true]),
            ("CAST(us AS TIMESTAMP) > TIMESTAMP '2025-01-01'", [true, false, false]),
            ("us BETWEEN '2025-01-01' AND '9999-12-30'", [false, true, false]),
            ("us NOT BETWEEN '2025-01-01' AND '9999-12-30'", [true, false, false]),
            (
                "us IN ('9999-12-31', DATE '2024-01-01', '2025-01-01T00:00:00.000000001')",
                [true, false, false],
            ),
            ("us NOT IN ('2024-01-01T00:00:00.000000001')", [true, true, false]),
            ("us NOT IN ('2024-01-01', NULL)", [false, false, false]),
            ("us IN (ns, d)", [true, true, false]),
            ("CASE us WHEN '9999-12-31' THEN 1 ELSE 2 END = 1", [true, false, false]),
            ("CASE WHEN us = d THEN d ELSE us END = d", [true, true, false]),
            ("nullif(us, TIMESTAMP '9999-12-31') IS NULL", [true, false, true]),
            ("coalesce(us, TIMESTAMP '9999-12-31') > TIMESTAMP '2025-01-01'", [true, false, true]),
            ("coalesce(us, d) < DATE '2025-01-01'", [false, false, true]),
            ("greatest(us, DATE '2025-06-01') = us", [true, false, false]),
            ("least(us, TIMESTAMP '2025-06-01') = us", [false, true, false]),
            ("us IS DISTINCT FROM DATE '9999-12-31'", [false, true, true]),
            ("us - TIMESTAMP '2025-01-01' = us - us", [false, true, false]),
            ("date_part('year', us - INTERVAL '1 day') = 9999", [true, false, false]),
            ("us IS NOT DISTINCT FROM d", [true, true, false]),
        ],
    );
    let schema = vec![column("us", DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, None))];
    let error = Sql::default().plan_condition("where", "us > 'soon'", &schema).expect_err("no time");
    assert!(error.to_string().contains("`soon` is not a time"), "{}", error);
    // What the engine makes NULL of for want of room is an error, and no row is left out without a word.
    let text = "date_bin(INTERVAL '1 day', us) > '2025-01-01'";
    let binned = Sql::default().plan_condition("where", text, &schema).expect("plans");
    let error = binned
        .is_true(&[Arc::clone(&columns[0].1)], 3)
        .expect_err("no nanoseconds for 9999");
    assert!(error.to_string().contains("has no answer"), "{}", error);
    let rest = BooleanBuffer::from(vec![false, true, true]);
    assert!(binned.is_true_where(&rest, &[Arc::clone(&columns[0].1)]).is_ok());
}

#[test]
fn decimals_of_any_width_compare_by_value() {
    let decimal = |values: Vec<i128>, scale| Decimal128Array::from(values).with_precision_and_scale(38, scale).expect("fits");
    let max = 10i128.pow(38) - 1;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("v", Arc::new(decimal(vec![max, -1, 0], 0))),
        ("w", Arc::new(decimal(vec![max, -1, 0], 38))),
        ("n", Arc::new(Int64Array::from(vec![i64::MAX, -1, 0]))),
        ("f", Arc::new(Float64Array::from(vec![f64::NAN, -1.0, 0.1]))),
        ("t", Arc::new(StringArray::from(vec!["1e37", "-1.0", "0.5"]))),
    ];
    check(
        &columns,
        &[
            ("v > -0.01", [true, false, true]),
            ("v > 0.5", [true, false, false]),
            ("v = 99999999999999999999999999999999999999", [true, false, false]),
            ("v < 99999999999999999999999999999999999999.5", [true, true, true]),
            ("v > 99999999999999999999999999999999999998.5", [true, false, false]),
            ("v >= 1e38", [false, false, false]),
            ("w < 1", [true, true, true]),
            ("w >= 0.99999999999999999999999999999999999999", [true, false, false]),
            ("v > w", [true, false, false]),
            ("v = n", [false, true, true]),
            ("w < n", [true, false, false]),
            ("v < f", [true, false, true]),
            ("v > t", [true, false, false]),
            ("w = '-0.00000000000000000000000000000000000001'", [false, true, false]),
            ("v BETWEEN -1.5 AND 0.5", [false, true, true]),
            ("v IN (-1.0, 0.5, '0')", [false, true, true]),
            ("v NOT IN (0.5)", [true, true, true]),
            ("CASE v WHEN -1.0 THEN true ELSE v < 0.5 END", [false, true, true]),
            ("nullif(v, -1.0) IS NULL", [false, true, false]),
            ("coalesce(v, 0.01) = v AND coalesce(NULL, v, 7) = v", [true, true, true]),
            ("greatest(v, 0.5) > 0", [true, true, true]),
            ("n > 0.5", [true, false, false]),
            ("f > 0.5", [true, false, false]),
        ],
    );
}

#[test]
fn long_conditions_and_sums_are_evaluated_on_a_stack_that_is_large_enough() {
    let or: Vec<String> = (0..5_000).map(|i| format!("n = {i}")).collect();
    let nested = format!("{}n = 1{}", "(".repeat(200), ")".repeat(200));
    let sum = vec!["n"; 900].join(" + ");
    for (text, expected) in [
        (or.join(" OR "), [true, true, true]),
        (format!("NOT ({})", or.join(" OR ")), [false, false, false]),
        (format!("{sum} > 1000"), [false, true, true]),
        (
            format!("n IN ({})", (2..20_000).map(|i| i.to_string()).collect::<Vec<_>>().join(", ")),
            [false, true, true],
        ),
        (nested, [true, false, false]),
    ] {
        assert_eq!(truth(&text), expected, "{}", &text[..40]);
    }
    for text in [
        format!("{} > 1", vec!["n"; 2_000].join(" + ")),
        format!("{}n = 1{}", "(".repeat(2_000), ")".repeat(2_000)),
        format!("{}n", "(".repeat(200_000)),
        format!("{}n > 0", "- ".repeat(100_000)),
        format!("n{}", "[1]".repeat(100_000)),
        format!("n{}", " BETWEEN 1 AND 2".repeat(50_000)),
        format!("n{}", " IN (1)".repeat(50_000)),
        format!("n{}", "::bigint".repeat(50_000)),
        format!("{}n", "NOT ".repeat(50_000)),
        format!("n = 1{}", " OR n = 1".repeat(200_000)),
    ] {
        let error = Sql::default().plan_condition("where", &text, &columns().0).expect_err("too much");
        assert!(
            error.to_string().contains("more than"),
            "{}",
            error.to_string().split('`').next_back().unwrap_or_default()
        );
    }
}

#[test]
fn a_plain_copy_is_known_as_one() {
    let parts = DataType::Struct(vec![Field::new("x", DataType::Int64, true)].into());
    let schema = [column("p", parts), column("p.y", DataType::Int64)];
    for (text, copies) in [
        ("(p)", Some((0, vec![]))),
        ("p.x", Some((0, vec!["x".to_owned()]))),
        ("p.y", Some((1, vec![]))),
        ("p.y + 0", None),
        ("coalesce(p.y, 1)", None),
    ] {
        assert_eq!(Sql::default().plan("derive", text, &schema).expect(text).copies, copies, "{text}");
    }
}

#[test]
fn what_makes_too_much_is_refused_by_its_field() {
    let schema = [column("note", DataType::Utf8), column("n", DataType::Int64)];
    let notes: ArrayRef = Arc::new(StringArray::from(vec!["some text"; 1_000]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![3; 1_000]));
    for text in [
        "repeat(note, 100000000)",
        "length(repeat(note, 100000000))",
        "lpad(note, 1000000000)",
        "repeat(repeat(note, 10000), 10000)",
        "array_length(range(0, 1000000000 + n))",
        "array_repeat(note, 9223372036854775807)",
        "array_resize([n], 1000000000, 1)",
        "CASE WHEN n > 0 THEN repeat(note, 100000000) ELSE note END",
        "repeat(note, 200000)",
    ] {
        let planned = Sql::default().plan("columns.derive.big", text, &schema).expect(text);
        let error = planned
            .evaluate(&[Arc::clone(&notes), Arc::clone(&numbers)], 1_000)
            .expect_err(text);
        assert_eq!(error.kind, Kind::Spec, "{text}: {error}");
        assert!(error.to_string().starts_with("columns.derive.big: "), "{error}");
        assert!(error.to_string().contains("bytes"), "{error}");
    }
}

#[test]
fn what_fits_for_some_rows_is_evaluated_in_pieces() {
    let schema = [column("note", DataType::Utf8)];
    let notes: Vec<String> = (0..3_000).map(|row| format!("{row:10}")).collect();
    let notes: ArrayRef = Arc::new(StringArray::from(notes));
    for (text, expected) in [("length(repeat(note, 20000))", 200_000), ("length(lpad(note, 30000, 'é'))", 30_000)] {
        let planned = Sql::default().plan("where", text, &schema).expect(text);
        let given = planned.evaluate(&[Arc::clone(&notes)], 3_000).expect(text);
        let given = arrow_cast::cast(&given, &DataType::Int64).expect("numbers");
        assert!(
            given.as_primitive::<Int64Type>().values().iter().all(|length| *length == expected),
            "{text}"
        );
    }
    let planned = Sql::default()
        .plan("where", "substr(repeat(note, 3000), 29991)", &schema)
        .expect("planned");
    let given = planned.evaluate(&[Arc::clone(&notes)], 3_000).expect("fits");
    assert_eq!(
        arrow_cast::cast(&given, &DataType::Utf8).expect("text").as_string::<i32>(),
        notes.as_string::<i32>()
    );
}
