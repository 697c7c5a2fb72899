/* The action `gather`: an id is sent, alone or with those of others, and each says what it was told. */
#include "gather.h"

static sangam_failure *send_ids(sangam_text url, const char *name, const sangam_json *ids) {
    sangam_request request = sangam_write("POST", url, sangam_text_of(name));
    sangam_body_json(&request, sangam_json_set(sangam_json_object(), "ids", ids));
    const sangam_response *answer;
    SANGAM_TRY(sangam_send(&request, &answer));
    return sangam_ok(answer);
}

static bool fails(const gather *input, int64_t attempt) {
    if (input->kind.len == 0) return false;
    for (size_t i = 0; i < input->on.count; i++) {
        if (input->on.items[i] == attempt) return true;
    }
    return input->on.count == 0;
}

static sangam_failure *gathered_of(const sangam_call *call, const gather *input, size_t together, gathered *output) {
    if (fails(input, call->attempt)) {
        if (sangam_text_is(input->kind, "retry")) return sangam_retry("as it was told");
        if (sangam_text_is(input->kind, "rate-limited")) return sangam_rate_limited("as it was told");
        if (sangam_text_is(input->kind, "unauthorized")) return sangam_unauthorized("as it was told");
        return sangam_reject("as it was told");
    }
    *output = (gathered){.id = input->id, .with = (int64_t)together, .key = call->idempotency_key, .attempt = call->attempt};
    return SANGAM_OK;
}

static sangam_new_event event_of(const gather *input) {
    return (sangam_new_event){.type = input->emit, .data = sangam_json_set(sangam_json_object(), "id", sangam_json_integer(input->id))};
}

sangam_failure *gather_one(const sangam_call *call, const gather *input, gathered *output) {
    SANGAM_TRY(send_ids(input->url, "one", sangam_json_push(sangam_json_array(), sangam_json_integer(input->id))));
    SANGAM_TRY(gathered_of(call, input, 1, output));
    if (input->emit.len) sangam_emit(event_of(input));
    return SANGAM_OK;
}

sangam_failure *gather_all(sangam_item *items, size_t count) {
    const gather *first = items[0].input;
    sangam_json *ids = sangam_json_array();
    for (size_t i = 0; i < count; i++) {
        const gather *input = items[i].input;
        sangam_text id = sangam_format("%lld", (long long)input->id);
        sangam_json_push(ids, sangam_json_integer(input->id));
        sangam_info("sends", "invocation", sangam_format("%zu", items[i].place).ptr, "id", id.ptr);
        SANGAM_TRY(sangam_kv_set(sangam_format("sent/%s", id.ptr), SANGAM_TEXT("yes")));
    }
    SANGAM_TRY(send_ids(first->url, "all", ids));
    for (size_t i = 0; i < count; i++) {
        const gather *input = items[i].input;
        items[i].failure = gathered_of(items[i].call, input, count, items[i].output);
        if (input->emit.len) sangam_emit_for(&items[i], event_of(input));
    }
    return SANGAM_OK;
}
