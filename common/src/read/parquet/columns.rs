//! Settles how each column of a Parquet file is read, from its schema alone; the decoder decides nothing.
//!
//! The decoder gets a schema of our own (`declared`), with the annotations that it reads as they are meant and no others. What
//! it gives back is then made into what the annotation means (`readings`, by leaf). A column that is not read has a reason
//! (`refused`), and its leaves are declared without any annotation, so that it harms no other.
//!
//! `ARROW:schema` is a hint about columns that are there, for what Parquet has no annotation for; nothing else is taken of it.

use super::hints::{self, Hint};
use super::values::{Reading, read_field};
use crate::read::checks::refused;
use crate::read::pinned::PinnedFile;
use ::parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema};
use ::parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use shadowdiff_core::error;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The columns of a file, in its order.
#[derive(Debug)]
pub(super) struct Columns {
    /// What the decoder is to take the columns for.
    declared: SchemaDescriptor,
    /// What the decoder gives, a field a column.
    pub(super) decoded: Fields,
    /// What is made of it before any reading: INT96 may be decoded twice.
    pub(super) shown: SchemaRef,
    /// What a reader of the file is given.
    pub(super) fields: Fields,
    /// By leaf.
    readings: Vec<Reading>,
    /// Which leaves a column has.
    leaves: Vec<Range<usize>>,
    /// Why a column cannot be read, by its name.
    pub(super) refused: BTreeMap<String, String>,
}

impl Columns {
    pub(super) fn of(pinned: &PinnedFile, metadata: &ParquetMetaData) -> error::Result<Columns> {
        let file = metadata.file_metadata();
        let hints = hints::of(file.key_value_metadata());
        let roots = file.schema_descr().root_schema().get_fields();
        let mut columns = Columns {
            declared: SchemaDescriptor::new(message(Vec::new()).map_err(|e| pinned.blame(e))?),
            decoded: Fields::empty(),
            shown: Arc::new(Schema::empty()),
            fields: Fields::empty(),
            readings: Vec::new(),
            leaves: Vec::new(),
            refused: BTreeMap::new(),
        };
        let mut declared = Vec::new();
        let mut decoded: Vec<FieldRef> = Vec::new();
        for root in roots {
            let (plain, field) = columns.settle(root, hints.get(root.name())).map_err(|e| pinned.blame(e))?;
            declared.push(plain);
            decoded.push(field);
        }
        columns.declared = SchemaDescriptor::new(message(declared).map_err(|e| pinned.blame(e))?);
        let decoded: Fields = decoded.into();
        columns.refused.extend(refused(&decoded));
        columns.set_decoded(&decoded, &decoded);
        Ok(columns)
    }

    /// What is declared of one column and what the decoder gives; its readings and leaves are noted.
    fn settle(&mut self, root: &TypePtr, hint: Option<&Hint>) -> ParquetResult<(TypePtr, FieldRef)> {
        let from = self.readings.len();
        let mut walk = Walk::default();
        let settled = walk.declared(root).and_then(|declared| {
            let field = field_of(&declared).map_err(|e| e.to_string())?;
            let field = hints::applied(&field, hint, &mut walk.readings)?;
            Ok((declared, field))
        });
        let (declared, field) = match settled {
            Ok(settled) => {
                self.readings.append(&mut walk.readings);
                settled
            }
            Err(why) => {
                self.refused.entry(root.name().to_owned()).or_insert(why);
                let declared = unannotated(root)?;
                self.readings.resize(from + leaf_count(&declared), Reading::AsDecoded);
                let field = field_of(&declared)?;
                (declared, field)
            }
        };
        self.leaves.push(from..self.readings.len());
        Ok((declared, field))
    }

    /// Takes other types for what the decoder gives and for what is made of it, of the same leaves.
    pub(super) fn set_decoded(&mut self, decoded: &Fields, shown: &Fields) {
        let fields = shown.iter().zip(&self.leaves).map(|(field, leaves)| {
            if self.refused.contains_key(field.name()) {
                return Arc::new(Field::new(field.name(), DataType::Null, true));
            }
            read_field(field, &mut self.readings[leaves.clone()].iter())
        });
        self.fields = fields.collect();
        self.decoded = decoded.clone();
        self.shown = Arc::new(Schema::new(shown.clone()));
    }

    /// What the decoder gives, before any reading.
    pub(super) fn decoded_schema(&self) -> Schema {
        Schema::new(self.decoded.clone())
    }

    /// Leaves of the wanted columns.
    pub(super) fn mask(&self, roots: &[usize]) -> ProjectionMask {
        ProjectionMask::roots(&self.declared, roots.iter().copied())
    }

    /// How the decoder assembles the wanted columns to what it is to give.
    pub(super) fn levels(&self, roots: &[usize], decoded: &Fields) -> ParquetResult<FieldLevels> {
        parquet_to_arrow_field_levels(&self.declared, self.mask(roots), Some(decoded))
    }

    /// The leaves of one column.
    pub(super) fn leaves(&self, root: usize) -> Range<usize> {
        self.leaves[root].clone()
    }

    /// The readings of the leaves of one column.
    pub(super) fn readings(&self, root: usize) -> &[Reading] {
        &self.readings[self.leaves[root].clone()]
    }
}

/// The message that holds these columns.
fn message(columns: Vec<TypePtr>) -> ParquetResult<TypePtr> {
    Type::group_type_builder("columns").with_fields(columns).build().map(Arc::new)
}

/// What the decoder makes of one column.
fn field_of(declared: &TypePtr) -> ParquetResult<FieldRef> {
    let schema = parquet_to_arrow_schema(&SchemaDescriptor::new(message(vec![declared.clone()])?), None)?;
    let field = schema.fields().first().cloned();
    field.ok_or_else(|| ParquetError::General(format!("the group `{}` has no members", declared.name())))
}

/// One column on its way to what is declared of it, with the readings of its leaves so far.
#[derive(Debug, Default)]
struct Walk {
    readings: Vec<Reading>,
}

impl Walk {
    /// The error is why the column cannot be read.
    fn declared(&mut self, stored: &TypePtr) -> Result<TypePtr, String> {
        if stored.is_primitive() {
            let (annotation, reading) = meaning(stored)?;
            self.readings.push(reading);
            return leaf(stored, annotation).map_err(|e| e.to_string());
        }
        let info = stored.get_basic_info();
        if let Some(LogicalType::Variant(_)) = info.logical_type_ref() {
            return Err("is a VARIANT, whose values may be of any type".into());
        }
        let members = stored
            .get_fields()
            .iter()
            .map(|member| self.declared(member))
            .collect::<Result<_, _>>()?;
        group(stored, members, info.logical_type_ref().cloned(), info.converted_type()).map_err(|e| e.to_string())
    }
}

/// What a leaf is declared as, and what its values are made into; the error is why it cannot be read.
fn meaning(stored: &Type) -> Result<(Option<LogicalType>, Reading), String> {
    use PhysicalType as P;
    let info = stored.get_basic_info();
    let annotation = match (info.logical_type_ref(), info.converted_type()) {
        (Some(logical), _) => Some(logical.clone()),
        (None, ConvertedType::NONE) => None,
        (None, ConvertedType::INTERVAL) => return Ok((None, Reading::Interval { signed: false })),
        (None, converted) => Some(of_converted(converted, stored).ok_or_else(|| format!("is annotated {converted}, which is for groups"))?),
    };
    let physical = stored.get_physical_type();
    let Some(annotation) = annotation else {
        return Ok((None, Reading::AsDecoded));
    };
    let as_decoded = |annotation| Ok((Some(annotation), Reading::AsDecoded));
    match (physical, annotation) {
        (_, LogicalType::Unknown) => Ok((None, Reading::AllNull)),
        (P::INT32, LogicalType::Integer(int)) if matches!(int.bit_width, 8 | 16) => Ok((
            None,
            Reading::Narrow {
                bits: int.bit_width.unsigned_abs(),
                signed: int.is_signed,
            },
        )),
        (_, annotation @ LogicalType::Decimal(_)) => as_decoded(annotation),

        (
            P::INT32 | P::INT64,
            annotation @ (LogicalType::Integer(_) | LogicalType::Date | LogicalType::Time(_) | LogicalType::Timestamp(_)),
        ) => as_decoded(annotation),
        (P::BYTE_ARRAY, LogicalType::String | LogicalType::Json | LogicalType::Enum) => as_decoded(LogicalType::String),
        (P::FIXED_LEN_BYTE_ARRAY, annotation @ LogicalType::Float16) => as_decoded(annotation),
        (P::BYTE_ARRAY, LogicalType::Bson | LogicalType::Geometry(_) | LogicalType::Geography(_))
        | (P::FIXED_LEN_BYTE_ARRAY, LogicalType::Uuid)
        | (_, LogicalType::_Unknown { .. }) => Ok((None, Reading::AsDecoded)),
        (physical, annotation) => Err(format!("is {physical} annotated {annotation:?}, which Parquet does not know")),
    }
}

/// The newer annotation that says the same; `None` for those of groups.
fn of_converted(converted: ConvertedType, stored: &Type) -> Option<LogicalType> {
    Some(match converted {
        ConvertedType::UTF8 => LogicalType::String,
        ConvertedType::ENUM => LogicalType::Enum,
        ConvertedType::JSON => LogicalType::Json,
        ConvertedType::BSON => LogicalType::Bson,
        ConvertedType::DECIMAL => LogicalType::decimal(stored.get_scale(), stored.get_precision()),
        ConvertedType::DATE => LogicalType::Date,
        ConvertedType::TIME_MILLIS => LogicalType::time(true, TimeUnit::MILLIS),
        ConvertedType::TIME_MICROS => LogicalType::time(true, TimeUnit::MICROS),
        ConvertedType::TIMESTAMP_MILLIS => LogicalType::timestamp(true, TimeUnit::MILLIS),
        ConvertedType::TIMESTAMP_MICROS => LogicalType::timestamp(true, TimeUnit::MICROS),
        ConvertedType::INT_8 => LogicalType::integer(8, true),
        ConvertedType::INT_16 => LogicalType::integer(16, true),
        ConvertedType::INT_32 => LogicalType::integer(32, true),
        ConvertedType::INT_64 => LogicalType::integer(64, true),
        ConvertedType::UINT_8 => LogicalType::integer(8, false),
        ConvertedType::UINT_16 => LogicalType::integer(16, false),
        ConvertedType::UINT_32 => LogicalType::integer(32, false),
        ConvertedType::UINT_64 => LogicalType::integer(64, false),
        ConvertedType::NONE | ConvertedType::INTERVAL => return None,
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE | ConvertedType::LIST => return None,
    })
}

fn leaf(stored: &Type, annotation: Option<LogicalType>) -> ParquetResult<TypePtr> {
    let (length, scale, precision) = match stored {
        Type::PrimitiveType {
            type_length,
            scale,
            precision,
            ..
        } if annotation.is_some() => (*type_length, *scale, *precision),
        Type::PrimitiveType { type_length, .. } => (*type_length, -1, -1),
        Type::GroupType { .. } => (-1, -1, -1),
    };
    Type::primitive_type_builder(stored.name(), stored.get_physical_type())
        .with_repetition(repetition(stored))
        .with_logical_type(annotation)
        .with_length(length)
        .with_scale(scale)
        .with_precision(precision)
        .build()
        .map(Arc::new)
}

fn group(stored: &Type, members: Vec<TypePtr>, logical: Option<LogicalType>, converted: ConvertedType) -> ParquetResult<TypePtr> {
    Type::group_type_builder(stored.name())
        .with_repetition(repetition(stored))
        .with_logical_type(logical)
        .with_converted_type(converted)
        .with_fields(members)
        .build()
        .map(Arc::new)
}

fn repetition(stored: &Type) -> Repetition {
    let info = stored.get_basic_info();
    if info.has_repetition() {
        info.repetition()
    } else {
        Repetition::REQUIRED
    }
}

/// The same leaves, none of them annotated: what the decoder takes whatever it was.
fn unannotated(stored: &TypePtr) -> ParquetResult<TypePtr> {
    if stored.is_primitive() {
        return leaf(stored, None);
    }
    let members = stored.get_fields().iter().map(unannotated).collect::<ParquetResult<_>>()?;
    group(stored, members, None, ConvertedType::NONE)
}

fn leaf_count(declared: &Type) -> usize {
    match declared {
        Type::PrimitiveType { .. } => 1,
        Type::GroupType { fields, .. } => fields.iter().map(|member| leaf_count(member)).sum(),
    }
}
