//! The reference for intake: a server of the same kind that reads the body and answers 202, and does nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};

/// Serves until it is killed. `GET /count` says how many bodies it has read.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let count = Arc::new(AtomicU64::new(0));
    let router = Router::new().route("/v1/events", post(accept)).route("/count", get(counted)).with_state(count);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

async fn accept(State(count): State<Arc<AtomicU64>>, body: Bytes) -> StatusCode {
    count.fetch_add(u64::from(!body.is_empty()), Ordering::Relaxed);
    StatusCode::ACCEPTED
}

async fn counted(State(count): State<Arc<AtomicU64>>) -> String {
    count.load(Ordering::Relaxed).to_string()
}
