//! docs/adr/0001-annotations.md: our declarations can be replaced by the full files.

use greenstar_proto::FILE_DESCRIPTOR_SET;
use prost_reflect::{DescriptorPool, ExtensionDescriptor, Kind};

fn ours() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap()
}

/// A kind, messages and enums by name.
fn kind(of: &Kind) -> String {
    match of {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(of) => of.full_name().to_owned(),
        other => format!("{other:?}"),
    }
}

fn signature(of: &ExtensionDescriptor) -> (u32, String, String) {
    (
        of.number(),
        of.containing_message().full_name().to_owned(),
        kind(&of.kind()),
    )
}

#[test]
fn what_we_declare_of_buf_validate_has_its_public_numbers() {
    let ours = ours();
    for (name, options, value) in [
        (
            "buf.validate.field",
            "google.protobuf.FieldOptions",
            "buf.validate.FieldRules",
        ),
        (
            "buf.validate.oneof",
            "google.protobuf.OneofOptions",
            "buf.validate.OneofRules",
        ),
    ] {
        let extension = ours.get_extension_by_name(name).unwrap();
        assert_eq!(
            signature(&extension),
            (1159, options.to_owned(), value.to_owned())
        );
    }
    let numbers = |message: &str, fields: &[(&str, u32)]| {
        let message = ours
            .get_message_by_name(&format!("buf.validate.{message}"))
            .unwrap();
        assert_eq!(message.fields().len(), fields.len(), "{}", message.full_name());
        for (name, number) in fields {
            assert_eq!(
                message.get_field_by_name(name).unwrap().number(),
                *number,
                "{name}"
            );
        }
    };
    let integer = [("lt", 2), ("lte", 3), ("gt", 4), ("gte", 5)];
    for message in ["Int32Rules", "Int64Rules", "UInt32Rules", "UInt64Rules"] {
        numbers(message, &integer);
    }
    numbers(
        "FieldRules",
        &[
            ("int32", 3),
            ("int64", 4),
            ("uint32", 5),
            ("uint64", 6),
            ("string", 14),
            ("bytes", 15),
            ("enum", 16),
            ("repeated", 18),
            ("map", 19),
            ("required", 25),
            ("ignore", 27),
        ],
    );
    numbers(
        "StringRules",
        &[
            ("min_len", 2),
            ("max_len", 3),
            ("pattern", 6),
            ("in", 10),
            ("len", 19),
        ],
    );
    numbers("BytesRules", &[("min_len", 2), ("max_len", 3)]);
    numbers("EnumRules", &[("defined_only", 2), ("in", 3), ("not_in", 4)]);
    numbers(
        "RepeatedRules",
        &[("min_items", 1), ("max_items", 2), ("unique", 3), ("items", 4)],
    );
    numbers(
        "MapRules",
        &[("min_pairs", 1), ("max_pairs", 2), ("keys", 4), ("values", 5)],
    );
    numbers("OneofRules", &[("required", 1)]);
}

#[test]
fn what_we_declare_of_google_api_has_its_public_numbers() {
    let ours = ours();
    for (name, number, options, value) in [
        (
            "google.api.http",
            72_295_728,
            "google.protobuf.MethodOptions",
            "google.api.HttpRule",
        ),
        (
            "google.api.field_behavior",
            1052,
            "google.protobuf.FieldOptions",
            "google.api.FieldBehavior",
        ),
    ] {
        let extension = ours.get_extension_by_name(name).unwrap();
        assert_eq!(
            signature(&extension),
            (number, options.to_owned(), value.to_owned())
        );
    }
    let rule = ours.get_message_by_name("google.api.HttpRule").unwrap();
    for (name, number) in [
        ("get", 2),
        ("put", 3),
        ("post", 4),
        ("delete", 5),
        ("patch", 6),
        ("body", 7),
        ("additional_bindings", 11),
    ] {
        assert_eq!(rule.get_field_by_name(name).unwrap().number(), number);
    }
}

#[test]
fn every_method_of_the_public_contract_has_a_rest_path_but_those_that_a_client_streams_to() {
    let ours = ours();
    let http = ours.get_extension_by_name("google.api.http").unwrap();
    for service in ours
        .services()
        .filter(|service| service.package_name().starts_with("greenstar."))
    {
        for method in service.methods() {
            let streams = method.is_client_streaming();
            // Between the services of the suite, and between replicas.
            let inner = method.name().starts_with("Sync") || method.name() == "ReportAcknowledgements";
            assert_eq!(
                method.options().has_extension(&http),
                !streams && !inner,
                "{}",
                method.full_name()
            );
        }
    }
}
