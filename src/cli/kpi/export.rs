//! The CSV of `stammgast kpi --csv`.

use std::path::Path;

use crate::cli::replaced::replace;
use crate::flow::measure::PeriodFigures;

const HEADER: [&str; 27] = [
    "period",
    "from",
    "to",
    "complete",
    "orders",
    "revenue_cents",
    "active",
    "new",
    "returning",
    "retained",
    "retention_rate",
    "churn_rate",
    "crr",
    "repeat_customers",
    "repeat_purchase_rate",
    "repeat_purchase_rate_cumulative",
    "customers_ever",
    "purchase_frequency",
    "aov_cents",
    "arpu_cents",
    "clv_simple_cents",
    "clv_margin_churn_cents",
    "nps",
    "nps_answers",
    "csat",
    "csat_answers",
    "currency",
];

/// One line for each period, named as in JSON (of surveys the score and the number of answers); unknown is empty. The file is complete or not there.
pub(super) fn write(path: &Path, periods: &[PeriodFigures], currency: &str) -> anyhow::Result<()> {
    replace(path, |file| {
        let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(file);
        csv.write_record(HEADER)?;
        for period in periods {
            let PeriodFigures { period, from, to, complete, figures, surveys } = period;
            let nps = surveys.nps.as_ref().map_or((None, 0), |nps| (nps.score, nps.answers));
            let csat = surveys.csat.as_ref().map_or((None, 0), |csat| (csat.score, csat.answers));
            csv.serialize((period, from.to_string(), to.to_string(), complete, figures, nps, csat, currency))?;
        }
        csv.flush()?;
        Ok(())
    })
}
