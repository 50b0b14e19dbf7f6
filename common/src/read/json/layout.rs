//! The names of the fields of lines, in the order in which they are written: most lines of a file have the same, so that what depends on the
//! names alone is found out once.

use super::flat::is_plain_text;
use super::tree::Members;

/// More are not kept: lines that all differ in their fields would fill the memory.
const KEPT: usize = 64;

/// What was made of each order of names.
pub(super) struct Layouts<T> {
    known: Vec<Layout<T>>,
    last: usize,
}

struct Layout<T> {
    names: Vec<String>,
    are_plain: bool,
    made: T,
}

impl<T> Default for Layouts<T> {
    fn default() -> Self {
        Layouts {
            known: Vec::new(),
            last: 0,
        }
    }
}

impl<T> Layouts<T> {
    /// The names that the last line had, if the next may have them as they are.
    pub(super) fn expected(&self) -> &[String] {
        let last = self.known.get(self.last).filter(|layout| layout.are_plain);
        last.map_or(&[], |layout| &layout.names)
    }

    /// What is made of the names of a line, made where they are new; `None` where a name is there twice.
    pub(super) fn of(&mut self, members: &Members<'_>, make: impl FnOnce() -> T) -> Option<&T> {
        let is_of = |names: &[String]| names.len() == members.len() && names.iter().zip(members).all(|(name, (member, _))| name == member);
        let is_last = self.known.get(self.last).is_some_and(|layout| is_of(&layout.names));
        if !is_last {
            match self.known.iter().position(|layout| is_of(&layout.names)) {
                Some(place) => self.last = place,
                None => self.add(members, make)?,
            }
        }
        self.known.get(self.last).map(|layout| &layout.made)
    }

    fn add(&mut self, members: &Members<'_>, make: impl FnOnce() -> T) -> Option<()> {
        let names: Vec<String> = members.iter().map(|(name, _)| name.to_string()).collect();
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        if self.known.len() == KEPT {
            self.known.clear();
        }
        self.last = self.known.len();
        self.known.push(Layout {
            are_plain: names.iter().all(|name| is_plain_text(name)),
            names,
            made: make(),
        });
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::json::tree::Json;
    use std::borrow::Cow;

    #[test]
    fn names_in_their_order_are_known_again() {
        let members = |names: &[&'static str]| names.iter().map(|name| (Cow::Borrowed(*name), Json::Null)).collect::<Members<'_>>();
        let mut layouts = Layouts::default();
        let mut made = 0;
        for (names, want) in [
            (&["a", "b"][..], Some(1)),
            (&["a", "b"], Some(1)),
            (&["b", "a"], Some(2)),
            (&["a"], Some(3)),
            (&[], Some(4)),
            (&["a", "b"], Some(1)),
            (&["a", "b", "a"], None),
            (&["b", "a"], Some(2)),
        ] {
            let found = layouts.of(&members(names), || {
                made += 1;
                made
            });
            assert_eq!(found.copied(), want, "{names:?}");
        }
        let many: Vec<&'static str> = (0..200).map(|number| &*format!("f{number}").leak()).collect();
        for (number, name) in many.iter().enumerate() {
            assert_eq!(layouts.of(&members(&[name]), || 100 + number), Some(&(100 + number)));
        }
        assert!(layouts.known.len() <= KEPT);
    }
}
