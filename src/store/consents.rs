//! What customers said about being written to: only ever appended.

use std::collections::HashSet;

use sqlx::QueryBuilder;

use super::db::{MAX_BINDS, StoreError, Tx};
use crate::base::id::Id;
use crate::model::consent::Consent;

const COLUMNS: usize = 4;

/// Appends statements; one that is there already stays as it is. Returns the customers of whom one was new.
///
/// # Errors
/// When the database fails.
pub async fn append(tx: &mut Tx, statements: &[(Id, &Consent)]) -> Result<HashSet<Id>, StoreError> {
    let mut new = HashSet::new();
    for chunk in statements.chunks(MAX_BINDS / COLUMNS) {
        let rows: Vec<i64> = on!(tx, |c| {
            let mut query = QueryBuilder::new("INSERT INTO consents (customer_id, at, kind, source) ");
            query.push_values(chunk, |mut values, (customer, consent)| {
                values.push_bind(customer.0).push_bind(consent.at.0).push_bind(consent.kind.code()).push_bind(consent.source.as_str());
            });
            query.push(" ON CONFLICT DO NOTHING RETURNING customer_id").build_query_scalar().persistent(false).fetch_all(c).await
        })?;
        new.extend(rows.into_iter().map(Id));
    }
    Ok(new)
}
