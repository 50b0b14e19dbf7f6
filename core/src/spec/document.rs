//! YAML or JSON text as a tree in which every value and every key knows its line and column.
//!
//! Absent on purpose: anchors and aliases (a few lines of them can stand for gigabytes), tags, merge keys, more than one
//! document. Scalars keep their source text: what is a number or a flag is for the field to say.

use crate::error::{Error, Result};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::borrow::Cow;

/// The deepest spec nests six levels.
const MAX_DEPTH: usize = 32;
/// A longer spec is a list of accounts that belongs into a file.
const MAX_BYTES: usize = 16 << 20;

/// Reads one document; the mistake is the first one at which the text stops being YAML.
pub(super) fn read(text: &str) -> Result<Node> {
    if text.len() > MAX_BYTES {
        return Err(misread(
            Position::START,
            Error::spec("the spec is larger than 16 MiB").advice("put long lists of accounts into files"),
        ));
    }
    let text = json_as_yaml(text.strip_prefix('\u{feff}').unwrap_or(text));
    TreeReader {
        parser: Parser::new_from_str(&text),
        text: &text,
    }
    .document()
}

/// Line and column, both from 1, in characters; the command line is line 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    pub(super) const COMMAND_LINE: Position = Position { line: 0, column: 0 };
    pub(super) const START: Position = Position { line: 1, column: 1 };
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// `plain`: without quotes, so that `null` or an empty text means that there is no value.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Mapping(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) value: Node,
}

fn misread(at: Position, error: Error) -> Error {
    error.line(at.line as u64).character(at.column as u64)
}

impl Node {
    /// A text that came from the command line.
    pub(super) fn given(text: &str) -> Node {
        Node {
            at: Position::COMMAND_LINE,
            content: Content::Scalar {
                text: text.to_owned(),
                plain: false,
            },
        }
    }

    /// Several texts that came from the command line.
    pub(super) fn given_list(texts: &[String]) -> Node {
        Node {
            at: Position::COMMAND_LINE,
            content: Content::List(texts.iter().map(|text| Node::given(text)).collect()),
        }
    }

    /// A field was named, but nothing stands after it.
    pub(super) fn is_null(&self) -> bool {
        match &self.content {
            Content::Scalar { text, plain } => *plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            Content::List(_) | Content::Mapping(_) => false,
        }
    }

    /// The tree as JSON, keys in written order. A plain scalar that JSON would read as a number or a flag is one; all others are text.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.content {
            _ if self.is_null() => serde_json::Value::Null,
            Content::Scalar { text, plain: true } => plain_to_json(text),
            Content::Scalar { text, plain: false } => serde_json::Value::String(text.clone()),
            Content::List(items) => items.iter().map(Node::to_json).collect(),
            Content::Mapping(entries) => entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect(),
        }
    }
}

fn plain_to_json(text: &str) -> serde_json::Value {
    match text {
        "true" => true.into(),
        "false" => false.into(),
        _ => text.parse().map(serde_json::Value::Number).unwrap_or_else(|_| text.into()),
    }
}

struct TreeReader<'i> {
    parser: Parser<'i, StrInput<'i>>,
    text: &'i str,
}

impl<'i> TreeReader<'i> {
    fn document(mut self) -> Result<Node> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd | Event::DocumentEnd => {
                    return Err(misread(
                        Position::START,
                        Error::spec("the spec is empty").advice("it needs at least `live`, `shadow` and `account`"),
                    ));
                }
                event => {
                    let root = self.node(event, span, 0)?;
                    return self.nothing_follows().map(|()| root);
                }
            }
        }
    }

    fn nothing_follows(&mut self) -> Result<()> {
        loop {
            match self.next()? {
                (Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, span) => {
                    return Err(misread(
                        position(&span),
                        Error::spec("a second document begins here").advice("a spec is one document"),
                    ));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'i>, span: Span, depth: usize) -> Result<Node> {
        let at = position(&span);
        if depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        let content = match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_extras(at, anchor, tag.is_some())?;
                Content::Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                }
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_extras(at, anchor, tag.is_some())?;
                Content::List(self.list(depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                refuse_extras(at, anchor, tag.is_some())?;
                Content::Mapping(self.mapping(depth)?)
            }
            Event::Alias(_) => return Err(alias(at)),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(misread(at, Error::spec("the document ends in the middle of a value".to_owned()))),
        };
        Ok(Node { at, content })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = self.node(event, span, depth + 1)?;
            let Content::Scalar { text, .. } = key.content else {
                return Err(misread(
                    key.at,
                    Error::spec("a field name is a list or a mapping").advice("put a text that holds `[` or `{` into quotes"),
                ));
            };
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth + 1)?;
            if matches!(&value.content, Content::Scalar { text, plain: true } if text.is_empty()) {
                // Nothing stands there, so the nearest thing to point at is the name.
                value.at = key.at;
            }
            entries.push(Entry {
                key: text,
                key_at: key.at,
                value,
            });
        }
    }

    fn next(&mut self) -> Result<(Event<'i>, Span)> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.not_yaml(&error)),
            None => Err(misread(
                Position::START,
                Error::spec("the document ends in the middle of a value".to_owned()),
            )),
        }
    }

    fn not_yaml(&self, error: &ScanError) -> Error {
        let at = Position {
            line: error.marker().line(),
            column: error.marker().col() + 1,
        };
        if error.info().contains("unknown anchor") {
            return alias(at);
        }
        if error.info().contains("recursion limit") {
            return too_deep(at);
        }
        let line = self.text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
        let advice = if line.contains("${") {
            "inside `[ ]` and `{ }` put a text with `${name}` into quotes"
        } else {
            "check the indentation, and put a text with special characters into quotes"
        };
        misread(at, Error::spec(format!("not YAML ({})", error.info())).advice(advice))
    }
}

fn too_deep(at: Position) -> Error {
    misread(
        at,
        Error::spec(format!("more than {MAX_DEPTH} levels are nested")).advice("no field of a spec is that deep"),
    )
}

fn alias(at: Position) -> Error {
    misread(
        at,
        Error::spec("aliases (`*name`) are not read").advice("write the value out, and put a pattern that begins with `*` into quotes"),
    )
}

fn refuse_extras(at: Position, anchor: usize, tagged: bool) -> Result<()> {
    if anchor != 0 {
        return Err(misread(
            at,
            Error::spec("anchors (`&name`) are not read").advice("write the value out, or put a text that begins with `&` into quotes"),
        ));
    }
    if tagged {
        return Err(misread(
            at,
            Error::spec("tags (`!name`) are not read").advice("take the tag out, or put a text that begins with `!` into quotes"),
        ));
    }
    Ok(())
}

fn position(span: &Span) -> Position {
    Position {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

/// Removes the two things that JSON has and YAML has not: tabs as white space, and characters escaped as a pair of surrogates.
fn json_as_yaml(text: &str) -> Cow<'_, str> {
    let is_json = text.trim_start().starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if !is_json {
        return Cow::Borrowed(text);
    }
    let mut yaml = String::with_capacity(text.len());
    let (mut rest, mut quoted) = (text, false);
    while let Some(next) = rest.chars().next() {
        let escape = if quoted && next == '\\' {
            rest.chars().nth(1).map_or(1, |c| 1 + c.len_utf8())
        } else {
            0
        };
        if let Some((wide, after)) = surrogate_pair(rest).filter(|_| escape > 0) {
            yaml.push(wide);
            rest = after;
            continue;
        }
        quoted ^= next == '"';
        let taken = escape.max(next.len_utf8());
        yaml.push_str(if next == '\t' && !quoted { " " } else { &rest[..taken] });
        rest = &rest[taken..];
    }
    Cow::Owned(yaml)
}

/// The character of `\uD83D\uDE00` at the start of `text`, and what follows.
fn surrogate_pair(text: &str) -> Option<(char, &str)> {
    let unit = |at: usize| u16::from_str_radix(text.get(at..at + 6)?.strip_prefix("\\u")?, 16).ok();
    let wide = char::decode_utf16([unit(0)?, unit(6)?]).next()?.ok()?;
    (wide.len_utf16() == 2).then(|| (wide, &text[12..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees() {
        for (text, json) in [
            (
                "a: 1\nb: [x, 007, 1.50, 1e-3, true, yes, null, '']",
                r#"{"a":1,"b":["x","007",1.50,1e-3,true,"yes",null,""]}"#,
            ),
            ("\u{feff}a: '1'", r#"{"a":"1"}"#),
            ("{\n\t\"a\":\t\"x\ty\",\n\t\"b\": [1,\t2]\n}", r#"{"a":"x\ty","b":[1,2]}"#),
            (
                "{\n\t\"a\": \"x\\ty \\ud83d\\ude00 \\\" \\u00e9 \\/\",\n\t\"b\": [1,\t2]\n}",
                "{\"a\":\"x\\ty 😀 \\\" é /\",\"b\":[1,2]}",
            ),
            ("a: |\n  x\n  y\n", r#"{"a":"x\ny\n"}"#),
            ("# c\na:\n- b: c # d\n", r#"{"a":[{"b":"c"}]}"#),
            ("---\na: b\n...\n", r#"{"a":"b"}"#),
        ] {
            let tree = read(text).map(|node| node.to_json().to_string());
            assert_eq!(tree, Ok(json.to_owned()), "{text}");
        }
    }

    #[test]
    fn positions() {
        let root = read("a: 1\nb:\n  - c: dé\n    e: x\n  - \n\"f\":\n").expect("a tree");
        let mut seen = Vec::new();
        walk(&root, &mut seen);
        assert_eq!(
            seen,
            ["1:1", "a@1:1 1:4", "b@2:1 3:3", "3:5", "c@3:5 3:8", "e@4:5 4:8", "5:5", "f@6:1 6:1"]
        );
    }

    fn walk(node: &Node, seen: &mut Vec<String>) {
        let at = |p: Position| format!("{}:{}", p.line, p.column);
        match &node.content {
            Content::Scalar { .. } => {}
            Content::List(items) => {
                for item in items {
                    seen.push(at(item.at));
                    walk(item, seen);
                }
            }
            Content::Mapping(entries) => {
                if node.at == Position::START {
                    seen.push(at(node.at));
                }
                for entry in entries {
                    seen.push(format!("{}@{} {}", entry.key, at(entry.key_at), at(entry.value.at)));
                    walk(&entry.value, seen);
                }
            }
        }
    }

    #[test]
    fn what_is_not_read() {
        let deep = "[".repeat(100_000);
        let deep_block = "- ".repeat(40);
        let deep_json = format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        for (text, at, part) in [
            ("", (1, 1), "the spec is empty; it needs at least `live`, `shadow` and `account`"),
            (
                "# nothing\n",
                (1, 1),
                "the spec is empty; it needs at least `live`, `shadow` and `account`",
            ),
            ("a: &x [1]\nb: *x\n", (1, 7), "anchors"),
            ("a: [*_amount]", (1, 5), "begins with `*` into quotes"),
            ("a: !!str 1", (1, 10), "tags"),
            ("a: 1\n---\nb: 2\n", (2, 1), "a second document"),
            ("a: b: c", (1, 5), "not YAML"),
            ("a: [${x}]", (1, 6), "put a text with `${name}` into quotes"),
            ("? [a]\n: b", (1, 3), "a field name is a list"),
            (deep.as_str(), (1, 256), "levels are nested"),
            (deep_block.as_str(), (1, 67), "levels are nested"),
            (deep_json.as_str(), (1, 260), "levels are nested"),
        ] {
            let Err(error) = read(text) else { panic!("{text:.50} was read") };
            assert!(error.said().contains(part), "{text:.50}: {error}");
            assert_eq!(
                (error.place.line, error.place.character),
                (Some(at.0), Some(at.1)),
                "{text:.50}: {error}"
            );
        }
    }
}
