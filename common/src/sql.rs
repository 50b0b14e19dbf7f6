//! SQL over one row: planned against a schema, evaluated on record batches by DataFusion.
//!
//! Names are exact, upper and lower case kept. What needs more than one row, or gives another answer another day, is refused. Doubles are
//! normalised before they are looked at (-0.0 is 0.0, one NaN, which sorts above all numbers), so that layout and bits never matter.

mod bounds;
mod canonical;
mod compare;
mod exact;
mod functions;
mod growth;
mod limits;
mod names;
mod strict;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_empty_array, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter;
use bounds::{in_pieces, longest_constant};
use canonical::canonical;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, DataFusionError, Result as DfResult, plan_err};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{Expr, Volatility};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use exact::exact;
use functions::Functions;
use limits::on_stack;
pub use names::longest_name;
use names::{all_names, is_known, one_word};
use shadowdiff_core::error::{Error, Place, Result};
use shadowdiff_core::shorten::excerpt;
use shadowdiff_core::value::{ValueType, for_sql};
use std::collections::BTreeSet;
use std::sync::Arc;
use strict::strict;

/// A column that an expression may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlColumn {
    /// `live_row`, `shadow_row`, or none.
    pub qualifier: Option<&'static str>,
    pub name: String,
    pub data_type: DataType,
}

impl SqlColumn {
    /// A column as SQL sees it: in which form, is decided here alone.
    pub fn new(name: &str, value_type: &ValueType) -> Self {
        SqlColumn {
            qualifier: None,
            name: name.to_owned(),
            data_type: value_type.sql_form(),
        }
    }

    fn full_name(&self) -> String {
        self.qualifier
            .map_or_else(|| self.name.clone(), |qualifier| format!("{qualifier}.{}", self.name))
    }
}

/// Plans expressions; holds the functions that DataFusion knows.
#[derive(Clone, Default)]
pub struct Sql {
    functions: Arc<Functions>,
}

impl std::fmt::Debug for Sql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sql")
    }
}

/// An expression bound to a schema.
#[derive(Debug, Clone)]
pub struct Expression {
    expression: Arc<dyn PhysicalExpr>,
    /// Of the schema it was planned against, the columns it reads.
    pub reads: Vec<usize>,
    /// The column that it is a plain copy of, and the members on the way where it is a part of one.
    pub copies: Option<(usize, Vec<String>)>,
    pub data_type: DataType,
    schema: SchemaRef,
    is_deep: bool,
    /// The longest constant in it, in bytes.
    constant_bytes: u64,
    place: Place,
}

impl Sql {
    /// Plans `text` over `columns`. `place` names the spec's field in messages.
    pub fn plan(&self, place: impl Into<Place>, text: &str, columns: &[SqlColumn]) -> Result<Expression> {
        let place = place.into();
        self.deeply(text, || self.planned(place.clone(), text, columns)).map_err(|why| {
            let wrong = |said: &str| Error::spec(format!("`{}`: {said}", excerpt(text))).at(&place);
            match self.missing(text, columns).first() {
                Some(name) => {
                    let known: Vec<String> = columns.iter().map(SqlColumn::full_name).collect();
                    wrong(&format!("no column `{name}`")).did_you_mean(name, known.iter().map(String::as_str))
                }
                None => wrong(&plain(&why.to_string())),
            }
        })
    }

    /// Does what goes down an expression on a stack that is large enough for it.
    fn deeply<T: Send>(&self, text: &str, work: impl FnOnce() -> DfResult<T> + Send) -> DfResult<T> {
        let is_deep = self.functions.is_deep(text)?;
        on_stack(is_deep, work)?
    }

    fn planned(&self, place: Place, text: &str, columns: &[SqlColumn]) -> DfResult<Expression> {
        let mut named = self.functions.parse(text)?;
        one_word(&mut named, columns);
        let fields = columns
            .iter()
            .map(|c| (None, Arc::new(Field::new(c.full_name(), c.data_type.clone(), true))));
        let schema = DFSchema::new_with_metadata(fields.collect(), Default::default())?;
        let parsed = self.functions.resolve(named, &schema)?;
        one_row_only(&parsed)?;
        let reads = reads(&parsed, &schema);
        let copies = copied(&parsed, &schema);
        let expression = self.physical(exact(parsed, &schema)?, &schema)?;
        let data_type = expression.data_type(schema.as_arrow())?;
        let constant_bytes = longest_constant(&expression)?;
        // What is not read is not carried along either.
        let given = |at: usize| {
            if reads.contains(&at) {
                columns[at].data_type.clone()
            } else {
                DataType::Null
            }
        };
        let positions: Vec<Field> = (0..columns.len()).map(|at| Field::new(at.to_string(), given(at), true)).collect();
        Ok(Expression {
            expression,
            reads,
            copies,
            data_type,
            schema: Arc::new(Schema::new(positions)),
            is_deep: self.functions.is_deep(text)?,
            constant_bytes,
            place,
        })
    }

    /// The names that stand in `text`, each in its parts; none where it cannot be parsed, of which planning it tells.
    pub fn names(&self, text: &str) -> Vec<Vec<String>> {
        self.deeply(text, || self.functions.parse(text).map(|parsed| all_names(&parsed)))
            .unwrap_or_default()
    }

    /// Names in `text` that are no column and no member of one.
    pub fn missing(&self, text: &str, columns: &[SqlColumn]) -> Vec<String> {
        let names = self.names(text).into_iter();
        names
            .filter(|parts| !is_known(parts, columns))
            .map(|parts| parts.join("."))
            .collect()
    }

    /// The expression that is evaluated: types fit, and functions that are only a way to write another one are written out.
    fn physical(&self, parsed: Expr, schema: &DFSchema) -> datafusion_common::Result<Arc<dyn PhysicalExpr>> {
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::new(self.functions.options().clone()))
            .build();
        let simplifier = ExprSimplifier::new(context.clone());
        let expanded = simplifier.coerce(parsed, schema)?.transform_up(|node| match &node {
            Expr::ScalarFunction(f) if SHORTHANDS.contains(&f.func.name()) => match f.func.simplify(f.args.clone(), &context)? {
                ExprSimplifyResult::Simplified(other) => Ok(Transformed::yes(other)),
                ExprSimplifyResult::Original(_) => Ok(Transformed::no(node)),
            },
            _ => Ok(Transformed::no(node)),
        })?;
        let coerced = simplifier.coerce(expanded.data, schema)?;
        let planned = create_physical_expr(&coerced, schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())?;
        strict(planned, schema.as_arrow())
    }

    /// Plans a condition: an expression that is true or not.
    pub fn plan_condition(&self, place: impl Into<Place>, text: &str, columns: &[SqlColumn]) -> Result<Expression> {
        let planned = self.plan(place, text, columns)?;
        match planned.data_type {
            DataType::Boolean | DataType::Null => Ok(planned),
            ref other => Err(Error::spec(format!("`{}` gives {other}", excerpt(text)))
                .at(&planned.place)
                .advice("a condition that is true or false is needed")),
        }
    }
}

impl Expression {
    /// Evaluates over columns in the order and of the types it was planned with; columns it does not read may be of any content.
    pub fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let failed = |e: &DataFusionError| match e {
            DataFusionError::ResourcesExhausted(what) => Error::spec(what).at(&self.place).advice("let it make less"),
            other => Error::input(plain(&other.to_string())).at(&self.place),
        };
        if rows == 0 {
            // An operation of constants may fail, and no row asks for it.
            return Ok(new_empty_array(&self.data_type));
        }
        let unread = new_null_array(&DataType::Null, rows);
        let mut given = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            given.push(if self.reads.contains(&at) {
                canonical(&for_sql(column, self.schema.field(at).data_type()))
            } else {
                Arc::clone(&unread)
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), given, &options).map_err(|e| Error::internal(e.to_string()))?;
        let evaluated = on_stack(self.is_deep, || in_pieces(self.expression.as_ref(), &batch, self.constant_bytes));
        evaluated
            .map_err(|e| Error::exhausted(format!("no stack for a deep expression: {e}")).at(&self.place))?
            .map_err(|e| failed(&e))
    }

    /// Where the condition is true among the rows of `asked`; the others are not evaluated, so that their values can raise no error.
    pub fn is_true_where(&self, asked: &BooleanBuffer, columns: &[ArrayRef]) -> Result<BooleanBuffer> {
        let rows = asked.count_set_bits();
        if rows == asked.len() {
            return self.is_true(columns, rows);
        }
        let mask = BooleanArray::new(asked.clone(), None);
        let mut chosen = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            chosen.push(match self.reads.contains(&at) {
                true => filter(column.as_ref(), &mask).map_err(|e| Error::internal(e.to_string()).at(&self.place))?,
                false => new_null_array(&DataType::Null, rows),
            });
        }
        let answers = self.is_true(&chosen, rows)?;
        let mut next = answers.iter();
        Ok(BooleanBuffer::collect_bool(asked.len(), |row| {
            asked.value(row) && next.next().unwrap_or(false)
        }))
    }

    /// Where the condition is true; NULL is not true.
    pub fn is_true(&self, columns: &[ArrayRef], rows: usize) -> Result<BooleanBuffer> {
        let answers = self.evaluate(columns, rows)?;
        if *answers.data_type() == DataType::Null {
            return Ok(BooleanBuffer::new_unset(rows));
        }
        let answers: &BooleanArray = answers.as_boolean();
        Ok(match answers.nulls() {
            Some(nulls) => answers.values() & nulls.inner(),
            None => answers.values().clone(),
        })
    }
}

/// DataFusion's optimiser writes these out and cannot evaluate them otherwise; nothing else of it is wanted here.
const SHORTHANDS: [&str; 8] = [
    "coalesce",
    "nvl",
    "nvl2",
    "cast_to_type",
    "try_cast_to_type",
    "arrow_cast",
    "arrow_try_cast",
    "ifnull",
];

/// DataFusion's messages without their wrapping words and hints of other products.
fn plain(message: &str) -> String {
    let mut text = message.trim();
    while let Some(inner) = WRAPPINGS.iter().find_map(|words| text.strip_prefix(words)) {
        text = inner.trim_start();
    }
    let said = match text.split_once("Error(\"") {
        // `ParserError("…")`: a text in Rust's own notation.
        Some((kind, rest)) if kind.chars().all(char::is_alphabetic) => {
            rest.trim_end_matches(')').trim_end_matches('"').replace("\\\"", "\"")
        }
        Some(_) | None => text.to_owned(),
    };
    said.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// What DataFusion puts before the words that say what is wrong.
const WRAPPINGS: [&str; 14] = [
    "Error during planning: ",
    "SQL error: ",
    "Schema error: ",
    "Arrow error: ",
    "This feature is not implemented: ",
    "Execution error: ",
    "Compute error: ",
    "Cast error: ",
    "Parser error: ",
    "External error: ",
    "Arithmetic overflow: ",
    "Invalid argument error: ",
    "type_coercion",
    "caused by",
];

fn one_row_only(expression: &Expr) -> DfResult<()> {
    let mut found = None;
    let walked = expression.apply(|node| {
        found = match node {
            Expr::AggregateFunction(f) => Some(format!("`{}` needs more than one row", f.func.name())),
            Expr::WindowFunction(f) => Some(format!("`{}` needs more than one row", f.fun.name())),
            Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) => Some("a subquery needs more than one row".into()),
            Expr::ScalarFunction(f) if f.func.signature().volatility == Volatility::Volatile || is_clock(f.func.name()) => {
                Some(format!("`{}` gives another answer each time", f.func.name()))
            }
            _ => None,
        };
        Ok(if found.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    walked?;
    found.map_or(Ok(()), |why: String| plan_err!("{why}"))
}

fn is_clock(function: &str) -> bool {
    ["now", "current_date", "current_time", "current_timestamp", "today", "version"].contains(&function)
}

/// The column that an expression copies, and the members of it on the way to what is copied.
fn copied(expression: &Expr, schema: &DFSchema) -> Option<(usize, Vec<String>)> {
    match expression {
        Expr::Alias(alias) => copied(&alias.expr, schema),
        Expr::Column(column) => Some((schema.index_of_column(column).ok()?, Vec::new())),
        Expr::ScalarFunction(f) if f.func.name() == "get_field" => {
            let (whole, names) = f.args.split_first()?;
            let (column, mut members) = copied(whole, schema)?;
            for name in names {
                let Expr::Literal(value, _) = name else { return None };
                members.push(value.try_as_str().flatten()?.to_owned());
            }
            Some((column, members))
        }
        _ => None,
    }
}

fn reads(expression: &Expr, schema: &DFSchema) -> Vec<usize> {
    let found: BTreeSet<usize> = expression
        .column_refs()
        .into_iter()
        .filter_map(|column| schema.index_of_column(column).ok())
        .collect();
    found.into_iter().collect()
}

#[cfg(test)]
mod tests;
mod wrapped;
