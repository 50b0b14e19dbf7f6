//! Names in the text of an expression: which they are, and how they are told from each other.

use super::SqlColumn;
use arrow_schema::DataType;
use datafusion_sql::sqlparser::ast::{self, AccessExpr, BinaryOperator, CastKind, ExactNumberInfo, UnaryOperator, Value};
use datafusion_sql::sqlparser::ast::{visit_expressions, visit_expressions_mut};
use std::ops::ControlFlow;

/// All names, each in its parts.
pub(super) fn all_names(parsed: &ast::Expr) -> Vec<Vec<String>> {
    let mut names = Vec::new();
    let _ = visit_expressions(parsed, |expression| {
        names.extend(name_of(expression).map(|(parts, _)| parts));
        ControlFlow::<()>::Continue(())
    });
    names
}

/// Writes `live_row.x` and `profile.score` as one quoted name each, so that no name of the data can be taken for another. What the
/// longest name of a column leaves over are members of it: `live_row.p.x` may be the member `x` of the column `p`.
pub(super) fn one_word(parsed: &mut ast::Expr, columns: &[SqlColumn]) {
    let _ = visit_expressions_mut(parsed, |expression| {
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
}

/// Keeps the digits of constant numbers that are compared: the engine makes a double of one with a fraction, or of one too long.
pub(super) fn as_written(parsed: &mut ast::Expr) {
    let _ = visit_expressions_mut(parsed, |expression| {
        match expression {
            ast::Expr::BinaryOp { left, op, right } if compares(op) => [left, right].into_iter().for_each(|side| keep_digits(side)),
            ast::Expr::IsDistinctFrom(left, right) | ast::Expr::IsNotDistinctFrom(left, right) => {
                [left, right].into_iter().for_each(|side| keep_digits(side));
            }
            ast::Expr::Between { low, high, .. } => [low, high].into_iter().for_each(|side| keep_digits(side)),
            ast::Expr::InList { list, .. } => list.iter_mut().for_each(keep_digits),
            ast::Expr::Case {
                operand: Some(_),
                conditions,
                ..
            } => conditions.iter_mut().for_each(|when| keep_digits(&mut when.condition)),
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
}

fn compares(operator: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn keep_digits(side: &mut ast::Expr) {
    if let Some(text) = digits(side).filter(|text| text.parse::<i64>().is_err() && text.parse::<u64>().is_err()) {
        *side = ast::Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(ast::Expr::value(Value::SingleQuotedString(text))),
            data_type: ast::DataType::Double(ExactNumberInfo::None),
            array: false,
            format: None,
        };
    }
}

fn digits(side: &ast::Expr) -> Option<String> {
    match side {
        ast::Expr::Nested(inner) => digits(inner),
        ast::Expr::Value(value) => match &value.value {
            Value::Number(text, _) => Some(text.replace('_', "")),
            _ => None,
        },
        ast::Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match expr.as_ref() {
            ast::Expr::Value(_) => digits(expr).map(|text| format!("-{text}")),
            _ => None,
        },
        _ => None,
    }
}

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
    let index = ast::Expr::value(Value::SingleQuotedString(name.to_owned()));
    AccessExpr::Subscript(ast::Subscript::Index { index })
}

/// Whether a name is a column, or a member of one.
pub(super) fn is_known(parts: &[String], columns: &[SqlColumn]) -> bool {
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
