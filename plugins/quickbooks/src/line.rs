//! Lines of an invoice, from time, parts and expenses.

use sangam_sdk::prelude::*;

use crate::{
    amount::Amount,
    client::clip,
    config::Config,
    item::{Item, Items},
};

/// Characters that QuickBooks takes of a line's description.
const MAX_DESCRIPTION: usize = 4000;

/// Time that was worked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// Such as `2.5`.
    pub hours: Amount,
    /// Price of an hour.
    pub rate: Amount,
    /// What was done.
    pub description: Option<String>,
    /// Day of the work, `YYYY-MM-DD`.
    pub date: Option<String>,
    /// Whether it bears tax; by default as the item does.
    pub taxable: Option<bool>,
    /// Id of a billable time activity, such as `record-time` gives: it counts as billed then.
    pub time_activity_id: Option<String>,
}

/// A part that was used.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Sold as the item of that name, if there is one, else as the configured `parts-item`.
    pub name: Option<String>,
    /// Sold as the item with that SKU, if there is one.
    pub sku: Option<String>,
    /// How many.
    pub quantity: Amount,
    /// Price of one.
    pub unit_price: Amount,
    /// By default its name.
    pub description: Option<String>,
    /// Whether it bears tax; by default as the item does.
    pub taxable: Option<bool>,
}

/// An expense that the customer pays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expense {
    /// What it was.
    pub description: Option<String>,
    /// What it cost.
    pub amount: Amount,
    /// Whether it bears tax; by default as the item does.
    pub taxable: Option<bool>,
}

/// What an invoice is made of.
#[derive(Debug)]
pub struct Work<'a> {
    pub time: &'a [Time],
    pub parts: &'a [Part],
    pub expenses: &'a [Expense],
}

impl Work<'_> {
    /// Names of the items that its lines may need.
    pub fn item_names<'a>(&'a self, config: &'a Config) -> Vec<&'a str> {
        let configured = [
            (self.time.is_empty(), &config.labour_item),
            (self.parts.is_empty(), &config.parts_item),
            (self.expenses.is_empty(), &config.expense_item),
        ];
        let configured = configured.into_iter().filter(|(unused, _)| !unused);
        let configured = configured.filter_map(|(_, name)| name.as_deref());
        let parts = self.parts.iter().filter_map(|part| part.name.as_deref());
        unique(configured.chain(parts))
    }

    /// Its SKUs.
    pub fn skus(&self) -> Vec<&str> {
        unique(self.parts.iter().filter_map(|part| part.sku.as_deref()))
    }

    /// The lines: amounts in cents, each rounded by itself, as QuickBooks checks them.
    pub fn lines(&self, items: &Items, config: &Config) -> Result<Vec<Value>, Failure> {
        let mut lines = Vec::new();
        for time in self.time {
            let item = configured(items, "labour-item", config.labour_item.as_deref())?;
            let mut line = Line::new(item, time.hours, time.rate, time.taxable);
            line.description = time.description.as_deref();
            line.date = time.date.as_deref();
            lines.push(line.write(config)?);
        }
        for part in self.parts {
            let own = part.sku.as_deref().and_then(|sku| items.stocked(sku));
            let own = own.or_else(|| items.named(part.name.as_deref()?));
            let item = match own {
                Some(item) => item,
                None => configured(items, "parts-item", config.parts_item.as_deref())?,
            };
            let mut line = Line::new(item, part.quantity, part.unit_price, part.taxable);
            let given = [&part.description, &part.name, &part.sku];
            line.description = given.into_iter().find_map(|text| text.as_deref());
            lines.push(line.write(config)?);
        }
        for expense in self.expenses {
            let item = configured(items, "expense-item", config.expense_item.as_deref())?;
            let mut line = Line::new(item, Amount::ONE, expense.amount.cents(), expense.taxable);
            line.description = expense.description.as_deref();
            lines.push(line.write(config)?);
        }
        if lines.is_empty() {
            return Err(Failure::rejected("There is nothing to invoice: no time, no parts, no expenses"));
        }
        Ok(lines)
    }

    /// The time activities that the invoice bills.
    pub fn links(&self) -> Vec<Value> {
        let ids = self.time.iter().filter_map(|time| time.time_activity_id.as_deref());
        ids.map(|id| json!({ "TxnId": id, "TxnType": "TimeActivity" })).collect()
    }
}

struct Line<'a> {
    item: &'a Item,
    quantity: Amount,
    price: Amount,
    taxable: bool,
    description: Option<&'a str>,
    date: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn new(item: &'a Item, quantity: Amount, price: Amount, taxable: Option<bool>) -> Self {
        Self {
            item,
            quantity: quantity.factor(),
            price: price.factor(),
            taxable: taxable.unwrap_or(item.taxable),
            description: None,
            date: None,
        }
    }

    fn write(&self, config: &Config) -> Result<Value, Failure> {
        let amount = self
            .quantity
            .times(self.price)
            .ok_or_else(|| Failure::rejected(format!("{} × {} is too large", self.quantity.0, self.price.0)))?;
        let tax_code = if self.taxable { &config.tax_code } else { &config.exempt_tax_code };
        let mut line = json!({
            "DetailType": "SalesItemLineDetail",
            "Amount": amount,
            "SalesItemLineDetail": {
                "ItemRef": { "value": self.item.id },
                "Qty": self.quantity,
                "UnitPrice": self.price,
                "TaxCodeRef": { "value": tax_code },
            },
        });
        if let Some(text) = self.description {
            line["Description"] = clip(text, MAX_DESCRIPTION).into();
        }
        if let Some(date) = self.date {
            line["SalesItemLineDetail"]["ServiceDate"] = date.into();
        }
        Ok(line)
    }
}

fn configured<'a>(items: &'a Items, key: &str, name: Option<&str>) -> Result<&'a Item, Failure> {
    let Some(name) = name else {
        return Err(Failure::rejected(format!("configuration.{key} is missing: it names the QuickBooks item of these lines")));
    };
    items.named(name).ok_or_else(|| Failure::rejected(format!("configuration.{key}: QuickBooks has no active item `{name}`, or several")))
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
