//! Everything in one process on SQLite, beside a bare commit and a send to another task.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use greenstar_standalone::Places;
use tokio::sync::mpsc::unbounded_channel;

use super::officers::{Officers, instants};
use super::suite::connect;
use super::{LOOK, LOOKS};
use crate::bare::Bare;
use crate::child::Child;
use crate::stamps::{self, Passages};
use crate::{load, mono};

/// The suite in one process, and the yardstick in this one.
#[derive(Debug)]
pub(crate) struct Embedded {
    suite: Child,
    stamps: std::path::PathBuf,
    officers: Officers,
    bare: Bare,
}

/// Of one window, in ns.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// From the start of the transaction until the view holds the flag.
    pub(crate) applied: Vec<u64>,
    /// From the commit's return.
    pub(crate) from_commit: Vec<u64>,
    /// From the call of ConfirmFlag.
    pub(crate) from_call: Vec<u64>,
}

impl Embedded {
    /// In a folder that is on a disk.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Embedded> {
        let (data, stamps) = (folder.join("embedded"), folder.join("embedded.stamps"));
        let suite = Child::start([
            "suite".as_ref(),
            "--data".as_ref(),
            data.as_os_str(),
            "--record".as_ref(),
            "durable".as_ref(),
            "--stamps".as_ref(),
            stamps.as_os_str(),
        ])
        .await?;
        let channel = connect(&format!("http://{}", suite.address)).await?;
        let places = Places::new(&data);
        let secrets = [places.secret("enforcement")?, places.secret("enforcement/2")?];
        let [proposer, confirmer] = &secrets;
        let officers = Officers::new(&[channel], [proposer, confirmer])?;
        let bare = Bare::open(&format!("sqlite:{}", folder.join("bare.sqlite").display())).await?;
        Ok(Embedded {
            suite,
            stamps,
            officers,
            bare,
        })
    }

    /// From the start of a bare commit until another task was sent word of it, ns.
    pub(crate) async fn measure_bare(&mut self, rate: u32, duration: Duration) -> anyhow::Result<Vec<u64>> {
        let (send, mut sent) = unbounded_channel::<u64>();
        let receiving = tokio::spawn(async move {
            let mut delays = Vec::new();
            while let Some(begun) = sent.recv().await {
                delays.push(mono::now() - begun);
            }
            delays
        });
        let (pace, mut due) = unbounded_channel();
        let pacing = tokio::task::spawn_blocking(move || load::pace(rate, duration, &[pace]));
        while due.recv().await.is_some() {
            let begun = mono::now();
            self.bare.commit().await?;
            send.send(begun)?;
        }
        drop(send);
        pacing.await?;
        Ok(receiving.await?)
    }

    /// The same of the suite.
    pub(crate) async fn measure(&mut self, rate: u32, duration: Duration) -> anyhow::Result<Window> {
        let proposals = self.officers.propose(instants(rate, duration)).await?;
        let (told, _) = unbounded_channel();
        let confirmed = self.officers.confirm(proposals, rate, duration, told).await?;
        let last = confirmed
            .iter()
            .max_by_key(|confirmed| confirmed.flag.at.revision);
        let last = last.context("nothing was confirmed")?.flag.at.clone();
        let passages = self.passed(&last.epoch.to_string(), last.revision.0).await?;
        let mut window = Window::default();
        for confirmed in confirmed {
            let revision = confirmed.flag.at.revision.0;
            let commit = passages
                .commit(revision)
                .context("a revision that nobody committed")?;
            let applied = passages.applied(revision).context("a view that is behind")?;
            window.applied.push(applied.saturating_sub(commit.0));
            window.from_commit.push(applied.saturating_sub(commit.1));
            window.from_call.push(applied.saturating_sub(confirmed.called));
        }
        Ok(window)
    }

    async fn passed(&self, epoch: &str, revision: u64) -> anyhow::Result<Passages> {
        for _ in 0..LOOKS {
            let passages = Passages::of(&stamps::read(&self.stamps)?, epoch);
            if passages.applied(revision).is_some() && passages.commit(revision).is_some() {
                return Ok(passages);
            }
            tokio::time::sleep(LOOK).await;
        }
        anyhow::bail!("the view does not apply revision {revision}")
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.suite.stop().await
    }
}
