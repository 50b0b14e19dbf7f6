//! What texts are guessed to be, one by one and merged.

use super::*;

fn guess(values: &[&str]) -> Guess {
    let mut guess = Guess::default();
    values.iter().for_each(|value| guess.observe(value));
    guess
}

#[test]
fn the_narrowest_type_that_fits_every_value() {
    let check = |values: &[&str], want: &str| assert_eq!(guess(values).result().to_string(), want, "{values:?}");
    check(&[], "null");
    check(&["true", "FALSE", "True"], "bool");
    check(&["t"], "text");
    check(&["true", "1"], "text");
    check(&["0", "-1", "42"], "int64");
    check(&["1e3", "1000"], "int64");
    check(&["9223372036854775807", "-9223372036854775808"], "int64");
    check(&["9223372036854775808"], "decimal(19,0)");
    check(&["41000000000000000000000000000000017"], "decimal(35,0)");
    check(&[&"9".repeat(76)], "decimal(76,0)");
    check(&[&"9".repeat(77)], "text");
    check(&["007"], "text");
    check(&["1", "007"], "text");
    check(&["00.5"], "text");
    check(&["-01"], "text");
    check(&["+1"], "text");
    check(&["1,234"], "text");
    check(&["1 234"], "text");
    check(&[" 1"], "text");
    check(&["1 "], "text");
    check(&[""], "text");
    check(&["5."], "text");
    check(&["0.5", "0"], "decimal(1,1)");
    check(&[".5"], "decimal(1,1)");
    check(&["1.10", "1.1", "1e3"], "decimal(6,2)");
    check(&["1", "2.75"], "decimal(3,2)");
    check(&["0.0"], "decimal(1,1)");
    check(&["1e-70", "1e5"], "decimal(76,70)");
    check(&["1e-80", "0.1"], "double");
    check(&["1e-80", "9007199254740993"], "text");
    check(&["1e400"], "text");
    check(&["NaN", "1"], "double");
    check(&["inf", "-Infinity", "nan", "1.5"], "double");
    check(&["NaN", "9007199254740993"], "text");
    check(&["NaN"], "text");
    check(&["inf", "-inf"], "text");
    check(&["2026-02-28", "0001-01-01", "9999-12-31"], "date");
    check(&["2026-02-29"], "text");
    check(&["20260228"], "int64");
    check(&["2026-02-28", "1"], "text");
    check(&["2026-02-28", "2026-02-28T00:00:00"], "timestamp(s)");
    check(&["2026-02-28 12:00:00"], "timestamp(s)");
    check(&["2026-02-28 12:00:00", "2026-02-28T12:00:00.1"], "timestamp(ms)");
    check(&["2026-02-28T12:00:00.1234"], "timestamp(us)");
    check(&["2026-02-28T12:00:00.1234567"], "timestamp(ns)");
    check(&["2026-02-28T12:00:00Z", "2026-02-28T12:00:00+03:00"], "timestamp(s, UTC)");
    check(&["2026-02-28T12:00:00Z", "2026-02-28T12:00:00"], "timestamp(s, UTC)");
    check(&["2026-02-28T12:00:00Z", "2026-02-28"], "text");
    check(&["9999-12-31T00:00:00", "2026-02-28T12:00:00.1234567"], "text");
    check(&["9999-12-31", "2026-02-28T12:00:00.1234567"], "text");
    check(&["9999-12-31T00:00:00", "2026-02-28T12:00:00.123456"], "timestamp(us)");
}

#[test]
fn beside_integers_of_mixed_files_any_number_is_read() {
    let known = ValueType::Mixed(Box::new(ValueType::INT64));
    assert!(Guess::is_asked_beside(&known));
    for (values, want) in [
        (&["18446744073709551615", "-1"][..], "decimal(20,0)"),
        (&["2.5"], "decimal(21,1)"),
        (&["n/a"], "mixed(int64)"),
    ] {
        assert_eq!(guess(values).beside(&known).to_string(), want, "{values:?}");
    }
}

#[test]
fn beside_a_known_type_the_kind_is_taken_as_wide_as_the_values_need() {
    let check = |known: &str, values: &[&str], want: &str| {
        let known = ValueType::parse(known).expect(known);
        let found = guess(values).beside(&known);
        assert_eq!(found.to_string(), want, "{values:?} beside {known}");
        if found != known {
            let texts = arrow_array::StringArray::from(values.to_vec());
            let read = crate::value::parse_into(&texts, &found);
            assert!(read.is_ok(), "{values:?} as {found}: {read:?}");
        }
    };
    check("int32", &[], "int32");
    check("int32", &["2147483647", "-2147483648", "3.0", "007"], "int32");
    check("int32", &["2147483648"], "int64");
    check("uint8", &["255"], "uint8");
    check("uint8", &["-1"], "int64");
    check("int8", &["128"], "int64");
    check("uint64", &["18446744073709551615"], "uint64");
    check("int64", &["18446744073709551615"], "uint64");
    check("int64", &["18446744073709551615", "-1"], "decimal(20,0)");
    check("int64", &["1.5"], "decimal(2,1)");
    check("int64", &["1", "NaN"], "double");
    check("int64", &["1", "n/a"], "int64");
    check("decimal(10,2)", &["1.5", "1.500"], "decimal(10,2)");
    check("decimal(10,2)", &["1.234"], "decimal(11,3)");
    check("decimal(4,2)", &["12345"], "decimal(7,2)");
    check("decimal(4,2)", &["NaN"], "decimal(4,2)");
    check("double", &["0.1", "7"], "double");
    check("double", &["9007199254740993"], "int64");
    check("float", &["0.1"], "float32");
    check("bool", &["1"], "bool");
    check("text", &["1"], "text");
    check("date", &["2026-01-01"], "date");
    check("date", &["2026-01-01", "2026-01-01T10:00:00"], "timestamp(s)");
    check("date", &["2026-01-01", "x"], "date");
    check("date", &["2026-01-01", "2026-01-01T10:00:00Z"], "timestamp(s, UTC)");
    check("timestamp(us)", &["2026-01-01T00:00:00.5"], "timestamp(us)");
    check("timestamp(ms)", &["2026-01-01T00:00:00.500000"], "timestamp(ms)");
    check("timestamp(ms)", &["2026-01-01T00:00:00.000001"], "timestamp(us)");
    check("timestamp(ns)", &["9999-12-31T00:00:00"], "timestamp(us)");
    check("timestamp(us, UTC)", &["2026-01-01T00:00:00"], "timestamp(us)");
    check("timestamp(us)", &["2026-01-01T00:00:00Z"], "timestamp(us, UTC)");
    check("timestamp(us)", &["2026-01-01"], "timestamp(us)");
}

#[test]
fn plain_values_are_taken_in_as_any_are() {
    let mut plain = 0;
    for text in [
        "0",
        "-0",
        "7",
        "-12",
        "1.50",
        "-0.05",
        "0.00",
        "3.0",
        "12.34",
        "123456789012345",
        "1234567890123456",
        "007",
        "+1",
        "5.",
        ".5",
        "1e3",
        "x",
        "",
        "2026-01-28",
        "2026-01-29",
        "2026-02-30",
        "2026-13-01",
        "2026-00-10",
        "1999-12-00",
        "1677-01-01",
        "9999-12-28",
        "2026-1-001",
    ] {
        let (mut any, mut fast) = (Guess::default(), Guess::default());
        any.observe_any(text);
        if fast.observe_plain_number(text.as_bytes()) || fast.observe_plain_day(text.as_bytes()) {
            plain += 1;
            assert_eq!(fast, any, "{text}");
        } else {
            assert_eq!(fast, Guess::default(), "{text}");
        }
    }
    assert_eq!(plain, 11);
}

/// A small generator of pseudo-random numbers, so that a failure can be had again.
fn next(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn neither_order_nor_grouping_matters_and_every_value_fits() {
    const VALUES: [&str; 22] = [
        "0",
        "-7",
        "1.10",
        "1e3",
        "9223372036854775808",
        "9007199254740993",
        "1e-80",
        "1e400",
        "NaN",
        "-inf",
        "true",
        "False",
        "007",
        "x",
        "",
        "2026-01-01",
        "9999-12-31",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00.123",
        "2026-01-01T00:00:00.1234567Z",
        "2026-01-01 00:00:00.1234567",
        "0001-01-01T00:00:00Z",
    ];
    for seed in 0..2000_u64 {
        let mut state = seed;
        // A few kinds of value at a time: with all of them, everything is text.
        let kinds = 1 + next(&mut state) % 4;
        let pool: Vec<&str> = (0..kinds).map(|_| VALUES[next(&mut state) % VALUES.len()]).collect();
        let mut values: Vec<&str> = (0..next(&mut state) % 9).map(|_| pool[next(&mut state) % pool.len()]).collect();
        let whole = guess(&values);
        for i in (1..values.len()).rev() {
            values.swap(i, next(&mut state) % (i + 1));
        }
        let (a, rest) = values.split_at(next(&mut state) % (values.len() + 1));
        let (b, c) = rest.split_at(next(&mut state) % (rest.len() + 1));
        let merged = |parts: [Guess; 2]| {
            let mut sum = parts[0];
            sum.merge(&parts[1]);
            sum
        };
        let left = merged([merged([guess(a), guess(b)]), guess(c)]);
        let right = merged([guess(a), merged([guess(b), guess(c)])]);
        let swapped = merged([guess(c), merged([guess(b), guess(a)])]);
        assert_eq!((left, right, swapped), (whole, whole, whole), "seed {seed}: {values:?}");
        let texts = arrow_array::StringArray::from(values.clone());
        let read = crate::value::parse_into(&texts, &whole.result());
        assert!(read.is_ok(), "seed {seed}: {values:?} as {}: {read:?}", whole.result());
    }
}
