//! Every way in, with what it needs. The router is made from this table and from nothing else, so that no route can be without a permission.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, any, get, on, post};
use axum::{Extension, Router, handler::Handler};

use super::site::{self, Site};
use super::{
    audit, bulk_replay, connect, console, data, dead_letter_groups, dead_letters, decide, events, guard, headers, login, me, overview,
    problem, replay, revisions, sessions, source_orders, sources, system, tokens, webhooks,
};
use crate::credentials::Permission;
use crate::ingress;
use crate::runtime::Runtime;

/// Bodies of requests that are not events: orders of a few lines.
const MAX_ORDER: usize = 1 << 20;

/// What a request needs to be let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing, whatever it calls the host: for programs that only watch whether it lives.
    Nothing,
    /// Nothing but to be asked of this host, by its own pages or from nowhere: logging in.
    SameSite,
    /// What the `verify` of a source asks for, which its handler sees to; whatever the host is called and whoever's page asks.
    Proof,
    /// To be somebody, whatever they may do.
    Somebody,
    /// A permission.
    A(Permission),
}

/// One way in.
struct Way {
    path: &'static str,
    needs: Needs,
    handler: MethodRouter<Arc<Runtime>>,
}

fn way(path: &'static str, needs: Needs, handler: MethodRouter<Arc<Runtime>>) -> Way {
    Way { path, needs, handler }
}

/// The table. One line a way: a test reads them, and walks each with every role.
#[rustfmt::skip]
fn ways(runtime: &Arc<Runtime>) -> Vec<Way> {
    use Needs::{A, Nothing, Proof, SameSite, Somebody};
    use Permission::{Administer, Operate, Read, Send};
    vec![
        way("/healthz", Nothing, get(overview::healthz)),
        way("/readyz", Nothing, get(overview::readyz)),
        // The console: files that hold no data. What it shows it asks for, as whoever signs in.
        way("/", Nothing, get(console::page)),
        way("/flow", Nothing, get(console::page)),
        way("/events", Nothing, get(console::page)),
        way("/events/{eid}", Nothing, get(console::page)),
        way("/dead-letters", Nothing, get(console::page)),
        way("/plugins", Nothing, get(console::page)),
        way("/plugins/{name}", Nothing, get(console::page)),
        way("/credentials", Nothing, get(console::page)),
        way("/routes", Nothing, get(console::page)),
        way("/routes/{name}", Nothing, get(console::page)),
        way("/sources", Nothing, get(console::page)),
        way("/webhooks", Nothing, get(console::page)),
        way("/audit", Nothing, get(console::page)),
        way("/tokens", Nothing, get(console::page)),
        way("/system", Nothing, get(console::page)),
        way("/console/{*file}", Nothing, get(console::file)),
        way("/login", SameSite, get(login::begin)),
        way("/login/callback", SameSite, get(login::finish)),
        // Bound by what an administrator asked, and a browser of anybody's brings it.
        way("/oauth/callback", SameSite, get(connect::callback)),
        way("/hooks/{source}", Proof, any(ingress::hook)),
        way("/hooks/{source}/{*rest}", Proof, any(ingress::hook)),
        way("/logout", Somebody, post(login::logout)),
        way("/v1/me", Somebody, get(me::me)),
        way("/v1/events", A(Send), events_in(runtime)),
        way("/v1/events", A(Read), get(events::list)),
        way("/v1/events/{eid}", A(Read), get(events::show)),
        way("/v1/events/{eid}/replay", A(Operate), post(replay::replay)),
        way("/v1/events/{eid}/cancel", A(Operate), post(replay::cancel)),
        way("/v1/runs/{id}/steps/{name}/effects/{seq}", A(Operate), post(decide::decide)),
        way("/v1/dead-letters", A(Read), get(dead_letters::list)),
        way("/v1/dead-letters/groups", A(Read), get(dead_letter_groups::list)),
        way("/v1/dead-letters/replay", A(Operate), post(bulk_replay::replay_dead_letters)),
        way("/v1/routes", A(Read), get(overview::routes)),
        way("/v1/plugins", A(Read), get(overview::plugins)),
        way("/v1/credentials", A(Read), get(overview::credentials)),
        way("/v1/sources", A(Read), get(sources::list)),
        way("/v1/sources/{name}", A(Read), get(source_orders::show)),
        way("/v1/sources/{name}/set-aside", A(Read), get(source_orders::set_aside)),
        way("/v1/sources/{name}/pause", A(Operate), post(source_orders::pause)),
        way("/v1/sources/{name}/resume", A(Operate), post(source_orders::resume)),
        way("/v1/sources/{name}/backfill", A(Operate), post(source_orders::backfill_begin)),
        way("/v1/sources/{name}/backfill/cancel", A(Operate), post(source_orders::backfill_cancel)),
        way("/v1/sources/{name}/retry", A(Operate), post(source_orders::retry)),
        way("/v1/sources/{name}/discard", A(Operate), post(source_orders::discard)),
        way("/v1/webhooks", A(Read), get(webhooks::list)),
        way("/v1/webhooks/{name}/enable", A(Operate), post(webhooks::enable)),
        way("/v1/webhooks/{name}/test", A(Operate), post(webhooks::test)),
        way("/v1/system", A(Read), get(system::show)),
        way("/v1/revisions", A(Read), get(revisions::list)),
        way("/v1/revisions/{number}", A(Read), get(revisions::show)),
        way("/v1/tokens", A(Administer), get(tokens::list)),
        way("/v1/tokens", A(Administer), post(tokens::create)),
        way("/v1/tokens/{id}/revoke", A(Administer), post(tokens::revoke)),
        way("/v1/sessions", A(Administer), get(sessions::list)),
        way("/v1/sessions/{id}/revoke", A(Administer), post(sessions::revoke)),
        way("/v1/audit", A(Administer), get(audit::list)),
        way("/v1/reload", A(Administer), post(overview::reload)),
        way("/v1/credentials/{name}/connect", A(Administer), post(connect::ask)),
        way("/v1/credentials/{name}/connect/{id}", A(Administer), get(connect::ended)),
        way("/v1/credentials/{name}/connect/{id}", A(Administer), post(connect::answer)),
        way("/v1/events/{eid}/erase", A(Administer), post(data::erase_event)),
        way("/v1/data/find", A(Administer), post(data::find)),
        way("/v1/data/export", A(Administer), post(data::export)),
        way("/v1/data/erase", A(Administer), post(data::erase)),
        way("/v1/data/erasures", A(Administer), get(data::erasures)),
        way("/v1/data/erasures/{id}", A(Administer), get(data::erasure)),
        way("/metrics", A(Read), get(overview::metrics)),
        way("/asyncapi.json", A(Read), get(overview::asyncapi)),
    ]
}

/// `POST /v1/events`: room is made before a body is read, and given back by the handler.
fn events_in(runtime: &Arc<Runtime>) -> MethodRouter<Arc<Runtime>> {
    let body = guard::Body { most: runtime.server.max_event_size, time: runtime.server.connections.body_timeout };
    whole(ingress::post_events, body).route_layer(from_fn_with_state(runtime.clone(), ingress::admit))
}

fn whole<H, T>(handler: H, body: guard::Body) -> MethodRouter<Arc<Runtime>>
where
    H: Handler<T, Arc<Runtime>>,
    T: 'static,
{
    on(MethodFilter::POST, handler).route_layer(from_fn_with_state(body, guard::whole_body))
}

/// Everything the host answers.
pub fn router(runtime: Arc<Runtime>) -> Router {
    let order = guard::Body { most: MAX_ORDER, time: runtime.server.connections.body_timeout };
    let site = Arc::new(Site::of(&runtime.server));
    let mut router = Router::new();
    for Way { path, needs, handler } in ways(&runtime) {
        let mut handler = handler;
        // Events and deliveries come with limits of their own.
        if path != "/v1/events" && needs != Needs::Proof {
            handler = handler.route_layer(from_fn_with_state(order, guard::whole_body));
        }
        if !matches!(needs, Needs::Nothing | Needs::SameSite | Needs::Proof) {
            handler = handler.route_layer(from_fn_with_state((runtime.clone(), needs), guard::authorize));
        }
        if !matches!(needs, Needs::Nothing | Needs::Proof) {
            handler = handler.route_layer(from_fn_with_state(site.clone(), site::same_site));
        }
        router = router.route(path, handler);
    }
    router
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        // Bodies are bounded above, with their time.
        .layer(DefaultBodyLimit::disable())
        // Errors of extractors become problem documents too.
        .layer(from_fn(problem::explain))
        .layer(Extension(Arc::new(console::Console::packed())))
        .layer(from_fn_with_state(headers::Headers::of(&runtime.server), headers::add))
        .with_state(runtime)
}
