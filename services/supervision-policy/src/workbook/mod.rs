//! A policy document as a workbook, and back.

mod places;

pub(crate) use places::Places;
