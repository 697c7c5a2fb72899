/* The streams of `scripted`. A record of the feed becomes an event, or is set aside, or has an effect; a webhook does what its body says. */
#include "streams.h"

static const sangam_json *written(sangam_text url) {
    sangam_request request = sangam_write("POST", url, SANGAM_TEXT("w"));
    const sangam_response *answer;
    sangam_failure *failure = sangam_send(&request, &answer);
    if (failure) return sangam_json_set(sangam_json_object(), "refused", sangam_json_string(failure->reason));
    return sangam_json_set(sangam_json_object(), "status", sangam_json_integer(answer->status));
}

static sangam_text member(const sangam_json *object, const char *key) {
    const sangam_json *value = sangam_json_get(object, key);
    return sangam_json_is_null(value) ? (sangam_text){NULL, 0} : sangam_json_text(value);
}

static sangam_failure *take_record(const sangam_json *record, sangam_page *page) {
    sangam_text bad = member(record, "bad"), count = member(record, "count"), write = member(record, "write");
    if (bad.ptr) {
        sangam_page_set_aside(page, record, bad);
        return SANGAM_OK;
    }
    int64_t sum;
    if (count.ptr) SANGAM_TRY(sangam_kv_increment(count, 1, &sum));
    sangam_page_add(page, (sangam_new_event){
        .type = sangam_json_text(sangam_json_get(record, "type")),
        .data = write.ptr ? written(write) : sangam_json_get(record, "data"),
        .id = member(record, "id"),
        .time = member(record, "time"),
    });
    return SANGAM_OK;
}

sangam_failure *poll_feed(const sangam_source_call *call, sangam_page *page) {
    const config *config = call->config;
    sangam_request request = sangam_read(sangam_format("%s/feed", config->feed.ptr));
    sangam_query(&request, "limit", sangam_format("%u", (unsigned)call->limit));
    if (call->cursor.ptr) sangam_query(&request, "cursor", call->cursor);
    if (call->since.ptr) sangam_query(&request, "since", call->since);
    const sangam_response *response;
    const sangam_json *answer;
    SANGAM_TRY(sangam_send(&request, &response));
    SANGAM_TRY(sangam_ok(response));
    SANGAM_TRY(sangam_response_json(response, &answer));
    const sangam_json *records = sangam_json_get(answer, "records");
    sangam_info("a page", "records", sangam_format("%zu", sangam_json_count(records)).ptr);
    SANGAM_EACH(record, records) SANGAM_TRY(take_record(record, page));
    page->next_cursor = sangam_json_text(sangam_json_get(answer, "next"));
    page->more = sangam_json_is_true(sangam_json_get(answer, "more"));
    return SANGAM_OK;
}

sangam_failure *receive_hook(const sangam_source_call *call, const sangam_inbound *request, sangam_received *received) {
    const config *config = call->config;
    const sangam_json *told;
    SANGAM_TRY(sangam_json_read(request->body, "the body", &told));
    sangam_text count = member(told, "count"), fail = member(told, "fail");
    int64_t sum = 0, status = 200;
    if (count.ptr) SANGAM_TRY(sangam_kv_increment(count, 1, &sum));
    if (sangam_text_is(fail, "rejected")) return sangam_reject("no such thing: ü");
    if (fail.ptr) return sangam_retry("not now");
    SANGAM_EACH(event, sangam_json_get(told, "events")) {
        sangam_received_add(received, (sangam_new_event){
            .type = member(event, "type"), .id = member(event, "id"), .data = sangam_json_get(event, "data"),
        });
    }
    if (sangam_json_to_integer(sangam_json_get(told, "status"), &status)) received->status = (int)status;
    sangam_json *seen = sangam_json_object();
    sangam_json_set(seen, "method", sangam_json_string(request->method));
    sangam_json_set(seen, "path", sangam_json_string(request->path));
    sangam_json_set(seen, "topic", sangam_json_string(sangam_inbound_header(request, "x-topic")));
    sangam_json_set(seen, "source", sangam_json_string(call->source));
    sangam_json_set(seen, "greeting", sangam_json_string(config->greeting));
    sangam_json_set(seen, "count", count.ptr ? sangam_json_integer(sum) : NULL);
    received->body = sangam_json_write(seen);
    static sangam_header headers[2];
    headers[0] = (sangam_header){SANGAM_TEXT("content-type"), SANGAM_TEXT("application/json")};
    headers[1] = (sangam_header){SANGAM_TEXT("x-seen"), SANGAM_TEXT("yes")};
    received->headers = (sangam_header_list){headers, 2};
    return SANGAM_OK;
}
