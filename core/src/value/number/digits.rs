//! Numbers as they are printed, their digits made where they are needed: the formatting of the standard library asks for width, sign and
//! padding first, which costs more than the digits.

use super::{Mantissa, Number};
use std::cmp::Ordering;
use std::fmt::{Display, Formatter, Write};

/// Room for those of the largest number, 39, with a point and a sign.
const MOST: usize = 48;
/// Digits behind a point, for which there is always room.
const MOST_BEHIND_POINT: usize = 40;

/// The digits of the numbers below 100: two come of one division.
const PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut number) = ([[0; 2]; 100], 0);
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// The digits of a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits {
    /// Those from `from` on.
    bytes: [u8; MOST],
    from: usize,
}

impl Digits {
    pub(super) fn of(number: u128) -> Digits {
        let mut digits = Digits {
            bytes: [b'0'; MOST],
            from: MOST,
        };
        let mut rest = number;
        // A division of 128 bits is a call; one of 64 is a multiplication.
        let short = loop {
            match u64::try_from(rest) {
                Ok(short) => break short,
                Err(_) => {
                    digits.push((rest % 10) as u8);
                    rest /= 10;
                }
            }
        };
        digits.push_all(short);
        digits
    }

    fn push_all(&mut self, mut rest: u64) {
        while rest >= 100 {
            self.push_pair(PAIRS[(rest % 100) as usize]);
            rest /= 100;
        }
        match rest {
            0..10 => self.push(rest as u8),
            _ => self.push_pair(PAIRS[rest as usize]),
        }
    }

    fn push_pair(&mut self, pair: [u8; 2]) {
        self.from -= 2;
        self.bytes[self.from..self.from + 2].copy_from_slice(&pair);
    }

    fn push(&mut self, digit: u8) {
        self.put(b'0' + digit);
    }

    fn put(&mut self, byte: u8) {
        self.from -= 1;
        self.bytes[self.from] = byte;
    }

    /// Puts a minus in front.
    fn negate(&mut self) {
        self.put(b'-');
    }

    /// Puts a point in front of the last ones, behind at least one: so many, one to `MOST_BEHIND_POINT`.
    fn put_point(&mut self, behind: usize) {
        let point = MOST - behind - 1;
        // What stands in front is zeros from the beginning.
        self.from = self.from.min(point);
        self.bytes.copy_within(self.from..=point, self.from - 1);
        self.from -= 1;
        self.bytes[point] = b'.';
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.from..]).expect("digits are text")
    }
}

impl Number {
    /// Appends what `Display` shows. Millions of cells are printed like this, without anything made for them.
    pub fn print(&self, out: &mut String) {
        self.write(out).expect("a string takes all");
    }

    fn write(&self, out: &mut impl Write) -> std::fmt::Result {
        if let (Mantissa::Small(m), Ok(scale @ 0..=MOST_BEHIND_POINT)) = (&self.mantissa, usize::try_from(self.scale)) {
            let mut digits = Digits::of(m.unsigned_abs());
            if scale > 0 {
                digits.put_point(scale);
            }
            if *m < 0 {
                digits.negate();
            }
            return out.write_str(digits.text());
        }
        if self.sign() == Ordering::Less {
            out.write_char('-')?;
        }
        match &self.mantissa {
            Mantissa::Small(m) => self.write_digits(Digits::of(m.unsigned_abs()).text(), out),
            Mantissa::Big(m) => self.write_digits(&m.magnitude().to_string(), out),
        }
    }

    /// The digits of the mantissa, with the point where the scale says.
    fn write_digits(&self, digits: &str, out: &mut impl Write) -> std::fmt::Result {
        let zeros = |out: &mut _, count: usize| (0..count).try_for_each(|_| Write::write_char(out, '0'));
        if self.scale <= 0 {
            out.write_str(digits)?;
            return zeros(out, if self.is_zero() { 0 } else { self.scale.unsigned_abs() as usize });
        }
        let scale = self.scale as usize;
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
        out.write_str(if whole.is_empty() { "0" } else { whole })?;
        out.write_char('.')?;
        zeros(out, scale - fraction.len())?;
        out.write_str(fraction)
    }
}

/// Exact decimal text with as many digits as the scale says: `-1.50`, `12000`.
impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.write(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        let mut number = 1u128;
        let powers = std::iter::from_fn(|| {
            number = number.checked_mul(3)?;
            Some(number)
        });
        let ends = [0, 9, 10, 99, 100, u128::from(u64::MAX), u128::from(u64::MAX) + 1, u128::MAX];
        for number in powers.chain(ends) {
            assert_eq!(Digits::of(number).text(), number.to_string());
        }
    }

    #[test]
    fn a_point_stands_where_it_is_put_whatever_is_in_front() {
        for number in [0, 5, 25, 125, 1_234_567, u128::MAX] {
            for behind in 1..=MOST_BEHIND_POINT {
                let mut digits = Digits::of(number);
                digits.put_point(behind);
                digits.negate();
                let text = format!("{number:0>width$}", width = behind + 1);
                let (whole, fraction) = text.split_at(text.len() - behind);
                assert_eq!(digits.text(), format!("-{whole}.{fraction}"));
            }
        }
    }
}
