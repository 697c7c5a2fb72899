//! Cursors: where a page of a list ended. A cursor holds a place, not a number of rows: what is added or removed while somebody turns pages shifts
//! nothing. It holds no secret and is bound to no host: it is good after a restart and at the next host.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Problem;

/// Names a list's cursors: `list`, digest of the filters, and the place.
const PARTS: usize = 3;
/// Characters of the digest.
const DIGEST: usize = 16;

/// Rows of a page unless asked otherwise.
const PAGE: u32 = 50;
/// Most rows of a page.
const MAX_PAGE: u32 = 500;

/// Query of a list that has no filters.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// How many at most: 50 unless said, 500 at most.
    #[serde(skip_serializing)]
    limit: Option<u32>,
    /// Where the last page ended (`next_cursor`).
    #[serde(skip_serializing)]
    pub(super) cursor: Option<String>,
}

impl Page {
    /// How many rows are asked for.
    pub(super) fn limit(&self) -> u32 {
        self.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE)
    }
}

/// A list as it is filtered.
#[derive(Debug)]
pub(super) struct Listing {
    name: &'static str,
    filters: String,
}

impl Listing {
    /// `name`: for people, such as "dead letters". `query`: the filters as they were asked, without limit and cursor (`skip_serializing`).
    pub(super) fn new(name: &'static str, query: &impl Serialize) -> Listing {
        let written = serde_json::to_vec(query).unwrap_or_default();
        let digest = Sha256::digest(written).iter().take(DIGEST / 2).map(|byte| format!("{byte:02x}")).collect();
        Listing { name, filters: digest }
    }

    /// The cursor of a place.
    pub(super) fn cursor(&self, place: impl std::fmt::Display) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}\n{}\n{place}", self.name, self.filters))
    }

    /// The place of a cursor.
    ///
    /// # Errors
    /// 400: it is none, or that of another list or of other filters.
    pub(super) fn place<P: std::str::FromStr>(&self, cursor: Option<&str>) -> Result<Option<P>, Problem> {
        let Some(cursor) = cursor else { return Ok(None) };
        let bad = || Problem::bad_request("the cursor is not one that this host gave; ask without it for the first page");
        let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
        let mut parts = text.splitn(PARTS, '\n');
        let (Some(name), Some(filters), Some(place)) = (parts.next(), parts.next(), parts.next()) else { return Err(bad()) };
        if name != self.name {
            let why = format!("the cursor is one of the list of {name}, not of {}; ask without it for the first page", self.name);
            return Err(Problem::bad_request(why));
        }
        if filters != self.filters {
            let why = "the cursor was given for other filters; ask with those again, or without the cursor for the first page of these";
            return Err(Problem::bad_request(why));
        }
        place.parse().map(Some).map_err(|_| bad())
    }
}

/// A time in milliseconds, and what tells apart those of the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeAnd<T>(pub(super) jiff::Timestamp, pub(super) T);

impl<T: std::fmt::Display> std::fmt::Display for TimeAnd<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.0.as_millisecond(), self.1)
    }
}

impl<T: std::str::FromStr> std::str::FromStr for TimeAnd<T> {
    type Err = ();

    fn from_str(text: &str) -> Result<TimeAnd<T>, ()> {
        let (millis, rest) = text.split_once('/').ok_or(())?;
        let time = jiff::Timestamp::from_millisecond(millis.parse().map_err(|_| ())?).map_err(|_| ())?;
        Ok(TimeAnd(time, rest.parse().map_err(|_| ())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_list_and_its_filters_alone() {
        let dead = Listing::new("events", &serde_json::json!({ "status": "dead" }));
        let cursor = dead.cursor(TimeAnd(jiff::Timestamp::UNIX_EPOCH, "a/b"));
        let place = dead.place::<TimeAnd<String>>(Some(&cursor)).expect("its own cursor");
        assert_eq!(place, Some(TimeAnd(jiff::Timestamp::UNIX_EPOCH, "a/b".to_owned())));
        assert_eq!(dead.place::<TimeAnd<String>>(None).expect("none"), None);
        let why = |listing: &Listing, cursor: &str| {
            listing.place::<TimeAnd<String>>(Some(cursor)).expect_err("a cursor of something else").detail().to_owned()
        };
        assert!(why(&Listing::new("events", &serde_json::json!({ "status": "waiting" })), &cursor).contains("other filters"));
        assert!(
            why(&Listing::new("dead letters", &serde_json::json!({ "status": "dead" })), &cursor)
                .contains("the list of events, not of dead letters")
        );
        for broken in ["", "?", "YQ", &cursor[..20], &dead.cursor("x"), &dead.cursor("99999999999999999999/a")] {
            assert!(why(&dead, broken).contains("not one that this host gave"), "{broken}");
        }
    }
}
