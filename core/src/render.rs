//! A finished result for where people work: as text for a pull request, as test cases for a CI, as a page. All are made of the typed summary
//! and the same excerpt of the tables, and their bytes of these alone: no clock, not even the summary's timings.

mod bounded;
mod contrast;
mod excerpt;
mod history;
mod html;
mod junit;
mod markdown;
mod markup;
mod suite;
mod words;

pub use excerpt::{Change, Excerpt, ExcerptBuilder, ExcerptSizes, Line};
pub use history::{change_text, history_html};
pub use html::{HTML_BYTES, html};
pub use junit::junit;
pub use markdown::{MARKDOWN_BYTES, markdown};
pub use suite::{suite_html, suite_junit, suite_markdown};
pub use words::{
    acceptance_bounds, acceptance_state, behind_verdict, bounds, counted_apart, delta_range, described, described_acceptance,
    described_line, described_noise, described_rows, described_told_by, grouped, grouped_text, headline, moved, null_rate, rows_headline,
    total, type_difference,
};

/// What the first line of each rendering has, so that it is known as ours before it is replaced.
pub const MARK: &str = "made by shadowdiff";

#[cfg(test)]
mod tests;
