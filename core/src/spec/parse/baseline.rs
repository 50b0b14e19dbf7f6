//! Which side holds the old values, and lists of accounts.

use crate::error::Error;
use crate::side::Side;
use crate::spec::fields::{ACCOUNT_SOURCE, BASELINE, SIDES};
use crate::spec::item::{Fields, Item};
use crate::spec::mistakes::Mistakes;
use crate::spec::model::{BaselineSpec, ListSource};

/// `width` is the number of account columns, 0 if that is not known.
pub(super) fn read(fields: &Fields<'_>, width: usize, mistakes: &mut Mistakes) -> BaselineSpec {
    let all_live = BaselineSpec {
        default: Side::Live,
        flipped: None,
    };
    let Some(item) = fields.get("baseline") else { return all_live };
    if !item.is_mapping() {
        return BaselineSpec {
            default: item.word(SIDES, mistakes).unwrap_or(Side::Live),
            flipped: None,
        };
    }
    let Some(fields) = item.fields(&BASELINE, mistakes) else {
        return all_live;
    };
    let Some(default) = fields.word("default", SIDES, mistakes) else {
        return all_live;
    };
    let (wanted, wrong) = match default {
        Side::Live => ("shadow_for", "live_for"),
        Side::Shadow => ("live_for", "shadow_for"),
    };
    if let Some(item) = fields.get(wrong) {
        item.wrong(
            mistakes,
            Error::spec(format!("the baseline of all accounts is {default} already"))
                .advice(format!("use `{wanted}` for those of the other side")),
        );
    }
    BaselineSpec {
        default,
        flipped: fields.get(wanted).and_then(|item| source(&item, width, mistakes)),
    }
}

fn source(item: &Item<'_>, width: usize, mistakes: &mut Mistakes) -> Option<ListSource> {
    let fields = item.fields(&ACCOUNT_SOURCE, mistakes)?;
    one_of(&fields, &["list", "file"], mistakes)?;
    list_source(&fields, width, mistakes)
}

/// Notes it if not exactly one of the fields is there.
pub(super) fn one_of(fields: &Fields<'_>, names: &[&str], mistakes: &mut Mistakes) -> Option<()> {
    let given = names.iter().filter(|name| fields.has(name)).count();
    let names = names.join(", ");
    match given {
        0 => fields.wrong(mistakes, Error::spec("lists no accounts").advice(format!("give one of {names}"))),
        1 => return Some(()),
        _ => fields.wrong(
            mistakes,
            Error::spec("gives the accounts in more than one way").advice(format!("give only one of {names}")),
        ),
    }
    None
}

/// The accounts of `list` or `file`; `None` if there is neither, or a mistake in it.
pub(super) fn list_source(fields: &Fields<'_>, width: usize, mistakes: &mut Mistakes) -> Option<ListSource> {
    if let Some(item) = fields.get("list") {
        let accounts = item.list("a list of accounts", mistakes)?;
        return Some(ListSource::List(
            accounts.iter().filter_map(|item| account(item, width, mistakes)).collect(),
        ));
    }
    fields.text("file", mistakes).map(ListSource::File)
}

fn account(item: &Item<'_>, width: usize, mistakes: &mut Mistakes) -> Option<Vec<String>> {
    if !item.is_list() {
        let value = item.scalar("an account", mistakes)?.to_owned();
        if width > 1 {
            item.wrong(
                mistakes,
                Error::spec(format!("is one value, but an account has {width} columns")).advice(format!("write a list of {width} values")),
            );
        }
        return Some(vec![value]);
    }
    let items = item.list("an account", mistakes)?;
    if width > 0 && items.len() != width {
        let values = if width == 1 {
            "1 value".to_owned()
        } else {
            format!("a list of {width} values")
        };
        item.wrong(
            mistakes,
            Error::spec(format!("has {} values, but an account has {width}", items.len())).advice(format!("write {values}")),
        );
    }
    Some(
        items
            .iter()
            .filter_map(|item| item.scalar("a value of an account", mistakes).map(str::to_owned))
            .collect(),
    )
}
