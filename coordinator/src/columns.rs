//! The columns of one side before the sides meet: what its files hold, and what is known of their types.

use crate::unread::UnreadColumns;
use arrow_schema::Field;
use futures::{StreamExt, TryStreamExt, stream};
use shadowdiff_common::read::csv::{Evidence, Observer};
use shadowdiff_common::read::json::JsonShape;
use shadowdiff_common::read::parquet::julian_dates;
use shadowdiff_common::read::{
    DataFile, Dataset, FileSchema, Form, Format, RowGroup, Sources, TextPart, TextPiece, TextRows, json_shape, json_shapes, open_csv_file,
    refusal, same_rows, schema, text_pieces,
};
use shadowdiff_common::tasks::blocking;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{ReadColumn, TextRange};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{CsvOptions, DatasetSpec};
use shadowdiff_core::value::{Guess, ValueType, common, unify};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How many files are looked at at a time.
const FILES_AT_A_TIME: usize = 16;

/// What is known of a column's type from its own side.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum KnownType {
    /// The files say it.
    Type(ValueType),
    /// Text that may be anything: CSV, or a value in a path.
    Untyped,
    /// JSON says half of it.
    Json(JsonShape),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileColumn {
    pub(crate) name: String,
    pub(crate) known: KnownType,
}

impl FileColumn {
    fn new(name: &str, known: KnownType) -> Self {
        FileColumn {
            name: name.to_owned(),
            known,
        }
    }
}

/// What the files of one side hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct SideFiles {
    pub(crate) columns: Vec<FileColumn>,
    /// Of each file.
    pub(crate) pieces: Vec<FilePieces>,
    /// A flag a file: whether Spark marked it as of its legacy calendar.
    pub(crate) legacy_calendar: Vec<bool>,
    /// Texts in the paths, by column: a part of what typed text is guessed from.
    pub(crate) path_texts: BTreeMap<String, Guess>,
    /// Columns whose files have times with a zone and times without one, and in which two files.
    pub(crate) mixed_zones: BTreeMap<String, String>,
}

/// In what pieces a file can be read.
#[derive(Debug, Clone, Default)]
pub(crate) enum FilePieces {
    #[default]
    Whole,
    /// At least one.
    RowGroups(Vec<RowGroup>),
    /// At least one.
    Text(Vec<TextPiece>),
}

impl FilePieces {
    fn of<T>(pieces: Vec<T>, kind: fn(Vec<T>) -> FilePieces) -> Self {
        if pieces.is_empty() { FilePieces::Whole } else { kind(pieces) }
    }

    /// The parts of a text file, to be read one by one; `None`: all of it.
    fn parts(&self) -> Vec<Option<TextRange>> {
        match self {
            FilePieces::Text(pieces) => pieces.iter().map(|piece| Some(piece.range)).collect(),
            FilePieces::Whole | FilePieces::RowGroups(_) => vec![None],
        }
    }
}

impl SideFiles {
    /// A column that no file has a value of, unless it is there.
    pub(crate) fn add_null(&mut self, name: &str) {
        if !self.columns.iter().any(|column| column.name == name) {
            self.columns.push(FileColumn::new(name, KnownType::Json(JsonShape::Null)));
        }
    }
}

/// Looks into every file of both sides; of columns that are `unread` only the names are found.
pub(crate) async fn look(
    datasets: &Sides<Dataset>,
    specs: &Sides<DatasetSpec>,
    unread: &Sides<UnreadColumns>,
    sources: &Sources,
) -> Result<Sides<SideFiles>> {
    // Both at a time: a text file is cut into pieces by one thread.
    let looks = |side: Side| inspect_files(&datasets[side], &specs[side].csv, &unread[side], sources);
    let (live, shadow) = futures::join!(looks(Side::Live), looks(Side::Shadow));
    let mut looks = Sides::new(live?, shadow?);
    Shapes { datasets, unread, sources }.find(&mut looks).await?;
    let mut looks = looks.map(Some);
    Sides::try_from_fn(|side| side_files(&datasets[side], looks[side].take().unwrap_or_default(), &unread[side]))
}

async fn inspect_files(dataset: &Dataset, csv: &CsvOptions, unread: &UnreadColumns, sources: &Sources) -> Result<Vec<FileLook>> {
    let looks = dataset
        .files
        .iter()
        .map(|file| inspect_file(dataset.format, file.clone(), csv.clone(), unread.clone(), sources.clone()));
    stream::iter(looks).buffered(FILES_AT_A_TIME).try_collect().await
}

/// What the files of a side hold together.
fn side_files(dataset: &Dataset, looks: Vec<FileLook>, unread: &UnreadColumns) -> Result<SideFiles> {
    let mut side = SideFiles::default();
    let mut stored = StoredTypes::new();
    for (file, look) in dataset.files.iter().zip(looks) {
        side.pieces.push(look.pieces);
        side.legacy_calendar.push(look.legacy_calendar);
        for mut column in look.columns {
            if unread.takes(&column.name) {
                column.known = KnownType::Type(ValueType::Null);
            }
            add(&mut side, column, file, &mut stored)?;
        }
    }
    settle(&mut side, &stored)?;
    add_paths(&mut side, dataset);
    Ok(side)
}

/// What one file holds.
#[derive(Default)]
struct FileLook {
    columns: Vec<FileColumn>,
    pieces: FilePieces,
    legacy_calendar: bool,
}

async fn inspect_file(format: Format, file: DataFile, csv: CsvOptions, unread: UnreadColumns, sources: Sources) -> Result<FileLook> {
    match format.form() {
        Form::Typed => {
            let found = schema(format, &file, &sources).await?;
            let columns = found.fields.iter().map(|field| stored(&found, field, &file, &unread));
            Ok(FileLook {
                columns: columns.collect::<Result<_>>()?,
                legacy_calendar: found.legacy_calendar,
                pieces: FilePieces::of(found.row_groups, FilePieces::RowGroups),
            })
        }
        Form::Csv => {
            let pieces = pieces_of_text(format, &file, &csv, &sources).await?;
            let header = blocking("a reader", move || {
                open_csv_file(&file, &csv, TextRows::All, 1, &sources).map(|(r, _)| r.columns().to_vec())
            })
            .await?;
            Ok(FileLook {
                columns: header.iter().map(|name| FileColumn::new(name, KnownType::Untyped)).collect(),
                pieces,
                ..FileLook::default()
            })
        }
        // Their columns show in their lines.
        Form::Json => Ok(FileLook {
            pieces: pieces_of_text(format, &file, &csv, &sources).await?,
            ..FileLook::default()
        }),
    }
}

async fn pieces_of_text(format: Format, file: &DataFile, csv: &CsvOptions, sources: &Sources) -> Result<FilePieces> {
    let (file, csv, sources) = (file.clone(), csv.clone(), sources.clone());
    let pieces = blocking("a reader", move || text_pieces(format, &file, &csv, &sources)).await?;
    Ok(FilePieces::of(pieces, FilePieces::Text))
}

/// Finds the columns of files of JSON lines.
struct Shapes<'a> {
    datasets: &'a Sides<Dataset>,
    unread: &'a Sides<UnreadColumns>,
    sources: &'a Sources,
}

impl Shapes<'_> {
    async fn find(&self, looks: &mut Sides<Vec<FileLook>>) -> Result<()> {
        let is_json = Sides::from_fn(|side| self.datasets[side].format.form() == Form::Json);
        for side in Side::BOTH.into_iter().filter(|side| is_json[*side]) {
            self.datasets[side].files.iter().for_each(|file| will_read(file, self.sources));
        }
        let files = looks.live.len().max(looks.shadow.len());
        let shapes = (0..files).map(|at| {
            let file = |side: Side| Some((self.datasets[side].files.get(at)?, looks[side].get(at)?)).filter(|_| is_json[side]);
            self.of_files(Sides::from_fn(file))
        });
        let shapes: Vec<Sides<Option<JsonShape>>> = stream::iter(shapes).buffered(FILES_AT_A_TIME).try_collect().await?;
        for (at, found) in shapes.into_iter().enumerate() {
            for (looks, shape) in [(&mut looks.live, found.live), (&mut looks.shadow, found.shadow)] {
                if let (Some(look), Some(JsonShape::Object(members))) = (looks.get_mut(at), shape) {
                    let columns = members.into_iter();
                    look.columns = columns
                        .map(|(name, shape)| FileColumn::new(&name, KnownType::Json(shape)))
                        .collect();
                }
            }
        }
        Ok(())
    }

    /// Of a file of each side, as far as they are there.
    async fn of_files(&self, files: Sides<Option<(&DataFile, &FileLook)>>) -> Result<Sides<Option<JsonShape>>> {
        if let (Some(live), Some(shadow)) = (files.live, files.shadow)
            && self.unread.live == self.unread.shadow
            && let Some(found) = self.of_pair(&Sides::new(live, shadow)).await?
        {
            return Ok(found.map(Some));
        }
        Ok(Sides::new(
            self.of_file(Side::Live, files.live).await?,
            self.of_file(Side::Shadow, files.shadow).await?,
        ))
    }

    /// Of two files, part by part: rows that are written the same on both sides are looked at once. `None`: something is wrong in one.
    async fn of_pair(&self, files: &Sides<(&DataFile, &FileLook)>) -> Result<Option<Sides<JsonShape>>> {
        let parts = Sides::from_fn(|side| files[side].1.pieces.parts());
        let shapes = (0..parts.live.len().max(parts.shadow.len())).map(|at| {
            let parts = Sides::from_fn(|side| parts[side].get(at).map(|range| (files[side].0.clone(), *range)));
            let (unread, sources) = (self.unread.live.clone(), self.sources.clone());
            blocking("a reader", move || Ok(shapes_of_pair(&parts, &unread, &sources)))
        });
        let mut shapes = pin!(stream::iter(shapes).buffered(reading_threads()));
        let mut all = Sides::<JsonShape>::default();
        while let Some(found) = shapes.next().await {
            let Some(found) = found? else { return Ok(None) };
            if Side::BOTH.iter().any(|side| all[*side].merge(&found[*side], "", "").is_err()) {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }

    /// Of one file, if it is there.
    async fn of_file(&self, side: Side, file: Option<(&DataFile, &FileLook)>) -> Result<Option<JsonShape>> {
        let Some((file, look)) = file else { return Ok(None) };
        let shape_of_part = |part: Option<TextRange>| {
            let (file, unread, sources) = (file.clone(), self.unread[side].clone(), self.sources.clone());
            let shape = move || json_shape(&file, part.as_ref().into(), |name: &str| unread.takes(name), &sources);
            blocking("a reader", shape)
        };
        let shapes = look.pieces.parts().into_iter().map(shape_of_part);
        let mut shapes = pin!(stream::iter(shapes).buffered(reading_threads()));
        let mut all = JsonShape::default();
        while let Some(shape) = shapes.next().await {
            if shape.and_then(|shape| all.merge(&shape, &file.name, "")).is_err() {
                // Read in one, the file says what is wrong first.
                return shape_of_part(None).await.map(Some);
            }
        }
        Ok(Some(all))
    }
}

/// Of a part of each side, as far as they are there. `None`: something is wrong.
fn shapes_of_pair(parts: &Sides<Option<Part>>, unread: &UnreadColumns, sources: &Sources) -> Option<Sides<JsonShape>> {
    let passed_over = |name: &str| unread.takes(name);
    if let Some(found) = text_parts(parts).and_then(|parts| json_shapes(parts, passed_over, sources)) {
        return Some(found);
    }
    let shape = |part: &Option<Part>| match part {
        Some((file, range)) => json_shape(file, range.as_ref().into(), passed_over, sources).ok(),
        None => Some(JsonShape::default()),
    };
    Some(Sides::new(shape(&parts.live)?, shape(&parts.shadow)?))
}

/// A part of each side, where both are there and none is a whole file.
fn text_parts(parts: &Sides<Option<Part>>) -> Option<Sides<TextPart<'_>>> {
    let (Some((live, Some(live_range))), Some((shadow, Some(shadow_range)))) = (&parts.live, &parts.shadow) else {
        return None;
    };
    let part = |file, range| TextPart { file, range };
    Some(Sides::new(part(live, live_range), part(shadow, shadow_range)))
}

/// How many readers of text find types at a time.
fn reading_threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// For whoever watches: this file is read whole to find types.
fn will_read(file: &DataFile, sources: &Sources) {
    sources.bytes_for_types.fetch_add(file.pin.size_bytes, Ordering::Relaxed);
}

/// A column of a file that says its types.
fn stored(schema: &FileSchema, field: &Field, file: &DataFile, unread: &UnreadColumns) -> Result<FileColumn> {
    let name = field.name();
    let known = if unread.takes(name) {
        ValueType::Null
    } else if let Some(why) = schema.refused.get(name) {
        return Err(refusal(&file.name, name, why));
    } else {
        ValueType::from_field(field).map_err(|t| refusal(&file.name, name, &format!("is of type {t}")))?
    };
    Ok(FileColumn::new(name, KnownType::Type(known)))
}

/// Warns of dates that mean other days to other writers, in the columns that are read.
pub(crate) async fn legacy_dates(
    side: Side,
    dataset: &Dataset,
    files: &SideFiles,
    read: &[ReadColumn],
    sources: &Sources,
) -> Result<Vec<String>> {
    let mut warnings: BTreeMap<String, String> = BTreeMap::new();
    for (file, _) in dataset.files.iter().zip(&files.legacy_calendar).filter(|(_, marked)| **marked) {
        let is_new = |c: &&ReadColumn| !warnings.contains_key(&c.name);
        let columns: Vec<String> = read.iter().filter(is_new).map(|c| c.source.clone()).collect();
        let (of_file, of_sources) = (file.clone(), sources.clone());
        let found = blocking("a reader", move || julian_dates(&of_file, &columns, &of_sources)).await?;
        for column in read.iter().filter(|c| found.contains(&c.source)) {
            let warning = format!(
                "column `{}` of {side}: {} has dates before 1582-10-15 in Spark's legacy calendar, which are other days to every other \
                 writer; write it again with spark.sql.parquet.datetimeRebaseModeInWrite=CORRECTED",
                column.name, file.name
            );
            warnings.entry(column.name.clone()).or_insert(warning);
        }
    }
    Ok(warnings.into_values().collect())
}

/// The types that files store a column as, each with the first file that does, by column.
type StoredTypes = BTreeMap<String, Vec<StoredType>>;
type StoredType = (ValueType, String);

/// Puts a file's column to those of the files before.
fn add(side: &mut SideFiles, column: FileColumn, file: &DataFile, stored: &mut StoredTypes) -> Result<()> {
    if let KnownType::Type(value_type) = &column.known {
        let types = stored.entry(column.name.clone()).or_default();
        if !types.iter().any(|(t, _)| t == value_type) {
            types.push((value_type.clone(), file.name.clone()));
        }
    }
    let Some(before) = side.columns.iter_mut().find(|c| c.name == column.name) else {
        side.columns.push(column);
        return Ok(());
    };
    match (&mut before.known, &column.known) {
        (KnownType::Json(a), KnownType::Json(b)) => a.merge(b, &file.name, &column.name),
        (KnownType::Type(_), KnownType::Type(_)) | (KnownType::Untyped, KnownType::Untyped) => Ok(()),
        (KnownType::Type(_) | KnownType::Json(_) | KnownType::Untyped, _) => {
            Err(Error::internal("files of one format know the same of their columns"))
        }
    }
}

/// One type per column out of all that its files store; which file comes first does not matter.
fn settle(side: &mut SideFiles, stored: &StoredTypes) -> Result<()> {
    for column in &mut side.columns {
        let Some(types) = stored.get(&column.name) else { continue };
        let all: Vec<&ValueType> = types.iter().map(|(t, _)| t).collect();
        column.known = KnownType::Type(unify(&all).ok_or_else(|| no_common_type(&column.name, types))?);
        if let Some(((a, first), (b, second))) = pair(types, |a, b| common(a, b).is_some_and(|both| both.read_as_utc)) {
            side.mixed_zones
                .insert(column.name.clone(), format!("{a} in {first}, {b} in {second}"));
        }
    }
    Ok(())
}

fn no_common_type(column: &str, types: &[StoredType]) -> Error {
    let what = pair(types, |a, b| unify(&[a, b]).is_none()).map_or_else(
        || "has no type that all its files have".to_owned(),
        |((a, first), (b, second))| format!("is {a} in {first}, but {b} in {second}, which have no common type"),
    );
    Error::input(what)
        .column(column)
        .advice("compare the files separately, or rewrite one")
}

/// The first two types of which `test` holds.
fn pair(types: &[StoredType], test: impl Fn(&ValueType, &ValueType) -> bool) -> Option<(&StoredType, &StoredType)> {
    let later = |at: usize| types[at + 1..].iter();
    (0..types.len()).find_map(|at| later(at).find(|b| test(&types[at].0, &b.0)).map(|b| (&types[at], b)))
}

/// Columns from `key=value` directories come after those of the files.
fn add_paths(side: &mut SideFiles, dataset: &Dataset) {
    for file in &dataset.files {
        for (name, value) in &file.partitions {
            let guess = side.path_texts.entry(name.clone()).or_default();
            value.iter().for_each(|text| guess.observe(text));
            if !side.columns.iter().any(|c| c.name == *name) {
                side.columns.push(FileColumn::new(name, KnownType::Untyped));
            }
        }
    }
}

/// What the values of CSV columns say about their types.
#[derive(Debug)]
pub(crate) struct Guesses<'a> {
    pub(crate) datasets: &'a Sides<Dataset>,
    pub(crate) files: &'a Sides<SideFiles>,
    pub(crate) csv: Sides<&'a CsvOptions>,
    pub(crate) sources: &'a Sources,
}

/// A part of a file, or all of it.
type Part = (DataFile, Option<TextRange>);

impl Guesses<'_> {
    /// Reads every value of some columns of a side.
    pub(crate) async fn of_side(&self, side: Side, columns: &[String]) -> Result<Vec<Evidence>> {
        let columns: Arc<Vec<String>> = Arc::new(columns.to_vec());
        let guesses = self.parts(side).into_iter().map(|part| {
            let (csv, columns, sources) = (self.csv[side].clone(), Arc::clone(&columns), self.sources.clone());
            blocking("a reader", move || guess_part(&part, &csv, &columns, &sources))
        });
        let none = vec![Evidence::default(); columns.len()];
        let merge = |mut all: Vec<Evidence>, one: Vec<Evidence>| async move {
            merge(&mut all, &one);
            Ok(all)
        };
        stream::iter(guesses).buffered(reading_threads()).try_fold(none, merge).await
    }

    /// The same of both sides, for whoever asks what both say together: rows of shadow that are written as live's are counted, and not read.
    /// Both have these columns, and are written in one dialect.
    pub(crate) async fn of_both(&self, columns: &[String]) -> Result<Sides<Vec<Evidence>>> {
        let columns: Arc<Vec<String>> = Arc::new(columns.to_vec());
        let parts = Sides::from_fn(|side| self.parts(side));
        let pairs = parts.live.len().max(parts.shadow.len());
        let guesses = (0..pairs).map(|at| {
            let pair = Sides::from_fn(|side| parts[side].get(at).cloned());
            self.of_pair(pair, Arc::clone(&columns))
        });
        let none = || vec![Evidence::default(); columns.len()];
        let merge = |mut all: Sides<Vec<Evidence>>, one: Sides<Vec<Evidence>>| async move {
            Side::BOTH.iter().for_each(|side| merge(&mut all[*side], &one[*side]));
            Ok(all)
        };
        let none = Sides::new(none(), none());
        stream::iter(guesses).buffered(reading_threads()).try_fold(none, merge).await
    }

    async fn of_pair(&self, pair: Sides<Option<Part>>, columns: Arc<Vec<String>>) -> Result<Sides<Vec<Evidence>>> {
        let of_alike = {
            let (pair, csv, columns, sources) = (pair.clone(), self.csv.live.clone(), Arc::clone(&columns), self.sources.clone());
            move || Ok(guess_alike(&pair, &csv, &columns, &sources))
        };
        if let Some(found) = blocking("a reader", of_alike).await? {
            return Ok(found);
        }
        let of_side = |side: Side| {
            let (part, csv, columns, sources) = (
                pair[side].clone(),
                self.csv[side].clone(),
                Arc::clone(&columns),
                self.sources.clone(),
            );
            let guess = move || part.map_or(Ok(Vec::new()), |part| guess_part(&part, &csv, &columns, &sources));
            blocking("a reader", guess)
        };
        let (live, shadow) = futures::try_join!(of_side(Side::Live), of_side(Side::Shadow))?;
        Ok(Sides::new(live, shadow))
    }

    fn parts(&self, side: Side) -> Vec<Part> {
        let files = &self.datasets[side].files;
        files.iter().for_each(|file| will_read(file, self.sources));
        let parts = files.iter().zip(&self.files[side].pieces);
        let parts = parts.flat_map(|(file, pieces)| pieces.parts().into_iter().map(move |part| (file.clone(), part)));
        parts.collect()
    }
}

fn merge(all: &mut [Evidence], later: &[Evidence]) {
    all.iter_mut().zip(later).for_each(|(all, one)| all.merge(one));
}

/// `None`: the parts are not alike, or something is wrong in one.
fn guess_alike(pair: &Sides<Option<Part>>, csv: &CsvOptions, columns: &[String], sources: &Sources) -> Option<Sides<Vec<Evidence>>> {
    let parts = text_parts(pair)?;
    let rows = same_rows(Format::Csv, csv, parts, sources).ok()??;
    let guess = |side: Side, rows: TextRows<'_>| guess_rows(parts[side].file, rows, csv, columns, sources).ok();
    let live = guess(Side::Live, TextRows::Part(parts.live.range))?;
    let live_left = guess(Side::Live, TextRows::Left(&rows.live.left))?;
    let mut shadow = guess(Side::Shadow, TextRows::Left(&rows.shadow.left))?;
    for (shadow, (live, left)) in shadow.iter_mut().zip(live.iter().zip(&live_left)) {
        shadow.add_known(live, left);
    }
    Some(Sides::new(live, shadow))
}

fn guess_part((file, range): &Part, csv: &CsvOptions, columns: &[String], sources: &Sources) -> Result<Vec<Evidence>> {
    guess_rows(file, range.as_ref().into(), csv, columns, sources)
}

fn guess_rows(file: &DataFile, rows: TextRows<'_>, csv: &CsvOptions, columns: &[String], sources: &Sources) -> Result<Vec<Evidence>> {
    let (reader, pinned) = open_csv_file(file, csv, rows, 1, sources)?;
    let in_file = reader.columns();
    // Another file of the side may have more columns.
    let numbers = columns.iter().enumerate();
    let (numbers, places): (Vec<usize>, Vec<usize>) = numbers
        .filter_map(|(number, name)| in_file.iter().position(|column| column == name).map(|at| (number, at)))
        .unzip();
    let mut observers = vec![Observer::new(&csv.form); columns.len()];
    reader.observe(&places, |place, text, line| {
        observers[numbers[place]].observe(text, || format!("{}:{line}", file.name))
    })?;
    pinned.check()?;
    Ok(observers.into_iter().map(Observer::evidence).collect())
}
