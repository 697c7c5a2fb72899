//! The words of a letter: its subject and its texts, as a step's input has them or as a template of the configuration makes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::config::MailTemplate;
use crate::mapping::{EvalError, Evaluator, Scope, Written};

/// Subject and texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// `subject`
    pub subject: String,
    /// `text`
    pub text: Option<String>,
    /// `html`
    pub html: Option<String>,
}

impl Words {
    /// The words of a step's input. What the input says itself takes the place of what its template would say.
    ///
    /// # Errors
    /// A template that is not there, or that fails on these values.
    pub async fn of(input: &Value, templates: &BTreeMap<String, Arc<MailTemplate>>, evaluator: &Evaluator) -> Result<Words, String> {
        let text = |name: &str| input.get(name).and_then(Value::as_str).map(str::to_owned);
        let own = Words { subject: text("subject").unwrap_or_default(), text: text("text"), html: text("html") };
        let Some(name) = text("template") else {
            return Ok(own);
        };
        let template = templates.get(&name).ok_or_else(|| format!("there is no template `{name}`"))?;
        let values = input.get("values").cloned().unwrap_or(Value::Null);
        let made = written(template.clone(), text("language"), &values, evaluator).await;
        let made = made.map_err(|error| format!("template `{name}`: {error}"))?;
        Ok(Words {
            subject: if own.subject.is_empty() { made.subject } else { own.subject },
            text: own.text.or(made.text),
            html: own.html.or(made.html),
        })
    }
}

/// A template's words for these values. Each text is that of the nearest language that has it.
async fn written(template: Arc<MailTemplate>, language: Option<String>, values: &Value, evaluator: &Evaluator) -> Result<Words, String> {
    let scope = Scope::from_json(values).map_err(|error| error.to_string())?;
    let made = evaluator.run(move |session| {
        let nearest = template.nearest(language.as_deref().unwrap_or_default());
        let write = |text: Option<&crate::mapping::Template>, written| text.map(|text| session.text(text, &scope, written)).transpose();
        let subject = write(nearest.iter().find_map(|texts| texts.subject.as_deref()), Written::Plain)?;
        let text = write(nearest.iter().find_map(|texts| texts.text.as_deref()), Written::Plain)?;
        let html = write(nearest.iter().find_map(|texts| texts.html.as_deref()), Written::Html)?;
        Ok::<_, EvalError>(Words { subject: subject.unwrap_or_default(), text, html })
    });
    made.await.map_err(|error| error.to_string())
}
