//! Sales tax: one rate. `TAX` lines bear it, `NON` lines don't.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::company::Company;
use super::entity::Entity;
use super::fault::Fault;
use super::field::{self, Fields};
use super::money::{self, cents};

/// Lines that bear the tax.
pub(super) const TAXABLE: &str = "TAX";
/// Lines that don't.
pub(super) const EXEMPT: &str = "NON";
/// The code of the sales tax itself, for `TxnTaxDetail.TxnTaxCodeRef`.
pub(super) const SALES_TAX: &str = "2";
/// Percent.
pub(super) const RATE: Decimal = Decimal::from_parts(825, 0, 0, false, 2);

/// The tax of a transaction and how it is told.
pub(super) struct Tax {
    pub(super) total: Decimal,
    pub(super) detail: Value,
}

/// Works out the tax on an amount. A total in the request is taken as it is; so is a code that bears no tax.
pub(super) fn on(company: &Company, asked: Option<&Value>, taxable: Decimal) -> Result<Tax, Fault> {
    let empty = Fields::new();
    let asked = match asked {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(asked)) => asked,
        Some(_) => return Err(Fault::unsupported("TxnTaxDetail", "is not an object")),
    };
    let code = field::reference(asked, "TxnTaxCodeRef")?;
    if let Some(code) = code.as_deref() {
        company.active(Entity::TaxCode, code).ok_or_else(|| Fault::bad_reference(Entity::TaxCode, code))?;
    }
    let exempt = code.as_deref() == Some(EXEMPT);
    let computed = if exempt { Decimal::ZERO } else { cents(taxable * RATE / Decimal::ONE_HUNDRED) };
    let total = field::figure(asked, "TotalTax", 2)?.unwrap_or(computed);
    if total.is_zero() {
        return Ok(Tax { total, detail: json!({ "TotalTax": 0 }) });
    }
    let detail = json!({
        "TxnTaxCodeRef": { "value": code.as_deref().unwrap_or(SALES_TAX) },
        "TotalTax": money::amount(total),
        "TaxLine": [{
            "Amount": money::amount(total),
            "DetailType": "TaxLineDetail",
            "TaxLineDetail": {
                "TaxRateRef": { "value": "3" },
                "PercentBased": true,
                "TaxPercent": money::number(RATE),
                "NetAmountTaxable": money::amount(taxable),
            },
        }],
    });
    Ok(Tax { total, detail })
}
