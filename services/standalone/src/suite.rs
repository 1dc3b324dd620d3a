//! Starting and stopping the suite.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use greenstar_gateway::{Gateway, Upstream};
use greenstar_kernel::{Clock, Date, Log, SystemClock};
use greenstar_rating::Rating;
use greenstar_rpc::{
    Client, ClientError, Credentials, CredentialsError, Limits, Origin, Stack, credentials, stored,
    with_credential,
};
use greenstar_sanctions::Sanctions;
use greenstar_store::{Database, Location, Migrations};
use greenstar_supervision_policy::{COMPARE_EVERY, Deps, QUICK, RecordMode, RecordSettings, Supervision};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::Places;
use crate::callers::{self, FOLLOWER, RATING, SANCTIONS, SERVICES};

/// What the view is given to catch up with the logs at a start. The largest folder of one machine takes some seconds;
/// what lasts longer waits for something that does not come.
const CATCH_UP: Duration = Duration::from_secs(60);

/// What the suite is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of databases, decision records and credentials; made if missing.
    pub data: PathBuf,
    /// Address of the door; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Whether the sample round is loaded on the first start.
    pub sample: Sample,
    /// Web pages of these origins may call.
    pub origins: Vec<Origin>,
    /// Takes the place of every matter's own record mode, e.g. to measure one.
    pub record: Option<RecordMode>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

/// The sample round `daxing-2021-sample`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Published 30 days before the first start.
    Today,
    /// As if the first start were on this day.
    On(Date),
    None,
}

impl Settings {
    /// On the machine's clock, with each matter's own record mode.
    pub fn new(data: &Path, listen: SocketAddr, sample: Sample) -> Settings {
        Settings {
            data: data.to_owned(),
            listen,
            sample,
            origins: Vec::new(),
            record: None,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// Why the suite does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{path}: {source}; name another folder with --data; 数据目录无法使用，请用 --data 指定其他目录")]
    Folder { path: PathBuf, source: io::Error },
    #[error(
        "DATABASE_READ_ONLY: {path}: cannot be written; check the owner and permissions of folder and files, and \
         whether the disk is mounted read-only; 无法写入，请检查目录和文件的所有者、权限，以及磁盘是否只读挂载"
    )]
    ReadOnly { path: PathBuf },
    #[error(
        "cannot listen on {address}: {source}; stop what uses it, or name another address with --listen; \
         无法监听该地址，请停止占用它的程序，或者用 --listen 指定其他地址"
    )]
    Listen { address: SocketAddr, source: io::Error },
    #[error("{path}: {source}; correct the file; 凭证文件无法使用，请更正该文件")]
    Credentials { path: PathBuf, source: CredentialsError },
    #[error(transparent)]
    Database(#[from] stored::NotOpened),
    /// An empty one in its place would say that nobody has a flag or a star.
    #[error(
        "DATABASE_MISSING: {path}: the suite has run on this folder and the database is gone; restore it from a \
         backup, or begin anew on another folder; 该数据目录曾经使用过，但数据库文件不见了，请恢复备份或者换用新的目录"
    )]
    Missing { path: PathBuf },
    #[error("the rating service does not start: {0}")]
    Rating(#[from] greenstar_rating::StartError),
    #[error("the sample round cannot be loaded: {0}")]
    Sample(#[from] greenstar_rating::SampleError),
    #[error("the sanctions service does not start: {0}")]
    Sanctions(#[from] greenstar_sanctions::StartError),
    #[error("the supervision-policy service does not start: {0}")]
    Supervision(#[from] greenstar_supervision_policy::StartError),
    #[error(
        "NOT_READY: the view has not caught up with the logs within {} s, so no answer would be sound; the log above \
         says what is in the way; 视图未能在规定时间内追上变更日志，无法给出可靠结论，请查看上方日志",
        CATCH_UP.as_secs()
    )]
    NotCaughtUp,
    #[error("the credential of a service cannot be used: {0}")]
    Service(#[from] crate::SecretError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A running suite.
#[derive(Debug)]
pub struct Suite {
    address: SocketAddr,
    stop: CancellationToken,
    door: JoinHandle<io::Result<()>>,
    rating: Rating,
    sanctions: Sanctions,
    supervision: Supervision,
}

impl Suite {
    /// Starts the suite; when this returns, it serves and its view has caught up.
    pub async fn start(settings: Settings) -> Result<Suite, StartError> {
        let places = Places::new(&settings.data);
        folder(places.folder())?;
        folder(&places.records())?;
        nothing_is_gone(&places)?;
        // Before anything is written: a second process on the folder, or a damaged file, ends here.
        let ratings = database(&places, Log::Rating, &greenstar_rating::MIGRATIONS).await?;
        let flags = database(&places, Log::Sanctions, &greenstar_sanctions::MIGRATIONS).await?;
        let policies = database(&places, Log::Policy, &greenstar_supervision_policy::MIGRATIONS).await?;
        let credentials = known(&places)?;
        let listener = TcpListener::bind(settings.listen)
            .await
            .map_err(|source| StartError::Listen {
                address: settings.listen,
                source,
            })?;

        let stop = CancellationToken::new();
        let clock = settings.clock.clone();
        let rating = Rating::start(ratings, clock.clone()).await?;
        match settings.sample {
            Sample::Today => rating.load_sample(None).await.map(drop)?,
            Sample::On(date) => rating.load_sample(Some(date)).await.map(drop)?,
            Sample::None => {}
        }
        let sanctions = Sanctions::start(flags, clock.clone()).await?;
        let rating_stack = rating.add_to(Stack::builder(credentials.clone())).build();
        let sanctions_stack = sanctions.add_to(Stack::builder(credentials.clone())).build();
        let client = |stack: &Stack, who: &str| -> Result<Client, StartError> {
            Ok(with_credential(
                stack.in_process(stop.clone()),
                &places.secret(who)?,
            )?)
        };
        rating.follow(client(&sanctions_stack, RATING)?, Log::Rating.as_str().to_owned());
        sanctions.know_rating(client(&rating_stack, SANCTIONS)?);
        let supervision = Supervision::start(Deps {
            database: policies,
            clock,
            rating: client(&rating_stack, FOLLOWER)?,
            sanctions: client(&sanctions_stack, FOLLOWER)?,
            record: RecordSettings {
                mode: settings.record,
                ..RecordSettings::in_folder(places.records())
            },
            snapshot: Some(places.view()),
            compare_every: COMPARE_EVERY,
            subscriber: FOLLOWER.to_owned(),
            advertise: None,
        })
        .await?;
        let supervision_stack = supervision.add_to(Stack::builder(credentials)).build();
        for stack in [&rating_stack, &sanctions_stack] {
            stack.health().serving(true).await;
            stack.health().fresh(true).await;
        }
        let (watched, health) = (supervision.clone(), supervision_stack.health().clone());
        tokio::spawn(async move { watched.keep_health(health).await });

        let gateway = Gateway::new(
            vec![
                Upstream::local("greenstar.rating.v1", rating_stack.grpc()),
                Upstream::local("greenstar.sanctions.v1", sanctions_stack.grpc()),
                Upstream::local("greenstar.supervision.v1", supervision_stack.grpc()),
            ],
            Limits::default(),
        )
        .open_to(&settings.origins)
        .quick(QUICK);
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            address: settings.listen,
            source,
        })?;
        let serving = stop.clone();
        let door = tokio::spawn(async move { gateway.serve(listener, serving).await });
        tokio::time::timeout(CATCH_UP, supervision.caught_up())
            .await
            .map_err(|_| StartError::NotCaughtUp)?;
        write(&places.address(), &format!("http://{address}\n"))?;
        Ok(Suite {
            address,
            stop,
            door,
            rating,
            sanctions,
            supervision,
        })
    }

    /// Where the door is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets calls finish, then closes door, services and databases.
    pub async fn stop(self) {
        self.stop.cancel();
        // A watch has no end of its own: the door would wait for it in vain.
        tokio::join!(self.rating.end_watches(), self.sanctions.end_watches());
        if let Ok(Err(error)) = self.door.await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the door did not close cleanly"
            );
        }
        self.supervision.close().await;
        self.rating.close().await;
        self.sanctions.close().await;
    }
}

fn folder(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| writing(path, source))
}

fn writing(path: &Path, source: io::Error) -> StartError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StartError::ReadOnly { path },
        _ => StartError::Folder { path, source },
    }
}

/// A start makes the databases one after another, then the credentials, and writes the address when it has gone well. So
/// where the address is, or credentials beside a database, or the last database, every one was there.
fn nothing_is_gone(places: &Places) -> Result<(), StartError> {
    let databases = Log::ALL.map(|log| places.database(log));
    let used = places.address().exists()
        || databases.last().is_some_and(|last| last.exists())
        || (places.credentials().exists() && databases.iter().any(|path| path.exists()));
    match databases.into_iter().find(|path| used && !path.exists()) {
        Some(path) => Err(StartError::Missing { path }),
        None => Ok(()),
    }
}

async fn database(places: &Places, log: Log, migrations: &Migrations) -> Result<Database, stored::NotOpened> {
    stored::open(&Location::Sqlite(places.database(log)), migrations).await
}

fn known(places: &Places) -> Result<Arc<Credentials>, StartError> {
    let path = places.credentials();
    // A folder of an earlier release knows fewer services. Officers are not added: whoever was taken out stays out.
    let read = if path.exists() {
        credentials::complete(&path, &SERVICES)
    } else {
        callers::create(&path)
    };
    match read.and_then(|()| Credentials::read(&path)) {
        Ok(credentials) => {
            keep_private(&path);
            Ok(Arc::new(credentials))
        }
        Err(source) => Err(StartError::Credentials { path, source }),
    }
}

/// Secrets are for their owner's eyes, also after an editor has written the file anew. Who may not change that is not
/// the owner, and may read it all the same.
fn keep_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let open = std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
    if open && std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).is_ok() {
        tracing::warn!(path = %path.display(), "others could read the credentials; now only their owner can");
    }
}

fn write(path: &Path, text: &str) -> Result<(), StartError> {
    std::fs::write(path, text).map_err(|source| writing(path, source))
}
