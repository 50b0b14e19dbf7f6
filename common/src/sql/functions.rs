//! What expressions are planned with: DataFusion's functions, planners and options.
//!
//! DataFusion's sessions hold the same and much more besides: catalogs, file formats, optimisers of whole plans. Nothing of that is used
//! here, and it takes long to build.

use super::limits::{MAX_DEPTH, flatten, is_deep};
use super::names::as_written;
use arrow_schema::DataType;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DFSchema, Result, TableReference, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::{AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion_functions::core::planner::CoreFunctionPlanner;
use datafusion_functions::datetime::planner::DatetimeFunctionPlanner;
use datafusion_functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion_functions_aggregate::planner::AggregateFunctionPlanner;
use datafusion_functions_nested::planner::{FieldAccessPlanner, NestedFunctionPlanner};
use datafusion_functions_window::planner::WindowFunctionPlanner;
use datafusion_sql::parser::DFParserBuilder;
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion_sql::sqlparser::ast;
use datafusion_sql::sqlparser::dialect::GenericDialect;
use std::collections::BTreeMap;
use std::sync::Arc;

/// More than the parser goes down for an expression of the depth that we allow.
const PARSER_CALLS: usize = 4 * MAX_DEPTH;

/// Functions by each of their names. Aggregate and window functions are there to be refused by name.
pub(super) struct Functions {
    scalar: BTreeMap<String, Arc<ScalarUDF>>,
    higher_order: BTreeMap<String, Arc<HigherOrderUDF>>,
    aggregate: BTreeMap<String, Arc<AggregateUDF>>,
    window: BTreeMap<String, Arc<WindowUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl Default for Functions {
    /// All functions; names keep upper and lower case, times without a zone are UTC.
    fn default() -> Self {
        let mut options = ConfigOptions::default();
        options.sql_parser.enable_ident_normalization = false;
        options.execution.time_zone = Some("UTC".to_owned());
        let scalar = datafusion_functions::all_default_functions()
            .into_iter()
            .chain(datafusion_functions_nested::all_default_nested_functions())
            .map(|function| function.inner().with_updated_config(&options).map_or(function, Arc::new));
        Functions {
            scalar: by_name(scalar, |f| (f.name(), f.aliases())),
            higher_order: by_name(datafusion_functions_nested::all_default_higher_order_functions(), |f| {
                (f.name(), f.aliases())
            }),
            aggregate: by_name(datafusion_functions_aggregate::all_default_aggregate_functions(), |f| {
                (f.name(), f.aliases())
            }),
            window: by_name(datafusion_functions_window::all_default_window_functions(), |f| {
                (f.name(), f.aliases())
            }),
            planners: vec![
                Arc::new(CoreFunctionPlanner::default()),
                Arc::new(NestedFunctionPlanner),
                Arc::new(FieldAccessPlanner),
                Arc::new(DatetimeFunctionPlanner),
                Arc::new(UnicodeFunctionPlanner),
                Arc::new(AggregateFunctionPlanner),
                Arc::new(WindowFunctionPlanner),
            ],
            options,
        }
    }
}

fn by_name<F>(functions: impl IntoIterator<Item = Arc<F>>, names: impl Fn(&F) -> (&str, &[String])) -> BTreeMap<String, Arc<F>> {
    let mut found = BTreeMap::new();
    for function in functions {
        let (name, aliases) = names(&function);
        for name in aliases.iter().map(String::as_str).chain([name]) {
            found.insert(name.to_owned(), Arc::clone(&function));
        }
    }
    found
}

impl Functions {
    /// Whether an expression needs a larger stack; an error where it is longer or deeper than we go.
    pub(super) fn is_deep(&self, text: &str) -> Result<bool> {
        is_deep(text, &GenericDialect {})
    }

    /// The syntax tree of one expression.
    pub(super) fn parse(&self, text: &str) -> Result<ast::Expr> {
        let builder = DFParserBuilder::new(text).with_dialect(&GenericDialect {});
        let mut parsed = builder.with_recursion_limit(PARSER_CALLS).build()?.parse_into_expr()?.expr;
        flatten(&mut parsed);
        as_written(&mut parsed);
        Ok(parsed)
    }

    /// An expression over the columns of `schema`, its names and functions found.
    pub(super) fn resolve(&self, parsed: ast::Expr, schema: &DFSchema) -> Result<Expr> {
        let options = ParserOptions::from(&self.options.sql_parser);
        SqlToRel::new_with_options(self, options).sql_to_expr(parsed, schema, &mut PlannerContext::new())
    }

    pub(super) fn options(&self) -> &ConfigOptions {
        &self.options
    }
}

impl ContextProvider for Functions {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        plan_err!("there is no table {name}: an expression sees one row")
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalar.get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.higher_order.get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregate.get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.window.get(name).cloned()
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.scalar.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.higher_order.keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.aggregate.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.window.keys().cloned().collect()
    }
}
