//! How much memory an evaluation may take: what a function is about to make is estimated from its arguments before it is made.
//!
//! What fits for a few rows and not for many is evaluated in pieces (`in_pieces`). What does not fit for one row is an error of the spec. So
//! `repeat(note, 100000000)` ends an attempt with the name of its field, and not the process.

use super::growth::{bytes, made};
use super::wrapped::{Evaluate, Node, overridden};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, FieldRef, Schema};
use arrow_select::concat::concat;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DataFusionError, Result, plan_err};
use datafusion_expr::{ColumnarValue, Operator};
use datafusion_physical_expr::expressions::{BinaryExpr, Literal};
use datafusion_physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use std::cell::Cell;
use std::fmt::{Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// All that functions make while an expression is evaluated over one piece of the rows, in bytes; also for a single row.
pub(super) const MAX_PIECE_BYTES: u64 = 64 << 20;
/// What an expression gives for all rows of a batch, in bytes; or so many times what it reads, if that is more.
const MAX_RESULT_BYTES: u64 = 256 << 20;
const MAX_RESULT_GROWTH: u64 = 16;
/// The widest value of a fixed width.
const MAX_FIXED_WIDTH: i32 = 1 << 16;

const SERIES: [&str; 2] = ["range", "generate_series"];

thread_local! {
    /// What the evaluation that runs on this thread has made so far.
    static MADE: Cell<u64> = const { Cell::new(0) };
}

/// The bytes of the longest constant of an expression.
pub(super) fn longest_constant(expression: &Node) -> Result<u64> {
    let mut longest = 0;
    expression.apply(|node| {
        let node: &dyn PhysicalExpr = node.as_ref();
        if let Some(literal) = node.downcast_ref::<Literal>() {
            longest = longest.max(literal.value().size() as u64);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(longest)
}

/// Evaluates in pieces of as many rows as fit; `constant_bytes` is the longest constant.
pub(super) fn in_pieces(expression: &dyn PhysicalExpr, batch: &RecordBatch, constant_bytes: u64) -> Result<ArrayRef> {
    let rows = batch.num_rows();
    // A constant is laid out once a row.
    let at_most = MAX_PIECE_BYTES / constant_bytes.max(1);
    let given_bytes: u64 = batch.columns().iter().map(bytes).sum();
    let most_bytes = MAX_RESULT_BYTES.max(given_bytes.saturating_mul(MAX_RESULT_GROWTH));
    let mut piece = rows.min(usize::try_from(at_most).unwrap_or(rows)).max(1);
    let (mut made, mut made_bytes, mut from) = (Vec::new(), 0, 0);
    while from < rows {
        let count = piece.min(rows - from);
        MADE.set(0);
        let part = batch.slice(from, count);
        match expression.evaluate(&part).and_then(|value| value.into_array(count)) {
            Err(DataFusionError::ResourcesExhausted(_)) if count > 1 => piece = count / 2,
            Err(error) => return Err(error),
            Ok(array) => {
                made_bytes += bytes(&array);
                if made_bytes > most_bytes {
                    return too_much(format!("it gives more than {most_bytes} bytes for {} rows", from + count));
                }
                made.push(array);
                from += count;
            }
        }
    }
    match &made[..] {
        [whole] => Ok(Arc::clone(whole)),
        parts => Ok(concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>())?),
    }
}

/// The same node, which is refused before it makes too much; nodes whose values have a small fixed width are as they were.
pub(super) fn bounded(node: Node, schema: &Schema) -> Result<Node> {
    let known: &dyn PhysicalExpr = node.as_ref();
    let data_type = node.data_type(schema)?;
    narrow_enough(&data_type)?;
    if let Some(function) = known.downcast_ref::<ScalarFunctionExpr>()
        && SERIES.contains(&function.fun().name())
        && !function
            .args()
            .iter()
            .all(|bound| bound.data_type(schema).is_ok_and(|t| t.is_integer() || t.is_null()))
    {
        return plan_err!(
            "`{}` is offered of integers only: how much it makes of times is not known before",
            function.fun().name()
        );
    }
    let may_grow = known
        .downcast_ref::<ScalarFunctionExpr>()
        .is_some_and(|f| f.fun().name() != "get_field")
        || known
            .downcast_ref::<BinaryExpr>()
            .is_some_and(|b| *b.op() == Operator::StringConcat);
    Ok(
        match may_grow && data_type.primitive_width().is_none() && data_type != DataType::Boolean {
            true => overridden(node, Bounded),
            false => node,
        },
    )
}

fn narrow_enough(data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::FixedSizeBinary(width) | DataType::FixedSizeList(_, width) if *width > MAX_FIXED_WIDTH => {
            too_much(format!("{data_type} is wider than {MAX_FIXED_WIDTH}"))
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) | DataType::Map(item, _) => {
            narrow_enough(item.data_type())
        }
        DataType::Struct(fields) => fields.iter().try_for_each(|field| narrow_enough(field.data_type())),
        _ => Ok(()),
    }
}

fn too_much<T>(what: String) -> Result<T> {
    Err(DataFusionError::ResourcesExhausted(what))
}

/// A function whose values may be larger than its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Bounded;

impl Evaluate for Bounded {
    fn evaluate(self, node: &Node, batch: &RecordBatch) -> Result<ColumnarValue> {
        let mut arguments: Vec<Node> = Vec::new();
        let mut values = Vec::new();
        for child in node.children() {
            let value = child.evaluate(batch)?;
            let field = child.return_field(batch.schema_ref())?;
            values.push(value.clone());
            arguments.push(Arc::new(EvaluatedArgument { field, value }));
        }
        let known: &dyn PhysicalExpr = node.as_ref();
        let name = known.downcast_ref::<ScalarFunctionExpr>().map_or("||", |f| f.fun().name());
        // Of constants alone it is made once.
        let is_constant = values.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { batch.num_rows() };
        let made = MADE.get().saturating_add(made(name, &values, rows)?);
        if made > MAX_PIECE_BYTES {
            let of = if batch.num_rows() == 1 { "one row" } else { "these rows" };
            return too_much(format!("`{name}` would take more than {MAX_PIECE_BYTES} bytes for {of}"));
        }
        MADE.set(made);
        Arc::clone(node).with_new_children(arguments)?.evaluate(batch)
    }
}

/// An argument that is evaluated already.
#[derive(Debug)]
struct EvaluatedArgument {
    field: FieldRef,
    value: ColumnarValue,
}

impl PartialEq for EvaluatedArgument {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for EvaluatedArgument {}

impl Hash for EvaluatedArgument {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.field.hash(state);
    }
}

impl Display for EvaluatedArgument {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.field.name())
    }
}

impl PhysicalExpr for EvaluatedArgument {
    fn return_field(&self, _input_schema: &Schema) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn evaluate(&self, _batch: &RecordBatch) -> Result<ColumnarValue> {
        Ok(self.value.clone())
    }

    fn children(&self) -> Vec<&Node> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Node>) -> Result<Node> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.fmt(f)
    }
}
