//! People log in and out.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Problem, cookie, guard, site};
use crate::access::{Answer, Caller, Login, LoginError, Who, session};
use crate::audit::{Action, Actor, By};
use crate::runtime::Runtime;
use crate::telemetry;

/// Where people come after the login unless they wanted to go elsewhere.
const HOME: &str = "/";
/// Longest path that is remembered over a login: it travels in a cookie.
const MOST_PATH: usize = 1024;
/// How long the browser keeps a login under way.
const UNDER_WAY: u64 = 600;

/// Query of `GET /login`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Begin {
    /// A path of this host to come back to.
    #[serde(rename = "return")]
    return_to: Option<String>,
}

/// Sends the browser to the provider.
pub(super) async fn begin(State(runtime): State<Arc<Runtime>>, Query(query): Query<Begin>, request: Request) -> Result<Response, Problem> {
    let login = login_of(&runtime)?;
    let now = runtime.clock.now();
    guard::wait(&runtime.gate.logins, guard::address_of(&runtime, request.headers(), request.extensions()), now)?;
    let return_to = match query.return_to {
        Some(path) if is_local(&path) => path,
        Some(_) => return Err(Problem::bad_request("return is a path of this host, such as /v1/events")),
        None => HOME.to_owned(),
    };
    let begun = login
        .begin(&format!("{}/login/callback", site::reached_at(&runtime.server, &request)), &return_to, now)
        .await
        .map_err(|error| problem(&error))?;
    let cookie = cookie::set_login(&runtime.server, Some((&begun.sealed, UNDER_WAY)));
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, begun.location)], [(header::SET_COOKIE, cookie)]).into_response())
}

/// Takes the browser back from the provider, logged in.
pub(super) async fn finish(
    State(runtime): State<Arc<Runtime>>,
    Query(answer): Query<Answer>,
    request: Request,
) -> Result<Response, Response> {
    let login = login_of(&runtime).map_err(Problem::into_response)?;
    let (now, address) = (runtime.clock.now(), guard::address_of(&runtime, request.headers(), request.extensions()));
    guard::wait(&runtime.gate.logins, address, now).map_err(Problem::into_response)?;
    let under_way = cookie::login(request.headers(), &runtime.server);
    // Good for one answer, whatever becomes of it.
    let over = cookie::set_login(&runtime.server, None);
    let (person, return_to) = login.finish(&answer, under_way, now).await.map_err(|error| {
        let problem = problem(&error);
        if problem.status() != StatusCode::SERVICE_UNAVAILABLE {
            runtime.gate.logins.failed(address, now);
            runtime.refusals.logins.note(Some(address));
        }
        tracing::warn!(%address, error = telemetry::chain(&error), "a login failed");
        ([(header::SET_COOKIE, over.clone())], problem).into_response()
    })?;
    let (text, row) = session::begin(&person, login.config(), now);
    let lifetime = login.config().session_lifetime.as_secs();
    tracing::info!(%address, subject = person.subject, role = person.role.as_str(), session = row.id, "a person logged in");
    let by = By::request(Actor::Person { id: person.subject.clone(), name: row.name.clone() }, Some(address));
    let act = by.did(Action::Login, row.id.as_str()).with("role", person.role.as_str());
    runtime.store.session_insert(row).await.map_err(|error| Problem::from(error).into_response())?;
    runtime.store.audit(act, now).await.map_err(|error| Problem::from(error).into_response())?;
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, return_to)]).into_response();
    // What the browser was before it is no longer: a session that somebody put there ends here.
    response.headers_mut().append(header::SET_COOKIE, cookie::set_session(&runtime.server, Some((text.expose(), lifetime))));
    response.headers_mut().append(header::SET_COOKIE, over);
    Ok(response)
}

/// Ends the session.
pub(super) async fn logout(State(runtime): State<Arc<Runtime>>, Extension(caller): Extension<Caller>) -> Result<Response, Problem> {
    let Who::Person { session, .. } = &caller.who else {
        return Err(Problem::conflict("only who has logged in can log out; `sangam token revoke` ends a token"));
    };
    let act = caller.by().did(Action::Logout, session.as_str());
    runtime.store.session_revoke(session, act, runtime.clock.now()).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie::set_session(&runtime.server, None))]).into_response())
}

fn login_of(runtime: &Runtime) -> Result<&Login, Problem> {
    let none = || Problem::not_found("nobody logs in at this host: there is no [server.oidc]; send an API token");
    runtime.gate.login.as_ref().ok_or_else(none)
}

/// Whether a browser stays at this host when it goes there: `//elsewhere` and `/\elsewhere` are other hosts to it, and it drops tabs and line ends
/// from what it is given.
fn is_local(path: &str) -> bool {
    let begins = path.starts_with('/') && !path[1..].starts_with(['/', '\\']);
    begins && path.len() <= MOST_PATH && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

fn problem(error: &LoginError) -> Problem {
    let text = telemetry::chain(error);
    match error {
        LoginError::NotUnderWay => Problem::bad_request(text),
        LoginError::OtherIssuer | LoginError::Refused(_) | LoginError::IdToken(_) | LoginError::NoRole(_) => {
            Problem::new(StatusCode::FORBIDDEN, text)
        }
        LoginError::Provider(error) if error.is_refusal() => Problem::new(StatusCode::FORBIDDEN, text),
        LoginError::Provider(_) => Problem::unavailable(&text, Duration::from_secs(5)),
        LoginError::Secret(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_this_host_only() {
        for path in ["/", "/v1/events?status=dead", "/a//b", "/x#y"] {
            assert!(is_local(path), "{path}");
        }
        for path in
            ["", "v1", "//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "/a b", "/a\r\nx: y", "/\\/x", "/ä"]
        {
            assert!(!is_local(path), "{path:?}");
        }
        assert!(!is_local(&format!("/{}", "a".repeat(MOST_PATH))));
    }
}
