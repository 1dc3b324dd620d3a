//! `greenstar policy convert|template`: policies as workbooks.

use std::path::Path;

use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use greenstar_proto::supervision::v1::policy_service_client::PolicyServiceClient;

use super::output::facts;
use super::{Answer, Failure, connect};
use crate::args::Common;

/// As whom, unless `--as` says otherwise: everybody may.
const ANYBODY: &str = "licensing";

/// Writes the other form of a policy.
pub(super) async fn convert(common: &Common, from: &Path, to: &Path) -> Result<Answer, Failure> {
    let content = pb::PolicyContent {
        form: Some(form(from)?),
    };
    let mut client = PolicyServiceClient::new(connect(common, ANYBODY)?);
    let request = pb::ConvertPolicyRequest {
        content: Some(content),
    };
    let converted = client.convert_policy(request).await?.into_inner();
    let form = converted
        .content
        .as_ref()
        .and_then(|content| content.form.as_ref());
    let bytes = match form {
        None => &[],
        Some(Form::Workbook(bytes)) => bytes.as_slice(),
        Some(Form::Source(source)) => source.as_bytes(),
    };
    write(to, bytes)?;
    Answer::new(
        &converted,
        facts(vec![("written", to.display().to_string())]),
        Vec::new(),
    )
}

/// Writes the template of a matter.
pub(super) async fn template(common: &Common, matter: String, to: &Path) -> Result<Answer, Failure> {
    let mut client = PolicyServiceClient::new(connect(common, ANYBODY)?);
    let request = pb::GetTemplateRequest { name: matter };
    let template = client.get_template(request).await?.into_inner();
    write(to, &template.workbook)?;
    Answer::new(
        &template,
        facts(vec![("written", to.display().to_string())]),
        Vec::new(),
    )
}

/// A policy's file. What is no text is handed in as a workbook, so that the suite says what is wrong with it.
pub(super) fn form(file: &Path) -> Result<Form, Failure> {
    let bytes =
        std::fs::read(file).map_err(|error| Failure::Local(format!("{}: {error}", file.display())))?;
    if file
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("xlsx"))
    {
        return Ok(Form::Workbook(bytes));
    }
    match String::from_utf8(bytes) {
        Ok(source) => Ok(Form::Source(source)),
        Err(error) => Ok(Form::Workbook(error.into_bytes())),
    }
}

fn write(to: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(to, bytes).map_err(|error| Failure::Local(format!("{}: {error}", to.display())))
}
