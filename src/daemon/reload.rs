//! Rules and templates are read aside and swapped whole, when a signal or the API asks for it and when their files have changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::files::{Fingerprint, Watch};
use crate::base::clock::Clock;
use crate::config::Config;
use crate::flow::campaign::{Campaign, InForce};
use crate::flow::reload::{Swap, Wish};
use crate::flow::{Ctx, trigger};
use crate::model::fault::FileFault;
use crate::web::pulse::{Health, Pulse};

/// What a reload needs.
pub(super) struct Reloader {
    pub(super) ctx: Ctx,
    pub(super) in_force: Arc<InForce>,
    /// Where the configuration was read from.
    pub(super) config_path: Option<PathBuf>,
    pub(super) pulse: Arc<Pulse>,
    /// Told when other rules are in force.
    pub(super) changed: Arc<Notify>,
    pub(super) watch: Watch,
}

impl Reloader {
    /// Fulfils wishes and looks at the files until `stop`. A file system that does not answer holds up this task alone.
    pub(super) async fn run(mut self, mut wishes: mpsc::Receiver<Wish>, stop: CancellationToken) {
        let watch_s = self.ctx.config.rules.watch_s;
        let mut looks = tokio::time::interval(Duration::from_secs(watch_s.max(1)));
        // Two looks are never closer than that, or a file that is being written may be the same at both.
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tell_faults(0);
        loop {
            let wish = tokio::select! {
                () = stop.cancelled() => return,
                Some(wish) = wishes.recv() => Some(wish),
                _ = looks.tick(), if watch_s > 0 => None,
            };
            let work = async {
                if wish.is_some() {
                    return self.wished().await;
                }
                self.look().await;
                None
            };
            let came = tokio::select! {
                () = stop.cancelled() => {
                    // Before the wish is gone: whoever waits for it sees why nobody answers.
                    wishes.close();
                    return;
                }
                came = work => came,
            };
            if let (Some(wish), Some(came)) = (wish, came) {
                let _ = wish.send(came);
            }
        }
    }

    /// Whatever the files are like. Other settings need a restart, which is said when they changed.
    async fn wished(&mut self) -> Option<Result<Swap, Vec<FileFault>>> {
        match Config::load(self.config_path.as_deref()) {
            Ok(fresh) if fresh != *self.ctx.config => {
                tracing::warn!("the configuration changed: settings besides rules and templates take effect at the next start");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the configuration cannot be read; the running one stays"),
        }
        if let Some(found) = self.fingerprint().await {
            self.watch.tried(found);
        }
        let loaded = self.load().await?;
        Some(self.take_up(loaded).await)
    }

    async fn look(&mut self) {
        let Some(found) = self.fingerprint().await else { return };
        if !self.watch.look(found) {
            return;
        }
        let loaded = self.load().await;
        // Files that changed while they were read: what was read may be half of each.
        if self.fingerprint().await == Some(found)
            && let Some(loaded) = loaded
        {
            self.watch.tried(found);
            let _ = self.take_up(loaded).await;
        }
    }

    async fn fingerprint(&self) -> Option<Fingerprint> {
        let config = Arc::clone(&self.ctx.config);
        self.aside(move || Fingerprint::of(&config)).await
    }

    async fn load(&self) -> Option<Result<Campaign, Vec<FileFault>>> {
        let (in_force, config) = (Arc::clone(&self.in_force), Arc::clone(&self.ctx.config));
        self.aside(move || in_force.load_next(&config)).await
    }

    /// Files are read away from the async workers.
    async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let done = tokio::task::spawn_blocking(work).await;
        done.inspect_err(|error| tracing::error!(%error, "reading rules and templates ended unexpectedly")).ok()
    }

    /// Swaps, or says what is wrong.
    async fn take_up(&self, loaded: Result<Campaign, Vec<FileFault>>) -> Result<Swap, Vec<FileFault>> {
        let now = Clock::System.now();
        let fresh = match loaded {
            Ok(fresh) => fresh,
            Err(faults) => {
                tell_faults(faults.len());
                for fault in &faults {
                    tracing::error!("{fault}");
                }
                tracing::error!(faults = faults.len(), "nothing was reloaded: the running rules and templates stay in force");
                let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
                self.pulse.note("reload", now, Health::Warns, format!("{} faults, the running rules stay: {}", faults.len(), said.join("; ")));
                return Err(faults);
            }
        };
        tell_faults(0);
        self.ctx.own.put(Some(Arc::clone(&fresh.scores)));
        let swap = self.in_force.put(fresh);
        let campaign = self.in_force.get();
        tracing::info!(rules = campaign.rules.rules().len(), "rules and templates reloaded");
        log_warnings(&campaign);
        // At once: runs before the moment that a version is noted are not made up for.
        if let Err(error) = trigger::note(&self.ctx, &campaign).await {
            tracing::warn!(%error, "the new versions are noted later");
        }
        self.pulse.note("reload", now, Health::Well, "rules and templates reloaded");
        self.changed.notify_one();
        Ok(swap)
    }
}

/// What is perhaps not what was meant, once at each load.
pub(super) fn log_warnings(campaign: &Campaign) {
    for warning in &campaign.warnings {
        tracing::warn!("{warning}");
    }
}

fn tell_faults(count: usize) {
    metrics::gauge!("stammgast_reload_faults").set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
}
