//! How long and how deep an expression may be, and the stack that the deep ones are given.
//!
//! Parsing, planning and evaluating go down the tree of an expression by calls, and a chain such as `a + b + c + …` is as deep as it is long.
//! A thread has 2 MiB; ending the process because of a spec is not an answer. AND and OR chains, which people generate, are made flat.

use datafusion_common::{Result, plan_err};
use datafusion_sql::sqlparser::ast::{self, BinaryOperator, VisitMut, VisitorMut};
use datafusion_sql::sqlparser::dialect::Dialect;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::tokenizer::{Token, Tokenizer};
use std::ops::ControlFlow;

/// The longest text of an expression, in bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// The deepest tree, in operators and brackets on the way to a value.
pub(super) const MAX_DEPTH: usize = 1_000;
/// As deep as the stack of any thread carries.
const SHALLOW: usize = 16;
/// As many words as hold no deep tree, also before chains are made flat.
const FEW_TOKENS: usize = 200;
/// An operator takes up to some 30 KiB of it where the planners are not optimised. Only what is touched is memory.
const STACK_BYTES: usize = 256 << 20;

/// Whether an expression needs a larger stack; an error where it is longer or deeper than we go.
pub(super) fn is_deep(text: &str, dialect: &dyn Dialect) -> Result<bool> {
    if text.len() > MAX_BYTES {
        return plan_err!(
            "it has {} bytes, more than {MAX_BYTES}; a list of accounts may be a file",
            text.len()
        );
    }
    // What is not SQL at all is for the parser to say.
    let Ok(tokens) = Tokenizer::new(dialect, text).tokenize() else {
        return Ok(false);
    };
    let (depth, words) = depth(&tokens);
    if depth > MAX_DEPTH {
        return plan_err!("it goes {depth} operators and brackets deep, more than {MAX_DEPTH}");
    }
    Ok(depth > SHALLOW || words > FEW_TOKENS)
}

/// Runs `work` on a stack that is large enough for what is deep.
pub(super) fn on_stack<T: Send>(is_deep: bool, work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    if !is_deep {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("deep-sql".into()).stack_size(STACK_BYTES);
        match thread.spawn_scoped(scope, work)?.join() {
            Ok(done) => Ok(done),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// A group between brackets, or between CASE and END, while it is read.
#[derive(Default)]
struct Group {
    /// Operators since the last comma, AND or OR; a chain is at most so deep.
    operators: usize,
    /// The deepest group among them.
    inner: usize,
    /// BETWEENs whose AND is still to come.
    betweens: usize,
    deepest: usize,
}

impl Group {
    fn end_part(&mut self) {
        self.deepest = self.deepest.max(self.operators + self.inner);
        (self.operators, self.inner) = (0, 0);
    }

    fn between(&mut self) {
        self.operators += 1;
        self.betweens += 1;
    }

    fn end(mut self) -> usize {
        self.end_part();
        self.deepest
    }
}

/// No tree of these tokens is deeper, once its AND and OR chains are flat. Gives the number of tokens too.
fn depth(tokens: &[Token]) -> (usize, usize) {
    let (mut open, mut words) = (vec![Group::default()], 0);
    for token in tokens {
        let keyword = match token {
            Token::Whitespace(_) => continue,
            Token::Word(word) => Some(word.keyword),
            _ => None,
        };
        words += 1;
        match (token, keyword) {
            (Token::LBracket, _) => {
                // `a[1][2][3]` goes as deep as it has brackets.
                open.last_mut().into_iter().for_each(|group| group.operators += 1);
                open.push(Group::default());
            }
            (Token::LParen | Token::LBrace, _) | (_, Some(Keyword::CASE)) => open.push(Group::default()),
            (Token::RParen | Token::RBracket | Token::RBrace, _) | (_, Some(Keyword::END)) if open.len() > 1 => {
                let depth = open.pop().map_or(0, Group::end) + 1;
                if let Some(group) = open.last_mut() {
                    group.inner = group.inner.max(depth);
                }
            }
            (_, Some(Keyword::BETWEEN)) => open.last_mut().into_iter().for_each(Group::between),
            (_, Some(Keyword::AND)) if open.last().is_some_and(|group| group.betweens > 0) => {
                open.last_mut().into_iter().for_each(|group| group.betweens -= 1);
            }
            (Token::Comma, _) | (_, Some(Keyword::AND | Keyword::OR | Keyword::WHEN | Keyword::THEN | Keyword::ELSE)) => {
                open.last_mut().into_iter().for_each(Group::end_part);
            }
            (Token::Number(_, _) | Token::SingleQuotedString(_), _) | (_, Some(Keyword::NoKeyword)) => {}
            (_, _) => open.last_mut().into_iter().for_each(|group| group.operators += 1),
        }
    }
    // A group that is not closed is deep all the same: the parser goes down before it misses the end.
    let unclosed = open.len();
    (open.into_iter().map(Group::end).sum::<usize>() + unclosed - 1, words)
}

/// Makes chains of AND and of OR as shallow as they can be; their order stays.
pub(super) fn flatten(expression: &mut ast::Expr) {
    let _ = VisitMut::visit(expression, &mut Flatten);
}

struct Flatten;

impl VisitorMut for Flatten {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut ast::Expr) -> ControlFlow<()> {
        if let ast::Expr::BinaryOp {
            op: op @ (BinaryOperator::And | BinaryOperator::Or),
            ..
        } = expression
        {
            let op = op.clone();
            let whole = std::mem::replace(expression, ast::Expr::value(ast::Value::Null));
            *expression = balanced(operands(whole, &op), &op);
        }
        ControlFlow::Continue(())
    }
}

/// What a chain of one operator joins, in order.
fn operands(chain: ast::Expr, operator: &BinaryOperator) -> Vec<ast::Expr> {
    let (mut waiting, mut found) = (vec![chain], Vec::new());
    while let Some(next) = waiting.pop() {
        match next {
            ast::Expr::BinaryOp { left, op, right } if op == *operator => waiting.extend([*left, *right]),
            other => found.push(other),
        }
    }
    found.reverse();
    found
}

fn balanced(mut operands: Vec<ast::Expr>, operator: &BinaryOperator) -> ast::Expr {
    if operands.len() < 2 {
        return operands.pop().unwrap_or(ast::Expr::value(ast::Value::Null));
    }
    let right = operands.split_off(operands.len() / 2);
    ast::Expr::BinaryOp {
        left: Box::new(balanced(operands, operator)),
        op: operator.clone(),
        right: Box::new(balanced(right, operator)),
    }
}
