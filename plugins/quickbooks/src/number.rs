//! Numbers of invoices by job.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    client::{quote_all, select},
    invoice::{ENTITY, Invoice, WRITE},
};

/// Characters that QuickBooks takes of a number.
const MAX_LENGTH: usize = 21;
/// Invoices of one job: the living one and those voided before it.
const MAX_TRIES: usize = 9;

/// The number for an invoice.
#[derive(Debug)]
pub enum Number {
    /// QuickBooks gives the next.
    Automatic,
    /// Nobody has it.
    Free(String),
    /// The invoice that this very step made in an earlier attempt has it.
    Taken(Box<Invoice>),
}

/// The number for a job's invoice: prefix and job, and after voided invoices `-2`, `-3`, … behind them, since a voided
/// invoice keeps its number.
pub fn of_job(cx: &Cx, job_id: &str) -> Result<Number, Failure> {
    let Some(prefix) = &cx.config.doc_number_prefix else {
        return Ok(Number::Automatic);
    };
    let first = format!("{prefix}{job_id}");
    let mut numbers = vec![first.clone()];
    numbers.extend((2..=MAX_TRIES).map(|n| format!("{first}-{n}")));
    if first.chars().count() > MAX_LENGTH {
        return Err(Failure::rejected(format!(
            "The invoice number `{first}` is longer than {MAX_LENGTH} characters: shorten the job's id, or leave `doc-number-prefix` out"
        )));
    }
    let values = quote_all(numbers.iter().map(String::as_str));
    let rest = format!("WHERE DocNumber IN {values} MAXRESULTS 1000");
    choose(numbers, select(cx, ENTITY, &rest)?, &cx.key(WRITE))
}

fn choose(numbers: Vec<String>, found: Vec<Invoice>, key: &str) -> Result<Number, Failure> {
    let has = |invoice: &Invoice, number: &str| invoice.doc_number.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(number));
    for number in numbers {
        let Some(holder) = found.iter().position(|invoice| has(invoice, &number)) else {
            if number.chars().count() > MAX_LENGTH {
                break;
            }
            return Ok(Number::Free(number));
        };
        let holder = &found[holder];
        if holder.is_void() {
            continue;
        }
        if !holder.is_of(key) {
            return Err(Failure::rejected(format!(
                "Invoice {number} is in QuickBooks already (id {}): the job was invoiced, or the number is another's",
                holder.id
            )));
        }
        let ours = found.into_iter().find(|invoice| has(invoice, &number));
        return Ok(Number::Taken(Box::new(ours.expect("the holder was just found"))));
    }
    Err(Failure::rejected("The job has too many voided invoices: no number is left for another"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoices(found: &[(&str, &str, u32)]) -> Vec<Invoice> {
        let invoice = |(number, note, total): &(&str, &str, u32)| {
            let invoice = json!({ "Id": "7", "SyncToken": "0", "DocNumber": number, "PrivateNote": note, "TotalAmt": total });
            serde_json::from_value(invoice).expect("an invoice")
        };
        found.iter().map(invoice).collect()
    }

    fn chosen(found: &[(&str, &str, u32)]) -> Result<Number, Failure> {
        let numbers = ["J1", "J1-2", "J1-3"].map(str::to_owned).to_vec();
        choose(numbers, invoices(found), "key")
    }

    #[test]
    fn a_number_is_used_once_and_passed_on_by_the_void() {
        let voided = ("j1", "Voided - Job 1\n[old]", 0);
        assert!(matches!(chosen(&[]), Ok(Number::Free(number)) if number == "J1"));
        assert!(matches!(chosen(&[voided]), Ok(Number::Free(number)) if number == "J1-2"));
        assert!(matches!(chosen(&[("J1", "Job 1\n[key]", 10)]), Ok(Number::Taken(_))));
        assert!(matches!(chosen(&[voided, ("J1-2", "Job 1\n[key]", 10)]), Ok(Number::Taken(_))));
        let taken = chosen(&[("J1", "Job 1\n[other]", 10)]).expect_err("another's");
        assert_eq!(taken.kind, FailureKind::Rejected);
        assert!(taken.reason.starts_with("Invoice J1 is in QuickBooks already (id 7)"), "{}", taken.reason);
        let all = ["J1", "J1-2", "J1-3"].map(|number| (number, "Voided", 0));
        assert!(chosen(&all).is_err());
    }
}
