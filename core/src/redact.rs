//! Takes secrets out of text: user, password and query of every URL in it. All that is printed, stored or sent goes through here: errors
//! when they are made, the spec in a summary, the log.
//!
//! ```text
//! https://user:pass@host/a.csv?sig=x   ->  https://host/a.csv?…
//! postgres://user:pa/ss@host/db        ->  postgres://host/db
//! abfss://container@account/x          as it is: that is no user
//! s3://bucket/part-?.csv               as it is: a wildcard; but s3://bucket/a.csv?sig=x loses what looks like a query
//! ```

use serde_json::Value;
use std::borrow::Cow;

/// Schemes whose `?` is a part of a name, and whose `@` follows a container.
const STORES: [&str; 9] = ["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "file"];

/// The text without the secrets of its URLs.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut copied, mut from) = (0, 0);
    while let Some(at) = text[from..].find("://").map(|at| from + at) {
        let scheme = scheme_before(&text[..at]);
        let start = at + 3;
        from = start;
        if scheme.is_empty() {
            continue;
        }
        let user_end = start + user_length(scheme, &text[start..]);
        let rest = user_end + text[user_end..].find(ends_url).unwrap_or(text.len() - user_end);
        let (query_start, mark) = query(scheme, &text[user_end..rest]).map_or((rest, ""), |(at, mark)| (user_end + at, mark));
        if user_end > start || query_start < rest {
            out.push_str(&text[copied..start]);
            out.push_str(&text[user_end..query_start]);
            out.push_str(mark);
            copied = rest;
        }
        // A URL in a query went with it; one behind a user has no user of its own.
        from = rest.max(start);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The document with every text that is a URL redacted; other texts, such as SQL, stay as they are.
pub fn redacted_document(document: Value) -> Value {
    match document {
        Value::String(text) if is_url(&text) => Value::String(redacted(&text).into_owned()),
        Value::Array(items) => Value::Array(items.into_iter().map(redacted_document).collect()),
        Value::Object(members) => Value::Object(members.into_iter().map(|(name, value)| (name, redacted_document(value))).collect()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => document,
    }
}

fn is_url(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, _)| !scheme.is_empty() && scheme_before(scheme) == scheme)
}

/// The scheme that a text ends with.
fn scheme_before(text: &str) -> &str {
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let start = text
        .rfind(|c| !is_of_scheme(c))
        .map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8));
    text[start..].trim_start_matches(|c: char| !c.is_ascii_alphabetic())
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>')
}

fn is_store(scheme: &str) -> bool {
    STORES.iter().any(|store| scheme.eq_ignore_ascii_case(store))
}

/// How long `user:password@` is at the start of what follows the scheme.
fn user_length(scheme: &str, rest: &str) -> usize {
    let authority = &rest[..rest.find(|c| ends_url(c) || matches!(c, '/' | '?' | '#')).unwrap_or(rest.len())];
    if let Some(at) = authority.rfind('@') {
        // A container of Azure is not a user; one with a colon is not a container.
        let is_container = scheme.to_ascii_lowercase().starts_with(['a']) && is_store(scheme) && !authority[..at].contains(':');
        return if is_container { 0 } else { at + 1 };
    }
    // A password that was not encoded may hold anything: what follows a colon is no port then.
    let Some((_, port)) = authority.rsplit_once(':') else { return 0 };
    if port.is_empty() || port.chars().all(|c| c.is_ascii_digit()) || authority.starts_with('[') {
        return 0;
    }
    let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
    line.rfind('@').map_or(0, |at| at + 1)
}

/// Where a query or fragment begins, and what stands for it.
fn query(scheme: &str, rest: &str) -> Option<(usize, &'static str)> {
    if !is_store(scheme) {
        let at = rest.find(['?', '#'])?;
        return Some((at, if rest[at..].starts_with('?') { "?…" } else { "#…" }));
    }
    let is_parameter = |at: usize| {
        let after = &rest[at + 1..];
        let name = after
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .unwrap_or(after.len());
        name > 0 && after[name..].starts_with('=')
    };
    let (at, _) = rest.match_indices('?').find(|(at, _)| is_parameter(*at))?;
    Some((at, "?…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_all_else_stays() {
        for (text, expected) in [
            ("https://u:p@h:81/a.csv?sig=x", "https://h:81/a.csv?…"),
            (
                "no https://u@h/a.csv, and 'https://h/b?t=1' too",
                "no https://h/a.csv, and 'https://h/b?…' too",
            ),
            ("HTTPS://U:P@h/#tok", "HTTPS://h/#…"),
            ("postgres://u:secret@h", "postgres://h"),
            ("postgres://u:se/cr@et@h/db: unknown", "postgres://h/db: unknown"),
            ("postgres://u:my pass@h/db", "postgres://h/db"),
            ("s3://key:secret@b/x.csv", "s3://b/x.csv"),
            ("s3://b/x.csv?X-Amz-Signature=1&y=2 does not exist", "s3://b/x.csv?… does not exist"),
            ("abfss://c:secret@a.dfs.core.windows.net/x", "abfss://a.dfs.core.windows.net/x"),
            ("{\"live\":\"https://h/a?x=1\",\"n\":2}", "{\"live\":\"https://h/a?…\",\"n\":2}"),
            ("redirected to https://u:p@h/?next=https://v:q@i/", "redirected to https://h/?…"),
            ("https://u:p@h/ä?ö=1 ü", "https://h/ä?… ü"),
        ] {
            assert_eq!(redacted(text), expected);
            assert_eq!(redacted(expected), expected, "twice is once");
        }
        for same in [
            "s3://b/part-?.csv",
            "s3://b/d=202?/h=1/x.csv",
            "abfss://c@acc.dfs.core.windows.net/x",
            "--coordinator ftp://x: write http://HOST:PORT; encrypted connections are not offered",
            "http://[::1]:80/x",
            "user@example.com wrote ://x?y=1",
            "gs://b/a@b:c.csv",
            "id = 'a?b=c' and x://",
        ] {
            assert_eq!(redacted(same), same);
        }
    }

    #[test]
    fn of_a_document_only_urls_change() {
        let document = serde_json::json!({"live": ["https://u:p@h/a?x=1", "b.csv"], "where": "url = 'https://h/a?x=1'", "n": 1});
        let expected = serde_json::json!({"live": ["https://h/a?…", "b.csv"], "where": "url = 'https://h/a?x=1'", "n": 1});
        assert_eq!(redacted_document(document), expected);
    }
}
