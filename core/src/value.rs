//! Values: their types, how they compare, sort, print and how text becomes one.

mod array;
mod calendar;
mod cell;
mod compact;
mod convert;
mod double;
mod form;
mod guess;
mod inside;
mod mixed;
mod number;
mod order;
mod parse;
mod print;
#[cfg(test)]
mod samples;
mod sort_key;
mod sql_form;
mod stored;
mod tolerance;
mod types;
mod widen;

pub use array::{is_storage, value_at};
pub use calendar::{DAY_NS, Day, Reading, SECOND_NS, read_timestamp};
pub use cell::{Decimal, Value};
pub(crate) use compact::laid_out;
pub use compact::{decimal_in_64_bits, fixed_form, in_fixed_form, is_compact, is_compact_form};
pub use convert::convert;
pub(crate) use double::{exact, exact_there};
pub use form::{DateForm, TextForm};
pub use guess::{Guess, TextKind};
pub use inside::{alike, holds_values, members_inside, only_inside, without};
pub use number::Number;
pub(crate) use number::{Numeral, Significant, binary_parts};
pub(crate) use order::as_double;
pub use order::{equal, order, place_ns};
pub use parse::{BadValue, parse_into};
pub use print::{print, print_in};
pub use sort_key::{sort_key, sort_key_in};
pub use sql_form::for_sql;
pub(crate) use stored::{read_bytes, read_text, write_bytes};
pub use stored::{read_value, write_value};
pub use tolerance::{ScaledTolerance, Tolerance, doubles_within, within};
pub use types::{INSTANT, MAX_DIGITS, TimeUnit, ValueType};
pub use widen::{Common, common, compares_by_value, unify};
