//! The table of methods, and the forwarding of REST calls into gRPC.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ServiceDescriptor, Value};

use crate::{OURS, names, route};

/// `METHODS`: path, streaming, REST or not, and who may call. A method without `access` is an error.
pub(crate) fn table(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut code = String::from("pub static METHODS: &[Method] = &[\n");
    for service in ours(pool) {
        for method in service.methods() {
            let access = access(pool, &method)?;
            let route = route::of(pool, &method)?.map(|route| {
                format!(
                    "Some(Route {{ verb: {:?}, path: {:?} }})",
                    route.verb.to_uppercase(),
                    route.path
                )
            });
            let route = route.as_deref().unwrap_or("None");
            writeln!(
                code,
                "Method {{ path: \"/{}/{}\", service: {:?}, client_streaming: {}, server_streaming: {}, access: {access}, route: {route} }},",
                service.full_name(),
                method.name(),
                service.full_name(),
                method.is_client_streaming(),
                method.is_server_streaming(),
            )?;
        }
    }
    code.push_str("];\n");
    Ok(code)
}

fn access(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<String, Box<dyn Error>> {
    let option = option_of(pool, method, "greenstar.common.v1.access").ok_or_else(|| {
        format!(
            "{} does not say who may call it (greenstar.common.v1.access)",
            method.full_name()
        )
    })?;
    let departments: Vec<String> = list(&option, "departments")
        .iter()
        .filter_map(|value| value.as_str().map(|department| format!("{department:?}")))
        .collect();
    let roles: Vec<String> = list(&option, "roles")
        .iter()
        .filter_map(Value::as_enum_number)
        .map(|number| match number {
            1 => Ok("crate::common::v1::Role::Officer".to_owned()),
            2 => Ok("crate::common::v1::Role::Subscriber".to_owned()),
            3 => Ok("crate::common::v1::Role::Operator".to_owned()),
            other => Err(format!("{} names no role: {other}", method.full_name())),
        })
        .collect::<Result<_, _>>()?;
    Ok(format!(
        "Access {{ public: {}, departments: &[{}], roles: &[{}], enterprise_self: {} }}",
        flag(&option, "public"),
        departments.join(", "),
        roles.join(", "),
        flag(&option, "enterprise_self"),
    ))
}

/// The REST traits of all services, implemented by calling the method over gRPC in the same process.
pub(crate) fn forward(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut code = String::new();
    let mut services = Vec::new();
    for service in ours(pool) {
        let rest: Vec<MethodDescriptor> = service
            .methods()
            .filter(|method| option_of(pool, method, "google.api.http").is_some())
            .collect();
        if rest.is_empty() {
            continue;
        }
        let package = names::package(service.package_name());
        let client = format!(
            "{package}::{}_client::{}Client",
            module(service.name()),
            service.name()
        );
        writeln!(code, "impl {package}::{} for Forward {{", service.name())?;
        for method in &rest {
            let name = names::snake(method.name());
            let request = names::message(&method.input());
            let response = names::message(&method.output());
            let (call, answer) = if method.is_server_streaming() {
                let stream = format!("::rest_over_grpc::handling::ResponseStream<{response}>");
                ("stream", stream)
            } else {
                ("unary", response)
            };
            writeln!(
                code,
                "async fn {name}(&self, request: {request}, cx: &mut ::rest_over_grpc::handling::Context) \
                 -> Result<{answer}, ::rest_over_grpc::handling::Status> {{ \
                 self.{call}(cx, request, |grpc, request| async move {{ \
                 {client}::new(grpc).max_decoding_message_size(usize::MAX).{name}(request).await }}).await }}",
            )?;
        }
        code.push_str("}\n");
        services.push(service);
    }
    let slots = vec!["Forward"; services.len()].join(", ");
    let arguments = vec!["forward.clone()"; services.len()].join(", ");
    writeln!(code, "type Transcoder = generated::Transcoder<{slots}>;")?;
    writeln!(
        code,
        "/// Answers REST calls of every service by calling `forward`.\n\
         fn transcoder(forward: &Forward) -> Transcoder {{ generated::Transcoder::new({arguments}) }}"
    )?;
    Ok(code)
}

/// A module for each package, and the packages' OpenAPI documents.
pub(crate) fn packages(pool: &DescriptorPool, out: &Path) -> String {
    let mut packages: Vec<String> = pool
        .files()
        .map(|file| file.package_name().to_owned())
        .filter(|name| name.starts_with(OURS))
        .collect();
    packages.sort();
    packages.dedup();
    let mut modules = String::new();
    let mut documents = String::new();
    for package in packages {
        let include = |kind: &str| {
            let file = format!("{package}.{kind}");
            let path = format!("include!(concat!(env!(\"OUT_DIR\"), \"/{file}\"));\n");
            if out.join(file).exists() {
                path
            } else {
                String::new()
            }
        };
        let contents = [include("rs"), include("serde.rs"), include("rest.rs")].concat();
        let path: Vec<&str> = package.split('.').skip(1).collect();
        let doc = format!("/// Package `{package}`.\n");
        let open: String = path
            .iter()
            .map(|part| format!("{doc}pub mod {part} {{\n"))
            .collect();
        modules.push_str(&format!("{open}{contents}{}", "}\n".repeat(path.len())));
        if out.join(format!("{package}.openapi.json")).exists() {
            documents.push_str(&format!(
                "({package:?}, include_str!(concat!(env!(\"OUT_DIR\"), \"/{package}.openapi.json\"))),\n"
            ));
        }
    }
    format!(
        "{modules}/// OpenAPI 3.1 document of each package with REST methods.\npub static OPENAPI: &[(&str, &str)] = &[\n{documents}];\n"
    )
}

fn ours(pool: &DescriptorPool) -> impl Iterator<Item = ServiceDescriptor> + '_ {
    pool.services()
        .filter(|service| service.package_name().starts_with(OURS))
}

pub(crate) fn option_of(
    pool: &DescriptorPool,
    method: &MethodDescriptor,
    name: &str,
) -> Option<DynamicMessage> {
    let extension = pool.get_extension_by_name(name)?;
    let options = method.options();
    options
        .has_extension(&extension)
        .then(|| options.get_extension(&extension).as_message().cloned())
        .flatten()
}

pub(crate) fn flag(of: &DynamicMessage, field: &str) -> bool {
    of.get_field_by_name(field)
        .and_then(|value| value.as_bool())
        .unwrap_or(false)
}

fn list(of: &DynamicMessage, field: &str) -> Vec<Value> {
    of.get_field_by_name(field)
        .and_then(|value| value.as_list().map(<[Value]>::to_vec))
        .unwrap_or_default()
}

/// tonic's module of a service: an underscore before every further capital.
fn module(service: &str) -> String {
    let mut module = String::new();
    for (at, letter) in service.chars().enumerate() {
        if letter.is_uppercase() && at > 0 {
            module.push('_');
        }
        module.push(letter.to_ascii_lowercase());
    }
    module
}
