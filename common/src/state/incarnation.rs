//! Names that are drawn once: of one submission of a job's id, and of the plan that was made for it.

use crate::random_bytes;
use serde::{Deserialize, Serialize};
use shadowdiff_core::error::Result;
use std::fmt;

/// One submission of a job's id. The id may come again after its job was removed, the incarnation never: whatever is stored, sent or
/// kept for a job carries it, so that nothing of one submission is ever taken for another's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Incarnation(String);

const HEX_DIGITS: usize = 32;

impl Incarnation {
    /// A new one, by the operating system's chance.
    pub fn draw() -> Result<Incarnation> {
        Ok(Incarnation(format!("{:032x}", u128::from_le_bytes(random_bytes()?))))
    }

    /// `None` where the text is not 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Incarnation> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == HEX_DIGITS && text.bytes().all(is_digit)).then(|| Incarnation(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Incarnation {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Incarnation::parse(&text).ok_or_else(|| format!("`{text}` is not an incarnation"))
    }
}

impl From<Incarnation> for String {
    fn from(incarnation: Incarnation) -> String {
        incarnation.0
    }
}

/// The digest that a plan is sealed with: a commit names the plan that it followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanDigest(String);

impl PlanDigest {
    #[cfg(test)]
    pub(crate) fn of(plan: &[u8]) -> PlanDigest {
        PlanDigest(super::seal::digest(&[plan]))
    }

    /// As a message or a seal names it.
    pub fn named(text: &str) -> PlanDigest {
        PlanDigest(text.to_owned())
    }
}

impl fmt::Display for PlanDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incarnations_differ_and_only_their_own_form_is_one() {
        let (one, two) = (Incarnation::draw().expect("chance"), Incarnation::draw().expect("chance"));
        assert_ne!(one, two);
        assert_eq!(Incarnation::parse(one.as_str()), Some(one));
        for text in [
            "",
            "journal",
            &"0".repeat(31),
            &"0".repeat(33),
            &"A".repeat(32),
            "../../../../../../../../../../..",
        ] {
            assert_eq!(Incarnation::parse(text), None, "{text}");
        }
    }
}
