//! Builders for the three statements whose length varies: lists, inserts, upserts.

use std::fmt::Write as _;
use std::ops::Range;

/// SQLite takes 32,766 parameters in a statement and PostgreSQL 65,535; the longer a statement, the less it gains.
pub(crate) const MAX_PARAMETERS: usize = 512;

/// How a statement that is built here marks its parameters, which come once each and in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    /// `$1`, as PostgreSQL wants them.
    Numbered,
    /// `?`, for SQLite: each `$n` is a name to it, found by comparing names one after another, so that a statement
    /// would cost by the square of its parameters.
    Plain,
}

/// `($1, $2, …)`, counting from `first`.
fn tuple(out: &mut String, marks: Marks, first: usize, width: usize) {
    out.push('(');
    for offset in 0..width {
        let comma = if offset == 0 { "" } else { ", " };
        // A text has room.
        let _ = match marks {
            Marks::Numbered => write!(out, "{comma}${}", first + offset),
            Marks::Plain => write!(out, "{comma}?"),
        };
    }
    out.push(')');
}

/// `{before} IN ($1, …) {after}`.
pub(crate) fn in_list(marks: Marks, before: &str, count: usize, after: &str) -> String {
    let mut sql = format!("{before} IN ");
    tuple(&mut sql, marks, 1, count);
    let _ = write!(sql, " {after}");
    sql
}

/// `{before} IN (VALUES ($1, $2), …) {after}` for keys of several columns.
pub(crate) fn in_tuples(marks: Marks, before: &str, count: usize, width: usize, after: &str) -> String {
    let mut sql = format!("{before} IN (VALUES ");
    for row in 0..count {
        if row > 0 {
            sql.push_str(", ");
        }
        tuple(&mut sql, marks, 1 + row * width, width);
    }
    let _ = write!(sql, ") {after}");
    sql
}

/// `INSERT INTO {table} ({columns}) VALUES (?, …), … {conflict}`, for SQLite.
pub(crate) fn insert(table: &str, columns: &[&str], count: usize, conflict: &str) -> String {
    let mut sql = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
    for row in 0..count {
        if row > 0 {
            sql.push_str(", ");
        }
        tuple(&mut sql, Marks::Plain, 1 + row * columns.len(), columns.len());
    }
    let _ = write!(sql, " {conflict}");
    sql
}

/// `INSERT INTO {table} ({columns}) SELECT * FROM UNNEST($1::{type}, …) {conflict}`, for PostgreSQL.
pub(crate) fn insert_arrays(table: &str, columns: &[&str], types: &[&str], conflict: &str) -> String {
    let arrays: Vec<String> = (1..)
        .zip(types)
        .map(|(number, of_type)| format!("${number}::{of_type}"))
        .collect();
    let (columns, arrays) = (columns.join(", "), arrays.join(", "));
    format!("INSERT INTO {table} ({columns}) SELECT * FROM UNNEST({arrays}) {conflict}")
}

/// `ON CONFLICT (keys) DO UPDATE SET` every other column.
pub(crate) fn on_conflict_update(columns: &[&str], keys: &[&str]) -> String {
    let rest: Vec<String> = columns
        .iter()
        .filter(|c| !keys.contains(c))
        .map(|c| format!("{c} = excluded.{c}"))
        .collect();
    let keys = keys.join(", ");
    if rest.is_empty() {
        format!("ON CONFLICT ({keys}) DO NOTHING")
    } else {
        format!("ON CONFLICT ({keys}) DO UPDATE SET {}", rest.join(", "))
    }
}

/// The length to which a list is padded with its last value, so that few texts are prepared.
pub(crate) fn padded(count: usize) -> usize {
    count.next_power_of_two().min(MAX_PARAMETERS.max(count))
}

/// Slices of `count` rows of `width` parameters that fit one statement each.
pub(crate) fn chunks(count: usize, width: usize) -> impl Iterator<Item = Range<usize>> {
    let step = (MAX_PARAMETERS / width.max(1)).max(1);
    (0..count)
        .step_by(step)
        .map(move |start| start..count.min(start + step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_number_their_parameters_through() {
        assert_eq!(
            in_list(Marks::Numbered, "SELECT a FROM t WHERE a", 3, "ORDER BY a"),
            "SELECT a FROM t WHERE a IN ($1, $2, $3) ORDER BY a"
        );
        assert_eq!(
            in_tuples(Marks::Numbered, "SELECT 1 WHERE (a, b)", 2, 2, ""),
            "SELECT 1 WHERE (a, b) IN (VALUES ($1, $2), ($3, $4)) "
        );
        let conflict = on_conflict_update(&["a", "b"], &["a"]);
        assert_eq!(
            insert("t", &["a", "b"], 2, &conflict),
            "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT (a) DO UPDATE SET b = excluded.b"
        );
        assert_eq!(
            insert_arrays("t", &["a", "b"], &["bigint[]", "text[]"], &conflict),
            "INSERT INTO t (a, b) SELECT * FROM UNNEST($1::bigint[], $2::text[]) \
             ON CONFLICT (a) DO UPDATE SET b = excluded.b"
        );
        assert_eq!(on_conflict_update(&["a"], &["a"]), "ON CONFLICT (a) DO NOTHING");
    }

    #[test]
    fn no_chunk_exceeds_the_parameter_limit_and_none_is_lost() {
        for (count, width) in [
            (0, 3),
            (1, 3),
            (10_666, 3),
            (10_667, 3),
            (100_000, 7),
            (5, 40_000),
        ] {
            let ranges: Vec<_> = chunks(count, width).collect();
            assert_eq!(ranges.iter().map(|r| r.len()).sum::<usize>(), count);
            assert!(
                ranges
                    .iter()
                    .all(|r| r.len() == 1 || r.len() * width <= MAX_PARAMETERS)
            );
        }
    }

    #[test]
    fn padding_stays_within_the_limit() {
        assert_eq!((padded(1), padded(3), padded(256), padded(400)), (1, 4, 256, 512));
    }
}
