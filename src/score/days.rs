//! Calendar days of very many moments: the offset of the zone is looked up once for each day of Greenwich, not for each moment.

use chrono::Datelike as _;

use crate::base::time::{DAY_MS, UnixMs, Zone};

/// Days of Greenwich from 1970 on that are remembered, to about 2079; others take longer.
const MOST: usize = 40_000;

/// What is known of a day of Greenwich.
#[derive(Clone, Copy, Debug)]
enum Known {
    Nothing,
    /// In milliseconds, all day long.
    Offset(i32),
    /// The clocks are changed on it.
    Changes,
}

/// The calendar of a zone.
#[derive(Debug)]
pub(super) struct Days {
    zone: Zone,
    known: Vec<Known>,
}

impl Days {
    pub(super) fn new(zone: Zone) -> Self {
        Self { zone, known: Vec::new() }
    }

    /// The number of the calendar day of a moment, counted from the beginning of the common era.
    pub(super) fn of(&mut self, at: UnixMs) -> i32 {
        let day = at.0.div_euclid(DAY_MS);
        match usize::try_from(day).ok().filter(|place| *place < MOST).map(|place| self.known(place, day)) {
            Some(Known::Offset(offset)) => number((at.0 + i64::from(offset)).div_euclid(DAY_MS)),
            _ => self.zone.date(at).num_days_from_ce(),
        }
    }

    fn known(&mut self, place: usize, day: i64) -> Known {
        if place >= self.known.len() {
            self.known.resize(place + 1, Known::Nothing);
        }
        if matches!(self.known[place], Known::Nothing) {
            let offset = |at: i64| i32::try_from(UnixMs::from(self.zone.wall(UnixMs(at)).and_utc()).0 - at);
            let (first, last) = (offset(day * DAY_MS), offset(day * DAY_MS + DAY_MS - 1));
            // No zone changes its clocks twice on a day.
            self.known[place] = first.ok().filter(|_| first == last).map_or(Known::Changes, Known::Offset);
        }
        self.known[place]
    }
}

/// 1 January 1970 is the 719,163rd day; within the remembered days all fit.
fn number(days_since_1970: i64) -> i32 {
    i32::try_from(days_since_1970).map_or(i32::MAX, |days| days.saturating_add(719_163))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_zone_also_where_clocks_are_changed() {
        for name in ["Europe/Berlin", "America/St_Johns", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kolkata", "UTC"] {
            let zone = Zone::parse(name).unwrap();
            let mut days = Days::new(zone);
            // Every 25 minutes of some years with their changes, and far away.
            let near = (0..90_000).map(|step| 1_293_000_000_000 + step * 25 * 60_000);
            for at in near.chain([0, -1, -DAY_MS * 400, 4_000_000_000_000, 253_000_000_000_000]).map(UnixMs) {
                assert_eq!(days.of(at), zone.date(at).num_days_from_ce(), "{at} in {name}");
            }
        }
    }
}
