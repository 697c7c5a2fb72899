/* Calls from end to end: requests, failures, the journal, key-value, events and streams. */
#include <string.h>

#include "sangam_test.h"

static void setup(void (*system)(const sangam_sent *, sangam_reply *)) {
    sangam_host.config = "{\"base-url\":\"https://desk.example\"}";
    sangam_host.system = system;
}

static void creates(const sangam_sent *request, sangam_reply *reply) {
    (void)request;
    sangam_reply_json(reply, 201, "{\"id\":10.10}");
}

SANGAM_TEST(a_write_carries_its_name_and_its_key) {
    setup(creates);
    const sangam_outcome *outcome = sangam_invoke("comment", "{\"text\":\"hi\"}");
    CHECK_TEXT(outcome->data, "{\"id\":10.10}");
    CHECK_INT(sangam_host.sent_count, 1);
    CHECK_TEXT(sangam_host.sent[0].url, sangam_format("https://desk.example/comments?key=%s", sangam_test_key("comment").ptr).ptr);
    CHECK_TEXT(sangam_host.sent[0].name, "comment");
    CHECK_TEXT(sangam_host.sent[0].body, "{\"text\":\"hi\"}");
    CHECK_TEXT(sangam_sent_header(&sangam_host.sent[0], "Content-Type"), "application/json");
    CHECK_TEXT(sangam_host.events[0], "{\"specversion\":\"1.0\",\"type\":\"comment.made\",\"data\":{\"id\":10.10}}");
}

SANGAM_TEST(a_write_that_succeeded_is_not_sent_again) {
    setup(creates);
    sangam_invoke("comment", "{}");
    sangam_host.attempt = 2;
    CHECK_TEXT(sangam_invoke("comment", "{}")->data, "{\"id\":10.10}");
    CHECK_INT(sangam_host.sent_count, 1);
    CHECK_TEXT(sangam_host.lines[0], "warn: again attempt=2");
}

SANGAM_TEST(a_write_needs_a_name) {
    setup(creates);
    const sangam_outcome *outcome = sangam_invoke("unnamed", "{}");
    CHECK(outcome->failed && outcome->kind == SANGAM_REJECTED);
    CHECK(sangam_text_starts(outcome->reason, "DELETE https://desk.example/x is a write without a name"));
    CHECK(!sangam_text_contains(outcome->reason, "secret"));
    CHECK_INT(sangam_host.sent_count, 0);
}

SANGAM_TEST(a_fetch_goes_where_a_send_goes_without_its_marks) {
    setup(creates);
    CHECK_TEXT(sangam_invoke("fetched", "null")->data, "{\"id\":10.10}");
    CHECK(sangam_host.sent[0].read_only);
    CHECK_TEXT(sangam_host.sent[0].name, "found");
    CHECK_INT(sangam_host.sent[0].headers.count, 0);
}

static int status;
static const char *retry_after;

static void answers(const sangam_sent *request, sangam_reply *reply) {
    (void)request;
    sangam_reply_text(reply, status, SANGAM_TEXT("so \xFF it is"));
    if (retry_after) sangam_reply_header(reply, "retry-after", retry_after);
    sangam_reply_header(reply, "date", "Sun, 06 Nov 1994 08:49:37 GMT");
}

SANGAM_TEST(a_status_decides_whether_to_try_again) {
    static const struct {
        int status;
        sangam_failure_kind kind;
    } kinds[] = {{401, SANGAM_UNAUTHORIZED}, {408, SANGAM_RETRY}, {425, SANGAM_RETRY}, {500, SANGAM_RETRY}, {503, SANGAM_RETRY},
        {429, SANGAM_RATE_LIMITED}, {302, SANGAM_REJECTED}, {404, SANGAM_REJECTED}, {409, SANGAM_REJECTED}};
    setup(answers);
    retry_after = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        status = kinds[i].status;
        const sangam_outcome *outcome = sangam_invoke("comment", "{}");
        CHECK(outcome->failed && outcome->kind == kinds[i].kind);
        CHECK_TEXT(outcome->reason, sangam_format("POST https://desk.example/comments answered %d", status).ptr);
        CHECK_TEXT(outcome->details, sangam_format("{\"status\":%d,\"body\":\"so \xEF\xBF\xBD it is\"}", status).ptr);
    }
    CHECK_INT(sangam_host.event_count, 0);
}

SANGAM_TEST(retry_after_is_seconds_or_a_date) {
    static const struct {
        const char *value;
        bool says;
        uint64_t milliseconds;
    } values[] = {{"7", true, 7000}, {" 0 ", true, 0}, {"Sun, 06 Nov 1994 08:50:37 GMT", true, 60000}, {"Sun, 06 Nov 1994 08:00:00 GMT", true, 0},
        {"Tue, 29 Feb 2000 00:00:00 GMT", true, 167670623000}, {"soon", false, 0}, {"-1", false, 0}, {"99999999999999999999", false, 0}};
    setup(answers);
    status = 429;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        retry_after = values[i].value;
        const sangam_outcome *outcome = sangam_invoke("comment", "{}");
        CHECK_INT(outcome->has_after, values[i].says);
        if (values[i].says) CHECK_INT(outcome->after_ms, values[i].milliseconds);
    }
}

static sangam_no_answer none;

static void silent(const sangam_sent *request, sangam_reply *reply) {
    (void)request;
    sangam_reply_none(reply, none, "reset");
}

SANGAM_TEST(without_an_answer_policy_is_final_and_the_network_is_not) {
    static const sangam_failure_kind kinds[] = {[SANGAM_DENIED] = SANGAM_REJECTED, [SANGAM_TIMEOUT] = SANGAM_RETRY, [SANGAM_CONNECTION] = SANGAM_RETRY,
        [SANGAM_TOO_LARGE] = SANGAM_RETRY, [SANGAM_UNAVAILABLE] = SANGAM_RETRY};
    setup(silent);
    for (none = SANGAM_DENIED; none <= SANGAM_UNAVAILABLE; none++) {
        const sangam_outcome *outcome = sangam_invoke("comment", "{}");
        CHECK(outcome->failed && outcome->kind == kinds[none]);
    }
}

static void wrong_shape(const sangam_sent *request, sangam_reply *reply) {
    (void)request;
    sangam_reply_json(reply, 200, "<html>");
}

SANGAM_TEST(an_answer_that_is_no_json_is_rejected_with_its_start) {
    setup(wrong_shape);
    const sangam_outcome *outcome = sangam_invoke("comment", "{}");
    CHECK_TEXT(outcome->reason, "the answer of POST https://desk.example/comments: body is not JSON: a value was expected at byte 0");
    CHECK_TEXT(outcome->details, "{\"status\":200,\"body\":\"<html>\"}");
}

SANGAM_TEST(key_value_writes_take_effect_with_success) {
    setup(NULL);
    CHECK_TEXT(sangam_invoke("count", "7")->data, "1");
    const sangam_outcome *failed = sangam_invoke("count", "true");
    CHECK(failed->failed && failed->has_after && failed->after_ms == 1500);
    CHECK_TEXT(sangam_stored("n"), "1");
    CHECK_TEXT(sangam_stored("last"), "7");
    sangam_store("n", "many");
    CHECK_TEXT(sangam_invoke("count", "7")->reason, "key `n`: not a number, or too large a one");
}

SANGAM_TEST(an_undo_sees_input_output_and_effects) {
    setup(NULL);
    const char *take = "{\"job\":\"J1\",\"parts\":[{\"sku\":\"A1\",\"quantity\":2}]}";
    const char *effects = "[{\"name\":\"take\",\"key\":\"k1\",\"state\":\"failed\"},{\"name\":\"take\",\"key\":\"k2\",\"state\":\"in-doubt\",\"request\":null,\"more\":1}]";
    CHECK_TEXT(sangam_invoke("undo", sangam_format("{\"input\":%s,\"output\":%s,\"effects\":%s}", take, take, effects).ptr)->data,
        "{\"job\":\"J1\",\"key\":\"k2\"}");
    CHECK_TEXT(sangam_invoke("undo", sangam_format("{\"input\":%s,\"output\":null,\"effects\":%s}", take, effects).ptr)->reason, "no output, state in-doubt");
}

static void leaves(const sangam_sent *request, sangam_reply *reply) {
    bool next = sangam_text_contains(request->url, "after=7");
    sangam_reply_json(reply, 200, next ? "[]" : "[{\"id\":\"3\"},{\"x\":1},{\"id\":\"7\"}]");
}

SANGAM_TEST(a_poll_brings_events_in_and_moves_on) {
    setup(leaves);
    const sangam_outcome *page = sangam_poll("leave", NULL, 3);
    CHECK_TEXT(page->next_cursor, "7");
    CHECK(page->more && page->set_aside == 1);
    CHECK_INT(sangam_host.event_count, 2);
    CHECK_TEXT(sangam_host.events[1], "{\"specversion\":\"1.0\",\"type\":\"leave.approved\",\"id\":\"7\",\"data\":{\"id\":\"7\"}}");
    page = sangam_poll("leave", "7", 3);
    CHECK(!page->more && !page->next_cursor.ptr);
}

SANGAM_TEST(a_webhook_becomes_an_event) {
    setup(NULL);
    const sangam_outcome *received = sangam_receive("leave", "/hooks/x", "{\"a\":1}");
    CHECK_INT(received->status, 202);
    CHECK_TEXT(sangam_host.events[0], "{\"specversion\":\"1.0\",\"type\":\"hook\",\"data\":{\"a\":1}}");
    CHECK(sangam_receive("leave", "/hooks/x", "{")->failed);
}

SANGAM_TEST(what_a_plugin_does_not_have_is_rejected) {
    setup(NULL);
    CHECK_TEXT(sangam_invoke("dance", "{}")->reason, "everything has no action `dance`");
    CHECK_TEXT(sangam_poll("news", NULL, 1)->reason, "everything has no stream `news` to poll");
}
