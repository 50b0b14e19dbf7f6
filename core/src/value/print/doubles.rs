//! Doubles as `{:?}` shows them, which is what our results have always had, by a shorter way (Adams, Ryu, 2018).
//!
//! Both give the fewest digits that parse back to the same bits and, of those, the nearest. Where two are equally near, they may choose
//! differently. Such a double has one digit more than they, a 5: it is a whole number of `2^-25`, since a power of five that divides its at most
//! 18 digits is below `5^26`. So all whole numbers of `2^-26` go the old way.

use super::write_text;

pub(super) fn print_double(value: f64, out: &mut String) {
    const TWO_TO_26: f64 = 67_108_864.0;
    if !value.is_finite() || (value * TWO_TO_26).fract() == 0.0 {
        return write_text(out, format_args!("{value:?}"));
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let (sign, magnitude) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    // From 1e-5 to 1e-4 the one is still plain, the other has an exponent. Everywhere else they are alike.
    match magnitude.strip_prefix("0.0000").and_then(|digits| digits.split_at_checked(1)) {
        None => out.push_str(text),
        Some((first, rest)) => {
            out.push_str(sign);
            out.push_str(first);
            if !rest.is_empty() {
                out.push('.');
                out.push_str(rest);
            }
            out.push_str("e-5");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::next;

    #[test]
    fn doubles_are_those_of_the_standard_library() {
        let mut state = 11;
        let mut random = || next(&mut state);
        let (mut some, around) = (
            Vec::new(),
            [1e-5, 1e-4, 0.1, 1.0, 1e15, 1e16, 1e17, 1e-300, f64::MIN_POSITIVE, f64::MAX],
        );
        for place in around {
            some.extend((-50..50).map(|step: i64| f64::from_bits(f64::to_bits(place).wrapping_add_signed(step))));
        }
        for _ in 0..30_000 {
            some.push(f64::from_bits(random()));
            // Quotients, numbers with few digits, and ones that end in a few halves: between two of 17 digits some lie in the middle.
            some.push((random() % 1_000_000) as f64 / (random() % 10_000_000 + 1) as f64);
            some.push((random() % 1_000_000) as f64 / 10_f64.powi((random() % 12) as i32));
            some.push((random() >> 10) as f64 / 2_f64.powi((random() % 80) as i32));
            some.push((random() >> (random() % 64)) as f64 / 2_f64.powi((random() % 40) as i32));
        }
        let exact = 1_125_899_906_842_624.0;
        some.extend([exact + 0.25, exact + 0.75, 2.0 * exact + 0.5]);
        for value in some.into_iter().flat_map(|value| [value, -value]) {
            let mut printed = String::new();
            print_double(value, &mut printed);
            assert_eq!(printed, format!("{value:?}"));
        }
    }
}
