//! The distribution of a column's deltas in little memory, the same whatever the order in which parts are merged.
//!
//! Counts, the least, the largest and the sum are exact; quantiles come from buckets, as in DDSketch (Masson, Rim, Lee,
//! 2019), each right to 1 %. A bucket is a double's sign, exponent and first [`BUCKET_BITS`] bits of fraction: 64 equal
//! parts of every power of two. The widest, `[1, 1 + 1/64)`, has its middle within 1/128 of every value in it. Taken from
//! bits and not from a logarithm, a bucket is the same on every machine, and costs a shift.
//!
//! Memory: at most 2 * 2047 * 64 buckets; deltas of one magnitude take a few hundred. Below 2^-1022 buckets are wider.

use crate::value::{Number, binary_parts, exact, exact_there};
use num_bigint::BigInt;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

const BUCKET_BITS: u32 = 6;
const BUCKET_SHIFT: u32 = 52 - BUCKET_BITS;

/// What is known of the deltas seen so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sketch {
    /// Finite deltas by bucket, from the most negative on; 0 is bucket 0.
    buckets: BTreeMap<i32, u64>,
    /// The least and the largest finite delta.
    bounds: Option<(f64, f64)>,
    sum: Sum,
    nan: u64,
    negative_infinite: u64,
    positive_infinite: u64,
}

/// A distribution as the summary shows it; of the finite deltas but for `count`, `nan` and `infinite`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Distribution {
    /// All deltas, finite or not.
    pub count: u64,
    pub nan: u64,
    pub infinite: u64,
    #[serde(serialize_with = "shortest", deserialize_with = "exact")]
    pub min: Option<f64>,
    #[serde(serialize_with = "shortest", deserialize_with = "exact")]
    pub max: Option<f64>,
    /// The exact mean, rounded once.
    #[serde(serialize_with = "shortest", deserialize_with = "exact")]
    pub mean: Option<f64>,
    #[serde(serialize_with = "shortest", deserialize_with = "exact")]
    pub p01: Option<f64>,
    #[serde(serialize_with = "shortest", deserialize_with = "exact")]
    pub p05: Option<f64>,
    #[serde(serialize_with = "shortest", deserialize_with = "exact")]
    pub p25: Option<f64>,
    #[serde(serialize_with = "shortest", deserialize_with = "exact")]
    pub p50: Option<f64>,
    #[serde(serialize_with = "shortest", deserialize_with = "exact")]
    pub p75: Option<f64>,
    #[serde(serialize_with = "shortest", deserialize_with = "exact")]
    pub p95: Option<f64>,
    #[serde(serialize_with = "shortest", deserialize_with = "exact")]
    pub p99: Option<f64>,
    /// How many finite deltas lie where, from the least on: steps that grow with the size, but for one of zeros. At most `STEPS`; empty where
    /// all deltas are one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<Step>,
}

/// Deltas from one size to another; both ends are of it where it ends the distribution, else the one that is nearer to zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    #[serde(serialize_with = "shortest_there", deserialize_with = "exact_there")]
    pub from: f64,
    #[serde(serialize_with = "shortest_there", deserialize_with = "exact_there")]
    pub to: f64,
    pub count: u64,
}

/// Steps of a histogram.
const STEPS: usize = 24;

impl Distribution {
    /// Of deltas that are all whole numbers: the bucket's middle may lie between two of them, its lower end does not.
    pub fn whole(mut self) -> Self {
        for percentile in [
            &mut self.p01,
            &mut self.p05,
            &mut self.p25,
            &mut self.p50,
            &mut self.p75,
            &mut self.p95,
            &mut self.p99,
        ] {
            *percentile = percentile.map(f64::trunc);
        }
        self
    }
}

/// A whole number without a point: `-3`, not `-3.0`.
fn shortest<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number.and_then(whole) {
        Some(whole) => serializer.serialize_i64(whole),
        None => number.serialize(serializer),
    }
}

fn shortest_there<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    shortest(&Some(*number), serializer)
}

/// The whole number that a double is, as far as it is known to be that one.
pub fn whole(number: f64) -> Option<i64> {
    // From here on doubles are further apart than whole numbers, and digits would say more than is known.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

impl Sketch {
    pub fn observe(&mut self, delta: f64) {
        if delta.is_finite() {
            self.count_finite(delta);
            self.sum.add_double(delta);
        } else if delta.is_nan() {
            self.nan += 1;
        } else if delta > 0.0 {
            self.positive_infinite += 1;
        } else {
            self.negative_infinite += 1;
        }
    }

    /// A delta whose value no double may hold; its sum stays exact, its bucket and bounds are those of the nearest double.
    pub fn observe_exact(&mut self, delta: &Number) {
        // Nothing that a column holds lies beyond the doubles; if it did, the largest one would stand for it.
        self.count_finite(delta.to_f64().clamp(f64::MIN, f64::MAX));
        self.sum.add_exact(delta);
    }

    /// Takes over another sketch's deltas.
    pub fn merge(&mut self, other: &Sketch) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
        if let Some((least, largest)) = other.bounds {
            self.widen(least);
            self.widen(largest);
        }
        self.sum.merge(&other.sum);
        self.nan += other.nan;
        self.negative_infinite += other.negative_infinite;
        self.positive_infinite += other.positive_infinite;
    }

    pub fn count(&self) -> u64 {
        self.finite() + self.nan + self.negative_infinite + self.positive_infinite
    }

    pub fn summary(&self) -> Distribution {
        Distribution {
            count: self.count(),
            nan: self.nan,
            infinite: self.negative_infinite + self.positive_infinite,
            min: self.bounds.map(|b| b.0),
            max: self.bounds.map(|b| b.1),
            mean: (self.finite() > 0).then(|| mean(&self.sum.total(), self.finite())),
            p01: self.quantile(1),
            p05: self.quantile(5),
            p25: self.quantile(25),
            p50: self.quantile(50),
            p75: self.quantile(75),
            p95: self.quantile(95),
            p99: self.quantile(99),
            histogram: self.histogram(),
        }
    }

    /// Buckets put together, by the same power of two everywhere: the fewest that are few enough.
    fn histogram(&self) -> Vec<Step> {
        let Some((least, largest)) = self.bounds.filter(|(least, largest)| least < largest) else {
            return Vec::new();
        };
        let steps = (0..BUCKET_BITS + 12).map(|shift| self.steps(shift));
        let mut steps = steps.into_iter().find(|steps| steps.len() <= STEPS).unwrap_or_default();
        for step in &mut steps {
            (step.from, step.to) = (step.from.max(least), step.to.min(largest));
        }
        steps
    }

    /// Each step takes `2^shift` buckets; those between the first and the last one of a sign are there though they are empty.
    fn steps(&self, shift: u32) -> Vec<Step> {
        let place = |bucket: i32| (bucket.unsigned_abs() - 1) >> shift;
        let mut counts: BTreeMap<(bool, u32), u64> = BTreeMap::new();
        for (bucket, count) in self.buckets.iter().filter(|(bucket, _)| **bucket != 0) {
            *counts.entry((*bucket > 0, place(*bucket))).or_default() += count;
        }
        let of_sign = |is_positive: bool| {
            let mut places = counts.keys().filter(|(sign, _)| *sign == is_positive).map(|(_, place)| *place);
            let first = places.next();
            // One too many tells that they are too many.
            first
                .map(|first| (first..=places.next_back().unwrap_or(first)).take(STEPS + 1))
                .into_iter()
                .flatten()
        };
        let end = |place: u32| f64::from_bits(((u64::from(place) << shift) << BUCKET_SHIFT).min(f64::MAX.to_bits()));
        let step = |is_positive: bool, place: u32| {
            let (low, high) = (end(place), end(place + 1));
            let (from, to) = if is_positive { (low, high) } else { (-high, -low) };
            let count = counts.get(&(is_positive, place)).copied().unwrap_or(0);
            Step { from, to, count }
        };
        let mut steps: Vec<Step> = of_sign(false).map(|place| step(false, place)).collect();
        steps.reverse();
        let zeros = self.buckets.get(&0).map(|count| Step {
            from: 0.0,
            to: 0.0,
            count: *count,
        });
        steps.extend(zeros);
        steps.extend(of_sign(true).map(|place| step(true, place)));
        steps
    }

    /// A value within 1 % of the delta at place `floor((n - 1) * percent / 100)` of the sorted finite deltas.
    pub fn quantile(&self, percent: u8) -> Option<f64> {
        let (least, largest) = self.bounds?;
        let place = u128::from(self.finite() - 1) * u128::from(percent.min(100)) / 100;
        let mut passed = 0u128;
        for (bucket, count) in &self.buckets {
            passed += u128::from(*count);
            if passed > place {
                return Some(middle(*bucket).clamp(least, largest));
            }
        }
        None
    }

    fn finite(&self) -> u64 {
        self.buckets.values().sum()
    }

    fn count_finite(&mut self, delta: f64) {
        // -0.0 is 0.0.
        let delta = delta + 0.0;
        *self.buckets.entry(bucket(delta)).or_default() += 1;
        self.widen(delta);
    }

    fn widen(&mut self, delta: f64) {
        self.bounds = Some(match self.bounds {
            None => (delta, delta),
            Some((least, largest)) => (
                if delta < least { delta } else { least },
                if delta > largest { delta } else { largest },
            ),
        });
    }
}

/// The bucket of a finite delta: 0 for zero, else the top bits of its magnitude plus 1, with its sign.
fn bucket(delta: f64) -> i32 {
    if delta == 0.0 {
        return 0;
    }
    let place = (delta.abs().to_bits() >> BUCKET_SHIFT) as i32 + 1;
    if delta < 0.0 { -place } else { place }
}

/// The middle of a bucket; never beyond the largest double, whose fraction is all ones.
fn middle(bucket: i32) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let low = u64::from(bucket.unsigned_abs() - 1) << BUCKET_SHIFT;
    let magnitude = f64::from_bits(low | 1 << (BUCKET_SHIFT - 1));
    if bucket < 0 { -magnitude } else { magnitude }
}

/// `total / count`, rounded once to a double.
fn mean(total: &Number, count: u64) -> f64 {
    const SPARE_DIGITS: u32 = 60;
    let (mantissa, scale) = total.parts();
    let lifted = mantissa * BigInt::from(10u8).pow(SPARE_DIGITS);
    let (quotient, rest) = (&lifted / count, &lifted % count);
    // One digit more stands for all that follow, so that no false tie arises.
    let digit = if rest == BigInt::ZERO { "0" } else { "1" };
    let sign = if quotient == BigInt::ZERO && rest < BigInt::ZERO { "-" } else { "" };
    let text = format!("{sign}{quotient}{digit}e{}", -i64::from(scale) - i64::from(SPARE_DIGITS) - 1);
    text.parse().expect("digits with an exponent are a double")
}

/// An exact sum of doubles and decimals: a fixed-point number of 2240 bits for the ones, a decimal for the others.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    /// Limb `i` counts units of `2^(32 i - 1074)`; a limb runs over 32 bits until carries are passed on. Empty: no double yet.
    limbs: Vec<i64>,
    /// Additions since then. One adds less than 2^32 to a limb, so that 2^30 of them fit.
    unsettled: u32,
    exact: Number,
}

/// Doubles reach over 2098 bits; the rest is room for 2^100 of them.
const LIMBS: usize = 70;
const MOST_UNSETTLED: u32 = 1 << 30;

impl Sum {
    /// Adds a finite double.
    pub fn add_double(&mut self, value: f64) {
        if self.limbs.is_empty() {
            self.limbs = vec![0; LIMBS];
        }
        let (mantissa, exponent) = binary_parts(value);
        // In units of 2^-1074, the finest that a double has.
        let moved = exponent + 1074;
        let wide = u128::from(mantissa.unsigned_abs()) << (moved % 32);
        let first = (moved / 32) as usize;
        for (i, limb) in self.limbs[first..first + 3].iter_mut().enumerate() {
            let part = i64::from((wide >> (32 * i)) as u32);
            *limb += if mantissa < 0 { -part } else { part };
        }
        self.unsettled += 1;
        if self.unsettled >= MOST_UNSETTLED {
            self.settle();
        }
    }

    pub fn add_exact(&mut self, value: &Number) {
        self.exact.accumulate(value);
    }

    pub fn merge(&mut self, other: &Sum) {
        self.exact = self.exact.add(&other.exact);
        if other.limbs.is_empty() {
            return;
        }
        let mut other = other.clone();
        other.settle();
        self.settle();
        if self.limbs.is_empty() {
            self.limbs = vec![0; LIMBS];
        }
        self.limbs.iter_mut().zip(&other.limbs).for_each(|(limb, more)| *limb += more);
        self.settle();
    }

    /// Passes carries on: every limb but the last ends in `0..2^32`, the last bears the sign.
    fn settle(&mut self) {
        let mut carry = 0;
        let last = self.limbs.len().saturating_sub(1);
        for (i, limb) in self.limbs.iter_mut().enumerate() {
            *limb += carry;
            if i < last {
                carry = *limb >> 32;
                *limb &= 0xffff_ffff;
            }
        }
        self.unsettled = 0;
    }

    pub fn total(&self) -> Number {
        let units = self.limbs.iter().rev().fold(BigInt::ZERO, |sum, limb| (sum << 32) + limb);
        let twos = units.trailing_zeros().unwrap_or(1074).min(1074);
        let scale = 1074 - twos as u32;
        // units * 2^-1074 = (units / 2^twos) * 5^scale * 10^-scale
        Number::from_parts((units >> twos) * BigInt::from(5u8).pow(scale), scale as i32).add(&self.exact)
    }
}

/// By value, however a sum came about.
impl PartialEq for Sum {
    fn eq(&self, other: &Sum) -> bool {
        self.total() == other.total()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random, from a seed.
    fn random(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        }
    }

    #[test]
    fn any_merge_order_gives_the_same_sketch() {
        let mut next = random(0x2545_f491_4f6c_dd1d);
        let deltas: Vec<f64> = (0..2_000)
            .map(|i| match i % 5 {
                0 => f64::from_bits(next()),
                1 => [f64::MAX, -f64::MAX, 5e-324, -0.0, 0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY][(next() % 8) as usize],
                _ => (next() % 2_000) as f64 / 7.0 - 100.0,
            })
            .collect();
        let exact: Vec<Number> = (0..500)
            .map(|_| Number::parse(&format!("{}.{:03}", next() as i64, next() % 1000)).unwrap())
            .collect();
        let mut whole = Sketch::default();
        deltas.iter().for_each(|d| whole.observe(*d));
        exact.iter().for_each(|d| whole.observe_exact(d));
        for parts in [1usize, 2, 7, 40] {
            let mut sketches = vec![Sketch::default(); parts];
            deltas.iter().for_each(|d| sketches[next() as usize % parts].observe(*d));
            exact.iter().for_each(|d| sketches[next() as usize % parts].observe_exact(d));
            while sketches.len() > 1 {
                let taken = sketches.swap_remove(next() as usize % sketches.len());
                let into = next() as usize % sketches.len();
                sketches[into].merge(&taken);
            }
            assert_eq!(sketches[0], whole);
            assert_eq!(sketches[0].summary(), whole.summary());
        }
    }

    /// Programs read a result's summary: no digit changes on the way.
    #[test]
    fn doubles_come_back_to_the_last_bit() {
        let mut next = random(3);
        for _ in 0..2_000 {
            let mut sketch = Sketch::default();
            [next(), next()].iter().for_each(|bits| sketch.observe(f64::from_bits(*bits)));
            let written = serde_json::to_string(&sketch.summary()).unwrap();
            assert_eq!(serde_json::from_str::<Distribution>(&written).unwrap(), sketch.summary());
        }
    }

    #[test]
    fn quantiles_are_within_one_percent() {
        let mut next = random(99);
        let mut deltas: Vec<f64> = (0..5_001).map(|_| ((next() % 1_000_000) as f64 - 300_000.0) * 1e-3).collect();
        let mut sketch = Sketch::default();
        deltas.iter().for_each(|d| sketch.observe(*d));
        deltas.sort_by(f64::total_cmp);
        for percent in 0..=100u8 {
            let (found, exact) = (sketch.quantile(percent).unwrap(), deltas[5_000 * usize::from(percent) / 100]);
            assert!((found - exact).abs() <= 0.01 * exact.abs(), "p{percent}: {found} for {exact}");
        }
        assert_eq!((sketch.summary().min, sketch.summary().max), (Some(deltas[0]), Some(deltas[5_000])));
    }

    #[test]
    fn whole_deltas_have_whole_percentiles_and_print_so() {
        for delta in [-3i32, 1, 63, 64, 129, -1_000] {
            let mut sketch = Sketch::default();
            (0..3).for_each(|_| sketch.observe_exact(&Number::from_int(i128::from(delta))));
            let found = sketch.summary().whole();
            assert_eq!((found.p50, found.mean), (Some(f64::from(delta)), Some(f64::from(delta))));
            let json = serde_json::to_string(&found).unwrap();
            assert!(json.contains(&format!("\"min\":{delta},")) && !json.contains('.'), "{json}");
        }
        let mut halves = Sketch::default();
        halves.observe(0.5);
        halves.observe(1e300);
        let json = serde_json::to_string(&halves.summary()).unwrap();
        assert!(json.contains("\"min\":0.5,") && json.contains("\"max\":1e+300,"), "{json}");
    }

    #[test]
    fn buckets_hold_their_middle_at_every_magnitude() {
        for value in [f64::MIN_POSITIVE, 1e-300, 0.1, 1.0, 1.9999, 2.0, 1e10, f64::MAX] {
            for value in [value, -value] {
                assert!((middle(bucket(value)) - value).abs() <= 0.008 * value.abs(), "{value}");
            }
        }
        assert!(bucket(-1.0) < bucket(-0.5) && bucket(-5e-324) < 0 && bucket(5e-324) > 0 && bucket(1.0) < bucket(1.02));
    }

    #[test]
    fn means_are_exact_and_rounded_once() {
        for (deltas, mean) in [
            (&[1e308, 1e308, -1e308][..], 1e308 / 3.0),
            (&[1e300, 1.0, -1e300, 2.0], 0.75),
            (&[0.1, 0.2, 0.3], 0.2),
            (&[-5e-324], -5e-324),
            (&[f64::MAX, f64::MAX], f64::MAX),
            (&[-1.0, -2.0], -1.5),
            (&[f64::NAN, 4.0, f64::INFINITY], 4.0),
        ] {
            let mut sketch = Sketch::default();
            deltas.iter().for_each(|d| sketch.observe(*d));
            assert_eq!(sketch.summary().mean, Some(mean), "{deltas:?}");
        }
        let mut cents = Sketch::default();
        (0..10).for_each(|_| cents.observe_exact(&Number::parse("0.10").unwrap()));
        assert_eq!((cents.summary().mean, cents.count()), (Some(0.1), 10));
    }

    #[test]
    fn a_histogram_has_few_steps_that_hold_all_and_depend_on_no_order() {
        for deltas in [
            (1..=5000).map(f64::from).collect::<Vec<_>>(),
            (-300..300).map(|n| f64::from(n) * 1e-3).collect(),
            (-300..300).map(|n| 10_f64.powi(n)).chain([0.0, -1.0, f64::MAX, f64::MIN]).collect(),
            vec![1.0, 1.0 + f64::EPSILON, f64::MIN_POSITIVE],
        ] {
            let of = |deltas: &mut dyn Iterator<Item = &f64>| {
                let mut sketch = Sketch::default();
                deltas.for_each(|delta| sketch.observe(*delta));
                sketch
            };
            let (first, rest) = deltas.split_at(deltas.len() / 3);
            let mut merged = of(&mut rest.iter().rev());
            merged.merge(&of(&mut first.iter()));
            let found = merged.summary().histogram;
            assert_eq!(found, of(&mut deltas.iter()).summary().histogram);
            assert!((1..=STEPS).contains(&found.len()), "{found:?}");
            assert_eq!(found.iter().map(|step| step.count).sum::<u64>(), deltas.len() as u64);
            assert!(
                found.iter().all(|step| step.from <= step.to) && found.windows(2).all(|pair| pair[0].to <= pair[1].from),
                "{found:?}"
            );
            for step in &found {
                let inside = deltas.iter().filter(|delta| (step.from..=step.to).contains(*delta)).count() as u64;
                assert!(inside >= step.count, "{step:?} {inside}");
            }
        }
        let mut same = Sketch::default();
        (0..9).for_each(|_| same.observe(7.0));
        assert_eq!(same.summary().histogram, []);
    }

    #[test]
    fn nothing_seen_says_nothing() {
        assert_eq!(Sketch::default().summary(), Distribution::default());
        let mut nan = Sketch::default();
        nan.observe(f64::NAN);
        nan.observe(f64::NEG_INFINITY);
        assert_eq!(
            nan.summary(),
            Distribution {
                count: 2,
                nan: 1,
                infinite: 1,
                ..Distribution::default()
            }
        );
    }
}
