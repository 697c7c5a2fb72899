//! Faults that a test asks a stand to commit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which requests fail, how many of them, and in which way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Wire")]
pub struct Fault {
    /// Only this method; any when absent. Case doesn't matter.
    pub method: Option<String>,
    /// Glob over the whole path, where `*` stands for any run of characters. A glob that holds a `?` is compared with
    /// path and query, others with the path alone.
    pub path: String,
    /// Matching requests let through first.
    pub skip: u32,
    /// Matching requests that fail after those; then the fault is gone.
    pub times: u32,
    /// What happens.
    pub act: FaultAct,
}

/// A way to fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum FaultAct {
    /// Answers this and does nothing else.
    Status {
        /// HTTP status.
        status: u16,
        /// Header fields of the answer.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The body as text. In JSON any value is taken; one that isn't a string is sent as its JSON text.
        #[serde(default)]
        body: String,
    },
    /// Waits, then does what was asked and answers, also when the client has gone meanwhile.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Does what was asked, and answers later.
    Late {
        /// Milliseconds.
        ms: u64,
    },
    /// Resets the TCP connection without an answer and before doing anything.
    Reset,
    /// Does what was asked, then closes the connection without answering.
    LoseAnswer,
    /// Does what was asked, announces the whole answer, sends only the start of its body and closes.
    Truncate {
        /// Bytes of the body that are sent.
        bytes: usize,
    },
    /// Takes the request and does nothing, without an answer, as long as the client waits.
    Hang,
    /// Does what was asked, and sends the body of the answer byte by byte.
    Trickle {
        /// Milliseconds before each byte.
        ms: u64,
    },
    /// Does what was asked, and answers this instead.
    Disown {
        /// HTTP status.
        status: u16,
    },
}

impl Fault {
    /// The next request to a path that matches fails so.
    pub fn once(path: impl Into<String>, act: FaultAct) -> Fault {
        Fault { method: None, path: path.into(), skip: 0, times: 1, act }
    }

    fn concerns(&self, method: &str, path_and_query: &str) -> bool {
        let path = path_and_query.split('?').next().unwrap_or_default();
        let subject = if self.path.contains('?') { path_and_query } else { path };
        self.method.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(method)) && glob(&self.path, subject)
    }
}

/// The faults of one stand that are still to come.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one behind the others.
    pub fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Those still to come.
    pub fn pending(&self) -> &[Fault] {
        &self.0
    }

    /// What this request suffers: the first matching fault that isn't letting requests through. Matching faults that
    /// are, count it.
    pub fn take(&mut self, method: &str, path_and_query: &str) -> Option<FaultAct> {
        let mut act = None;
        for fault in self.0.iter_mut().filter(|fault| fault.concerns(method, path_and_query)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                act = Some(fault.act.clone());
                break;
            }
        }
        self.0.retain(|fault| fault.times > 0);
        act
    }
}

/// A fault as JSON: the act's fields beside the others, as in `{"path":"/v1/*","act":"delay","ms":50}`.
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default)]
    method: Option<String>,
    path: String,
    #[serde(default)]
    skip: u32,
    #[serde(default = "once")]
    times: u32,
    #[serde(flatten)]
    act: FaultAct,
}

const fn once() -> u32 {
    1
}

impl From<Fault> for Wire {
    fn from(Fault { method, path, skip, times, act }: Fault) -> Wire {
        Wire { method, path, skip, times, act }
    }
}

/// Takes the act's fields beside the others, or nested: `{"path":"/v1/*","act":{"act":"delay","ms":50}}`.
impl TryFrom<Value> for Fault {
    type Error = String;

    fn try_from(mut value: Value) -> Result<Fault, String> {
        let fields = value.as_object_mut().ok_or("a fault is an object")?;
        if let Some(Value::Object(nested)) = fields.get("act").cloned() {
            fields.remove("act");
            fields.extend(nested);
        }
        if let Some(body) = fields.get_mut("body").filter(|body| !body.is_string()) {
            *body = Value::String(body.to_string());
        }
        let wire: Wire = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let Wire { method, path, skip, times, act } = wire;
        Ok(Fault { method, path, skip, times, act })
    }
}

/// `*` stands for any run of characters, everything else for itself.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run() {
        assert!(glob("/a/*", "/a/b/c"));
        assert!(glob("*", ""));
        assert!(glob("/a/*/c*", "/a/b/b/cd"));
        assert!(glob("/a", "/a"));
        assert!(!glob("/a", "/a/"));
        assert!(!glob("/a*a", "/a"));
    }

    #[test]
    fn faults_come_after_those_let_through_and_then_end() {
        let mut faults = Faults::default();
        faults.add(Fault { method: Some("post".into()), skip: 1, times: 2, ..Fault::once("/x*", FaultAct::Reset) });
        assert_eq!(faults.take("POST", "/x?a=1"), None);
        assert_eq!(faults.take("GET", "/x"), None);
        assert_eq!(faults.take("POST", "/xy"), Some(FaultAct::Reset));
        assert_eq!(faults.take("POST", "/x"), Some(FaultAct::Reset));
        assert_eq!(faults.take("POST", "/x"), None);
        assert!(faults.pending().is_empty());
    }

    #[test]
    fn json_may_nest_the_act_and_hold_a_json_body() {
        let act = FaultAct::Status { status: 503, headers: BTreeMap::new(), body: r#"{"a":1}"#.into() };
        let fault = Fault::once("/x", act);
        let nested = r#"{"path":"/x","act":{"act":"status","status":503,"body":{"a":1}}}"#;
        assert_eq!(serde_json::from_str::<Fault>(nested).expect("nested"), fault);
        let text = serde_json::to_string(&fault).expect("flat");
        assert_eq!(serde_json::from_str::<Fault>(&text).expect("flat"), fault);
        let delay = r#"{"path":"/x","act":"delay","ms":50}"#;
        assert_eq!(serde_json::from_str::<Fault>(delay).expect("delay").act, FaultAct::Delay { ms: 50 });
    }
}
