//! Pages of a list (AIP-158). A token remembers the last key and which query it belongs to.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use greenstar_kernel::LocalizedText;
use greenstar_proto::common::v1::ErrorReason;
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};

use crate::status;

/// Without a size.
pub const DEFAULT: usize = 50;
/// More is never given, whatever is asked.
pub const MOST: usize = 1000;

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many entries.
    pub size: usize,
    /// Only entries behind this key; None is the start.
    pub after: Option<String>,
}

/// Reads `page_size` and `page_token`. `query` is everything else that decides what is listed: the method's name, the
/// parent, the filter, the order.
///
/// Errors: INVALID_ARGUMENT FIELD_INVALID (negative size), PAGE_TOKEN_INVALID (not ours, or of another query).
pub fn page(size: i32, token: &str, query: &[&str]) -> Result<Page, Status> {
    let size = match usize::try_from(size) {
        Ok(0) => DEFAULT,
        Ok(size) => size.min(MOST),
        Err(_) => {
            let said = LocalizedText::new("page_size 不得为负数", "page_size must not be negative");
            return Err(status::field("page_size", ErrorReason::FieldInvalid, &said, &[]));
        }
    };
    if token.is_empty() {
        return Ok(Page { size, after: None });
    }
    match after(token, query) {
        Some(after) => Ok(Page {
            size,
            after: Some(after),
        }),
        None => {
            let said = LocalizedText::new(
                "page_token 无效或属于另一个查询：请从第一页重新开始",
                "the page token is not one of ours, or belongs to another query: start at the first page",
            );
            Err(status::status(
                Code::InvalidArgument,
                ErrorReason::PageTokenInvalid,
                &said,
                &[],
            ))
        }
    }
}

/// The token for what comes behind the key `last`.
pub fn next_token(query: &[&str], last: &str) -> String {
    let mut plain = bound_to(query).to_vec();
    plain.extend_from_slice(last.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(plain)
}

fn after(token: &str, query: &[&str]) -> Option<String> {
    let plain = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let (mark, last) = plain.split_at_checked(MARK)?;
    (mark == bound_to(query)).then_some(())?;
    String::from_utf8(last.to_vec()).ok()
}

const MARK: usize = 8;

/// Parts are length-prefixed, so that no two queries write the same bytes.
fn bound_to(query: &[&str]) -> [u8; MARK] {
    let mut hash = Sha256::new();
    for part in query {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut mark = [0; MARK];
    mark.copy_from_slice(&hash.finalize()[..MARK]);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::reason_of;
    use proptest::prelude::*;

    #[test]
    fn sizes_have_a_default_and_a_bound() {
        assert_eq!(page(0, "", &[]).unwrap().size, 50);
        assert_eq!(page(5000, "", &[]).unwrap().size, 1000);
        assert_eq!(
            reason_of(&page(-1, "", &[]).unwrap_err()).unwrap(),
            "FIELD_INVALID"
        );
    }

    #[test]
    fn a_token_of_another_query_is_refused() {
        let token = next_token(&["ListDirectory", "star=5"], "key");
        assert_eq!(
            page(0, &token, &["ListDirectory", "star=5"])
                .unwrap()
                .after
                .as_deref(),
            Some("key")
        );
        for query in [
            &["ListDirectory", "star=4"][..],
            &["ListDirectorystar=5"],
            &["ListDirectory", "star=", "5"],
        ] {
            assert_eq!(
                reason_of(&page(0, &token, query).unwrap_err()).unwrap(),
                "PAGE_TOKEN_INVALID"
            );
        }
    }

    proptest! {
        #[test]
        fn any_token_is_read_or_refused(token in "\\PC{0,60}") {
            let _ = page(0, &token, &["q"]);
        }

        #[test]
        fn keys_round_trip(key in "\\PC{0,40}") {
            prop_assert_eq!(page(1, &next_token(&["q"], &key), &["q"]).unwrap().after, Some(key));
        }
    }
}
