//! Walks the table: a file of each type, and what the reader says of it; the table has every type there is; the page prints it.

use super::{Read, StoredType, TYPES, table};
use crate::read::avro::header;
use crate::read::dataset::Format;
use crate::read::schema;
use crate::read::testing::{Folder, sources};
use ::parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema, UnionFields, UnionMode};
use shadowdiff_core::value::ValueType;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_read_as_the_table_says() {
    let folder = Folder::new();
    let mut wrong = Vec::new();
    for row in TYPES {
        let file = folder.file(&format!("t.{}", row.format.extension()), &file_of(row)).await;
        let found = schema(row.format, &file, &sources())
            .await
            .unwrap_or_else(|e| panic!("{}: {e}", row.stored));
        let field = found.fields.iter().find(|field| field.name() == "v").expect("there is v");
        let is_refused = found.refused.contains_key("v");
        let read = ValueType::from_field(field).map(|read| read.to_string());
        let fits = match row.read {
            Read::As(want) => !is_refused && read.as_deref() == Ok(want),
            Read::Refused => is_refused,
        };
        if !fits {
            wrong.push(format!("{}: {read:?}, refused: {is_refused}", row.stored));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A file without rows whose column `v` is of the type.
fn file_of(row: &StoredType) -> Vec<u8> {
    match row.format {
        Format::Parquet => {
            let message = format!("message m {{ OPTIONAL {} }}", with_end(row.stored));
            let message = parse_message_type(&message).unwrap_or_else(|e| panic!("{message}: {e}"));
            let mut bytes = Vec::new();
            let writer = SerializedFileWriter::new(&mut bytes, Arc::new(message), Arc::default()).expect("a writer");
            writer.close().expect("closes");
            bytes
        }
        Format::Avro => {
            let schema = format!(
                r#"{{"type": "record", "name": "r", "fields": [{{"name": "v", "type": {}}}]}}"#,
                row.stored
            );
            header::with_schema([7; 16], None, &schema)
        }
        _ => {
            let schema = Schema::new(vec![Field::new("v", arrow_type(row.stored), true)]);
            let mut writer = FileWriter::try_new(Vec::new(), &schema).expect("a writer");
            writer.finish().expect("finishes");
            writer.into_inner().expect("is there")
        }
    }
}

/// A group ends in its brace, a leaf in a semicolon.
fn with_end(stored: &str) -> String {
    if stored.ends_with('}') {
        stored.to_owned()
    } else {
        format!("{stored};")
    }
}

fn arrow_type(stored: &str) -> DataType {
    let field = |name: &str, of: DataType| Arc::new(Field::new(name, of, true));
    let item = field("item", DataType::Int32);
    match stored {
        "List" => DataType::List(item),
        "LargeList" => DataType::LargeList(item),
        "FixedSizeList" => DataType::FixedSizeList(item, 2),
        "ListView" => DataType::ListView(item),
        "LargeListView" => DataType::LargeListView(item),
        "Struct" => DataType::Struct(vec![field("x", DataType::Int32)].into()),
        "Map" => {
            let key = Arc::new(Field::new("keys", DataType::Utf8, false));
            let pair = DataType::Struct(vec![key, field("values", DataType::Int32)].into());
            DataType::Map(Arc::new(Field::new("entries", pair, false)), false)
        }
        "RunEndEncoded" => DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            field("values", DataType::Int32),
        ),
        "Union" => {
            let branches = [(0, field("a", DataType::Int32)), (1, field("b", DataType::Utf8))];
            DataType::Union(branches.into_iter().collect::<UnionFields>(), UnionMode::Dense)
        }
        plain => plain.parse().unwrap_or_else(|e| panic!("{plain}: {e}")),
    }
}

#[test]
fn no_type_of_parquet_is_left_out() {
    let has = |name: &str| {
        let mut rows = TYPES.iter().filter(|row| row.format == Format::Parquet);
        assert!(rows.any(|row| row.stored.contains(name)), "{name}");
    };
    let physical = [
        PhysicalType::BOOLEAN,
        PhysicalType::INT32,
        PhysicalType::INT64,
        PhysicalType::INT96,
        PhysicalType::FLOAT,
        PhysicalType::DOUBLE,
        PhysicalType::BYTE_ARRAY,
        PhysicalType::FIXED_LEN_BYTE_ARRAY,
    ];
    physical.iter().for_each(|physical| has(&physical.to_string()));
    // By the numbers of the format, until one is not known.
    let converted = (0..).map_while(|number: i32| all_converted().into_iter().find(|c| *c as i32 == number));
    converted
        .filter(|c| *c != ConvertedType::MAP_KEY_VALUE)
        .for_each(|converted| has(&format!("({converted}").replace("(DECIMAL", "(DECIMAL(")));
    for logical in [
        "STRING",
        "MAP",
        "LIST",
        "ENUM",
        "DECIMAL(",
        "DATE",
        "TIME(",
        "TIMESTAMP(",
        "INTEGER(",
        "UNKNOWN",
        "JSON",
        "BSON",
        "UUID",
    ] {
        has(&format!("({logical}"));
    }
    for newer in ["FLOAT16", "VARIANT", "GEOMETRY", "GEOGRAPHY"] {
        has(&format!("({newer}"));
    }
    // One that the decoder gets to know fails to compile here until it has its line above.
    let known = |logical: &LogicalType| match logical {
        LogicalType::String | LogicalType::Map | LogicalType::List | LogicalType::Enum | LogicalType::Decimal(_) | LogicalType::Date => {
            true
        }
        LogicalType::Time(_) | LogicalType::Timestamp(_) | LogicalType::Integer(_) | LogicalType::Unknown | LogicalType::Json => true,
        LogicalType::Bson | LogicalType::Uuid | LogicalType::Float16 | LogicalType::Variant(_) => true,
        LogicalType::Geometry(_) | LogicalType::Geography(_) => true,
        LogicalType::_Unknown { .. } => false,
    };
    assert!(known(&LogicalType::Date));
}

fn all_converted() -> Vec<ConvertedType> {
    let names = [
        "UTF8",
        "MAP",
        "MAP_KEY_VALUE",
        "LIST",
        "ENUM",
        "DECIMAL",
        "DATE",
        "TIME_MILLIS",
        "TIME_MICROS",
        "TIMESTAMP_MILLIS",
        "TIMESTAMP_MICROS",
        "UINT_8",
        "UINT_16",
        "UINT_32",
        "UINT_64",
        "INT_8",
        "INT_16",
        "INT_32",
        "INT_64",
        "JSON",
        "BSON",
        "INTERVAL",
    ];
    names.iter().map(|name| name.parse().expect("is known")).collect()
}

#[test]
fn the_page_prints_the_table() {
    let page = include_str!("../../../../../docs/types.md");
    for format in [Format::Parquet, Format::Avro, Format::ArrowIpc] {
        let table = table(format);
        assert!(
            page.contains(&table),
            "docs/types.md should hold this table of {format:?}:\n{table}"
        );
    }
}
