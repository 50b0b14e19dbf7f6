//! What an http address holds besides its place: user, password and query, which may be a signature. Needed to read, never shown or
//! stored.

use percent_encoding::percent_decode_str;
use std::fmt;

/// The secret part of an address; empty for most.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    /// `user:password` as written.
    user: String,
    /// What follows the `?`.
    query: String,
}

impl Access {
    pub(super) fn new(user: &str, query: &str) -> Access {
        Access {
            user: user.to_owned(),
            query: query.to_owned(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.user.is_empty() && self.query.is_empty()
    }

    pub(super) fn query(&self) -> Option<&str> {
        Some(self.query.as_str()).filter(|query| !query.is_empty())
    }

    /// User and password, decoded.
    pub(crate) fn login(&self) -> Option<Vec<u8>> {
        let decoded = |part: &str| percent_decode_str(part).collect::<Vec<u8>>();
        let (user, password) = self.user.split_once(':').unwrap_or((&self.user, ""));
        (!self.user.is_empty()).then(|| [decoded(user), decoded(password)].join(&b':'))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "none" } else { "hidden" })
    }
}
