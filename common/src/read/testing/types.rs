//! Every type that the typed formats have, and how it is read. `docs/types.md` prints this table, and a test walks it: it makes a
//! file of each type and holds what the reader says of it against its line.

use crate::read::dataset::Format;
use std::fmt::Write;

/// How one type of a format is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredType {
    pub(super) format: Format,
    /// As the format writes it: a column `v` of Parquet's schema language, a type of Avro's JSON, a type of Arrow.
    pub(super) stored: &'static str,
    pub(super) read: Read,
    /// What a person should know of it, or nothing.
    pub(super) note: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// As this type, as a spec writes it.
    As(&'static str),
    /// A column of this type is an error that names file and column, unless it is excluded.
    Refused,
}

const fn parquet(stored: &'static str, read: Read, note: &'static str) -> StoredType {
    let format = Format::Parquet;
    StoredType {
        format,
        stored,
        read,
        note,
    }
}

const fn avro(stored: &'static str, read: Read, note: &'static str) -> StoredType {
    let format = Format::Avro;
    StoredType {
        format,
        stored,
        read,
        note,
    }
}

const fn arrow(stored: &'static str, read: Read, note: &'static str) -> StoredType {
    let format = Format::ArrowIpc;
    StoredType {
        format,
        stored,
        read,
        note,
    }
}

use Read::{As, Refused};

/// In the order of the page.
pub(super) const TYPES: &[StoredType] = &[
    parquet("BOOLEAN v", As("bool"), ""),
    parquet("INT32 v", As("int32"), ""),
    parquet(
        "INT64 v",
        As("int64"),
        "`ARROW:schema` may make it a duration, a timestamp in seconds, a date",
    ),
    parquet(
        "INT96 v",
        As("timestamp(us)"),
        "naive; in nanoseconds where a value has finer digits",
    ),
    parquet("FLOAT v", As("float32"), ""),
    parquet("DOUBLE v", As("double"), ""),
    parquet("BYTE_ARRAY v", As("binary"), ""),
    parquet(
        "FIXED_LEN_BYTE_ARRAY(5) v",
        As("binary"),
        "an integer of 128 bits by `ARROW:schema` is refused",
    ),
    parquet(
        "INT32 v (INT_8)",
        As("int8"),
        "a value beyond the width is an error, here and below",
    ),
    parquet("INT32 v (INT_16)", As("int16"), ""),
    parquet("INT32 v (INT_32)", As("int32"), ""),
    parquet("INT64 v (INT_64)", As("int64"), ""),
    parquet("INT32 v (UINT_8)", As("uint8"), ""),
    parquet("INT32 v (UINT_16)", As("uint16"), ""),
    parquet("INT32 v (UINT_32)", As("uint32"), "the 32 bits without a sign"),
    parquet("INT64 v (UINT_64)", As("uint64"), "the 64 bits without a sign"),
    parquet("INT32 v (INTEGER(8,true))", As("int8"), ""),
    parquet("INT32 v (INTEGER(16,false))", As("uint16"), ""),
    parquet("INT64 v (INTEGER(64,false))", As("uint64"), ""),
    parquet(
        "INT32 v (DECIMAL(9,2))",
        As("decimal(9,2)"),
        "a value of more digits is an error, here and below",
    ),
    parquet("INT64 v (DECIMAL(18,2))", As("decimal(18,2)"), ""),
    parquet("BYTE_ARRAY v (DECIMAL(50,2))", As("decimal(50,2)"), "up to 76 digits"),
    parquet("FIXED_LEN_BYTE_ARRAY(16) v (DECIMAL(38,2))", As("decimal(38,2)"), ""),
    parquet("INT32 v (DATE)", As("date"), "files marked with Spark's legacy calendar: see below"),
    parquet("INT32 v (TIME_MILLIS)", As("time(ms)"), "from 00:00:00 to 24:00:00, here and below"),
    parquet("INT64 v (TIME_MICROS)", As("time(us)"), ""),
    parquet("INT64 v (TIME(NANOS,false))", As("time(ns)"), ""),
    parquet("INT64 v (TIMESTAMP_MILLIS)", As("timestamp(ms, UTC)"), ""),
    parquet("INT64 v (TIMESTAMP_MICROS)", As("timestamp(us, UTC)"), ""),
    parquet("INT64 v (TIMESTAMP(NANOS,true))", As("timestamp(ns, UTC)"), ""),
    parquet("INT64 v (TIMESTAMP(MICROS,false))", As("timestamp(us)"), ""),
    parquet(
        "FIXED_LEN_BYTE_ARRAY(12) v (INTERVAL)",
        As("interval"),
        "months, days and milliseconds, each compared",
    ),
    parquet(
        "BYTE_ARRAY v (UTF8)",
        As("text"),
        "bytes that are not UTF-8 are an error, here and below",
    ),
    parquet("BYTE_ARRAY v (STRING)", As("text"), ""),
    parquet("BYTE_ARRAY v (ENUM)", As("text"), ""),
    parquet("BYTE_ARRAY v (JSON)", As("text"), ""),
    parquet("BYTE_ARRAY v (BSON)", As("binary"), ""),
    parquet("FIXED_LEN_BYTE_ARRAY(16) v (UUID)", As("binary"), "16 bytes"),
    parquet("FIXED_LEN_BYTE_ARRAY(2) v (FLOAT16)", As("float16"), ""),
    parquet(
        "BYTE_ARRAY v (GEOMETRY)",
        As("binary"),
        "well-known binary; shapes are equal where their bytes are",
    ),
    parquet("BYTE_ARRAY v (GEOGRAPHY)", As("binary"), ""),
    parquet("INT32 v (UNKNOWN)", As("null"), "of any physical type; a value in it is an error"),
    parquet("group v { OPTIONAL INT32 x; }", As("struct(x: int32)"), ""),
    parquet(
        "group v (LIST) { REPEATED group list { OPTIONAL INT32 element; } }",
        As("list(int32)"),
        "and the older forms of lists",
    ),
    parquet(
        "group v (MAP) { REPEATED group key_value { REQUIRED BYTE_ARRAY key (UTF8); OPTIONAL INT32 value; } }",
        As("map(text, int32)"),
        "without values it is a list of its keys",
    ),
    parquet(
        "group v (VARIANT) { REQUIRED BYTE_ARRAY metadata; REQUIRED BYTE_ARRAY value; }",
        Refused,
        "its values may be of any type",
    ),
    avro(r#""null""#, As("null"), ""),
    avro(r#""boolean""#, As("bool"), ""),
    avro(r#""int""#, As("int32"), ""),
    avro(r#""long""#, As("int64"), ""),
    avro(r#""float""#, As("float32"), ""),
    avro(r#""double""#, As("double"), ""),
    avro(r#""bytes""#, As("binary"), ""),
    avro(r#""string""#, As("text"), ""),
    avro(r#"{"type": "fixed", "name": "F", "size": 5}"#, As("binary"), ""),
    avro(r#"{"type": "enum", "name": "E", "symbols": ["A"]}"#, As("text"), "the symbol"),
    avro(r#"{"type": "array", "items": "int"}"#, As("list(int32)"), ""),
    avro(r#"{"type": "map", "values": "int"}"#, As("map(text, int32)"), ""),
    avro(
        r#"{"type": "record", "name": "R", "fields": [{"name": "x", "type": "int"}]}"#,
        As("struct(x: int32)"),
        "one that contains itself is refused by name",
    ),
    avro(r#"["null", "int"]"#, As("int32"), "in either order"),
    avro(r#"["int"]"#, As("int32"), ""),
    avro(r#"["null", "int", "string"]"#, Refused, "a union of several types, at any depth"),
    avro(r#"{"type": "int", "logicalType": "date"}"#, As("date"), ""),
    avro(
        r#"{"type": "int", "logicalType": "time-millis"}"#,
        As("time(ms)"),
        "from 00:00:00 to 24:00:00",
    ),
    avro(r#"{"type": "long", "logicalType": "time-micros"}"#, As("time(us)"), ""),
    avro(
        r#"{"type": "long", "logicalType": "timestamp-millis"}"#,
        As("timestamp(ms, UTC)"),
        "",
    ),
    avro(
        r#"{"type": "long", "logicalType": "timestamp-micros"}"#,
        As("timestamp(us, UTC)"),
        "",
    ),
    avro(
        r#"{"type": "long", "logicalType": "timestamp-nanos"}"#,
        As("timestamp(ns, UTC)"),
        "",
    ),
    avro(
        r#"{"type": "long", "logicalType": "local-timestamp-millis"}"#,
        As("timestamp(ms)"),
        "",
    ),
    avro(
        r#"{"type": "long", "logicalType": "local-timestamp-micros"}"#,
        As("timestamp(us)"),
        "",
    ),
    avro(
        r#"{"type": "long", "logicalType": "local-timestamp-nanos"}"#,
        As("timestamp(ns)"),
        "",
    ),
    avro(
        r#"{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}"#,
        As("decimal(9,2)"),
        "a value of more digits is an error",
    ),
    avro(
        r#"{"type": "fixed", "name": "D", "size": 16, "logicalType": "decimal", "precision": 38, "scale": 2}"#,
        As("decimal(38,2)"),
        "",
    ),
    avro(
        r#"{"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}"#,
        As("interval"),
        "months, days and milliseconds",
    ),
    avro(r#"{"type": "string", "logicalType": "uuid"}"#, As("text"), "as it is written"),
    avro(
        r#"{"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}"#,
        As("binary"),
        "16 bytes",
    ),
    avro(
        r#"{"type": "bytes", "logicalType": "big-decimal"}"#,
        As("binary"),
        "any other logical type, and one that is not valid: what it is stored as",
    ),
    arrow("Null", As("null"), ""),
    arrow("Boolean", As("bool"), ""),
    arrow("Int8", As("int8"), ""),
    arrow("Int16", As("int16"), ""),
    arrow("Int32", As("int32"), ""),
    arrow("Int64", As("int64"), ""),
    arrow("UInt8", As("uint8"), ""),
    arrow("UInt16", As("uint16"), ""),
    arrow("UInt32", As("uint32"), ""),
    arrow("UInt64", As("uint64"), ""),
    arrow("Float16", As("float16"), ""),
    arrow("Float32", As("float32"), ""),
    arrow("Float64", As("double"), ""),
    arrow(
        "Decimal32(9, 2)",
        As("decimal(9,2)"),
        "a value of more digits is an error, here and below",
    ),
    arrow("Decimal64(18, 2)", As("decimal(18,2)"), ""),
    arrow("Decimal128(38, 2)", As("decimal(38,2)"), ""),
    arrow("Decimal256(76, 2)", As("decimal(76,2)"), ""),
    arrow("Utf8", As("text"), ""),
    arrow("LargeUtf8", As("text"), ""),
    arrow("Utf8View", As("text"), ""),
    arrow("Binary", As("binary"), ""),
    arrow("LargeBinary", As("binary"), ""),
    arrow("BinaryView", As("binary"), ""),
    arrow("FixedSizeBinary(5)", As("binary"), ""),
    arrow("Date32", As("date"), ""),
    arrow("Date64", As("date"), "a value that is not midnight is an error"),
    arrow("Time32(s)", As("time(s)"), "from 00:00:00 to 24:00:00, here and below"),
    arrow("Time32(ms)", As("time(ms)"), ""),
    arrow("Time64(µs)", As("time(us)"), ""),
    arrow("Time64(ns)", As("time(ns)"), ""),
    arrow("Timestamp(s)", As("timestamp(s)"), "in any unit"),
    arrow(
        "Timestamp(ns, \"Asia/Tokyo\")",
        As("timestamp(ns, UTC)"),
        "the instant; the zone is not compared",
    ),
    arrow("Duration(s)", As("duration(s)"), "in any unit"),
    arrow("Interval(YearMonth)", As("interval"), "months, days and nanoseconds, each compared"),
    arrow("Interval(DayTime)", As("interval"), ""),
    arrow("Interval(MonthDayNano)", As("interval"), ""),
    arrow("Dictionary(Int8, Utf8)", As("text"), "its values; batches may add to a dictionary"),
    arrow("List", As("list(int32)"), ""),
    arrow("LargeList", As("list(int32)"), ""),
    arrow("FixedSizeList", As("list(int32)"), ""),
    arrow("ListView", As("list(int32)"), ""),
    arrow("LargeListView", As("list(int32)"), ""),
    arrow("Struct", As("struct(x: int32)"), ""),
    arrow("Map", As("map(text, int32)"), ""),
    arrow("RunEndEncoded", As("int32"), "its values"),
    arrow("Union", Refused, ""),
];

/// The lines of one format as a table of a page.
pub(super) fn table(format: Format) -> String {
    let mut page = String::from("| stored as | read as | |\n|---|---|---|\n");
    for row in TYPES.iter().filter(|row| row.format == format) {
        let read = match row.read {
            As(read) => format!("`{read}`"),
            Refused => "refused by name".into(),
        };
        writeln!(page, "| `{}` | {read} | {} |", row.stored, row.note).expect("writing into a string does not fail");
    }
    page
}

mod tests;
