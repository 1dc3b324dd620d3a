//! Text for people, in both languages of the house.

use serde::{Deserialize, Serialize};

/// Both languages, always: an officer reads one, an auditor the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalizedText {
    pub zh: String,
    pub en: String,
}

impl LocalizedText {
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> LocalizedText {
        LocalizedText {
            zh: zh.into(),
            en: en.into(),
        }
    }
}

/// What an error says to a person: public, in both languages, with the next step.
pub trait Said {
    fn said(&self) -> LocalizedText;
}
