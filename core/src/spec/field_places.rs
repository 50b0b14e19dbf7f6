//! Where the fields of a spec stand: mistakes that show when it meets the data are printed with line and character like all others.

use super::document::{Content, Node};
use super::mistakes::{element, located, member};
use crate::error::{Error, Kind};

/// The document of a spec, kept to look up where a field of it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPlaces {
    file: String,
    root: Node,
}

impl FieldPlaces {
    pub(super) fn of(root: Node, file: &str) -> Self {
        FieldPlaces {
            file: file.to_owned(),
            root,
        }
    }

    /// The same error, each mistake about a field of the spec with the place of that.
    pub fn locate(&self, mut error: Error) -> Error {
        let others = std::mem::take(&mut error.others);
        others
            .into_iter()
            .map(|other| self.located(other))
            .fold(self.located(error), Error::and)
    }

    fn located(&self, error: Error) -> Error {
        let (Kind::Spec, None, Some(field)) = (error.kind, &error.place.file, error.place.field.clone()) else {
            return error;
        };
        let Some(node) = find(&self.root, &field) else { return error };
        let of_side = error.place.side.and_then(|side| find(node, side.name()));
        located(error, &self.file, of_side.unwrap_or(node).at, &field)
    }
}

/// The value at a path below a node, or else the last one on the way there that the document has.
fn find<'a>(from: &'a Node, path: &str) -> Option<&'a Node> {
    let leads = |way: &str| {
        path.strip_prefix(way)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let (mut node, mut way) = (from, String::new());
    let mut found = None;
    while way != path {
        let next = match &node.content {
            Content::Scalar { .. } => None,
            Content::List(items) => {
                let mut items = items.iter().enumerate().map(|(at, item)| (element(&way, at), item));
                items.find(|(way, _)| leads(way))
            }
            Content::Mapping(entries) => {
                let mut entries = entries.iter().map(|entry| (member(&way, &entry.key), &entry.value));
                entries.find(|(way, _)| leads(way))
            }
        };
        let Some((further, below)) = next else { break };
        (node, way, found) = (below, further, Some(below));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::Side;
    use crate::spec::{Overrides, parse};

    #[test]
    fn a_mistake_about_a_field_is_printed_with_its_place() {
        let text = "live: a/\nshadow: b/\naccount: id\nwhere: \"a >\"\ncolumns:\n  derive:\n    x y: {live: id, shadow: b\n      + 1}\nexpected: [{name: r, columns: [a]}]\n";
        let places = parse(text, "s.yaml", &Overrides::default()).expect("a spec of the test").places;
        let what = || Error::spec("`a`: no");
        for (error, printed) in [
            (what().field("where").side(Side::Live), "s.yaml:4:8: where (live): `a`: no"),
            (
                what().field("columns.derive.\"x y\"").side(Side::Live),
                "s.yaml:7:17: columns.derive.\"x y\" (live): `a`: no",
            ),
            (
                what().field("columns.derive.\"x y\"").side(Side::Shadow),
                "s.yaml:7:29: columns.derive.\"x y\" (shadow): `a`: no",
            ),
            (what().field("expected[0].columns"), "s.yaml:9:31: expected[0].columns: `a`: no"),
            (
                what().field("expected[0].columns[7]"),
                "s.yaml:9:31: expected[0].columns[7]: `a`: no",
            ),
            (what().field("key"), "key: `a`: no"),
            (what(), "`a`: no"),
            (Error::input("no").field("where"), "where: no"),
            (what().and(what().field("where")), "`a`: no\ns.yaml:4:8: where: `a`: no"),
        ] {
            assert_eq!(places.locate(error).to_string(), printed);
        }
    }
}
