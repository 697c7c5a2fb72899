//! The least that a pipeline must do to keep its events, natively: an event is durable before its 202, the intent of a request before the
//! request leaves, its outcome before the next step. Nothing is sandboxed, mapped by configuration, limited, shown or tried again.
//!
//! Arguments: the database's file, then a URL for each step's sink; without a sink, events are taken in and that is all. `GET /count` says
//! how many events there are, and in how many transactions all was written. SIGTERM: what is under way is finished.

mod chain;
mod event;
mod sink;
mod store;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use chain::Chain;
use event::Event;
use store::{NewEvent, Store};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What a handler needs.
struct Floor {
    store: Store,
    /// None: intake alone.
    chain: Option<Arc<Chain>>,
    /// Held by each run; all are gone when the last run has ended.
    under_way: mpsc::Sender<()>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().context("arguments: FILE [SINK…]")?;
    let sinks: Vec<String> = arguments.collect();
    let (store, writer) = store::open(Path::new(&file))?;
    let chain = if sinks.is_empty() { None } else { Some(Arc::new(Chain::new(store.clone(), &sinks)?)) };
    let (under_way, mut all_ended) = mpsc::channel(1);
    let floor = Arc::new(Floor { store, chain, under_way });
    let router = Router::new().route("/v1/events", post(accept)).route("/count", get(count)).with_state(floor);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            terminate.recv().await;
        })
        .await?;
    // The server is gone and its senders with it: what is left are those of runs.
    all_ended.recv().await;
    tokio::task::spawn_blocking(move || writer.join()).await?.ok().context("the writer broke")?
}

/// One event or several. A known one is answered like a new one, and changes nothing.
async fn accept(State(floor): State<Arc<Floor>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let is_batch = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/cloudevents-batch"));
    let Some(bodies) = event::split(&body, is_batch) else { return StatusCode::BAD_REQUEST };
    let Some(parsed) = bodies.iter().map(|body| Event::parse(body)).collect::<Option<Vec<Event<'_>>>>() else {
        return StatusCode::BAD_REQUEST;
    };
    let new = |(event, body): (&Event<'_>, &Bytes)| NewEvent {
        source: event.source.to_string(),
        id: event.id.to_string(),
        body: body.clone(),
        intent: floor.chain.as_ref().map(|chain| chain.intent(event, 0, &event.data.job_id)),
    };
    let events = parsed.iter().zip(&bodies).map(new).collect();
    // The writer has said on standard error what went wrong.
    let Ok(accepted) = floor.store.accept(events).await else { return StatusCode::SERVICE_UNAVAILABLE };
    if let Some(chain) = &floor.chain {
        for (body, first) in bodies.into_iter().zip(accepted) {
            // None: it was there already.
            if let Some((run, intent)) = first {
                let (chain, under_way) = (chain.clone(), floor.under_way.clone());
                tokio::spawn(async move {
                    if let Err(error) = chain.run(run, &body, intent).await {
                        eprintln!("run {run}: {error:#}");
                    }
                    drop(under_way);
                });
            }
        }
    }
    StatusCode::ACCEPTED
}

async fn count(State(floor): State<Arc<Floor>>) -> String {
    let (events, transactions) = floor.store.figures();
    format!("{events} {transactions}")
}
