//! What is in the books at the start.

use serde_json::{Value, json};

use super::REALM;
use super::company::Company;
use super::entity::Entity;
use super::tax;
use super::write::{Operation, write};

/// A company with accounts, tax codes, items, staff and two customers.
///
/// Items: `21` Labor hours, `22` Parts, `23` Travel expense. Customers `58` and `59`, employees `60` to `62`, vendor `63`.
pub(super) fn company() -> Company {
    let mut company = Company::new();
    given(&mut company, Entity::CompanyInfo, REALM, json!({ "CompanyName": "Sangam Test Services", "Country": "US" }));
    for (id, name, kind, subtype) in [
        ("1", "Services", "Income", "ServiceFeeIncome"),
        ("79", "Sales of Product Income", "Income", "SalesOfProductIncome"),
        ("80", "Cost of Goods Sold", "Cost of Goods Sold", "SuppliesMaterialsCogs"),
        ("84", "Accounts Receivable (A/R)", "Accounts Receivable", "AccountsReceivable"),
    ] {
        let account = json!({ "Name": name, "FullyQualifiedName": name, "AccountType": kind, "AccountSubType": subtype, "Active": true });
        given(&mut company, Entity::Account, id, account);
    }
    for (id, name, taxable) in [(tax::TAXABLE, "TAX", true), (tax::EXEMPT, "NON", false), (tax::SALES_TAX, "Sales tax", true)] {
        let code = json!({ "Name": name, "Description": name, "Active": true, "Taxable": taxable, "TaxGroup": id == tax::SALES_TAX });
        given(&mut company, Entity::TaxCode, id, code);
    }
    given(&mut company, Entity::TaxRate, "3", json!({ "Name": "Sales tax", "Active": true, "RateValue": super::money::number(tax::RATE) }));
    for (name, kind, price, taxable, account) in
        [("Labor hours", "Service", 85, false, "1"), ("Parts", "NonInventory", 0, true, "79"), ("Travel expense", "Service", 0, false, "1")]
    {
        add(
            &mut company,
            Entity::Item,
            &json!({
                "Name": name, "Type": kind, "UnitPrice": price, "Taxable": taxable,
                "IncomeAccountRef": { "value": account },
            }),
        );
    }
    for (name, email) in [("Acme Facilities", "billing@acme.example"), ("Delta Cold Stores", "accounts@delta.example")] {
        add(
            &mut company,
            Entity::Customer,
            &json!({
                "DisplayName": name,
                "CompanyName": name,
                "PrimaryEmailAddr": { "Address": email },
                "BillAddr": { "Line1": "1 Harbour Road", "City": "Springfield", "CountrySubDivisionCode": "IL", "PostalCode": "62701" },
            }),
        );
    }
    for (given, family, email) in STAFF {
        add(
            &mut company,
            Entity::Employee,
            &json!({ "GivenName": given, "FamilyName": family, "PrimaryEmailAddr": { "Address": email }, "BillableTime": true }),
        );
    }
    add(&mut company, Entity::Vendor, &json!({ "DisplayName": "Northside Subcontracting" }));
    company
}

/// The technicians, the same people as in the HR system.
const STAFF: [(&str, &str, &str); 3] =
    [("Tom", "Field", "tom.field@acme.example"), ("Ana", "Ruiz", "ana.ruiz@acme.example"), ("Lee", "Park", "lee.park@acme.example")];

fn add(company: &mut Company, entity: Entity, body: &Value) {
    write(company, entity, Operation::Save, body).expect("seeded records are valid");
}

/// A record that the API doesn't write.
fn given(company: &mut Company, entity: Entity, id: &str, mut record: Value) {
    record["Id"] = json!(id);
    record["SyncToken"] = json!("0");
    record["domain"] = json!("QBO");
    record["sparse"] = json!(false);
    let time = "2026-01-02T08:00:00-08:00";
    record["MetaData"] = json!({ "CreateTime": time, "LastUpdatedTime": time });
    company.put(entity, id, record.as_object().cloned().unwrap_or_default());
}
