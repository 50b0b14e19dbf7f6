//! The decimal digits of a whole number, made where they are needed: the formatting of the standard library asks for width, sign and padding
//! first, which costs more than the digits.

/// Room for those of the largest number, 39, with a point and a sign.
const MOST: usize = 48;
/// Digits behind a point, for which there is always room.
pub(in crate::value) const MOST_BEHIND_POINT: usize = 40;

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
pub(in crate::value) struct Digits {
    /// Those from `from` on.
    bytes: [u8; MOST],
    from: usize,
}

impl Digits {
    pub(in crate::value) fn of(number: u128) -> Digits {
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
    pub(in crate::value) fn negate(&mut self) {
        self.put(b'-');
    }

    /// Puts a point in front of the last ones, behind at least one: so many, one to `MOST_BEHIND_POINT`.
    pub(in crate::value) fn put_point(&mut self, behind: usize) {
        let point = MOST - behind - 1;
        // What stands in front is zeros from the beginning.
        self.from = self.from.min(point);
        self.bytes.copy_within(self.from..=point, self.from - 1);
        self.from -= 1;
        self.bytes[point] = b'.';
    }

    pub(in crate::value) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.from..]).expect("digits are text")
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
