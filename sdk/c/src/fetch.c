/* Requests over wasi:http@0.2. Natively, in tests, they go where those of sangam_send go. */
#include <string.h>
#include <strings.h>

#include "abi.h"

#ifdef __wasm__
#include "world_fetch.h"

__asm__(SANGAM__WORLD_FETCH);

#define HTTP(function) __attribute__((import_module("wasi:http/types@0.2.12"), import_name(function))) extern
#define STREAMS(function) __attribute__((import_module("wasi:io/streams@0.2.12"), import_name(function))) extern
#define POLL(function) __attribute__((import_module("wasi:io/poll@0.2.12"), import_name(function))) extern

typedef int32_t handle;

/* Where a function puts its result: large enough for the largest, an error-code within two results and an option. */
typedef union area {
    uint8_t bytes[128];
    uint64_t aligned;
} area;

HTTP("[static]fields.from-list") void fields_from_list(const sangam_header *headers, size_t count, area *out);
HTTP("[method]fields.entries") void fields_entries(handle fields, area *out);
HTTP("[resource-drop]fields") void fields_drop(handle fields);
HTTP("[constructor]outgoing-request") handle request_new(handle fields);
HTTP("[method]outgoing-request.set-method") int32_t request_set_method(handle request, int32_t tag, const char *other, size_t len);
HTTP("[method]outgoing-request.set-scheme") int32_t request_set_scheme(handle request, int32_t some, int32_t tag, const char *other, size_t len);
HTTP("[method]outgoing-request.set-authority") int32_t request_set_authority(handle request, int32_t some, const char *text, size_t len);
HTTP("[method]outgoing-request.set-path-with-query") int32_t request_set_path(handle request, int32_t some, const char *text, size_t len);
HTTP("[method]outgoing-request.body") void request_body(handle request, area *out);
HTTP("[resource-drop]outgoing-request") void request_drop(handle request);
HTTP("[constructor]request-options") handle options_new(void);
HTTP("[method]request-options.set-connect-timeout") int32_t options_connect(handle options, int32_t some, int64_t nanoseconds);
HTTP("[method]request-options.set-first-byte-timeout") int32_t options_first_byte(handle options, int32_t some, int64_t nanoseconds);
HTTP("[method]request-options.set-between-bytes-timeout") int32_t options_between_bytes(handle options, int32_t some, int64_t nanoseconds);
HTTP("[method]outgoing-body.write") void body_write(handle body, area *out);
HTTP("[static]outgoing-body.finish") void body_finish(handle body, int32_t some, handle trailers, area *out);
HTTP("[method]future-incoming-response.subscribe") handle future_subscribe(handle future);
HTTP("[method]future-incoming-response.get") void future_get(handle future, area *out);
HTTP("[resource-drop]future-incoming-response") void future_drop(handle future);
HTTP("[method]incoming-response.status") int32_t response_status(handle response);
HTTP("[method]incoming-response.headers") handle response_headers(handle response);
HTTP("[method]incoming-response.consume") void response_consume(handle response, area *out);
HTTP("[resource-drop]incoming-response") void response_drop(handle response);
HTTP("[method]incoming-body.stream") void incoming_stream(handle body, area *out);
HTTP("[resource-drop]incoming-body") void incoming_drop(handle body);
STREAMS("[method]output-stream.blocking-write-and-flush") void stream_write(handle stream, const char *bytes, size_t len, area *out);
STREAMS("[resource-drop]output-stream") void output_drop(handle stream);
STREAMS("[method]input-stream.blocking-read") void stream_read(handle stream, int64_t len, area *out);
STREAMS("[resource-drop]input-stream") void input_drop(handle stream);
POLL("[method]pollable.block") void pollable_block(handle pollable);
POLL("[resource-drop]pollable") void pollable_drop(handle pollable);
__attribute__((import_module("wasi:io/error@0.2.12"), import_name("[resource-drop]error"))) extern void error_drop(handle error);
__attribute__((import_module("wasi:http/outgoing-handler@0.2.12"), import_name("handle"))) extern void outgoing_handle(
    handle request, int32_t some, handle options, area *out);

static uint32_t word_at(const area *area, size_t offset) {
    uint32_t word;
    memcpy(&word, area->bytes + offset, sizeof word);
    return word;
}

static sangam_text text_at(const area *area, size_t offset) {
    return (sangam_text){(const char *)word_at(area, offset), word_at(area, offset + 4)};
}

/* The error-code at that place as a failure. Which stand for what is forbidden or malformed, and so for ever, is in wasi:http/types. */
static sangam_failure *failed(const char *to, const area *area, size_t offset) {
    static const char *const names[] = {"DNS-timeout", "DNS-error", "destination-not-found", "destination-unavailable", "destination-IP-prohibited",
        "destination-IP-unroutable", "connection-refused", "connection-terminated", "connection-timeout", "connection-read-timeout",
        "connection-write-timeout", "connection-limit-reached", "TLS-protocol-error", "TLS-certificate-error", "TLS-alert-received",
        "HTTP-request-denied", "HTTP-request-length-required", "HTTP-request-body-size", "HTTP-request-method-invalid", "HTTP-request-URI-invalid",
        "HTTP-request-URI-too-long", "HTTP-request-header-section-size", "HTTP-request-header-size", "HTTP-request-trailer-section-size",
        "HTTP-request-trailer-size", "HTTP-response-incomplete", "HTTP-response-header-section-size", "HTTP-response-header-size",
        "HTTP-response-body-size", "HTTP-response-trailer-section-size", "HTTP-response-trailer-size", "HTTP-response-transfer-coding",
        "HTTP-response-content-coding", "HTTP-response-timeout", "HTTP-upgrade-failed", "HTTP-protocol-error", "loop-detected",
        "configuration-error", "internal-error"};
    enum { PROHIBITED = 4, DENIED = 15, TRAILER_SIZE = 24, INTERNAL = 38 };
    uint8_t tag = area->bytes[offset];
    if (tag == PROHIBITED || (tag >= DENIED && tag <= TRAILER_SIZE)) return sangam_reject("%s is not allowed: %s", to, names[tag]);
    if (tag == INTERNAL && area->bytes[offset + 8]) {
        sangam_text why = text_at(area, offset + 12);
        return sangam_retry("%s failed: %.*s", to, (int)why.len, why.ptr);
    }
    return sangam_retry("%s failed: %s", to, tag < INTERNAL ? names[tag] : "internal-error");
}

static sangam_failure *malformed(const char *to, const char *part) { return sangam_reject("%s is no valid request: its %s is refused", to, part); }

/* Sets the parts of the URL. */
static sangam_failure *address(handle request, const char *to, sangam_text url) {
    bool secure = sangam_text_starts(url, "https://");
    if (!secure && !sangam_text_starts(url, "http://")) return malformed(to, "URL");
    size_t start = secure ? 8 : 7, end = start;
    while (end < url.len && url.ptr[end] != '/' && url.ptr[end] != '?') end++;
    sangam_text path = {url.ptr + end, url.len - end};
    if (path.len == 0 || *path.ptr == '?') path = sangam_format("/%.*s", (int)path.len, path.ptr);
    if (request_set_scheme(request, 1, secure, "", 0)) return malformed(to, "scheme");
    if (request_set_authority(request, 1, url.ptr + start, end - start)) return malformed(to, "host");
    if (request_set_path(request, 1, path.ptr, path.len)) return malformed(to, "path");
    return SANGAM_OK;
}

static int32_t method_of(const char *method) {
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    int32_t tag = 0;
    while (tag < 9 && strcmp(method, methods[tag]) != 0) tag++;
    return tag;
}

static handle options_of(uint64_t milliseconds) {
    int64_t nanoseconds = milliseconds > INT64_MAX / 1000000 ? INT64_MAX : (int64_t)milliseconds * 1000000;
    handle options = options_new();
    options_connect(options, 1, nanoseconds);
    options_first_byte(options, 1, nanoseconds);
    options_between_bytes(options, 1, nanoseconds);
    return options;
}

/* Writes the body. Where the other side no longer listens, its answer says why, so that is no failure here. */
static void write_body(handle body, sangam_text bytes) {
    enum { MOST_AT_ONCE = 4096 }; /* of blocking-write-and-flush */
    area out;
    body_write(body, &out);
    if (out.bytes[0]) return;
    handle stream = (handle)word_at(&out, 4);
    for (size_t at = 0; at < bytes.len;) {
        size_t len = bytes.len - at > MOST_AT_ONCE ? MOST_AT_ONCE : bytes.len - at;
        stream_write(stream, bytes.ptr + at, len, &out);
        if (out.bytes[0]) {
            if (out.bytes[4] == 0) error_drop((handle)word_at(&out, 8));
            break;
        }
        at += len;
    }
    output_drop(stream);
    body_finish(body, 0, 0, &out);
}

static sangam_failure *read_body(handle response, const char *to, sangam_text *body) {
    enum { AT_ONCE = 64 * 1024 };
    area out;
    response_consume(response, &out);
    if (out.bytes[0]) return sangam_retry("%s: the answer's body was taken already", to);
    handle incoming = (handle)word_at(&out, 4);
    incoming_stream(incoming, &out);
    if (out.bytes[0]) return sangam_retry("%s: the answer's body was taken already", to);
    handle stream = (handle)word_at(&out, 4);
    sangam_failure *failure = SANGAM_OK;
    char *bytes = NULL;
    size_t len = 0, room = 0;
    for (;;) {
        stream_read(stream, AT_ONCE, &out);
        if (out.bytes[0]) {
            if (out.bytes[4] == 0) {
                error_drop((handle)word_at(&out, 8));
                failure = sangam_retry("%s: the answer broke off", to);
            }
            break;
        }
        sangam_text piece = text_at(&out, 4);
        if (piece.len > room - len) {
            room = 2 * room > len + piece.len ? 2 * room : len + piece.len;
            char *more = sangam_alloc(room + 1);
            if (len) memcpy(more, bytes, len);
            bytes = more;
        }
        if (piece.len) memcpy(bytes + len, piece.ptr, piece.len);
        len += piece.len;
    }
    input_drop(stream);
    incoming_drop(incoming);
    *body = bytes ? sangam_copy(bytes, len) : SANGAM_TEXT("");
    return failure;
}

static sangam_failure *receive(handle response, sangam_text to, const sangam_response **given) {
    area out;
    sangam_response *made = sangam_alloc(sizeof *made);
    made->status = response_status(response);
    made->to = to;
    handle fields = response_headers(response);
    fields_entries(fields, &out);
    fields_drop(fields);
    made->headers = (sangam_header_list){(sangam_header *)word_at(&out, 0), word_at(&out, 4)};
    for (size_t i = 0; i < made->headers.count; i++) {
        sangam_text name = sangam_copy(made->headers.items[i].name.ptr, made->headers.items[i].name.len);
        for (char *c = (char *)name.ptr; *c; c++) *c += *c >= 'A' && *c <= 'Z' ? 'a' - 'A' : 0;
        made->headers.items[i].name = name;
    }
    SANGAM_TRY(read_body(response, to.ptr, &made->body));
    *given = made;
    return SANGAM_OK;
}

static sangam_failure *exchange(const sangam_request *wanted, sangam_text to, const sangam_response **response) {
    area out;
    fields_from_list(wanted->headers.items, wanted->headers.count, &out);
    if (out.bytes[0]) return malformed(to.ptr, "headers");
    handle request = request_new((handle)word_at(&out, 4));
    sangam_failure *failure = address(request, to.ptr, sangam__utf8(wanted->url));
    if (!failure && request_set_method(request, method_of(wanted->method), wanted->method, strlen(wanted->method))) failure = malformed(to.ptr, "method");
    if (failure) {
        request_drop(request);
        return failure;
    }
    /* A body that was taken has to be finished; so none is taken where there is nothing to say. */
    bool has_body = false;
    handle body = 0;
    if (wanted->body.len) {
        request_body(request, &out);
        has_body = out.bytes[0] == 0;
        body = (handle)word_at(&out, 4);
    }
    outgoing_handle(request, wanted->timeout_ms > 0, wanted->timeout_ms ? options_of(wanted->timeout_ms) : 0, &out);
    if (out.bytes[0]) return failed(to.ptr, &out, 8);
    handle future = (handle)word_at(&out, 8);
    if (has_body) write_body(body, wanted->body);
    handle pollable = future_subscribe(future);
    pollable_block(pollable);
    pollable_drop(pollable);
    future_get(future, &out);
    enum { SOME = 0, OUTER = 8, INNER = 16, VALUE = 24 };
    if (!out.bytes[SOME] || out.bytes[OUTER]) return sangam_retry("%s: its answer was taken already", to.ptr);
    if (out.bytes[INNER]) {
        failure = failed(to.ptr, &out, VALUE);
    } else {
        handle incoming = (handle)word_at(&out, VALUE);
        failure = receive(incoming, to, response);
        response_drop(incoming);
    }
    future_drop(future);
    return failure;
}
#else
static sangam_failure *exchange(const sangam_request *wanted, sangam_text to, const sangam_response **response) {
    (void)to;
    sangam_request plain = *wanted;
    plain.headers = (sangam_header_list){NULL, 0};
    for (size_t i = 0; i < wanted->headers.count; i++) {
        const sangam_header *header = &wanted->headers.items[i];
        if (strncasecmp(header->name.ptr, "sangam-", 7) != 0) sangam_header_set(&plain, header->name.ptr, header->value);
    }
    return sangam_send(&plain, response);
}
#endif

sangam_failure *sangam_fetch(const sangam_request *request, const sangam_response **response) {
    sangam_text to = sangam__without_query(request->method, request->url);
    *response = NULL;
    SANGAM_TRY(sangam__check_write(request, to));
    sangam_request marked = *request;
    if (request->name.len) sangam_header_set(&marked, "Sangam-Effect-Name", request->name);
    if (request->read_only) sangam_header_set(&marked, "Sangam-Effect", SANGAM_TEXT("read"));
    return exchange(&marked, to, response);
}
