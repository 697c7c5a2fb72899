//! Another gateway, as the configuration describes it.

use sangam_sdk::prelude::*;

use crate::{
    client::text_at,
    config::{Config, Format, Gateway},
    number::spelled,
    send::{MESSAGE, Send, Sent},
};

pub fn send(input: &Send, gateway: &Gateway, cx: &Context<Config>) -> Result<Sent, Failure> {
    let from = input.from.as_ref().or(cx.config.from.as_ref()).cloned().unwrap_or_default();
    let key = cx.key(MESSAGE);
    let to = spelled(&input.to, gateway.numbers);
    let filled = Filled { to: &to, from: &from, text: &input.text, key: &key };
    let fields: Vec<(&String, Value)> = gateway.fields.iter().map(|(name, value)| (name, filled.value(value))).collect();
    let url = format!("{}{}", cx.config.base_url.trim_end_matches('/'), gateway.path);
    let request = cx.post(url).name(MESSAGE);
    let request = match gateway.format {
        Format::Json => request.json(&fields.into_iter().map(|(name, value)| (name.clone(), value)).collect::<serde_json::Map<_, _>>()),
        Format::Form => request.form(fields.iter().map(|(name, value)| (name.as_str(), plain(value)))),
        Format::Query => fields.iter().fold(request, |request, (name, value)| request.query(name, plain(value))),
    };
    let response = request.send()?.ok()?;
    let answer: Value = response.json().unwrap_or_else(|_| Value::String(response.text().trim().to_owned()));
    if let Some(success) = &gateway.success {
        let said = text_at(&answer, &success.at).unwrap_or_default();
        let whole_body = success.at.is_empty();
        // Many answer `OK: 4711`: of a text its beginning counts.
        let fits = |value: &String| if whole_body { said.starts_with(value.as_str()) } else { said == *value };
        if !success.values.iter().any(fits) {
            let why = Some(gateway.error.as_str()).filter(|at| !at.is_empty()).and_then(|at| text_at(&answer, at)).unwrap_or(said);
            return Err(Failure::rejected(format!("the gateway did not take the message: {why}")).response(&response));
        }
    }
    let message_id = Some(gateway.message_id.as_str()).filter(|at| !at.is_empty()).and_then(|at| text_at(&answer, at));
    Ok(Sent { message_id, to: input.to.clone(), status: "accepted".to_owned() })
}

struct Filled<'a> {
    to: &'a str,
    from: &'a str,
    text: &'a str,
    key: &'a str,
}

impl Filled<'_> {
    /// The value with everything in its place, at any depth.
    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), self.value(member))).collect(),
            other => other.clone(),
        }
    }

    /// In one go, so that a text with `{key}` in it stays what it is.
    fn text(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let known = [("{to}", self.to), ("{from}", self.from), ("{text}", self.text), ("{key}", self.key)];
            filled.push_str(&rest[..open]);
            rest = &rest[open..];
            match known.iter().find(|(name, _)| rest.starts_with(name)) {
                Some((name, value)) => {
                    filled.push_str(value);
                    rest = &rest[name.len()..];
                }
                None => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled + rest
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
