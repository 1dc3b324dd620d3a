//! The sample round: invented enterprises, loaded through the ordinary commands. No result is stored in it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::maybe_done;
use futures::poll;
use greenstar_kernel::{
    Caller, Code, Date, Department, Document, LocalizedText, Officer, Points, Role, Timestamp, Uscc,
};
use greenstar_store::{StoreError, SubmitError, Writer};
use serde::Deserialize;
use tokio::task::unconstrained;

use crate::domain::command::{Command, NewEvent, NewRound, Step};
use crate::domain::enterprise::{District, PolluterClass, Profile, Sector, Site, sites};
use crate::domain::error::Refusal;
use crate::domain::event::Evidence;
use crate::domain::round::Claim;
use crate::domain::scheme::SchemeKey;
use crate::domain::score::Grant;
use crate::store::{RatingJournal, RequestId, Submission};

const FILE: &str = include_str!("../data/sample/daxing-2021-sample.yaml");
/// Where all of them are registered.
const DISTRICT: &str = "110115";
/// Body printed on the documents.
const ISSUER: &str = "北京市大兴区生态环境局";
/// Who approves the directory.
const GOVERNMENT: &str = "北京市大兴区人民政府";

/// Why the sample could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The file in this program is wrong.
    #[error("the sample file is wrong")]
    File(#[from] serde_yaml_ng::Error),
    /// The domain refused a command of it.
    #[error("the sample was refused")]
    Refused(#[from] Refusal),
    /// Another body came with the same request id, or the service stops.
    #[error("the sample was not taken: {0}")]
    NotTaken(&'static str),
    /// The store failed.
    #[error("the sample could not be stored")]
    Store(#[from] StoreError),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    round: RoundData,
    days: Days,
    enterprises: Vec<Enterprise>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoundData {
    id: Code,
    title: LocalizedText,
    scheme: Code,
    version: String,
    approval: String,
}

/// Days from the first start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Days {
    enrolled: i32,
    declared: i32,
    verified: i32,
    confirmed: i32,
    noticed: i32,
    commented: i32,
    deliberated: i32,
    approved: i32,
    published: i32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Enterprise {
    uscc: String,
    name: LocalizedText,
    sector: String,
    class: PolluterClass,
    sites: Vec<SiteData>,
    claims: Vec<ClaimData>,
    #[serde(default)]
    events: Vec<EventData>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteData {
    code: String,
    zh: String,
    en: String,
    #[serde(default)]
    permit: bool,
    address: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimData {
    item: Code,
    claimed: Given,
    awarded: Option<Given>,
    #[serde(default)]
    note: String,
    proof: BTreeMap<Code, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Given {
    Points(Points),
    Conditions(Vec<Code>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventData {
    kind: Code,
    day: i32,
    number: String,
    evidence: Code,
    site: Option<String>,
    rectified: Option<i32>,
    repaired: Option<i32>,
}

impl From<Given> for Grant {
    fn from(given: Given) -> Grant {
        match given {
            Given::Points(points) => Grant::Points(points),
            Given::Conditions(ticked) => Grant::Conditions(ticked),
        }
    }
}

/// Loads the sample as if `first_day` were the day of the first start. Loaded before, wholly or in part, it is
/// completed: every command carries its request id.
///
/// # Errors
/// [`SampleError`]; what was loaded until then stays.
pub(crate) async fn load(writer: &Writer<RatingJournal>, first_day: Date) -> Result<(), SampleError> {
    // Handed in at once, so that they share a few joined transactions; and in order, which is that of their
    // first polls: the writer's queue is fair. Unconstrained, as a task may else not poll so often in one go.
    let mut submitted = Vec::new();
    for submission in submissions(first_day)? {
        let mut answer = Box::pin(maybe_done(unconstrained(writer.submit(submission))));
        let _ = poll!(&mut answer);
        submitted.push(answer);
    }
    for mut answer in submitted {
        answer.as_mut().await;
        match answer.as_mut().take_output().unwrap_or(Err(SubmitError::Closed)) {
            Ok(_) => {}
            Err(SubmitError::Refused(refusal)) => return Err(refusal.into()),
            Err(SubmitError::RequestIdReused) => {
                return Err(SampleError::NotTaken("a request id was reused"));
            }
            Err(SubmitError::Closed) => return Err(SampleError::NotTaken("the service is stopping")),
            Err(SubmitError::Store(error)) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The round that the sample makes.
pub(crate) fn round_id() -> Result<Code, SampleError> {
    #[derive(Deserialize)]
    struct Head {
        round: RoundData,
    }
    let head = FILE.split("\ndays:").next().unwrap_or(FILE);
    Ok(serde_yaml_ng::from_str::<Head>(head)?.round.id)
}

struct Loader {
    first_day: Date,
    submissions: Vec<Submission>,
}

impl Loader {
    /// Ten in the morning of a day.
    fn at(&self, day: i32) -> Timestamp {
        self.first_day
            .plus_days(day)
            .start()
            .plus(Duration::from_secs(10 * 3600))
    }

    fn step(&mut self, by: &Caller, day: i32, round: &Code, step: Step) {
        let round = round.clone();
        self.push(by, day, Command::Proceed { round, step });
    }

    /// Commands are numbered in order, which is the same at every load; their days are not, so the request ids
    /// are bound to no body.
    fn push(&mut self, by: &Caller, day: i32, command: Command) {
        let id = format!("sample/{}", self.submissions.len());
        let request = RequestId {
            method: "LoadSample",
            id,
            body: Vec::new(),
        };
        let at = Some(self.at(day));
        self.submissions.push(Submission {
            by: by.clone(),
            command,
            request: Some(request),
            at,
        });
    }
}

fn officer(department: &str, name: &str) -> Result<Caller, Refusal> {
    let department = Department::parse(department)
        .map_err(|_| Refusal::field("department", ("部门代码", "a department's code")))?;
    Ok(Caller::Department {
        department,
        officer: Officer(name.to_owned()),
        roles: vec![Role::Officer],
    })
}

fn submissions(first_day: Date) -> Result<Vec<Submission>, SampleError> {
    let Sample {
        round,
        days,
        enterprises,
    } = serde_yaml_ng::from_str(FILE)?;
    let (rating, second) = (officer("rating", "rating")?, officer("rating", "rating/2")?);
    let third = officer("rating", "rating/3")?;
    let scheme = SchemeKey::new(round.scheme, &round.version)
        .ok_or_else(|| Refusal::SchemeUnknown(round.version.clone()))?;
    let mut loader = Loader {
        first_day,
        submissions: Vec::with_capacity(enterprises.len() * 6),
    };

    let mut cohort = Vec::with_capacity(enterprises.len());
    for enterprise in &enterprises {
        let uscc = code(&enterprise.uscc)?;
        let profile = profile(&uscc, enterprise)?;
        loader.push(
            &rating,
            days.enrolled,
            Command::CreateEnterprise { uscc, profile },
        );
        cohort.push(uscc);
    }
    let create = Command::CreateRound(NewRound {
        id: round.id.clone(),
        title: round.title,
        scheme,
        review_of: None,
        declare_by: None,
    });
    loader.push(&rating, days.enrolled, create);
    let enrol = Command::Enrol {
        round: round.id.clone(),
        enterprises: cohort,
    };
    loader.push(&rating, days.enrolled, enrol);
    for enterprise in &enterprises {
        declare(&mut loader, &round.id, enterprise, days.declared)?;
    }
    for enterprise in &enterprises {
        verify(&mut loader, &second, &round.id, enterprise, days.verified)?;
    }
    for enterprise in &enterprises {
        let step = Step::Confirm {
            uscc: code(&enterprise.uscc)?,
            items: Vec::new(),
        };
        loader.step(&third, days.confirmed, &round.id, step);
    }
    // Who would lose is told of what was recorded until then.
    events(&mut loader, &enterprises, |day| day < days.confirmed)?;
    loader.step(&rating, days.noticed, &round.id, Step::IssueNotices);
    loader.step(
        &rating,
        days.commented,
        &round.id,
        Step::OpenComment { days: None },
    );
    events(&mut loader, &enterprises, |day| {
        (days.confirmed..days.published).contains(&day)
    })?;
    let document = Document {
        issuer: GOVERNMENT.to_owned(),
        number: round.approval.clone(),
        date: loader.first_day.plus_days(days.approved),
    };
    deliberate(&mut loader, &round.id, &days, [&rating, &third], document)?;
    loader.push(
        &rating,
        days.published,
        Command::Publish {
            round: round.id,
            approval: round.approval,
        },
    );
    // What happened since is recorded in ratings that live.
    events(&mut loader, &enterprises, |day| day >= days.published)?;
    Ok(loader.submissions)
}

/// The members confirm what is proposed, and the government approves it.
fn deliberate(
    loader: &mut Loader,
    round: &Code,
    days: &Days,
    [rating, other]: [&Caller; 2],
    document: Document,
) -> Result<(), Refusal> {
    loader.step(rating, days.deliberated, round, Step::OpenDeliberation);
    let enforcement = officer("enforcement", "enforcement")?;
    let licensing = officer("licensing", "licensing")?;
    let finance = officer("finance", "finance")?;
    for member in [rating, &enforcement, &licensing, &finance] {
        let vote = Step::Vote {
            votes: Vec::new(),
            confirm_others: true,
        };
        loader.step(member, days.deliberated, round, vote);
    }
    let minutes = "四个成员单位均到会，一致同意拟定结果。".to_owned();
    loader.step(
        rating,
        days.deliberated,
        round,
        Step::CloseDeliberation { minutes },
    );
    loader.step(other, days.approved, round, Step::Approve { document });
    Ok(())
}

fn code(raw: &str) -> Result<Uscc, Refusal> {
    raw.parse()
        .map_err(|_| Refusal::field("uscc", ("统一社会信用代码", "an enterprise code")))
}

fn profile(uscc: &Uscc, enterprise: &Enterprise) -> Result<Profile, Refusal> {
    let each = enterprise.sites.iter().map(|site| {
        let permit = if site.permit {
            format!("{uscc}{}P", site.code)
        } else {
            String::new()
        };
        let name = LocalizedText::new(&site.zh, &site.en);
        Site::new(uscc, &site.code, name, &permit, &site.address)
    });
    Ok(Profile {
        name: enterprise.name.clone(),
        district: District::parse(DISTRICT)?,
        sector: Sector::parse(&enterprise.sector)?,
        polluter_class: enterprise.class,
        sites: sites(each.collect::<Result<_, _>>()?)?,
    })
}

/// Each firm declares for itself.
fn declare(loader: &mut Loader, round: &Code, enterprise: &Enterprise, day: i32) -> Result<(), Refusal> {
    let uscc = code(&enterprise.uscc)?;
    let claims = enterprise.claims.iter().map(|claim| Claim {
        item: claim.item.clone(),
        grant: claim.claimed.clone().into(),
        evidence: claim
            .proof
            .iter()
            .map(|(kind, reference)| Evidence {
                kind: kind.clone(),
                reference: reference.clone(),
                sha256: None,
            })
            .collect(),
    });
    let declare = Command::Declare {
        round: round.clone(),
        uscc,
        claims: claims.collect(),
    };
    loader.push(&Caller::Enterprise(uscc), day, declare);
    Ok(())
}

fn verify(
    loader: &mut Loader,
    by: &Caller,
    round: &Code,
    enterprise: &Enterprise,
    day: i32,
) -> Result<(), Refusal> {
    let verdicts = enterprise.claims.iter().map(|claim| {
        let awarded = claim.awarded.clone().unwrap_or_else(|| claim.claimed.clone());
        (claim.item.clone(), Grant::from(awarded), claim.note.clone())
    });
    let uscc = code(&enterprise.uscc)?;
    loader.push(
        by,
        day,
        Command::Verify {
            round: round.clone(),
            uscc,
            verdicts: verdicts.collect(),
        },
    );
    Ok(())
}

/// Recorded two days after their documents, with what followed.
fn events(
    loader: &mut Loader,
    enterprises: &[Enterprise],
    taken: impl Fn(i32) -> bool,
) -> Result<(), Refusal> {
    let (first, second) = (
        officer("enforcement", "enforcement")?,
        officer("enforcement", "enforcement/2")?,
    );
    for enterprise in enterprises {
        let uscc = code(&enterprise.uscc)?;
        for (position, data) in enterprise
            .events
            .iter()
            .enumerate()
            .filter(|(_, data)| taken(data.day))
        {
            let id = Code::parse(&format!("sample-{}", position + 1))
                .map_err(|_| Refusal::field("event", ("事件编号", "an event's id")))?;
            let date = loader.first_day.plus_days(data.day);
            let year = date.to_string().chars().take(4).collect::<String>();
            let number = data.number.replace("{year}", &year);
            let record = Command::RecordEvent(NewEvent {
                uscc,
                id: id.clone(),
                kind: data.kind.clone(),
                document: Document {
                    issuer: ISSUER.to_owned(),
                    number: number.clone(),
                    date,
                },
                evidence: Evidence {
                    kind: data.evidence.clone(),
                    reference: number,
                    sha256: None,
                },
                site: data.site.clone(),
                rectification_required: data.rectified.is_some(),
            });
            loader.push(&first, data.day + 2, record);
            if let Some(day) = data.rectified {
                let confirm = Command::ConfirmRectification {
                    uscc,
                    event: id.clone(),
                };
                loader.push(&second, day, confirm);
            }
            if let Some(day) = data.repaired {
                let reason = "完成整改并作出信用承诺，准予修复".to_owned();
                loader.push(
                    &second,
                    day,
                    Command::RepairEvent {
                        uscc,
                        event: id,
                        reason,
                    },
                );
            }
        }
    }
    Ok(())
}
