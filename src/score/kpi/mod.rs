//! Key figures of the shop: paid orders, customer by customer, become counts per period, rates, cohorts and a Pareto table.

mod calendar;
mod cohort;
mod counter;
mod figures;
mod pareto;
mod survey;
mod trend;

pub use calendar::{days_back, months, periods};
pub use cohort::{Cell, Cohort, cohorts};
pub use counter::{Counted, Counter, Frame};
pub use figures::{Assumptions, Figures, gross_margin, ratio};
pub use pareto::{Pareto, Top, pareto};
pub use survey::{AnswerCounter, Answers, Csat, Nps};
pub use trend::{Outlook, Progress, outlook};
