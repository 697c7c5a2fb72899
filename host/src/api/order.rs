//! Bodies of orders: nothing, or a JSON object with known keys.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::Problem;

/// A body that may be left out; an empty one is an empty object.
#[derive(Debug)]
pub(super) struct Order<T>(pub(super) T);

impl<S, T> FromRequest<S> for Order<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Order<T>, Problem> {
        let body = Bytes::from_request(request, state).await.map_err(|_| Problem::bad_request("the body is not whole"))?;
        parse(&body).map(Order)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let is_empty = body.iter().all(u8::is_ascii_whitespace);
    let body = if is_empty { b"{}" } else { body };
    // An array would do for a struct, too.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::bad_request("the body is not what is expected here: a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("the body is not what is expected here: {error}")))
}
