//! Every way in, with what it needs. The router is made from this table and from nothing else, so that no route can be without a permission.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler as _;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use axum::{Extension, Router};

use super::door::{self, Door};
use super::operation::{Handled, Method, Operation, Shape, Tag, any, aside, get, op, post};
use super::site::Site;
use super::{
    access_form, audit, bulk_replay, connect, console, credentials, data, dead_letter_groups, dead_letters, decide, events, flow, guard,
    headers, login, me, now, openapi, overview, plugins, problem, replay, revisions, route, sent, sessions, source_orders, sources, stream,
    system, tokens, try_out, webhooks,
};
use crate::credentials::Permission;
use crate::ingress;
use crate::runtime::Runtime;

/// Bodies of requests that are not events: orders of a few lines.
const MAX_ORDER: usize = 1 << 20;

/// On events in.
const SEND: &str = "An event is durable once it is answered. A batch is taken whole or refused whole. The same `source` and `id` again is a duplicate: it is not \
    run again, and `differs` says whether it said something else.";

/// On the stream.
const STREAM: &str = "Events `event.accepted`, `run.changed`, `attempt.ended`, `credential.changed`, `source.changed`, `revision.applied` with ids and states, \
    no reasons and no payload; `gap`: what was missed can't be told, read anew. A frame without data says where the reader is.";

/// On webhooks of vendors.
const HOOK: &str = "What is taken, by which methods and how it is verified is as the source is configured (`verify`, `methods`, `handshake`): the vendor's \
    scheme proves who sends, no token does. Answered with 2xx is what is durable.";

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

impl Needs {
    /// Whether somebody has to be known before a handler runs.
    pub(super) fn names_somebody(self) -> bool {
        matches!(self, Needs::Somebody | Needs::A(_))
    }
}

/// One way in.
pub(super) struct Way {
    pub(super) path: &'static str,
    pub(super) needs: Needs,
    pub(super) handled: Handled,
    /// What `/openapi.json` says of it.
    pub(super) operation: Operation,
}

fn way(path: &'static str, needs: Needs, handled: Handled, operation: Operation) -> Way {
    Way { path, needs, handled, operation }
}

/// The table. One line a way: a test reads them, and walks each with every role.
#[rustfmt::skip]
pub(super) fn ways() -> Vec<Way> {
    use Needs::{A, Nothing, Proof, SameSite, Somebody};
    use Permission::{Administer, Operate, Read, Send};
    vec![
        way("/healthz", Nothing, get(overview::healthz),
            op("isAlive", Tag::Operations, "Whether the host lives")),
        way("/readyz", Nothing, get(overview::readyz),
            op("isReady", Tag::Operations, "Whether events would be taken in").fails(503, "Not now: the host is stopping, full, or can't write its store.").fails(429, "The backlog is full.")),
        // The console: files that hold no data. What it shows it asks for, as whoever signs in.
        way("/", Nothing, get(console::page), aside()),
        way("/flow", Nothing, get(console::page), aside()),
        way("/events", Nothing, get(console::page), aside()),
        way("/events/{eid}", Nothing, get(console::page), aside()),
        way("/dead-letters", Nothing, get(console::page), aside()),
        way("/plugins", Nothing, get(console::page), aside()),
        way("/plugins/{name}", Nothing, get(console::page), aside()),
        way("/credentials", Nothing, get(console::page), aside()),
        way("/routes", Nothing, get(console::page), aside()),
        way("/routes/{name}", Nothing, get(console::page), aside()),
        way("/sources", Nothing, get(console::page), aside()),
        way("/sources/{name}", Nothing, get(console::page), aside()),
        way("/webhooks", Nothing, get(console::page), aside()),
        way("/audit", Nothing, get(console::page), aside()),
        way("/tokens", Nothing, get(console::page), aside()),
        way("/system", Nothing, get(console::page), aside()),
        way("/console/{*file}", Nothing, get(console::file), aside()),
        way("/login", SameSite, get(login::begin),
            op("login", Tag::Access, "Sends a person to the identity provider").answers_nothing(StatusCode::SEE_OTHER, "To the provider.").with_header("Location", "The provider's page.").fails(404, "Nobody can log in at this host.").fails(429, "Too many logins from this address.").fails(503, "The provider does not answer.")),
        way("/login/callback", SameSite, get(login::finish),
            op("finishLogin", Tag::Access, "Takes the provider's answer, by the browser").answers_nothing(StatusCode::SEE_OTHER, "Logged in.").with_header("Location", "Where the person wanted to go.").fails(400, "It is no answer to a login that was begun here.").fails(403, "Nobody who may log in.").fails(404, "Nobody can log in at this host.").fails(429, "Too many logins from this address.").fails(503, "The provider does not answer.")),
        // Bound by what an administrator asked, and a browser of anybody's brings it.
        way("/oauth/callback", SameSite, get(connect::callback),
            op("finishConsent", Tag::Credentials, "Takes a vendor's answer to a consent, by the browser").answers_text(StatusCode::OK, "text/html", "A page that says so.").fails(400, "It is no answer to what was asked here.")),
        way("/hooks/{source}", Proof, any(ingress::hook),
            op("deliver", Tag::Sources, "Takes a webhook of a vendor's").about(HOOK).takes_bytes("*/*").answers_text(StatusCode::OK, "*/*", "What the vendor wants to be told.").answers_nothing(StatusCode::ACCEPTED, "Taken in, or set aside to be looked at.")),
        way("/hooks/{source}/{*rest}", Proof, any(ingress::hook),
            op("deliverBelow", Tag::Sources, "Takes a webhook at a path below the source's").about(HOOK).takes_bytes("*/*").answers_text(StatusCode::OK, "*/*", "What the vendor wants to be told.").answers_nothing(StatusCode::ACCEPTED, "Taken in, or set aside to be looked at.")),
        way("/logout", Somebody, post(login::logout),
            op("logout", Tag::Access, "Ends the session of who asks").answers_nothing(StatusCode::NO_CONTENT, "Ended.").fails(409, "Who asks has not logged in.")),
        way("/openapi.json", Somebody, get(openapi::openapi),
            op("describeApi", Tag::Operations, "This document")),
        way("/v1/me", Somebody, get(me::me),
            op("whoAmI", Tag::Access, "Who asks, and what they may do")),
        way("/v1/overview", A(Read), get(now::overview),
            op("showOverview", Tag::Operations, "How things are: what comes in, what becomes of it, and what fails")),
        way("/v1/flow", A(Read), get(flow::flow),
            op("showFlow", Tag::Operations, "Sources, routes and plugins with what passed through them")),
        way("/v1/stream", A(Read), get(stream::stream),
            op("followStream", Tag::Operations, "What happens, as it happens").about(STREAM).header("last-event-id", "Id of the last event that was read.")
                .answers_text(StatusCode::OK, "text/event-stream", "Server-sent events, until the host stops or who reads may not any more.")),
        way("/v1/events", A(Send), post(ingress::post_events),
            op("sendEvents", Tag::Events, "Takes events in: CloudEvents 1.0, structured, binary or batched").about(SEND)
                .header("ce-specversion", "Binary mode: 1.0.").header("ce-id", "Binary mode: its id.").header("ce-source", "Binary mode: its source, a URI reference.")
                .header("ce-type", "Binary mode: its type.").header("ce-time", "Binary mode: when it happened, RFC 3339.").header("ce-subject", "Binary mode: what it is about.")
                .takes::<sent::SentEvent>("application/cloudevents+json", Some(sent::EXAMPLE)).takes::<Vec<sent::SentEvent>>("application/cloudevents-batch+json", None)
                .takes_bytes("*/*")
                .answers::<sent::Ended<'_>>(StatusCode::OK, "application/json", "With `wait`: all of their runs have ended.")
                .answers::<sent::Taken<'_>>(StatusCode::ACCEPTED, "application/json", "Durable.").with_header("Location", "The first one\'s document.")
                .fails(422, "An event is not as its schema wants it; nothing was taken in, and `errors` says what of which.")),
        way("/v1/events", A(Read), get(events::list),
            op("listEvents", Tag::Events, "Events, newest first").about("With `q` and hidden fields a page looks through so many events and may be empty: follow `next_cursor` until it is null.")),
        way("/v1/events/{eid}", A(Read), get(events::show),
            op("showEvent", Tag::Events, "An event with its runs, steps, attempts and effects").fails(404, "There is no such event.")),
        way("/v1/events/{eid}/replay", A(Operate), post(replay::replay),
            op("replayEvent", Tag::Events, "Replays an event, or says what a replay would do").fails(404, "There is no such event.").fails(409, "It can't be replayed as it is: `detail` says why.")),
        way("/v1/events/{eid}/cancel", A(Operate), post(replay::cancel),
            op("cancelEvent", Tag::Events, "Cancels the runs of an event that have not ended").fails(404, "There is no such event.").fails(409, "All of its runs have ended.")),
        way("/v1/runs/{id}/steps/{name}/effects/{seq}", A(Operate), post(decide::decide),
            op("decideWrite", Tag::Events, "Says whether a write in doubt was done").path("id", "The run's id.").path("name", "The step's name; of an undo `NAME/undo`.").fails(404, "There is no such run, step or write.").fails(409, "Nothing is to be decided there.")),
        way("/v1/dead-letters", A(Read), get(dead_letters::list),
            op("listDeadLetters", Tag::DeadLetters, "Runs that failed for good, the latest first")),
        way("/v1/dead-letters/groups", A(Read), get(dead_letter_groups::list),
            op("groupDeadLetters", Tag::DeadLetters, "Dead letters by cause, the most first")),
        way("/v1/dead-letters/replay", A(Operate), post(bulk_replay::replay_dead_letters),
            op("replayDeadLetters", Tag::DeadLetters, "Replays the dead letters that a filter finds").about("At most 1000 at once, and those of the same events beyond: ask again while `more` is true and something was replayed.")),
        way("/v1/routes", A(Read), get(route::list),
            op("listRoutes", Tag::Configuration, "Routes as they are configured, with their runs by status")),
        way("/v1/routes/{name}", A(Read), get(route::show),
            op("showRoute", Tag::Configuration, "A route with the text that made it")
                .path("name", "Name of the route.")
                .fails(404, "There is no such route.")),
        way("/v1/try/expression", A(Operate), post(try_out::expression),
            op("tryExpression", Tag::Configuration, "The value of an expression or template on a sample")
                .fails(403, "Nothing can be tried out at this host (`server.try-outs` is 0).")
                .fails(422, "It does not compile, or fails on this sample: `kind`, `message`, `line`, `column`.")
                .fails(429, "As many as may be are tried at the moment (`server.try-outs`).")),
        way("/v1/try/route", A(Operate), post(try_out::route),
            op("tryRoute", Tag::Configuration, "Routes tried on an event without effects")
                .about("Plugins run with their present grants and limits; writes are shown and not sent, and nothing is stored but that live reads were asked for.")
                .fails(404, "There is no such route or event.")
                .fails(422, "This is no event, or the route has mistakes: `problems`.")
                .fails(429, "As many as may be are tried at the moment (`server.try-outs`).")),
        way("/v1/plugins", A(Read), get(plugins::list),
            op("listPlugins", Tag::Configuration, "Plugins as they are configured, and how they are doing on this host")),
        way("/v1/plugins/{name}", A(Read), get(plugins::show),
            op("showPlugin", Tag::Configuration, "One plugin beside its limits, with what it asks for and where it is used").fails(404, "The configuration has no such plugin.")),
        way("/v1/credentials", A(Read), get(credentials::list),
            op("listCredentials", Tag::Credentials, "States of credentials; never what they hold")),
        way("/v1/sources", A(Read), get(sources::list),
            op("listSources", Tag::Sources, "Sources as they are configured, and how they are doing")),
        way("/v1/sources/{name}", A(Read), get(source_orders::show),
            op("showSource", Tag::Sources, "A source with its last turn and where it has come to").fails(404, "There is no such source.")),
        way("/v1/sources/{name}/set-aside", A(Read), get(source_orders::set_aside),
            op("listSetAside", Tag::Sources, "What a source has set aside, the oldest first").fails(404, "There is no such source.")),
        way("/v1/sources/{name}/pause", A(Operate), post(source_orders::pause),
            op("pauseSource", Tag::Sources, "Pauses a source that has turns").fails(404, "There is no such source.").fails(409, "Others send what comes in there.")),
        way("/v1/sources/{name}/resume", A(Operate), post(source_orders::resume),
            op("resumeSource", Tag::Sources, "Lets a source have turns again").fails(404, "There is no such source.").fails(409, "Others send what comes in there.")),
        way("/v1/sources/{name}/backfill", A(Operate), post(source_orders::backfill_begin),
            op("beginBackfill", Tag::Sources, "Reads an earlier time from a polled source").fails(404, "There is no such source.").fails(409, "It is not polled, or a backfill is under way.")),
        way("/v1/sources/{name}/backfill/cancel", A(Operate), post(source_orders::backfill_cancel),
            op("cancelBackfill", Tag::Sources, "Ends a backfill").fails(404, "There is no such source.").fails(409, "None is under way.")),
        way("/v1/sources/{name}/retry", A(Operate), post(source_orders::retry),
            op("retrySetAside", Tag::Sources, "Tries again what was set aside").fails(404, "There is no such source, or nothing with that id.")),
        way("/v1/sources/{name}/discard", A(Operate), post(source_orders::discard),
            op("discardSetAside", Tag::Sources, "Lets go of what was set aside").fails(404, "There is no such source, or nothing with that id.")),
        way("/v1/webhooks", A(Read), get(webhooks::list),
            op("listWebhooks", Tag::Webhooks, "Endpoints that are told of events, and how they are doing")),
        way("/v1/webhooks/{name}/enable", A(Operate), post(webhooks::enable),
            op("enableWebhook", Tag::Webhooks, "Sends to an endpoint again").fails(404, "There is no such webhook.").fails(409, "It is not disabled.")),
        way("/v1/webhooks/{name}/test", A(Operate), post(webhooks::test),
            op("testWebhook", Tag::Webhooks, "Sends an endpoint something to see whether it is well").fails(404, "There is no such webhook.").fails(409, "It can't be tried.")),
        way("/v1/system", A(Read), get(system::show),
            op("showSystem", Tag::Operations, "The host itself, its store and who else serves that")),
        way("/v1/revisions", A(Read), get(revisions::list),
            op("listRevisions", Tag::Configuration, "Configurations that were applied, the latest first")),
        way("/v1/revisions/{number}", A(Read), get(revisions::show),
            op("showRevision", Tag::Configuration, "One of them, and what it changed against another").path("number", "Its number.").fails(404, "There is no such revision.").fails(409, "It was written by a version that this one can't read.")),
        way("/v1/tokens", A(Administer), get(tokens::list),
            op("listTokens", Tag::Access, "API tokens; never their text")),
        way("/v1/tokens", A(Administer), post(tokens::create),
            op("createToken", Tag::Access, "Makes a token; its text is in this answer and nowhere else")),
        way("/v1/tokens/{id}/revoke", A(Administer), post(tokens::revoke),
            op("revokeToken", Tag::Access, "Ends a token at once").fails(404, "There is no such token.").fails(409, "It is revoked already.")),
        way("/v1/sessions", A(Administer), get(sessions::list),
            op("listSessions", Tag::Access, "Who is logged in")),
        way("/v1/sessions/{id}/revoke", A(Administer), post(sessions::revoke),
            op("revokeSession", Tag::Access, "Logs somebody out").fails(404, "There is no such session.")),
        way("/v1/audit", A(Administer), get(audit::list),
            op("listAudit", Tag::Access, "Who did what, the latest first")),
        way("/v1/audit/actions", A(Administer), get(audit::actions),
            op("listAuditActions", Tag::Access, "What can be on the audit log")),
        way("/v1/reload", A(Administer), post(overview::reload),
            op("reload", Tag::Configuration, "Applies the configuration file as it is now, or refuses it whole").fails(422, "It is refused, and the present one stays; `problems` says where.")),
        way("/v1/credentials/{name}/connect", A(Administer), post(connect::ask),
            op("askConsent", Tag::Credentials, "Begins a consent: the answer holds the address at which a person gives it").fails(404, "There is no such credential.").fails(409, "It is not had by consent, or server.public-url is not set.").fails(422, "The vendor does not take it.")),
        way("/v1/credentials/{name}/connect/{id}", A(Administer), get(connect::ended),
            op("showConsent", Tag::Credentials, "How a consent ended").path("id", "The consent's id.").fails(404, "There is no such consent.")),
        way("/v1/credentials/{name}/connect/{id}", A(Administer), post(connect::answer),
            op("answerConsent", Tag::Credentials, "Brings the vendor's answer").path("id", "The consent's id.").fails(404, "There is no such consent.").fails(409, "The credential is not had by consent.").fails(422, "The vendor does not take it.")),
        way("/v1/events/{eid}/erase", A(Administer), post(data::erase_event),
            op("eraseEvent", Tag::Data, "Erases what an event holds").answers::<data::Begun>(StatusCode::ACCEPTED, "application/json", "It is being done.").with_header("Location", "Where it says how far it is.").fails(404, "There is no such event.")),
        way("/v1/data/find", A(Administer), post(data::find),
            op("findData", Tag::Data, "Where data of a person stands").answers::<access_form::DataLine>(StatusCode::OK, "application/x-ndjson", "Lines of JSON; the last is of kind `end`.")),
        way("/v1/data/export", A(Administer), post(data::export),
            op("exportData", Tag::Data, "A person's data, with what of it is others' hidden").answers::<access_form::DataLine>(StatusCode::OK, "application/x-ndjson", "Lines of JSON; the last is of kind `end`.")),
        way("/v1/data/erase", A(Administer), post(data::erase),
            op("eraseData", Tag::Data, "Erases a person's data").answers::<data::Begun>(StatusCode::ACCEPTED, "application/json", "It is being done.").with_header("Location", "Where it says how far it is.")),
        way("/v1/data/erasures", A(Administer), get(data::erasures),
            op("listErasures", Tag::Data, "What was erased, and what is being erased")),
        way("/v1/data/erasures/{id}", A(Administer), get(data::erasure),
            op("showErasure", Tag::Data, "How far an erasure is").fails(404, "There is no such erasure.")),
        way("/metrics", A(Read), get(overview::metrics),
            op("showMetrics", Tag::Operations, "Figures for Prometheus").answers_text(StatusCode::OK, "text/plain", "In the text format.").answers_text(StatusCode::OK, "application/openmetrics-text", "In the OpenMetrics format, where `Accept` asks for it.")),
        way("/asyncapi.json", A(Read), get(overview::asyncapi),
            op("describeEvents", Tag::Events, "What events come in and go out, as AsyncAPI 3.0")),
    ]
}

/// A path with all that is answered there.
struct Place {
    handler: MethodRouter<Arc<Runtime>>,
    /// `None`: whatever is asked.
    methods: Option<Vec<&'static str>>,
}

/// Everything the host answers.
pub fn router(runtime: Arc<Runtime>) -> Router {
    let site = Arc::new(Site::of(&runtime.server));
    let door = |needs: Needs, method: Method, shape: &Shape| {
        let is_intake = needs == Needs::A(Permission::Send) && method == Method::Post;
        let most = if is_intake { runtime.server.max_event_size } else { MAX_ORDER };
        let body = guard::Body { most, time: runtime.server.connections.body_timeout };
        Arc::new(Door { runtime: runtime.clone(), site: site.clone(), needs, keys: openapi::keys_of(shape), body, is_intake })
    };
    let console = Extension(Arc::new(console::Console::packed()));
    let mut places: BTreeMap<&'static str, Place> = BTreeMap::new();
    for Way { path, needs, handled, .. } in ways() {
        let Handled { method, handler, shape } = handled;
        // Who brings proof finds limits of their own behind it.
        let handler =
            if needs == Needs::Proof { handler } else { handler.route_layer(from_fn_with_state(door(needs, method, &shape), door::pass)) };
        let handler = if needs == Needs::Nothing { handler.route_layer(console.clone()) } else { handler };
        let place = places.remove(path);
        let before = place.as_ref().and_then(|place| place.methods.clone()).unwrap_or_default();
        let methods = match method {
            Method::Get => Some([before, vec!["GET", "HEAD"]].concat()),
            Method::Post => Some([before, vec!["POST"]].concat()),
            Method::Any => None,
        };
        let handler = place.map_or_else(MethodRouter::new, |place| place.handler).merge(handler);
        places.insert(path, Place { handler, methods });
    }
    let mut router = Router::new();
    for (path, Place { handler, methods }) in places {
        let handler = match methods {
            Some(methods) => {
                let methods: Arc<str> = [methods, vec!["OPTIONS"]].concat().join(", ").into();
                handler.fallback(move |request: Request| async move { problem::method_not_allowed(&request, &methods) })
            }
            None => handler,
        };
        router = router.route(path, handler);
    }
    router
        .fallback(console::elsewhere.layer(console))
        // Bodies are bounded above, with their time.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(headers::Headers::of(&runtime.server), headers::finish))
        .with_state(runtime)
}
