//! What a request passes on its way to a handler: whose pages may ask, who asks, what its query may hold, room for it, its body; in this order.
//!
//! One piece for each way in rather than a layer for each check: every layer of axum's makes a copy of all layers below it for each request.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::guard::{self, Body};
use super::routes::Needs;
use super::site::Site;
use super::{Problem, query};
use crate::ingress;
use crate::runtime::Runtime;

/// The door of one way in.
pub(super) struct Door {
    /// Whom it belongs to.
    pub(super) runtime: Arc<Runtime>,
    /// What the host is called.
    pub(super) site: Arc<Site>,
    /// What it asks for.
    pub(super) needs: Needs,
    /// Keys that a query may have.
    pub(super) keys: Vec<String>,
    /// How bodies are bounded.
    pub(super) body: Body,
    /// Events come in: room is made before a body is read, and given back by the handler.
    pub(super) is_intake: bool,
}

/// Lets a request through.
pub(super) async fn pass(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let Door { runtime, needs, .. } = &*door;
    if *needs != Needs::Nothing {
        door.site.check(&request)?;
    }
    if needs.names_somebody() {
        guard::authorize(runtime, *needs, &mut request).await?;
        query::known_keys(&door.keys, &request)?;
    }
    if door.is_intake {
        let admission = ingress::admit(runtime, request.headers())?;
        request.extensions_mut().insert(admission);
    }
    let request = guard::whole_body(door.body, request).await?;
    Ok(next.run(request).await)
}
