//! A column of a generated pair.

use crate::cell::Type;
use shadowdiff_core::side::Sides;

/// A column before it is put on the sides.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) types: Sides<Type>,
    pub(crate) is_key: bool,
    pub(crate) excluded: bool,
    pub(crate) present: Sides<bool>,
    /// The name in the shadow files.
    pub(crate) shadow_name: String,
}

impl Column {
    pub(crate) fn is_compared(&self) -> bool {
        !self.excluded && self.present.live && self.present.shadow
    }

    /// Integers on both sides and a name that SQL takes unquoted.
    pub(crate) fn is_plain_int(&self) -> bool {
        let int = |t: &Type| matches!(t, Type::Int { .. });
        self.is_compared()
            && int(&self.types.live)
            && int(&self.types.shadow)
            && self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    }
}
