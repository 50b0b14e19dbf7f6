//! An expression inside of another one that changes how it is evaluated.

use datafusion_physical_expr::PhysicalExpr;
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
