//! The account and key columns: which name a customer, which name a row.

use crate::error::Error;
use crate::spec::OUTPUT_COLUMNS;
use crate::spec::item::{Fields, Item};
use crate::spec::mistakes::Mistakes;

#[derive(Debug, Default)]
pub(super) struct Key {
    pub(super) account: Vec<String>,
    /// The account columns first.
    pub(super) key: Vec<String>,
}

pub(super) fn read(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Key {
    let account = match fields.get("account") {
        Some(item) => names(&item, &[], mistakes),
        None => {
            let advice = mistakes.or_flag("add the column or columns that name a customer", "--account");
            fields.wrong(mistakes, Error::spec("has no `account`").advice(advice));
            Vec::new()
        }
    };
    let mut key = account.clone();
    if let Some(item) = fields.get("key") {
        key.extend(names(&item, &account, mistakes).into_iter().filter(|name| !account.contains(name)));
    }
    Key { account, key }
}

/// The names of a list of columns; what is wrong with one in `judged` was said there.
fn names(item: &Item<'_>, judged: &[String], mistakes: &mut Mistakes) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for item in item
        .one_or_more("the name of a column, or a list of them", mistakes)
        .unwrap_or_default()
    {
        let Some(name) = item.text(mistakes) else { continue };
        if names.iter().any(|earlier| earlier == name) {
            item.wrong(
                mistakes,
                Error::spec(format!("names `{name}` a second time")).advice("name each column once"),
            );
            continue;
        }
        if OUTPUT_COLUMNS.contains(&name) && !judged.iter().any(|earlier| earlier == name) {
            let rename = format!("columns: {{rename: {{live: {{{name}: {name}_key}}, shadow: {{{name}: {name}_key}}}}}}");
            item.wrong(
                mistakes,
                Error::spec(format!("the result has a column `{name}` of its own"))
                    .advice(format!("rename this one with `{rename}` and name {name}_key here")),
            );
        }
        names.push(name.to_owned());
    }
    names
}
