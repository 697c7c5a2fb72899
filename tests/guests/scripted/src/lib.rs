//! A plugin that does what its input says, line by line, so that a test can choose any sequence of effects and failures.

mod feed;
mod fetch;
mod hook;

use std::io::Read as _;

use sangam_sdk::{EffectState, Undo, Write, prelude::*};

struct Scripted;

/// Nothing to configure.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Shown to whoever asks for it.
    #[serde(default)]
    greeting: String,
    /// Origin of what the stream `feed` reads.
    #[serde(default)]
    feed: String,
}

impl Plugin for Scripted {
    type Config = Config;
    const NAME: &'static str = "scripted";
    const TITLE: &'static str = "Scripted";
}

impl Connector for Scripted {
    fn actions(a: &mut Actions<Self>) {
        a.action("run", "Do what the input says", run);
        a.action("act", "Do what the input says, and undo what it says", run).undo("undo");
        a.action("undo", "Do the undo lines of what is undone", undo);
        a.action("greet", "Greet by name", greet);
        a.action("gather", "Send an id, alone or with others", gather);
        a.batch("gather", 10, gather_all);
        a.action("collect", "Send an id, alone or with others, and take it back", gather).undo("scatter");
        a.batch("collect", 10, gather_all);
        a.action("scatter", "Take back what was collected", scatter);
    }
}

impl Source for Scripted {
    fn streams(s: &mut Streams<Self>) {
        s.stream("feed", "What the feed says").poll(feed::poll).types(&["fed.*"]);
        s.stream("hook", "What a body says").receive(hook::receive).types(&["fed.*"]);
    }
}

/// Lines, done one after another.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Script {
    lines: Vec<Line>,
    /// What the output holds beside the results, as it came.
    #[serde(default)]
    echo: Value,
    /// Done by `undo`, the same way.
    #[serde(default)]
    undo: Vec<Line>,
}

/// One line.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Line {
    /// What to do.
    #[serde(rename = "do")]
    verb: Verb,
    /// Attempts on which to do it; all if empty.
    #[serde(default)]
    on: Vec<u32>,
    /// Of `write`, `read`, `fetch`.
    #[serde(default)]
    url: String,
    /// Of `write`, POST if absent; of `fetch`, GET if absent.
    #[serde(default)]
    method: Option<String>,
    /// Of `write`, `fetch` (absent: unnamed) and `key`.
    #[serde(default)]
    name: Option<String>,
    /// Of `write`, `fetch` (null: none), sent as JSON; data of `emit`.
    #[serde(default)]
    body: Value,
    /// Of `write`, `fetch`: whether any answer or error is a result instead of a failure.
    #[serde(default)]
    whatever: bool,
    /// Of key-value lines; text of `fail` and `log`; type of `emit`.
    #[serde(default)]
    key: String,
    /// Of `set`, `swap`.
    #[serde(default)]
    value: String,
    /// Of `swap`.
    #[serde(default)]
    expected: Option<String>,
    /// Of `increment`; milliseconds of `sleep`.
    #[serde(default)]
    amount: i64,
    /// Of `fail`: `retry`, `rate-limited`, `unauthorized` or `rejected`. Of `fetch`: `read` marks it as a read.
    #[serde(default)]
    kind: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Verb {
    Write,
    Read,
    Fetch,
    Key,
    Get,
    Set,
    Delete,
    Increment,
    Swap,
    List,
    Sleep,
    Fail,
    Trap,
    Log,
    Emit,
    Clock,
    Random,
    Outside,
    Attempt,
}

/// One result for each line that was done.
#[derive(Serialize, JsonSchema)]
struct Results {
    results: Vec<Value>,
    echo: Value,
    greeting: String,
}

fn run(script: Script, cx: &Context<Config>) -> Result<Output<Results>, Failure> {
    let mut results = Vec::new();
    let mut events = Vec::new();
    for line in script.lines.into_iter().filter(|line| line.on.is_empty() || line.on.contains(&cx.attempt)) {
        if let Verb::Emit = line.verb {
            events.push(NewEvent::new(&line.key, &line.body)?);
            continue;
        }
        let result = line.run(cx, &results)?;
        results.push(result);
    }
    let output = Output::new(Results { results, echo: script.echo, greeting: cx.config.greeting.clone() });
    Ok(events.into_iter().fold(output, Output::emit))
}

/// Gives also what it was given.
fn undo(undo: Undo<Script, Value>, cx: &Context<Config>) -> Result<Value, Failure> {
    let effects: Vec<Value> = undo
        .effects
        .iter()
        .map(|effect| {
            json!({ "name": effect.name, "key": effect.key, "state": state(effect.state), "request": effect.request, "response": effect.response })
        })
        .collect();
    let mut results = Vec::new();
    for line in undo.input.undo.into_iter().filter(|line| line.on.is_empty() || line.on.contains(&cx.attempt)) {
        let result = line.run(cx, &results)?;
        results.push(result);
    }
    Ok(json!({ "results": results, "given": { "output": undo.output, "effects": effects } }))
}

fn state(state: EffectState) -> &'static str {
    match state {
        EffectState::Intent => "intent",
        EffectState::Done => "done",
        EffectState::Failed => "failed",
        EffectState::InDoubt => "in-doubt",
    }
}

impl Line {
    fn run(self, cx: &Context<Config>, results: &[Value]) -> Result<Value, Failure> {
        Ok(match self.verb {
            Verb::Write => return self.write(),
            Verb::Read => Request::get(self.url).send()?.ok()?.json()?,
            Verb::Fetch => return self.fetch(),
            Verb::Key => json!(cx.key(self.name.as_deref().unwrap_or_default())),
            Verb::Get => json!(kv::get(&self.key)?.map(text)),
            Verb::Set => json!(kv::set(&self.key, self.value)?),
            Verb::Delete => json!(kv::delete(&self.key)?),
            Verb::Increment => json!(kv::increment(&self.key, self.amount)?),
            Verb::Swap => json!(kv::compare_and_swap(&self.key, self.expected.as_deref().map(str::as_bytes), self.value)?),
            Verb::List => json!(kv::list(&self.key, None, 1000)?.keys),
            Verb::Sleep => json!(std::thread::sleep(Duration::from_millis(self.amount.unsigned_abs()))),
            Verb::Fail => return Err(self.failure(results)),
            Verb::Trap => panic!("the script says so"),
            Verb::Log => json!(log::info(&self.key, &[("attempt", &cx.attempt.to_string())])),
            Verb::Clock => json!(clock()),
            Verb::Random => json!(random()),
            Verb::Outside => outside(),
            Verb::Attempt => json!(cx.attempt),
            Verb::Emit => Value::Null,
        })
    }

    fn write(self) -> Result<Value, Failure> {
        let write = Write::new(self.method.as_deref().unwrap_or("POST"), self.url);
        let request = match self.name {
            Some(name) => write.name(name),
            None => write.unnamed(),
        };
        match request.json(&self.body).send() {
            Ok(answer) if self.whatever => Ok(json!({ "status": answer.status })),
            Ok(answer) => Ok(answer.ok()?.json().unwrap_or_default()),
            Err(failure) if self.whatever => Ok(json!({ "failure": failure.to_string() })),
            Err(failure) => Err(failure),
        }
    }

    /// With the usual client of the language, which knows nothing of this house.
    fn fetch(self) -> Result<Value, Failure> {
        let method = self.method.as_deref().unwrap_or("GET");
        let reads = self.kind == "read";
        let fetch = fetch::Fetch { method, url: &self.url, name: self.name.as_deref(), reads, body: &self.body };
        match fetch::fetch(&fetch) {
            Ok(answer) if self.whatever || answer["status"].as_u64().is_some_and(|status| status < 400) => Ok(answer),
            Ok(answer) => Err(Failure::retry(format!("{} answered {}", self.url, answer["status"]))),
            Err(why) if self.whatever => Ok(json!({ "failure": why })),
            Err(why) => Err(Failure::retry(format!("{} gave no answer: {why}", self.url))),
        }
    }

    fn failure(self, results: &[Value]) -> Failure {
        let failure = match self.kind.as_str() {
            "rate-limited" => Failure::rate_limited(self.key),
            "unauthorized" => Failure::unauthorized(self.key),
            "rejected" => Failure::rejected(self.key),
            _ => Failure::retry(self.key),
        };
        let after = (self.amount > 0).then(|| Duration::from_millis(self.amount.unsigned_abs()));
        failure.after(after).details(json!({ "results": results }))
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Microseconds since the epoch.
fn clock() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// What the standard library seeds its maps with.
fn random() -> u64 {
    use std::hash::BuildHasher as _;
    std::collections::hash_map::RandomState::new().hash_one(0)
}

/// Whatever of the machine can be reached past the contract.
fn outside() -> Value {
    let mut password = String::new();
    let file = std::fs::File::open("/etc/passwd").and_then(|mut file| file.read_to_string(&mut password));
    json!({
        "environment": std::env::vars().map(|(name, _)| name).collect::<Vec<_>>(),
        "arguments": std::env::args().collect::<Vec<_>>(),
        "file": file.is_ok(),
        "folder": std::fs::read_dir("/").is_ok() || std::fs::read_dir(".").is_ok(),
        "written": std::fs::write("sangam-was-here", "x").is_ok(),
        "socket": std::net::TcpStream::connect("127.0.0.1:22").is_ok() || std::net::TcpListener::bind("127.0.0.1:0").is_ok(),
        "datagram": std::net::UdpSocket::bind("127.0.0.1:0").is_ok(),
        "name": std::net::ToSocketAddrs::to_socket_addrs("localhost:80").is_ok(),
        "process": std::process::Command::new("/bin/true").status().is_ok(),
    })
}

/// A person.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Person {
    /// How they are called.
    #[schemars(length(min = 1))]
    name: String,
    /// In years.
    #[serde(default)]
    age: Option<u32>,
}

fn greet(person: Person, cx: &Context<Config>) -> Result<Value, Failure> {
    Ok(json!({ "greeting": format!("{} {}", cx.config.greeting, person.name), "age": person.age }))
}

/// An id to be sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Gather {
    /// Where to.
    url: String,
    id: u32,
    /// How this one fails once it was sent: `retry`, `rate-limited`, `unauthorized` or `rejected`; not at all if empty.
    #[serde(default)]
    kind: String,
    /// Attempts on which it does; all if empty.
    #[serde(default)]
    on: Vec<u32>,
    /// Type of an event that it brings in; none if empty.
    #[serde(default)]
    emit: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Gathered {
    id: u32,
    /// How many were sent together.
    with: usize,
    /// Of its step.
    key: String,
    attempt: u32,
}

fn gather(input: Gather, cx: &Context<Config>) -> Result<Output<Gathered>, Failure> {
    cx.post(&input.url).name("one").json(&json!({ "ids": [input.id] })).send()?.ok()?;
    input.gathered(cx, 1)
}

fn gather_all(items: &[Item<Gather, Config>]) -> Result<Vec<Result<Output<Gathered>, Failure>>, Failure> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let ids: Vec<u32> = items.iter().map(|item| item.input.id).collect();
    for item in items {
        log::info("sends", &[("invocation", &item.place), ("id", &item.input.id)]);
        kv::set(&format!("sent/{}", item.input.id), "yes")?;
    }
    first.cx.post(&first.input.url).name("all").json(&json!({ "ids": ids })).send()?.ok()?;
    Ok(items.iter().map(|item| item.input.gathered(&item.cx, items.len())).collect())
}

fn scatter(undo: Undo<Gather, Gathered>, cx: &Context<Config>) -> Result<Value, Failure> {
    cx.post(format!("{}/undone", undo.input.url)).name("undone").json(&json!({ "ids": [undo.input.id] })).send()?.ok()?;
    let states: Vec<&str> = undo.effects.iter().map(|effect| state(effect.state)).collect();
    Ok(json!({ "output": undo.output, "effects": states }))
}

impl Gather {
    fn gathered(&self, cx: &Context<Config>, with: usize) -> Result<Output<Gathered>, Failure> {
        if !self.kind.is_empty() && (self.on.is_empty() || self.on.contains(&cx.attempt)) {
            let kind = match self.kind.as_str() {
                "retry" => FailureKind::Retry,
                "rate-limited" => FailureKind::RateLimited,
                "unauthorized" => FailureKind::Unauthorized,
                _ => FailureKind::Rejected,
            };
            return Err(Failure::new(kind, "as it was told"));
        }
        let output = Output::new(Gathered { id: self.id, with, key: cx.idempotency_key.clone(), attempt: cx.attempt });
        if self.emit.is_empty() {
            return Ok(output);
        }
        Ok(output.emit(NewEvent::new(&self.emit, json!({ "id": self.id }))?))
    }
}

sangam_sdk::export!(Scripted as duplex with batches);
