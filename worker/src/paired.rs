//! Row groups of both sides in pairs: rows that are equal at the same place cancel before they are read whole.
//!
//! ```text
//! row group of live      key | a | b | c      key chunks stored the same: rows of one place are rows of one key
//! row group of shadow    key | a | b | c      of the other columns those that are stored differently are decoded and compared
//! ```
//! Columns that are stored the same are equal unread. It only ever saves work: what is not equal in place goes the way of all rows.

use crate::in_place::InPlace;
use crate::job::Job;
use crate::needed::place;
use crate::side::{EndedRows, PairedPart, Purpose, SideReader};
use arrow_array::ArrayRef;
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use shadowdiff_common::read::Format;
use shadowdiff_common::read::parquet::{StoredFile, is_same, may_be_same};
use shadowdiff_core::align::Column;
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::{FilePart, Form, ScanTask, Split};
use shadowdiff_core::profile::{Rung, Work};
use shadowdiff_core::row::ascend;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::ListedAccounts;

/// The row groups of a scan task, side by side.
pub(crate) struct PairedGroups<'a> {
    job: &'a Job,
    /// A split a row group.
    pub(crate) splits: Sides<Vec<Split>>,
    files: Sides<Option<(usize, StoredFile)>>,
    /// How many pairs have been looked at.
    looked_at: usize,
    /// Whether rows may go on with those columns alone in which they may differ: nothing else is asked of them. Where fingerprints are
    /// exchanged, the rows are read again, whole.
    may_be_thin: bool,
    /// Whether chunks of object stores are looked at: they are fetched for it, and decoded from memory after that. Once a look was of no use it is
    /// not worth the memory.
    looks_at_objects: bool,
    /// Whether the last look has fetched chunks.
    has_fetched: bool,
}

/// Row groups that lie side by side.
struct Pair {
    splits: Sides<Split>,
    /// Their numbers in their files.
    groups: Sides<usize>,
    /// Whether both are the same object.
    is_one: bool,
    /// Whether both lie in the file system, where a look costs little.
    is_near: bool,
}

impl Pair {
    fn rung(&self) -> Rung {
        match self.is_one {
            true => Rung::SameObject,
            false => Rung::SameChunk,
        }
    }
}

/// What is fetched of row groups on object stores to be looked at.
#[derive(Debug, Clone, Copy)]
enum Fetch {
    /// All that the scan reads: what differs is decoded from it.
    All,
    Keys,
}

/// Those whose keys are stored the same.
struct KeyedPair {
    pair: Pair,
    /// Rows of each.
    rows: usize,
}

impl<'a> PairedGroups<'a> {
    /// `None` where rows cannot cancel by their place.
    pub(crate) fn new(job: &'a Job, task: &ScanTask, form: Form) -> Option<Self> {
        let plan = &job.plan;
        let is_whole = |side: &Side| job.resources.datasets[*side].format == Format::Parquet && job.compiled.filters[*side].is_none();
        // Accounts are counted as rows are read; equal rows may differ in columns that only SQL reads.
        let needs_rows = plan.count_accounts || plan.spec.output.accounts == ListedAccounts::All || plan.carries();
        let is_off = job.resources.disabled.same_object && job.resources.disabled.same_chunk;
        if is_off || needs_rows || !Side::BOTH.iter().all(is_whole) {
            return None;
        }
        Some(PairedGroups {
            job,
            splits: Sides::from_fn(|side| task.splits[side].iter().flat_map(row_groups).collect()),
            files: Sides::default(),
            looked_at: 0,
            may_be_thin: form == Form::Rows && !job.compiled.reads_whole_rows(plan),
            looks_at_objects: !job.resources.disabled.same_chunk,
            has_fetched: false,
        })
    }

    /// Which rows of the pair of this number are equal or near in place, the first time that it is asked for. `None`: of no use.
    pub(crate) fn ended(&mut self, number: usize, in_place: &mut InPlace<'_>) -> Result<Option<PairedPart>> {
        if number < self.looked_at {
            return Ok(None);
        }
        if !self.looks_at_objects {
            self.job.held.let_chunks_go();
        }
        self.looked_at = number + 1;
        let Some(pair) = self.pair(number) else {
            return Ok(None);
        };
        let job = self.job;
        let _spent = job.meter.enter(pair.rung(), Work::Compare);
        self.has_fetched = false;
        let judged = in_place.judges;
        let found = self.ended_of(pair, in_place)?;
        // Where it turned out that keys are not known to be there once, the next look asks for less.
        let is_of_use = found.is_some() || judged != in_place.judges;
        self.looks_at_objects &= is_of_use || !self.has_fetched;
        Ok(found)
    }

    fn ended_of(&mut self, pair: Pair, in_place: &mut InPlace<'_>) -> Result<Option<PairedPart>> {
        let Some(pair) = self.keyed(pair, Fetch::All)? else {
            return Ok(None);
        };
        let mut differing = Vec::new();
        for (at, column) in self.job.plan.aligned.columns.iter().enumerate() {
            if !self.job.plan.aligned.key.contains(&at) && !self.is_same(&pair.pair, column)? {
                differing.push(at);
            }
        }
        self.compare(&pair, &differing, in_place)
    }

    /// Whether chunks of a pair are held that both sides are about to read.
    pub(crate) fn holds_objects(&self) -> bool {
        self.looks_at_objects && self.has_fetched
    }

    /// Whether the keys of the pair of this number are stored the same.
    pub(crate) fn has_same_keys(&mut self, number: usize) -> Result<bool> {
        match self.pair(number) {
            Some(pair) => Ok(self.keyed(pair, Fetch::Keys)?.is_some()),
            None => Ok(false),
        }
    }

    /// The pair of this number, if its row groups are there and may be looked at.
    fn pair(&self, number: usize) -> Option<Pair> {
        let splits = Sides::new(self.splits.live.get(number)?.clone(), self.splits.shadow.get(number)?.clone());
        let groups = Sides::new(group(&splits.live)?, group(&splits.shadow)?);
        let files = Sides::from_fn(|side| &self.job.resources.datasets[side].files[splits[side].file]);
        let is_one = !self.job.resources.disabled.same_object && files.live.is_same_object(files.shadow);
        let is_near = files.live.is_local() && files.shadow.is_local();
        let looks = !self.job.resources.disabled.same_chunk && (is_near || self.looks_at_objects);
        (is_one || looks).then_some(Pair {
            splits,
            groups,
            is_one,
            is_near,
        })
    }

    /// The pair, if its row groups are as long as each other and their keys are stored the same.
    fn keyed(&mut self, pair: Pair, fetch: Fetch) -> Result<Option<KeyedPair>> {
        self.open(&pair.splits)?;
        let rows = Sides::from_fn(|side| {
            let file = self.files[side].as_ref();
            file.and_then(|(_, file)| file.rows(pair.groups[side]))
        });
        if rows.live != rows.shadow {
            return Ok(None);
        }
        if !pair.is_one && !pair.is_near && !self.fetch(&pair, fetch)? {
            return Ok(None);
        }
        for column in self.job.plan.aligned.key_columns() {
            if !self.is_same(&pair, column)? {
                return Ok(None);
            }
        }
        Ok(Some(KeyedPair {
            pair,
            rows: rows.live.unwrap_or(0),
        }))
    }

    /// Fetches what the scan reads of both row groups, where their footers do not tell that the keys differ: false where they do, or where it
    /// is too much to be held.
    fn fetch(&mut self, pair: &Pair, fetch: Fetch) -> Result<bool> {
        let may_be_keys = |column: &Column| {
            let places = self.places(column)?;
            let (live, shadow) = (&self.files.live.as_ref()?.1, &self.files.shadow.as_ref()?.1);
            may_be_same((live, pair.groups.live), (shadow, pair.groups.shadow), places).then_some(places)
        };
        let keys: Option<Vec<(usize, usize)>> = self.job.plan.aligned.key_columns().map(may_be_keys).collect();
        let Some(keys) = keys else { return Ok(false) };
        let job = self.job;
        job.held.let_chunks_go();
        let _spent = job.meter.enter_work(Work::Decode);
        self.has_fetched = true;
        for side in Side::BOTH {
            let Some((_, file)) = &self.files[side] else { return Ok(false) };
            let read = self.job.plan.sides[side].read.iter();
            let columns: Vec<usize> = match fetch {
                Fetch::All => read.filter_map(|read| file.place_of(&read.source)).collect(),
                Fetch::Keys => keys.iter().map(|key| if side == Side::Live { key.0 } else { key.1 }).collect(),
            };
            if !file.hold(pair.groups[side], &columns)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a column of both row groups is stored the same.
    fn is_same(&self, pair: &Pair, column: &Column) -> Result<bool> {
        let (Some((_, live)), Some((_, shadow))) = (&self.files.live, &self.files.shadow) else {
            return Ok(false);
        };
        match self.places(column) {
            Some(places) => is_same((live, pair.groups.live), (shadow, pair.groups.shadow), places, pair.is_one),
            None => Ok(false),
        }
    }

    /// The places of a column in the files of both sides, if it comes from there as it is.
    fn places(&self, column: &Column) -> Option<(usize, usize)> {
        let place = |side: Side| place(self.job, side, column, &self.files[side].as_ref()?.1);
        let places = (place(Side::Live)?, place(Side::Shadow)?);
        (column.stored.live == column.stored.shadow).then_some(places)
    }

    fn open(&mut self, pair: &Sides<Split>) -> Result<()> {
        for side in Side::BOTH {
            let file = pair[side].file;
            if self.files[side].as_ref().is_none_or(|(open, _)| *open != file) {
                let stored = StoredFile::open(&self.job.resources.datasets[side].files[file], &self.job.sources())?;
                self.files[side] = Some((file, stored));
            }
        }
        Ok(())
    }

    /// Where most rows differ, they are read whole at once, unless they end where they are read in part.
    fn ends_the_others(&self, in_place: &InPlace<'_>, keys: &[SeenKeys]) -> bool {
        let ascends = |(keys, _): &SeenKeys| !keys.is_empty() && ascend(&keys.iter().collect::<Vec<_>>());
        self.may_be_thin && keys.iter().all(ascends) && in_place.ends_differing()
    }

    /// Decodes the columns that are stored differently, and finds the rows that are equal, or near, in all of them.
    fn compare(&self, pair: &KeyedPair, columns: &[usize], in_place: &mut InPlace<'_>) -> Result<Option<PairedPart>> {
        let KeyedPair { pair, rows } = pair;
        let (rows, rung) = (*rows, pair.rung());
        if columns.is_empty() {
            in_place.lose_equal_keys();
            return Ok(Some(PairedPart::equal(rows, rung)));
        }
        let aligned = &self.job.plan.aligned;
        // The keys are stored the same: those of one side are those of both.
        let has_seen_keys = in_place.judges;
        let keys: &[usize] = if has_seen_keys { &aligned.key } else { &[] };
        let read = Sides::new([columns, keys].concat(), columns.to_vec());
        let splits = Sides::from_fn(|side| vec![pair.splits[side].clone()]);
        let mut sides = Sides::from_fn(|side| Columns {
            reader: SideReader::new(self.job, side, &splits[side], Purpose::Columns(read[side].clone())),
            arrays: Vec::new(),
            from: 0,
        });
        let mut ended = BooleanBufferBuilder::new(rows);
        let (mut seen, mut compared): (Vec<SeenKeys>, _) = (Vec::new(), Vec::new());
        while ended.len() < rows {
            // What cannot be read is told where the rows are read whole.
            let (Ok(Some(live)), Ok(Some(shadow))) = (sides.live.ahead(), sides.shadow.ahead()) else {
                return Ok(None);
            };
            let length = live.min(shadow);
            let (live, shadow) = (sides.live.take(length), sides.shadow.take(length));
            let (live, keys) = live.split_at(columns.len());
            let pairs = in_place.compare(columns, live, &shadow, length)?;
            ended.append_buffer(&pairs.ended());
            seen.push((keys.to_vec(), !&pairs.equal));
            compared.push(pairs);
        }
        let ended = ended.finish();
        if ended.count_set_bits() * 2 < rows && !self.ends_the_others(in_place, &seen) {
            return Ok(None);
        }
        if !has_seen_keys {
            in_place.lose_equal_keys();
        }
        for (keys, unequal) in seen {
            let keys: Vec<&ArrayRef> = keys.iter().collect();
            for side in Side::BOTH {
                in_place.see_all_keys(side, &keys);
                in_place.see_keys(side, &keys, &unequal)?;
            }
        }
        // Not even these keys are sure to be there once: the rows are read whole.
        if has_seen_keys && !in_place.judges {
            return Ok(None);
        }
        compared.iter().for_each(|pairs| in_place.add_near(pairs));
        let equal = compared.iter().map(|pairs| pairs.equal.count_set_bits() as u64).sum();
        let left = (rows - ended.count_set_bits()) as u64;
        let is_thin = has_seen_keys && self.may_be_thin && left > 0;
        if is_thin {
            in_place.add_thin(left);
        }
        Ok(Some(PairedPart::of_both(
            rung,
            equal,
            EndedRows {
                rows: ended,
                has_seen_keys,
                columns: is_thin.then(|| [columns, &aligned.key].concat()),
                left: None,
            },
        )))
    }
}

/// The keys of rows, and which of them are not equal to their partners.
type SeenKeys = (Vec<ArrayRef>, BooleanBuffer);

/// Some columns of one side of a pair, a batch at a time.
struct Columns<'a> {
    reader: SideReader<'a>,
    arrays: Vec<ArrayRef>,
    /// Rows of the arrays that are taken.
    from: usize,
}

impl Columns<'_> {
    /// How many rows there are before more are read; `None` at the end.
    fn ahead(&mut self) -> Result<Option<usize>> {
        loop {
            let rows = self.arrays.first().map_or(0, |array| array.len());
            if self.from < rows {
                return Ok(Some(rows - self.from));
            }
            match self.reader.next_columns()? {
                Some(arrays) => (self.arrays, self.from) = (arrays, 0),
                None => return Ok(None),
            }
        }
    }

    fn take(&mut self, length: usize) -> Vec<ArrayRef> {
        let taken = self.arrays.iter().map(|array| array.slice(self.from, length)).collect();
        self.from += length;
        taken
    }
}

/// The splits of the row groups of a split.
fn row_groups(split: &Split) -> Vec<Split> {
    let Some((first, end)) = split.row_groups() else {
        return vec![split.clone()];
    };
    let groups = (end - first).max(1) as u64;
    let one = |group: usize| Split {
        file: split.file,
        part: FilePart::RowGroups(group, group + 1),
        weight: split.weight / groups,
    };
    (first..end).map(one).collect()
}

/// The row group of a split that is one.
fn group(split: &Split) -> Option<usize> {
    split.row_groups().filter(|(first, end)| first + 1 == *end).map(|(first, _)| first)
}
