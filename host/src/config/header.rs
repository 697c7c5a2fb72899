//! Names of HTTP headers.

/// A header field name (RFC 9110 section 5.1) that is not one of those the host itself sets.
pub(super) fn header_name(text: &str) -> Result<String, String> {
    const RESERVED: [&str; 8] = ["connection", "content-length", "expect", "host", "keep-alive", "te", "transfer-encoding", "upgrade"];
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if text.is_empty() || !text.bytes().all(token) {
        return Err(format!("{text:?} is not the name of a header"));
    }
    if RESERVED.contains(&text.to_ascii_lowercase().as_str()) {
        return Err(format!("the header `{text}` belongs to the connection and can't be set"));
    }
    Ok(text.to_owned())
}
