//! One door for the suite: gRPC, gRPC-Web and REST on one port, each call handed to the service that owns
//! it. No business logic, and no second opinion on who may call: the services decide that themselves, on
//! the same credentials.

mod health;
pub mod program;
mod router;

use std::io;

use greenstar_rpc::{ClientError, Door, Grpc, Limits, Origin};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::router::Router;

/// A service of the suite as the gateway reaches it.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The package it owns, e.g. `greenstar.rating.v1`.
    package: &'static str,
    /// Full names of its services.
    services: Vec<String>,
    grpc: Grpc,
}

/// The gateway, put together.
#[derive(Clone, Debug)]
pub struct Gateway {
    door: Door,
}

impl Upstream {
    /// A service in this process, called without a hop: `grpc` is its `Stack::grpc()`.
    pub fn local(package: &'static str, grpc: Grpc) -> Upstream {
        Upstream {
            package,
            services: services_of(package),
            grpc,
        }
    }

    /// A service whose replicas are at `uris`, separated by commas; they need not be up yet. Errors name it by `name`.
    ///
    /// Errors: one of `uris` is no address.
    pub fn remote(name: &'static str, package: &'static str, uris: &str) -> Result<Upstream, ClientError> {
        let grpc = greenstar_rpc::remote(name, greenstar_rpc::pool(uris)?);
        Ok(Upstream {
            package,
            services: services_of(package),
            grpc,
        })
    }
}

fn services_of(package: &str) -> Vec<String> {
    let mut services: Vec<String> = greenstar_rpc::METHODS
        .iter()
        .map(|method| method.service)
        .filter(|service| {
            service
                .rsplit_once('.')
                .is_some_and(|(owner, _)| owner == package)
        })
        .map(str::to_owned)
        .collect();
    services.dedup();
    services
}

impl Gateway {
    /// A gateway in front of `upstreams`.
    pub fn new(upstreams: Vec<Upstream>, limits: Limits) -> Gateway {
        let packages: Vec<&str> = upstreams.iter().map(|upstream| upstream.package).collect();
        let grpc = Router::new(upstreams.clone()).into_grpc();
        Gateway {
            door: Door::new(grpc, &packages, limits),
        }
    }

    /// Lets web pages of these origins call; at first none may.
    #[must_use]
    pub fn open_to(self, origins: &[Origin]) -> Gateway {
        Gateway {
            door: self.door.open_to(origins),
        }
    }

    /// As [`Door::quick`]: of services in this process.
    #[must_use]
    pub fn quick(self, paths: &'static [&'static str]) -> Gateway {
        Gateway {
            door: self.door.quick(paths),
        }
    }

    /// Serves all protocols on one port until `stop`; open calls then have five seconds to end.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        self.door.clone().serve(listener, stop).await
    }
}
