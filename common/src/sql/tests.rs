//! Expressions as specs write them: what they answer, and what is refused.

use super::*;
use arrow_array::{Float64Array, Int64Array, StringArray};

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
    assert!(error.message.contains("no column `p.q`"), "{}", error.message);
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
            error.message.starts_with("where: ") && error.message.contains(mention),
            "{text}: {}",
            error.message
        );
    }
}
