//! Figures that take long to make and that anybody may ask for: made by one at a time, and seldom enough to leave the machine to its work.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::clock::Clock;
use crate::base::time::UnixMs;
use crate::flow::FlowError;

/// For how many times as long as they took to make figures are shown: at most a twentieth of a core goes into them, and a small shop's are always new.
const SHOWN: i64 = 20;

/// The latest figures.
#[derive(Debug)]
pub struct Glance<T> {
    kept: Arc<Mutex<Option<Kept<T>>>>,
    making: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Kept<T> {
    figures: Arc<T>,
    made_at: UnixMs,
    until: UnixMs,
}

impl<T> Default for Glance<T> {
    fn default() -> Self {
        Self { kept: Arc::default(), making: Arc::default() }
    }
}

impl<T: Send + Sync + 'static> Glance<T> {
    /// The figures: those that are kept while they are new enough, or while somebody makes new ones. Whoever asks may go away: they are made all the same,
    /// so that impatient readers do not begin them again and again.
    ///
    /// # Errors
    /// That of `make`.
    pub async fn get<F>(&self, clock: &Clock, make: F) -> Result<Arc<T>, FlowError>
    where
        F: Future<Output = Result<T, FlowError>> + Send + 'static,
    {
        let turn = match Arc::clone(&self.making).try_lock_owned() {
            Ok(turn) => turn,
            Err(_) => match self.kept(None) {
                Some(old) => return Ok(old),
                None => Arc::clone(&self.making).lock_owned().await,
            },
        };
        if let Some(new) = self.kept(Some(clock.now())) {
            return Ok(new);
        }
        let (kept, clock) = (Arc::clone(&self.kept), clock.clone());
        let made = tokio::spawn(async move {
            let _turn = turn;
            let begun = clock.now();
            let figures = Arc::new(make.await?);
            let made_at = clock.now();
            let until = made_at.plus((made_at.0 - begun.0) * SHOWN);
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept { figures: Arc::clone(&figures), made_at, until });
            Ok(figures)
        });
        made.await.map_err(|error| FlowError::Worker(error.to_string()))?
    }

    /// What is kept, if it is new enough at `now`; without a `now`, whatever there is.
    fn kept(&self, now: Option<UnixMs>) -> Option<Arc<T>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not make old figures new.
        let is_new = |kept: &&Kept<T>| now.is_none_or(|now| (kept.made_at..kept.until).contains(&now));
        kept.as_ref().filter(is_new).map(|kept| Arc::clone(&kept.figures))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// A clock, and figures that take a second of it.
    fn slow(clock: &Clock, figures: u64) -> impl Future<Output = Result<u64, FlowError>> + Send + use<> {
        let clock = clock.clone();
        async move {
            clock.set(clock.now().plus(1_000));
            Ok(figures)
        }
    }

    #[tokio::test]
    async fn figures_are_shown_for_twenty_times_as_long_as_they_took() {
        let (glance, clock) = (Glance::default(), Clock::simulated(UnixMs(0)));
        assert_eq!(*glance.get(&clock, slow(&clock, 1)).await.unwrap(), 1);
        for (at_s, figures, shown) in [(20, 2, 1), (21, 3, 3), (41, 4, 3), (2, 5, 5)] {
            clock.set(UnixMs(at_s * 1000));
            assert_eq!(*glance.get(&clock, slow(&clock, figures)).await.unwrap(), shown, "at {at_s} s");
        }
    }

    #[tokio::test]
    async fn who_asks_while_new_ones_are_made_gets_the_old_ones_at_once() {
        let (glance, clock) = (Arc::new(Glance::default()), Clock::simulated(UnixMs(0)));
        glance.get(&clock, slow(&clock, 1)).await.unwrap();
        clock.set(UnixMs(60_000));
        let ((begun, has_begun), (go, wait)) = (oneshot::channel(), oneshot::channel::<()>());
        let (ours, its) = (Arc::clone(&glance), clock.clone());
        let first = tokio::spawn(async move {
            let make = async move {
                begun.send(()).unwrap();
                wait.await.unwrap();
                Ok(2)
            };
            ours.get(&its, make).await
        });
        has_begun.await.unwrap();
        assert_eq!(*glance.get(&clock, slow(&clock, 3)).await.unwrap(), 1);
        go.send(()).unwrap();
        assert_eq!(*first.await.unwrap().unwrap(), 2);
    }

    #[tokio::test]
    async fn figures_are_made_to_their_end_though_nobody_waits_for_them_any_more() {
        let (glance, clock) = (Arc::new(Glance::default()), Clock::simulated(UnixMs(0)));
        let ((begun, has_begun), (go, wait)) = (oneshot::channel(), oneshot::channel::<()>());
        let (ours, its) = (Arc::clone(&glance), clock.clone());
        let impatient = tokio::spawn(async move {
            let slow = slow(&its, 1);
            let make = async move {
                begun.send(()).unwrap();
                wait.await.unwrap();
                slow.await
            };
            ours.get(&its, make).await
        });
        has_begun.await.unwrap();
        impatient.abort();
        go.send(()).unwrap();
        assert_eq!(*glance.get(&clock, slow(&clock, 2)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_fault_is_told_and_not_kept() {
        let (glance, clock) = (Glance::<u64>::default(), Clock::simulated(UnixMs(0)));
        assert!(glance.get(&clock, async { Err(FlowError::Worker("no".to_owned())) }).await.is_err());
        assert_eq!(*glance.get(&clock, async { Ok(7) }).await.unwrap(), 7);
    }
}
