//! Settles the type that every column is read as: what the spec says, else what the file says, else the other side's, as wide as the values
//! need, else the narrowest that fits every value of both sides, whatever text format each has.

use crate::columns::{FileColumn, Guesses, KnownType, SideFiles};
use shadowdiff_common::read::csv::Evidence;
use shadowdiff_common::read::json::JsonShape;
use shadowdiff_common::read::{Dataset, Format, Sources};
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::ReadColumn;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{CsvTypes, Spec};
use shadowdiff_core::value::{Guess, ValueType, unify};
use std::collections::BTreeMap;

/// A column with its name in the files, its name in the comparison, and what is known of its type.
#[derive(Debug, Clone)]
pub(crate) struct NamedColumn {
    pub(crate) source: String,
    pub(crate) name: String,
    pub(crate) known: KnownType,
}

/// What is to be said about how a column's type was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The name in the comparison.
    pub column: String,
    pub text: String,
}

/// The columns that each side is read as, and what is to be said about them.
pub(crate) type Typed = (Sides<Vec<ReadColumn>>, Vec<Note>);

/// `named`: the columns of the files under the names of the comparison.
pub(crate) async fn types(
    spec: &Spec,
    datasets: &Sides<Dataset>,
    files: &Sides<SideFiles>,
    named: &Sides<Vec<NamedColumn>>,
    sources: &Sources,
) -> Result<Typed> {
    let mut resolution = TypeResolution {
        spec,
        files,
        named,
        evidence: Sides::default(),
    };
    resolution.evidence = resolution.look(datasets, sources).await?;
    Ok(resolution.typed())
}

struct TypeResolution<'a> {
    spec: &'a Spec,
    files: &'a Sides<SideFiles>,
    named: &'a Sides<Vec<NamedColumn>>,
    /// Of the columns of CSV whose values were looked at, by their names in the files.
    evidence: Sides<BTreeMap<String, Evidence>>,
}

impl TypeResolution<'_> {
    /// Looks at the values of columns of CSV, where their types depend on them.
    async fn look(&self, datasets: &Sides<Dataset>, sources: &Sources) -> Result<Sides<BTreeMap<String, Evidence>>> {
        let guesses = Guesses {
            datasets,
            files: self.files,
            csv: Sides::from_fn(|side| &self.spec.sides[side].csv),
            sources,
        };
        let is_csv = |side: Side| datasets[side].format == Format::Csv;
        let open = Sides::from_fn(|side| if is_csv(side) { self.open(side) } else { Vec::new() });
        let by_name = |columns: &[String], found: Vec<Evidence>| columns.iter().cloned().zip(found).collect();
        if self.is_one_question(&open) {
            let found = guesses.of_both(&open.live).await?;
            // Both in the order of live's columns.
            return Ok(Sides::new(by_name(&open.live, found.live), by_name(&open.live, found.shadow)));
        }
        // Both at a time: files are read whole for this, and most sides have one file.
        let of_side = |side: Side| {
            let (guesses, columns) = (&guesses, &open[side]);
            async move {
                match columns.is_empty() {
                    true => Ok(Vec::new()),
                    false => guesses.of_side(side, columns).await,
                }
            }
        };
        let (live, shadow) = futures::try_join!(of_side(Side::Live), of_side(Side::Shadow))?;
        Ok(Sides::new(by_name(&open.live, live), by_name(&open.shadow, shadow)))
    }

    /// Whether both sides have the same open columns, by the same names, written in one dialect: each then has the type of the values of both.
    fn is_one_question(&self, open: &Sides<Vec<String>>) -> bool {
        let name = |side: Side, source: &String| self.named[side].iter().find(|c| c.source == *source).map(|c| &c.name);
        let is_one = |source: &String| {
            let is_open_there = open.shadow.contains(source) && name(Side::Live, source) == name(Side::Shadow, source);
            is_open_there && !Side::BOTH.iter().any(|side| self.files[*side].path_texts.contains_key(source))
        };
        let csv = Sides::from_fn(|side| &self.spec.sides[side].csv);
        !open.live.is_empty() && open.live.len() == open.shadow.len() && csv.live == csv.shadow && open.live.iter().all(is_one)
    }

    fn declared(&self, side: Side, column: &NamedColumn) -> Option<ValueType> {
        let cast = self.spec.columns.cast[side].iter().find(|(name, _)| *name == column.name);
        let declared = cast.or_else(|| self.spec.sides[side].schema.iter().find(|(name, _)| *name == column.source));
        declared.map(|(_, t)| t.clone())
    }

    fn other(&self, side: Side, column: &NamedColumn) -> Option<&NamedColumn> {
        self.named[side.other()].iter().find(|c| c.name == column.name)
    }

    fn is_text_by_spec(&self, side: Side, column: &NamedColumn) -> bool {
        column.known == KnownType::Untyped && self.spec.sides[side].csv.types == CsvTypes::Text
    }

    /// The type of the other side's column, if that side has one of its own: declared, or of the file.
    fn known_beside(&self, side: Side, column: &NamedColumn) -> Option<ValueType> {
        let other = self.other(side, column)?;
        let own = match &other.known {
            KnownType::Type(ValueType::Null) | KnownType::Json(_) => None,
            KnownType::Type(t) => Some(t.clone()),
            KnownType::Untyped => self.is_text_by_spec(side.other(), other).then_some(ValueType::Text),
        };
        let known = self.declared(side.other(), other).or(own);
        // Text is never nested.
        known.filter(|t| column.known != KnownType::Untyped || !t.is_nested())
    }

    /// The columns whose type depends on all their values, by their names in the files.
    fn open(&self, side: Side) -> Vec<String> {
        let is_open = |c: &&NamedColumn| {
            let depends = self.known_beside(side, c).is_none_or(|t| Guess::is_asked_beside(&t));
            c.known == KnownType::Untyped && depends && self.declared(side, c).is_none() && !self.is_text_by_spec(side, c)
        };
        self.named[side].iter().filter(is_open).map(|c| c.source.clone()).collect()
    }

    /// What the values of a column have in common, where they have no type; `None` where they are nested, or were not looked at.
    fn values(&self, side: Side, column: &NamedColumn) -> Option<Guess> {
        match &column.known {
            KnownType::Type(_) | KnownType::Json(JsonShape::List(_) | JsonShape::Object(_)) => None,
            KnownType::Json(JsonShape::Null) => Some(Guess::default()),
            KnownType::Json(JsonShape::Bool) => Some(Guess::of_bools()),
            KnownType::Json(JsonShape::Number(guess)) => Some(*guess),
            KnownType::Json(JsonShape::Text(guess)) => Some(guess.of_texts()),
            KnownType::Untyped => {
                let in_files = self.evidence[side].get(&column.source).map(Evidence::guess);
                let in_paths = self.files[side].path_texts.get(&column.source);
                let mut all = in_files.or(in_paths.map(|_| Guess::default()))?;
                in_paths.iter().for_each(|guess| all.merge(guess));
                Some(all)
            }
        }
    }

    /// The values of both sides, as far as they have no types.
    fn values_of_both(&self, side: Side, column: &NamedColumn) -> Guess {
        let mut all = self.values(side, column).unwrap_or_default();
        let theirs = self.other(side, column).and_then(|other| self.values(side.other(), other));
        theirs.iter().for_each(|guess| all.merge(guess));
        all
    }

    fn type_of(&self, side: Side, column: &NamedColumn) -> ValueType {
        if let Some(declared) = self.declared(side, column) {
            return declared;
        }
        let beside = self.known_beside(side, column);
        match (&column.known, beside) {
            (KnownType::Type(t), _) => t.clone(),
            (KnownType::Untyped, Some(t)) => self.values(side, column).map_or_else(|| t.clone(), |guess| guess.beside(&t)),
            (KnownType::Untyped, None) if self.is_text_by_spec(side, column) => ValueType::Text,
            (KnownType::Untyped, None) => self.values_of_both(side, column).result(),
            (KnownType::Json(shape), Some(t)) => fit(shape, &t).unwrap_or_else(|| shape.value_type()),
            (KnownType::Json(shape), None) => self.type_of_json(side, column, shape),
        }
    }

    fn type_of_json(&self, side: Side, column: &NamedColumn, shape: &JsonShape) -> ValueType {
        match self.other(side, column).map(|other| &other.known) {
            Some(KnownType::Json(theirs)) => {
                let mut both = shape.clone();
                // Shapes that clash keep their own types, and meeting them says so.
                match both.merge(theirs, "", &column.name) {
                    Ok(()) => both.value_type(),
                    Err(_) => shape.value_type(),
                }
            }
            Some(KnownType::Untyped) if self.values(side, column).is_some() => self.values_of_both(side, column).result(),
            Some(KnownType::Untyped | KnownType::Type(_)) | None => shape.value_type(),
        }
    }

    fn typed(&self) -> Typed {
        let mut notes = Vec::new();
        let columns = Sides::from_fn(|side| {
            let read = self.named[side].iter().map(|column| {
                let value_type = self.type_of(side, column);
                notes.extend(self.note(side, column, &value_type));
                ReadColumn {
                    source: column.source.clone(),
                    name: column.name.clone(),
                    value_type,
                }
            });
            read.collect()
        });
        (columns, notes)
    }

    /// What is to be said about a column; where it is about both sides, it is said once.
    fn note(&self, side: Side, column: &NamedColumn, value_type: &ValueType) -> Option<Note> {
        let is_known = self.known_beside(side, column).is_some();
        let is_told = side == Side::Shadow && !is_known && self.other(side, column).is_some();
        if is_told || self.declared(side, column).is_some() {
            return None;
        }
        let mixes = match &column.known {
            KnownType::Json(shape) if self.values(side, column).is_none() => shape.mixes_zones(),
            KnownType::Json(_) | KnownType::Untyped if is_known => self.values(side, column).is_some_and(|guess| guess.mixes_zones()),
            KnownType::Json(_) | KnownType::Untyped => self.values_of_both(side, column).mixes_zones(),
            KnownType::Type(_) => false,
        };
        let text = if mixes && (value_type.is_time() || value_type.is_nested()) {
            Some("has times with a zone and times without one; those without are read as UTC".to_owned())
        } else if *value_type == ValueType::Text && !is_known {
            self.why_text(side, column)
        } else {
            None
        };
        text.map(|text| Note {
            column: column.name.clone(),
            text: format!("column `{}` {text}", column.name),
        })
    }

    /// Why a column is text, where a few values or their form make it so.
    fn why_text(&self, side: Side, column: &NamedColumn) -> Option<String> {
        let other = self.other(side, column);
        let of = |side: Side, column: &NamedColumn| self.evidence[side].get(&column.source);
        let (mine, theirs) = (of(side, column), other.and_then(|other| of(side.other(), other)));
        let mut all = mine.or(theirs)?.clone();
        if let (Some(_), Some(theirs)) = (mine, theirs) {
            all.merge(theirs);
        }
        // What has no file and line: JSON, and values in paths.
        let elsewhere = Side::BOTH.into_iter().filter_map(|of_side| {
            let column = if of_side == side { Some(column) } else { other }?;
            let is_file = column.known == KnownType::Untyped && self.evidence[of_side].contains_key(&column.source);
            let in_path = self.files[of_side].path_texts.get(&column.source).copied();
            if is_file { in_path } else { self.values(of_side, column) }
        });
        for guess in elsewhere {
            all = all.beside(&guess)?;
        }
        all.why_text()
    }
}

/// JSON of a shape read as a type of the other side, if it may be.
fn fit(shape: &JsonShape, t: &ValueType) -> Option<ValueType> {
    match (shape, t) {
        (JsonShape::Null, _) => Some(t.clone()),
        (_, ValueType::Null) => Some(shape.value_type()),
        (JsonShape::Bool, ValueType::Bool) => Some(ValueType::Bool),
        (JsonShape::Number(guess), t) if t.is_number() => Some(guess.beside(t)),
        (JsonShape::Text(guess), t) if !t.is_nested() && *t != ValueType::Bool => Some(guess.beside(t)),
        (JsonShape::List(item), ValueType::List(t)) => Some(ValueType::List(Box::new(fit(item, t)?))),
        (JsonShape::Object(members), ValueType::Struct(types)) => {
            let mut fitted = Vec::new();
            for (name, member) in members {
                let known = types.iter().find(|(n, _)| n == name);
                fitted.push((
                    name.clone(),
                    known.map_or_else(|| Some(member.value_type()), |(_, t)| fit(member, t))?,
                ));
            }
            Some(ValueType::Struct(fitted))
        }
        (JsonShape::Object(members), ValueType::Map(key, value)) if **key == ValueType::Text => {
            let mut widest = (**value).clone();
            for member in members.values() {
                let fitted = fit(member, value)?;
                widest = unify(&[&widest, &fitted])?;
            }
            Some(ValueType::Map(key.clone(), Box::new(widest)))
        }
        (_, _) => None,
    }
}

/// A text format has no columns where it has no rows: it takes those of the other side, or at least the key.
pub(crate) fn fill_rowless(files: &mut Sides<SideFiles>, datasets: &Sides<Dataset>, spec: &Spec) {
    let is_rowless = Sides::from_fn(|side| {
        let is_text = matches!(datasets[side].format, Format::Csv | Format::Json);
        let of_paths = |column: &FileColumn| files[side].path_texts.contains_key(&column.name);
        is_text && files[side].columns.iter().all(of_paths)
    });
    for side in Side::BOTH.into_iter().filter(|side| is_rowless[*side]) {
        let of_other = files[side.other()]
            .columns
            .iter()
            .map(|column| spec.columns.renamed(side.other(), &column.name).to_owned());
        let wanted: Vec<String> = if is_rowless[side.other()] {
            of_other.chain(spec.key.iter().cloned()).collect()
        } else {
            of_other.collect()
        };
        for name in wanted {
            files[side].add_null(spec.columns.source_of(side, &name));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::inspect;
    use shadowdiff_common::read::Sources;
    use shadowdiff_common::store::Stores;
    use shadowdiff_core::mix::next;
    use shadowdiff_core::side::Side;
    use shadowdiff_core::spec::{Overrides, parse};
    use std::sync::Arc;

    /// The files of both sides, more of the spec; then the types of both sides, and words of the notes.
    fn check(live: (&str, &str), shadow: (&str, &str), part: &str, want: [&str; 2], notes: &[&str]) {
        let folder = tempfile::tempdir().expect("a folder");
        for (side, (name, text)) in [("live", live), ("shadow", shadow)] {
            let path = folder.path().join(side).join(name);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let text = format!("live: live/\nshadow: shadow/\naccount: id\n{part}");
        let spec = parse(&text, "s.yaml", &Overrides::default()).expect("a good spec").spec;
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let found = runtime.block_on(async {
            let sources = Sources::new(Arc::new(Stores::new()), tokio::runtime::Handle::current());
            inspect(&spec, folder.path(), &sources).await
        });
        let found = found.unwrap_or_else(|error| panic!("{live:?} {shadow:?}: {error}"));
        let types = |side: Side| {
            let columns = found.columns[side].iter().filter(|c| c.name != "id");
            columns
                .map(|c| format!("{} {}", c.name, c.value_type))
                .collect::<Vec<_>>()
                .join(", ")
        };
        assert_eq!([types(Side::Live), types(Side::Shadow)], want, "{live:?} {shadow:?} {part}");
        assert_eq!(found.notes.len(), notes.len(), "{:?}", found.notes);
        for (note, words) in found.notes.iter().zip(notes) {
            assert!(note.text.contains(words), "{note:?}: {words}");
        }
    }

    #[test]
    fn columns_of_another_order_have_the_types_of_their_values() {
        let live = ("a.csv", "id,code,n,t\n1,7,5,x\n");
        let shadow = ("a.csv", "t,n,id,code\ny,5,1,007\n");
        check(
            live,
            shadow,
            "",
            ["code text, n int64, t text", "t text, n int64, code text"],
            &["column `code` is text because of"],
        );
    }

    /// Types and notes of a folder's two sides, whose text files are cut into pieces of about so many bytes; or what is wrong.
    fn told(folder: &std::path::Path, piece_bytes: u64) -> Result<Vec<String>, String> {
        let text = "live: live/\nshadow: shadow/\naccount: a\ncsv: {delimiter: \";\"}\n";
        let spec = parse(text, "s.yaml", &Overrides::default()).expect("a good spec").spec;
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let found = runtime.block_on(async {
            let sources = Sources::new(Arc::new(Stores::new()), tokio::runtime::Handle::current());
            inspect(&spec, folder, &sources.with_text_pieces(piece_bytes)).await
        });
        let found = found.map_err(|error| error.to_string())?;
        let types = Side::BOTH
            .into_iter()
            .flat_map(|side| &found.columns[side])
            .map(|c| format!("{} {}", c.name, c.value_type));
        Ok(types.chain(found.notes.iter().map(|note| note.text.clone())).collect())
    }

    /// Rows that are written the same on both sides are looked at once, of files that are read in pieces: nothing shows of it.
    #[test]
    fn what_is_said_of_types_does_not_depend_on_the_pieces() {
        let csv = [
            "1",
            "2.5",
            "",
            "n/a",
            "-",
            "true",
            "2026-01-02",
            "31.12.2026",
            "1,5",
            "0,25",
            "x",
            "1e400",
            "2026-01-02T03:04:05Z",
            "\"1\"",
        ];
        let json = [
            "1",
            "2.5",
            "null",
            "\"n/a\"",
            "true",
            "\"2026-01-02\"",
            "\"NaN\"",
            "[1]",
            "[\"x\"]",
            "{\"m\":1}",
            "{\"n\":null}",
            "1e400",
        ];
        let (mut notes, mut errors) = (0, 0);
        for seed in 1..200u64 {
            let mut state = seed;
            let mut below = |n: usize| (next(&mut state) % n as u64) as usize;
            let is_csv = below(2) == 0;
            let values = if is_csv { &csv[..] } else { &json[..] };
            // Few kinds of values in a file, so that it is a rare one that says something.
            let few: Vec<&str> = (0..1 + below(3)).map(|_| values[below(values.len())]).collect();
            let row = |n: usize, below: &mut dyn FnMut(usize) -> usize| {
                let value = if below(if is_csv { 12 } else { 60 }) == 0 {
                    values[below(values.len())]
                } else {
                    few[below(few.len())]
                };
                match is_csv {
                    true => format!("{n};{value}\n"),
                    false if below(20) == 0 => format!("{{\"a\":{n}}}\n"),
                    false => format!("{{\"a\":{n},\"b\":{value}}}\n"),
                }
            };
            let rows: Vec<String> = (0..20 + below(40)).map(|n| row(n, &mut below)).collect();
            let changed: Vec<String> = rows
                .iter()
                .enumerate()
                .map(|(n, line)| if below(6) == 0 { row(n, &mut below) } else { line.clone() })
                .collect();
            let folder = tempfile::tempdir().expect("a folder");
            for (side, rows) in [("live", &rows), ("shadow", &changed)] {
                let (name, header) = if is_csv { ("a.csv", "a;b\n") } else { ("a.jsonl", "") };
                std::fs::create_dir_all(folder.path().join(side)).expect("a folder");
                std::fs::write(folder.path().join(side).join(name), header.to_owned() + &rows.concat()).expect("a file");
            }
            let whole = told(folder.path(), 1 << 20);
            for piece_bytes in [1, 40, 200] {
                assert_eq!(
                    told(folder.path(), piece_bytes),
                    whole,
                    "{seed}, {piece_bytes}\n{rows:?}\n{changed:?}"
                );
            }
            match whole {
                Ok(told) => notes += told.iter().filter(|text| text.starts_with("column")).count(),
                Err(_) => errors += 1,
            }
        }
        assert!(notes > 15 && (5..90).contains(&errors), "{notes} notes, {errors} errors");
    }

    #[test]
    fn both_sides_are_typed_together_whatever_their_formats() {
        let csv = |text: &'static str| ("a.csv", text);
        let json = |text: &'static str| ("a.jsonl", text);
        let both = |t: &'static str| [t, t];
        let dates = json("{\"id\":1,\"v\":\"2026-01-01\"}\n");
        check(dates, csv("id,v\n1,2026-01-01T00:00:00\n"), "", both("v timestamp(s)"), &[]);
        check(
            dates,
            csv("id,v\n1,x\n"),
            "",
            both("v text"),
            &["a.csv:2 'x'; all its other values are dates"],
        );
        check(
            dates,
            csv("id,v\n1,5\n"),
            "",
            both("v text"),
            &["'5'; all its other values are dates"],
        );
        check(json("{\"id\":1,\"v\":\"5\"}\n"), csv("id,v\n1,5\n"), "", both("v text"), &[]);
        check(json("{\"id\":1,\"v\":5}\n"), csv("id,v\n1,5.25\n"), "", both("v decimal(3,2)"), &[]);
        check(json("{\"id\":1,\"v\":true}\n"), csv("id,v\n1,False\n"), "", both("v bool"), &[]);
        check(
            json("{\"id\":1,\"v\":true}\n"),
            csv("id,v\n1,yes\n"),
            "",
            both("v text"),
            &["'yes'; all its other values are bools"],
        );
        check(json("{\"id\":1,\"v\":\"NaN\"}\n"), csv("id,v\n1,0.5\n"), "", both("v double"), &[]);
        check(
            json("{\"id\":1,\"v\":[1]}\n"),
            csv("id,v\n1,2\n"),
            "",
            ["v list(int64)", "v int64"],
            &[],
        );
        let told = "column `v` has times with a zone and times without one";
        let zoned = csv("id,v\n1,2026-01-01T00:00:00Z\n");
        check(
            csv("id,v\n1,2026-01-01T00:00:00\n"),
            zoned,
            "",
            both("v timestamp(s, UTC)"),
            &[told],
        );
        check(dates, zoned, "", both("v text"), &[]);
        let why = "column `v` is text because of shadow/a.csv:2 'n/a'";
        check(json("{\"id\":1,\"v\":5}\n"), csv("id,v\n1,n/a\n"), "", both("v text"), &[why]);
        check(csv("id,v\n1,5\n"), csv("id,v\n1,n/a\n"), "", both("v text"), &[why]);
        check(
            csv("id,v\n1,5\n"),
            csv("id,v\n1,n/a\n"),
            "csv: {types: text}\n",
            both("v text"),
            &[],
        );
    }

    #[test]
    fn beside_a_known_type_its_kind_is_taken() {
        let known = |t: &str| format!("schema: {{live: {{v: \"{t}\"}}}}\n");
        let live = ("a.csv", "id,v\n");
        check(
            live,
            ("a.csv", "id,v\n1,3000000000\n"),
            &known("int32"),
            ["v int32", "v int64"],
            &[],
        );
        check(
            live,
            ("a.jsonl", "{\"id\":1,\"v\":3000000000}\n"),
            &known("int32"),
            ["v int32", "v int64"],
            &[],
        );
        check(live, ("a.csv", "id,v\n1,n/a\n"), &known("int32"), ["v int32", "v int32"], &[]);
        check(live, ("a.csv", "id,v\n1,7\n"), &known("text"), ["v text", "v text"], &[]);
        let utc = known("timestamp(us, UTC)");
        check(
            live,
            ("a.csv", "id,v\n1,2026-01-01\n"),
            &utc,
            ["v timestamp(us, UTC)", "v timestamp(us)"],
            &[],
        );
    }

    #[test]
    fn a_side_without_rows_has_the_columns_of_the_other() {
        let csv = ("a.csv", "id,old\n1,2.5\n");
        check(("a.jsonl", ""), csv, "", ["old decimal(2,1)", "old decimal(2,1)"], &[]);
        check(("a.jsonl", ""), ("a.csv", "id,old\n"), "", ["old null", "old null"], &[]);
        check(("a.jsonl", ""), ("a.jsonl", "\n"), "", ["", ""], &[]);
        let nested = ("a.jsonl", "{\"id\":1,\"p\":{\"a\":[1]}}\n");
        check(
            nested,
            ("a.jsonl", ""),
            "",
            ["p struct(a: list(int64))", "p struct(a: list(int64))"],
            &[],
        );
        check(
            ("a.csv", ""),
            nested,
            "csv: {header: false}\n",
            ["p struct(a: list(int64))", "p struct(a: list(int64))"],
            &[],
        );
        check(
            csv,
            ("a.jsonl", ""),
            "columns: {rename: {new: old}}\n",
            ["old decimal(2,1)", "old decimal(2,1)"],
            &[],
        );
        check(("d=x/a.jsonl", ""), csv, "", ["d text, old decimal(2,1)", "old decimal(2,1)"], &[]);
    }
}
