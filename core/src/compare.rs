//! How two values of a column are held against each other.

pub mod diagnose;
pub mod json;
mod kernel;
mod lists;
pub mod text;

pub use diagnose::{diagnose, swapped_with};
pub use kernel::{Kernel, Nearness, has_delta};
