//! Doubles in stored JSON, read back to the last bit: as it is built here, the JSON reader's own way may miss by one.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

struct Exact(f64);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = serde_json::Number::deserialize(deserializer)?.to_string();
        text.parse().map(Exact).map_err(D::Error::custom)
    }
}

/// One that is there.
pub(crate) fn exact_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Exact::deserialize(deserializer).map(|double| double.0)
}

/// One that may be absent.
pub(crate) fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let read = Option::<Exact>::deserialize(deserializer)?;
    Ok(read.map(|double| double.0))
}
