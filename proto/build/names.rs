//! Names as prost writes them.

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{EnumDescriptor, MessageDescriptor, OneofDescriptor};

use crate::OURS;

/// `greenstar.rating.v1` is `crate::rating::v1`.
pub(crate) fn package(full: &str) -> String {
    format!("crate::{}", full.trim_start_matches(OURS).replace('.', "::"))
}

/// Rust path of a message of ours; nested messages live in a module named like their parent.
pub(crate) fn message(message: &MessageDescriptor) -> String {
    format!(
        "{}::{}",
        scope(message.parent_message(), message.package_name()),
        camel(message.name())
    )
}

/// Rust path of an enum of ours.
pub(crate) fn enumeration(of: &EnumDescriptor) -> String {
    format!(
        "{}::{}",
        scope(of.parent_message(), of.package_name()),
        camel(of.name())
    )
}

/// Rust path of the enum behind a oneof.
pub(crate) fn oneof(of: &OneofDescriptor) -> String {
    let parent = of.parent_message().clone();
    format!(
        "{}::{}",
        scope(Some(parent.clone()), parent.package_name()),
        camel(of.name())
    )
}

fn scope(parent: Option<MessageDescriptor>, in_package: &str) -> String {
    match parent {
        Some(parent) => {
            format!(
                "{}::{}",
                scope(parent.parent_message(), in_package),
                parent.name().to_snake_case()
            )
        }
        None => package(in_package),
    }
}

/// A field's or method's identifier.
pub(crate) fn snake(name: &str) -> String {
    let snake = name.to_snake_case();
    const KEYWORDS: [&str; 12] = [
        "type", "match", "ref", "in", "use", "move", "where", "for", "mod", "as", "loop", "box",
    ];
    if KEYWORDS.contains(&snake.as_str()) {
        format!("r#{snake}")
    } else {
        snake
    }
}

/// A type's or variant's identifier.
pub(crate) fn camel(name: &str) -> String {
    name.to_upper_camel_case()
}
