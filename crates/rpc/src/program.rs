//! How every program of the suite begins and ends: settings, log, runtime, exit code.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::error::ContextKind;
use greenstar_feed::FanOut;
use greenstar_kernel::Log;
use greenstar_telemetry::Format;

use crate::watching::{Replica, Secret};
use crate::{Client, Credentials, pool, with_credential};

/// Bad settings (sysexits.h, EX_USAGE).
const USAGE: u8 = 64;

/// Why a program ended.
#[derive(Debug)]
pub enum Ended {
    /// Its settings cannot be used; nothing was begun.
    Settings(anyhow::Error),
    /// Something failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Ended {
    fn from(error: E) -> Ended {
        Ended::Failed(error.into())
    }
}

/// Reads the settings and runs the program. What goes wrong is one line on standard error, without a password that
/// stood in a setting.
pub fn main<C: clap::Parser, F: Future<Output = Result<(), Ended>>>(run: impl FnOnce(C) -> F) -> ExitCode {
    main_with(std::env::args(), run)
}

/// As [`main`], with arguments from elsewhere; the first is the program's name.
pub fn main_with<C: clap::Parser, F: Future<Output = Result<(), Ended>>>(
    arguments: impl IntoIterator<Item = String>,
    run: impl FnOnce(C) -> F,
) -> ExitCode {
    let config = match C::try_parse_from(arguments) {
        Ok(config) => config,
        Err(help) if !help.use_stderr() => {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return settings(&one_line(&error)),
    };
    let runtime = tokio::runtime::Runtime::new().context("the runtime does not start");
    let ended = runtime.map_err(Ended::Failed).and_then(|runtime| {
        runtime.block_on(async {
            greenstar_telemetry::init(Format::Text)
                .map_err(|error| Ended::Settings(anyhow::anyhow!("{error}")))?;
            let ended = run(config).await;
            greenstar_telemetry::close().await;
            ended
        })
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::Settings(error)) => settings(&format!("error: {error:#}")),
        Err(Ended::Failed(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn settings(line: &str) -> ExitCode {
    eprintln!("{line}");
    ExitCode::from(USAGE)
}

/// What clap found, without its usage. The value of a setting that holds an address with a password is left out.
fn one_line(error: &clap::Error) -> String {
    let setting = error
        .get(ContextKind::InvalidArg)
        .map(ToString::to_string)
        .unwrap_or_default();
    let secret = ["--database", "--redis"]
        .iter()
        .any(|prefix| setting.starts_with(prefix));
    if secret && let Some(source) = std::error::Error::source(error) {
        return format!("error: {setting}: {source}");
    }
    let text = error.to_string();
    let said = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage"));
    said.collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Who may call this process, and the secret by which it calls others.
#[derive(Debug)]
pub struct Callers {
    /// Who may call.
    pub credentials: Credentials,
    secrets: BTreeMap<String, String>,
    file: String,
}

impl Callers {
    /// Reads the credentials file. Without one nobody is known, and only public data is served.
    pub fn read(file: Option<&Path>) -> Result<Callers, Ended> {
        let Some(path) = file else {
            return Ok(Callers {
                credentials: Credentials::empty(),
                secrets: BTreeMap::new(),
                file: "no credentials file".to_owned(),
            });
        };
        let read = || -> anyhow::Result<Callers> {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(path).with_context(|| file.clone())?;
            let credentials = Credentials::parse(&text).with_context(|| file.clone())?;
            let secrets = serde_json::from_str(&text).with_context(|| file.clone())?;
            Ok(Callers {
                credentials,
                secrets,
                file,
            })
        };
        read().map_err(Ended::Settings)
    }

    /// What makes this process one of several replicas: its name among them, where they reach it, and how they tell
    /// one another of commits. `subscriber` names the secret by which they call one another, and others.
    pub fn replica(
        &self,
        log: Log,
        name: &str,
        advertise: Option<&str>,
        redis: Option<&str>,
        subscriber: &str,
    ) -> Result<Replica, Ended> {
        let fan_out = redis
            .map(|url| FanOut::new(url, log.as_str()))
            .transpose()
            .map_err(|error| Ended::Settings(error.into()))?;
        let secret = match advertise {
            Some(_) => Some(Secret(self.secret(subscriber)?.to_owned())),
            None => None,
        };
        Ok(Replica {
            name: name.to_owned(),
            url: advertise.map(str::to_owned),
            secret,
            fan_out,
        })
    }

    /// A client of the replicas at `uris` that calls as `subscriber`.
    pub fn client(&self, uris: &str, subscriber: &str) -> Result<Client, Ended> {
        let secret = self.secret(subscriber)?;
        pool(uris)
            .and_then(|pool| with_credential(pool, secret))
            .map_err(|error| Ended::Settings(error.into()))
    }

    /// The secret of `name`.
    pub fn secret(&self, name: &str) -> Result<&str, Ended> {
        let secret = self.secrets.get(name).map(String::as_str);
        secret.ok_or_else(|| Ended::Settings(anyhow::anyhow!("{}: it has no secret for {name}", self.file)))
    }
}
