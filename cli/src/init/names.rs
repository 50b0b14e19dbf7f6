//! What the name of a column suggests it to be. Only a suggestion: the data decides.

/// What a name suggests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameHint {
    /// Names a customer.
    Account,
    /// Names a group of customers, such as a country.
    Group,
    /// Names a thing.
    Identifier,
    /// A thing that customers have many of.
    Thing,
    /// A day, a kind: tells rows of one thing apart.
    Dimension,
    Other,
    /// An amount, a score, a remark: what a row says, not what it is.
    Measure,
    /// What a run writes about itself: when a row was loaded, by which job.
    Technical,
}

/// Words with a blank between them.
struct Words(&'static str);

impl Words {
    fn each(&self) -> impl Iterator<Item = &'static str> {
        self.0.split(' ')
    }

    fn has(&self, word: &str) -> bool {
        self.each().any(|known| known == word)
    }
}

const ACCOUNTS: Words = Words(
    "\
    account acct customer cust user client tenant organisation organization org merchant subscriber member company \
    household patient workspace advertiser publisher kunde",
);
const GROUPS: Words = Words("country region market shop store site partner brand branch");
const IDENTIFIERS: Words = Words("id key code no nr num number uuid guid ref sku iban isbn pk");
/// Ends of words that are written without a separator, such as `countrycode`.
const IDENTIFIER_ENDS: Words = Words("id key code number uuid guid no");
const NO_IDENTIFIERS: Words = Words("paid unpaid prepaid valid invalid void grid bid mid avoid piano turkey");
const THINGS: Words = Words(
    "\
    invoice order transaction ticket item product article line position contract policy payment booking device \
    event session document metric campaign project asset vehicle trip claim loan card sensor row",
);
const DIMENSIONS: Words = Words(
    "\
    date day week month quarter year hour period type kind category class currency lang language locale channel \
    segment slot seq sequence index rank version",
);
const MEASURES: Words = Words(
    "\
    amount price total sum count score value rate ratio quantity qty balance net gross tax discount percent share \
    avg average min max cost spend revenue description comment note notes remark",
);
const RUNS: Words = Words(
    "\
    etl elt dwh load loaded ingest ingested ingestion inserted computed calculated processed processing generated \
    extracted exported imported refreshed synced materialized run batch job dag execution pipeline hostname",
);

/// The words of a name, in lower case: `loadedAt` and `loaded_at` are both `loaded`, `at`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_is_lower = false;
    for c in name.chars() {
        let begins = !c.is_alphanumeric() || (c.is_uppercase() && before_is_lower);
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        before_is_lower = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What a name suggests; that of a member by the struct around it too, where its own words say nothing.
pub(super) fn name_hint(name: &str) -> NameHint {
    let own = name.rsplit_once('.').map_or(name, |(_, last)| last);
    let parent = name.rsplit('.').nth(1).map(|parent| format!("{parent}.{own}"));
    match (hint_of_words(&words(own)), parent.map(|both| hint_of_words(&words(&both)))) {
        (NameHint::Other | NameHint::Identifier, Some(of_both)) => of_both,
        (alone, _) => alone,
    }
}

fn hint_of_words(words: &[String]) -> NameHint {
    let any = |list: Words| words.iter().any(|word| list.has(word));
    if any(RUNS) {
        return NameHint::Technical;
    }
    if let Some(owner) = owner(words) {
        return owner;
    }
    let last = words.last().map_or("", String::as_str);
    if IDENTIFIERS.has(last) || joined_end(last).is_some() {
        return NameHint::Identifier;
    }
    if any(MEASURES) {
        return NameHint::Measure;
    }
    if THINGS.has(last) {
        return NameHint::Thing;
    }
    if DIMENSIONS.has(last) {
        NameHint::Dimension
    } else {
        NameHint::Other
    }
}

/// Whether a name tells of a moment, such as `loaded_at`.
pub(super) fn is_moment(name: &str) -> bool {
    words(name)
        .last()
        .is_some_and(|word| matches!(word.as_str(), "at" | "ts" | "timestamp"))
}

/// `account`, `account_id`, `countrycode`; not `account_name`.
fn owner(words: &[String]) -> Option<NameHint> {
    let named = words.iter().rposition(|word| !IDENTIFIERS.has(word))?;
    let rest: Vec<&str> = words[..=named]
        .iter()
        .map(|word| joined_end(word).unwrap_or(word.as_str()))
        .collect();
    if rest.iter().all(|word| ACCOUNTS.has(word)) {
        Some(NameHint::Account)
    } else if rest.iter().all(|word| ACCOUNTS.has(word) || GROUPS.has(word)) {
        Some(NameHint::Group)
    } else {
        None
    }
}

/// `country` of `countrycode`.
fn joined_end(word: &str) -> Option<&str> {
    if NO_IDENTIFIERS.has(word) {
        return None;
    }
    let end = IDENTIFIER_ENDS
        .each()
        .find(|end| word.len() > end.len() + 2 && word.ends_with(end))?;
    Some(&word[..word.len() - end.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_words() {
        for (name, expected) in [
            ("loaded_at", "loaded at"),
            ("loadedAt", "loaded at"),
            ("AccountID", "account id"),
            ("ETL-Run Id", "etl run id"),
            ("__x__", "x"),
            ("*", ""),
            ("größe", "größe"),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn names_suggest_something() {
        for (name, expected) in [
            ("account_id", NameHint::Account),
            ("CustomerNo", NameHint::Account),
            ("userid", NameHint::Account),
            ("countrycode", NameHint::Group),
            ("account_name", NameHint::Other),
            ("geonameid", NameHint::Identifier),
            ("order_id", NameHint::Identifier),
            ("id", NameHint::Identifier),
            ("paid", NameHint::Other),
            ("invoice", NameHint::Thing),
            ("metric", NameHint::Thing),
            ("due_date", NameHint::Dimension),
            ("health_score", NameHint::Measure),
            ("batch_id", NameHint::Technical),
            ("etl_version", NameHint::Technical),
            ("computed_at", NameHint::Technical),
            ("plan", NameHint::Other),
            ("event.customer.id", NameHint::Account),
            ("meta.loaded_at", NameHint::Technical),
            ("run.id", NameHint::Technical),
            ("user.name", NameHint::Other),
            ("user.amount", NameHint::Measure),
        ] {
            assert_eq!(name_hint(name), expected, "{name}");
        }
        assert!(is_moment("createdAt") && !is_moment("format"));
    }
}
