//! SQL over one row: planned against a schema, evaluated on record batches by DataFusion.
//!
//! Names are exact, upper and lower case kept. What needs more than one row, or gives another answer another day, is refused. Doubles are
//! normalised before they are looked at (-0.0 is 0.0, one NaN, which sorts above all numbers), so that layout and bits never matter.

mod functions;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StructArray, make_array, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter;
use datafusion_common::DFSchema;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{Expr, ExprSchemable, Volatility};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::expressions::BinaryExpr;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion_sql::sqlparser::ast::{self, AccessExpr, visit_expressions, visit_expressions_mut};
use functions::Functions;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::spec::nearest;
use shadowdiff_core::value::for_sql;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A column that an expression may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlColumn {
    /// `live_row`, `shadow_row`, or none.
    pub qualifier: Option<&'static str>,
    pub name: String,
    pub data_type: DataType,
}

impl SqlColumn {
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
    pub data_type: DataType,
    schema: SchemaRef,
    place: String,
}

impl Sql {
    /// Plans `text` over `columns`. `place` names the spec's field in messages.
    pub fn plan(&self, place: &str, text: &str, columns: &[SqlColumn]) -> Result<Expression> {
        let wrong = |why: &dyn std::fmt::Display| {
            let said = match self.missing(text, columns).first() {
                Some(name) => no_column(name, columns),
                None => plain(&why.to_string()),
            };
            Error::spec(format!("{place}: `{text}`: {said}"))
        };
        let named = self.one_word_names(text, columns).map_err(|e| wrong(&e))?;
        let fields = columns
            .iter()
            .map(|c| (None, Arc::new(Field::new(c.full_name(), c.data_type.clone(), true))));
        let schema = DFSchema::new_with_metadata(fields.collect(), Default::default()).map_err(|e| wrong(&e))?;
        let parsed = self.functions.resolve(named, &schema).map_err(|e| wrong(&e))?;
        one_row_only(&parsed).map_err(|why| wrong(&why))?;
        let reads = reads(&parsed, &schema);
        let expression = self.physical(parsed.clone(), &schema).and_then(checked).map_err(|e| wrong(&e))?;
        let data_type = expression
            .data_type(schema.as_arrow())
            .or_else(|_| parsed.get_type(&schema))
            .map_err(|e| wrong(&e))?;
        let positions: Vec<Field> = columns
            .iter()
            .enumerate()
            .map(|(i, c)| Field::new(format!("{i}:{}", c.name), c.data_type.clone(), true))
            .collect();
        Ok(Expression {
            expression,
            reads,
            data_type,
            schema: Arc::new(Schema::new(positions)),
            place: place.to_owned(),
        })
    }

    /// The names that stand in `text`, each in its parts; none where it cannot be parsed, of which planning it tells.
    pub fn names(&self, text: &str) -> Vec<Vec<String>> {
        let mut names = Vec::new();
        if let Ok(parsed) = self.functions.parse(text) {
            let _ = visit_expressions(&parsed, |expression| {
                names.extend(name_of(expression).map(|(parts, _)| parts));
                ControlFlow::<()>::Continue(())
            });
        }
        names
    }

    /// Names in `text` that are no column and no member of one.
    pub fn missing(&self, text: &str, columns: &[SqlColumn]) -> Vec<String> {
        let names = self.names(text).into_iter();
        names
            .filter(|parts| !is_known(parts, columns))
            .map(|parts| parts.join("."))
            .collect()
    }

    /// Writes `live_row.x` and `profile.score` as one quoted name each, so that no name of the data can be taken for another. What the
    /// longest name of a column leaves over are members of it: `live_row.p.x` may be the member `x` of the column `p`.
    fn one_word_names(&self, text: &str, columns: &[SqlColumn]) -> datafusion_common::Result<ast::Expr> {
        let mut parsed = self.functions.parse(text)?;
        let _ = visit_expressions_mut(&mut parsed, |expression| {
            if let Some((parts, rest)) = name_of(expression)
                && parts.len() > 1
                && let Some(length) = longest_name(&parts, |name| columns.iter().any(|c| c.full_name() == name))
            {
                let root = ast::Expr::Identifier(ast::Ident::with_quote('"', parts[..length].join(".")));
                let members: Vec<AccessExpr> = parts[length..]
                    .iter()
                    .map(|m| member_access(m))
                    .chain(rest.iter().cloned())
                    .collect();
                *expression = if members.is_empty() {
                    root
                } else {
                    ast::Expr::CompoundFieldAccess {
                        root: Box::new(root),
                        access_chain: members,
                    }
                };
            }
            ControlFlow::<()>::Continue(())
        });
        Ok(parsed)
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
        create_physical_expr(&coerced, schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())
    }

    /// Plans a condition: an expression that is true or not.
    pub fn plan_condition(&self, place: &str, text: &str, columns: &[SqlColumn]) -> Result<Expression> {
        let planned = self.plan(place, text, columns)?;
        match planned.data_type {
            DataType::Boolean | DataType::Null => Ok(planned),
            ref other => Err(Error::spec(format!(
                "{place}: `{text}` gives {other}; a condition that is true or false is needed"
            ))),
        }
    }
}

impl Expression {
    /// Evaluates over columns in the order and of the types it was planned with; columns it does not read may be of any content.
    pub fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let failed = |e: &dyn std::fmt::Display| Error::input(format!("{}: {}", self.place, plain(&e.to_string())));
        let mut given = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            let form = self.schema.field(at).data_type();
            given.push(match self.reads.contains(&at) {
                true => normal(&for_sql(column, form)),
                false if column.data_type() == form => column.clone(),
                false => new_null_array(form, column.len()),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), given, &options).map_err(|e| Error::internal(e.to_string()))?;
        let value = self.expression.evaluate(&batch).map_err(|e| failed(&e))?;
        value.into_array(rows).map_err(|e| failed(&e))
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
                true => filter(column.as_ref(), &mask).map_err(|e| Error::internal(format!("{}: {e}", self.place)))?,
                false => new_null_array(column.data_type(), rows),
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

/// The parts of a name, and what is taken out of it after them: `live_row.p`, and `['x']`.
fn name_of(expression: &ast::Expr) -> Option<(Vec<String>, &[AccessExpr])> {
    match expression {
        ast::Expr::Identifier(one) => Some((vec![one.value.clone()], &[])),
        ast::Expr::CompoundIdentifier(parts) => Some((parts.iter().map(|p| p.value.clone()).collect(), &[])),
        ast::Expr::CompoundFieldAccess { root, access_chain } => {
            let (mut parts, []) = name_of(root)? else { return None };
            let dotted = access_chain.iter().map_while(|access| match access {
                AccessExpr::Dot(ast::Expr::Identifier(part)) => Some(part.value.clone()),
                AccessExpr::Dot(_) | AccessExpr::Subscript(_) => None,
            });
            let before = parts.len();
            parts.extend(dotted);
            let rest = &access_chain[parts.len() - before..];
            Some((parts, rest))
        }
        _ => None,
    }
}

/// Of how many parts the longest beginning of a name is that is known.
pub fn longest_name(parts: &[String], is_known: impl Fn(&str) -> bool) -> Option<usize> {
    (1..=parts.len()).rev().find(|length| is_known(&parts[..*length].join(".")))
}

fn member_access(name: &str) -> AccessExpr {
    let index = ast::Expr::value(ast::Value::SingleQuotedString(name.to_owned()));
    AccessExpr::Subscript(ast::Subscript::Index { index })
}

/// Whether a name is a column, or a member of one.
fn is_known(parts: &[String], columns: &[SqlColumn]) -> bool {
    let find = |name: &str| columns.iter().find(|c| c.full_name() == name);
    let Some(length) = longest_name(parts, |name| find(name).is_some()) else {
        return false;
    };
    let mut at = find(&parts[..length].join(".")).map(|c| &c.data_type);
    for part in &parts[length..] {
        at = match at {
            Some(DataType::Struct(members)) => members.find(part).map(|(_, member)| member.data_type()),
            Some(_) | None => None,
        };
    }
    at.is_some()
}

fn no_column(name: &str, columns: &[SqlColumn]) -> String {
    let known: Vec<String> = columns.iter().map(SqlColumn::full_name).collect();
    let near = nearest(name, known.iter().map(String::as_str))
        .map(|n| format!("; did you mean `{n}`"))
        .unwrap_or_default();
    format!("no column `{name}`{near}")
}

/// DataFusion's messages without their wrapping words and hints of other products.
fn plain(message: &str) -> String {
    let mut text = message.trim();
    for prefix in [
        "Error during planning: ",
        "SQL error: ",
        "Schema error: ",
        "Arrow error: ",
        "This feature is not implemented: ",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

fn one_row_only(expression: &Expr) -> Result<(), String> {
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
    walked.map_err(|e| e.to_string())?;
    found.map_or(Ok(()), Err)
}

/// The same expression, in which integer arithmetic that does not fit is an error instead of wrapping.
fn checked(expression: Arc<dyn PhysicalExpr>) -> datafusion_common::Result<Arc<dyn PhysicalExpr>> {
    let transformed = expression.transform_up(|node| {
        let node_ref: &dyn PhysicalExpr = node.as_ref();
        let Some(binary) = node_ref.downcast_ref::<BinaryExpr>() else {
            return Ok(Transformed::no(node));
        };
        let strict = BinaryExpr::new(Arc::clone(binary.left()), *binary.op(), Arc::clone(binary.right())).with_fail_on_overflow(true);
        Ok(Transformed::yes(Arc::new(strict) as Arc<dyn PhysicalExpr>))
    })?;
    Ok(transformed.data)
}

fn is_clock(function: &str) -> bool {
    ["now", "current_date", "current_time", "current_timestamp", "today", "version"].contains(&function)
}

fn reads(expression: &Expr, schema: &DFSchema) -> Vec<usize> {
    let found: BTreeSet<usize> = expression
        .column_refs()
        .into_iter()
        .filter_map(|column| schema.index_of_column(column).ok())
        .collect();
    found.into_iter().collect()
}

/// Doubles with -0.0 as 0.0 and one NaN, those in structs too; a member of a struct that is NULL is NULL, whatever lies beneath.
fn normal(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float64 => Arc::new(
            column
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|v| if v.is_nan() { f64::NAN } else { v + 0.0 }),
        ),
        DataType::Float32 => Arc::new(
            column
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|v| if v.is_nan() { f32::NAN } else { v + 0.0 }),
        ),
        DataType::Struct(fields) if !fields.is_empty() => {
            let whole = column.as_struct();
            let members = whole
                .columns()
                .iter()
                .map(|member| normal(&beneath(member, whole.nulls())))
                .collect();
            let nullable = fields.iter().map(|f| Arc::new(f.as_ref().clone().with_nullable(true))).collect();
            Arc::new(StructArray::new(nullable, members, whole.nulls().cloned()))
        }
        _ => column.clone(),
    }
}

fn beneath(member: &ArrayRef, nulls: Option<&NullBuffer>) -> ArrayRef {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 && *member.data_type() != DataType::Null => {
            let all = NullBuffer::union(member.nulls(), Some(nulls));
            let data = member.to_data().into_builder().nulls(all).build();
            make_array(data.expect("NULLs over valid data are valid"))
        }
        Some(_) | None => Arc::clone(member),
    }
}

#[cfg(test)]
mod tests;
