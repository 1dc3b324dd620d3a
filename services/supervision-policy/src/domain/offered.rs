//! What a table may test, for those who write one.

use greenstar_kernel::LocalizedText;
use greenstar_tables::Column;

use super::catalogue::Catalogue;
use super::columns::FactColumn;

/// The facts' columns with their titles, as a catalogue declares them.
pub(crate) fn fact_columns(catalogue: &Catalogue) -> Vec<(Column, LocalizedText)> {
    let columns = FactColumn::ALL.iter();
    columns
        .map(|fact| (fact.declare(catalogue), fact.title()))
        .collect()
}

/// Their names, which no catalogue changes.
pub(crate) fn fact_names() -> impl Iterator<Item = &'static str> {
    FactColumn::ALL.iter().map(|fact| fact.name())
}
