//! The operators' HTTP API.

mod audit;
mod bulk_replay;
mod connect;
mod data;
mod dead_letters;
mod decide;
mod document;
mod dry_run;
mod events;
mod guard;
mod overview;
mod problem;
mod redaction;
mod replay;

pub use document::event_document;
pub use problem::Problem;
pub use redaction::Sees;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use crate::credentials::Permission;
use crate::ingress;
use crate::runtime::Runtime;

/// Everything the host answers.
pub fn router(runtime: Arc<Runtime>) -> Router {
    let needs = |permission: Permission| from_fn_with_state((runtime.clone(), permission), guard::authorize);
    let send = Router::new()
        .route("/v1/events", post(ingress::post_events))
        .layer(DefaultBodyLimit::max(runtime.server.max_event_size))
        .layer(from_fn_with_state(runtime.clone(), ingress::admit))
        .layer(needs(Permission::Send));
    let read = Router::new()
        .route("/v1/events", get(events::list))
        .route("/v1/events/{eid}", get(events::show))
        .route("/v1/dead-letters", get(dead_letters::list))
        .route("/v1/routes", get(overview::routes))
        .route("/v1/plugins", get(overview::plugins))
        .route("/v1/credentials", get(overview::credentials))
        .route("/v1/sources", get(overview::sources))
        .route("/metrics", get(overview::metrics))
        .layer(needs(Permission::Read));
    let operate = Router::new()
        .route("/v1/events/{eid}/replay", post(replay::replay))
        .route("/v1/events/{eid}/cancel", post(replay::cancel))
        .route("/v1/runs/{id}/steps/{name}/effects/{seq}", post(decide::decide))
        .route("/v1/dead-letters/replay", post(bulk_replay::replay_dead_letters))
        .layer(needs(Permission::Operate));
    let administer = Router::new()
        .route("/v1/reload", post(overview::reload))
        .route("/v1/audit", get(audit::list))
        .route("/v1/credentials/{name}/connect", post(connect::ask))
        .route("/v1/credentials/{name}/connect/{id}", get(connect::ended).post(connect::answer))
        .route("/v1/events/{eid}/erase", post(data::erase_event))
        .route("/v1/data/find", post(data::find))
        .route("/v1/data/export", post(data::export))
        .route("/v1/data/erase", post(data::erase))
        .route("/v1/data/erasures", get(data::erasures))
        .route("/v1/data/erasures/{id}", get(data::erasure))
        .layer(needs(Permission::Administer));
    // Bound by what an administrator asked, and a browser of anybody's brings it: no token.
    let callback = Router::new().route("/oauth/callback", get(connect::callback));
    let open = Router::new().route("/healthz", get(overview::healthz)).route("/readyz", get(overview::readyz));
    Router::new()
        .merge(send)
        .merge(read)
        .merge(operate)
        .merge(administer)
        .merge(callback)
        .layer(from_fn_with_state(runtime.clone(), guard::same_site))
        .merge(open)
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        // Errors of extractors become problem documents too.
        .layer(from_fn(problem::explain))
        .with_state(runtime)
}

/// The same, for a listener: requests know the address they came from.
pub fn service(runtime: Arc<Runtime>) -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
    router(runtime).into_make_service_with_connect_info()
}
