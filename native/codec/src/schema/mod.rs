//! Payload validation from type tables, in one pass over the text.

pub mod format;
pub mod names;
pub mod table;
pub mod validate;

pub use table::TableError;
