//! Colours, an addition to words: what is said without them is the same.

use super::layout::wrapped_as;
use clap::{Args, ValueEnum};
use shadowdiff_core::verdict::Verdict;
use std::io::IsTerminal;

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ColorArgs {
    /// Colour the summary: on a terminal unless NO_COLOR is set (auto), always or never
    #[arg(long, env = "SHADOWDIFF_COLOR", value_name = "WHEN", default_value = "auto")]
    color: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// Colours or leaves as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    coloured: bool,
}

impl ColorArgs {
    pub(crate) fn paint(self) -> Paint {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let coloured = match self.color {
            When::Auto => std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb,
            When::Always => true,
            When::Never => false,
        };
        Paint { coloured }
    }
}

impl Paint {
    /// For what is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.put("1;32", text)
    }

    /// For what is not.
    pub(crate) fn bad(self, text: &str) -> String {
        self.put("1;31", text)
    }

    pub(crate) fn either(self, is_well: bool, text: &str) -> String {
        if is_well { self.good(text) } else { self.bad(text) }
    }

    /// `PASS` or `FAIL`.
    pub(crate) fn verdict(self, verdict: Verdict) -> String {
        self.either(verdict == Verdict::Pass, &verdict.name().to_uppercase())
    }

    /// A sentence about what is not well, behind a word for it.
    pub(crate) fn complaint(self, word: &str, sentence: &str) -> String {
        wrapped_as(&format!("  {word}  "), &format!("  {}  ", self.bad(word)), sentence)
    }

    pub(crate) fn heading(self, text: &str) -> String {
        self.put("1", text)
    }

    /// `code`: the attributes of an SGR sequence, ECMA-48.
    fn put(self, code: &str, text: &str) -> String {
        if self.coloured && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
