//! Server reflection, v1 and v1alpha: the contracts with everything they import, options included.
//!
//! tonic-reflection's own service loses extension options (`google.api.http`, `buf.validate`), answers no
//! question about extensions and ends the stream at the first unknown name; its messages are used here.

use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use futures::{Stream, StreamExt as _};
use greenstar_proto::FILE_DESCRIPTOR_SET;
use prost_reflect::{DescriptorPool, FileDescriptor};
use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status, Streaming};

/// All files, read when somebody first asks.
pub(crate) static FILES: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut pool = DescriptorPool::new();
    let sets = [
        FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    for set in sets {
        // They are built with this program and a test reads them all.
        if let Err(error) = pool.decode_file_descriptor_set(set) {
            tracing::error!(%error, "a descriptor set is left out of reflection");
        }
    }
    pool
});

/// Adds reflection of `services` to `routes`.
pub fn add_reflection(routes: &mut RoutesBuilder, services: &[&str]) {
    let mut names: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
    for own in [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ] {
        names.push(own.to_owned());
    }
    let reflection = Reflection {
        services: names.into(),
    };
    routes.add_service(v1::ServerReflectionServer::new(reflection.clone()));
    routes.add_service(v1alpha::ServerReflectionServer::new(reflection));
}

#[derive(Clone, Debug)]
struct Reflection {
    services: Arc<[String]>,
}

/// The file that declares a symbol: a message, enum, service or extension, or one of their members.
fn file_of(symbol: &str) -> Option<FileDescriptor> {
    let declared = |name: &str| {
        None.or_else(|| FILES.get_service_by_name(name).map(|found| found.parent_file()))
            .or_else(|| FILES.get_message_by_name(name).map(|found| found.parent_file()))
            .or_else(|| FILES.get_enum_by_name(name).map(|found| found.parent_file()))
            .or_else(|| FILES.get_extension_by_name(name).map(|found| found.parent_file()))
    };
    declared(symbol).or_else(|| symbol.rsplit_once('.').and_then(|(parent, _)| declared(parent)))
}

fn file_of_extension(extended: &str, number: i32) -> Option<FileDescriptor> {
    let extension = FILES
        .get_message_by_name(extended)?
        .get_extension(u32::try_from(number).ok()?)?;
    Some(extension.parent_file())
}

fn extension_numbers(extended: &str) -> Option<Vec<i32>> {
    let message = FILES.get_message_by_name(extended)?;
    Some(
        message
            .extensions()
            .filter_map(|one| i32::try_from(one.number()).ok())
            .collect(),
    )
}

/// Both versions have the same messages under two names.
macro_rules! version {
    ($version:ident) => {
        mod $version {
            pub(super) use tonic_reflection::pb::$version::server_reflection_server::ServerReflectionServer;

            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
            use tonic_reflection::pb::$version::server_reflection_server::ServerReflection;
            use tonic_reflection::pb::$version::*;

            use super::*;

            impl Reflection {
                fn $version(&self, request: ServerReflectionRequest) -> ServerReflectionResponse {
                    let answer = match &request.message_request {
                        Some(MessageRequest::FileByFilename(name)) => file(FILES.get_file_by_name(name)),
                        Some(MessageRequest::FileContainingSymbol(symbol)) => file(file_of(symbol)),
                        Some(MessageRequest::FileContainingExtension(asked)) => file(file_of_extension(
                            &asked.containing_type,
                            asked.extension_number,
                        )),
                        Some(MessageRequest::AllExtensionNumbersOfType(name)) => {
                            extension_numbers(name).map(|extension_number| {
                                MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                                    base_type_name: name.clone(),
                                    extension_number,
                                })
                            })
                        }
                        Some(MessageRequest::ListServices(_)) => {
                            let service = self
                                .services
                                .iter()
                                .map(|name| ServiceResponse { name: name.clone() });
                            Some(MessageResponse::ListServicesResponse(ListServiceResponse {
                                service: service.collect(),
                            }))
                        }
                        None => None,
                    };
                    let unknown = || {
                        MessageResponse::ErrorResponse(ErrorResponse {
                            error_code: tonic::Code::NotFound as i32,
                            error_message: "no such file, symbol or extension".to_owned(),
                        })
                    };
                    ServerReflectionResponse {
                        valid_host: request.host.clone(),
                        message_response: Some(answer.unwrap_or_else(unknown)),
                        original_request: Some(request),
                    }
                }
            }

            fn file(found: Option<FileDescriptor>) -> Option<MessageResponse> {
                found.map(|file| {
                    MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
                        file_descriptor_proto: vec![file.encode_to_vec()],
                    })
                })
            }

            #[tonic::async_trait]
            impl ServerReflection for Reflection {
                type ServerReflectionInfoStream =
                    Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send>>;

                async fn server_reflection_info(
                    &self,
                    request: Request<Streaming<ServerReflectionRequest>>,
                ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
                    let this = self.clone();
                    let answers = request
                        .into_inner()
                        .map(move |asked| asked.map(|asked| this.$version(asked)));
                    Ok(Response::new(answers.boxed()))
                }
            }
        }
    };
}

version!(v1);
version!(v1alpha);
