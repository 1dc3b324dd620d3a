//! Resource names of the contracts, read at the edge.

use greenstar_kernel::{Code, Department, LocalizedText, MalformedUscc, Uscc};
use greenstar_proto::common::v1::ErrorReason;
use tonic::Status;

use crate::status;

/// `enterprises/{uscc}`. `field` names the field for the caller.
///
/// Errors: INVALID_ARGUMENT NAME_MALFORMED, USCC_MALFORMED.
pub fn enterprise(field: &str, raw: &str) -> Result<Uscc, Status> {
    let [code] = segments(field, raw, "enterprises/{uscc}", ["enterprises"])?;
    uscc(field, code)
}

/// `enterprises/{uscc}`, or None for `enterprises/-`: all of them (AIP-159).
///
/// Errors: INVALID_ARGUMENT NAME_MALFORMED, USCC_MALFORMED.
pub fn enterprise_or_all(field: &str, raw: &str) -> Result<Option<Uscc>, Status> {
    if raw == "enterprises/-" {
        Ok(None)
    } else {
        enterprise(field, raw).map(Some)
    }
}

/// `enterprises/{uscc}/{part}`, e.g. `part` = `rating`.
///
/// Errors: INVALID_ARGUMENT NAME_MALFORMED, USCC_MALFORMED.
pub fn enterprise_part(field: &str, raw: &str, part: &str) -> Result<Uscc, Status> {
    let expected = format!("enterprises/{{uscc}}/{part}");
    match raw.rsplit_once('/') {
        Some((name, last)) if last == part => {
            let [code] = segments(field, name, &expected, ["enterprises"])?;
            uscc(field, code)
        }
        Some(_) | None => Err(malformed(field, raw, &expected)),
    }
}

/// `enterprises/{uscc}/{collection}/{id}`, e.g. `collection` = `flags`.
///
/// Errors: INVALID_ARGUMENT NAME_MALFORMED, USCC_MALFORMED.
pub fn of_enterprise<'a>(field: &str, raw: &'a str, collection: &str) -> Result<(Uscc, &'a str), Status> {
    let expected = format!("enterprises/{{uscc}}/{collection}/{{id}}");
    let [code, id] = segments(field, raw, &expected, ["enterprises", collection])?;
    Ok((uscc(field, code)?, id))
}

/// `{collection}/{id}`, e.g. `rounds/{round}`.
///
/// Errors: INVALID_ARGUMENT NAME_MALFORMED.
pub fn single<'a>(field: &str, raw: &'a str, collection: &str) -> Result<&'a str, Status> {
    let expected = format!("{collection}/{{id}}");
    let [id] = segments(field, raw, &expected, [collection])?;
    Ok(id)
}

/// `{outer}/{id}/{inner}/{id}`, e.g. `schemes/{scheme}/versions/{version}`.
///
/// Errors: INVALID_ARGUMENT NAME_MALFORMED.
pub fn nested<'a>(field: &str, raw: &'a str, outer: &str, inner: &str) -> Result<(&'a str, &'a str), Status> {
    let expected = format!("{outer}/{{id}}/{inner}/{{id}}");
    let [first, second] = segments(field, raw, &expected, [outer, inner])?;
    Ok((first, second))
}

/// `departments/{department}/matters/{matter}`.
///
/// Errors: INVALID_ARGUMENT NAME_MALFORMED.
pub fn matter(field: &str, raw: &str) -> Result<(Department, Code), Status> {
    let (department, matter) = nested(field, raw, "departments", "matters")?;
    match (Department::parse(department), Code::parse(matter)) {
        (Ok(department), Ok(matter)) => Ok((department, matter)),
        (Err(_), _) | (_, Err(_)) => Err(malformed(field, raw, "departments/{department}/matters/{matter}")),
    }
}

/// A bare code.
///
/// Errors: INVALID_ARGUMENT USCC_MALFORMED, with a suggestion for a letter that was probably a digit.
pub fn uscc(field: &str, raw: &str) -> Result<Uscc, Status> {
    raw.parse().map_err(|error: MalformedUscc| {
        let mut metadata = vec![("value", raw.to_owned())];
        let (zh, en) = match &error {
            MalformedUscc::Length(length) => (
                format!("统一社会信用代码应为 18 位，实为 {length} 位，请核对"),
                format!("an enterprise code has 18 characters, this one {length}: check it"),
            ),
            MalformedUscc::Alphabet {
                found,
                position,
                suggestion,
            } => {
                metadata.push(("position", position.to_string()));
                match suggestion {
                    Some(meant) => {
                        metadata.push(("suggestion", meant.to_string()));
                        (
                            format!("统一社会信用代码第 {position} 位不应为 {found}，是否应为 {meant}？"),
                            format!(
                                "an enterprise code has no {found} (position {position}); was {meant} meant?"
                            ),
                        )
                    }
                    None => (
                        format!("统一社会信用代码第 {position} 位不应为 {found}，请核对"),
                        format!("an enterprise code has no {found} (position {position}): check it"),
                    ),
                }
            }
            MalformedUscc::Checks => (
                "统一社会信用代码校验不通过，请核对".to_owned(),
                "the enterprise code's check characters do not match: check it".to_owned(),
            ),
        };
        status::field(
            field,
            ErrorReason::UsccMalformed,
            &LocalizedText::new(zh, en),
            &metadata,
        )
    })
}

/// A name that has another form than `expected`.
pub fn malformed(field: &str, raw: &str, expected: &str) -> Status {
    status::field(
        field,
        ErrorReason::NameMalformed,
        &LocalizedText::new(
            format!("{field} 的名称格式应为 {expected}"),
            format!("{field} must have the form {expected}"),
        ),
        &[("expected", expected.to_owned()), ("value", raw.to_owned())],
    )
}

/// The ids of `a/{id}/b/{id}…`. An id is 1 to 100 characters without `/`, spaces and control characters.
fn segments<'a, const N: usize>(
    field: &str,
    raw: &'a str,
    expected: &str,
    collections: [&str; N],
) -> Result<[&'a str; N], Status> {
    let mut ids = [""; N];
    let mut parts = raw.split('/');
    for (collection, slot) in collections.iter().zip(&mut ids) {
        match (parts.next(), parts.next()) {
            (Some(name), Some(id)) if name == *collection && is_id(id) => *slot = id,
            _ => return Err(malformed(field, raw, expected)),
        }
    }
    match parts.next() {
        Some(_) => Err(malformed(field, raw, expected)),
        None => Ok(ids),
    }
}

fn is_id(raw: &str) -> bool {
    !raw.is_empty()
        && raw.chars().count() <= 100
        && !raw.chars().any(|one| one.is_whitespace() || one.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::reason_of;
    use proptest::prelude::*;
    use tonic_types::StatusExt as _;

    const CODE: &str = "91440300192317458F";

    #[test]
    fn names_are_read() {
        assert_eq!(
            enterprise("name", &format!("enterprises/{CODE}"))
                .unwrap()
                .as_str(),
            CODE
        );
        assert_eq!(
            enterprise_part("name", &format!("enterprises/{CODE}/rating"), "rating")
                .unwrap()
                .as_str(),
            CODE
        );
        assert_eq!(
            of_enterprise("name", &format!("enterprises/{CODE}/flags/f1"), "flags")
                .unwrap()
                .1,
            "f1"
        );
        assert_eq!(
            single("round", "rounds/daxing-2021-sample", "rounds").unwrap(),
            "daxing-2021-sample"
        );
        assert_eq!(
            matter("matter", "departments/finance/matters/green-loan")
                .unwrap()
                .1
                .as_str(),
            "green-loan"
        );
    }

    #[test]
    fn a_confusable_letter_is_suggested_in_the_metadata() {
        let status = enterprise("enterprise", "enterprises/9144030O192317458F").unwrap_err();
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.reason, "USCC_MALFORMED");
        assert_eq!(
            (
                info.metadata["position"].as_str(),
                info.metadata["suggestion"].as_str()
            ),
            ("8", "0")
        );
        assert_eq!(info.metadata["field"], "enterprise");
    }

    #[test]
    fn other_forms_are_refused_with_the_right_one() {
        for raw in [
            "",
            "enterprises",
            "enterprises/",
            "rounds/x",
            "/enterprises/91440300192317458F",
            "enterprises/a/b/c",
        ] {
            assert_eq!(
                reason_of(&enterprise("name", raw).unwrap_err()).unwrap(),
                "NAME_MALFORMED",
                "{raw}"
            );
        }
        assert_eq!(
            reason_of(&matter("matter", "departments/A B/matters/x").unwrap_err()).unwrap(),
            "NAME_MALFORMED"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_name_or_refused(raw in "\\PC{0,60}") {
            let _ = (enterprise("f", &raw), of_enterprise("f", &raw, "flags"), matter("f", &raw), enterprise_part("f", &raw, "rating"));
        }
    }
}
