use sangam_sdk::prelude::*;

use super::*;

fn config() -> Config {
    serde_json::from_value(json!({
        "realm-id": "1", "labour-item": "Hours", "parts-item": "Parts", "expense-item": "Travel",
    }))
    .expect("a configuration")
}

fn items() -> Items {
    Items::of(&[
        ("1", "Hours", None, false),
        ("2", "Parts", None, true),
        ("3", "Travel", None, false),
        ("4", "Filter", Some("F-12"), true),
        ("5", "Valve", Some("V-1"), true),
        ("6", "Valve", Some("V-2"), false),
    ])
}

/// `(item, quantity, unit price, amount, tax code, description)` of each line.
fn lines(work: Value) -> Vec<String> {
    let list = |name: &str| work.get(name).cloned().unwrap_or(json!([]));
    let time: Vec<Time> = serde_json::from_value(list("time")).expect("time");
    let parts: Vec<Part> = serde_json::from_value(list("parts")).expect("parts");
    let expenses: Vec<Expense> = serde_json::from_value(list("expenses")).expect("expenses");
    let work = Work { time: &time, parts: &parts, expenses: &expenses };
    let shown = |line: &Value| {
        let detail = &line["SalesItemLineDetail"];
        format!(
            "{} {} × {} = {} {} {}",
            detail["ItemRef"]["value"],
            detail["Qty"],
            detail["UnitPrice"],
            line["Amount"],
            detail["TaxCodeRef"]["value"],
            line["Description"]
        )
    };
    work.lines(&items(), &config()).expect("lines").iter().map(shown).collect()
}

#[test]
fn each_line_is_quantity_times_price_in_cents() {
    for (work, line) in [
        (json!({ "time": [{ "hours": "2.50", "rate": "85.00" }] }), r#""1" 2.50 × 85.00 = 212.50 "NON" null"#),
        (json!({ "time": [{ "hours": "2.3333333333333335", "rate": 90, "taxable": true }] }), r#""1" 2.3333333 × 90 = 210.00 "TAX" null"#),
        (json!({ "parts": [{ "name": "Gasket", "quantity": 3, "unit_price": "0.335" }] }), r#""2" 3 × 0.335 = 1.01 "TAX" "Gasket""#),
        (
            json!({ "parts": [{ "name": "filter", "quantity": 1, "unit_price": "9.99", "taxable": false }] }),
            r#""4" 1 × 9.99 = 9.99 "NON" "filter""#,
        ),
        (json!({ "parts": [{ "sku": "V-2", "name": "Valve", "quantity": 1, "unit_price": 5 }] }), r#""6" 1 × 5 = 5 "NON" "Valve""#),
        (json!({ "parts": [{ "name": "Valve", "quantity": 1, "unit_price": 5 }] }), r#""2" 1 × 5 = 5 "TAX" "Valve""#),
        (json!({ "parts": [{ "sku": "X-9", "quantity": 2, "unit_price": 5 }] }), r#""2" 2 × 5 = 10 "TAX" "X-9""#),
        (json!({ "expenses": [{ "amount": 12.345, "description": "Ferry" }] }), r#""3" 1 × 12.35 = 12.35 "NON" "Ferry""#),
        (json!({ "expenses": [{ "amount": "-5.00" }] }), r#""3" 1 × -5.00 = -5.00 "NON" null"#),
    ] {
        assert_eq!(lines(work), [line]);
    }
}

#[test]
fn only_items_that_are_needed_are_looked_for() {
    let config = config();
    let parts: Vec<Part> = serde_json::from_value(json!([
        { "name": "Valve", "quantity": 1, "unit_price": 5 }, { "name": "Valve", "sku": "V-2", "quantity": 1, "unit_price": 5 },
    ]))
    .expect("parts");
    let work = Work { time: &[], parts: &parts, expenses: &[] };
    assert_eq!(work.item_names(&config), ["Parts", "Valve"]);
    assert_eq!(work.skus(), ["V-2"]);
}
