//! What measuring is made of, apart from what is measured: load, sinks that count, medians with their A/A pairs, lines of a table, and earlier
//! runs. The program beside it has the rows.

pub mod figures;
pub mod history;
pub mod line;
pub mod load;
pub mod sinks;
