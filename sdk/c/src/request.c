/* Requests: making and sending them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "abi.h"

sangam_request sangam_read(sangam_text url) { return (sangam_request){.method = "GET", .url = url}; }

sangam_request sangam_write(const char *method, sangam_text url, sangam_text name) {
    return (sangam_request){.method = method, .url = url, .name = name};
}

void sangam_query(sangam_request *request, const char *name, sangam_text value) {
    char between = request->url.len && memchr(request->url.ptr, '?', request->url.len) ? '&' : '?';
    request->url = sangam_format("%.*s%c%s=%s", (int)request->url.len, request->url.ptr, between, sangam_encode(sangam_text_of(name)).ptr,
        sangam_encode(value).ptr);
}

static sangam_header *present(const sangam_header_list *headers, const char *name) {
    size_t len = strlen(name);
    for (size_t i = 0; i < headers->count; i++) {
        sangam_header *header = &headers->items[i];
        if (header->name.len == len && strncasecmp(header->name.ptr, name, len) == 0) return header;
    }
    return NULL;
}

void sangam_header_set(sangam_request *request, const char *name, sangam_text value) {
    sangam_header *header = present(&request->headers, name);
    if (!header) {
        sangam_header *items = sangam_alloc_array(request->headers.count + 1, sizeof *items);
        if (request->headers.count) memcpy(items, request->headers.items, request->headers.count * sizeof *items);
        header = &items[request->headers.count++];
        request->headers.items = items;
    }
    *header = (sangam_header){sangam_text_of(name), value};
}

void sangam_body(sangam_request *request, const char *content_type, sangam_text body) {
    request->body = body;
    if (!present(&request->headers, "content-type")) sangam_header_set(request, "content-type", sangam_text_of(content_type));
}

void sangam_body_json(sangam_request *request, const sangam_json *value) { sangam_body(request, "application/json", sangam_json_write(value)); }

/* How much of a URL a failure shows, in characters. */
enum { LONGEST_URL = 1000 };

/* For people: the query may hold personal data. */
sangam_text sangam__without_query(const char *method, sangam_text url) {
    size_t len = 0;
    while (len < url.len && url.ptr[len] != '?' && url.ptr[len] != '#') len++;
    return sangam_format("%s %s", method, sangam__shown((sangam_text){url.ptr, len}, LONGEST_URL).ptr);
}

sangam_failure *sangam__check_write(const sangam_request *request, sangam_text to) {
    bool reads = request->read_only || !strcmp(request->method, "GET") || !strcmp(request->method, "HEAD") || !strcmp(request->method, "OPTIONS");
    if (reads || request->unnamed || request->name.len) return SANGAM_OK;
    return sangam_reject("%s is a write without a name: give it one (or say `unnamed`), so that it is known again on the next attempt", to.ptr);
}

static sangam_failure *unanswered(const char *to, const abi_sent *sent) {
    const char *why = sent->value.error.tag == ABI_RESPONSE_TOO_LARGE || sent->value.error.tag == ABI_TOO_MANY_CALLS
                          ? ""
                          : sangam_copy(sent->value.error.value.why.ptr, sent->value.error.value.why.len).ptr;
    switch (sent->value.error.tag) {
    case ABI_DENIED: return sangam_reject("%s is not allowed: %s", to, why);
    case ABI_INVALID_REQUEST: return sangam_reject("%s is no valid request: %s", to, why);
    case ABI_NAME_USED: return sangam_reject("%s: this step has already written `%s`; each write needs its own name", to, why);
    case ABI_TOO_MANY_CALLS:
        return sangam_reject("%s would be more than the %u requests of one call (`http-calls`)", to, (unsigned)sent->value.error.value.count);
    case ABI_TIMEOUT: return sangam_retry("%s was not answered in time: %s", to, why);
    case ABI_CONNECTION: return sangam_retry("%s failed: %s", to, why);
    case ABI_RESPONSE_TOO_LARGE:
        return sangam_retry("%s was answered with more than %llu bytes (`response-size`)", to, (unsigned long long)sent->value.error.value.size);
    default: return sangam_retry("%s was not sent: %s", to, why);
    }
}

sangam_failure *sangam_send(const sangam_request *request, const sangam_response **response) {
    sangam_text to = sangam__without_query(request->method, request->url), url = sangam__utf8(request->url), name = sangam__utf8(request->name);
    *response = NULL;
    SANGAM_TRY(sangam__check_write(request, to));
    abi_sent sent;
    memset(&sent, 0, sizeof sent);
    abi_http_send(request->method, strlen(request->method), url.ptr, url.len, request->headers.items, request->headers.count, request->body.ptr,
        request->body.len, request->timeout_ms > 0, (int64_t)request->timeout_ms, name.len > 0, name.ptr, name.len, request->read_only, &sent);
    if (sent.failed) return unanswered(to.ptr, &sent);
    sangam_response *made = sangam_alloc(sizeof *made);
    made->status = sent.value.response.status;
    made->headers = (sangam_header_list){sent.value.response.headers.ptr, sent.value.response.headers.len};
    made->body = sent.value.response.body;
    made->to = to;
    *response = made;
    return SANGAM_OK;
}

sangam_text sangam_key(sangam_text name) {
    sangam_text key = {NULL, 0}, sent = sangam__utf8(name);
    abi_http_key(sent.ptr, sent.len, &key);
    return sangam_copy(key.ptr, key.len);
}

static sangam_text header(const sangam_header_list *headers, const char *name) {
    const sangam_header *found = present(headers, name);
    return found ? sangam_copy(found->value.ptr, found->value.len) : (sangam_text){NULL, 0};
}

sangam_text sangam_response_header(const sangam_response *response, const char *name) { return header(&response->headers, name); }

sangam_text sangam_inbound_header(const sangam_inbound *request, const char *name) { return header(&request->headers, name); }
