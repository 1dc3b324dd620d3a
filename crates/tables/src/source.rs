//! A table as an officer writes it: plain text in YAML, not yet checked.

use std::fmt;
use std::marker::PhantomData;

use greenstar_kernel::LocalizedText;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Which of the matching rows decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HitPolicy {
    /// At most one row may hold, or all that hold agree.
    Unique,
    /// The first that holds.
    First,
    /// Those of the most severe outcome.
    Strictest,
    /// All that hold; the outcome is the most severe.
    Collect,
}

/// A table as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSource {
    pub hit: HitPolicy,
    pub rows: Vec<RowSource>,
    /// Holds where no row does; its `when` stays empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<RowSource>,
}

/// A row as written. A column that is not named is `-`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSource {
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub when: Pairs<CellText>,
    pub outcome: String,
    /// Measure code → parameter, empty where it takes none.
    #[serde(default, skip_serializing_if = "Pairs::is_empty")]
    pub measures: Pairs<Option<i64>>,
    pub reason: LocalizedText,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub basis: Vec<LocalizedText>,
}

impl TableSource {
    /// Reads one YAML document. The message names line and column.
    pub fn from_yaml(text: &str) -> Result<TableSource, String> {
        serde_yaml_ng::from_str(text).map_err(|error| error.to_string())
    }
}

/// A cell's text. `5` and `true` may be written without quotation marks; a fraction may not,
/// since YAML would make a float of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellText(pub String);

impl Serialize for CellText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CellText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = CellText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a cell: text, a whole number, true or false (put fractions and dates in quotation marks)")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<CellText, E> {
                Ok(CellText(text.to_owned()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<CellText, E> {
                Ok(CellText(value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<CellText, E> {
                Ok(CellText(value.to_string()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<CellText, E> {
                Ok(CellText(value.to_string()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// A mapping in the order of its writing, in which no key may come twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs<V>(pub Vec<(String, V)>);

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Pairs(Vec::new())
    }
}

impl<V> Pairs<V> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V: Serialize> Serialize for Pairs<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<V>, A::Error> {
                let mut pairs: Vec<(String, V)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, V>()? {
                    if pairs.iter().any(|(seen, _)| *seen == key) {
                        return Err(A::Error::custom(format!("{key:?} stands twice")));
                    }
                    pairs.push((key, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}
