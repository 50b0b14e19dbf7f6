//! Enums whose variants are words: in a spec, in a result, in what is shown.

/// Declares an enum with the word of each variant: `name` gives it, `ALL` and `WORDS` list the variants in their order.
macro_rules! words {
    (
        $(#[$about:meta])*
        $visibility:vis enum $type:ident {
            $($(#[$meaning:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$about])*
        $visibility enum $type {
            $($(#[$meaning])* $variant,)+
        }

        impl $type {
            pub const ALL: [$type; [$($word),+].len()] = [$($type::$variant),+];
            pub const WORDS: &'static [(&'static str, $type)] = &[$(($word, $type::$variant)),+];

            pub const fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $word,)+
                }
            }
        }
    };
}
pub(crate) use words;
