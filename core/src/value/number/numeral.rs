//! Numbers as written: taken apart without loss, so that nothing is rounded on the way to a type. Decimal text is read here and nowhere
//! else.

use super::{Mantissa, Number};
use arrow_buffer::i256;
use num_bigint::BigInt;

/// `[sign] integer [. fraction] [e exponent]`: the value is the digits times `10^(exponent - fraction.len())`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numeral<'a> {
    negative: bool,
    plus: bool,
    integer: &'a [u8],
    fraction: &'a [u8],
    point: bool,
    /// As written with its sign; empty where there is none.
    exponent: &'a str,
}

/// A number as most are written: perhaps a minus, digits without a needless 0 in front, perhaps a point and digits behind it; up to 15 in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::value) struct PlainNumber {
    negative: bool,
    /// All of them as one number.
    digits: i64,
    integer_digits: u32,
    scale: u32,
}

/// A number as its value alone, whatever its size: `0.digits * 10^exponent`. The digits neither begin nor end with 0, and 0 has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Significant {
    negative: bool,
    exponent: i128,
    digits: Vec<u8>,
}

/// Why a number does not fit into a given count of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::value) enum Misfit {
    /// It has digits below the last place.
    TooFine,
    /// It has too many digits above it.
    TooLarge,
}

/// Exponents are cut here: far beyond what any type holds, far below what overflows.
const EXPONENT_LIMIT: i64 = 1_000_000_000;

/// The largest exponent of an exact number: keeps `1e999999999` from filling the memory. Far beyond doubles and decimals.
const MAX_EXPONENT: u64 = 20_000;

/// The most digits that a `u64` always holds, and one less for a power of ten.
const U64_DIGITS: usize = 18;

/// The most digits that an `i128` always holds.
const I128_DIGITS: usize = 38;

impl<'a> Numeral<'a> {
    /// `None` if the text is not a number; blanks, separators and `NaN` are none.
    pub(crate) fn scan(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, plus) = (bytes.first() == Some(&b'-'), bytes.first() == Some(&b'+'));
        let rest = &bytes[usize::from(negative || plus)..];
        let (integer, rest) = rest.split_at(digits(rest));
        let (point, rest) = match rest.split_first() {
            Some((b'.', rest)) => (true, rest),
            _ => (false, rest),
        };
        let (fraction, rest) = if point { rest.split_at(digits(rest)) } else { (&rest[..0], rest) };
        if integer.is_empty() && fraction.is_empty() {
            return None;
        }
        Some(Numeral {
            negative,
            plus,
            integer,
            fraction,
            point,
            exponent: exponent(&text[text.len() - rest.len()..])?,
        })
    }

    /// The exact number; `None` for one too large or too small for any of our types.
    pub(crate) fn to_number(self) -> Option<Number> {
        let scale = self.fraction.len() as i64 - self.exponent();
        if scale.unsigned_abs() > MAX_EXPONENT {
            return None;
        }
        let small = self
            .all_digits()
            .try_fold(0_i128, |sum, digit| sum.checked_mul(10)?.checked_add(digit.into()));
        let magnitude = Number {
            mantissa: match small {
                Some(small) => Mantissa::Small(small),
                None => Mantissa::Big(BigInt::parse_bytes(&[self.integer, self.fraction].concat(), 10)?),
            },
            scale: scale as i32,
        };
        Some(if self.negative { magnitude.negated() } else { magnitude })
    }

    /// The value alone; `None` for an exponent of more than about 38 digits.
    pub(crate) fn significant(&self) -> Option<Significant> {
        let digits: Vec<u8> = self
            .all_digits()
            .skip(self.leading_zeros())
            .take(self.significant_digits())
            .collect();
        if digits.is_empty() {
            return Some(Significant {
                negative: false,
                exponent: 0,
                digits,
            });
        }
        let written = if self.exponent.is_empty() {
            0
        } else {
            self.exponent.parse::<i128>().ok()?
        };
        Some(Significant {
            negative: self.negative,
            exponent: written.checked_add(self.integer.len() as i128 - self.leading_zeros() as i128)?,
            digits,
        })
    }

    fn exponent(&self) -> i64 {
        let (negative, digits) = match self.exponent.as_bytes() {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] | digits => (false, digits),
        };
        let magnitude = digits
            .iter()
            .fold(0, |sum: i64, digit| (sum * 10 + i64::from(digit - b'0')).min(EXPONENT_LIMIT));
        if negative { -magnitude } else { magnitude }
    }

    /// Written as numbers are: no `+`, no leading zero, no point without a digit after it. Only such text is guessed to be a number.
    pub(in crate::value) fn is_canonical(&self) -> bool {
        let leading_zero = self.integer.len() > 1 && self.integer[0] == b'0';
        let bare_point = self.point && self.fraction.is_empty();
        !(self.plus || leading_zero || bare_point)
    }

    fn all_digits(&self) -> impl Iterator<Item = u8> + Clone + 'a {
        self.integer.iter().chain(self.fraction).map(|digit| digit - b'0')
    }

    fn count(&self) -> usize {
        self.integer.len() + self.fraction.len()
    }

    /// Zeros in front of the first other digit; all of them if the number is zero.
    fn leading_zeros(&self) -> usize {
        let zeros = |digits: &[u8]| digits.iter().take_while(|digit| **digit == b'0').count();
        match zeros(self.integer) {
            all if all == self.integer.len() => all + zeros(self.fraction),
            some => some,
        }
    }

    fn trailing_zeros(&self) -> usize {
        let zeros = |digits: &[u8]| digits.iter().rev().take_while(|digit| **digit == b'0').count();
        match zeros(self.fraction) {
            all if all == self.fraction.len() => all + zeros(self.integer),
            some => some,
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.leading_zeros() == self.count()
    }

    /// Digits from the first to the last that is not zero.
    pub(in crate::value) fn significant_digits(&self) -> usize {
        if self.is_zero() {
            0
        } else {
            self.count() - self.leading_zeros() - self.trailing_zeros()
        }
    }

    /// Digits in front of the decimal point without leading zeros: 0 for `0.5`, 4 for `1e3`.
    pub(in crate::value) fn integer_digits(&self) -> u32 {
        if self.is_zero() {
            return 0;
        }
        let digits = self.integer.len() as i64 - self.leading_zeros() as i64 + self.exponent();
        digits.clamp(0, i64::from(u32::MAX)) as u32
    }

    /// Digits after the decimal point, zeros written at the end among them: 2 for `1.10`, 0 for `1e3`.
    pub(in crate::value) fn scale(&self) -> u32 {
        self.scale_less(0)
    }

    /// Digits after the decimal point that count: 1 for `1.10`, 0 for `3.00` and `1e3`.
    pub(in crate::value) fn exact_scale(&self) -> u32 {
        if self.is_zero() {
            return 0;
        }
        self.scale_less(self.trailing_zeros())
    }

    fn scale_less(&self, zeros: usize) -> u32 {
        (self.fraction.len() as i64 - self.exponent() - zeros as i64).clamp(0, i64::from(u32::MAX)) as u32
    }

    /// How many of the written digits make the number times `10^scale`, and how many zeros follow them.
    fn cut(&self, scale: i32, precision: u8) -> Result<(usize, u32), Misfit> {
        if self.is_zero() {
            return Ok((0, 0));
        }
        let shift = i64::from(scale) + self.exponent() - self.fraction.len() as i64;
        let dropped = (-shift).max(0) as usize;
        if dropped > self.trailing_zeros() {
            return Err(Misfit::TooFine);
        }
        let zeros = shift.max(0);
        let digits = (self.count() - self.leading_zeros() - dropped) as i64 + zeros;
        if digits > i64::from(precision) {
            Err(Misfit::TooLarge)
        } else {
            Ok((self.count() - dropped, zeros as u32))
        }
    }

    /// The number times `10^scale`, exactly, if it then is an integer of at most `precision` (up to 38) digits.
    pub(in crate::value) fn to_i128(self, scale: i32, precision: u8) -> Result<i128, Misfit> {
        debug_assert!(usize::from(precision) <= I128_DIGITS);
        if let Some(small) = self.small(scale) {
            let magnitude = small?;
            let limit = 10_i128.pow(u32::from(precision));
            return match magnitude < limit {
                true => Ok(if self.negative { -magnitude } else { magnitude }),
                false => Err(Misfit::TooLarge),
            };
        }
        let (digits, zeros) = self.cut(scale, precision)?;
        let magnitude = self
            .all_digits()
            .take(digits)
            .fold(0_i128, |sum, digit| sum * 10 + i128::from(digit))
            * 10_i128.pow(zeros);
        Ok(if self.negative { -magnitude } else { magnitude })
    }

    /// The magnitude times `10^scale` of most numbers: few digits, the point near them, no exponent. `None` for others.
    fn small(&self, scale: i32) -> Option<Result<i128, Misfit>> {
        let shift = i64::from(scale) - self.fraction.len() as i64;
        let is_small = self.exponent.is_empty() && self.count() <= U64_DIGITS && shift.unsigned_abs() <= U64_DIGITS as u64;
        if !is_small {
            return None;
        }
        let digits = self.integer.iter().chain(self.fraction);
        let digits = digits.fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        let unit = 10_u64.pow(shift.unsigned_abs() as u32);
        Some(match shift {
            0.. => Ok(i128::from(digits) * i128::from(unit)),
            _ if digits % unit == 0 => Ok((digits / unit).into()),
            _ => Err(Misfit::TooFine),
        })
    }

    /// As `to_i128`, for up to 76 digits.
    pub(in crate::value) fn to_i256(self, scale: i32, precision: u8) -> Result<i256, Misfit> {
        if usize::from(precision) <= I128_DIGITS {
            return self.to_i128(scale, precision).map(i256::from_i128);
        }
        let (digits, zeros) = self.cut(scale, precision)?;
        let ten = i256::from_i128(10);
        let written = self.all_digits().take(digits);
        let padded = written.chain(std::iter::repeat_n(0, zeros as usize));
        let magnitude = padded.fold(i256::ZERO, |sum, digit| {
            sum.wrapping_mul(ten).wrapping_add(i256::from_i128(digit.into()))
        });
        Ok(if self.negative { magnitude.wrapping_neg() } else { magnitude })
    }
}

impl PlainNumber {
    /// Any number of so many digits fits 64 bits, and is the same number after it was a double.
    const MAX_DIGITS: usize = 15;

    /// `None` where it is no number or not plainly written.
    pub(in crate::value) fn read(text: &[u8]) -> Option<PlainNumber> {
        let unsigned = text.strip_prefix(b"-").unwrap_or(text);
        if unsigned.len() > PlainNumber::MAX_DIGITS + 1 {
            return None;
        }
        let (mut digits, mut point) = (0, None);
        for (at, byte) in unsigned.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit < 10 {
                digits = digits * 10 + i64::from(digit);
            } else if *byte == b'.' && point.is_none() {
                point = Some(at);
            } else {
                return None;
            }
        }
        let integer = point.unwrap_or(unsigned.len());
        let scale = point.map_or(0, |point| unsigned.len() - point - 1);
        let begins_with_zero = *unsigned.first()? == b'0';
        let is_plain = integer > 0 && (integer == 1 || !begins_with_zero) && (point.is_none() || scale > 0);
        (is_plain && integer + scale <= PlainNumber::MAX_DIGITS).then_some(PlainNumber {
            negative: text.len() > unsigned.len(),
            digits,
            integer_digits: if begins_with_zero { 0 } else { integer as u32 },
            scale: scale as u32,
        })
    }

    /// Digits in front of the decimal point: 0 for `0.5`.
    pub(in crate::value) fn integer_digits(&self) -> u32 {
        self.integer_digits
    }

    /// Digits after it, zeros written at the end among them.
    pub(in crate::value) fn scale(&self) -> u32 {
        self.scale
    }

    /// Digits after it that count.
    pub(in crate::value) fn exact_scale(&self) -> u32 {
        let (mut scale, mut digits) = (self.scale, self.digits);
        while scale > 0 && digits % 10 == 0 {
            (scale, digits) = (scale - 1, digits / 10);
        }
        scale
    }

    /// The number times `10^scale` if that is an integer of at most `precision` digits; up to 18 of each.
    pub(in crate::value) fn scaled(&self, scale: u32, precision: u32) -> Option<i64> {
        let magnitude = match scale.checked_sub(self.scale) {
            Some(more) => self.digits.checked_mul(10_i64.checked_pow(more)?)?,
            None => {
                let unit = 10_i64.pow(self.scale - scale);
                (self.digits % unit == 0).then(|| self.digits / unit)?
            }
        };
        let fits = 10_i64.checked_pow(precision).is_none_or(|limit| magnitude < limit);
        fits.then_some(if self.negative { -magnitude } else { magnitude })
    }
}

/// Whether the text is a number as most are written, which all formats of text have in common: `-12`, `0.50`; of up to 15 digits.
pub fn is_plain_number(text: &[u8]) -> bool {
    PlainNumber::read(text).is_some()
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// What follows the `e`; empty where nothing stands there, `None` where something else does.
fn exponent(rest: &str) -> Option<&str> {
    let Some(written) = rest.strip_prefix(['e', 'E']) else {
        return rest.is_empty().then_some(rest);
    };
    let unsigned = written.strip_prefix(['-', '+']).unwrap_or(written).as_bytes();
    (!unsigned.is_empty() && digits(unsigned) == unsigned.len()).then_some(written)
}

/// A text that is the number `double` exactly as far as a reader of it can tell: the shortest print of the double is the same number.
pub(in crate::value) fn is_faithful_double(numeral: &Numeral<'_>, text: &str) -> bool {
    let place = i64::from(numeral.integer_digits()) + i64::from(numeral.scale());
    if numeral.significant_digits() <= 15 && place < 290 {
        // Any decimal of up to 15 digits survives the way through a double and back.
        return true;
    }
    let Ok(double) = text.parse::<f64>() else { return false };
    let print = format!("{double:e}");
    numeral.significant_digits() <= 17 && Numeral::scan(&print).is_some_and(|printed| printed.significant() == numeral.significant())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        let check = |text: &str, scale: i32, precision: u8, want: Result<i128, Misfit>| {
            let numeral = Numeral::scan(text).expect(text);
            assert_eq!(numeral.to_i128(scale, precision), want, "{text} at scale {scale}");
            assert_eq!(
                numeral.to_i256(scale, precision),
                want.map(i256::from_i128),
                "{text} at scale {scale} in 256 bits"
            );
        };
        check("0", 0, 1, Ok(0));
        check("-0.00", 0, 1, Ok(0));
        check("1.50", 2, 4, Ok(150));
        check("1.500", 2, 4, Ok(150));
        check("1.505", 2, 18, Err(Misfit::TooFine));
        check("1e3", 2, 18, Ok(100_000));
        check("12.5e-1", 2, 18, Ok(125));
        check("-007", 0, 18, Ok(-7));
        check("100", 0, 2, Err(Misfit::TooLarge));
        check("1200", -2, 2, Ok(12));
        check("1e999999999999", 0, 18, Err(Misfit::TooLarge));
        check("0e999999999999", 0, 18, Ok(0));
        check("1e-999999999999", 2, 18, Err(Misfit::TooFine));
        let nines = "9".repeat(76);
        assert_eq!(
            Numeral::scan(&nines).expect("digits").to_i256(0, 76).expect("fits").to_string(),
            nines
        );
    }

    #[test]
    fn plain_numbers_are_what_any_reader_reads() {
        let parts = [
            "",
            "-",
            "+",
            "0",
            "00",
            "7",
            "10",
            "120",
            "123456789012345",
            ".",
            ".0",
            ".50",
            ".05",
            ".000",
            "e3",
            "1e2",
            "x",
        ];
        let mut plain = 0;
        let count = parts.len();
        for n in 0..count.pow(3) {
            let text = [n, n / count, n / count / count].map(|n| parts[n % count]).concat();
            let Some(found) = PlainNumber::read(text.as_bytes()) else {
                continue;
            };
            let numeral = Numeral::scan(&text).expect(&text);
            plain += 1;
            assert!(numeral.is_canonical() && is_faithful_double(&numeral, &text), "{text}");
            let of_numeral = (numeral.integer_digits(), numeral.scale(), numeral.exact_scale());
            assert_eq!((found.integer_digits(), found.scale(), found.exact_scale()), of_numeral, "{text}");
            for (scale, precision) in [(0, 18), (0, 1), (2, 18), (2, 4), (5, 9), (18, 18)] {
                let whole = numeral.to_i128(scale, precision).ok();
                let scaled = found.scaled(scale as u32, precision.into()).map(i128::from);
                // What is too large on the way there is left to the other reader.
                assert!(
                    scaled == whole || (scaled.is_none() && scale == 18),
                    "{text} at {scale}, {precision}"
                );
            }
        }
        assert!(plain > 300, "{plain}");
        assert_eq!(PlainNumber::read(b"1234567890123456"), None);
    }

    #[test]
    fn what_is_no_number() {
        for text in [
            "", "-", ".", "e3", "1e", "1e+", "1,000", " 1", "1 ", "1_000", "0x10", "NaN", "--1", "1.2.3", "１",
        ] {
            assert!(Numeral::scan(text).is_none(), "{text}");
        }
    }

    #[test]
    fn faithful_doubles() {
        let check = |text: &str, want: bool| assert_eq!(is_faithful_double(&Numeral::scan(text).expect(text), text), want, "{text}");
        check("0.1", true);
        check("1.7976931348623157e308", true);
        check("1e400", false);
        check("1e-400", false);
        check("9007199254740993", false);
        check("9007199254740992", true);
        check("0.30000000000000004", true);
        check("0.300000000000000041", false);
        check("5e-324", true);
        check("4e-324", false);
    }
}
