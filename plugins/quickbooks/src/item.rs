//! Items: what the lines of an invoice sell.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    client::{quote_all, select},
};

/// Names in one query, so that its URL stays short.
const BATCH: usize = 50;

/// An item as QuickBooks has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Item {
    pub id: String,
    #[serde(default)]
    name: String,
    sku: Option<String>,
    /// `Service`, `NonInventory`, `Inventory`; `Category` and `Group` can't be sold on a line.
    #[serde(default)]
    r#type: String,
    /// Lines of it bear tax, unless they say otherwise.
    #[serde(default)]
    pub taxable: bool,
}

/// The items that an invoice needs.
#[derive(Debug, Default)]
pub struct Items(Vec<Item>);

impl Items {
    /// Looks items up by name and by SKU.
    pub fn find(cx: &Cx, names: &[&str], skus: &[&str]) -> Result<Self, Failure> {
        let mut found = Vec::new();
        for (field, values) in [("Name", names), ("Sku", skus)] {
            for batch in values.chunks(BATCH) {
                let values = quote_all(batch.iter().copied());
                let rest = format!("WHERE {field} IN {values} MAXRESULTS 1000");
                found.extend(select::<Item>(cx, "Item", &rest)?);
            }
        }
        found.retain(|item| !matches!(item.r#type.as_str(), "Category" | "Group"));
        Ok(Self(found))
    }

    /// The only item of that name.
    pub fn named(&self, name: &str) -> Option<&Item> {
        self.only(|item| item.name.eq_ignore_ascii_case(name))
    }

    /// The only item with that SKU.
    pub fn stocked(&self, sku: &str) -> Option<&Item> {
        self.only(|item| item.sku.as_deref() == Some(sku))
    }

    /// Names are unique within a category only: of several no one knows which is meant.
    fn only(&self, is: impl Fn(&Item) -> bool) -> Option<&Item> {
        let mut found = self.0.iter().filter(|item| is(item));
        let first = found.next()?;
        found.all(|other| other.id == first.id).then_some(first)
    }
}

#[cfg(test)]
impl Items {
    /// `(id, name, sku, taxable)`.
    pub fn of(items: &[(&str, &str, Option<&str>, bool)]) -> Self {
        let item = |(id, name, sku, taxable): &(&str, &str, Option<&str>, bool)| Item {
            id: (*id).into(),
            name: (*name).into(),
            sku: sku.map(str::to_owned),
            r#type: "Service".into(),
            taxable: *taxable,
        };
        Self(items.iter().map(item).collect())
    }
}
