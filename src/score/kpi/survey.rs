//! NPS and CSAT from survey answers. Without answers there is no score: unknown, never 0.

use serde::Serialize;

use super::figures::ratio;

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
