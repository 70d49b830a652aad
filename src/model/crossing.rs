//! The classes that customers move between, and the history of their moves.

use serde::{Deserialize, Serialize};

use super::score::{Abc, Score};
use crate::base::time::UnixMs;

/// A score whose classes are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tracked {
    /// The class by revenue: 1 = A, 2 = B, 3 = C.
    Abc,
    /// The recency score.
    R,
    /// The frequency score.
    F,
    /// The monetary score.
    M,
    /// The churn risk: 1 = low, 2 = medium, 3 = high.
    Churn,
}

/// A class of each [`Tracked`] score, at its place; `None`: none is known.
pub type Classes = [Option<u8>; Tracked::ALL.len()];

const ABC: [Abc; 3] = [Abc::A, Abc::B, Abc::C];
/// The bands of the churn risk, the lowest first.
pub const CHURN: [&str; 3] = ["low", "medium", "high"];

impl Tracked {
    /// All of them, each at its place.
    pub const ALL: [Self; 5] = [Self::Abc, Self::R, Self::F, Self::M, Self::Churn];

    /// Its name, as it is stored.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Abc => "abc",
            Self::R => "r",
            Self::F => "f",
            Self::M => "m",
            Self::Churn => "churn",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tracked| tracked.code() == text)
    }

    /// The words of its classes, from class 1 on; `None` where a class is a number.
    #[must_use]
    pub fn words(self) -> Option<[&'static str; 3]> {
        match self {
            Self::Abc => Some(ABC.map(Abc::code)),
            Self::Churn => Some(CHURN),
            Self::R | Self::F | Self::M => None,
        }
    }

    /// A class as people read it.
    #[must_use]
    pub fn name(self, class: u8) -> String {
        let word = self.words().and_then(|words| words.get(usize::from(class).checked_sub(1)?).copied());
        word.map_or_else(|| class.to_string(), str::to_owned)
    }
}

/// The classes that scores make; the churn risk is medium and high from these percentages on.
#[must_use]
pub fn classes(score: &Score, churn_bands: [i64; 2]) -> Classes {
    let small = |bucket: i64| u8::try_from(bucket).ok();
    let abc = (1..).zip(ABC).find(|(_, class)| *class == score.abc).map(|(place, _)| place);
    let churn = score.outlook.churn_risk_e2.map(|risk| 1 + churn_bands.iter().map(|from| u8::from(risk >= from * 100)).sum::<u8>());
    [abc, small(score.r), small(score.f), small(score.m), churn]
}

/// A move from one class to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The run that found it settled.
    pub at: UnixMs,
    /// Of which score.
    pub score: Tracked,
    /// The class before; `None`: none was known.
    pub was: Option<u8>,
    /// The class from then on; `None`: none is known any more.
    pub class: Option<u8>,
}

/// The classes that a customer is settled in, and those that have been seen but not for long enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The settled ones.
    pub classes: Classes,
    /// The others.
    pub waiting: [Option<Waiting>; Tracked::ALL.len()],
}

/// A class that waits to be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The class.
    pub class: Option<u8>,
    /// The first of the runs that saw it without a break.
    pub since: UnixMs,
}

/// What is known of a customer's classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PastClasses {
    /// The run that the history of all customers begins with; `None`: there is none.
    pub begins: Option<UnixMs>,
    /// The classes now.
    pub settled: Classes,
    /// All moves, in the order of time.
    pub crossings: Vec<Crossing>,
}

impl PastClasses {
    /// The class that the history begins with.
    fn first(&self, score: Tracked) -> Option<u8> {
        self.crossings.iter().find(|crossing| crossing.score == score).map_or(self.settled[score as usize], |crossing| crossing.was)
    }

    /// The moves at the moment `begins`, with which this history begins, that lead there from the classes that an older one ends with.
    #[must_use]
    pub fn joints(&self, older: &Classes, begins: UnixMs) -> Vec<Crossing> {
        let joint = |score: Tracked| Crossing { at: begins, score, was: older[score as usize], class: self.first(score) };
        Tracked::ALL.into_iter().map(joint).filter(|joint| joint.was != joint.class).collect()
    }

    /// The class right before a moment; `None` when there was none or when the history does not reach back so far. It is what the first move since then left, so
    /// that moves are all that has to be kept.
    #[must_use]
    pub fn before(&self, score: Tracked, moment: UnixMs) -> Option<u8> {
        if self.begins.is_none_or(|begins| begins >= moment) {
            return None;
        }
        let since = self.crossings.iter().find(|crossing| crossing.score == score && crossing.at >= moment);
        since.map_or(self.settled[score as usize], |crossing| crossing.was)
    }
}
