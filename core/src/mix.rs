//! SplitMix64 (Steele, Lea, Flood 2014): one 64-bit state, every seed is good. For samples and simulations; no secret comes from it.

/// The next number of a sequence.
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number with every bit spread over all of them.
pub fn spread(mut number: u64) -> u64 {
    next(&mut number)
}
