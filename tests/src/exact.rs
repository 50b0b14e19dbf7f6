//! Numbers without any rounding: a whole number of units of `10^-scale`. Every int, decimal and finite double is one.

use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;

/// `units / 10^scale`.
#[derive(Debug, Clone)]
pub struct Exact {
    pub units: BigInt,
    pub scale: u32,
}

fn power(base: u32, exponent: u32) -> BigInt {
    BigInt::from(base).pow(exponent)
}

impl Exact {
    pub fn int(value: i128) -> Exact {
        Exact {
            units: value.into(),
            scale: 0,
        }
    }

    /// `None` for NaN and the infinities.
    pub fn double(value: f64) -> Option<Exact> {
        if !value.is_finite() {
            return None;
        }
        let bits = value.abs().to_bits();
        let (mantissa, exponent) = match bits >> 52 {
            0 => (bits, -1074),
            biased => ((bits & ((1 << 52) - 1)) | (1 << 52), biased as i32 - 1075),
        };
        let signed = if value.is_sign_negative() {
            -BigInt::from(mantissa)
        } else {
            BigInt::from(mantissa)
        };
        Some(match u32::try_from(exponent) {
            Ok(up) => Exact {
                units: signed * power(2, up),
                scale: 0,
            },
            Err(_) => Exact {
                units: signed * power(5, exponent.unsigned_abs()),
                scale: exponent.unsigned_abs(),
            },
        })
    }

    /// Plain decimal text such as `-0.050`.
    pub fn parse(text: &str) -> Option<Exact> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        Some(Exact {
            units: format!("{whole}{fraction}").parse().ok()?,
            scale: fraction.len() as u32,
        })
    }

    /// The same number counted in units of `10^-scale`, which is no coarser than its own.
    pub fn at_scale(&self, scale: u32) -> BigInt {
        &self.units * power(10, scale - self.scale)
    }

    fn together(&self, other: &Exact) -> (BigInt, BigInt, u32) {
        let scale = self.scale.max(other.scale);
        (self.at_scale(scale), other.at_scale(scale), scale)
    }

    pub fn minus(&self, other: &Exact) -> Exact {
        let (a, b, scale) = self.together(other);
        Exact { units: a - b, scale }
    }

    pub fn times(&self, other: &Exact) -> Exact {
        Exact {
            units: &self.units * &other.units,
            scale: self.scale + other.scale,
        }
    }

    pub fn abs(&self) -> Exact {
        Exact {
            units: self.units.magnitude().clone().into(),
            scale: self.scale,
        }
    }

    /// With exactly `scale` digits after the point.
    pub fn text(&self) -> String {
        let digits = format!("{:0>width$}", self.units.magnitude().to_string(), width = self.scale as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale as usize);
        let sign = if self.units.sign() == Sign::Minus { "-" } else { "" };
        if fraction.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}")
        }
    }

    /// With no zero at the end of a fraction.
    pub fn short_text(&self) -> String {
        let text = self.text();
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    }

    /// The nearest double; the standard library's reader rounds correctly.
    pub fn nearest_double(&self) -> f64 {
        self.text().parse().expect("decimal text is a number")
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Exact) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Exact {}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Exact) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Exact) -> Ordering {
        let (a, b, _) = self.together(other);
        a.cmp(&b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_what_they_are() {
        for (value, text) in [
            (0.5, "0.5"),
            (-3.0, "-3"),
            (0.1, "0.1000000000000000055511151231257827021181583404541015625"),
            (1e22, "10000000000000000000000"),
        ] {
            assert_eq!(Exact::double(value).expect("finite").short_text(), text);
        }
        assert!(Exact::double(0.3).expect("finite") < Exact::parse("0.3").expect("a number"));
    }
}
