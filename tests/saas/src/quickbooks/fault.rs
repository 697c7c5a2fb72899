//! The vendor's error body and its codes.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::entity::Entity;

/// Why a request was not done.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    /// `ValidationFault`, `AuthenticationFault`, …
    kind: &'static str,
    code: &'static str,
    message: String,
    detail: String,
    element: String,
}

impl Fault {
    fn validation(code: &'static str, message: &str, detail: impl Into<String>, element: &str) -> Fault {
        Fault {
            status: StatusCode::BAD_REQUEST,
            kind: "ValidationFault",
            code,
            message: message.to_owned(),
            detail: detail.into(),
            element: element.to_owned(),
        }
    }

    /// 2020: a required field is missing.
    pub(super) fn missing(name: &str) -> Fault {
        let message = "Required param missing, need to supply the required value for the API";
        Fault::validation("2020", message, format!("Required parameter {name} is missing in the request"), name)
    }

    /// 2010: a field or a value that the entity doesn't have.
    pub(super) fn unsupported(name: &str, why: &str) -> Fault {
        let detail = format!("Property Name:{name} {why}");
        Fault::validation("2010", "Request has invalid or unsupported property", detail, name)
    }

    /// 2050: a text that is too long.
    pub(super) fn too_long(name: &str, max: usize, length: usize) -> Fault {
        let message = "String length is either shorter or longer than supported by specification";
        let detail = format!("String length specified does not match the supported length. Min:0 Max:{max} Supplied:{length}");
        Fault::validation("2050", message, detail, name)
    }

    /// 2040: a text with characters that it may not have.
    pub(super) fn invalid_text(name: &str) -> Fault {
        Fault::validation("2040", "Invalid String", "Invalid String. Name contains colon, tab or new line.", name)
    }

    /// 2090: a number out of its range or precision.
    pub(super) fn invalid_number(name: &str, value: &str) -> Fault {
        let detail = format!("Invalid Number : {value} has more digits or decimals than {name} supports");
        Fault::validation("2090", "Invalid Number", detail, name)
    }

    /// 2210: no e-mail address.
    pub(super) fn invalid_email(name: &str) -> Fault {
        let detail = "Invalid Email Address format : Email Address does not conform to format";
        Fault::validation("2210", "Invalid Email Address format", detail, name)
    }

    /// 2500: a reference to what isn't there.
    pub(super) fn bad_reference(entity: Entity, id: &str) -> Fault {
        let detail = format!("Invalid Reference Id : {} element id {id} not found", entity.list());
        Fault::validation("2500", "Invalid Reference Id", detail, "")
    }

    /// 4000: a query that can't be read.
    pub(super) fn query(detail: impl Into<String>) -> Fault {
        Fault::validation("4000", "Error parsing query", format!("QueryParserError: {}", detail.into()), "")
    }

    /// 4001: a query that asks for what isn't there.
    pub(super) fn query_invalid(detail: impl Into<String>) -> Fault {
        Fault::validation("4001", "Invalid query", format!("QueryValidationError: {}", detail.into()), "")
    }

    /// 500: an operation that the entity doesn't have.
    pub(super) fn unsupported_operation(what: &str) -> Fault {
        Fault::validation("500", "Unsupported Operation", format!("Operation {what} is not supported."), "")
    }

    /// 5010: changed by someone else meanwhile.
    pub(super) fn stale() -> Fault {
        let detail = "Stale Object Error : You and another user were working on this at the same time. The other user \
                      finished before you did, so your work was not saved.";
        Fault::validation("5010", "Stale Object Error", detail, "")
    }

    /// 600: a request id that has served for something else.
    pub(super) fn duplicate_request(id: &str) -> Fault {
        let detail = format!("Duplicate Request ID : {id} has been used for another request");
        Fault::validation("600", "Duplicate Request ID", detail, "requestid")
    }

    /// 610: no such record, or one made inactive.
    pub(super) fn not_found() -> Fault {
        let detail = "Object Not Found : Something you're trying to use has been made inactive. Check the fields with \
                      accounts, customers, items, vendors or employees.";
        Fault::validation("610", "Object Not Found", detail, "")
    }

    /// 6000: against a rule of the books.
    pub(super) fn business(why: &str) -> Fault {
        let message = "A business validation error has occurred while processing your request";
        Fault::validation("6000", message, format!("Business Validation Error: {why}"), "")
    }

    /// 6070: a line whose amount isn't quantity times price.
    pub(super) fn amount(supplied: &str) -> Fault {
        let detail = format!("Amount is not equal to UnitPrice * Qty. Supplied value:{supplied}");
        Fault::validation("6070", "Amount calculation incorrect in the request.", detail, "Line.Amount")
    }

    /// 6140: an invoice number that is taken.
    pub(super) fn duplicate_document(number: &str, holder: &str) -> Fault {
        let detail = format!(
            "Duplicate Document Number Error : You must specify a different number. This number has already been used. \
             DocNumber={number} is assigned to TxnType=Invoice with TxnId={holder}"
        );
        Fault::validation("6140", "Duplicate Document Number Error", detail, "")
    }

    /// 6240: a name that is taken.
    pub(super) fn duplicate_name() -> Fault {
        let detail = "The name supplied already exists. : Another customer, vendor, employee or item is using this name.";
        Fault::validation("6240", "Duplicate Name Exists Error", detail, "")
    }

    /// 1040: a batch that is too large or empty.
    pub(super) fn batch_size(items: usize, max: usize) -> Fault {
        let detail = format!("Number of items in the batch is {items}; it is 1 to {max}");
        Fault::validation("1040", "Batch size is not supported", detail, "")
    }

    /// HTTP 415.
    pub(super) fn media_type(wanted: &str) -> Fault {
        let mut fault = Fault::validation("2010", "Unsupported Media Type", format!("Content-Type must be {wanted}"), "");
        fault.status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        fault
    }

    /// 3200 with HTTP 401: no valid access token.
    pub(super) fn not_authenticated(detail: &str) -> Fault {
        Fault {
            status: StatusCode::UNAUTHORIZED,
            kind: "AUTHENTICATION",
            code: "3200",
            message: "message=AuthenticationFailed; errorCode=003200; statusCode=401".to_owned(),
            detail: detail.to_owned(),
            element: String::new(),
        }
    }

    /// 120 with HTTP 403: the token doesn't open this company.
    pub(super) fn not_authorized(realm: &str) -> Fault {
        Fault {
            status: StatusCode::FORBIDDEN,
            kind: "AuthorizationFault",
            code: "120",
            message: "Authorization Failure".to_owned(),
            detail: format!("AuthorizationFailure: no grant for company {realm}, errorCode=000120, statusCode=403"),
            element: String::new(),
        }
    }

    /// HTTP 429. No `Retry-After`: the documentation says to wait 60 s.
    pub(super) fn throttled() -> Fault {
        Fault {
            status: StatusCode::TOO_MANY_REQUESTS,
            kind: "SERVICE",
            code: "429",
            message: "message=ThrottleExceeded; errorCode=003001; statusCode=429".to_owned(),
            detail: "The request limit was reached.".to_owned(),
            element: String::new(),
        }
    }

    /// The content of the `Fault` key.
    pub(super) fn content(&self) -> Value {
        let mut error = Map::new();
        error.insert("Message".to_owned(), json!(self.message));
        error.insert("Detail".to_owned(), json!(self.detail));
        error.insert("code".to_owned(), json!(self.code));
        if !self.element.is_empty() {
            error.insert("element".to_owned(), json!(self.element));
        }
        json!({ "Error": [error], "type": self.kind })
    }

    /// The body, without its time. Authentication is refused by a gateway that spells the keys in lower case.
    pub(super) fn body(&self) -> Value {
        if self.kind != "AUTHENTICATION" {
            return json!({ "Fault": self.content() });
        }
        json!({
            "warnings": null,
            "intuitObject": null,
            "fault": {
                "error": [{ "message": self.message, "detail": self.detail, "code": self.code, "element": null }],
                "type": self.kind,
            },
            "report": null,
            "queryResponse": null,
            "batchItemResponse": [],
            "attachableResponse": [],
            "syncErrorResponse": null,
            "requestId": null,
            "status": null,
            "cdcresponse": [],
        })
    }
}
