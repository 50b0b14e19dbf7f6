//! An expression inside of another one that changes how it is evaluated.

use arrow_array::RecordBatch;
use arrow_schema::{FieldRef, Schema};
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;
use std::fmt::{Debug, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub(super) type Node = Arc<dyn PhysicalExpr>;

/// A child, equal and hashed as what it is.
#[derive(Debug, Clone)]
pub(super) struct Wrapped(pub(super) Node);

impl PartialEq for Wrapped {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq(&other.0)
    }
}

impl Eq for Wrapped {}

impl Hash for Wrapped {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// How an expression is evaluated instead of by itself alone.
pub(super) trait Evaluate: Debug + Copy + Eq + Hash + Send + Sync + 'static {
    fn evaluate(self, node: &Node, batch: &RecordBatch) -> Result<ColumnarValue>;
}

/// An expression of the same type that is evaluated in another way.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Override<E> {
    node: Wrapped,
    how: E,
}

/// The node, evaluated so.
pub(super) fn overridden<E: Evaluate>(node: Node, how: E) -> Node {
    let node = Wrapped(node);
    Arc::new(Override { node, how })
}

impl<E> Display for Override<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        Display::fmt(&self.node.0, f)
    }
}

impl<E: Evaluate> PhysicalExpr for Override<E> {
    fn return_field(&self, input_schema: &Schema) -> Result<FieldRef> {
        self.node.0.return_field(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.how.evaluate(&self.node.0, batch)
    }

    fn children(&self) -> Vec<&Node> {
        vec![&self.node.0]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Node>) -> Result<Node> {
        Ok(overridden(children.pop().expect("the one child that it has"), self.how))
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.node.0.fmt_sql(f)
    }
}
