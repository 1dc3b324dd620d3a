//! The policies that ship with the suite, until the jurisdiction publishes its own.

use super::policy::Document;

const DOCUMENTS: [(&str, &str); 7] = [
    ("baseline.yaml", include_str!("../../data/baseline.yaml")),
    ("licensing.yaml", include_str!("../../data/licensing.yaml")),
    ("finance.yaml", include_str!("../../data/finance.yaml")),
    ("enforcement.yaml", include_str!("../../data/enforcement.yaml")),
    ("procurement.yaml", include_str!("../../data/procurement.yaml")),
    ("subsidies.yaml", include_str!("../../data/subsidies.yaml")),
    ("awards.yaml", include_str!("../../data/awards.yaml")),
];

pub fn documents() -> Vec<Document> {
    let document = |(name, text): (&str, &str)| Document {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    DOCUMENTS.into_iter().map(document).collect()
}
