//! What the analysis has to say.

use greenstar_kernel::LocalizedText;

/// One finding about a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: FindingKind,
    pub text: LocalizedText,
    /// Where in the document, e.g. `table.rows[3]`.
    pub place: String,
    /// From 1; 0 is the default row.
    pub rows: Vec<usize>,
    /// Facts in the form of a case: column → value.
    pub counterexample: Example,
    /// The same with the better standing, or without the further flag.
    pub compared_with: Example,
    /// Measure or case that is meant; empty where none is.
    pub subject: String,
}

/// Facts as a case has them.
pub type Example = Vec<(String, String)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// Something besides the table cannot be read.
    Malformed,
    /// The tables are too intricate to be analysed.
    Intricate,
    /// P8 is broken.
    Unfair,
    /// P8 is broken, and the document says why.
    Declared,
    /// The law never carries what a row asks for.
    BeyondLaw,
    /// Another department's answers would change.
    Interference,
    CaseFailed,
    /// A row that decides no case.
    Uncovered,
}

impl FindingKind {
    /// False: a remark, with which a policy may be published.
    pub fn is_fault(self) -> bool {
        match self {
            FindingKind::Malformed
            | FindingKind::Intricate
            | FindingKind::Unfair
            | FindingKind::BeyondLaw
            | FindingKind::Interference
            | FindingKind::CaseFailed => true,
            FindingKind::Declared | FindingKind::Uncovered => false,
        }
    }
}

impl Finding {
    pub(super) fn new(kind: FindingKind, zh: String, en: String) -> Finding {
        Finding {
            kind,
            text: LocalizedText::new(zh, en),
            place: "table".to_owned(),
            rows: Vec::new(),
            counterexample: Vec::new(),
            compared_with: Vec::new(),
            subject: String::new(),
        }
    }
}

/// `state: VETOED, flags: []`
pub(super) fn shown(example: &Example) -> String {
    let facts: Vec<String> = example
        .iter()
        .map(|(column, value)| format!("{column}: {value}"))
        .collect();
    facts.join(", ")
}
