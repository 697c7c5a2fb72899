/* HTTP that leaves the sandbox: the host judges, signs and journals it. See wit/http.wit. */
#ifndef SANGAM_HTTP_H
#define SANGAM_HTTP_H

#include "sangam/json.h"
#include "sangam/record.h"

typedef struct sangam_header {
    sangam_text name;
    sangam_text value;
} sangam_header;

typedef struct sangam_header_list {
    sangam_header *items;
    size_t count;
} sangam_header_list;

/* A request. Make it with sangam_read or sangam_write, and say more with the functions below. */
typedef struct sangam_request {
    const char *method; /* in upper case */
    sangam_text url;    /* absolute; the query may be added by sangam_query */
    sangam_text name;   /* of a write: what it is called on every attempt, at most 256 bytes */
    bool unnamed;       /* a write without a name: known by method, URL and body, which must come out the same on every attempt */
    bool read_only;     /* only reads, though its method is a writing one; list it in `read_only` of the plugin too */
    sangam_header_list headers;
    sangam_text body;
    uint64_t timeout_ms; /* for the whole exchange; 0: what is left of the call's time */
} sangam_request;

/* A complete answer, of whatever status. */
typedef struct sangam_response {
    int status;
    sangam_header_list headers; /* names in lower case */
    sangam_text body;           /* any bytes */
    sangam_text to;             /* method and URL, for failures to name */
} sangam_response;

/* A GET. Reads go out on every attempt. */
sangam_request sangam_read(sangam_text url);
/* A write with its name, which stands for it on every attempt: in a loop the record's own id (sangam_format("note/%s", id.ptr)), never its
 * position. A write that succeeded is answered from the journal on later attempts. */
sangam_request sangam_write(const char *method, sangam_text url, sangam_text name);

/* Adds `name=value` to the query, percent-encoded. */
void sangam_query(sangam_request *request, const char *name, sangam_text value);
/* Sets a header, in place of one of that name. */
void sangam_header_set(sangam_request *request, const char *name, sangam_text value);
/* The body as JSON, and its content type unless one is set. */
void sangam_body_json(sangam_request *request, const sangam_json *value);
/* The body as it is, with its content type ("text/plain; charset=us-ascii"). */
void sangam_body(sangam_request *request, const char *content_type, sangam_text body);

/* Sends a request and waits for the whole answer, of whatever status; sangam_ok judges it.
 * Where there is no answer: rejected if policy or the request itself forbids it, else retry. A write is then in doubt, and goes again
 * under the same key on the next attempt. The host follows no redirect. */
sangam_failure *sangam_send(const sangam_request *request, const sangam_response **response) SANGAM__MUST_USE;

/* The idempotency key of the write of that name, before it is sent: a UUID of 36 characters, for systems that want it in the URL or the
 * body. Others get it as the header `Idempotency-Key` without asking. */
sangam_text sangam_key(sangam_text name);

/* SANGAM_OK if the answer is a success (2xx), else the failure that HTTP says it is: 401 unauthorized, 429 rate-limited, 408, 425 and
 * 5xx retry, both after `Retry-After`; all others rejected. Each has the status and the start of the body in its details. Where a
 * system has its own ways, match those first and fall back on this. */
sangam_failure *sangam_ok(const sangam_response *response) SANGAM__MUST_USE;
bool sangam_is_success(const sangam_response *response);
/* The first header of that name, in whatever case; none if there is none. */
sangam_text sangam_response_header(const sangam_response *response, const char *name);
/* The body as JSON. Rejected where it is none, with the start of the body. Into a record: then SANGAM_FROM_JSON, or at once SANGAM_ANSWER. */
sangam_failure *sangam_response_json(const sangam_response *response, const sangam_json **value) SANGAM__MUST_USE;
/* The body as a record: movement *made; SANGAM_TRY(SANGAM_ANSWER(movement, response, &made)); */
#define SANGAM_ANSWER(type, response, out) sangam_answer(type##_type(), response, (void **)(1 ? (out) : (type **)0))
sangam_failure *sangam_answer(const sangam_type *type, const sangam_response *response, void **record) SANGAM__MUST_USE;
/* Adds the status and the start of the body of the answer that a failure follows from, and waits as long as its `Retry-After` asks. */
sangam_failure *sangam_with_answer(sangam_failure *failure, const sangam_response *response);
/* How long `Retry-After` asks to wait: seconds, or a date, which is compared with the answer's own `Date`. False where it doesn't say. */
bool sangam_retry_after(const sangam_response *response, uint64_t *milliseconds);

#endif
