//! Whether a goal will be reached: the slope of the values so far, drawn on from today's value to the day of the goal.

/// Days that must have passed before values make a trend.
const LEAST_DAYS: i64 = 28;
/// Values that make a trend.
const LEAST_VALUES: usize = 4;

/// How a goal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its first day is still to come.
    NotBegun,
    /// The figure is not known today, or the target not, because it counts from a start that is not known.
    Unknown,
    /// Today's value is there already, or it was on the last day.
    Reached,
    /// The last day has passed without it.
    Missed,
    /// Too few days or values for a trend.
    TooEarly,
    /// If it goes on like this the target is reached.
    OnTrack,
    /// If it goes on like this it is not.
    Behind,
}

impl Progress {
    /// The word in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotBegun => "not_begun",
            Self::Unknown => "unknown",
            Self::Reached => "reached",
            Self::Missed => "missed",
            Self::TooEarly => "too_early",
            Self::OnTrack => "on_track",
            Self::Behind => "behind",
        }
    }

    /// Whether it is; unknown before there is a trend.
    #[must_use]
    pub fn on_track(self) -> Option<bool> {
        match self {
            Self::NotBegun | Self::Unknown | Self::TooEarly => None,
            Self::Reached | Self::OnTrack => Some(true),
            Self::Missed | Self::Behind => Some(false),
        }
    }
}

/// Where a figure is going.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Change per day: the slope of the straight line that fits the values best (least squares).
    pub slope_per_day: Option<f64>,
    /// Today's value and the slope for the days that are left.
    pub expected: Option<f64>,
    /// How it stands.
    pub progress: Progress,
}

/// `values`: day counted from the first one and the figure then (`None`: not known), rising, the last one is today's (or the last day's, if that has
/// passed). `target` is to be reached on day `last_day`, from below or from above (`upward`).
#[must_use]
pub fn outlook(values: &[(i64, Option<f64>)], target: Option<f64>, upward: bool, last_day: i64) -> Outlook {
    let known: Vec<(i64, f64)> = values.iter().filter_map(|(day, value)| Some((*day, (*value)?))).collect();
    let today = values.last().map_or(0, |(day, _)| *day);
    let spread = known.first().zip(known.last()).map_or(0, |(first, last)| last.0 - first.0);
    let slope_per_day = if known.len() >= LEAST_VALUES && spread >= LEAST_DAYS { slope(&known) } else { None };
    let value = values.last().and_then(|(_, value)| *value);
    let expected = value.zip(slope_per_day).map(|(value, slope)| slope.mul_add(days(last_day - today), value));
    let reaches = |value: f64, target: f64| if upward { value >= target } else { value <= target };
    let progress = match (value, target) {
        (Some(value), Some(target)) if reaches(value, target) => Progress::Reached,
        (Some(_), Some(_)) if today >= last_day => Progress::Missed,
        (Some(_), Some(target)) => match expected {
            None => Progress::TooEarly,
            Some(expected) if reaches(expected, target) => Progress::OnTrack,
            Some(_) => Progress::Behind,
        },
        _ => Progress::Unknown,
    };
    Outlook { slope_per_day, expected, progress }
}

/// The slope of the least-squares line; unknown when all values are of one day.
fn slope(values: &[(i64, f64)]) -> Option<f64> {
    let count = days(i64::try_from(values.len()).unwrap_or(i64::MAX));
    let middle_day = values.iter().map(|(day, _)| days(*day)).sum::<f64>() / count;
    let middle_value = values.iter().map(|(_, value)| value).sum::<f64>() / count;
    let (mut across, mut along) = (0.0, 0.0);
    for (day, value) in values {
        let off = days(*day) - middle_day;
        across += off * (value - middle_value);
        along += off * off;
    }
    (along > 0.0).then(|| across / along)
}

#[expect(clippy::cast_precision_loss, reason = "days of a few years")]
fn days(count: i64) -> f64 {
    count as f64
}
