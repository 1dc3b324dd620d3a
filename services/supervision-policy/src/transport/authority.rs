//! By what right a department asks about a firm: the firm's consent, or a law. It is recorded with the decision.

use greenstar_kernel::Date;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::authority::Kind;
use tonic::Status;

use super::status;

/// One that can be read. Whether it holds depends on the day.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    /// As it is recorded.
    wire: pb::Authority,
    /// Of a consent.
    last_day: Option<Date>,
}

impl Authority {
    /// What a request names; `None`: nothing.
    ///
    /// Errors: INVALID_ARGUMENT AUTHORITY_INVALID for a last day or a hash that is none, and for blanks in the place
    /// of a document or a law.
    pub(super) fn read(given: Option<pb::Authority>) -> Result<Option<Authority>, Status> {
        let Some(mut wire) = given else { return Ok(None) };
        let last_day = match &mut wire.kind {
            Some(Kind::Consent(consent)) => {
                let until = consent.valid_until.as_str();
                let last_day: Date = until.parse().map_err(|_| status::consent_day(until))?;
                let hash = &mut consent.document_hash;
                let is_hash = hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
                if !hash.is_empty() && !is_hash {
                    return Err(status::consent_hash(until));
                }
                hash.make_ascii_lowercase();
                if consent.document_number.trim().is_empty() {
                    return Err(status::authority_blank("consent.document_number", until));
                }
                Some(last_day)
            }
            Some(Kind::Statutory(law)) => {
                if law.citation.trim().is_empty() {
                    return Err(status::authority_blank("statutory.citation", ""));
                }
                None
            }
            None => return Err(status::authority_blank("kind", "")),
        };
        Ok(Some(Authority { wire, last_day }))
    }

    /// A consent holds through its last day.
    ///
    /// Errors: INVALID_ARGUMENT AUTHORITY_INVALID when it has ended.
    pub(super) fn holds_on(&self, today: Date) -> Result<(), Status> {
        match self.last_day {
            Some(last) if last < today => Err(status::consent_ended(last)),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn wire(&self) -> &pb::Authority {
        &self.wire
    }
}

#[cfg(test)]
mod tests {
    use greenstar_rpc::reason_of;

    use super::*;

    fn consent(number: &str, hash: &str, until: &str) -> pb::Authority {
        pb::Authority {
            kind: Some(Kind::Consent(pb::Consent {
                document_number: number.to_owned(),
                document_hash: hash.to_owned(),
                valid_until: until.to_owned(),
            })),
        }
    }

    #[test]
    fn a_consent_holds_through_its_last_day_and_no_longer() {
        let read = Authority::read(Some(consent("授权 7", &"aB".repeat(32), "2026-05-10"))).unwrap();
        let authority = read.unwrap();
        assert!(authority.holds_on("2026-05-10".parse().unwrap()).is_ok());
        let ended = authority.holds_on("2026-05-11".parse().unwrap()).unwrap_err();
        assert_eq!(reason_of(&ended).as_deref(), Some("AUTHORITY_INVALID"));
        let Some(Kind::Consent(consent)) = &authority.wire().kind else {
            panic!("a consent")
        };
        assert_eq!(consent.document_hash, "ab".repeat(32));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let citation = " \u{3000}".to_owned();
        let blank = pb::Authority {
            kind: Some(Kind::Statutory(pb::StatutoryBasis { citation })),
        };
        for bad in [
            consent("7", "", "2026-02-30"),
            consent("7", "", "10/05/2026"),
            consent("7", &"a".repeat(63), "2026-05-10"),
            consent("7", &"g".repeat(64), "2026-05-10"),
            consent("  ", "", "2026-05-10"),
            blank,
            pb::Authority { kind: None },
        ] {
            let refused = Authority::read(Some(bad.clone())).unwrap_err();
            assert_eq!(
                reason_of(&refused).as_deref(),
                Some("AUTHORITY_INVALID"),
                "{bad:?}"
            );
        }
        assert!(Authority::read(None).unwrap().is_none());
    }
}
