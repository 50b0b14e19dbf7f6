//! Writes names, paths and values so that a spec reads them back as they are.

use serde_json::Value;

/// A scalar: plain where no reader of YAML can take it for something else, in double quotes otherwise.
pub fn scalar(text: &str) -> String {
    let text = text.replace("${", "$${");
    if is_plain(&text) { text } else { quoted(&text) }
}

/// A list in one line.
pub fn list<T: AsRef<str>>(texts: &[T]) -> String {
    let scalars: Vec<String> = texts.iter().map(|text| scalar(text.as_ref())).collect();
    format!("[{}]", scalars.join(", "))
}

/// One scalar for a single text, else a list.
pub fn one_or_list(texts: &[String]) -> String {
    match texts {
        [one] => scalar(one),
        texts => list(texts),
    }
}

/// A value in one line. A text that looks like a number or a word stays a text.
pub fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", scalar(name), field(name, value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// The value of a field of a spec: a tolerance or a duration stands as a person writes it.
pub fn field(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) if ["absolute", "relative", "time"].contains(&name) => text.clone(),
        value => flow(value),
    }
}

/// Words that are no texts to some reader of YAML.
const TAKEN: [&str; 10] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "none"];

fn is_plain(text: &str) -> bool {
    let mut chars = text.chars();
    let begins = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '/' | '.'));
    let goes_on = chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '-'));
    // `.5`, `.inf` and `...` are no texts; a path such as `./x` is one.
    let dotted = text.starts_with('.') && !text.contains('/');
    begins && goes_on && !dotted && !TAKEN.contains(&text.to_ascii_lowercase().as_str())
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_quoted_is() {
        for (text, written) in [
            ("account_id", "account_id"),
            ("profile.score", "profile.score"),
            ("../data/live-1.csv", "../data/live-1.csv"),
            ("/data/x", "/data/x"),
            ("*_amount", "\"*_amount\""),
            ("NO", "\"NO\""),
            ("007", "\"007\""),
            ("2026-01-01", "\"2026-01-01\""),
            (".inf", "\".inf\""),
            ("...", "\"...\""),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("a,b", "\"a,b\""),
            ("größe", "\"größe\""),
            ("say \"hi\" \\", "\"say \\\"hi\\\" \\\\\""),
            ("two\nlines\u{2028}\u{1}", "\"two\\nlines\\u2028\\u0001\""),
            ("s3://b/x", "\"s3://b/x\""),
            ("${day}", "\"$${day}\""),
        ] {
            assert_eq!(scalar(text), written, "{text:?}");
        }
    }

    #[test]
    fn lists_have_one_line() {
        assert_eq!(list(&["a", "b c"]), "[a, \"b c\"]");
        assert_eq!(one_or_list(&["a".to_owned()]), "a");
        assert_eq!(one_or_list(&["a".to_owned(), "*".to_owned()]), "[a, \"*\"]");
    }
}
