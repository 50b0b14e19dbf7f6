//! SQL over one row in generated specs: `columns.derive` and `where`.

use crate::cell::Type;
use crate::column::Column;
use crate::random::Random;
use crate::spec_text::Derive;
use shadowdiff_core::side::Sides;

/// Columns made by SQL: a copy, whether one is NULL, an integer without NULLs; new ones, or in the place of one.
pub(crate) fn derived(random: &mut Random, columns: &[Column]) -> (Vec<Column>, Vec<Derive>) {
    let (mut made, mut derive) = (Vec::new(), Vec::new());
    let whole = Type::Int { bits: 64, signed: true };
    for at in 0..2 {
        let source = random.pick(columns).clone();
        if !source.is_compared() || random.percent(70) {
            continue;
        }
        let name = format!("\"{}\"", source.name.replace('"', "\"\""));
        let is_whole = source.types.live == whole && source.types.shadow == whole;
        let is_flat = !matches!(source.types.live, Type::List(_) | Type::Map(..) | Type::Struct(_));
        let (sql, of) = match random.below(3) {
            0 if is_whole => (format!("coalesce({name}, 7)"), whole.clone()),
            1 if is_whole || (is_flat && source.types.live == source.types.shadow) => (name, source.types.live.clone()),
            _ => (format!("{name} IS NULL"), Type::Bool),
        };
        // One side in ten has it alone.
        let lacking = random.below(20);
        let sides = Sides::new((lacking != 0).then(|| sql.clone()), (lacking != 1).then(|| sql.clone()));
        if is_whole && of == whole && !source.is_key && random.percent(30) && !derive.iter().any(|d: &Derive| d.name == source.name) {
            derive.push(Derive {
                name: source.name,
                sql: sides,
            });
        } else {
            let present = Sides::new(sides.live.is_some(), sides.shadow.is_some());
            made.push(Column {
                name: format!("d{at}"),
                shadow_name: format!("d{at}"),
                types: Sides::new(of.clone(), of),
                is_key: present.live && present.shadow && random.percent(15),
                excluded: random.percent(10),
                present,
            });
            derive.push(Derive {
                name: format!("d{at}"),
                sql: sides,
            });
        }
    }
    made.iter_mut().for_each(|c| c.excluded &= !c.is_key);
    (made, derive)
}

/// One condition for both sides, or one a side.
pub(crate) fn filters(random: &mut Random, columns: &[Column]) -> Sides<Option<String>> {
    let plain: Vec<&Column> = columns.iter().filter(|c| c.is_plain_int()).collect();
    if plain.is_empty() || random.percent(75) {
        return Sides::default();
    }
    let mut condition = || {
        format!(
            "{} {}",
            random.pick(&plain).name,
            random.pick(&["> 1", "<> 3", "IS NOT NULL", "> -4"])
        )
    };
    let (one, other) = (condition(), condition());
    match random.below(4) {
        0 => Sides::new(Some(one), Some(other)),
        1 => Sides::new(Some(one), None),
        2 => Sides::new(None, Some(one)),
        _ => Sides::new(Some(one.clone()), Some(one)),
    }
}
