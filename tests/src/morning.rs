//! A morning of a repair company: eight jobs, and what its systems know of them beforehand.

use std::collections::BTreeMap;

use sangam_saas::Saas;
use serde_json::{Value, json};

use crate::company;

/// A job.
#[derive(Debug)]
pub struct Job {
    /// Index in [`TECHNICIANS`].
    pub technician: usize,
    /// Index in [`CUSTOMERS`].
    pub customer: usize,
    /// Hours at the customer's.
    pub hours: &'static str,
    /// What was done.
    pub notes: &'static str,
    /// Number in the warehouse, name, quantity, price of one; they bear tax.
    pub parts: &'static [(&'static str, &'static str, &'static str, &'static str)],
    /// What the way there cost.
    pub travel: &'static str,
}

/// The jobs of the morning.
pub const JOBS: &[Job] = &[
    Job {
        technician: 0,
        customer: 0,
        hours: "2.5",
        notes: "Replaced the circulation pump and bled the system",
        parts: &[("PUMP-15-60", "Pump", "1", "189.90")],
        travel: "24.00",
    },
    Job {
        technician: 1,
        customer: 1,
        hours: "1.25",
        notes: "Cleaned the condenser, refilled 0.4 kg of R-290",
        parts: &[("R290", "Refrigerant, kg", "0.4", "62.50")],
        travel: "18.50",
    },
    Job {
        technician: 2,
        customer: 2,
        hours: "3",
        notes: "Rewired the control cabinet",
        parts: &[("RELAY-24V", "Relay", "4", "11.35"), ("TB-4", "Terminal block", "2", "7.80")],
        travel: "0.00",
    },
    Job { technician: 0, customer: 1, hours: "4", notes: "Found the leak in the flow line, welded it", parts: &[], travel: "12.00" },
    Job {
        technician: 1,
        customer: 3,
        hours: "2",
        notes: "Yearly service; filter changed",
        parts: &[("FILTER-G4", "Filter", "1", "34.20")],
        travel: "22.75",
    },
    Job {
        technician: 0,
        customer: 2,
        hours: "3.5",
        notes: "Emergency call: burst pipe in the cellar",
        parts: &[("PIPE-22", "Pipe, m", "6", "8.15"), ("FIT-22", "Fitting", "5", "3.49")],
        travel: "31.00",
    },
    Job { technician: 2, customer: 0, hours: "1.5", notes: "Thermostat calibrated", parts: &[], travel: "24.00" },
    Job {
        technician: 1,
        customer: 2,
        hours: "5.5",
        notes: "Compressor exchanged under warranty",
        parts: &[("GASKET-SET", "Gasket set", "1", "19.99")],
        travel: "31.00",
    },
];

/// Who works: id in HR, name.
pub const TECHNICIANS: &[(&str, &str)] = &[("emp-1", "Tom Field"), ("emp-2", "Ana Ruiz"), ("emp-3", "Lee Park")];

/// Who pays: name, e-mail address.
pub const CUSTOMERS: &[(&str, &str)] = &[
    ("Acme Heating", "ada.stone@acme.example"),
    ("Blue Lake Hotel", "desk@bluelake.example"),
    ("Harbour Cold Stores", "ops@harbour.example"),
    ("Mill Lane School", "office@milllane.example"),
];

/// A morning: [`JOBS`] under numbers of its own, on a day of its own.
#[derive(Debug)]
pub struct Morning {
    first: usize,
    date: String,
    tickets: BTreeMap<usize, String>,
}

impl Morning {
    /// Opens a case in the CRM for each job, and a ticket at the service desk for every other one. `first` numbers the jobs,
    /// `date` is their day, `YYYY-MM-DD`.
    ///
    /// # Errors
    /// When a system refuses.
    pub async fn open(saas: &Saas, first: usize, date: &str) -> anyhow::Result<Morning> {
        let mut morning = Morning { first, date: date.to_owned(), tickets: BTreeMap::new() };
        let crm = company::crm(saas).await?;
        let desk = company::desk(saas);
        for (index, job) in JOBS.iter().enumerate() {
            company::open_case(&crm, &morning.job_id(index), job.notes).await?;
            if index % 2 == 0 {
                morning.tickets.insert(index, company::open_ticket(&desk, job.notes).await?);
            }
        }
        Ok(morning)
    }

    /// The same for somebody who knows no systems: without cases and tickets.
    pub fn of(first: usize, date: &str) -> Morning {
        Morning { first, date: date.to_owned(), tickets: BTreeMap::new() }
    }

    /// Id of a job.
    pub fn job_id(&self, index: usize) -> String {
        format!("job-{}", self.first + index)
    }

    /// Its ticket at the service desk, if it has one.
    pub fn ticket(&self, index: usize) -> Option<&str> {
        self.tickets.get(&index).map(String::as_str)
    }

    /// The day.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// What the technician's device sends when the job is done.
    pub fn event(&self, index: usize) -> Value {
        let job = &JOBS[index];
        let (employee, technician) = TECHNICIANS[job.technician];
        let (customer, email) = CUSTOMERS[job.customer];
        let number = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
        let minutes = job.hours.parse::<f64>().map_or(0, |hours| (hours * 60.0).round() as u32);
        let parts: Vec<Value> = job
            .parts
            .iter()
            .map(|(item, name, quantity, price)| json!({ "item": item, "description": name, "quantity": number(quantity), "unit_price": number(price), "taxable": true }))
            .collect();
        let expenses = if job.travel == "0.00" {
            json!([])
        } else {
            json!([{ "description": "Travel", "amount": number(job.travel), "taxable": false }])
        };
        let date = &self.date;
        json!({
            "specversion": "1.0",
            "id": format!("{}-completed", self.job_id(index)),
            "source": "/field-service/springfield",
            "type": "job.completed",
            "time": format!("{date}T{:02}:{:02}:00Z", 8 + index / 2, (index % 2) * 30),
            "data": {
                "job_id": self.job_id(index),
                "status": "completed",
                "date": date,
                "technician": { "id": employee, "name": technician },
                "customer": { "name": customer, "email": email },
                "ticket_id": self.ticket(index),
                "notes": job.notes,
                "worked_minutes": minutes,
                "labour": [{ "hours": number(job.hours), "rate": number("95.00"), "description": job.notes, "date": date, "taxable": false }],
                "parts": parts,
                "expenses": expenses,
            },
        })
    }
}

/// The records of a list, or of an object by id.
pub fn records(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}
