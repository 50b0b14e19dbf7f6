//! Where the SQL of a spec stands: what is wrong with it shows when it meets the data, and is said with line and column like all else.

use super::document::{Content, Node, Position};
use super::mistakes::line;
use crate::error::{Error, Kind};

/// The SQL texts of a spec, each with its place.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SqlPlaces {
    file: String,
    places: Vec<(String, Position)>,
}

/// As many characters of an expression are repeated in a message.
const MAX_EXCERPT: usize = 200;

/// An expression as messages repeat it: one line, not too long.
pub fn excerpt(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(MAX_EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl SqlPlaces {
    pub(super) fn of(root: &Node, file: &str) -> Self {
        let mut places = Vec::new();
        walk(root, false, &mut places);
        SqlPlaces {
            file: file.to_owned(),
            places,
        }
    }

    /// The same error, each line of it that repeats an expression of the spec with the place of that.
    pub fn locate(&self, error: Error) -> Error {
        if error.kind != Kind::Spec {
            return error;
        }
        let located = |message: &str| {
            let mut known = self.places.iter();
            // As planning says it: field, expression, what is wrong.
            let repeats = |sql: &str| [": ", " gives "].iter().any(|next| message.contains(&format!(": `{sql}`{next}")));
            match known.find(|(sql, _)| repeats(sql)) {
                Some((_, at)) => line(&self.file, *at, "", message),
                None => message.to_owned(),
            }
        };
        Error::all(Kind::Spec, error.message.lines().map(located).collect())
    }
}

/// Fields that hold SQL, or a mapping whose texts all are.
const FIELDS: [&str; 3] = ["where", "sql", "derive"];

fn walk(node: &Node, is_sql: bool, places: &mut Vec<(String, Position)>) {
    match &node.content {
        Content::Scalar { text, .. } if is_sql => places.push((excerpt(text), node.at)),
        Content::Scalar { .. } => {}
        Content::List(items) => items.iter().for_each(|item| walk(item, is_sql, places)),
        Content::Mapping(entries) => {
            for entry in entries {
                walk(&entry.value, is_sql || FIELDS.contains(&entry.key.as_str()), places);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Overrides, parse};

    #[test]
    fn what_is_wrong_with_sql_is_said_with_its_place() {
        let text = "live: a/\nshadow: b/\naccount: id\nwhere: \"a >\"\ncolumns:\n  derive:\n    x: {live: id, shadow: b\n      + 1}\n";
        let sql = parse(text, "s.yaml", &Overrides::default()).expect("a spec of the test").sql;
        for (message, located) in [
            ("where (live): `a >`: no end", "s.yaml:4:8: where (live): `a >`: no end"),
            (
                "columns.derive.x (live): `id`: no",
                "s.yaml:7:15: columns.derive.x (live): `id`: no",
            ),
            (
                "columns.derive.x (shadow): `b + 1` gives a map, which",
                "s.yaml:7:27: columns.derive.x (shadow): `b + 1` gives a map, which",
            ),
            ("key: no column `id` in live", "key: no column `id` in live"),
        ] {
            assert_eq!(sql.locate(Error::spec(message)).message, located);
        }
        assert_eq!(excerpt(&"n + ".repeat(100)).chars().count(), MAX_EXCERPT + 1);
    }
}
