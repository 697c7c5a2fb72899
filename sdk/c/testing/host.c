/* The scripted host: the functions that a component imports, natively. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../src/abi.h"
#include "sangam_test.h"

sangam_host_state sangam_host;

typedef struct entry {
    sangam_text key;
    sangam_text value; /* none: deleted */
} entry;

typedef struct written {
    sangam_text name;
    sangam_reply reply;
    bool now; /* in this attempt */
} written;

/* The present host's own. */
static struct {
    entry *store;
    size_t store_count;
    written *journal;
    size_t journal_count;
    bool may_write;
} own;

static void *grown(void *items, size_t count, size_t size) {
    void *more = sangam_alloc_array(count + 1, size);
    if (count) memcpy(more, items, count * size);
    return more;
}

void sangam__host_begin(void) {
    memset(&own, 0, sizeof own);
    memset(&sangam_host, 0, sizeof sangam_host);
    sangam_host.config = "{}";
    sangam_host.data = "null";
    sangam_host.attempt = 1;
}

void sangam__host_end(void) { sangam__reset(); }

void sangam_reply_text(sangam_reply *reply, int status, sangam_text body) {
    reply->status = status;
    reply->body = body;
}

void sangam_reply_json(sangam_reply *reply, int status, const char *json) {
    sangam_reply_text(reply, status, sangam_text_of(json));
    sangam_reply_header(reply, "content-type", "application/json");
}

void sangam_reply_header(sangam_reply *reply, const char *name, const char *value) {
    reply->headers.items = grown(reply->headers.items, reply->headers.count, sizeof *reply->headers.items);
    reply->headers.items[reply->headers.count++] = (sangam_header){sangam_text_of(name), sangam_text_of(value)};
}

void sangam_reply_none(sangam_reply *reply, sangam_no_answer none, const char *why) {
    reply->none = none;
    reply->why = why;
}

sangam_text sangam_sent_header(const sangam_sent *request, const char *name) {
    return sangam_response_header(&(sangam_response){.headers = request->headers}, name);
}

static sangam_text key_of(const char *name, size_t len) {
    uint64_t digest = 0xcbf29ce484222325; /* FNV-1a */
    for (size_t i = 0; i < len; i++) digest = (digest ^ (unsigned char)name[i]) * 0x100000001b3;
    return sangam_format("00000000-0000-5000-8000-%012llx", (unsigned long long)(digest & 0xffffffffffff));
}

sangam_text sangam_test_key(const char *name) { return key_of(name, strlen(name)); }

/* HTTP. */

static void fail(abi_sent *sent, uint8_t tag, const char *why) {
    sent->failed = 1;
    sent->value.error.tag = tag;
    sent->value.error.value.why = sangam_text_of(why);
}

static void give(abi_sent *sent, const sangam_reply *reply) {
    static const uint8_t tags[] = {0, ABI_DENIED, ABI_TIMEOUT, ABI_CONNECTION, ABI_RESPONSE_TOO_LARGE, ABI_UNAVAILABLE};
    if (reply->none == SANGAM_TOO_LARGE) {
        fail(sent, ABI_RESPONSE_TOO_LARGE, "");
        sent->value.error.value.size = 4194304;
    } else if (reply->none) {
        fail(sent, tags[reply->none], reply->why ? reply->why : "");
    } else {
        sent->value.response.status = (uint16_t)reply->status;
        sent->value.response.headers = (abi_list){reply->headers.items, reply->headers.count};
        sent->value.response.body = sangam_copy(reply->body.ptr, reply->body.len);
    }
}

static written *written_as(sangam_text name) {
    for (size_t i = 0; i < own.journal_count; i++) {
        if (sangam_text_equal(own.journal[i].name, name)) return &own.journal[i];
    }
    return NULL;
}

static void check_utf8(const char *text, size_t len) {
    if (sangam__utf8((sangam_text){text, len}).ptr != text) {
        fprintf(stderr, "text that is not UTF-8 crosses the boundary: the host would trap\n");
        abort();
    }
}

void abi_http_send(const char *method, size_t method_len, const char *url, size_t url_len, const sangam_header *headers, size_t header_count,
    const char *body, size_t body_len, int32_t has_timeout, int64_t timeout_ms, int32_t has_name, const char *name, size_t name_len,
    int32_t read_only, abi_sent *sent) {
    (void)has_timeout, (void)timeout_ms;
    check_utf8(url, url_len);
    sangam_sent request = {.method = sangam_copy(method, method_len), .url = sangam_copy(url, url_len), .body = sangam_copy(body, body_len),
        .read_only = read_only};
    for (size_t i = 0; i < header_count; i++) {
        request.headers.items = grown(request.headers.items, i, sizeof *request.headers.items);
        request.headers.items[i] = headers[i];
        request.headers.count++;
    }
    if (has_name) {
        request.name = sangam_copy(name, name_len);
        request.key = key_of(name, name_len);
    }
    bool reads = read_only || sangam_text_is(request.method, "GET") || sangam_text_is(request.method, "HEAD") || sangam_text_is(request.method, "OPTIONS");
    written *before = !reads && has_name ? written_as(request.name) : NULL;
    if (!reads && !own.may_write) {
        fail(sent, ABI_DENIED, "streams may only read");
        return;
    }
    if (before && before->now) {
        fail(sent, ABI_NAME_USED, request.name.ptr);
        return;
    }
    if (before && sangam_host.attempt > 1) {
        before->now = true;
        give(sent, &before->reply);
        return;
    }
    sangam_reply reply = {.status = 200};
    if (sangam_host.system) sangam_host.system(&request, &reply);
    sangam_host.sent = grown(sangam_host.sent, sangam_host.sent_count, sizeof *sangam_host.sent);
    sangam_host.sent[sangam_host.sent_count++] = request;
    if (!reads && has_name && !reply.none && reply.status >= 200 && reply.status < 300) {
        own.journal = grown(own.journal, own.journal_count, sizeof *own.journal);
        own.journal[own.journal_count++] = (written){request.name, reply, true};
    }
    give(sent, &reply);
}

void abi_http_key(const char *name, size_t name_len, sangam_text *key) { *key = key_of(name, name_len); }

/* Key-value. */

static entry *entry_of(sangam_text key) {
    for (size_t i = 0; i < own.store_count; i++) {
        if (sangam_text_equal(own.store[i].key, key)) return &own.store[i];
    }
    return NULL;
}

static void store(sangam_text key, sangam_text value) {
    entry *found = entry_of(key);
    if (!found) {
        own.store = grown(own.store, own.store_count, sizeof *own.store);
        found = &own.store[own.store_count++];
        found->key = sangam_copy(key.ptr, key.len);
    }
    found->value = value.ptr ? sangam_copy(value.ptr, value.len) : value;
}

sangam_text sangam_stored(const char *key) {
    const entry *found = entry_of(sangam_text_of(key));
    return found ? found->value : (sangam_text){NULL, 0};
}

void sangam_store(const char *key, const char *value) { store(sangam_text_of(key), sangam_text_of(value)); }

void abi_kv_get(const char *key, size_t key_len, abi_got *got) {
    check_utf8(key, key_len);
    const entry *found = entry_of((sangam_text){key, key_len});
    if (found && found->value.ptr) got->value.value = (abi_option_text){1, found->value};
}

void abi_kv_set(const char *key, size_t key_len, const char *value, size_t value_len, abi_set *set) {
    check_utf8(key, key_len);
    if (key_len == 0 || key_len > 512 || value_len > 256 * 1024) {
        set->failed = 1;
        set->error = (abi_kv_error){ABI_TOO_LARGE, SANGAM_TEXT("keys have 1 to 512 bytes, values up to 256 KiB")};
        return;
    }
    store((sangam_text){key, key_len}, (sangam_text){value_len ? value : "", value_len});
}

void abi_kv_delete(const char *key, size_t key_len, abi_set *set) {
    (void)set;
    store((sangam_text){key, key_len}, (sangam_text){NULL, 0});
}

void abi_kv_increment(const char *key, size_t key_len, int64_t delta, abi_sum *sum) {
    const entry *found = entry_of((sangam_text){key, key_len});
    int64_t present = 0;
    const sangam_json *number;
    sangam_failure *misread = sangam_json_read(found && found->value.ptr ? found->value : SANGAM_TEXT("0"), key, &number);
    bool fits = !misread && sangam_json_to_integer(number, &present) && (delta < 0 ? present >= INT64_MIN - delta : present <= INT64_MAX - delta);
    if (!fits) {
        sum->failed = 1;
        sum->value.error = (abi_kv_error){ABI_INVALID, SANGAM_TEXT("not a number, or too large a one")};
        return;
    }
    sum->value.sum = present + delta;
    store((sangam_text){key, key_len}, sangam_format("%lld", (long long)sum->value.sum));
}

void abi_kv_compare_and_swap(const char *key, size_t key_len, int32_t has_expected, const char *expected, size_t expected_len, const char *value,
    size_t value_len, abi_swapped *swapped) {
    const entry *found = entry_of((sangam_text){key, key_len});
    sangam_text present = found ? found->value : (sangam_text){NULL, 0};
    bool same = has_expected ? present.ptr && sangam_text_equal(present, (sangam_text){expected, expected_len}) : !present.ptr;
    if (same) store((sangam_text){key, key_len}, (sangam_text){value_len ? value : "", value_len});
    swapped->value.done = same;
}

static int by_bytes(const void *a, const void *b) { return sangam_text_compare(*(const sangam_text *)a, *(const sangam_text *)b); }

void abi_kv_list(const char *prefix, size_t prefix_len, int32_t has_cursor, const char *cursor, size_t cursor_len, int32_t limit, abi_listed *listed) {
    sangam_text *keys = NULL;
    size_t count = 0, most = limit < 1 ? 1 : limit > 1000 ? 1000 : (size_t)limit;
    for (size_t i = 0; i < own.store_count; i++) {
        sangam_text key = own.store[i].key;
        bool meant = own.store[i].value.ptr && key.len >= prefix_len && memcmp(key.ptr, prefix, prefix_len) == 0;
        if (!meant || (has_cursor && sangam_text_compare(key, (sangam_text){cursor, cursor_len}) <= 0)) continue;
        keys = grown(keys, count, sizeof *keys);
        keys[count++] = key;
    }
    if (count) qsort(keys, count, sizeof *keys, by_bytes);
    if (count > most) {
        count = most;
        listed->value.keys.next_cursor = (abi_option_text){1, keys[count - 1]};
    }
    listed->value.keys.keys = (abi_list){keys, count};
}

void abi_log(int32_t level, const char *message, size_t message_len, const abi_pair *fields, size_t field_count) {
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    check_utf8(message, message_len);
    sangam_text line = sangam_format("%s: %.*s", levels[level], (int)message_len, message);
    for (size_t i = 0; i < field_count; i++) line = sangam_format("%s %s=%s", line.ptr, fields[i].name.ptr, fields[i].value.ptr);
    sangam_host.lines = grown(sangam_host.lines, sangam_host.line_count, sizeof *sangam_host.lines);
    sangam_host.lines[sangam_host.line_count++] = line;
}

/* Calls. */

typedef struct kept {
    entry *store;
    size_t count;
} kept;

static kept begin(bool may_write) {
    own.may_write = may_write;
    for (size_t i = 0; i < own.journal_count; i++) own.journal[i].now = false;
    kept before = {grown(own.store, own.store_count, sizeof *own.store), own.store_count};
    return before;
}

static void failed(sangam_outcome *outcome, const abi_failure *failure, kept before) {
    own.store = before.store;
    own.store_count = before.count;
    outcome->failed = true;
    outcome->kind = (sangam_failure_kind)failure->kind;
    outcome->reason = failure->problem.reason;
    outcome->has_after = failure->problem.after_ms.some;
    outcome->after_ms = failure->problem.after_ms.value;
    if (failure->problem.details.some) outcome->details = failure->problem.details.text;
}

static void brought_in(abi_list events) {
    for (size_t i = 0; i < events.len; i++) {
        sangam_host.events = grown(sangam_host.events, sangam_host.event_count, sizeof *sangam_host.events);
        sangam_host.events[sangam_host.event_count++] = ((sangam_text *)events.ptr)[i];
    }
}

static sangam_text context_of(const char *action, const char *run, const char *key) {
    return sangam_format("{\"event\":{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/test\",\"type\":\"test\",\"data\":%s},"
                                        "\"run\":{\"id\":\"%s\",\"root\":\"%s\",\"route\":\"test\"},\"step\":{\"name\":\"test\",\"uses\":\"%s.%s\",\"round\":0},"
                                        "\"attempt\":%lld,\"idempotency_key\":\"%s\",\"deadline\":\"2100-01-01T00:00:00Z\",\"configuration\":%s}",
        sangam_host.data, run, run, sangam_exported.name, action, (long long)sangam_host.attempt, key, sangam_host.config);
}

const sangam_outcome *sangam_invoke(const char *action, const char *input) {
    sangam_text context = context_of(action, "run-1", sangam_test_key("").ptr);
    kept before = begin(true);
    const abi_invoked *area = sangam__invoke(&sangam_exported, sangam_text_of(action), sangam_text_of(input), context);
    sangam_outcome *outcome = sangam_alloc(sizeof *outcome);
    if (area->failed) {
        failed(outcome, &area->value.failure, before);
        return outcome;
    }
    outcome->data = area->value.output.data;
    brought_in(area->value.output.events);
    return outcome;
}

const sangam_outcome *sangam_invoke_batch(const char *action, const char *const *inputs, size_t count) {
    abi_invocation *invocations = sangam_alloc_array(count, sizeof *invocations);
    for (size_t i = 0; i < count; i++) {
        sangam_text run = sangam_format("run-%zu", i + 1);
        invocations[i] = (abi_invocation){sangam_text_of(inputs[i]), context_of(action, run.ptr, sangam_test_key(run.ptr).ptr)};
    }
    kept before = begin(true);
    const abi_list *area = sangam__invoke_batch(&sangam_exported, sangam_text_of(action), invocations, count);
    const abi_invoked *areas = area->ptr;
    sangam_outcome *outcomes = sangam_alloc_array(count, sizeof *outcomes);
    kept after = {own.store, own.store_count};
    for (size_t i = 0; i < count; i++) {
        if (areas[i].failed) {
            failed(&outcomes[i], &areas[i].value.failure, before);
        } else {
            outcomes[i].data = areas[i].value.output.data;
            brought_in(areas[i].value.output.events);
        }
    }
    /* What a batch has set takes effect with its results, of whatever kind they are. */
    own.store = after.store;
    own.store_count = after.count;
    return outcomes;
}

static sangam_text source_context(void) {
    sangam_text since = sangam_json_write(sangam_json_string(sangam_text_of(sangam_host.since)));
    return sangam_format("{\"source\":\"test\",\"since\":%s,\"deadline\":\"2100-01-01T00:00:00Z\",\"configuration\":%s}", since.ptr, sangam_host.config);
}

const sangam_outcome *sangam_poll(const char *stream, const char *cursor, uint32_t limit) {
    kept before = begin(false);
    const abi_polled *area = sangam__poll(&sangam_exported, sangam_text_of(stream), sangam_text_of(cursor), limit, source_context());
    sangam_outcome *outcome = sangam_alloc(sizeof *outcome);
    if (area->failed) {
        failed(outcome, &area->value.failure, before);
        return outcome;
    }
    if (area->value.page.next_cursor.some) outcome->next_cursor = area->value.page.next_cursor.text;
    outcome->more = area->value.page.more;
    outcome->set_aside = area->value.page.set_aside.len;
    brought_in(area->value.page.events);
    return outcome;
}

const sangam_outcome *sangam_receive(const char *stream, const char *path, const char *body) {
    kept before = begin(false);
    sangam_inbound request = {.method = SANGAM_TEXT("POST"), .path = sangam_text_of(path), .body = sangam_text_of(body)};
    const abi_received *area = sangam__receive(&sangam_exported, sangam_text_of(stream), &request, source_context());
    sangam_outcome *outcome = sangam_alloc(sizeof *outcome);
    if (area->failed) {
        failed(outcome, &area->value.failure, before);
        return outcome;
    }
    outcome->status = area->value.received.status;
    outcome->body = area->value.received.body;
    brought_in(area->value.received.events);
    return outcome;
}

sangam_text sangam_described(void) { return sangam__descriptor(&sangam_exported); }
