//! Builders for the statements whose length varies: lists, keys, inserts, upserts.

use std::fmt::Write as _;
use std::ops::Range;

/// SQLite takes 32,766 parameters in a statement and PostgreSQL 65,535; the longer a statement, the less it gains.
pub(crate) const MAX_PARAMETERS: usize = 512;

/// `(?, ?, …)`. SQLite's parameters are plain: each `$n` is a name to it, found by comparing names one after another, so
/// that a statement would cost by the square of its parameters.
fn tuple(out: &mut String, width: usize) {
    out.push('(');
    for offset in 0..width {
        out.push_str(if offset == 0 { "?" } else { ", ?" });
    }
    out.push(')');
}

/// `{before} IN (?, …) {after}`, for SQLite.
pub(crate) fn in_list(before: &str, count: usize, after: &str) -> String {
    let mut sql = format!("{before} IN ");
    tuple(&mut sql, count);
    // A text has room.
    let _ = write!(sql, " {after}");
    sql
}

/// `{before} = ANY ($1::{type}) {after}`, for PostgreSQL: one text, whatever the length of the list.
pub(crate) fn in_array(before: &str, of_type: &str, after: &str) -> String {
    format!("{before} = ANY ($1::{of_type}) {after}")
}

/// `(VALUES (?, …), …)`, for SQLite.
fn values(count: usize, width: usize) -> String {
    let mut sql = "(VALUES ".to_owned();
    for row in 0..count {
        if row > 0 {
            sql.push_str(", ");
        }
        tuple(&mut sql, width);
    }
    sql.push(')');
    sql
}

/// `$first::{type}, …`
fn arrays(first: usize, types: &[&str]) -> String {
    let arrays: Vec<String> = (first..)
        .zip(types)
        .map(|(number, of_type)| format!("${number}::{of_type}"))
        .collect();
    arrays.join(", ")
}

/// Reads `columns` of the rows of `table` whose `keys` have values of one of `count` tuples, for SQLite. The tuples are
/// what it goes by: `IN (VALUES …)` of several columns would read the whole table.
pub(crate) fn by_values(table: &str, columns: &str, keys: &[&str], count: usize) -> String {
    let (values, keys) = (values(count, keys.len()), same(keys));
    format!("SELECT {columns} FROM {values} AS wanted CROSS JOIN {table} ON {keys}")
}

/// As [`by_values`], for PostgreSQL. The limit keeps the tuples what it goes by: a plan that was made when the table was
/// small is kept, and would read it whole when it no longer is.
pub(crate) fn by_arrays(table: &str, columns: &str, keys: &[&str], types: &[&str]) -> String {
    let (arrays, equal) = (arrays(1, types), same(keys));
    let names: Vec<String> = (1..=keys.len()).map(|number| format!("column{number}")).collect();
    let names = names.join(", ");
    format!(
        "SELECT found.* FROM UNNEST({arrays}) AS wanted ({names}) \
         CROSS JOIN LATERAL (SELECT {columns} FROM {table} WHERE {equal} LIMIT 1) AS found"
    )
}

fn same(keys: &[&str]) -> String {
    let equal: Vec<String> = (1..)
        .zip(keys)
        .map(|(number, key)| format!("{key} = wanted.column{number}"))
        .collect();
    equal.join(" AND ")
}

/// Inserts as many of `count` rows as its last parameter says, for SQLite: few texts serve any number of rows. A limit that
/// is a parameter and nothing else would be planned for, so that each other value prepares the statement anew.
pub(crate) fn insert_padded(table: &str, columns: &[String], count: usize, conflict: &str) -> String {
    let (values, columns) = (values(count, columns.len()), columns.join(", "));
    format!("INSERT INTO {table} ({columns}) SELECT * FROM {values} WHERE true LIMIT ? + 0 {conflict}")
}

/// `INSERT INTO {table} ({columns}) SELECT * FROM UNNEST($first::{type}, …) {conflict}`, for PostgreSQL.
pub(crate) fn insert_arrays(
    table: &str,
    columns: &[String],
    first: usize,
    types: &[&str],
    conflict: &str,
) -> String {
    let (columns, arrays) = (columns.join(", "), arrays(first, types));
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

/// How many rows of `width` a padded insert of `rows` has room for: 1, 4, 16, …
pub(crate) fn room(rows: usize, width: usize) -> usize {
    let mut room = 1;
    while room < rows && room * 4 * width < MAX_PARAMETERS {
        room *= 4;
    }
    room
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
    fn statements_have_a_parameter_for_each_value() {
        assert_eq!(
            in_list("SELECT a FROM t WHERE a", 3, "ORDER BY a"),
            "SELECT a FROM t WHERE a IN (?, ?, ?) ORDER BY a"
        );
        assert_eq!(
            in_array("SELECT a FROM t WHERE a", "text[]", "ORDER BY a"),
            "SELECT a FROM t WHERE a = ANY ($1::text[]) ORDER BY a"
        );
        assert_eq!(
            by_values("t", "a, c", &["a", "b"], 2),
            "SELECT a, c FROM (VALUES (?, ?), (?, ?)) AS wanted \
             CROSS JOIN t ON a = wanted.column1 AND b = wanted.column2"
        );
        assert_eq!(
            by_arrays("t", "a, c", &["a", "b"], &["text[]", "bigint[]"]),
            "SELECT found.* FROM UNNEST($1::text[], $2::bigint[]) AS wanted (column1, column2) \
             CROSS JOIN LATERAL (SELECT a, c FROM t WHERE a = wanted.column1 AND b = wanted.column2 LIMIT 1) AS found"
        );
        let conflict = on_conflict_update(&["a", "b"], &["a"]);
        let columns = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            insert_padded("t", &columns, 2, &conflict),
            "INSERT INTO t (a, b) SELECT * FROM (VALUES (?, ?), (?, ?)) WHERE true LIMIT ? + 0 \
             ON CONFLICT (a) DO UPDATE SET b = excluded.b"
        );
        assert_eq!(
            insert_arrays("t", &columns, 3, &["bigint[]", "text[]"], &conflict),
            "INSERT INTO t (a, b) SELECT * FROM UNNEST($3::bigint[], $4::text[]) \
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
    fn an_insert_has_room_for_its_rows_or_as_many_as_fit() {
        assert_eq!((room(1, 7), room(2, 7), room(16, 7), room(17, 7)), (1, 4, 16, 64));
        assert_eq!((room(1_000, 7), room(1_000, 30), room(5, 600)), (64, 16, 1));
    }

    #[test]
    fn padding_stays_within_the_limit() {
        assert_eq!((padded(1), padded(3), padded(256), padded(400)), (1, 4, 256, 512));
    }
}
