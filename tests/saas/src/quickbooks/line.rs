//! The lines of an invoice.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::company::Company;
use super::entity::Entity;
use super::fault::Fault;
use super::field::{self, Fields};
use super::money::{self, cents};
use super::tax;

const FIELDS: [&str; 11] = [
    "Id",
    "LineNum",
    "Description",
    "Amount",
    "DetailType",
    "LinkedTxn",
    "SalesItemLineDetail",
    "DescriptionLineDetail",
    "DiscountLineDetail",
    "SubTotalLineDetail",
    "CustomField",
];
const SALES_FIELDS: [&str; 13] = [
    "ItemRef",
    "ClassRef",
    "Qty",
    "UnitPrice",
    "RatePercent",
    "TaxCodeRef",
    "ServiceDate",
    "DiscountRate",
    "DiscountAmt",
    "TaxInclusiveAmt",
    "MarkupInfo",
    "ItemAccountRef",
    "TaxClassificationRef",
];
const MAX_DESCRIPTION: usize = 4000;
/// Lines of one taxable invoice.
const MAX_LINES: usize = 750;

/// Checked lines and their sums.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) lines: Vec<Value>,
    /// Of all sales lines.
    pub(super) subtotal: Decimal,
    /// Of the sales lines that bear tax.
    pub(super) taxable: Decimal,
    pub(super) discount: Decimal,
}

/// Checks the lines of a request and works out their sums.
pub(super) fn settle(company: &Company, given: Option<&Value>) -> Result<Lines, Fault> {
    let given = given.and_then(Value::as_array).filter(|lines| !lines.is_empty()).ok_or_else(|| Fault::missing("Line"))?;
    let mut all = Lines::default();
    let mut discount = None;
    for line in given {
        let line = line.as_object().ok_or_else(|| Fault::unsupported("Line", "is not an object"))?;
        field::only(line, |name| FIELDS.contains(&name), "Line.")?;
        field::text(line, "Description", MAX_DESCRIPTION)?;
        let mut line = line.clone();
        match field::text(&line, "DetailType", 40)?.ok_or_else(|| Fault::missing("Line.DetailType"))? {
            "SalesItemLineDetail" => all.sell(company, &mut line)?,
            "DescriptionOnly" => as_text(&mut line),
            "DiscountLineDetail" => {
                discount = Some(line);
                continue;
            }
            // It is worked out anew and comes last.
            "SubTotalLineDetail" => continue,
            other => {
                return Err(Fault::unsupported("DetailType", &format!("has no value {other}")));
            }
        }
        line.insert("Id".to_owned(), json!((all.lines.len() + 1).to_string()));
        line.insert("LineNum".to_owned(), json!(all.lines.len() + 1));
        all.lines.push(Value::Object(line));
    }
    if all.lines.is_empty() {
        return Err(Fault::missing("Line"));
    }
    if all.lines.len() > MAX_LINES && !all.taxable.is_zero() {
        return Err(Fault::business(&format!("A taxable transaction has at most {MAX_LINES} lines.")));
    }
    let subtotal = json!({
        "Amount": money::amount(all.subtotal),
        "DetailType": "SubTotalLineDetail",
        "SubTotalLineDetail": {},
    });
    all.lines.push(subtotal);
    if let Some(line) = discount {
        all.reduce(line)?;
    }
    Ok(all)
}

impl Lines {
    fn sell(&mut self, company: &Company, line: &mut Fields) -> Result<(), Fault> {
        let detail = line.get("SalesItemLineDetail").and_then(Value::as_object);
        let mut detail = detail.cloned().ok_or_else(|| Fault::missing("Line.SalesItemLineDetail"))?;
        field::only(&detail, |name| SALES_FIELDS.contains(&name), "Line.SalesItemLineDetail.")?;
        if field::refer(company, &mut detail, "ItemRef", Entity::Item)?.is_none() {
            as_text(line);
            return Ok(());
        }
        let amount = field::figure(line, "Amount", 2)?.ok_or_else(|| Fault::missing("Line.Amount"))?;
        let quantity = field::figure(&detail, "Qty", 7)?;
        let price = field::figure(&detail, "UnitPrice", 7)?;
        if let (Some(quantity), Some(price)) = (quantity, price) {
            let product = quantity.checked_mul(price).map(cents);
            if product != Some(amount.normalize()) {
                return Err(Fault::amount(&amount.normalize().to_string()));
            }
        }
        field::day(&detail, "ServiceDate")?;
        let code = field::reference(&detail, "TaxCodeRef")?.unwrap_or_else(|| tax::EXEMPT.to_owned());
        company.active(Entity::TaxCode, &code).ok_or_else(|| Fault::bad_reference(Entity::TaxCode, &code))?;
        self.subtotal += amount;
        if code == tax::TAXABLE {
            self.taxable += amount;
        }
        detail.insert("TaxCodeRef".to_owned(), json!({ "value": code }));
        for (field, value) in [("Qty", quantity), ("UnitPrice", price)] {
            if let Some(value) = value {
                detail.insert(field.to_owned(), money::number(value));
            }
        }
        line.insert("Amount".to_owned(), money::amount(amount));
        line.insert("SalesItemLineDetail".to_owned(), Value::Object(detail));
        Ok(())
    }

    /// A discount on the whole, in percent or as an amount. It comes after the subtotal.
    fn reduce(&mut self, mut line: Fields) -> Result<(), Fault> {
        let detail = line.get("DiscountLineDetail").and_then(Value::as_object).cloned().unwrap_or_default();
        let percent = field::figure(&detail, "DiscountPercent", 7)?;
        if let Some(percent) = percent.filter(|percent| percent.abs() > Decimal::ONE_HUNDRED) {
            return Err(Fault::invalid_number("DiscountPercent", &percent.to_string()));
        }
        self.discount = match percent.filter(|_| detail.get("PercentBased") == Some(&json!(true))) {
            Some(percent) => cents(self.subtotal * percent / Decimal::ONE_HUNDRED),
            None => field::figure(&line, "Amount", 2)?.ok_or_else(|| Fault::missing("Line.Amount"))?,
        };
        line.insert("Amount".to_owned(), money::amount(self.discount));
        line.remove("Id");
        self.lines.push(Value::Object(line));
        Ok(())
    }
}

/// Makes a line a text: without an item its amount counts for nothing.
fn as_text(line: &mut Fields) {
    line.remove("Amount");
    line.remove("SalesItemLineDetail");
    line.insert("DetailType".to_owned(), json!("DescriptionOnly"));
    line.insert("DescriptionLineDetail".to_owned(), json!({}));
}
