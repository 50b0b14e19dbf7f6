//! Limits of tasks as small as can be: a pair of a few rows divides shards and keys, spills, and reads its row numbers in pages.

use crate::random::Random;
use shadowdiff::TaskLimits;

/// The limits of this seed.
pub fn drawn(seed: u64) -> TaskLimits {
    let mut random = Random::new(seed);
    let batch_rows = 1 + random.below(6);
    let part_bytes = *random.pick(&[64, 1 << 10, 4 << 10, 512 << 20]);
    TaskLimits {
        max_task_bytes: *random.pick(&[0, 4 << 10, 64 << 10, usize::MAX]),
        max_intermediate_bytes: *random.pick(&[0, 4 << 10, usize::MAX]),
        min_batch_rows: batch_rows,
        max_batch_rows: batch_rows,
        min_part_bytes: part_bytes,
        max_part_bytes: part_bytes,
        max_parts: random.between(2, 5) as u64,
        merged_slices: 1 + random.below(3),
        chunk_rows: 1 + random.below(4),
        text_piece_bytes: random.between(1, 60) as u64,
        // Below this the join says that its memory is exhausted, and the job ends as it should.
        min_join_bytes: TaskLimits::PRODUCT.min_join_bytes,
        step_rows: 1 + random.below(5),
        runs_in_place: *random.pick(&[0, 1, 64]),
        job_runs_in_place: *random.pick(&[0, 4, 4096]),
        look_ahead: random.below(3),
        search_ahead: random.below(12),
        patience_rows: random.below(20) as u64,
        held_accounts: random.below(3),
        account_part_bytes: *random.pick(&[1, 40]),
        drawn_cells: *random.pick(&[0, 40, 200, TaskLimits::PRODUCT.drawn_cells]),
        draws_of_all_formats: true,
        sampled_rows: random.between(1, 5) as u64,
        sampled_bytes: random.between(1, 200) as u64,
        hashed_row_bytes: *random.pick(&[1, 200, u64::MAX]),
        min_row_numbers: 1 + random.below(3),
        fetched_batch_bytes: *random.pick(&[1, 2 << 10]),
        run_part_bytes: *random.pick(&[1, 200]),
        stored_block_bytes: *random.pick(&[1, 2 << 10]),
    }
}
