//! NPS and CSAT from survey answers. Without answers there is no score: unknown, never 0.

use serde::Serialize;

use super::figures::ratio;
use crate::base::time::UnixMs;
use crate::model::event::Survey;
use crate::model::kpi::Span;

/// Net promoter score: answers 0 to 10 to "would you recommend us?" (Reichheld 2003).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Nps {
    /// Answers.
    pub answers: i64,
    /// Those of 9 and 10.
    pub promoters: i64,
    /// Those of 7 and 8.
    pub passives: i64,
    /// Those of 0 to 6.
    pub detractors: i64,
    /// `100 · (promoters − detractors) / answers`: −100 to 100.
    pub score: Option<f64>,
    /// The score as people say it: rounded half up.
    pub rounded: Option<i64>,
    /// Standard error of the score in points; 95 % lie within about twice that.
    pub standard_error: Option<f64>,
    /// Mean answer.
    pub mean: Option<f64>,
}

impl Nps {
    /// From how often each answer from 0 to 10 was given.
    #[must_use]
    pub fn of(given: &[i64; 11]) -> Self {
        let (detractors, passives, promoters) = (given[..=6].iter().sum::<i64>(), given[7] + given[8], given[9] + given[10]);
        let answers = detractors + passives + promoters;
        let spread = ratio(promoters + detractors, answers).zip(ratio(promoters - detractors, answers));
        let standard_error = spread.zip(ratio(1, answers)).map(|((either, net), each)| 100.0 * ((either - net * net).max(0.0) * each).sqrt());
        Self {
            answers,
            promoters,
            passives,
            detractors,
            score: ratio(100 * (promoters - detractors), answers),
            rounded: (answers > 0).then(|| (200 * (promoters - detractors) + answers).div_euclid(2 * answers)),
            standard_error,
            mean: ratio((0..).zip(given).map(|(answer, times): (i64, _)| answer * times).sum(), answers),
        }
    }
}

/// Customer satisfaction: answers 1 to 5, the share of the two best ("top-2-box").
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Csat {
    /// Answers.
    pub answers: i64,
    /// Those of 4 and 5.
    pub satisfied: i64,
    /// `100 · satisfied / answers`: percent.
    pub score: Option<f64>,
    /// Mean answer.
    pub mean: Option<f64>,
}

impl Csat {
    /// From how often each answer from 1 to 5 was given.
    #[must_use]
    pub fn of(given: &[i64; 5]) -> Self {
        let (answers, satisfied) = (given.iter().sum(), given[3] + given[4]);
        let sum = (1..).zip(given).map(|(answer, times): (i64, _)| answer * times).sum();
        Self { answers, satisfied, score: ratio(100 * satisfied, answers), mean: ratio(sum, answers) }
    }
}

/// How often each answer was given in a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// 0 to 10.
    nps: [i64; 11],
    /// 1 to 5.
    csat: [i64; 5],
}

impl Answers {
    /// Counts an answer; one that the survey does not have is left out.
    pub fn add(&mut self, survey: Survey, answer: u8) {
        let place = match survey {
            Survey::Nps => self.nps.get_mut(usize::from(answer)),
            Survey::Csat => usize::from(answer).checked_sub(1).and_then(|place| self.csat.get_mut(place)),
        };
        if let Some(times) = place {
            *times += 1;
        }
    }

    /// The net promoter score; `None` without answers.
    #[must_use]
    pub fn nps(&self) -> Option<Nps> {
        Some(Nps::of(&self.nps)).filter(|nps| nps.answers > 0)
    }

    /// The satisfaction; `None` without answers.
    #[must_use]
    pub fn csat(&self) -> Option<Csat> {
        Some(Csat::of(&self.csat)).filter(|csat| csat.answers > 0)
    }
}

/// Counts answers in lists of spans, as [`super::Counter`] counts purchases.
#[derive(Debug)]
pub struct AnswerCounter {
    lists: Vec<Vec<Span>>,
    counted: Vec<Vec<Answers>>,
}

impl AnswerCounter {
    /// Nothing is counted yet. In each list `from` and `until` never fall.
    #[must_use]
    pub fn new(lists: Vec<Vec<Span>>) -> Self {
        let counted = lists.iter().map(|spans| vec![Answers::default(); spans.len()]).collect();
        Self { lists, counted }
    }

    /// The next answer, in any order.
    pub fn push(&mut self, survey: Survey, answer: u8, at: UnixMs) {
        for (spans, counted) in self.lists.iter().zip(&mut self.counted) {
            let (first, after) = (spans.partition_point(|span| span.until <= at), spans.partition_point(|span| span.from <= at));
            for answers in counted.iter_mut().take(after).skip(first) {
                answers.add(survey, answer);
            }
        }
    }

    /// What was counted, list by list.
    #[must_use]
    pub fn finish(self) -> Vec<Vec<Answers>> {
        self.counted
    }
}
