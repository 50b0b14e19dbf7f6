//! Writes out what the engine would compare in a type that cannot hold it: comparisons of times and decimals are made by value (`compare`).
//!
//! So are BETWEEN, IN, `nullif` and CASE with an operand. Where values are chosen among (CASE, `coalesce`, `greatest`), they meet in a type
//! that holds them all, if there is one; a constant takes the type that it needs, not nanoseconds or a double.

use super::compare::{Kind, comparison, is_comparison, is_text, time_of};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field, TimeUnit};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion_expr::expr::{BinaryExpr, InList, ScalarFunction};
use datafusion_expr::{Between, Case, Cast, Expr, ExprSchemable, Operator, lit};
use shadowdiff_core::value::{DAY_NS, Number};
use std::sync::Arc;

/// The same expression, of which comparisons are exact; over columns of `schema`.
pub(super) fn exact(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    let rewrite = |node| Rewrite { schema }.node(node).map(Transformed::yes);
    Ok(expression.transform_up(rewrite)?.data)
}

struct Rewrite<'a> {
    schema: &'a DFSchema,
}

impl Rewrite<'_> {
    fn node(&self, node: Expr) -> Result<Expr> {
        match node {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => self.compare(*left, op, *right),
            Expr::BinaryExpr(chain) if chain.op == Operator::Minus => self.difference(chain),
            Expr::BinaryExpr(chain) => Ok(self.typed(chain)),
            Expr::Between(between) => self.between(between),
            Expr::InList(list) => self.in_list(list),
            Expr::Case(case) => self.case(case),
            Expr::ScalarFunction(function) => self.function(function),
            Expr::Cast(cast) => Ok(time_constant(cast)),
            other => Ok(other),
        }
    }

    /// A time less a time: both in one unit that holds them, where a constant would ask for nanoseconds.
    fn difference(&self, chain: BinaryExpr) -> Result<Expr> {
        let is_timestamp = |side: &Expr| matches!(side.get_type(self.schema), Ok(DataType::Timestamp(_, _)));
        if !is_timestamp(&chain.left) || !is_timestamp(&chain.right) {
            return Ok(self.typed(chain));
        }
        let sides = self.together(vec![*chain.left, *chain.right])?.into_iter();
        let less = |left, right| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), Operator::Minus, Box::new(right)));
        Ok(sides.reduce(less).expect("two sides have a difference"))
    }

    /// Every so often a long chain says its type. The engine asks each operator for its type, and that asks all beneath it, so that a sum of
    /// six hundred terms took seconds to plan.
    fn typed(&self, chain: BinaryExpr) -> Expr {
        let is_long = length(&chain, |link| &link.left) >= UNTYPED_LINKS || length(&chain, |link| &link.right) >= UNTYPED_LINKS;
        let chain = Expr::BinaryExpr(chain);
        if !is_long {
            return chain;
        }
        match chain.get_type(self.schema) {
            Ok(own) => Expr::Cast(Cast::new_from_field(Box::new(chain), Arc::new(Field::new("typed", own, true)))),
            Err(_) => chain,
        }
    }

    fn compare(&self, left: Expr, operator: Operator, right: Expr) -> Result<Expr> {
        let Some(kind) = self.kind(&left, &right) else {
            return Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right))));
        };
        let (left, right) = (constant_text(self.bare(&left), kind)?, constant_text(self.bare(&right), kind)?);
        Ok(comparison(kind, left, operator, right))
    }

    /// How two sides are compared where the engine cannot do it without a cast.
    fn kind(&self, left: &Expr, right: &Expr) -> Option<Kind> {
        let (a, b) = (left.get_type(self.schema).ok()?, right.get_type(self.schema).ok()?);
        let is_number = |t: &DataType| t.is_numeric() || is_text(t);
        let is_length = |t: &DataType| matches!(t, DataType::Duration(_));
        let is_clock = |t: &DataType| matches!(t, DataType::Time32(_) | DataType::Time64(_));
        if is_time(&a) && (is_time(&b) || is_text(&b)) || is_text(&a) && is_time(&b) {
            let bare = self.bare(left).get_type(self.schema).ok()?;
            let is_one = bare == self.bare(right).get_type(self.schema).ok()? && is_time(&bare);
            return (!is_one).then_some(Kind::Time);
        }
        if a == b {
            return None;
        }
        if is_length(&a) && is_length(&b) || is_clock(&a) && is_clock(&b) {
            return Some(Kind::Time);
        }
        (a.is_decimal() && is_number(&b) || is_number(&a) && b.is_decimal()).then_some(Kind::Number)
    }

    /// A time without a cast to nanoseconds or another finer type, which would change no value and may not hold it.
    fn bare(&self, side: &Expr) -> Expr {
        let Expr::Cast(cast) = side else { return side.clone() };
        match (cast.expr.get_type(self.schema), cast.field.data_type()) {
            (Ok(DataType::Date32), DataType::Timestamp(_, zone)) if is_utc(zone.as_deref()) => self.bare(&cast.expr),
            (Ok(DataType::Timestamp(from, old)), DataType::Timestamp(to, new))
                if rank(from) <= rank(*to) && is_utc(old.as_deref()) && is_utc(new.as_deref()) =>
            {
                self.bare(&cast.expr)
            }
            (Ok(text), DataType::Timestamp(TimeUnit::Nanosecond, zone)) if is_text(&text) && is_utc(zone.as_deref()) => {
                (*cast.expr).clone()
            }
            (_, _) => side.clone(),
        }
    }

    fn between(&self, between: Between) -> Result<Expr> {
        let Between { expr, negated, low, high } = between;
        let is_exact = |bound: &Expr| self.kind(&expr, bound).is_some();
        if !is_exact(&low) && !is_exact(&high) {
            return Ok(Expr::Between(Between::new(expr, negated, low, high)));
        }
        let inside = self
            .compare((*expr).clone(), Operator::GtEq, *low)?
            .and(self.compare(*expr, Operator::LtEq, *high)?);
        Ok(not_if(negated, inside))
    }

    /// Constants take the type of what is looked for; one that this cannot hold is never equal. Other members are compared one by one, those
    /// that a row needs: the engine leaves off where all rows of a batch are found.
    fn in_list(&self, list: InList) -> Result<Expr> {
        let InList { expr, list, negated } = list;
        if list.iter().all(|member| is_constant(member) && self.kind(&expr, member).is_none()) {
            return Ok(Expr::InList(InList::new(expr, list, negated)));
        }
        let sought = self.bare(&expr);
        let data_type = sought.get_type(self.schema)?;
        if let Some(members) = constants_of(&data_type, &list)? {
            let found = match members.is_empty() {
                true => sought.is_null().and(lit(ScalarValue::Boolean(None))),
                false => Expr::InList(InList::new(Box::new(sought), members, false)),
            };
            return Ok(not_if(negated, found));
        }
        let equal = |member| self.compare((*expr).clone(), Operator::Eq, member);
        let any = list.into_iter().map(equal).collect::<Result<Vec<_>>>()?;
        Ok(not_if(negated, any.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false))))
    }

    fn case(&self, case: Case) -> Result<Expr> {
        let Case {
            mut expr,
            when_then_expr,
            mut else_expr,
        } = case;
        let (mut conditions, mut results): (Vec<Expr>, Vec<Expr>) = when_then_expr.into_iter().map(|(when, then)| (*when, *then)).unzip();
        let is_exact = |operand: &Expr, when: &Expr| self.kind(operand, when).is_some();
        if let Some(operand) = expr.take_if(|operand| conditions.iter().any(|when| is_exact(operand, when))) {
            let equal = |when| self.compare((*operand).clone(), Operator::Eq, when);
            conditions = conditions.into_iter().map(equal).collect::<Result<_>>()?;
        }
        results.extend(else_expr.take().map(|e| *e));
        let mut results = self.together(results)?;
        let else_expr = (results.len() > conditions.len()).then(|| results.pop()).flatten();
        let pairs = conditions.into_iter().zip(results);
        Ok(Expr::Case(Case::new(
            expr,
            pairs.map(|(when, then)| (Box::new(when), Box::new(then))).collect(),
            else_expr.map(Box::new),
        )))
    }

    fn function(&self, mut function: ScalarFunction) -> Result<Expr> {
        match function.func.name() {
            "nullif" if function.args.len() == 2 => {
                let right = function.args.remove(1);
                let left = function.args.remove(0);
                if self.kind(&left, &right).is_none() {
                    function.args = vec![left, right];
                    return Ok(Expr::ScalarFunction(function));
                }
                let equal = self.compare(left.clone(), Operator::Eq, right)?;
                let null = lit(ScalarValue::try_from(left.get_type(self.schema)?)?);
                Ok(Expr::Case(Case::new(
                    None,
                    vec![(Box::new(equal), Box::new(null))],
                    Some(Box::new(left)),
                )))
            }
            "coalesce" | "nvl" | "ifnull" | "greatest" | "least" => {
                function.args = self.together(function.args)?;
                Ok(Expr::ScalarFunction(function))
            }
            _ => Ok(Expr::ScalarFunction(function)),
        }
    }

    /// Values of which one is chosen, in a type that holds them all; as they are where the engine's choice loses nothing.
    fn together(&self, values: Vec<Expr>) -> Result<Vec<Expr>> {
        let types: Vec<DataType> = values.iter().map(|v| v.get_type(self.schema)).collect::<Result<_>>()?;
        let mut known = types.iter().filter(|t| **t != DataType::Null);
        let first = known.next();
        if first.is_none() || known.all(|t| Some(t) == first) {
            return Ok(values);
        }
        let Some(target) = common_time(&values, &types)?.or_else(|| common_decimal(&values, &types)) else {
            return Ok(values);
        };
        let cast = |value: Expr| match constant_as(&target, &value)? {
            Some(constant) => Ok(constant),
            None => Ok(Expr::Cast(Cast::new(Box::new(value), target.clone()))),
        };
        values.into_iter().map(cast).collect()
    }
}

/// So many operators in a row do not say their type.
const UNTYPED_LINKS: usize = 32;

/// How many operators follow each other on one side.
fn length(chain: &BinaryExpr, side: impl Fn(&BinaryExpr) -> &Expr) -> usize {
    let mut links = 1;
    let mut next = side(chain);
    while let Expr::BinaryExpr(link) = next {
        links += 1;
        next = side(link);
    }
    links
}

fn not_if(negated: bool, condition: Expr) -> Expr {
    if negated { Expr::Not(Box::new(condition)) } else { condition }
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _))
}

/// Naive times are read as UTC.
fn is_utc(zone: Option<&str>) -> bool {
    matches!(zone, None | Some("UTC" | "+00:00"))
}

fn rank(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

fn ns_of(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// `TIMESTAMP '9999-12-31'`, which the engine makes of nanoseconds: in microseconds where those do not reach.
fn time_constant(cast: Cast) -> Expr {
    let DataType::Timestamp(TimeUnit::Nanosecond, zone) = cast.field.data_type() else {
        return Expr::Cast(cast);
    };
    let Some(ns) = text_of(&cast.expr)
        .filter(|_| is_utc(zone.as_deref()))
        .and_then(|text| time_of(text).ok())
    else {
        return Expr::Cast(cast);
    };
    let value = match (i64::try_from(ns), i64::try_from(ns / 1_000)) {
        (Ok(ns), _) => ScalarValue::TimestampNanosecond(Some(ns), zone.clone()),
        (Err(_), Ok(us)) if ns % 1_000 == 0 => ScalarValue::TimestampMicrosecond(Some(us), zone.clone()),
        (Err(_), _) => return Expr::Cast(cast),
    };
    lit(value)
}

fn is_constant(value: &Expr) -> bool {
    match value {
        Expr::Literal(_, _) => true,
        Expr::Cast(cast) => is_constant(&cast.expr),
        Expr::Negative(inner) => is_constant(inner),
        _ => false,
    }
}

fn text_of(value: &Expr) -> Option<&str> {
    match value {
        Expr::Literal(literal, _) => literal.try_as_str().flatten(),
        _ => None,
    }
}

/// A constant as the comparison reads it: text is checked, a double beside decimals is the number as it is written.
fn constant_text(side: Expr, kind: Kind) -> Result<Expr> {
    match kind {
        Kind::Time => {
            if let Some(text) = text_of(&side) {
                time_of(text)?;
            }
            Ok(side)
        }
        Kind::Number => Ok(match number_text(&side)? {
            Some(text) => lit(text),
            None => side,
        }),
    }
}

/// The digits of a constant number, as they are written (`'0.10'`, or a cast of text to a double, see `names::as_written`) or print.
fn number_text(value: &Expr) -> Result<Option<String>> {
    let text = match value {
        Expr::Literal(ScalarValue::Float64(Some(v)), _) if v.is_finite() => v.to_string(),
        Expr::Literal(ScalarValue::Int64(Some(v)), _) => v.to_string(),
        Expr::Literal(ScalarValue::UInt64(Some(v)), _) => v.to_string(),
        Expr::Cast(cast) if *cast.field.data_type() == DataType::Float64 => match text_of(&cast.expr) {
            Some(text) if Number::parse(text.trim()).is_some() => text.trim().to_owned(),
            Some(_) | None => return Ok(None),
        },
        other => match text_of(other) {
            Some(text) if Number::parse(text.trim()).is_some() => text.trim().to_owned(),
            Some(text) => return exec_err!("`{text}` is not a number"),
            None => return Ok(None),
        },
    };
    Ok(Some(text))
}

/// Nanoseconds of a constant time.
fn constant_ns(value: &Expr) -> Result<Option<i128>> {
    let Expr::Literal(literal, _) = value else { return Ok(None) };
    Ok(match literal {
        ScalarValue::Date32(Some(days)) => Some(i128::from(*days) * DAY_NS),
        ScalarValue::TimestampSecond(Some(ticks), _) => Some(i128::from(*ticks) * ns_of(TimeUnit::Second)),
        ScalarValue::TimestampMillisecond(Some(ticks), _) => Some(i128::from(*ticks) * ns_of(TimeUnit::Millisecond)),
        ScalarValue::TimestampMicrosecond(Some(ticks), _) => Some(i128::from(*ticks) * ns_of(TimeUnit::Microsecond)),
        ScalarValue::TimestampNanosecond(Some(ticks), _) => Some(i128::from(*ticks)),
        other => match other.try_as_str().flatten() {
            Some(text) => Some(time_of(text)?),
            None => None,
        },
    })
}

/// `DATE '2025-01-01'` is a constant of days.
fn date_constant(value: &Expr) -> Result<Option<i128>> {
    match value {
        Expr::Cast(cast) if *cast.field.data_type() == DataType::Date32 => text_of(&cast.expr).map(time_of).transpose(),
        other => constant_ns(other),
    }
}

/// The constants that a type holds exactly, in it; `None` where a member is not a constant.
fn constants_of(data_type: &DataType, list: &[Expr]) -> Result<Option<Vec<Expr>>> {
    let mut members = Vec::new();
    for member in list {
        let is_constant = match data_type {
            t if is_time(t) => date_constant(member)?.is_some(),
            t if t.is_decimal() => number_text(member)?.is_some(),
            _ => false,
        };
        match (constant_as(data_type, member)?, is_constant) {
            (Some(constant), _) => members.push(constant),
            (None, true) => {}
            (None, false) => return Ok(None),
        }
    }
    Ok(Some(members))
}

/// A constant in a type, or `None` where it is not a constant or the type does not hold it exactly.
fn constant_as(target: &DataType, value: &Expr) -> Result<Option<Expr>> {
    if matches!(value, Expr::Literal(literal, _) if literal.is_null()) {
        return Ok(Some(lit(ScalarValue::try_from(target)?)));
    }
    match target {
        DataType::Date32 => {
            let days = date_constant(value)?.filter(|ns| ns % DAY_NS == 0).map(|ns| ns / DAY_NS);
            Ok(days
                .and_then(|days| i32::try_from(days).ok())
                .map(|days| lit(ScalarValue::Date32(Some(days)))))
        }
        DataType::Timestamp(unit, zone) => {
            let ticks = date_constant(value)?
                .filter(|ns| ns % ns_of(*unit) == 0)
                .map(|ns| ns / ns_of(*unit));
            let ticks = ticks.and_then(|ticks| i64::try_from(ticks).ok());
            let zone = zone.clone();
            Ok(ticks.map(|ticks| {
                lit(match unit {
                    TimeUnit::Second => ScalarValue::TimestampSecond(Some(ticks), zone),
                    TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(Some(ticks), zone),
                    TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(ticks), zone),
                    TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(Some(ticks), zone),
                })
            }))
        }
        decimal if decimal.is_decimal() => Ok(number_text(value)?.and_then(|text| decimal_constant(decimal, &text)).map(lit)),
        _ => Ok(None),
    }
}

fn decimal_constant(target: &DataType, text: &str) -> Option<ScalarValue> {
    let (DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale)) = target else {
        return None;
    };
    let unscaled = Number::parse(text)?.mul(&Number::new(1, -i32::from(*scale)));
    let digits = unscaled.normalized().to_string();
    if digits.contains('.') || digits.trim_start_matches('-').len() > usize::from(*precision) {
        return None;
    }
    Some(match target {
        DataType::Decimal128(_, _) => ScalarValue::Decimal128(Some(digits.parse().ok()?), *precision, *scale),
        _ => ScalarValue::Decimal256(Some(i256::from_string(&digits)?), *precision, *scale),
    })
}

/// The unit that holds a time exactly.
fn unit_of(ns: i128) -> TimeUnit {
    let units = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond];
    units
        .into_iter()
        .find(|unit| ns % ns_of(*unit) == 0)
        .unwrap_or(TimeUnit::Nanosecond)
}

/// The timestamps that hold dates, timestamps and constants beside each other: as fine as the columns, or as a constant needs.
fn common_time(values: &[Expr], types: &[DataType]) -> Result<Option<DataType>> {
    let (mut of_columns, mut of_constants, mut zone) = (None, TimeUnit::Second, None);
    for (value, data_type) in values.iter().zip(types) {
        match data_type {
            DataType::Null | DataType::Date32 => {}
            DataType::Timestamp(unit, own) if is_utc(own.as_deref()) => {
                zone = zone.or_else(|| own.clone());
                match constant_ns(value)? {
                    Some(ns) => of_constants = finer(of_constants, unit_of(ns)),
                    None => of_columns = Some(of_columns.map_or(*unit, |before| finer(before, *unit))),
                }
            }
            _ => return Ok(None),
        }
    }
    let unit = finer(of_columns.unwrap_or(TimeUnit::Microsecond), of_constants);
    Ok(Some(DataType::Timestamp(unit, zone)))
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    if rank(a) >= rank(b) { a } else { b }
}

/// The decimal that holds decimals, integers and constants beside each other, where the engine's has no room for them.
fn common_decimal(values: &[Expr], types: &[DataType]) -> Option<DataType> {
    if !types.iter().any(DataType::is_decimal) {
        return None;
    }
    let (mut ours, mut engines) = (Digits::default(), Digits::default());
    for (value, data_type) in values.iter().zip(types) {
        let (mine, its) = match data_type {
            DataType::Null => continue,
            DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => {
                let digits = Digits::of_type(*p, *s);
                (digits, digits)
            }
            whole if whole.is_integer() => (Digits::of_constant(value).unwrap_or(Digits::of_type(20, 0)), Digits::of_type(20, 0)),
            DataType::Float64 => (Digits::of_constant(value)?, Digits::of_type(30, 15)),
            _ => return None,
        };
        (ours, engines) = (ours.max(mine), engines.max(its));
    }
    let (precision, scale) = (ours.precision()?, i8::try_from(ours.fraction).ok()?);
    match (engines.precision(), precision) {
        (Some(fits), _) if fits <= 38 => None,
        (_, 0..=38) => Some(DataType::Decimal128(precision.max(1), scale)),
        (_, 39..=76) => Some(DataType::Decimal256(precision, scale)),
        (_, _) => None,
    }
}

/// Digits before and after the decimal point.
#[derive(Debug, Clone, Copy, Default)]
struct Digits {
    whole: i32,
    fraction: i32,
}

impl Digits {
    fn of_type(precision: u8, scale: i8) -> Self {
        Digits {
            whole: i32::from(precision) - i32::from(scale),
            fraction: i32::from(scale),
        }
    }

    fn of_constant(value: &Expr) -> Option<Self> {
        let text = number_text(value).ok()??;
        let plain = Number::parse(&text)?.normalized().to_string();
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        Some(Digits {
            whole: whole.trim_start_matches(['-', '0']).len() as i32,
            fraction: fraction.len() as i32,
        })
    }

    fn max(self, other: Self) -> Self {
        Digits {
            whole: self.whole.max(other.whole),
            fraction: self.fraction.max(other.fraction),
        }
    }

    fn precision(self) -> Option<u8> {
        u8::try_from(self.whole + self.fraction).ok()
    }
}
