//! Writes a table as files: Parquet, Arrow IPC, CSV or JSON lines, in one file or several, in forms that must not matter.

use crate::cell::{Cell, Table, Type};
use crate::csv::line;
use crate::print::{json, print, quoted};
use crate::random::Random;
use crate::stored::{castable, narrower, stored};
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, DictionaryArray, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray, ListArray, MapArray, NullArray, RecordBatch, StringArray,
    StringViewArray, StructArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, i256};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{Field, Fields, Schema};
use num_traits::ToPrimitive;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// How a side is stored.
#[derive(Debug, Clone)]
pub struct Layout {
    format: Format,
    /// The type of each column in each file; `None` where the file leaves it out.
    files: Vec<Vec<Option<Type>>>,
    /// Columns that a cast turns into their own type.
    cast: Vec<bool>,
    /// The columns of all files but the first stand in reverse.
    turned: bool,
    row_group_rows: usize,
    /// By file, in turn.
    texts: Vec<TextForm>,
    /// Of timestamps that know their instant.
    zone: &'static str,
    compressed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    IpcFile,
    IpcStream,
    Csv,
    JsonLines,
}

#[derive(Debug, Clone, Copy)]
enum TextForm {
    Plain,
    Large,
    View,
    Dictionary,
}

impl Layout {
    /// One Parquet file.
    pub fn plain(table: &Table) -> Layout {
        Layout {
            format: Format::Parquet,
            files: vec![table.columns.iter().map(|(_, t)| Some(t.clone())).collect()],
            cast: vec![false; table.columns.len()],
            turned: false,
            row_group_rows: 1000,
            texts: vec![TextForm::Plain],
            zone: "UTC",
            compressed: false,
        }
    }

    /// One Parquet file of small row groups.
    pub fn small_groups(table: &Table, rows: usize) -> Layout {
        Layout {
            row_group_rows: rows,
            ..Layout::plain(table)
        }
    }

    /// Any layout that can hold the table.
    pub fn random(random: &mut Random, table: &Table) -> Layout {
        let is_scalar = |t: &Type| !matches!(t, Type::List(_)) && type_word(t).is_some();
        let fits_csv = table.columns.iter().all(|(_, t)| is_scalar(t));
        let fits_json = table.columns.iter().all(|(_, t)| type_word(t).is_some());
        let format = match random.below(12) {
            0..=3 if fits_csv => Format::Csv,
            4 | 5 if fits_json => Format::JsonLines,
            6 => Format::IpcFile,
            7 => Format::IpcStream,
            _ => Format::Parquet,
        };
        let (files, cast) = files(random, table);
        const TEXTS: [TextForm; 4] = [TextForm::Plain, TextForm::Large, TextForm::View, TextForm::Dictionary];
        Layout {
            format,
            files,
            cast,
            turned: random.percent(20),
            row_group_rows: *random.pick(&[3, 10, 1000]),
            texts: (0..1 + 2 * usize::from(random.percent(25))).map(|_| *random.pick(&TEXTS)).collect(),
            zone: random.pick::<&'static str>(&["UTC", "UTC", "+03:00"]),
            compressed: random.percent(30),
        }
    }

    /// What the spec has to say about the types; nothing where the files say it.
    pub fn schema(&self, table: &Table) -> Vec<(String, String)> {
        let named = table.columns.iter().zip(&self.cast).filter(|(_, cast)| match self.format {
            // No line may have the column, which then has to be declared.
            Format::JsonLines => true,
            Format::Csv => !**cast,
            Format::Parquet | Format::IpcFile | Format::IpcStream => false,
        });
        named.map(|(column, _)| with_word(column)).collect()
    }

    /// The casts that the spec needs, by the names in the files.
    pub fn casts(&self, table: &Table) -> Vec<(String, String)> {
        let cast = table.columns.iter().zip(&self.cast).filter(|(_, cast)| **cast);
        cast.map(|(column, _)| with_word(column)).collect()
    }

    /// The table as it is read: the fields of JSON lines have no order of their own and become columns by name.
    pub fn as_read(&self, table: &Table) -> Table {
        let mut places: Vec<usize> = (0..table.columns.len()).collect();
        if self.format == Format::JsonLines {
            places.sort_by(|a, b| table.columns[*a].0.cmp(&table.columns[*b].0));
        }
        table.with_columns(&places)
    }

    /// Writes the table into a new folder.
    ///
    /// # Panics
    /// Where the disk does not take it.
    pub fn write(&self, table: &Table, folder: &Path) {
        std::fs::create_dir_all(folder).expect("the folder can be made");
        for (number, types) in self.files.iter().enumerate() {
            let mut places: Vec<usize> = (0..types.len()).filter(|at| types[*at].is_some()).collect();
            if self.turned && number > 0 {
                places.reverse();
            }
            let mut part = table.with_columns(&places);
            part.rows = part.rows[rows_of(table, self.files.len(), number)].to_vec();
            let path = |extension: &str| folder.join(format!("part-{number}.{extension}"));
            let put = |extension: &str, text: String| std::fs::write(path(extension), text).expect("the file can be written");
            match self.format {
                Format::Parquet => self.write_parquet(&self.batch(&part, types, &places, number), &path("parquet")),
                Format::IpcFile | Format::IpcStream => self.write_ipc(&self.batch(&part, types, &places, number), &path("arrow")),
                Format::Csv => put("csv", csv_text(&part, &part.rows)),
                Format::JsonLines => put("jsonl", json_text(&part, &part.rows)),
            }
        }
    }

    /// The rows of a file, each column in the type that this file has for it.
    fn batch(&self, part: &Table, types: &[Option<Type>], places: &[usize], number: usize) -> RecordBatch {
        let column = |(at, (name, of)): (usize, &(String, Type))| {
            let to = types[places[at]].as_ref().expect("the file has the column");
            let cell = |row: &Vec<Cell>| stored(&row[at], of, to).expect("the type holds all cells of the file");
            let cells: Vec<Cell> = part.rows.iter().map(cell).collect();
            let array = self.in_text_form(self.array(to, &cells.iter().collect::<Vec<_>>()), number);
            (Field::new(name, array.data_type().clone(), true), array)
        };
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = part.columns.iter().enumerate().map(column).unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("the columns have one length")
    }

    fn write_parquet(&self, batch: &RecordBatch, path: &Path) {
        let compression = if self.compressed {
            Compression::SNAPPY
        } else {
            Compression::UNCOMPRESSED
        };
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(self.row_group_rows))
            .set_compression(compression)
            .build();
        let file = File::create(path).expect("the file can be made");
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("the schema has a Parquet form");
        writer.write(batch).expect("the rows can be written");
        writer.close().expect("the file can be closed");
    }

    fn write_ipc(&self, batch: &RecordBatch, path: &Path) {
        let file = File::create(path).expect("the file can be made");
        let starts = (0..batch.num_rows()).step_by(self.row_group_rows);
        let pieces = starts.map(|from| batch.slice(from, self.row_group_rows.min(batch.num_rows() - from)));
        if self.format == Format::IpcFile {
            let mut writer = FileWriter::try_new(file, &batch.schema()).expect("the schema has an IPC form");
            pieces.for_each(|piece| writer.write(&piece).expect("the rows can be written"));
            writer.finish().expect("the file can be closed");
        } else {
            let mut writer = StreamWriter::try_new(file, &batch.schema()).expect("the schema has an IPC form");
            pieces.for_each(|piece| writer.write(&piece).expect("the rows can be written"));
            writer.finish().expect("the file can be closed");
        }
    }

    fn in_text_form(&self, array: ArrayRef, number: usize) -> ArrayRef {
        let Some(text) = array.as_any().downcast_ref::<StringArray>() else {
            return array;
        };
        match self.texts[number % self.texts.len()] {
            TextForm::Plain => array,
            TextForm::Large => Arc::new(text.iter().collect::<LargeStringArray>()),
            TextForm::View => Arc::new(text.iter().collect::<StringViewArray>()),
            TextForm::Dictionary => Arc::new(text.iter().collect::<DictionaryArray<Int32Type>>()),
        }
    }

    fn array(&self, of: &Type, cells: &[&Cell]) -> ArrayRef {
        match of {
            Type::Null | Type::Own => Arc::new(NullArray::new(cells.len())),
            Type::Bool => Arc::new(some(cells, |c| if let Cell::Bool(v) = c { Some(*v) } else { None }).collect::<BooleanArray>()),
            Type::Int { bits, signed } => int_array(*bits, *signed, cells),
            Type::Decimal { precision, scale } => decimal_array(*precision, *scale, cells),
            Type::Float { bits: 32 } => Arc::new(some(cells, |c| double_of(c).map(|v| v as f32)).collect::<Float32Array>()),
            Type::Float { .. } => Arc::new(some(cells, double_of).collect::<Float64Array>()),
            Type::Text => Arc::new(some(cells, |c| if let Cell::Text(v) = c { Some(v.as_str()) } else { None }).collect::<StringArray>()),
            Type::Binary => {
                Arc::new(some(cells, |c| if let Cell::Binary(v) = c { Some(v.as_slice()) } else { None }).collect::<BinaryArray>())
            }
            Type::Date => Arc::new(some(cells, |c| if let Cell::Date(v) = c { Some(*v) } else { None }).collect::<Date32Array>()),
            Type::Timestamp { digits, zoned } => timestamp_array(*digits, zoned.then_some(self.zone), cells),
            Type::List(item) => self.list_array(item, cells),
            Type::Struct(members) => self.struct_array(members, cells),
            Type::Map(key, value) => self.map_array(key, value, cells),
        }
    }

    fn list_array(&self, item: &Type, cells: &[&Cell]) -> ArrayRef {
        let lists: Vec<Vec<&Cell>> = cells.iter().map(|cell| items(cell)).collect();
        let values = self.array(item, &lists.concat());
        let field = Arc::new(Field::new("item", values.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths(lists.iter().map(Vec::len));
        Arc::new(ListArray::new(field, offsets, values, present(cells)))
    }

    fn struct_array(&self, members: &[(String, Type)], cells: &[&Cell]) -> ArrayRef {
        // In IPC files values may lie beneath a struct that is NULL.
        let leftover = cells.iter().find(|c| !c.is_null()).filter(|_| self.format == Format::IpcFile);
        let there: Vec<&Cell> = cells
            .iter()
            .map(|c| leftover.filter(|_| c.is_null()).unwrap_or(c))
            .copied()
            .collect();
        let column = |(name, t): &(String, Type)| self.array(t, &there.iter().map(|c| c.member(name)).collect::<Vec<_>>());
        let columns: Vec<ArrayRef> = members.iter().map(column).collect();
        let fields: Fields = members
            .iter()
            .zip(&columns)
            .map(|((name, _), array)| Field::new(name, array.data_type().clone(), true))
            .collect();
        Arc::new(StructArray::new(fields, columns, present(cells)))
    }

    fn map_array(&self, key: &Type, value: &Type, cells: &[&Cell]) -> ArrayRef {
        let maps: Vec<Vec<&(Cell, Cell)>> = cells.iter().map(|cell| entries(cell)).collect();
        let all = maps.concat();
        let keys = self.array(key, &all.iter().map(|e| &e.0).collect::<Vec<_>>());
        let values = self.array(value, &all.iter().map(|e| &e.1).collect::<Vec<_>>());
        let fields: Fields = vec![
            Field::new("keys", keys.data_type().clone(), false),
            Field::new("values", values.data_type().clone(), true),
        ]
        .into();
        let entries = StructArray::new(fields, vec![keys, values], None);
        let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
        Arc::new(MapArray::new(
            field,
            OffsetBuffer::from_lengths(maps.iter().map(Vec::len)),
            entries,
            present(cells),
            false,
        ))
    }
}

/// Which types the files have for the columns, and which columns are cast. The first file has every column in its own type.
fn files(random: &mut Random, table: &Table) -> (Vec<Vec<Option<Type>>>, Vec<bool>) {
    let count = 1 + random.below(3);
    let mut files: Vec<Vec<Option<Type>>> = vec![Vec::new(); count];
    let mut casts = Vec::new();
    for (at, (_, of)) in table.columns.iter().enumerate() {
        let cells: Vec<&Cell> = table.rows.iter().map(|row| &row[at]).collect();
        let others = if random.percent(20) { castable(of, &cells) } else { Vec::new() };
        casts.push(!others.is_empty());
        for (number, types) in files.iter_mut().enumerate() {
            let own = &cells[rows_of(table, count, number)];
            let narrow = if number > 0 && random.percent(30) {
                narrower(of, own)
            } else {
                Vec::new()
            };
            types.push(match (others.as_slice(), narrow.as_slice()) {
                ([], []) => Some(of.clone()),
                // A file without any column would have no rows.
                ([], some) => Some(random.pick(some).clone()).filter(|t| *t != Type::Null || at < 1 || random.percent(50)),
                (some, _) => Some(some[at % some.len()].clone()),
            });
        }
    }
    (files, casts)
}

/// The rows of one of several files.
fn rows_of(table: &Table, files: usize, number: usize) -> Range<usize> {
    let each = table.rows.len() / files + 1;
    (number * each).min(table.rows.len())..((number + 1) * each).min(table.rows.len())
}

/// A column with its type as a spec writes it.
fn with_word((name, of): &(String, Type)) -> (String, String) {
    (name.clone(), type_word(of).expect("only such columns become text or are cast"))
}

fn items(cell: &Cell) -> Vec<&Cell> {
    if let Cell::List(items) = cell {
        items.iter().collect()
    } else {
        Vec::new()
    }
}

fn entries(cell: &Cell) -> Vec<&(Cell, Cell)> {
    if let Cell::Map(entries) = cell {
        entries.iter().collect()
    } else {
        Vec::new()
    }
}

fn some<'a, T>(cells: &'a [&'a Cell], get: impl Fn(&'a Cell) -> Option<T> + 'a) -> impl Iterator<Item = Option<T>> + 'a {
    cells.iter().map(move |cell| get(cell))
}

fn present(cells: &[&Cell]) -> Option<NullBuffer> {
    Some(cells.iter().map(|c| !c.is_null()).collect())
}

fn double_of(cell: &Cell) -> Option<f64> {
    if let Cell::Double(value) = cell { Some(*value) } else { None }
}

fn int_of<T: TryFrom<i128>>(cell: &Cell) -> Option<T> {
    if let Cell::Int(value) = cell {
        T::try_from(*value).ok()
    } else {
        None
    }
}

fn int_array(bits: u8, signed: bool, cells: &[&Cell]) -> ArrayRef {
    match (bits, signed) {
        (8, true) => Arc::new(some(cells, int_of).collect::<Int8Array>()),
        (16, true) => Arc::new(some(cells, int_of).collect::<Int16Array>()),
        (32, true) => Arc::new(some(cells, int_of).collect::<Int32Array>()),
        (_, true) => Arc::new(some(cells, int_of).collect::<Int64Array>()),
        (8, false) => Arc::new(some(cells, int_of).collect::<UInt8Array>()),
        (16, false) => Arc::new(some(cells, int_of).collect::<UInt16Array>()),
        (32, false) => Arc::new(some(cells, int_of).collect::<UInt32Array>()),
        (_, false) => Arc::new(some(cells, int_of).collect::<UInt64Array>()),
    }
}

fn decimal_array(precision: u8, scale: u8, cells: &[&Cell]) -> ArrayRef {
    let units = |cell: &Cell| {
        if let Cell::Decimal(units, _) = cell {
            Some(units.clone())
        } else {
            None
        }
    };
    if precision <= 38 {
        let array: Decimal128Array = some(cells, |c| units(c).and_then(|u| u.to_i128())).collect();
        Arc::new(
            array
                .with_precision_and_scale(precision, scale as i8)
                .expect("the generator keeps to the precision"),
        )
    } else {
        let array: Decimal256Array = some(cells, |c| units(c).and_then(|u| i256::from_string(&u.to_string()))).collect();
        Arc::new(
            array
                .with_precision_and_scale(precision, scale as i8)
                .expect("the generator keeps to the precision"),
        )
    }
}

fn timestamp_array(digits: u8, zone: Option<&str>, cells: &[&Cell]) -> ArrayRef {
    let unit = 10_i128.pow(9 - u32::from(digits));
    let ticks = some(cells, |c| {
        if let Cell::Timestamp(ns) = c {
            i64::try_from(ns.div_euclid(unit)).ok()
        } else {
            None
        }
    });
    match digits {
        0 => Arc::new(ticks.collect::<TimestampSecondArray>().with_timezone_opt(zone)),
        3 => Arc::new(ticks.collect::<TimestampMillisecondArray>().with_timezone_opt(zone)),
        6 => Arc::new(ticks.collect::<TimestampMicrosecondArray>().with_timezone_opt(zone)),
        _ => Arc::new(ticks.collect::<TimestampNanosecondArray>().with_timezone_opt(zone)),
    }
}

/// The type as a spec writes it, for types that text files can hold.
fn type_word(of: &Type) -> Option<String> {
    Some(match of {
        Type::Bool => "bool".into(),
        Type::Int { bits, signed } => format!("{}int{bits}", if *signed { "" } else { "u" }),
        Type::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
        Type::Float { bits: 32 } => "float32".into(),
        Type::Float { .. } => "double".into(),
        Type::Text => "text".into(),
        Type::Date => "date".into(),
        Type::Timestamp { digits, zoned } => {
            let unit = ["s", "ms", "us", "ns"][usize::from(*digits) / 3];
            if *zoned {
                format!("timestamp({unit}, UTC)")
            } else {
                format!("timestamp({unit})")
            }
        }
        Type::List(item) => format!("list({})", type_word(item)?),
        Type::Null | Type::Binary | Type::Struct(_) | Type::Map(..) | Type::Own => return None,
    })
}

fn csv_text(table: &Table, rows: &[Vec<Cell>]) -> String {
    let mut out = String::new();
    line(
        &table.columns.iter().map(|(name, _)| Some(name.clone())).collect::<Vec<_>>(),
        &mut out,
    );
    for row in rows {
        line(
            &row.iter()
                .zip(&table.columns)
                .map(|(cell, (_, t))| print(cell, t))
                .collect::<Vec<_>>(),
            &mut out,
        );
    }
    out
}

/// JSON knows no NaN and no infinity.
/// JSON has no NaN: writers put it and the infinities down as text.
fn in_json_file(cell: &Cell, of: &Type) -> String {
    match (cell, of) {
        (Cell::Double(value), _) if value.is_nan() => quoted("NaN"),
        (Cell::Double(value), _) if value.is_infinite() => quoted(if *value > 0.0 { "Infinity" } else { "-Infinity" }),
        (Cell::List(items), Type::List(item)) => {
            let items: Vec<String> = items.iter().map(|cell| in_json_file(cell, item)).collect();
            format!("[{}]", items.join(","))
        }
        (cell, of) => json(cell, of),
    }
}

/// Every other row leaves its NULLs out.
fn json_text(table: &Table, rows: &[Vec<Cell>]) -> String {
    let mut out = String::new();
    for (number, row) in rows.iter().enumerate() {
        let kept = row
            .iter()
            .zip(&table.columns)
            .filter(|(cell, _)| number % 2 == 0 || !cell.is_null());
        let members: Vec<String> = kept
            .map(|(cell, (name, t))| format!("{}: {}", quoted(name), in_json_file(cell, t)))
            .collect();
        out.push_str(&format!("{{{}}}\n", members.join(", ")));
    }
    out
}
