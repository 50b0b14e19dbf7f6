//! Values of strangers within a markup: escaped, so that no tag, table or link of theirs is read as one; with characters made visible that
//! are not seen; with the part marked in which two values differ.

use super::Line;
use super::contrast::{Seen, contrast, middle_left_out, seen};
use crate::report::Field;
use std::fmt::Write;

/// How a markup says what it says of a text.
#[derive(Debug)]
pub(super) struct Markup {
    escape: fn(&str, &mut String),
    null: &'static str,
    text: [&'static str; 2],
    /// Around what differs.
    mark: [&'static str; 2],
    /// Around the name of a character that is not seen.
    hidden: [&'static str; 2],
}

/// What is known of a part of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Same,
    /// `marks`: by its combining marks.
    Differs {
        marks: bool,
    },
}

/// GitHub's and GitLab's. In `code` neither looks for mentions of people or issues.
pub(super) const MARKDOWN: Markup = Markup {
    escape: escape_markdown,
    null: "<i>NULL</i>",
    text: ["<code>", "</code>"],
    mark: ["<b>", "</b>"],
    hidden: ["⟨", "⟩"],
};

pub(super) const HTML: Markup = Markup {
    escape: escape_html,
    null: "<i class=\"null\">NULL</i>",
    text: ["<code>", "</code>"],
    mark: ["<mark>", "</mark>"],
    hidden: ["<b class=\"hidden\">", "</b>"],
};

impl Markup {
    /// A name or a sentence of at most so many characters.
    pub(super) fn text(&self, text: &str, most: usize) -> String {
        format!("{}{}{}", self.text[0], self.plain(text, most), self.text[1])
    }

    /// The same as part of a sentence of ours.
    pub(super) fn plain(&self, text: &str, most: usize) -> String {
        let mut out = String::new();
        self.put(&middle_left_out(text, most), Part::Same, &mut out);
        out
    }

    /// A value. NULL and the empty text both look like nothing; a text that looks like one of them is quoted.
    pub(super) fn value(&self, field: &Field, most: usize) -> String {
        match field.as_deref() {
            None => self.null.to_owned(),
            Some(text) => self.text(&quoted(text), most),
        }
    }

    /// Several values, such as those of a key.
    pub(super) fn values(&self, fields: &[Field], most: usize) -> String {
        let shown: Vec<String> = fields.iter().map(|field| self.value(field, most)).collect();
        shown.join(", ")
    }

    /// The two values of a line.
    pub(super) fn pair(&self, line: &Line, most: usize) -> [String; 2] {
        let marks = line.diagnosis.as_deref() == Some("unicode_normalization");
        self.marked(&line.live, &line.shadow, marks, most)
    }

    /// Two values side by side. Of texts the part is marked that differs; numbers differ as a whole.
    pub(super) fn marked(&self, live: &Field, shadow: &Field, marks: bool, most: usize) -> [String; 2] {
        let is_number = |text: &str| text.parse::<f64>().is_ok();
        let (Some(live), Some(shadow)) = (live, shadow) else {
            return [live, shadow].map(|value| self.value(value, most));
        };
        if is_number(live) && is_number(shadow) {
            return [live, shadow].map(|text| self.text(text, most));
        }
        let parts = contrast(&quoted(live), &quoted(shadow), most);
        [&parts.live, &parts.shadow].map(|differs| {
            let mut out = self.text[0].to_owned();
            self.put(&parts.before, Part::Same, &mut out);
            if !differs.is_empty() {
                out += self.mark[0];
                self.put(differs, Part::Differs { marks }, &mut out);
                out += self.mark[1];
            }
            self.put(&parts.after, Part::Same, &mut out);
            out + self.text[1]
        })
    }

    fn put(&self, text: &str, part: Part, out: &mut String) {
        for stretch in seen(text, part == Part::Differs { marks: true }) {
            match stretch {
                // A blank at an end, or one of two, would not be seen.
                Seen::Plain(text) if part != Part::Same => (self.escape)(&text.replace(' ', "␣"), out),
                Seen::Plain(text) => (self.escape)(text, out),
                Seen::Hidden(c) => {
                    let _ = write!(out, "{}U+{:04X}{}", self.hidden[0], u32::from(c), self.hidden[1]);
                }
            }
        }
    }
}

fn quoted(text: &str) -> String {
    match text {
        "" | "NULL" | "\"\"" => format!("\"{text}\""),
        text => text.to_owned(),
    }
}

/// No ASCII punctuation is left that could open or close something, or make a link. A character reference is only ever text.
fn escape_markdown(text: &str, out: &mut String) {
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let within_word = before.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric());
        let is_quiet = match c {
            '-' | ',' => true,
            '_' => within_word,
            '.' => !before.eq_ignore_ascii_case(&'w'),
            c => !c.is_ascii_punctuation(),
        };
        if is_quiet {
            out.push(c);
        } else {
            let _ = write!(out, "&#{};", u32::from(c));
        }
        before = c;
    }
}

/// Five characters mean something to HTML and XML, in text and in attributes.
pub(super) fn escape_html(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_value_is_read_as_markdown() {
        for (value, expected) in [
            ("plain text, -1.50", "plain text, -1.50"),
            ("health_score", "health_score"),
            ("_x_ **b** `c`", "&#95;x&#95; &#42;&#42;b&#42;&#42; &#96;c&#96;"),
            ("a|b\\|c", "a&#124;b&#92;&#124;c"),
            ("<script>&amp;", "&#60;script&#62;&#38;amp&#59;"),
            ("@team #12 !3", "&#64;team &#35;12 &#33;3"),
            ("https://www.x.y", "https&#58;&#47;&#47;www&#46;x.y"),
            ("[a](b)", "&#91;a&#93;&#40;b&#41;"),
        ] {
            let mut out = String::new();
            escape_markdown(value, &mut out);
            assert_eq!(out, expected);
        }
        let line_break = MARKDOWN.text("a\nb\u{0}\u{202e}", 10);
        assert_eq!(line_break, "<code>a⟨U+000A⟩b⟨U+0000⟩⟨U+202E⟩</code>");
    }

    #[test]
    fn null_empty_and_a_text_that_reads_null_look_different() {
        let shown = [None, Some(""), Some("NULL")].map(|value| MARKDOWN.value(&value.map(str::to_owned), 10));
        assert_eq!(
            shown,
            ["<i>NULL</i>", "<code>&#34;&#34;</code>", "<code>&#34;NULL&#34;</code>"].map(str::to_owned)
        );
    }
}
