//! Contracts to Rust, without protoc: messages and gRPC (tonic), JSON (pbjson), REST and OpenAPI
//! (rest_over_grpc), validation from `buf.validate`, and the table of methods with who may call them.

mod methods;
mod names;
mod openapi;
mod route;
mod validation;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost_reflect::DescriptorPool;
use rest_over_grpc::build::{DescriptorOptions, Generator, OpenApiInfo, ServiceDefinition};

const WELL_KNOWN: (&str, &str) = (".google.protobuf", "::pbjson_types");
const OURS: &str = "greenstar.";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build");
    for folder in ["buf", "google", "greenstar"] {
        println!("cargo:rerun-if-changed={folder}");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true);
    for file in contracts(Path::new("greenstar"))? {
        compiler.open_file(&file)?;
    }
    // This encoding keeps extension options; `file_descriptor_set` loses them.
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("greenstar.bin"), &descriptors)?;
    let pool = DescriptorPool::decode(descriptors.as_slice())?;

    tonic_prost_build::configure()
        .compile_well_known_types(true)
        .extern_path(WELL_KNOWN.0, WELL_KNOWN.1)
        .btree_map(".")
        .build_transport(false)
        .compile_fds(compiler.file_descriptor_set())?;
    pbjson_build::Builder::new()
        .register_descriptors(&descriptors)?
        .extern_path(WELL_KNOWN.0, WELL_KNOWN.1)
        .btree_map(["."])
        .emit_fields()
        .build(&[".greenstar"])?;
    let options = DescriptorOptions::new()
        .package(".greenstar")
        .extern_path(WELL_KNOWN.0, WELL_KNOWN.1);
    let mut rest = Generator::builder().emit_tonic_bridge(false).build();
    rest.add_all(ServiceDefinition::from_fds(&descriptors, &options)?);
    rest.write(&out)?;

    // A set of its own: the generator leaves out of a document what has more than one `*` in a variable.
    let shapes = out.join("openapi");
    fs::create_dir_all(&shapes)?;
    let mut documents = Generator::builder()
        .emit_tonic_bridge(false)
        .emit_openapi_spec(Some(OpenApiInfo::new("GreenStar", "v1")))
        .build();
    let simple = openapi::simple_paths(&pool, &descriptors)?;
    documents.add_all(ServiceDefinition::from_fds(simple, &options)?);
    documents.write(&shapes)?;
    openapi::describe(&pool, &shapes, &out)?;

    fs::write(out.join("validation.rs"), validation::emit(&pool)?)?;
    fs::write(out.join("methods.rs"), methods::table(&pool)?)?;
    fs::write(out.join("forward.rs"), methods::forward(&pool)?)?;
    fs::write(out.join("packages.rs"), methods::packages(&pool, &out))?;
    Ok(())
}

/// Every contract below `folder`, in a stable order.
fn contracts(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(contracts(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
