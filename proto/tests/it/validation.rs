//! Generated validation against a slow reference that reads the same options off the descriptor at run time
//! and knows nothing of the generator: both must find the same fields, on messages made at random around
//! the rules' bounds. The rules' meaning itself is pinned by hand below.

use std::collections::BTreeSet;

use greenstar_proto::{
    FILE_DESCRIPTOR_SET, Validate, rating::v1 as rating, sanctions::v1 as sanctions,
    supervision::v1 as supervision,
};
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};

/// Fields that break a rule, by our own code. None: there are more than are reported.
type Ours = fn(&[u8]) -> Option<BTreeSet<String>>;

fn ours<M: prost::Message + Default + Validate>(bytes: &[u8]) -> Option<BTreeSet<String>> {
    match M::decode(bytes).unwrap().validate() {
        Ok(()) => Some(BTreeSet::new()),
        Err(found) if found.0.len() >= 20 => None,
        Err(found) => Some(found.0.into_iter().map(|one| one.field).collect()),
    }
}

macro_rules! requests {
    ($($name:literal => $message:ty),* $(,)?) => {
        /// What every method takes.
        const REQUESTS: &[(&str, Ours)] = &[$(($name, ours::<$message>)),*];
    };
}

requests! {
        "greenstar.rating.v1.CreateEnterpriseRequest" => rating::CreateEnterpriseRequest,
        "greenstar.rating.v1.GetEnterpriseRequest" => rating::GetEnterpriseRequest,
        "greenstar.rating.v1.ListEnterprisesRequest" => rating::ListEnterprisesRequest,
        "greenstar.rating.v1.UpdateEnterpriseRequest" => rating::UpdateEnterpriseRequest,
        "greenstar.rating.v1.GetRatingRequest" => rating::GetRatingRequest,
        "greenstar.rating.v1.BatchGetRatingsRequest" => rating::BatchGetRatingsRequest,
        "greenstar.rating.v1.ListDirectoryRequest" => rating::ListDirectoryRequest,
        "greenstar.rating.v1.GetAssessmentRequest" => rating::GetAssessmentRequest,
        "greenstar.rating.v1.RecordEventRequest" => rating::RecordEventRequest,
        "greenstar.rating.v1.ConfirmRectificationRequest" => rating::ConfirmRectificationRequest,
        "greenstar.rating.v1.RepairEventRequest" => rating::RepairEventRequest,
        "greenstar.rating.v1.ListEventsRequest" => rating::ListEventsRequest,
        "greenstar.rating.v1.WatchRatingsRequest" => rating::WatchRatingsRequest,
        "greenstar.rating.v1.SyncRatingsRequest" => rating::SyncRatingsRequest,
        "greenstar.rating.v1.AcknowledgeNoticeRequest" => rating::AcknowledgeNoticeRequest,
        "greenstar.rating.v1.ActivateSchemeRequest" => rating::ActivateSchemeRequest,
        "greenstar.rating.v1.AgreePlanRequest" => rating::AgreePlanRequest,
        "greenstar.rating.v1.AnswerHelpRequest" => rating::AnswerHelpRequest,
        "greenstar.rating.v1.AskForHelpRequest" => rating::AskForHelpRequest,
        "greenstar.rating.v1.AssignMembersRequest" => rating::AssignMembersRequest,
        "greenstar.rating.v1.BatchRecordEventsRequest" => rating::BatchRecordEventsRequest,
        "greenstar.rating.v1.ClosePlanRequest" => rating::ClosePlanRequest,
        "greenstar.rating.v1.CreateCohortRequest" => rating::CreateCohortRequest,
        "greenstar.rating.v1.CreateServiceRulesRequest" => rating::CreateServiceRulesRequest,
        "greenstar.rating.v1.CreateSnapshotRequest" => rating::CreateSnapshotRequest,
        "greenstar.rating.v1.DecideDataErrorRequest" => rating::DecideDataErrorRequest,
        "greenstar.rating.v1.DraftPlanRequest" => rating::DraftPlanRequest,
        "greenstar.rating.v1.DryRunSchemeRequest" => rating::DryRunSchemeRequest,
        "greenstar.rating.v1.FailPlanRequest" => rating::FailPlanRequest,
        "greenstar.rating.v1.GenerateServiceListRequest" => rating::GenerateServiceListRequest,
        "greenstar.rating.v1.GetAccuracyRequest" => rating::GetAccuracyRequest,
        "greenstar.rating.v1.GetAssistanceRequest" => rating::GetAssistanceRequest,
        "greenstar.rating.v1.GetCohortRequest" => rating::GetCohortRequest,
        "greenstar.rating.v1.GetProgressRequest" => rating::GetProgressRequest,
        "greenstar.rating.v1.GetServiceRulesRequest" => rating::GetServiceRulesRequest,
        "greenstar.rating.v1.GetSnapshotRequest" => rating::GetSnapshotRequest,
        "greenstar.rating.v1.HelpApplicationRequest" => rating::HelpApplicationRequest,
        "greenstar.rating.v1.ImportEventsRequest" => rating::ImportEventsRequest,
        "greenstar.rating.v1.ListCohortsRequest" => rating::ListCohortsRequest,
        "greenstar.rating.v1.ListDataErrorsRequest" => rating::ListDataErrorsRequest,
        "greenstar.rating.v1.ListNoticesRequest" => rating::ListNoticesRequest,
        "greenstar.rating.v1.ListRatingHistoryRequest" => rating::ListRatingHistoryRequest,
        "greenstar.rating.v1.ListSnapshotEntriesRequest" => rating::ListSnapshotEntriesRequest,
        "greenstar.rating.v1.ListSnapshotsRequest" => rating::ListSnapshotsRequest,
        "greenstar.rating.v1.ListSourcesRequest" => rating::ListSourcesRequest,
        "greenstar.rating.v1.ProveMeasureRequest" => rating::ProveMeasureRequest,
        "greenstar.rating.v1.RecheckMeasureRequest" => rating::RecheckMeasureRequest,
        "greenstar.rating.v1.RecordFindingRequest" => rating::RecordFindingRequest,
        "greenstar.rating.v1.RecordVisitRequest" => rating::RecordVisitRequest,
        "greenstar.rating.v1.ReportDataErrorRequest" => rating::ReportDataErrorRequest,
        "greenstar.rating.v1.ResumeRatingRequest" => rating::ResumeRatingRequest,
        "greenstar.rating.v1.SetSourceCutoffRequest" => rating::SetSourceCutoffRequest,
        "greenstar.rating.v1.StartPlanRequest" => rating::StartPlanRequest,
        "greenstar.rating.v1.SuspendRatingRequest" => rating::SuspendRatingRequest,
        "greenstar.rating.v1.ValidateSchemeRequest" => rating::ValidateSchemeRequest,
        "greenstar.supervision.v1.FindImprovementRequest" => supervision::FindImprovementRequest,
        "greenstar.supervision.v1.WatchTreatmentsRequest" => supervision::WatchTreatmentsRequest,
        "greenstar.rating.v1.CreateRoundRequest" => rating::CreateRoundRequest,
        "greenstar.rating.v1.GetRoundRequest" => rating::GetRoundRequest,
        "greenstar.rating.v1.ListRoundsRequest" => rating::ListRoundsRequest,
        "greenstar.rating.v1.EnrolEnterprisesRequest" => rating::EnrolEnterprisesRequest,
        "greenstar.rating.v1.SubmitDeclarationRequest" => rating::SubmitDeclarationRequest,
        "greenstar.rating.v1.VerifyItemRequest" => rating::VerifyItemRequest,
        "greenstar.rating.v1.PublishRoundRequest" => rating::PublishRoundRequest,
        "greenstar.rating.v1.GetDeclarationRequest" => rating::GetDeclarationRequest,
        "greenstar.rating.v1.ReturnDeclarationRequest" => rating::ReturnDeclarationRequest,
        "greenstar.rating.v1.ConfirmVerificationRequest" => rating::ConfirmVerificationRequest,
        "greenstar.rating.v1.IssueNoticesRequest" => rating::IssueNoticesRequest,
        "greenstar.rating.v1.AnswerNoticeRequest" => rating::AnswerNoticeRequest,
        "greenstar.rating.v1.OpenPublicCommentRequest" => rating::OpenPublicCommentRequest,
        "greenstar.rating.v1.ListProposalsRequest" => rating::ListProposalsRequest,
        "greenstar.rating.v1.AddCommentRequest" => rating::AddCommentRequest,
        "greenstar.rating.v1.ListCommentsRequest" => rating::ListCommentsRequest,
        "greenstar.rating.v1.AnswerCommentRequest" => rating::AnswerCommentRequest,
        "greenstar.rating.v1.OpenDeliberationRequest" => rating::OpenDeliberationRequest,
        "greenstar.rating.v1.RecuseRequest" => rating::RecuseRequest,
        "greenstar.rating.v1.CastVoteRequest" => rating::CastVoteRequest,
        "greenstar.rating.v1.CloseDeliberationRequest" => rating::CloseDeliberationRequest,
        "greenstar.rating.v1.ApproveRoundRequest" => rating::ApproveRoundRequest,
        "greenstar.rating.v1.WithdrawRoundRequest" => rating::WithdrawRoundRequest,
        "greenstar.rating.v1.DryRunRoundRequest" => rating::DryRunRoundRequest,
        "greenstar.rating.v1.ListRoundStepsRequest" => rating::ListRoundStepsRequest,
        "greenstar.rating.v1.ListOverdueStepsRequest" => rating::ListOverdueStepsRequest,
        "greenstar.rating.v1.FileObjectionRequest" => rating::FileObjectionRequest,
        "greenstar.rating.v1.DecideObjectionRequest" => rating::DecideObjectionRequest,
        "greenstar.rating.v1.GetObjectionRequest" => rating::GetObjectionRequest,
        "greenstar.rating.v1.ListObjectionsRequest" => rating::ListObjectionsRequest,
        "greenstar.rating.v1.CreateSchemeRequest" => rating::CreateSchemeRequest,
        "greenstar.rating.v1.GetSchemeRequest" => rating::GetSchemeRequest,
        "greenstar.rating.v1.ListSchemesRequest" => rating::ListSchemesRequest,
        "greenstar.sanctions.v1.GetCatalogueRequest" => sanctions::GetCatalogueRequest,
        "greenstar.sanctions.v1.RaiseFlagRequest" => sanctions::RaiseFlagRequest,
        "greenstar.sanctions.v1.ConfirmFlagRequest" => sanctions::ConfirmFlagRequest,
        "greenstar.sanctions.v1.LiftFlagRequest" => sanctions::LiftFlagRequest,
        "greenstar.sanctions.v1.GetFlagRequest" => sanctions::GetFlagRequest,
        "greenstar.sanctions.v1.ListFlagsRequest" => sanctions::ListFlagsRequest,
        "greenstar.sanctions.v1.WatchFlagsRequest" => sanctions::WatchFlagsRequest,
        "greenstar.sanctions.v1.SyncFlagsRequest" => sanctions::SyncFlagsRequest,
        "greenstar.supervision.v1.DecideRequest" => supervision::DecideRequest,
        "greenstar.supervision.v1.BatchDecideRequest" => supervision::BatchDecideRequest,
        "greenstar.supervision.v1.GetDecisionRequest" => supervision::GetDecisionRequest,
        "greenstar.supervision.v1.GetInspectionRegimeRequest" => supervision::GetInspectionRegimeRequest,
        "greenstar.supervision.v1.CheckGreenFinanceRequest" => supervision::CheckGreenFinanceRequest,
        "greenstar.supervision.v1.CheckPermitRequest" => supervision::CheckPermitRequest,
        "greenstar.supervision.v1.ValidatePolicyRequest" => supervision::ValidatePolicyRequest,
        "greenstar.supervision.v1.ListPoliciesRequest" => supervision::ListPoliciesRequest,
        "greenstar.supervision.v1.ListMattersRequest" => supervision::ListMattersRequest,
        "greenstar.rating.v1.StreamRatingsRequest" => rating::StreamRatingsRequest,
        "greenstar.rating.v1.AcknowledgeRatingsRequest" => rating::AcknowledgeRatingsRequest,
        "greenstar.rating.v1.WaitConvergedRequest" => rating::WaitConvergedRequest,
        "greenstar.rating.v1.ListSubscribersRequest" => rating::ListSubscribersRequest,
        "greenstar.rating.v1.RemoveSubscriberRequest" => rating::RemoveSubscriberRequest,
        "greenstar.rating.v1.ReportAcknowledgementsRequest" => rating::ReportAcknowledgementsRequest,
        "greenstar.sanctions.v1.StreamFlagsRequest" => sanctions::StreamFlagsRequest,
        "greenstar.sanctions.v1.AcknowledgeFlagsRequest" => sanctions::AcknowledgeFlagsRequest,
        "greenstar.sanctions.v1.WaitConvergedRequest" => sanctions::WaitConvergedRequest,
        "greenstar.sanctions.v1.ListSubscribersRequest" => sanctions::ListSubscribersRequest,
        "greenstar.sanctions.v1.RemoveSubscriberRequest" => sanctions::RemoveSubscriberRequest,
        "greenstar.sanctions.v1.ReportAcknowledgementsRequest" => sanctions::ReportAcknowledgementsRequest,
        "greenstar.sanctions.v1.RevokeFlagRequest" => sanctions::RevokeFlagRequest,
        "greenstar.sanctions.v1.CorrectFlagRequest" => sanctions::CorrectFlagRequest,
        "greenstar.sanctions.v1.ListCataloguesRequest" => sanctions::ListCataloguesRequest,
        "greenstar.sanctions.v1.CreateCatalogueRequest" => sanctions::CreateCatalogueRequest,
        "greenstar.sanctions.v1.ListRepairOptionsRequest" => sanctions::ListRepairOptionsRequest,
        "greenstar.sanctions.v1.ApplyRepairRequest" => sanctions::ApplyRepairRequest,
        "greenstar.sanctions.v1.ReviewRepairRequest" => sanctions::ReviewRepairRequest,
        "greenstar.sanctions.v1.WithdrawRepairRequest" => sanctions::WithdrawRepairRequest,
        "greenstar.sanctions.v1.GetRepairRequest" => sanctions::GetRepairRequest,
        "greenstar.sanctions.v1.ListRepairsRequest" => sanctions::ListRepairsRequest,
        "greenstar.sanctions.v1.GetRepairCertificateRequest" => sanctions::GetRepairCertificateRequest,
        "greenstar.sanctions.v1.FileAppealRequest" => sanctions::FileAppealRequest,
        "greenstar.sanctions.v1.DecideAppealRequest" => sanctions::DecideAppealRequest,
        "greenstar.sanctions.v1.WithdrawAppealRequest" => sanctions::WithdrawAppealRequest,
        "greenstar.sanctions.v1.GetAppealRequest" => sanctions::GetAppealRequest,
        "greenstar.sanctions.v1.ListAppealsRequest" => sanctions::ListAppealsRequest,
        "greenstar.supervision.v1.ReportApplicationRequest" => supervision::ReportApplicationRequest,
        "greenstar.supervision.v1.ListApplicationGapsRequest" => supervision::ListApplicationGapsRequest,
        "greenstar.supervision.v1.ApproveDraftRequest" => supervision::ApproveDraftRequest,
        "greenstar.supervision.v1.BatchCheckGreenFinanceRequest" => supervision::BatchCheckGreenFinanceRequest,
        "greenstar.supervision.v1.BatchCheckPermitsRequest" => supervision::BatchCheckPermitsRequest,
        "greenstar.supervision.v1.BatchGetInspectionRegimesRequest" => supervision::BatchGetInspectionRegimesRequest,
        "greenstar.supervision.v1.ConvertPolicyRequest" => supervision::ConvertPolicyRequest,
        "greenstar.supervision.v1.CreateDraftRequest" => supervision::CreateDraftRequest,
        "greenstar.supervision.v1.DiffPoliciesRequest" => supervision::DiffPoliciesRequest,
        "greenstar.supervision.v1.GetDossierRequest" => supervision::GetDossierRequest,
        "greenstar.supervision.v1.GetDraftRequest" => supervision::GetDraftRequest,
        "greenstar.supervision.v1.GetPolicyVersionRequest" => supervision::GetPolicyVersionRequest,
        "greenstar.supervision.v1.GetTemplateRequest" => supervision::GetTemplateRequest,
        "greenstar.supervision.v1.IssueDecisionReceiptRequest" => supervision::IssueDecisionReceiptRequest,
        "greenstar.supervision.v1.ListCheckpointsRequest" => supervision::ListCheckpointsRequest,
        "greenstar.supervision.v1.ListDecisionsRequest" => supervision::ListDecisionsRequest,
        "greenstar.supervision.v1.ListDraftsRequest" => supervision::ListDraftsRequest,
        "greenstar.supervision.v1.ListKeysRequest" => supervision::ListKeysRequest,
        "greenstar.supervision.v1.ListPolicyReplicasRequest" => supervision::ListPolicyReplicasRequest,
        "greenstar.supervision.v1.ListPolicyVersionsRequest" => supervision::ListPolicyVersionsRequest,
        "greenstar.supervision.v1.ListRecordWritersRequest" => supervision::ListRecordWritersRequest,
        "greenstar.supervision.v1.ListShadowDifferencesRequest" => supervision::ListShadowDifferencesRequest,
        "greenstar.supervision.v1.PublishPolicyRequest" => supervision::PublishPolicyRequest,
        "greenstar.supervision.v1.ReplayDecisionRequest" => supervision::ReplayDecisionRequest,
        "greenstar.supervision.v1.RollbackPolicyRequest" => supervision::RollbackPolicyRequest,
        "greenstar.supervision.v1.RotateKeyRequest" => supervision::RotateKeyRequest,
        "greenstar.supervision.v1.ScreenEnterpriseRequest" => supervision::ScreenEnterpriseRequest,
        "greenstar.supervision.v1.SimulatePolicyRequest" => supervision::SimulatePolicyRequest,
        "greenstar.supervision.v1.StartShadowRequest" => supervision::StartShadowRequest,
        "greenstar.supervision.v1.StopShadowRequest" => supervision::StopShadowRequest,
        "greenstar.supervision.v1.TestPolicyRequest" => supervision::TestPolicyRequest,
        "greenstar.supervision.v1.UpdateDraftRequest" => supervision::UpdateDraftRequest,
        "greenstar.supervision.v1.ValidateDraftRequest" => supervision::ValidateDraftRequest,
        "greenstar.supervision.v1.WithdrawDraftRequest" => supervision::WithdrawDraftRequest,
}

/// A small generator: the same seed makes the same message.
struct Maker(u64);

impl Maker {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    fn message(&mut self, of: &MessageDescriptor, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(of.clone());
        for field in of.fields() {
            if self.below(4) == 0 {
                continue;
            }
            if let Some(value) = self.field(&field, depth) {
                message.set_field(&field, value);
            }
        }
        message
    }

    fn field(&mut self, field: &FieldDescriptor, depth: u32) -> Option<Value> {
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else {
                return None;
            };
            let key = self.single(&entry.map_entry_key_field().kind(), depth)?;
            let value = self.single(&entry.map_entry_value_field().kind(), depth)?;
            let Value::String(key) = key else { return None };
            return Some(Value::Map([(MapKey::String(key), value)].into()));
        }
        if field.is_list() {
            let length = self.pick(&[0, 1, 2, 3, 3, 17, 101]);
            let entries: Option<Vec<Value>> =
                (0..length).map(|_| self.single(&field.kind(), depth)).collect();
            return entries.map(Value::List);
        }
        self.single(&field.kind(), depth)
    }

    fn single(&mut self, kind: &Kind, depth: u32) -> Option<Value> {
        let numbers = [-1, 0, 1, 2, 5, 6, 100, 1000, 1001, 100_000];
        Some(match kind {
            Kind::String => {
                let length = self.pick(&[0usize, 1, 2, 3, 4, 10, 11, 64, 65, 100, 101, 200, 201, 2000, 2001]);
                let letter = self.pick(&[
                    "a", "7", "字", "-", "b", "8", "文", "_", "\n", "\r", "\t", "\0", "\u{202e}",
                ]);
                Value::String(letter.repeat(length))
            }
            Kind::Bytes => Value::Bytes(vec![7; self.pick(&[0usize, 1, 100])].into()),
            Kind::Bool => Value::Bool(self.below(2) == 1),
            Kind::Int32 => Value::I32(self.pick(&numbers)),
            Kind::Int64 => Value::I64(i64::from(self.pick(&numbers))),
            Kind::Uint32 => Value::U32(self.pick(&numbers).unsigned_abs()),
            Kind::Uint64 => Value::U64(u64::from(self.pick(&numbers).unsigned_abs())),
            Kind::Enum(_) => Value::EnumNumber(self.pick(&[0, 1, 2, 3, 99])),
            Kind::Message(of) if of.package_name() == "google.protobuf" => {
                Value::Message(DynamicMessage::new(of.clone()))
            }
            Kind::Message(of) if depth > 0 => Value::Message(self.message(of, depth - 1)),
            _ => return None,
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_find_the_same_fields(seed in any::<u64>()) {
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        for (at, (name, ours)) in REQUESTS.iter().enumerate() {
            let descriptor = pool.get_message_by_name(name).unwrap();
            let message = Maker(seed ^ (at as u64) << 32).message(&descriptor, 4);
            let theirs = crate::reference::broken(&pool, &message);
            if let Some(ours) = ours(&message.encode_to_vec()) {
                prop_assert_eq!(ours, theirs, "{} {:?}", name, message);
            } else {
                prop_assert!(!theirs.is_empty());
            }
        }
    }
}

#[test]
fn every_method_is_compared() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let taken: BTreeSet<String> = pool
        .services()
        .filter(|service| service.package_name().starts_with("greenstar."))
        .flat_map(|service| {
            service
                .methods()
                .map(|method| method.input().full_name().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    let compared: BTreeSet<String> = REQUESTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(compared, taken);
}

#[test]
fn rules_mean_what_protovalidate_says_they_mean() {
    use greenstar_proto::{Rule, common::v1::Document};
    let broken = |request: sanctions::RaiseFlagRequest| -> Vec<(String, Rule)> {
        let found = request.validate().err().map(|found| found.0).unwrap_or_default();
        found.into_iter().map(|one| (one.field, one.rule)).collect()
    };
    let good = sanctions::RaiseFlagRequest {
        kind: "serious-penalty".to_owned(),
        document: Some(Document {
            issuer: "局".to_owned(),
            number: "1".to_owned(),
            date: "2026-01-31".to_owned(),
        }),
        ..sanctions::RaiseFlagRequest::default()
    };
    assert_eq!(broken(good.clone()), []);
    // A length counts characters, not bytes.
    assert_eq!(
        broken(sanctions::RaiseFlagRequest {
            kind: "字".repeat(64),
            ..good.clone()
        }),
        []
    );
    let long = sanctions::RaiseFlagRequest {
        kind: "字".repeat(65),
        ..good.clone()
    };
    assert_eq!(broken(long), [("kind".to_owned(), Rule::MaxLength(64))]);
    // A message that must be there is named, not its fields.
    let none = sanctions::RaiseFlagRequest {
        document: None,
        ..good.clone()
    };
    assert_eq!(broken(none), [("document".to_owned(), Rule::Required)]);
    let short = Document {
        date: "2026".to_owned(),
        ..good.document.clone().unwrap()
    };
    let nested = sanctions::RaiseFlagRequest {
        document: Some(short),
        ..good.clone()
    };
    assert_eq!(broken(nested), [("document.date".to_owned(), Rule::Length(10))]);
    // A number that names no value, and a size below zero.
    assert_eq!(
        broken(sanctions::RaiseFlagRequest { severity: 99, ..good }),
        [("severity".to_owned(), Rule::EnumValue)]
    );
    let page = sanctions::ListFlagsRequest {
        page_size: -1,
        ..sanctions::ListFlagsRequest::default()
    };
    assert_eq!(page.validate().unwrap_err().0[0].rule, Rule::AtLeast(0));
}

#[test]
fn every_text_is_free_of_control_characters_nested_and_in_lists_too() {
    use greenstar_proto::{Rule, common::v1::Document};
    let broken = |found: Result<(), greenstar_proto::Violations>| -> Vec<(String, Rule)> {
        let found = found.err().map(|found| found.0).unwrap_or_default();
        found.into_iter().map(|one| (one.field, one.rule)).collect()
    };
    let raise = |reason: String, issuer: String| sanctions::RaiseFlagRequest {
        kind: "serious-penalty".to_owned(),
        reason,
        document: Some(Document {
            issuer,
            number: "1".to_owned(),
            date: "2026-01-31".to_owned(),
        }),
        ..sanctions::RaiseFlagRequest::default()
    };
    for refused in "\0\u{1}\u{8}\u{b}\r\u{1b}\u{7f}\u{85}\u{9f}\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
        let rule = Rule::Character(refused);
        assert!(rule.zh().contains(&format!("U+{:04X}", u32::from(refused))));
        assert_eq!(
            broken(raise(format!("因{refused}果"), "局".to_owned()).validate()),
            [("reason".to_owned(), rule.clone())]
        );
        assert_eq!(
            broken(raise(String::new(), format!("局{refused}")).validate()),
            [("document.issuer".to_owned(), rule.clone())]
        );
        let batch = rating::BatchGetRatingsRequest {
            names: vec!["a".to_owned(), format!("b{refused}")],
        };
        assert!(broken(batch.validate()).contains(&("names[1]".to_owned(), rule)));
    }
    let allowed = raise("一\n二\t三 👍 é".to_owned(), "局".to_owned());
    assert_eq!(broken(allowed.validate()), []);
    let source = |source: &str| supervision::ValidatePolicyRequest {
        source: source.to_owned(),
        ..Default::default()
    };
    assert_eq!(broken(source("policy \"a\" {\r\n}\r\n").validate()), []);
    assert_eq!(
        broken(source("policy \0").validate()),
        [("source".to_owned(), Rule::Character('\0'))]
    );
}
