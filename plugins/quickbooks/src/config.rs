//! What an administrator says of a company's books.

use sangam_sdk::prelude::*;

/// One company of QuickBooks Online.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// `https://quickbooks.api.intuit.com`, or `https://sandbox-quickbooks.api.intuit.com`.
    #[serde(default = "production")]
    pub base_url: String,
    /// The company's id, which Intuit calls realm.
    pub realm_id: String,
    /// Name of the item that time is sold as. Needed for invoices with time.
    pub labour_item: Option<String>,
    /// Name of the item that parts are sold as which have no item of their own. Needed for invoices with such parts.
    pub parts_item: Option<String>,
    /// Name of the item that expenses are passed on as. Needed for invoices with expenses.
    pub expense_item: Option<String>,
    /// Tax code of taxable lines: `TAX` in the United States, an id of the company's list elsewhere.
    #[serde(default = "taxable")]
    pub tax_code: String,
    /// Tax code of the other lines: `NON` in the United States.
    #[serde(default = "exempt")]
    pub exempt_tax_code: String,
    /// Id of the sales tax of the whole invoice (`TxnTaxDetail.TxnTaxCodeRef`), where QuickBooks does not find it by address.
    pub sales_tax_code: Option<String>,
    /// Needed outside of the United States: `TaxExcluded`, `TaxInclusive` or `NotApplicable`.
    pub global_tax_calculation: Option<String>,
    /// Id of the payment terms (`SalesTermRef`) of invoices without `due_in_days`.
    pub terms: Option<String>,
    /// Numbers invoices by their job: this prefix and the job's id, together at most 21 characters. A job then has one
    /// living invoice. Without it QuickBooks gives the numbers.
    pub doc_number_prefix: Option<String>,
    /// Currency of invoices, such as `USD`, where the company keeps several.
    pub currency: Option<String>,
    /// How many seconds a poll looks back behind the last one.
    #[serde(default = "overlap")]
    #[schemars(range(max = 3600))]
    pub overlap_seconds: u32,
}

fn overlap() -> u32 {
    30
}

fn production() -> String {
    "https://quickbooks.api.intuit.com".to_owned()
}

fn taxable() -> String {
    "TAX".to_owned()
}

fn exempt() -> String {
    "NON".to_owned()
}
