//! The two datasets of a comparison, always in the order live, shadow.

use serde::{Deserialize, Serialize};

/// One of the two datasets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Live,
    Shadow,
}

impl Side {
    /// Both sides, live first.
    pub const BOTH: [Side; 2] = [Side::Live, Side::Shadow];

    pub fn named(name: &str) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| side.name() == name)
    }

    /// The opposite side.
    pub fn other(self) -> Side {
        match self {
            Side::Live => Side::Shadow,
            Side::Shadow => Side::Live,
        }
    }

    /// The word of the spec and of the output.
    pub fn name(self) -> &'static str {
        match self {
            Side::Live => "live",
            Side::Shadow => "shadow",
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Two of anything, one a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sides<T> {
    pub live: T,
    pub shadow: T,
}

impl<T> Sides<T> {
    pub fn new(live: T, shadow: T) -> Self {
        Sides { live, shadow }
    }

    /// What `make` gives for each side, live first.
    pub fn from_fn(mut make: impl FnMut(Side) -> T) -> Self {
        Sides {
            live: make(Side::Live),
            shadow: make(Side::Shadow),
        }
    }

    pub fn try_from_fn<E>(mut make: impl FnMut(Side) -> Result<T, E>) -> Result<Self, E> {
        Ok(Sides {
            live: make(Side::Live)?,
            shadow: make(Side::Shadow)?,
        })
    }

    pub fn get(&self, side: Side) -> &T {
        match side {
            Side::Live => &self.live,
            Side::Shadow => &self.shadow,
        }
    }

    pub fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Live => &mut self.live,
            Side::Shadow => &mut self.shadow,
        }
    }

    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Sides<U> {
        Sides {
            live: f(self.live),
            shadow: f(self.shadow),
        }
    }

    /// The sides with their names, live first.
    pub fn each(&self) -> [(Side, &T); 2] {
        [(Side::Live, &self.live), (Side::Shadow, &self.shadow)]
    }
}

impl<T> std::ops::Index<Side> for Sides<T> {
    type Output = T;
    fn index(&self, side: Side) -> &T {
        self.get(side)
    }
}

impl<T> std::ops::IndexMut<Side> for Sides<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        self.get_mut(side)
    }
}
