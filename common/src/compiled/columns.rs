//! Which columns SQL sees of a side, of a row that is exchanged, and of a pair of such rows.

use crate::sql::SqlColumn;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use shadowdiff_core::align::Column;
use shadowdiff_core::plan::Plan;
use shadowdiff_core::side::Side;
use shadowdiff_core::value::ValueType;
use std::sync::Arc;

/// The columns of one side, unqualified.
pub(super) fn side_columns(plan: &Plan, side: Side) -> Vec<SqlColumn> {
    let columns = plan.sides[side].columns.iter();
    columns.map(|c| SqlColumn::new(&c.name, &c.value_type)).collect()
}

/// The columns as read, before derives.
pub(super) fn read_columns(plan: &Plan, side: Side) -> Vec<SqlColumn> {
    let columns = plan.sides[side].read.iter();
    columns.map(|c| SqlColumn::new(&c.name, &c.value_type)).collect()
}

/// What SQL about a pair of rows sees: `live`, `shadow` in the column's types, then the rows' columns.
pub(super) fn pair_columns(plan: &Plan, cell: Option<&Column>) -> Vec<SqlColumn> {
    let stored = |side: Side| cell.map_or(&ValueType::Null, |c| &c.stored[side]);
    let mut columns = vec![
        SqlColumn::new("live", stored(Side::Live)),
        SqlColumn::new("shadow", stored(Side::Shadow)),
    ];
    for (side, qualifier) in [(Side::Live, "live_row"), (Side::Shadow, "shadow_row")] {
        columns.extend(row_columns(plan, side).into_iter().map(|c| SqlColumn {
            qualifier: Some(qualifier),
            ..c
        }));
    }
    columns
}

/// The columns of one side that an exchanged row has: the aligned ones, then the carried ones.
pub(super) fn row_columns(plan: &Plan, side: Side) -> Vec<SqlColumn> {
    let leaves = plan.aligned.columns.iter().map(|c| SqlColumn::new(&c.name, &c.stored[side]));
    let hidden = |c: SqlColumn| {
        if plan.sides[side].carried.contains(&c.name) {
            SqlColumn {
                name: format!("presence of {}", c.name),
                ..c
            }
        } else {
            c
        }
    };
    let carried = plan.sides[side].carried.iter();
    let carried = carried.map(|name| SqlColumn::new(name, carried_type(plan, side, name)));
    leaves.map(hidden).chain(carried).collect()
}

/// The schema of a side's rows as they are exchanged: the columns of [`row_columns`], then the fingerprint.
pub(super) fn rows_schema(plan: &Plan, side: Side) -> SchemaRef {
    let aligned = plan.aligned.columns.iter().enumerate();
    let aligned = aligned.map(|(i, c)| Field::new(i.to_string(), c.stored[side].storage(), true));
    let carried = plan.sides[side].carried.iter();
    let carried = carried.map(|name| Field::new(format!("carried:{name}"), carried_type(plan, side, name).storage(), true));
    Arc::new(Schema::new(aligned.chain(carried).chain([fingerprint_field()]).collect::<Vec<_>>()))
}

/// The fingerprint of an exchanged row: its last column.
pub fn fingerprint_field() -> Field {
    Field::new("fingerprint", DataType::FixedSizeBinary(16), false)
}

/// The type of a column that only SQL reads.
fn carried_type<'a>(plan: &'a Plan, side: Side, name: &str) -> &'a ValueType {
    let column = plan.sides[side].columns.iter().find(|c| c.name == name);
    &column.expect("carried columns are columns of the side").value_type
}
