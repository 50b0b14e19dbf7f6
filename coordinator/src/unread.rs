//! Tells the columns of a side that nothing looks at: those that the spec leaves out and no SQL names. Whatever is in them does not matter.

use crate::prune::pair_sql;
use shadowdiff_common::sql::Sql;
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::{Columns, Spec};

/// Which columns of a side are left alone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UnreadColumns {
    columns: Columns,
    /// From the names in the files to those in the comparison.
    renames: Vec<(String, String)>,
    key: Vec<String>,
    /// What stands in SQL that sees rows of this side, dotted.
    in_sql: Vec<String>,
}

impl UnreadColumns {
    pub(crate) fn new(spec: &Spec, side: Side) -> Self {
        let sql = Sql::default();
        let of_rows = spec.filter[side].iter().cloned();
        let of_derives = spec.columns.derive[side].iter().map(|(_, text)| text.clone());
        let texts = of_rows.chain(of_derives).chain(pair_sql(spec));
        let row = format!("{side}_row");
        let dotted = texts.flat_map(|text| sql.names(&text)).map(|parts| match parts.split_first() {
            Some((first, rest)) if *first == row && !rest.is_empty() => rest.join("."),
            _ => parts.join("."),
        });
        UnreadColumns {
            columns: spec.columns.clone(),
            renames: spec.columns.rename[side].clone(),
            key: spec.key.clone(),
            in_sql: dotted.collect(),
        }
    }

    /// Whether a column, by its name in the files, is left alone; a member of a struct goes by its dotted path.
    pub(crate) fn takes(&self, source: &str) -> bool {
        let renamed = |name: &str| self.renames.iter().find(|(from, _)| from == name).map(|(_, to)| to.clone());
        let of_struct = || {
            let (outer, member) = source.split_once('.')?;
            Some(format!("{}.{member}", renamed(outer)?))
        };
        let name = renamed(source).or_else(of_struct).unwrap_or_else(|| source.to_owned());
        // SQL that names `p.x` needs `p`, and SQL that names `p` needs all that is in it.
        let is_around = |outer: &str, inner: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let needs = |used: &String| is_around(&name, used) || is_around(used, &name);
        let is_left_out = self.columns.excludes(&name) || !(self.columns.includes(&name) || self.columns.may_include_inside(&name));
        is_left_out && !self.key.iter().any(|key| is_around(&name, key)) && !self.in_sql.iter().any(needs)
    }
}
