//! Tells systemd how we are (sd_notify); does nothing when nobody listens.

use std::time::Duration;

use sd_notify::NotifyState;

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!(%error, "systemd cannot be told");
    }
}

/// Ready to work (again).
pub(super) fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Reloading; [`ready`] follows.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(_) => send(&[NotifyState::Reloading]),
    }
}

/// Ending.
pub(super) fn stopping() {
    send(&[NotifyState::Stopping, NotifyState::Status("finishing open mail transactions")]);
}

/// Alive.
pub(super) fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// Half of what the watchdog allows, if there is one.
pub(super) fn watchdog_interval() -> Option<Duration> {
    let mut allowed_us = 0;
    sd_notify::watchdog_enabled(false, &mut allowed_us).then(|| Duration::from_micros(allowed_us / 2))
}
