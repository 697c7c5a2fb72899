//! `leave-to-schedule`.

use serde_json::json;

use super::{Stage, appears, eventually, set};

pub(super) async fn play(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let (hr, field) = (&stage.saas.hr, &stage.saas.fieldservice);
    let vacation = json!({ "id": "leave-1", "employee_ref": "emp-2", "kind": "vacation", "status": "approved", "start": "2026-12-21", "end": "2026-12-24" });
    let illness = json!({ "id": "leave-2", "employee_ref": "emp-3", "kind": "sick", "status": "approved", "start": "2026-12-03", "end": "2026-12-04" });
    set(hr, "add-leaves", json!([vacation, illness]))?;
    let away = appears(field, "absences", "the vacation in the schedule", |absence| absence["external_id"] == "leave-1").await?;
    let ill = appears(field, "absences", "the sick leave in the schedule", |absence| absence["external_id"] == "leave-2").await?;
    anyhow::ensure!(!ill.to_string().contains("sick"), "the schedule says who is ill: {ill}");
    let mut back = vacation.clone();
    back["status"] = "cancelled".into();
    set(hr, "add-leaves", json!([back]))?;
    eventually("the vacation to be out of the schedule", async || {
        let left = field.state()["absences"].as_array().cloned().unwrap_or_default();
        Ok(left.iter().all(|absence| absence["external_id"] != "leave-1").then_some(()))
    })
    .await?;
    stage.settled().await?;
    Ok(vec![
        "HR             Ana Ruiz has leave from 21 to 24 December; Lee Park is ill on 3 and 4 December".to_owned(),
        format!("field service  Ana Ruiz can't be planned from {} to {}", away["start"], away["end"]).replace('"', ""),
        format!("field service  Lee Park can't be planned from {} to {}; why is nobody's business there", ill["start"], ill["end"])
            .replace('"', ""),
        "HR             Ana Ruiz takes the leave back".to_owned(),
        "field service  Ana Ruiz can be planned again".to_owned(),
    ])
}
