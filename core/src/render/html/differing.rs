//! What differs: as a picture by column and cause, then column by column with distributions, frequent changes and samples.

use super::super::bounded::{Bounded, listed, more};
use super::super::markup::HTML;
use super::super::words::{cause, delta, grouped_text, share};
use super::super::{Change, Excerpt, Line, counted_apart, grouped};
use super::{NAME, SOFT, name, place, table};
use crate::report::{ColumnSummary, PatternSummary, Summary};
use crate::sketch::{Distribution, Step};
use crate::spec::DifferenceKind;
use std::collections::BTreeMap;

/// How many are in the picture, and how many have a part of their own.
const IN_FIGURE: usize = 40;
const WITH_PART: usize = 200;
/// Patterns of a group that are shown with samples.
const PATTERNS: usize = 12;
/// Causes that have a colour of their own, as many as the style has.
const COLOURS: usize = 7;
/// Characters of a value.
const VALUE: usize = 160;
/// A part that would be longer is shown without its samples.
const PART_BYTES: usize = 100_000;

/// What differs in one column, or whole rows of one kind.
pub(super) struct Group<'a> {
    pub(super) kind: DifferenceKind,
    pub(super) column_name: Option<&'a str>,
    column: Option<&'a ColumnSummary>,
    differing: u64,
    exceptions: u64,
    /// With their places in the summary.
    patterns: Vec<(usize, &'a PatternSummary)>,
}

/// The patterns of the summary by what they are of, the most exceptions first.
pub(super) fn groups(summary: &Summary) -> Vec<Group<'_>> {
    let columns: BTreeMap<&str, &ColumnSummary> = summary.columns.iter().map(|column| (column.column.as_str(), column)).collect();
    let mut places: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (number, pattern) in summary.patterns.iter().enumerate() {
        let column_name = pattern.column.as_deref();
        let place = *places.entry((pattern.kind.name(), column_name)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group {
                kind: pattern.kind,
                column_name,
                column: column_name.and_then(|name| columns.get(name).copied()),
                differing: 0,
                exceptions: 0,
                patterns: Vec::new(),
            });
        }
        let group = &mut groups[place];
        group.differing += pattern.differing;
        group.exceptions += pattern.exceptions;
        group.patterns.push((number, pattern));
    }
    groups.sort_by_key(|group| std::cmp::Reverse((group.exceptions, group.differing)));
    groups
}

/// A bar for each group, its exceptions by cause, then what is expected.
pub(super) fn figure(groups: &[Group<'_>], covered: &str, most_bytes: usize) -> String {
    if groups.is_empty() {
        return "<p>Nothing.</p>\n".to_owned();
    }
    let causes = causes(groups);
    let largest = groups.iter().map(|group| group.differing).max().unwrap_or(0);
    let mut out = Bounded::new(most_bytes - 500);
    let coloured = causes.iter().take(COLOURS).enumerate();
    let mut legend: Vec<String> = coloured
        .map(|(at, cause)| format!("<li><i class=\"s{at}\"></i>{}</li>", HTML.plain(cause, NAME)))
        .collect();
    let others = if causes.len() > COLOURS { ", and other causes" } else { "" };
    legend.push(format!("<li><i class=\"rest\"></i>{covered}{others}</li>"));
    out.add("<ul class=\"legend\" aria-label=\"Colours\">");
    out.add_all(legend);
    out.add("</ul>\n");
    let bars = groups.iter().take(IN_FIGURE).enumerate();
    let shown = out.add_all(bars.map(|(number, group)| bar(number, group, &causes, (covered, largest))));
    out.into_text() + &more(groups.len(), shown, SOFT)
}

/// The causes of exceptions, the most frequent first.
fn causes(groups: &[Group<'_>]) -> Vec<String> {
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for (_, pattern) in groups.iter().flat_map(|group| &group.patterns) {
        if pattern.exceptions > 0 {
            *counted.entry(named_cause(pattern)).or_default() += pattern.exceptions;
        }
    }
    let mut causes: Vec<(String, u64)> = counted.into_iter().collect();
    causes.sort_by_key(|(_, exceptions)| std::cmp::Reverse(*exceptions));
    causes.into_iter().map(|(cause, _)| cause).collect()
}

fn named_cause(pattern: &PatternSummary) -> String {
    match cause(pattern) {
        cause if !cause.is_empty() => cause,
        _ if pattern.kind == DifferenceKind::Changed => "another value".to_owned(),
        _ => pattern.kind.name().replace('_', " "),
    }
}

fn bar(number: usize, group: &Group<'_>, causes: &[String], (covered, largest): (&str, u64)) -> String {
    let mut segments = String::new();
    let mut segment = |class: &str, count: u64, of: &str| {
        // In hundredths of a per cent; what is counted fits a summary, not a product of 64 bits.
        let width = u128::from(count) * 10_000 / u128::from(largest.max(1));
        segments += &format!(
            "<i class=\"{class}\" style=\"width:{}.{:02}%\" title=\"{}: {}\"></i>",
            width / 100,
            width % 100,
            HTML.plain(of, NAME).replace("<b class=\"hidden\">", "").replace("</b>", ""),
            grouped(count)
        );
    };
    for (_, pattern) in group.patterns.iter().filter(|(_, pattern)| pattern.exceptions > 0).take(PATTERNS) {
        let cause = named_cause(pattern);
        let colour = causes.iter().take(COLOURS).position(|known| *known == cause);
        let class = colour.map_or_else(|| "rest".to_owned(), |at| format!("s{at}"));
        segment(&class, pattern.exceptions, &cause);
    }
    let rest = group.differing - group.exceptions;
    if rest > 0 {
        segment("rest", rest, covered);
    }
    format!(
        "<div class=\"bar\"><a href=\"#{}\">{}</a><span class=\"track\" aria-hidden=\"true\">{segments}</span><span class=\"n\">{}</span></div>\n",
        place(number),
        name(group),
        counted(group)
    )
}

fn counted(group: &Group<'_>) -> String {
    format!("{} of {}", counted_apart(group.exceptions, "exception"), grouped(group.differing))
}

/// A part for each group that can be opened; the first one is.
pub(super) fn sections(groups: &[Group<'_>], excerpt: &Excerpt, most_bytes: usize) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let part = |(number, group): (usize, &Group<'_>)| {
        let open = if number == 0 { " open" } else { "" };
        let samples = samples(group, excerpt);
        let facts = facts(group, excerpt);
        let shown = if facts.len() + samples.len() > PART_BYTES {
            facts
        } else {
            facts + &samples
        };
        format!(
            "<details id=\"{}\"{open}><summary>{} <span class=\"soft\">{}</span></summary><div>\n{shown}</div></details>\n",
            place(number),
            name(group),
            counted(group)
        )
    };
    let parts = groups.iter().take(WITH_PART).enumerate().map(part);
    listed(most_bytes - 500, parts, groups.len(), SOFT).concat()
}

/// What the summary says of a column.
fn facts(group: &Group<'_>, excerpt: &Excerpt) -> String {
    let Some(column) = group.column else { return String::new() };
    let share = match share(column) {
        share if share.is_empty() => share,
        share => format!("; differs in {share} of the rows that both sides have"),
    };
    let mut out = format!(
        "<p>{}, compared as {}{share}.</p>\n",
        HTML.text(&column.column_type, NAME),
        HTML.text(&column.comparator, NAME)
    );
    out += &totals(column);
    if let Some(deltas) = &column.deltas {
        out += &distribution(column, deltas);
    }
    if let Some(changes) = excerpt.changes.get(&column.column) {
        let row = |change: &Change| {
            let [live, shadow] = HTML.marked(&change.live, &change.shadow, false, VALUE);
            format!(
                "<tr><td class=\"n\">{}</td><td>{live}</td><td>{shadow}</td></tr>\n",
                grouped(change.lines)
            )
        };
        out += &format!("<h3>Frequent changes in the first {}</h3>\n", counted_apart(excerpt.read, "line"));
        out += &table(
            &["#Lines", "live", "shadow"],
            changes.iter().map(row),
            changes.len(),
            PART_BYTES / 4,
        );
    }
    out
}

/// How far the sum of the column has moved, and how many of its differing cells are NULL on each side.
fn totals(column: &ColumnSummary) -> String {
    let moved = column.moved.as_ref().map(|moved| {
        let of = match moved.is_of_all_rows {
            true => "over all rows",
            false => "over its differing cells alone: what is within a tolerance, on one side only or in duplicates is not in it",
        };
        let sign = if moved.sum.starts_with('-') { "" } else { "+" };
        format!(
            "Sum of shadow less that of live: {sign}{}, {of}.",
            HTML.plain(&grouped_text(&moved.sum), NAME)
        )
    });
    let nulls = (column.nulls.live + column.nulls.shadow > 0).then(|| {
        let [live, shadow] = [column.nulls.live, column.nulls.shadow].map(grouped);
        format!("Of its differing cells {live} are NULL in live, {shadow} in shadow.")
    });
    let said: Vec<String> = moved.into_iter().chain(nulls).collect();
    if said.is_empty() {
        String::new()
    } else {
        format!("<p>{}</p>\n", said.join(" "))
    }
}

/// Least, percentiles and largest delta, from the first to the 99th percentile as a picture.
fn distribution(column: &ColumnSummary, deltas: &Distribution) -> String {
    let all = [
        ("least", deltas.min),
        ("1 %", deltas.p01),
        ("5 %", deltas.p05),
        ("25 %", deltas.p25),
        ("median", deltas.p50),
        ("75 %", deltas.p75),
        ("95 %", deltas.p95),
        ("99 %", deltas.p99),
        ("largest", deltas.max),
        ("mean", deltas.mean),
    ];
    let known = all.iter().filter_map(|(name, number)| Some((name, (*number)?)));
    let known: Vec<(&&str, f64)> = known.collect();
    if known.is_empty() {
        return String::new();
    }
    let headings: String = known
        .iter()
        .map(|(name, _)| format!("<th scope=\"col\" class=\"n\">{name}</th>"))
        .collect();
    let numbers = known
        .iter()
        .map(|(_, number)| format!("<td class=\"n\">{}</td>", HTML.plain(&delta(*number, column.delta_unit), NAME)));
    let numbers: String = numbers.collect();
    format!(
        "<h3>shadow - live <span class=\"soft\">drawn from 1 % to 99 %, with a thin line at 0</span></h3>\n{}<div class=\"scroll\"><table><thead><tr>{headings}</tr></thead><tbody><tr>{numbers}</tr></tbody></table></div>\n",
        box_plot(deltas).unwrap_or_default()
    ) + &histogram(column, deltas)
}

/// A bar for each step of the histogram, as high as its count; what is there has some height.
fn histogram(column: &ColumnSummary, deltas: &Distribution) -> String {
    const HEIGHT: u128 = 100;
    const WIDTH: usize = 20;
    let steps = &deltas.histogram;
    let Some(most) = steps.iter().map(|step| step.count).max().filter(|most| *most > 0) else {
        return String::new();
    };
    let shown = |number: f64| HTML.plain(&delta(number, column.delta_unit), NAME);
    let bar = |(at, step): (usize, &Step)| {
        let height = (u128::from(step.count) * HEIGHT).div_ceil(u128::from(most));
        let range = if step.from == step.to {
            shown(step.from)
        } else {
            format!("{} to {}", shown(step.from), shown(step.to))
        };
        format!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{height}\"><title>{range}: {}</title></rect>",
            at * WIDTH,
            HEIGHT - height,
            WIDTH - 2,
            grouped(step.count)
        )
    };
    let bars: String = steps.iter().enumerate().map(bar).collect();
    let below = steps.iter().filter(|step| step.from < 0.0 && step.to <= 0.0).count();
    let zero = match below {
        0 => String::new(),
        below => format!("<line x1=\"{0}\" x2=\"{0}\" y1=\"0\" y2=\"{HEIGHT}\"/>", below * WIDTH - 1),
    };
    let ends = steps.first().zip(steps.last());
    let ends = ends.map(|(first, last)| format!("<span>{}</span><span>{}</span>", shown(first.from), shown(last.to)));
    format!(
        "<h3>How many lie where <span class=\"soft\">in steps that grow with the size, with a thin line at 0</span></h3>\n<div class=\"histogram\"><svg viewBox=\"0 0 {} {HEIGHT}\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Histogram of {} differing cells\">{zero}{bars}</svg><div class=\"ends\">{}</div></div>\n",
        steps.len() * WIDTH,
        grouped(deltas.count),
        ends.unwrap_or_default()
    )
}

/// From the first to the 99th percentile: a line, a box from the 25th to the 75th, the median, and a tick at 0.
fn box_plot(deltas: &Distribution) -> Option<String> {
    const WIDTH: f64 = 1_000.0;
    let (from, to) = (deltas.p01?.min(0.0), deltas.p99?.max(0.0));
    let span = to - from;
    if !span.is_normal() {
        return None;
    }
    let at = |number: f64| ((number.clamp(from, to) - from) / span * WIDTH).round();
    let [low, left, median, right, high] = [deltas.p01?, deltas.p25?, deltas.p50?, deltas.p75?, deltas.p99?].map(at);
    let zero = at(0.0);
    Some(format!(
        "<svg class=\"box\" viewBox=\"-4 0 1008 24\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><line x1=\"{zero}\" x2=\"{zero}\" y1=\"0\" \
         y2=\"24\"/><line x1=\"{low}\" x2=\"{high}\" y1=\"12\" y2=\"12\"/><rect x=\"{left}\" y=\"5\" width=\"{}\" height=\"14\"/><line \
         class=\"median\" x1=\"{median}\" x2=\"{median}\" y1=\"3\" y2=\"21\"/></svg>\n",
        (right - left).max(4.0)
    ))
}

/// Some lines of each pattern.
fn samples(group: &Group<'_>, excerpt: &Excerpt) -> String {
    let mut out = String::new();
    for (number, pattern) in group.patterns.iter().take(PATTERNS) {
        let Some(lines) = excerpt.lines.get(*number).filter(|lines| !lines.is_empty()) else {
            continue;
        };
        let of = match pattern.exceptions {
            0 => format!("{}, all expected", grouped(pattern.differing)),
            exceptions => format!("{} of {}", counted_apart(exceptions, "exception"), grouped(pattern.differing)),
        };
        out += &format!(
            "<h3>{} <span class=\"soft\">{of}</span></h3>\n",
            HTML.plain(&named_cause(pattern), NAME)
        );
        let key = excerpt.key.iter().map(|name| HTML.plain(name, NAME)).collect::<Vec<_>>().join(", ");
        let rows = lines.iter().map(sample);
        let headings: &[&str] = match (lines[0].shadow.is_some() || lines[0].live.is_some(), lines[0].delta.is_some()) {
            (true, true) => &[&key, "live", "shadow", "#Delta", "Rule"],
            (true, false) => &[&key, "live", "shadow", "Rule"],
            (false, _) => &[&key, "Rule"],
        };
        out += &table(headings, rows, lines.len(), PART_BYTES / 4);
    }
    more_patterns(&mut out, group.patterns.len());
    out
}

fn more_patterns(out: &mut String, patterns: usize) {
    if patterns > PATTERNS {
        *out += &format!(
            "<p class=\"soft\">… and {} more patterns</p>\n",
            grouped((patterns - PATTERNS) as u64)
        );
    }
}

/// Lines of a pattern are alike in what they have.
fn sample(line: &Line) -> String {
    let mut cells = vec![HTML.values(&line.key, NAME)];
    if line.live.is_some() || line.shadow.is_some() {
        cells.extend(HTML.pair(line, VALUE));
    }
    let mut out: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    if let Some(delta) = &line.delta {
        out += &format!("<td class=\"n\">{}</td>", HTML.plain(delta, NAME));
    }
    match &line.rule {
        Some(rule) => out += &format!("<td>{}</td>", HTML.text(rule, NAME)),
        None => out += "<td class=\"bad\">none</td>",
    }
    format!("<tr>{out}</tr>\n")
}
