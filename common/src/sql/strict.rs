//! The planned expression, made strict: each row's answer, and whether it has one, depends on that row alone.
//!
//! - Integers that do not fit are an error, also where a sign is turned.
//! - The right of AND and OR is evaluated for the rows alone whose answer the left leaves open; the engine does so or not by how many of a
//!   batch there are, so that `z <> 0 AND 10 / z > 1` fails or not by the order of rows.
//! - A function that would make too much fails (`bounds`).
//! - A function that gives NULL for what it cannot hold fails instead.
//! - What an operation gives goes on in its one form (`canonical`).

use super::bounds::bounded;
use super::canonical::{canonical, canonical_scalar, has_forms};
use super::compare::{is_comparison, is_total_comparison};
use super::wrapped::{Evaluate, Node, Override, Wrapped, overridden};
use arrow_arith::boolean::{and_kleene, or_kleene};
use arrow_arith::numeric::neg;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Schema};
use arrow_select::filter::filter_record_batch;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::{ColumnarValue, Operator};
use datafusion_physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NegativeExpr, NotExpr, in_list,
};
use datafusion_physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use std::fmt::{Display, Formatter};
use std::hash::Hash;
use std::sync::Arc;

/// The same expression over rows of `schema`, made strict.
pub(super) fn strict(expression: Node, schema: &Schema) -> Result<Node> {
    let done = expression.transform_up(|node| rewritten(node, schema).map(Transformed::yes))?;
    Ok(done.data)
}

fn rewritten(node: Node, schema: &Schema) -> Result<Node> {
    let node = bounded(node, schema)?;
    let known: &dyn PhysicalExpr = node.as_ref();
    if known.is::<Column>() {
        return Ok(node);
    }
    if let Some(literal) = known.downcast_ref::<Literal>() {
        return Ok(Arc::new(Literal::new(canonical_scalar(literal.value())?)));
    }
    if let Some(cast) = known.downcast_ref::<CastExpr>()
        && let Some(value) = constant(cast)
    {
        return Ok(Arc::new(Literal::new(canonical_scalar(&value)?)));
    }
    if let Some(binary) = known.downcast_ref::<BinaryExpr>() {
        if let Some(junction) = Junction::of(*binary.op()) {
            return Ok(Arc::new(Logic::new(junction, [binary.left(), binary.right()], schema)));
        }
        let strict = BinaryExpr::new(Arc::clone(binary.left()), *binary.op(), Arc::clone(binary.right())).with_fail_on_overflow(true);
        return in_one_form(Arc::new(strict), schema);
    }
    if let Some(list) = known.downcast_ref::<InListExpr>() {
        // It looks its constants up in a table, which is made anew of their one form.
        return in_list(Arc::clone(list.expr()), list.list().to_vec(), &list.negated(), schema);
    }
    if let Some(negative) = known.downcast_ref::<NegativeExpr>() {
        let inner = Arc::clone(negative.arg());
        return in_one_form(overridden(inner, Negated), schema);
    }
    if known
        .downcast_ref::<ScalarFunctionExpr>()
        .is_some_and(|f| SILENT.contains(&f.fun().name()))
    {
        return Ok(overridden(node, Answered));
    }
    in_one_form(node, schema)
}

/// Functions that give NULL for an answer that they cannot hold, such as a time of the year 9999: rows would be left out without a word.
const SILENT: [&str; 1] = ["date_bin"];

/// A cast of a constant is a constant; one that fails does so where a row asks for it.
fn constant(cast: &CastExpr) -> Option<ScalarValue> {
    let inner: &dyn PhysicalExpr = cast.expr().as_ref();
    inner.downcast_ref::<Literal>()?.value().cast_to(cast.cast_type()).ok()
}

fn in_one_form(node: Node, schema: &Schema) -> Result<Node> {
    Ok(match has_forms(&node.data_type(schema)?) {
        true => overridden(node, Canonical),
        false => node,
    })
}

/// Whether an expression has an answer for every row, so that it may be asked about rows whose answer nobody needs.
fn is_total(node: &Node, schema: &Schema) -> bool {
    let known: &dyn PhysicalExpr = node.as_ref();
    let by_itself = known.is::<Column>()
        || known.is::<Literal>()
        || known.is::<IsNullExpr>()
        || known.is::<IsNotNullExpr>()
        || known.is::<NotExpr>()
        || known.is::<InListExpr>()
        || known.is::<Logic>()
        || known.is::<Override<Canonical>>()
        || known.downcast_ref::<BinaryExpr>().is_some_and(|binary| is_comparison(*binary.op()))
        || known.downcast_ref::<CastExpr>().is_some_and(|cast| is_total_cast(cast, schema))
        || known
            .downcast_ref::<ScalarFunctionExpr>()
            .is_some_and(|f| is_total_comparison(f, schema));
    by_itself && known.children().into_iter().all(|child| is_total(child, schema))
}

/// Every number has a double that is nearest.
fn is_total_cast(cast: &CastExpr, schema: &Schema) -> bool {
    *cast.cast_type() == DataType::Float64 && cast.expr().data_type(schema).is_ok_and(|from| from.is_numeric())
}

/// The values go on in their one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Canonical;

impl Evaluate for Canonical {
    fn evaluate(self, node: &Node, batch: &RecordBatch) -> Result<ColumnarValue> {
        Ok(match node.evaluate(batch)? {
            ColumnarValue::Array(array) => ColumnarValue::Array(canonical(&array)),
            ColumnarValue::Scalar(value) => ColumnarValue::Scalar(canonical_scalar(&value)?),
        })
    }
}

/// The value with its sign turned, where that fits, or an error: the least integer has no opposite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Negated;

impl Evaluate for Negated {
    fn evaluate(self, node: &Node, batch: &RecordBatch) -> Result<ColumnarValue> {
        let turned = |array: ArrayRef| match array.data_type() {
            DataType::Null => Ok(array),
            _ => neg(array.as_ref()),
        };
        Ok(match node.evaluate(batch)? {
            ColumnarValue::Array(array) => ColumnarValue::Array(turned(array)?),
            ColumnarValue::Scalar(value) => ColumnarValue::Scalar(ScalarValue::try_from_array(&turned(value.to_array()?)?, 0)?),
        })
    }
}

/// A function answers wherever its arguments are known, or fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Answered;

impl Evaluate for Answered {
    fn evaluate(self, node: &Node, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let answers = node.evaluate(batch)?.into_array(rows)?;
        if answers.null_count() > 0 {
            let given = node.children().into_iter().map(|child| child.evaluate(batch)?.into_array(rows));
            let given = given.collect::<Result<Vec<ArrayRef>>>()?;
            let is_known = |row: usize| given.iter().all(|argument| !argument.is_null(row));
            if (0..rows).any(|row| answers.is_null(row) && is_known(row)) {
                let node: &dyn PhysicalExpr = node.as_ref();
                let name = node.downcast_ref::<ScalarFunctionExpr>().map_or("a function", |f| f.fun().name());
                return exec_err!("`{name}` has no answer that fits its type; in nanoseconds, times reach from 1677 to 2262");
            }
        }
        Ok(ColumnarValue::Array(answers))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Junction {
    And,
    Or,
}

impl Junction {
    fn of(operator: Operator) -> Option<Self> {
        match operator {
            Operator::And => Some(Junction::And),
            Operator::Or => Some(Junction::Or),
            _ => None,
        }
    }

    /// The answer of an operand that settles the whole: false for AND, true for OR.
    fn settles(self) -> bool {
        match self {
            Junction::And => false,
            Junction::Or => true,
        }
    }
}

/// Conditions joined by AND, or by OR, as many as stand beside each other.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Logic {
    junction: Junction,
    operands: Vec<Operand>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Operand {
    condition: Wrapped,
    is_total: bool,
}

impl Logic {
    fn new(junction: Junction, sides: [&Node; 2], schema: &Schema) -> Self {
        let operands = sides.into_iter().flat_map(|side| {
            let known: &dyn PhysicalExpr = side.as_ref();
            match known.downcast_ref::<Logic>() {
                Some(inner) if inner.junction == junction => inner.operands.clone(),
                Some(_) | None => vec![Operand {
                    condition: Wrapped(Arc::clone(side)),
                    is_total: is_total(side, schema),
                }],
            }
        });
        Logic {
            junction,
            operands: operands.collect(),
        }
    }

    /// The rows whose answer is not settled yet.
    fn open(&self, so_far: &BooleanArray) -> BooleanBuffer {
        let settles = self.junction.settles();
        BooleanBuffer::collect_bool(so_far.len(), |row| so_far.is_null(row) || so_far.value(row) != settles)
    }
}

impl Display for Logic {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let word = match self.junction {
            Junction::And => " AND ",
            Junction::Or => " OR ",
        };
        for (at, operand) in self.operands.iter().enumerate() {
            f.write_str(if at == 0 { "(" } else { word })?;
            operand.condition.0.fmt(f)?;
        }
        f.write_str(")")
    }
}

impl PhysicalExpr for Logic {
    fn data_type(&self, _input_schema: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _input_schema: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let settled = BooleanBuffer::collect_bool(rows, |_| !self.junction.settles());
        let mut so_far = BooleanArray::new(settled, None);
        for Operand { condition, is_total } in &self.operands {
            let open = self.open(&so_far);
            let asked = open.count_set_bits();
            if asked == 0 {
                break;
            }
            let answers = match asked == rows || *is_total {
                true => truth(condition.0.evaluate(batch)?, rows)?,
                false => spread(&open, &condition.0, batch)?,
            };
            so_far = match self.junction {
                Junction::And => and_kleene(&so_far, &answers)?,
                Junction::Or => or_kleene(&so_far, &answers)?,
            };
        }
        Ok(ColumnarValue::Array(Arc::new(so_far)))
    }

    fn children(&self) -> Vec<&Node> {
        self.operands.iter().map(|operand| &operand.condition.0).collect()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Node>) -> Result<Node> {
        let operands = children.into_iter().zip(&self.operands).map(|(child, before)| Operand {
            condition: Wrapped(child),
            is_total: before.is_total,
        });
        Ok(Arc::new(Logic {
            junction: self.junction,
            operands: operands.collect(),
        }))
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.fmt(f)
    }
}

fn truth(value: ColumnarValue, rows: usize) -> Result<BooleanArray> {
    let array = value.into_array(rows)?;
    Ok(match array.data_type() {
        DataType::Null => new_null_array(&DataType::Boolean, rows).as_boolean().clone(),
        _ => array.as_boolean().clone(),
    })
}

/// The answers of an operand that is asked about the open rows alone, in the places of all rows; the others hold what nobody reads.
fn spread(open: &BooleanBuffer, operand: &Node, batch: &RecordBatch) -> Result<BooleanArray> {
    let chosen = filter_record_batch(batch, &BooleanArray::new(open.clone(), None))?;
    let answers = truth(operand.evaluate(&chosen)?, chosen.num_rows())?;
    let mut next = answers.iter();
    let rows = open.iter().map(|is_open| if is_open { next.next().flatten() } else { None });
    Ok(rows.collect())
}
