//! Exact finite numbers: integers, decimals and doubles as `mantissa * 10^-scale`, with no rounding anywhere.
//!
//! Every double is such a number, because `2^-k = 5^k * 10^-k`. Mantissas that fit stay in an `i128`, since a comparison
//! may come here for every cell of a column; only what does not fit goes to big integers.

mod digits;
mod numeral;

use super::cell::{Decimal, Value};
use digits::Digits;
use num_bigint::{BigInt, Sign};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

pub use numeral::is_plain_number;
pub(super) use numeral::{Misfit, PlainNumber, is_faithful_double};
pub(crate) use numeral::{Numeral, Significant};

/// A finite number, exact. Equality and order are by value: `1.0` equals `1`. Stored as its decimal text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Number {
    mantissa: Mantissa,
    scale: i32,
}

#[derive(Debug, Clone)]
enum Mantissa {
    Small(i128),
    Big(BigInt),
}

impl Number {
    /// `None` for NULL, NaN, the infinities and whatever is not a number.
    pub fn from_value(value: &Value<'_>) -> Option<Number> {
        match value {
            Value::Int(v) => Some(Number::from_int(*v)),
            Value::Decimal(v) => Some(Number::from_decimal(v)),
            Value::Float32(v) => Number::from_f64(f64::from(*v)),
            Value::Float64(v) => Number::from_f64(*v),
            Value::Null
            | Value::Bool(_)
            | Value::Text(_)
            | Value::Binary(_)
            | Value::Date(_)
            | Value::Timestamp { .. }
            | Value::Time { .. }
            | Value::Duration { .. }
            | Value::Interval { .. }
            | Value::List(_)
            | Value::Struct(_)
            | Value::Map(_) => None,
        }
    }

    pub fn from_int(value: i128) -> Number {
        Number::new(value, 0)
    }

    pub fn from_decimal(value: &Decimal) -> Number {
        let mantissa = match value.unscaled.to_i128() {
            Some(small) => Mantissa::Small(small),
            None => Mantissa::Big(BigInt::from_signed_bytes_le(&value.unscaled.to_le_bytes())),
        };
        Number {
            mantissa,
            scale: value.scale.into(),
        }
    }

    /// The value of the double itself, not of its shortest text; `None` for NaN and the infinities.
    pub fn from_f64(value: f64) -> Option<Number> {
        if !value.is_finite() {
            return None;
        }
        let (mantissa, exponent) = binary_parts(value);
        if mantissa == 0 {
            return Some(Number::from_int(0));
        }
        if exponent >= 0 {
            // 53 bits moved by 74 are still below 2^127.
            let small = exponent <= 74;
            return Some(if small {
                Number::from_int(i128::from(mantissa) << exponent)
            } else {
                Number::big(BigInt::from(mantissa) << exponent, 0)
            });
        }
        let twos = exponent.unsigned_abs();
        let product = 5i128.checked_pow(twos).and_then(|fives| fives.checked_mul(mantissa.into()));
        Some(match product {
            Some(small) => Number::new(small, twos as i32),
            None => Number::big(BigInt::from(mantissa) * BigInt::from(5u8).pow(twos), twos as i32),
        })
    }

    /// Reads decimal text such as `-12.50` or `1e-3`; `None` for anything else, and for exponents beyond any of our types.
    pub fn parse(text: &str) -> Option<Number> {
        Numeral::scan(text)?.to_number()
    }

    /// `mantissa * 10^-scale`.
    pub fn new(mantissa: i128, scale: i32) -> Number {
        Number {
            mantissa: Mantissa::Small(mantissa),
            scale,
        }
    }

    fn big(mantissa: BigInt, scale: i32) -> Number {
        Number {
            mantissa: Mantissa::Big(mantissa),
            scale,
        }
    }

    /// Whether both have the same mantissa, whatever their scales.
    pub fn has_mantissa_of(&self, other: &Number) -> bool {
        match (&self.mantissa, &other.mantissa) {
            (Mantissa::Small(one), Mantissa::Small(other)) => one == other,
            _ => self.mantissa_big() == other.mantissa_big(),
        }
    }

    pub fn is_zero(&self) -> bool {
        self.sign() == Ordering::Equal
    }

    /// Less for negative numbers, Equal for zero, Greater for positive ones.
    pub fn sign(&self) -> Ordering {
        match &self.mantissa {
            Mantissa::Small(m) => m.cmp(&0),
            Mantissa::Big(m) => match m.sign() {
                Sign::Minus => Ordering::Less,
                Sign::NoSign => Ordering::Equal,
                Sign::Plus => Ordering::Greater,
            },
        }
    }

    pub fn abs(&self) -> Number {
        if self.sign() == Ordering::Less {
            self.negated()
        } else {
            self.clone()
        }
    }

    pub fn negated(&self) -> Number {
        match &self.mantissa {
            Mantissa::Small(m) => match m.checked_neg() {
                Some(small) => Number::new(small, self.scale),
                None => Number::big(-BigInt::from(*m), self.scale),
            },
            Mantissa::Big(m) => Number::big(-m, self.scale),
        }
    }

    /// `self - other`; its scale is the larger of the two.
    pub fn sub(&self, other: &Number) -> Number {
        if let Some((a, b, scale)) = aligned(self, other)
            && let Some(difference) = a.checked_sub(b)
        {
            return Number::new(difference, scale);
        }
        let (a, b, scale) = aligned_big(self, other);
        Number::big(a - b, scale)
    }

    /// `self + other`; its scale is the larger of the two.
    pub fn add(&self, other: &Number) -> Number {
        if let Some((a, b, scale)) = aligned(self, other)
            && let Some(sum) = a.checked_add(b)
        {
            return Number::new(sum, scale);
        }
        let (a, b, scale) = aligned_big(self, other);
        Number::big(a + b, scale)
    }

    /// Adds `other` in place.
    pub fn accumulate(&mut self, other: &Number) {
        if self.scale == other.scale
            && let (Mantissa::Small(sum), Mantissa::Small(more)) = (&mut self.mantissa, &other.mantissa)
            && let Some(both) = sum.checked_add(*more)
        {
            *sum = both;
            return;
        }
        *self = self.add(other);
    }

    pub fn mul(&self, other: &Number) -> Number {
        let scale = self.scale + other.scale;
        if let (Mantissa::Small(a), Mantissa::Small(b)) = (&self.mantissa, &other.mantissa)
            && let Some(product) = a.checked_mul(*b)
        {
            return Number::new(product, scale);
        }
        Number::big(self.mantissa_big() * other.mantissa_big(), scale)
    }

    /// The same value with no trailing zero in its mantissa; zero has scale 0. Equal numbers become the same mantissa and scale.
    pub fn normalized(&self) -> Number {
        if self.is_zero() {
            return Number::from_int(0);
        }
        let mut scale = self.scale;
        match &self.mantissa {
            Mantissa::Small(m) => {
                let mut m = *m;
                // Divisions of 128 bits are calls; most numbers need none.
                if let Ok(mut short) = i64::try_from(m) {
                    while short % 10 == 0 {
                        (short, scale) = (short / 10, scale - 1);
                    }
                    return Number::new(short.into(), scale);
                }
                while m % 10 == 0 {
                    (m, scale) = (m / 10, scale - 1);
                }
                Number::new(m, scale)
            }
            Mantissa::Big(m) => {
                let digits = m.magnitude().to_string();
                let zeros = digits.len() - digits.trim_end_matches('0').len();
                let m = m / BigInt::from(10u8).pow(zeros as u32);
                scale -= zeros as i32;
                match i128::try_from(&m) {
                    Ok(small) => Number::new(small, scale),
                    Err(_) => Number::big(m, scale),
                }
            }
        }
    }

    /// Digits of the mantissa.
    pub fn digits(&self) -> usize {
        match &self.mantissa {
            Mantissa::Small(m) => Digits::of(m.unsigned_abs()).text().len(),
            Mantissa::Big(m) => m.magnitude().to_string().len(),
        }
    }

    /// Digits after the point; negative for zeros in front of it that the mantissa leaves out.
    pub fn scale(&self) -> i32 {
        self.scale
    }

    /// Mantissa and scale: the value is `mantissa * 10^-scale`.
    pub fn parts(&self) -> (BigInt, i32) {
        (self.mantissa_big(), self.scale)
    }

    /// The number `mantissa * 10^-scale`.
    pub fn from_parts(mantissa: BigInt, scale: i32) -> Number {
        match i128::try_from(&mantissa) {
            Ok(small) => Number::new(small, scale),
            Err(_) => Number::big(mantissa, scale),
        }
    }

    /// The integer that the number is, if 128 bits hold it.
    pub fn to_i128(&self) -> Option<i128> {
        let (mantissa, scale) = self.normalized().small_parts()?;
        if scale > 0 { None } else { lifted(mantissa, scale.unsigned_abs()) }
    }

    /// The mantissa where it fits in 128 bits, with the scale.
    fn small_parts(&self) -> Option<(i128, i32)> {
        match &self.mantissa {
            Mantissa::Small(m) => Some((*m, self.scale)),
            Mantissa::Big(_) => None,
        }
    }

    /// The nearest double, ties to even; an infinity beyond the largest double.
    pub fn to_f64(&self) -> f64 {
        if let Some((m, scale)) = self.small_parts() {
            let short = i64::try_from(m);
            if scale == 0 {
                return short.map_or(m as f64, |short| short as f64);
            }
            // Both operands are exact doubles, so that one IEEE division rounds once.
            if let Ok(short) = short
                && (1..=22).contains(&scale)
                && short.unsigned_abs() <= 1 << 53
            {
                return short as f64 / DOUBLE_POWERS[scale as usize];
            }
        }
        let text = format!("{}e{}", self.mantissa_big(), -i64::from(self.scale));
        text.parse().expect("digits with an exponent are a double")
    }

    fn mantissa_big(&self) -> BigInt {
        match &self.mantissa {
            Mantissa::Small(m) => BigInt::from(*m),
            Mantissa::Big(m) => m.clone(),
        }
    }

    /// The same value with at least so many digits after the point.
    pub fn at_scale(&self, scale: i32) -> Number {
        if scale <= self.scale {
            return self.clone();
        }
        let power = (scale - self.scale).unsigned_abs();
        let small = match &self.mantissa {
            Mantissa::Small(m) => lifted(*m, power),
            Mantissa::Big(_) => None,
        };
        match small {
            Some(small) => Number::new(small, scale),
            None => Number::big(self.mantissa_big() * BigInt::from(10u8).pow(power), scale),
        }
    }
}

/// The powers of ten that are exact doubles.
const DOUBLE_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Both mantissas at the larger scale, where 128 bits hold them.
fn aligned(a: &Number, b: &Number) -> Option<(i128, i128, i32)> {
    let ((am, ascale), (bm, bscale)) = (a.small_parts()?, b.small_parts()?);
    if ascale == bscale {
        return Some((am, bm, ascale));
    }
    let scale = ascale.max(bscale);
    let lift = |m: i128, from: i32| lifted(m, (scale - from).unsigned_abs());
    Some((lift(am, ascale)?, lift(bm, bscale)?, scale))
}

/// The same, whatever it takes to hold them.
fn aligned_big(a: &Number, b: &Number) -> (BigInt, BigInt, i32) {
    let scale = a.scale.max(b.scale);
    (a.at_scale(scale).mantissa_big(), b.at_scale(scale).mantissa_big(), scale)
}

/// A mantissa times a power of ten.
fn lifted(mantissa: i128, power: u32) -> Option<i128> {
    10i128.checked_pow(power)?.checked_mul(mantissa)
}

/// A finite double as `mantissa * 2^exponent` with an odd mantissa, or 0.
pub(crate) fn binary_parts(value: f64) -> (i64, i32) {
    let bits = value.to_bits();
    let (biased, fraction) = (((bits >> 52) & 0x7ff) as i32, bits & ((1 << 52) - 1));
    let (magnitude, exponent) = if biased == 0 {
        (fraction, -1074)
    } else {
        (fraction | 1 << 52, biased - 1075)
    };
    if magnitude == 0 {
        return (0, 0);
    }
    let twos = magnitude.trailing_zeros();
    let odd = (magnitude >> twos) as i64;
    (if value.is_sign_negative() { -odd } else { odd }, exponent + twos as i32)
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        if let Some((a, b, _)) = aligned(self, other) {
            return a.cmp(&b);
        }
        self.sign().cmp(&other.sign()).then_with(|| {
            let (a, b, _) = aligned_big(self, other);
            a.cmp(&b)
        })
    }
}

impl From<Number> for String {
    fn from(number: Number) -> String {
        number.to_string()
    }
}

impl TryFrom<String> for Number {
    type Error = String;

    fn try_from(text: String) -> Result<Number, String> {
        Number::parse(&text).ok_or_else(|| format!("`{text}` is not a number"))
    }
}

/// Zero.
impl Default for Number {
    fn default() -> Self {
        Number::from_int(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_buffer::i256;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn reads_and_prints() {
        for (text, printed) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.00", "0.00"),
            ("12.50", "12.50"),
            ("-0.05", "-0.05"),
            ("+7", "7"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("1.5e-3", "0.0015"),
            ("0e5", "0"),
            (
                "123456789012345678901234567890123456789012345678901234567890",
                "123456789012345678901234567890123456789012345678901234567890",
            ),
            ("-1e-40", "-0.0000000000000000000000000000000000000001"),
        ] {
            assert_eq!(number(text).to_string(), printed, "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "e5",
            "1e",
            "1x",
            "1 000",
            "NaN",
            "inf",
            "0x10",
            "1e999999999",
            "--1",
            "1.2.3",
            "5%",
        ] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn doubles_are_their_own_value() {
        for (double, text) in [
            (0.5, "0.5"),
            (-0.0, "0"),
            (0.1, "0.1000000000000000055511151231257827021181583404541015625"),
            (1e22, "10000000000000000000000"),
            (9007199254740993.0, "9007199254740992"),
            (-2.25, "-2.25"),
        ] {
            assert_eq!(Number::from_f64(double).unwrap().to_string(), text);
        }
        for double in [f64::MAX, f64::MIN_POSITIVE, 5e-324, -1e300, 1e-7, 0.3, 123456.789] {
            assert_eq!(Number::from_f64(double).unwrap().to_f64(), double);
            assert_eq!(Number::from_f64(double).unwrap().normalized().to_f64(), double);
        }
        assert!(Number::from_f64(f64::NAN).is_none() && Number::from_f64(f64::INFINITY).is_none());
    }

    #[test]
    fn arithmetic_is_exact_beyond_every_width() {
        let max = Number::from_int(i128::MAX);
        let min = Number::from_int(i128::MIN);
        assert_eq!(max.sub(&min).to_string(), "340282366920938463463374607431768211455");
        assert_eq!(min.abs().to_string(), "170141183460469231731687303715884105728");
        assert_eq!(max.mul(&max).sub(&max.mul(&max)), Number::from_int(0));
        assert_eq!(number("0.3").sub(&number("0.29")), number("0.01"));
        assert_eq!(number("1.50").sub(&number("1.5")).to_string(), "0.00");
        assert_eq!(number("1e300").add(&number("1e-300")).sub(&number("1e300")), number("1e-300"));
        let wide = Number::from_decimal(&Decimal {
            unscaled: i256::MAX,
            scale: 10,
        });
        assert_eq!(
            wide.to_string(),
            "5789604461865809771178549250434395392663499233282028201972879200395.6564819967"
        );
        assert_eq!(
            Number::from_decimal(&Decimal {
                unscaled: i256::from_i128(5),
                scale: -2
            })
            .to_string(),
            "500"
        );
    }

    #[test]
    fn order_is_by_value() {
        let sorted = [
            "-1e300",
            "-2",
            "-1.5",
            "-1e-300",
            "0",
            "1e-300",
            "0.1",
            "0.10000000000000000555",
            "1",
            "10",
            "1e40",
            "1e300",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(number(a).cmp(&number(b)), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(number("1.000"), number("1"));
        assert!(Number::from_f64(0.1).unwrap() > number("0.1"));
    }

    #[test]
    fn normal_form_is_one_a_value() {
        for texts in [["100", "1e2", "100.00"], ["0.5", "5e-1", "0.500"], ["0", "0.0", "0e7"]] {
            let forms: Vec<_> = texts.iter().map(|t| number(t).normalized().parts()).collect();
            assert!(forms.windows(2).all(|w| w[0] == w[1]), "{forms:?}");
        }
        let long = format!("1{}", "0".repeat(60));
        assert_eq!(number(&long).normalized().parts(), (BigInt::from(1), -60));
    }

    #[test]
    fn nearest_double() {
        for (text, double) in [
            ("0.1", 0.1),
            ("1e400", f64::INFINITY),
            ("1e-400", 0.0),
            ("9007199254740993", 9007199254740992.0),
            ("-2.5", -2.5),
        ] {
            assert_eq!(number(text).to_f64(), double, "{text}");
        }
    }
}
