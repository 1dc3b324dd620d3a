//! The suite as it runs in production, on this machine: replicas as processes of their own, a private PostgreSQL and
//! Redis, and between any two of them a link that can be made bad.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use greenstar_rpc::{Client, credentials, pool, with_credential};
use greenstar_store::{Database, Location, Migrations};
use greenstar_testkit::{Proxy, postgres, redis};
use tempfile::TempDir;

use crate::node::NODE;

/// Names in the credentials file.
const NAMES: [&str; 17] = [
    "licensing",
    "licensing/2",
    "licensing/subscriber",
    "finance",
    "finance/2",
    "enforcement",
    "enforcement/2",
    "enforcement/3",
    "enforcement/subscriber",
    "rating",
    "rating/2",
    "rating/3",
    "rating/subscriber",
    "sanctions/subscriber",
    "supervision-policy",
    "operator",
    "operator/2",
];

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    Rating,
    Sanctions,
    Policy,
    Gateway,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Service::Rating => "rating",
            Service::Sanctions => "sanctions",
            Service::Policy => "supervision-policy",
            Service::Gateway => "gateway",
        }
    }
}

/// How many replicas of each, and whether links can be made bad.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub rating: usize,
    pub sanctions: usize,
    pub policy: usize,
    pub faults: bool,
    /// Loads the sample round into rating.
    pub sample: bool,
}

impl Shape {
    /// Two of rating and sanctions, three of supervision-policy, a gateway.
    pub const CHECKED: Shape = Shape {
        rating: 2,
        sanctions: 2,
        policy: 3,
        faults: true,
        sample: true,
    };
}

/// One process.
#[derive(Debug)]
pub struct Node {
    pub service: Service,
    /// `sanctions/1`
    pub name: String,
    /// The same after every start.
    pub address: SocketAddr,
    arguments: Vec<String>,
    clock: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

/// A link from one party to another.
#[derive(Debug)]
pub struct Link {
    pub from: String,
    pub to: String,
    pub proxy: Proxy,
}

/// The whole.
#[derive(Debug)]
pub struct Topology {
    pub nodes: Vec<Node>,
    pub links: Vec<Link>,
    pub postgres: postgres::Server,
    pub redis: redis::Server,
    databases: [(Service, String); 3],
    folder: TempDir,
}

impl Topology {
    /// Starts everything; when this returns, all replicas serve.
    pub async fn start(shape: Shape) -> anyhow::Result<Topology> {
        let folder = tempfile::Builder::new().prefix("greenstar-topology-").tempdir()?;
        let (postgres, redis) = tokio::join!(postgres::Server::start(), redis::Server::start());
        credentials::create(&folder.path().join("credentials.json"), &NAMES)?;
        let databases = [
            (Service::Rating, postgres.database().await),
            (Service::Sanctions, postgres.database().await),
            (Service::Policy, postgres.database().await),
        ];
        for (service, url) in &databases {
            let location: Location = url.parse()?;
            Database::migrate(&location, migrations(*service))
                .await
                .map_err(|error| anyhow::anyhow!("{}: {error}", service.name()))?
                .close()
                .await;
        }
        let mut topology = Topology {
            nodes: Vec::new(),
            links: Vec::new(),
            postgres,
            redis,
            databases,
            folder,
        };
        topology.plan(shape).await?;
        for service in [
            Service::Sanctions,
            Service::Rating,
            Service::Policy,
            Service::Gateway,
        ] {
            for node in topology.nodes.iter_mut().filter(|node| node.service == service) {
                node.start()?;
            }
        }
        topology.all_serve(Duration::from_secs(60)).await?;
        Ok(topology)
    }

    async fn plan(&mut self, shape: Shape) -> anyhow::Result<()> {
        let counts = [
            (Service::Rating, shape.rating),
            (Service::Sanctions, shape.sanctions),
            (Service::Policy, shape.policy),
            (Service::Gateway, 1),
        ];
        // All ports first, so that no two are the same one.
        let mut held = Vec::new();
        for (service, count) in counts {
            for number in 1..=count {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                let address = listener.local_addr()?;
                held.push(listener);
                let name = format!("{}/{number}", service.name());
                let file = name.replace('/', "-");
                self.nodes.push(Node {
                    service,
                    name,
                    address,
                    arguments: Vec::new(),
                    clock: self.folder.path().join(format!("{file}.clock")),
                    log: self.folder.path().join(format!("{file}.log")),
                    child: None,
                });
            }
        }
        drop(held);
        for at in 0..self.nodes.len() {
            let arguments = self.arguments(at, shape).await?;
            self.nodes[at].arguments = arguments;
        }
        Ok(())
    }

    async fn arguments(&mut self, at: usize, shape: Shape) -> anyhow::Result<Vec<String>> {
        let Node {
            service,
            name,
            address,
            ..
        } = &self.nodes[at];
        let (service, name, address) = (*service, name.clone(), *address);
        let mut arguments = vec!["--listen".to_owned(), address.to_string()];
        let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        if service == Service::Gateway {
            for (flag, upstream) in [
                ("--rating", Service::Rating),
                ("--sanctions", Service::Sanctions),
                ("--supervision", Service::Policy),
            ] {
                add(flag, self.urls(&name, upstream, shape.faults).await);
            }
            return Ok(arguments);
        }
        let credentials = self.folder.path().join("credentials.json");
        add("--credentials", credentials.display().to_string());
        add("--replica", name.clone());
        // Siblings come by a link, too.
        let advertised = self.link("siblings", &name, address, shape.faults).await;
        add("--advertise", format!("http://{advertised}"));
        let url = self
            .databases
            .iter()
            .find(|(owner, _)| *owner == service)
            .map(|(_, url)| url.clone());
        let url = url.context("a database for each service")?;
        let database = self.link_to_url(&name, "postgresql", &url, shape.faults).await;
        let redis = self.redis.url();
        let redis = self
            .link_to_url(&name, "redis", &format!("{redis}/"), shape.faults)
            .await;
        match service {
            Service::Rating => {
                add("--database", database);
                add("--redis", redis);
                add(
                    "--sanctions",
                    self.urls(&name, Service::Sanctions, shape.faults).await,
                );
                if shape.sample && name.ends_with("/1") {
                    arguments.push("--sample".to_owned());
                }
            }
            Service::Sanctions => {
                add("--database-url", database);
                add("--redis", redis);
                add("--rating", self.urls(&name, Service::Rating, shape.faults).await);
            }
            Service::Policy => {
                let file = name.replace('/', "-");
                let folder = |kind: &str| {
                    self.folder
                        .path()
                        .join(format!("{file}.{kind}"))
                        .display()
                        .to_string()
                };
                add("--database-url", database);
                add("--record", folder("record"));
                add("--snapshot", folder("snapshot"));
                add("--rating", self.urls(&name, Service::Rating, shape.faults).await);
                add(
                    "--sanctions",
                    self.urls(&name, Service::Sanctions, shape.faults).await,
                );
            }
            Service::Gateway => {}
        }
        Ok(arguments)
    }

    /// Where `from` finds all replicas of a service.
    async fn urls(&mut self, from: &str, to: Service, faults: bool) -> String {
        let targets: Vec<(String, SocketAddr)> = self
            .of(to)
            .map(|node| (node.name.clone(), node.address))
            .collect();
        let mut urls = Vec::new();
        for (name, address) in targets {
            urls.push(format!(
                "http://{}",
                self.link(from, &name, address, faults).await
            ));
        }
        urls.join(",")
    }

    /// Where `from` finds `to`.
    async fn link(&mut self, from: &str, to: &str, address: SocketAddr, faults: bool) -> SocketAddr {
        if !faults {
            return address;
        }
        let proxy = Proxy::start(address).await;
        let through = proxy.address();
        self.links.push(Link {
            from: from.to_owned(),
            to: to.to_owned(),
            proxy,
        });
        through
    }

    async fn link_to_url(&mut self, from: &str, to: &str, url: &str, faults: bool) -> String {
        if !faults {
            return url.to_owned();
        }
        let (proxy, through) = Proxy::before(url).await;
        self.links.push(Link {
            from: from.to_owned(),
            to: to.to_owned(),
            proxy,
        });
        through
    }

    /// The replicas of a service.
    pub fn of(&self, service: Service) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.service == service)
    }

    /// A client of one replica, past every link.
    pub fn client(&self, node: &Node, caller: &str) -> anyhow::Result<Client> {
        Ok(with_credential(pool(&node.url())?, &self.secret(caller)?)?)
    }

    /// A client of all replicas of a service, past every link.
    pub fn clients(&self, service: Service, caller: &str) -> anyhow::Result<Client> {
        let urls: Vec<String> = self.of(service).map(Node::url).collect();
        Ok(with_credential(pool(&urls.join(","))?, &self.secret(caller)?)?)
    }

    /// The secret of a name in the credentials file.
    pub fn secret(&self, caller: &str) -> anyhow::Result<String> {
        let text = std::fs::read_to_string(self.credentials())?;
        let mut secrets: std::collections::BTreeMap<String, String> = serde_json::from_str(&text)?;
        secrets
            .remove(caller)
            .with_context(|| format!("nobody is called {caller}"))
    }

    /// The credentials file.
    pub fn credentials(&self) -> PathBuf {
        self.folder.path().join("credentials.json")
    }

    /// Where the gateway listens.
    pub fn door(&self) -> String {
        self.of(Service::Gateway).map(Node::url).collect()
    }

    /// Where everything is kept, logs included.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the folder behind, for somebody to look at.
    pub fn keep(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }

    /// Opens a service's database beside it, to read.
    pub async fn database(&self, service: Service) -> anyhow::Result<Database> {
        let url = self.databases.iter().find(|(owner, _)| *owner == service);
        let (_, url) = url.context("a service with a database")?;
        Database::open(&url.parse()?, migrations(service))
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Returns once every replica says that it serves.
    pub async fn all_serve(&self, within: Duration) -> anyhow::Result<()> {
        let waiting = self.nodes.iter().map(|node| async move {
            let url = node.url();
            tokio::time::timeout(within, greenstar_rpc::serving(&url))
                .await
                .with_context(|| format!("{} does not serve; see {}", node.name, node.log.display()))??;
            anyhow::Ok(())
        });
        futures::future::try_join_all(waiting).await.map(drop)
    }
}

fn migrations(service: Service) -> &'static Migrations {
    match service {
        Service::Rating => &greenstar_rating::MIGRATIONS,
        Service::Sanctions => &greenstar_sanctions::MIGRATIONS,
        Service::Policy | Service::Gateway => &greenstar_supervision_policy::MIGRATIONS,
    }
}

impl Node {
    /// `http://ADDR`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts the process; returns when it listens. A service needs its database, so a start may fail for a while.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg(NODE)
            .arg(self.service.name())
            .arg(&self.clock)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        if line.starts_with("ready ") {
            self.child = Some(child);
            return Ok(());
        }
        let _ = child.kill();
        let status = child.wait()?;
        anyhow::bail!("{} ended with {status}; see {}", self.name, self.log.display())
    }

    /// Whether it was started and not killed.
    pub fn is_up(&self) -> bool {
        self.child.is_some()
    }

    /// Kills it (-9), without a word.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sets its wall clock off by so many milliseconds.
    pub fn move_clock(&self, millis: i64) -> std::io::Result<()> {
        std::fs::write(&self.clock, millis.to_string())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
