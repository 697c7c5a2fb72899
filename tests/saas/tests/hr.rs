//! The HR stand-in over HTTP.

mod client;

use client::client;
use reqwest::{Method, Response};
use sangam_saas::Saas;
use serde_json::{Value, json};

struct Hr(Saas);

impl Hr {
    async fn start() -> Hr {
        Hr(Saas::start().await.expect("free loopback ports"))
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Response {
        let mut request = client().request(method, format!("{}{path}", self.0.hr.url())).bearer_auth("hr-token");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.expect("answered")
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.send(Method::GET, path, None, &[]).await;
        assert_eq!(response.status(), 200, "{path}");
        json_of(response).await
    }

    async fn put(&self, id: &str, body: &Value, headers: &[(&str, &str)]) -> Response {
        self.send(Method::PUT, &format!("/v1/time-entries/{id}"), Some(body), headers).await
    }
}

async fn json_of(response: Response) -> Value {
    response.json().await.expect("a JSON answer")
}

fn entry() -> Value {
    json!({
        "employee_ref": "emp-1", "work_date": "2026-11-20", "start": "2026-11-20T08:00:00Z",
        "end": "2026-11-20T17:30:00Z", "break_minutes": 30, "regular_minutes": 480, "overtime_minutes": 60,
        "doubletime_minutes": 0, "job_ref": "job-1001", "note": "boiler",
    })
}

#[tokio::test]
async fn an_entry_is_put_once_however_often_it_is_sent() {
    let hr = Hr::start().await;
    let first = hr.put("job-1001:emp-1", &entry(), &[]).await;
    assert_eq!(first.status(), 201);
    let tag = first.headers()["etag"].to_str().expect("text").to_owned();
    let again = hr.put("job-1001:emp-1", &entry(), &[]).await;
    assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (200, &tag.parse().expect("a tag")));

    let mut changed = entry();
    changed["overtime_minutes"] = json!(90);
    let refused = hr.put("job-1001:emp-1", &changed, &[("If-Match", "\"9\"")]).await;
    assert_eq!(refused.status(), 412);
    let matched = hr.put("job-1001:emp-1", &changed, &[("If-Match", &tag)]).await;
    assert_eq!(matched.status(), 200);
    assert_ne!(matched.headers()["etag"], tag.as_str());
    assert_eq!(hr.put("job-1001:emp-1", &entry(), &[("If-None-Match", "*")]).await.status(), 412);
    assert_eq!(hr.put("other", &entry(), &[("If-Match", "*")]).await.status(), 412);

    let read = hr.get("/v1/time-entries/job-1001:emp-1").await;
    assert_eq!((&read["overtime_minutes"], &read["external_id"]), (&json!(90), &json!("job-1001:emp-1")));
    assert_eq!(hr.get("/v1/time-entries?employee_ref=emp-1&from=2026-11-20").await["items"][0], read);
    assert_eq!(hr.get("/v1/time-entries?employee_ref=emp-1&to=2026-11-19").await["items"], json!([]));
    assert_eq!(hr.0.hr.state()["time_entries"].as_object().map(|entries| entries.len()), Some(1));
    let path = "/v1/time-entries/job-1001:emp-1";
    assert_eq!(hr.send(Method::DELETE, path, None, &[]).await.status(), 204);
    assert_eq!(hr.send(Method::DELETE, path, None, &[]).await.status(), 404);
}

#[tokio::test]
async fn bad_fields_are_named() {
    let hr = Hr::start().await;
    let wrong = json!({
        "employee_ref": "emp-9", "work_date": "2026-02-30", "regular_minutes": 1441, "overtime_minutes": "60",
        "break_minutes": -1, "doubletime_minutes": 0, "start": "yesterday", "extra": 1,
    });
    let response = hr.put("x", &wrong, &[]).await;
    assert_eq!(response.status(), 422);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem = json_of(response).await;
    let pointers: Vec<&str> = problem["errors"].as_array().expect("errors").iter().filter_map(|error| error["pointer"].as_str()).collect();
    let expected = ["#/employee_ref", "#/work_date", "#/start", "#/break_minutes", "#/regular_minutes", "#/overtime_minutes", "#/"];
    assert_eq!(pointers, expected);
    let mut long = entry();
    long["regular_minutes"] = json!(1_400);
    assert_eq!(hr.put("x", &long, &[]).await.status(), 422);
    let mut backwards = entry();
    backwards["end"] = json!("2026-11-20T07:00:00Z");
    assert_eq!(hr.put("x", &backwards, &[]).await.status(), 422);
    assert_eq!(hr.send(Method::PUT, "/v1/time-entries/x", None, &[]).await.status(), 415);
    hr.0.hr.set("closed-through", "2026-11-20").expect("a day");
    assert_eq!(hr.put("x", &entry(), &[]).await.status(), 409);
}

#[tokio::test]
async fn leaves_are_polled_by_change_and_in_pages() {
    let hr = Hr::start().await;
    let changed = hr.get("/v1/leaves?updated_since=2026-11-18T00:00:00Z").await;
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items");
        items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(ids(&changed), ["lv-5", "lv-2"]);
    assert_eq!(ids(&hr.get("/v1/leaves?from=2026-11-20&to=2026-11-23").await), ["lv-1", "lv-2"]);
    let added = json!([{ "employee_ref": "emp-3", "kind": "sick", "start": "2027-01-04", "end": "2027-01-05" }]);
    hr.0.hr.set("add-leaves", added).expect("a leave");
    hr.0.hr.set("leave-page", 4).expect("a number");
    let first = hr.get("/v1/leaves").await;
    let cursor = first["next_cursor"].as_str().expect("more");
    let second = hr.get(&format!("/v1/leaves?cursor={cursor}")).await;
    assert_eq!((ids(&first).len(), ids(&second)), (4, vec!["lv-2".to_owned(), "lv-added-1".to_owned()]));
    assert_eq!(second["next_cursor"], Value::Null);
    assert_eq!(hr.send(Method::GET, "/v1/leaves?cursor=x", None, &[]).await.status(), 400);
    assert_eq!(hr.send(Method::GET, "/v1/leaves?from=x", None, &[]).await.status(), 400);
}

#[tokio::test]
async fn employees_are_found_by_email() {
    let hr = Hr::start().await;
    assert_eq!(hr.get("/v1/employees?email=ANA.RUIZ@acme.example").await["items"][0]["id"], "emp-2");
    assert_eq!(hr.get("/v1/employees?email=nobody@acme.example").await["items"], json!([]));
}

#[tokio::test]
async fn a_token_or_a_key_is_needed() {
    let hr = Hr::start().await;
    let url = format!("{}/v1/employees", hr.0.hr.url());
    let without = client().get(&url).send().await.expect("answered");
    assert_eq!((without.status().as_u16(), &without.headers()["www-authenticate"]), (401, &"Bearer".parse().expect("text")));
    let key = |key: &'static str| client().get(&url).header("X-Api-Key", key).send();
    assert_eq!(key("hr-key").await.expect("answered").status(), 200);
    assert_eq!(key("other").await.expect("answered").status(), 401);
}

#[tokio::test]
async fn too_many_requests_are_told_how_long_to_wait() {
    let hr = Hr::start().await;
    hr.0.hr.set("rate-limit", json!({ "requests": 2, "seconds": 30 })).expect("a limit");
    hr.get("/v1/employees").await;
    let second = hr.send(Method::GET, "/v1/employees", None, &[]).await;
    assert_eq!(second.headers()["ratelimit-remaining"], "0");
    let third = hr.send(Method::GET, "/v1/employees", None, &[]).await;
    assert_eq!(third.status(), 429);
    let wait: u64 = third.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=30).contains(&wait));
    assert_eq!(third.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn the_other_shape_does_a_create_each_time_and_is_looked_up_by_reference() {
    let hr = Hr::start().await;
    let hours = json!({ "emp": "emp-2", "day": "2026-11-20", "hrs": "7.5", "ot": 1.25, "ref": "job-1001:emp-2" });
    for id in [1, 2] {
        let added = hr.send(Method::POST, "/hr/api/hours", Some(&hours), &[]).await;
        assert_eq!(added.status(), 201);
        assert_eq!(json_of(added).await, json!({ "id": id }));
    }
    let found = hr.get("/hr/api/hours?emp=emp-2&ref=job-1001:emp-2").await;
    assert_eq!(found["rows"].as_array().map(Vec::len), Some(2));
    assert_eq!(found["rows"][0]["ot"], json!(1.25));
    assert_eq!(hr.send(Method::DELETE, "/hr/api/hours/1", None, &[]).await.status(), 204);
    assert_eq!(hr.send(Method::DELETE, "/hr/api/hours/1", None, &[]).await.status(), 404);
    assert_eq!(hr.get("/hr/api/hours?ref=nope").await["rows"], json!([]));
    let wrong = json!({ "emp": "emp-2", "day": "2026-11-20", "hrs": 25 });
    let refused = hr.send(Method::POST, "/hr/api/hours", Some(&wrong), &[]).await;
    assert_eq!(refused.status(), 400);
    assert!(json_of(refused).await["error"].is_string());
}
