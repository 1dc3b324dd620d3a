//! Policies as workbooks.

use greenstar_kernel::{Code as CodeWord, Department, LocalizedText, Said as _};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use greenstar_rpc::{accept, field, names};
use tonic::{Request, Response, Status};

use super::checking::in_force;
use super::content::{self, Content};
use super::desk::Desk;
use super::status;
use crate::domain::document::PolicySource;
use crate::domain::policy::Policy;
use crate::workbook::{Guide, Unsayable, template, to_workbook};

pub(super) async fn convert_policy(
    desk: &Desk,
    request: Request<pb::ConvertPolicyRequest>,
) -> Result<Response<pb::ConvertPolicyResponse>, Status> {
    let (_, request) = accept(request)?;
    let (policy, _) = in_force(desk)?;
    let form = request.content.and_then(|content| content.form);
    let form = form.unwrap_or_else(|| Form::Source(String::new()));
    // A workbook may take a while to be looked through.
    let converted = tokio::task::spawn_blocking(move || convert(form, &policy));
    let form = converted.await.map_err(|error| status::damaged(&error))??;
    let content = Some(pb::PolicyContent { form: Some(form) });
    Ok(Response::new(pb::ConvertPolicyResponse { content }))
}

pub(super) async fn get_template(
    desk: &Desk,
    request: Request<pb::GetTemplateRequest>,
) -> Result<Response<pb::GetTemplateResponse>, Status> {
    let (_, request) = accept(request)?;
    let (policy, _) = in_force(desk)?;
    let (department, matter) = names::nested("name", &request.name, "departments", "matters")?;
    let unknown = || status::matter_unknown(&status::shortened(department), &status::shortened(matter));
    let department = Department::parse(department).map_err(|_| unknown())?;
    let matter = CodeWord::parse(matter).map_err(|_| unknown())?;
    let declared = policy
        .infos()
        .iter()
        .find(|info| info.matters.contains(&request.name));
    let declared = declared
        .map(|info| PolicySource::from_yaml(&info.source.text))
        .transpose();
    let declared = declared.map_err(|why| unreadable(&why))?;
    let new = PolicySource::new(matter.clone(), 1, department.clone());
    if new.is_baseline() {
        return Err(unknown());
    }
    let workbook = template(&department, &matter, declared, &Guide::of(&policy));
    let workbook = workbook.map_err(|error| unsayable(&error))?;
    Ok(Response::new(pb::GetTemplateResponse { workbook }))
}

fn convert(form: Form, policy: &Policy) -> Result<Form, Status> {
    match form {
        Form::Source(text) => Ok(Form::Workbook(of_text(&text, policy)?)),
        form @ Form::Workbook(_) => {
            let read = content::read(form).map_err(|unread| unread.checked(policy));
            let Content { document, .. } = read?;
            Ok(Form::Source(document.text))
        }
    }
}

/// The workbook of a policy's text.
///
/// # Errors
/// TABLE_MALFORMED: it is no policy, or says what a workbook cannot.
pub(super) fn of_text(text: &str, policy: &Policy) -> Result<Vec<u8>, Status> {
    let source = PolicySource::from_yaml(text).map_err(|why| unreadable(&why))?;
    to_workbook(&source, &Guide::of(policy)).map_err(|error| unsayable(&error))
}

fn unreadable(why: &str) -> Status {
    let why: String = why.chars().take(300).collect();
    let said = LocalizedText::new(
        format!("文本不是有效的政策文件：{why}"),
        format!("the text is not a policy: {why}"),
    );
    field(content::SOURCE, ErrorReason::TableMalformed, &said, &[])
}

fn unsayable(error: &Unsayable) -> Status {
    field(content::SOURCE, ErrorReason::TableMalformed, &error.said(), &[])
}
