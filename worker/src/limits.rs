//! How much a task holds, divides and tries: values, so that a test reaches with twenty rows what users reach with millions.

use shadowdiff_common::read::TEXT_PIECE_BYTES;
use shadowdiff_core::drawn::DRAWN_CELLS;
use shadowdiff_core::plan::Form;

/// The limits of the tasks of a process. No user sets them, and none changes a byte of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskLimits {
    /// What a task may use, however much memory there is.
    pub max_task_bytes: usize,
    /// What may stay in memory of intermediate results, however much memory there is; more goes to scratch files.
    pub max_intermediate_bytes: usize,
    /// Rows of a batch that is read.
    pub min_batch_rows: usize,
    pub max_batch_rows: usize,
    /// Bytes of rows that are compared at a time.
    pub min_part_bytes: u64,
    pub max_part_bytes: u64,
    /// A giant shard, or a giant key, is divided into at most so many parts at a time.
    pub max_parts: u64,
    /// Slices of a giant key whose unmatched rows are merged at a time.
    pub merged_slices: usize,
    /// Rows whose cells are compared at a time.
    pub chunk_rows: usize,
    /// A text file is read in pieces of about so many bytes, where it can be cut.
    pub text_piece_bytes: u64,
    /// What the join of a part may always use.
    pub min_join_bytes: usize,
    /// Rows of both sides that are compared in place at a time.
    pub step_rows: usize,
    /// Sorted runs of differences that a scan task leaves behind; after that, pairs that differ are exchanged.
    pub runs_in_place: usize,
    /// The same of all scan tasks of a job.
    pub job_runs_in_place: usize,
    /// How far apart rows may be and still count as in step.
    pub look_ahead: usize,
    /// How far ahead both sides are searched for the place where they agree again, where that is farther.
    pub search_ahead: usize,
    /// After so many rows of which hardly one found a partner, in step or in the window, that is of no use where rows are exchanged.
    pub patience_rows: u64,
    /// Accounts that a scan task holds before it writes a sorted run of them: about 40 MB.
    pub held_accounts: usize,
    /// What whoever merges such runs holds of each.
    pub account_part_bytes: usize,
    /// Cells of a side that are drawn in all, to learn which columns differ.
    pub drawn_cells: u64,
    /// Whether they are drawn of formats too whose columns do not lie apart: there it takes as long to read some columns as to read all.
    pub draws_of_all_formats: bool,
    /// Rows of a side that are looked at to choose the form of the exchange.
    pub sampled_rows: u64,
    /// Of wide rows only some columns are looked at, so that about so many bytes of a row group are decoded for it.
    pub sampled_bytes: u64,
    /// Of wider rows fingerprints are made of some columns at a time, that take about so many bytes of a row.
    pub hashed_row_bytes: u64,
    /// Numbers of rows to be read again that are held at least.
    pub min_row_numbers: usize,
    /// Rows that are read again are put together up to this.
    pub fetched_batch_bytes: usize,
    /// What a merge of many runs of lines holds of each.
    pub run_part_bytes: usize,
    /// Rows of one shard and side are stored together up to so many bytes in memory: smaller blocks are mostly headers.
    pub stored_block_bytes: usize,
}

impl TaskLimits {
    /// Those of the product.
    pub const PRODUCT: TaskLimits = TaskLimits {
        max_task_bytes: usize::MAX,
        max_intermediate_bytes: usize::MAX,
        min_batch_rows: 128,
        max_batch_rows: 8192,
        min_part_bytes: 1 << 20,
        max_part_bytes: 512 << 20,
        max_parts: 256,
        merged_slices: 8,
        chunk_rows: 4096,
        text_piece_bytes: TEXT_PIECE_BYTES,
        min_join_bytes: 64 << 20,
        step_rows: 1024,
        runs_in_place: 64,
        job_runs_in_place: 4096,
        look_ahead: 8,
        search_ahead: 8192,
        patience_rows: 100_000,
        held_accounts: 1 << 19,
        account_part_bytes: 16 << 10,
        drawn_cells: DRAWN_CELLS,
        draws_of_all_formats: false,
        sampled_rows: 40_000,
        sampled_bytes: 16 << 20,
        hashed_row_bytes: 256,
        min_row_numbers: 1024,
        fetched_batch_bytes: 8 << 20,
        run_part_bytes: 128 << 10,
        stored_block_bytes: 8 << 20,
    };

    /// The same for a form of the exchange. Where fingerprints are exchanged a look at the data, or the user, has said already that rows are far
    /// apart.
    pub(crate) fn patience(&self, form: Form) -> u64 {
        match form {
            Form::Rows => self.patience_rows,
            Form::Fingerprints => self.patience_rows / 5,
        }
    }
}
