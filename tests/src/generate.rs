//! Makes a pair of datasets, a spec and settings from a seed: small, and as nasty as the contract allows.

use crate::cell::{Cell, Table, Type, equal, order_all};
use crate::column::Column;
use crate::print::{print, quoted};
use crate::random::Random;
use crate::row_sql::{derived, filters};
use crate::spec_text::{RuleText, SpecText, list};
use crate::types::{key_types, value_types};
use crate::values::{fit, nudge, value};
use crate::write::Layout;
use shadowdiff_core::side::{Side, Sides};

/// Everything that one run needs.
#[derive(Debug)]
pub struct Generated {
    pub tables: Sides<Table>,
    pub spec: SpecText,
    pub layouts: Sides<Layout>,
    /// Settings, none of which may change the result.
    pub settings: Vec<String>,
}

/// The pair of this seed.
pub fn generate(seed: u64) -> Generated {
    let mut random = Random::new(seed);
    let columns = columns(&mut random);
    let keys = columns.iter().filter(|c| c.is_key).count();
    let mut full = rows(&mut random, &columns);
    for side in Side::BOTH {
        unify_equal_rows(&columns, &mut full[side]);
    }
    let accounts = 1 + usize::from(keys > 1 && random.percent(20));
    let (made, derive) = derived(&mut random, &columns);
    let all = [columns.clone(), made].concat();
    let mut spec = spec(&mut random, &all, accounts, &full);
    spec.derive = derive;
    // Not drawn: what else a seed makes stays as it was.
    spec.lists_all = seed % 5 < 2;
    spec.parquet = seed.is_multiple_of(3);
    spec.totals = seed % 4 < 2;
    let mut tables = Sides::from_fn(|side| table(&columns, &full[side], side));
    for side in Side::BOTH {
        if random.percent(50) {
            random.shuffle(&mut tables[side].rows);
        }
        if random.percent(30) {
            shuffle_columns(&mut random, &mut tables[side]);
        }
        if random.percent(20) {
            end_in_nulls(&mut random, &spec, &mut tables[side]);
        }
    }
    let mut layouts = Sides::from_fn(|side| Layout::random(&mut random, &tables[side]));
    // Not drawn either: every third pair is stored as jobs mostly store theirs, in the order of the keys.
    if seed % 3 == 1 {
        for side in Side::BOTH {
            sort_by_key(&columns, &mut tables[side]);
            layouts[side] = Layout::small_groups(&tables[side], if seed.is_multiple_of(2) { 3 } else { 11 });
        }
    }
    let mut generated = Generated {
        tables,
        spec,
        layouts,
        settings: settings(&mut random),
    };
    for side in Side::BOTH {
        let (layout, table) = (&generated.layouts[side], &generated.tables[side]);
        generated.spec.schema[side] = layout.schema(table);
        let renames = &generated.spec.rename[side];
        let new_name = |old: String| {
            renames
                .iter()
                .find(|(from, _)| *from == old)
                .map_or(old.clone(), |(_, to)| to.clone())
        };
        generated.spec.cast[side] = layout.casts(table).into_iter().map(|(name, word)| (new_name(name), word)).collect();
    }
    generated
}

fn sort_by_key(columns: &[Column], table: &mut Table) {
    let keys = columns.iter().filter(|column| column.is_key);
    let place = |column: &Column| table.columns.iter().position(|(name, _)| *name == column.name);
    let places: Vec<usize> = keys.filter_map(place).collect();
    let key = |row: &[Cell]| places.iter().map(|place| row[*place].clone()).collect::<Vec<_>>();
    table.rows.sort_by(|a, b| order_all(&key(a), &key(b)));
}

fn columns(random: &mut Random) -> Vec<Column> {
    let mut columns = Vec::new();
    for at in 0..1 + random.below(3) {
        let (live, shadow) = key_types(random);
        let name = if at == 0 { "acc".to_owned() } else { format!("k{at}") };
        let name = if at == 1 && random.percent(10) {
            "Größe, \"cm\"".into()
        } else {
            name
        };
        let types = Sides::new(live, shadow);
        columns.push(Column {
            shadow_name: name.clone(),
            name,
            types,
            is_key: true,
            excluded: false,
            present: Sides::new(true, true),
        });
    }
    let names = ["live", "kind", "with,comma", "quo\"te", "Ümlaut", "Amount", "amount", "dot.ted"];
    for (at, nasty) in names.iter().enumerate().take(random.below(7)) {
        let (live, shadow) = value_types(random);
        let is_number = matches!(live, Type::Int { .. } | Type::Decimal { .. } | Type::Float { .. });
        let suffix = if is_number && random.percent(30) { "_p" } else { "" };
        let name = if random.percent(12) {
            (*nasty).to_owned()
        } else {
            format!("v{at}{suffix}")
        };
        let mut column = Column {
            shadow_name: name.clone(),
            name,
            types: Sides::new(live, shadow),
            is_key: false,
            excluded: random.percent(8),
            present: Sides::new(true, true),
        };
        match random.below(24) {
            0 => column.present.live = false,
            1 => column.present.shadow = false,
            2 | 3 if !column.excluded => column.shadow_name = format!("old_{at}"),
            _ => {}
        }
        if column.excluded && random.percent(50) {
            column.types = Sides::new(Type::Text, Type::Bool);
        }
        columns.push(column);
    }
    columns
}

/// Rows of all columns for each side: shadow is live with changes.
fn rows(random: &mut Random, columns: &[Column]) -> Sides<Vec<Vec<Cell>>> {
    let count = if random.percent(5) { 0 } else { random.below(60) };
    let new_row = |random: &mut Random| -> Vec<Cell> { columns.iter().map(|c| account_or_value(random, c, Side::Live)).collect() };
    let mut live: Vec<Vec<Cell>> = Vec::new();
    for _ in 0..count {
        // Duplicates are asked for below; most keys are new.
        let row = new_row(random);
        let taken = |row: &Vec<Cell>| {
            live.iter()
                .any(|r| columns.iter().zip(r.iter().zip(row)).all(|(c, (a, b))| !c.is_key || equal(a, b)))
        };
        if !taken(&row) || random.percent(15) {
            live.push(row);
        }
        if random.percent(4) {
            live.extend(live.last().cloned());
        }
    }
    let calm = *random.pick(&[98, 90, 75, 75, 50]);
    let mut shadow = Vec::new();
    for row in &live {
        match (random.percent(calm), random.below(20)) {
            (true, _) => shadow.push(moved(random, columns, row, 0)),
            (false, 0..=2) => {}
            (false, 3) => shadow.extend([moved(random, columns, row, 0), moved(random, columns, row, 30)]),
            (false, 4) => shadow.push(columns.iter().map(|c| account_or_value(random, c, Side::Shadow)).collect()),
            (false, 5) => shadow.extend([moved(random, columns, row, 0), moved(random, columns, row, 0)]),
            (false, _) => shadow.push(moved(random, columns, row, 40)),
        }
    }
    Sides::new(live, shadow)
}

/// Accounts come from few values, so that one has several rows.
fn account_or_value(random: &mut Random, column: &Column, side: Side) -> Cell {
    let of = &column.types[side];
    match (column.name.as_str(), of) {
        ("acc", Type::Text) if random.percent(80) => Cell::Text(format!("a{}", random.below(9))),
        ("acc", Type::Int { .. }) if random.percent(80) => Cell::Int(random.below(12) as i128),
        _ => value(random, of),
    }
}

/// A live row as shadow has it, some of its values changed.
fn moved(random: &mut Random, columns: &[Column], row: &[Cell], percent: usize) -> Vec<Cell> {
    let cell = |(column, cell): (&Column, &Cell)| {
        let of = &column.types.shadow;
        let same = fit(cell, of).unwrap_or_else(|| value(random, of));
        match (column.is_key, random.percent(percent)) {
            (false, true) if random.percent(65) => nudge(random, &same, of),
            (false, true) => value(random, of),
            _ => respell_zero(random, same),
        }
    };
    columns.iter().zip(row).map(cell).collect()
}

fn respell_zero(random: &mut Random, cell: Cell) -> Cell {
    match cell {
        Cell::Double(0.0) if random.percent(30) => Cell::Double(-0.0),
        other => other,
    }
}

/// Rows of one side that are equal are made the same to the last bit: which of two equal rows cancels is nobody's business, but
/// the one that is left is printed.
fn unify_equal_rows(columns: &[Column], rows: &mut [Vec<Cell>]) {
    for at in 1..rows.len() {
        let (before, row) = rows.split_at_mut(at);
        let same = |other: &&Vec<Cell>| {
            columns
                .iter()
                .zip(other.iter().zip(&row[0]))
                .all(|(c, (a, b))| !c.is_compared() || equal(a, b))
        };
        if let Some(other) = before.iter().find(same) {
            row[0] = other.clone();
        }
    }
}

fn table(columns: &[Column], rows: &[Vec<Cell>], side: Side) -> Table {
    let kept: Vec<usize> = (0..columns.len()).filter(|c| columns[*c].present[side]).collect();
    let name = |c: &Column| {
        if side == Side::Shadow {
            c.shadow_name.clone()
        } else {
            c.name.clone()
        }
    };
    Table {
        columns: kept.iter().map(|c| (name(&columns[*c]), columns[*c].types[side].clone())).collect(),
        rows: rows.iter().map(|row| kept.iter().map(|c| row[*c].clone()).collect()).collect(),
    }
}

fn shuffle_columns(random: &mut Random, table: &mut Table) {
    let mut places: Vec<usize> = (0..table.columns.len()).collect();
    random.shuffle(&mut places);
    *table = table.with_columns(&places);
}

/// A value column that is NULL from some row on, as where a later file does not have it.
fn end_in_nulls(random: &mut Random, spec: &SpecText, table: &mut Table) {
    let at = random.below(table.columns.len());
    let is_key = spec.key.contains(&table.columns[at].0);
    let from = table.rows.len() / (2 + random.below(2)) + 1;
    if !is_key {
        table.rows.iter_mut().skip(from).for_each(|row| row[at] = Cell::Null);
    }
}

fn spec(random: &mut Random, columns: &[Column], accounts: usize, rows: &Sides<Vec<Vec<Cell>>>) -> SpecText {
    let key: Vec<String> = columns.iter().filter(|c| c.is_key).map(|c| c.name.clone()).collect();
    let listed = listed_accounts(random, columns, accounts, rows);
    let comparators = comparators(random, columns);
    let rename = columns
        .iter()
        .filter(|c| c.name != c.shadow_name && c.present.shadow)
        .map(|c| (c.shadow_name.clone(), c.name.clone()));
    SpecText {
        account: key[..accounts].to_vec(),
        key: key.clone(),
        baseline: if random.percent(30) { Side::Shadow } else { Side::Live },
        flipped: if random.percent(20) { listed.clone() } else { Vec::new() },
        filter: filters(random, columns),
        exclude: columns
            .iter()
            .filter(|c| c.excluded && c.present.live | c.present.shadow)
            .map(|c| c.name.clone())
            .collect(),
        rename: Sides::new(Vec::new(), rename.collect()),
        schema: Sides::default(),
        cast: Sides::default(),
        derive: Vec::new(),
        comparators,
        rules: (0..random.below(4))
            .map(|at| rule(random, columns, accounts, rows, &listed, at))
            .collect(),
        verdict: verdict(random, columns),
        may_have_more: Sides::from_fn(|_| random.percent(60)),
        lists_all: false,
        parquet: false,
        judgeable: false,
        totals: false,
        attributes: Vec::new(),
    }
}

/// Some accounts as text, where they have a plain text.
fn listed_accounts(random: &mut Random, columns: &[Column], accounts: usize, rows: &Sides<Vec<Vec<Cell>>>) -> Vec<String> {
    let is_plain = |t: &Type| matches!(t, Type::Text | Type::Int { .. });
    if accounts > 1 || !is_plain(&columns[0].types.live) || !is_plain(&columns[0].types.shadow) {
        return Vec::new();
    }
    let texts = rows
        .live
        .iter()
        .chain(&rows.shadow)
        .filter_map(|row| print(&row[0], &columns[0].types.live));
    let mut texts: Vec<String> = texts.filter(|t| !t.is_empty() && random.percent(40)).collect();
    texts.sort();
    texts.dedup();
    texts
}

fn tolerances(random: &mut Random) -> Vec<String> {
    let absolute = format!("absolute: {}", random.pick(&["0.01", "1", "0.5", "1000", "0"]));
    let relative = format!("relative: {}", random.pick(&["5%", "0.2", "50%", "0.001"]));
    match random.below(3) {
        0 => vec![absolute],
        1 => vec![relative],
        _ => vec![absolute, relative],
    }
}

fn comparators(random: &mut Random, columns: &[Column]) -> Vec<(String, Vec<String>)> {
    let mut entries = Vec::new();
    if columns.iter().any(|c| c.name.ends_with("_p")) && random.percent(50) {
        entries.push(("*_p".to_owned(), tolerances(random)));
    }
    for column in columns.iter().filter(|c| c.is_compared() && !c.is_key) {
        // A decimal against a double has no meaning without a tolerance.
        let needs_one = matches!(
            (&column.types.live, &column.types.shadow),
            (Type::Decimal { .. }, Type::Float { .. }) | (Type::Float { .. }, Type::Decimal { .. })
        );
        if needs_one || random.percent(50) {
            entries.extend(comparator(random, &column.name, &column.types.live, &column.types.shadow));
        }
    }
    entries
}

fn comparator(random: &mut Random, name: &str, live: &Type, shadow: &Type) -> Option<(String, Vec<String>)> {
    let known = if *live == Type::Null { shadow } else { live };
    let fields = match known {
        Type::Int { .. } if live == shadow && random.percent(20) => vec!["sql: \"shadow >= live\"".to_owned()],
        Type::Int { .. } | Type::Decimal { .. } | Type::Float { .. } => tolerances(random),
        Type::Text => vec![random.pick(TEXT_COMPARATORS).to_string()],
        Type::Date | Type::Timestamp { .. } => vec![format!("time: {}", random.pick(&["1s", "500ms", "2h", "1d"]))],
        Type::List(item) if **item != Type::Text && random.percent(50) => {
            let mut fields = tolerances(random);
            fields.extend(random.percent(50).then(|| "unordered: true".to_owned()));
            fields
        }
        Type::List(_) => vec!["unordered: true".to_owned()],
        Type::Struct(members) => {
            let (member, of) = random.pick(members);
            return if matches!(of, Type::Struct(_)) {
                None
            } else {
                comparator(random, &format!("{name}.{member}"), of, of)
            };
        }
        Type::Null | Type::Bool | Type::Binary | Type::Map(..) | Type::Own => return None,
    };
    Some((name.to_owned(), fields))
}

const TEXT_COMPARATORS: &[&str] = &[
    "text: {normalize: nfc}",
    "text: {normalize: nfkd, trim: true, ignore_case: true}",
    "text: {trim: true, collapse_whitespace: true, empty_is_null: true}",
    "text: {ignore_case: true}",
    "text: {empty_is_null: true}",
    "json: true",
];

fn rule(random: &mut Random, columns: &[Column], accounts: usize, rows: &Sides<Vec<Vec<Cell>>>, listed: &[String], at: usize) -> RuleText {
    let mut rule = RuleText {
        name: format!("rule {}", at + 1),
        ..RuleText::default()
    };
    let plain_account = accounts == 1 && columns[0].is_plain_int();
    rule.accounts = match random.below(4) {
        0 | 1 if !listed.is_empty() => Some(format!("{{list: {}}}", list(&listed[..1 + random.below(listed.len())]))),
        2 if plain_account => Some("{where: \"acc > 4\"}".to_owned()),
        3 if !has_duplicates(columns, rows) => columns
            .iter()
            .find(|c| c.is_plain_int())
            .map(|c| format!("{{where: \"{} > 2\"}}", c.name)),
        _ => None,
    };
    let values: Vec<&Column> = columns
        .iter()
        .filter(|c| c.is_compared() && !c.is_key && c.types.live != Type::Null && c.types.shadow != Type::Null)
        .collect();
    if !values.is_empty() && random.percent(50) {
        let column = *random.pick(&values);
        rule.columns = vec![if random.percent(20) { "v*".to_owned() } else { column.name.clone() }];
        let is_number = |t: &Type| matches!(t, Type::Int { .. } | Type::Decimal { .. } | Type::Float { .. });
        if is_number(&column.types.live) && is_number(&column.types.shadow) && rule.columns[0] == column.name {
            rule.within = random.percent(50).then(|| format!("{{{}}}", tolerances(random).join(", ")));
            rule.filter = (column.types.live == column.types.shadow && random.percent(30))
                .then(|| random.pick(&["shadow > live", "live IS NOT NULL"]).to_string());
        }
    } else if random.percent(50) {
        let kinds = ["changed", "missing_in_shadow", "missing_in_live", "duplicate_key"];
        rule.kinds = kinds.iter().filter(|_| random.percent(50)).map(|k| (*k).to_owned()).collect();
    }
    rule.bounds
        .extend(random.percent(20).then(|| format!("max: {}", 1 + random.below(6))));
    match random.below(10) {
        0 => rule.bounds.push("until: 2026-12-31".into()),
        1 => rule.bounds.push("until: 2026-10-31".into()),
        2 => rule.bounds.extend(["min: 1".to_owned(), "until: 2026-11-01".to_owned()]),
        _ => {}
    }
    rule
}

fn has_duplicates(columns: &[Column], rows: &Sides<Vec<Vec<Cell>>>) -> bool {
    let same_key = |a: &Vec<Cell>, b: &Vec<Cell>| columns.iter().zip(a.iter().zip(b)).all(|(c, (a, b))| !c.is_key || equal(a, b));
    Side::BOTH.into_iter().any(|side| {
        rows[side]
            .iter()
            .enumerate()
            .any(|(at, row)| rows[side][..at].iter().any(|other| same_key(row, other)))
    })
}

fn verdict(random: &mut Random, columns: &[Column]) -> Vec<String> {
    let mut fields = vec![format!("max_exceptions: {}", random.pick(&["0", "0", "5", "20%", "100%", "1000"]))];
    fields.extend(
        random
            .percent(25)
            .then(|| format!("max_exception_accounts: {}", random.pick(&["0", "2", "25%", "100%"]))),
    );
    let plain = columns
        .iter()
        .find(|c| c.is_compared() && !c.is_key && !matches!(c.types.live, Type::Struct(_)));
    if let (Some(column), true) = (plain, random.percent(25)) {
        fields.push(format!(
            "max_column_mismatch: {{{}: {}}}",
            quoted(&column.name),
            random.pick(&["0", "3", "10%"])
        ));
    }
    let has_structs = columns.iter().any(|c| matches!(c.types.live, Type::Struct(_)));
    fields.extend((!has_structs && random.percent(15)).then(|| "type_changes: fail".to_owned()));
    fields.extend(random.percent(15).then(|| "unused_rules: fail".to_owned()));
    fields.extend(random.percent(30).then(|| "allow_empty: true".to_owned()));
    fields
}

fn settings(random: &mut Random) -> Vec<String> {
    let mut settings = vec!["--threads".to_owned(), (1 + random.below(4)).to_string()];
    if random.percent(50) {
        settings.extend(["--shards".to_owned(), (1 + random.below(9)).to_string()]);
    }
    if random.percent(30) {
        settings.extend(["--memory".to_owned(), "64MiB".to_owned()]);
    }
    let ladder: Vec<&str> = ["same-object", "same-chunk", "same-position", "window"]
        .into_iter()
        .filter(|_| random.percent(40))
        .collect();
    if !ladder.is_empty() {
        settings.extend(["--disable".to_owned(), ladder.join(",")]);
    }
    if random.percent(60) {
        settings.extend(["--exchange".to_owned(), random.pick(&["auto", "rows", "fingerprints"]).to_string()]);
    }
    settings
}
