//! Values of statements and rows: the four types that both engines share.

use greenstar_kernel::{Date, Revision, Timestamp, Uscc};

/// A parameter or a cell. `None` is SQL's NULL of that type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Bool(Option<bool>),
}

impl Value {
    pub(crate) fn is_null(&self) -> bool {
        matches!(
            self,
            Value::Int(None) | Value::Text(None) | Value::Bytes(None) | Value::Bool(None)
        )
    }
}

macro_rules! into_value {
    ($($from:ty => $variant:ident, |$value:ident| $to:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Value {
                Value::$variant(Some($to))
            }
        }

        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Value {
                Value::$variant(value.map(|$value| $to))
            }
        }
    )*};
}

into_value! {
    i64 => Int, |value| value;
    i32 => Int, |value| i64::from(value);
    u32 => Int, |value| i64::from(value);
    u16 => Int, |value| i64::from(value);
    u8 => Int, |value| i64::from(value);
    bool => Bool, |value| value;
    String => Text, |value| value;
    &String => Text, |value| value.clone();
    &str => Text, |value| value.to_owned();
    Vec<u8> => Bytes, |value| value;
    Timestamp => Int, |value| value.micros();
    // A log never grows that far: one change a nanosecond lasts 292 years.
    Revision => Int, |value| i64::try_from(value.0).unwrap_or(i64::MAX);
    Date => Text, |value| value.to_string();
    Uscc => Text, |value| value.as_str().to_owned();
    &Uscc => Text, |value| value.as_str().to_owned();
}

/// A type that a cell can be read as.
pub trait Field: Sized {
    /// None: the cell does not hold one.
    fn from_value(value: &Value) -> Option<Self>;
}

impl Field for i64 {
    fn from_value(value: &Value) -> Option<i64> {
        match value {
            Value::Int(value) => *value,
            Value::Text(_) | Value::Bytes(_) | Value::Bool(_) => None,
        }
    }
}

macro_rules! narrow {
    ($($to:ty),*) => {$(
        impl Field for $to {
            fn from_value(value: &Value) -> Option<$to> {
                <$to>::try_from(i64::from_value(value)?).ok()
            }
        }
    )*};
}

narrow!(i32, u32, u16, u8);

impl Field for bool {
    /// SQLite has no such type: 0 and 1.
    fn from_value(value: &Value) -> Option<bool> {
        match value {
            Value::Bool(value) => *value,
            Value::Int(Some(0)) => Some(false),
            Value::Int(Some(1)) => Some(true),
            Value::Int(_) | Value::Text(_) | Value::Bytes(_) => None,
        }
    }
}

impl Field for String {
    fn from_value(value: &Value) -> Option<String> {
        text(value).map(str::to_owned)
    }
}

impl Field for Vec<u8> {
    fn from_value(value: &Value) -> Option<Vec<u8>> {
        match value {
            Value::Bytes(value) => value.clone(),
            Value::Int(_) | Value::Text(_) | Value::Bool(_) => None,
        }
    }
}

impl Field for Timestamp {
    fn from_value(value: &Value) -> Option<Timestamp> {
        i64::from_value(value).map(Timestamp::from_micros)
    }
}

impl Field for Revision {
    fn from_value(value: &Value) -> Option<Revision> {
        u64::try_from(i64::from_value(value)?).ok().map(Revision)
    }
}

impl Field for Date {
    fn from_value(value: &Value) -> Option<Date> {
        text(value)?.parse().ok()
    }
}

impl Field for Uscc {
    fn from_value(value: &Value) -> Option<Uscc> {
        text(value)?.parse().ok()
    }
}

impl<T: Field> Field for Option<T> {
    fn from_value(value: &Value) -> Option<Option<T>> {
        if value.is_null() {
            Some(None)
        } else {
            T::from_value(value).map(Some)
        }
    }
}

pub(crate) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(value) => value.as_deref(),
        Value::Int(_) | Value::Bytes(_) | Value::Bool(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_does_not_fit_its_type_is_none_and_never_a_default() {
        assert_eq!(u8::from_value(&Value::Int(Some(256))), None);
        assert_eq!(u32::from_value(&Value::Int(Some(-1))), None);
        assert_eq!(bool::from_value(&Value::Int(Some(2))), None);
        assert_eq!(i64::from_value(&Value::Int(None)), None);
        assert_eq!(Uscc::from_value(&Value::from("91110115MA01ABCDE")), None);
        assert_eq!(Option::<u8>::from_value(&Value::Int(Some(300))), None);
        assert_eq!(Option::<u8>::from_value(&Value::Int(None)), Some(None));
    }
}
