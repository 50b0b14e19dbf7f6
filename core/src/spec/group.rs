//! What a mapping of a spec may hold: the fields that it knows, and the shapes of their values.

/// A mapping with known fields.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) fields: &'static [Field],
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) required: bool,
    pub(super) about: &'static str,
}

/// What may stand as the value of a field.
#[derive(Debug)]
pub(super) enum Shape {
    Text,
    /// Any scalar, read as the text it is written with.
    Value,
    Sql,
    Flag,
    Count,
    /// A count or a percentage.
    Limit,
    /// A decimal that is not negative, or a percentage.
    Tolerance,
    Duration,
    Day,
    /// One ASCII character.
    Character,
    /// A column type.
    Type,
    Word(fn() -> Vec<&'static str>),
    List(&'static Shape),
    /// A list with at least one element.
    Filled(&'static Shape),
    /// Any name to a value.
    Map(&'static Shape),
    Group(&'static Group),
    /// `{live: …, shadow: …}`.
    Sides(&'static Shape),
    AnyOf(&'static [Shape]),
}

impl Group {
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|field| field.name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }
}

/// The words that a field takes, with what they mean.
pub(super) type Words<T> = &'static [(&'static str, T)];

pub(super) fn names<T>(words: Words<T>) -> Vec<&'static str> {
    words.iter().map(|(name, _)| *name).collect()
}

/// Writes a table of fields down: what the mapping is for stands above it, and what each field means above the field.
macro_rules! group {
    (
        $(#[doc = $about:literal])+
        $visibility:vis static $group:ident = $name:literal {
            $($(#[doc = $meaning:literal])+ $($required:ident)? $field:literal: $shape:expr,)+
        }
    ) => {
        $visibility static $group: $crate::spec::group::Group = $crate::spec::group::Group {
            name: $name,
            about: concat!($($about),+).trim_ascii_start(),
            fields: &[$($crate::spec::group::Field {
                name: $field,
                shape: $shape,
                required: group!(@ $($required)?),
                about: concat!($($meaning),+).trim_ascii_start(),
            }),+],
        };
    };
    (@ required) => { true };
    (@) => { false };
}
pub(super) use group;

/// A text, or several.
pub(super) const NAMES: Shape = Shape::AnyOf(&[Shape::Text, Shape::Filled(&Shape::Text)]);
