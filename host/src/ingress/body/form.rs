//! Forms of web pages: `application/x-www-form-urlencoded` (URL Standard, section 5) and `multipart/form-data` (RFC 7578).

use std::collections::HashSet;
use std::convert::Infallible;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use super::{BodyError, MAX_FIELDS, put};

/// An object of texts; a name that comes several times has a list of them.
pub(super) fn urlencoded(body: &[u8]) -> Result<Value, BodyError> {
    let (mut members, mut lists) = (Map::new(), HashSet::new());
    for (count, (name, value)) in url::form_urlencoded::parse(body).enumerate() {
        if count >= MAX_FIELDS {
            return Err(BodyError::Fields);
        }
        put(&mut members, &mut lists, name.into_owned(), Value::String(value.into_owned()));
    }
    Ok(Value::Object(members))
}

/// The same; a file is an object `{name, content_type, size, base64}`.
pub(super) async fn multipart(content_type: &str, body: Bytes, max_file_size: usize) -> Result<Value, BodyError> {
    let wrong = |error: multer::Error| BodyError::Form(said(&error).to_owned());
    let boundary = multer::parse_boundary(content_type).map_err(wrong)?;
    let whole = futures::stream::once(async move { Ok::<Bytes, Infallible>(body) });
    let mut form = multer::Multipart::new(whole, boundary);
    let (mut members, mut lists) = (Map::new(), HashSet::new());
    let mut count = 0;
    while let Some(field) = form.next_field().await.map_err(wrong)? {
        count += 1;
        if count > MAX_FIELDS {
            return Err(BodyError::Fields);
        }
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().map(str::to_owned);
        let kind = field.content_type().map(ToString::to_string);
        let bytes = field.bytes().await.map_err(wrong)?;
        let value = match file {
            Some(_) if bytes.len() > max_file_size => return Err(BodyError::File { field: name, most: max_file_size }),
            // What a browser sends for a field of files in which nothing was chosen.
            Some(file) if file.is_empty() && bytes.is_empty() => Value::Null,
            Some(file) => json!({ "name": file, "content_type": kind, "size": bytes.len(), "base64": BASE64.encode(&bytes) }),
            None => Value::String(String::from_utf8(bytes.to_vec()).map_err(|_| BodyError::Text)?),
        };
        put(&mut members, &mut lists, name, value);
    }
    Ok(Value::Object(members))
}

/// What is wrong, without a piece of the body.
fn said(error: &multer::Error) -> &'static str {
    match error {
        multer::Error::NoMultipart | multer::Error::DecodeContentType(_) => "its content type is not multipart/form-data",
        multer::Error::NoBoundary => "its content type names no boundary",
        multer::Error::IncompleteFieldData { .. } | multer::Error::IncompleteStream => "it ends in the middle of a field",
        multer::Error::IncompleteHeaders | multer::Error::ReadHeaderFailed(_) | multer::Error::DecodeHeaderName { .. } => {
            "the head of a field can't be read"
        }
        multer::Error::DecodeHeaderValue { .. } => "a header of a field is not text",
        _ => "it can't be taken apart",
    }
}
