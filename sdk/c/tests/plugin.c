/* A plugin with everything in it, for the SDK's own tests. */
#include "sangam.h"

#define CONFIG(FIELD)                                                             \
    FIELD(text, base_url, "Where the desk is", .key = "base-url")                 \
    FIELD(integer, page, "Records a page", .optional = true, .otherwise = 10)
SANGAM_RECORD(config, CONFIG, NULL)

#define PART(FIELD)                                                     \
    FIELD(text, sku, "The article's number", .min_length = 2, .max_length = 4) \
    FIELD(integer, quantity, "How many", SANGAM_RANGE(1, 100))
SANGAM_RECORD(part, PART, "Parts of one kind.")

#define TAKE(FIELD)                                                                 \
    FIELD(text, job, "The job", .subject = true)                                    \
    FIELD(text, mode, "How", .one_of = "now|later", .optional = true, .otherwise_text = "now") \
    FIELD(records(part), parts, "What to take", .min_length = 1)                    \
    FIELD(record(part), gift, "One for free", .optional = true)                     \
    FIELD(number, price, "Any number", .optional = true)                            \
    FIELD(boolean, rush, NULL, .optional = true)                                    \
    FIELD(texts, tags, NULL, .optional = true)                                      \
    FIELD(integers, days, NULL, .optional = true)                                   \
    FIELD(maybe_integer, floor, NULL, .optional = true)                             \
    FIELD(any, note, NULL, .optional = true)
SANGAM_RECORD(take, TAKE, "Takes parts from the warehouse.")

SANGAM_UNDO(undo_take, take, take)

/* Gives back what it was given, so that a test sees what became of it. */
static sangam_failure *echo(const sangam_call *call, const take *input, take *output) {
    (void)call;
    *output = *input;
    return SANGAM_OK;
}

static sangam_failure *comment(const sangam_call *call, const sangam_any *input, sangam_any *output) {
    const config *config = call->config;
    sangam_text name = SANGAM_TEXT("comment");
    if (!sangam_first_attempt(call)) sangam_warn("again", "attempt", sangam_format("%d", (int)call->attempt).ptr);
    sangam_request request = sangam_write("POST", sangam_format("%s/comments", config->base_url.ptr), name);
    sangam_query(&request, "key", sangam_key(name));
    sangam_body_json(&request, input->value);
    const sangam_response *answer;
    SANGAM_TRY(sangam_send(&request, &answer));
    SANGAM_TRY(sangam_ok(answer));
    SANGAM_TRY(sangam_response_json(answer, &output->value));
    sangam_emit((sangam_new_event){.type = SANGAM_TEXT("comment.made"), .data = output->value});
    return SANGAM_OK;
}

static sangam_failure *unnamed(const sangam_call *call, const sangam_any *input, sangam_any *output) {
    (void)call, (void)input, (void)output;
    sangam_request request = sangam_write("DELETE", SANGAM_TEXT("https://desk.example/x?secret=1"), (sangam_text){NULL, 0});
    const sangam_response *answer;
    return sangam_send(&request, &answer);
}

static sangam_failure *fetched(const sangam_call *call, const sangam_any *input, sangam_any *output) {
    (void)call, (void)input;
    sangam_request request = sangam_write("POST", SANGAM_TEXT("https://desk.example/search"), SANGAM_TEXT("found"));
    request.read_only = true;
    const sangam_response *answer;
    SANGAM_TRY(sangam_fetch(&request, &answer));
    return sangam_response_json(answer, &output->value);
}

static sangam_failure *count(const sangam_call *call, const sangam_any *input, sangam_any *output) {
    (void)call;
    int64_t sum;
    SANGAM_TRY(sangam_kv_increment(SANGAM_TEXT("n"), 1, &sum));
    SANGAM_TRY(sangam_kv_set(SANGAM_TEXT("last"), sangam_json_write(input->value)));
    if (sangam_json_is_true(input->value)) return sangam_after(sangam_retry("not now"), 1500);
    output->value = sangam_json_integer(sum);
    return SANGAM_OK;
}

static sangam_failure *undo(const sangam_call *call, const undo_take *input, sangam_any *output) {
    (void)call;
    const sangam_effect *effect = sangam_effect_named(&input->effects, "take");
    output->value = sangam_json_set(sangam_json_set(sangam_json_object(), "job", sangam_json_string(input->input->job)), "key",
        effect ? sangam_json_string(effect->key) : NULL);
    return input->output ? SANGAM_OK : sangam_reject("no output, state %s", effect ? effect->state.ptr : "unknown");
}

static sangam_failure *poll(const sangam_source_call *call, sangam_page *page) {
    const config *config = call->config;
    sangam_request request = sangam_read(sangam_format("%s/leave", config->base_url.ptr));
    if (call->cursor.ptr) sangam_query(&request, "after", call->cursor);
    const sangam_response *answer;
    const sangam_json *leaves;
    SANGAM_TRY(sangam_send(&request, &answer));
    SANGAM_TRY(sangam_ok(answer));
    SANGAM_TRY(sangam_response_json(answer, &leaves));
    SANGAM_EACH(leave, leaves) {
        const sangam_json *id = sangam_json_get(leave, "id");
        if (sangam_json_is_null(id)) {
            sangam_page_set_aside(page, leave, SANGAM_TEXT("it has no id"));
            continue;
        }
        sangam_page_add(page, (sangam_new_event){.type = SANGAM_TEXT("leave.approved"), .id = sangam_json_text(id), .data = leave});
        page->next_cursor = sangam_json_text(id);
    }
    page->more = sangam_json_count(leaves) == call->limit;
    return SANGAM_OK;
}

static sangam_failure *receive(const sangam_source_call *call, const sangam_inbound *request, sangam_received *received) {
    (void)call;
    const sangam_json *body;
    SANGAM_TRY(sangam_json_read(request->body, "body", &body));
    sangam_received_add(received, (sangam_new_event){.type = SANGAM_TEXT("hook"), .data = body});
    received->status = 202;
    return SANGAM_OK;
}

#define ACTIONS(ACTION)                                                              \
    ACTION("echo", "Give back", echo, take, take, .undo = "undo")                    \
    ACTION("undo", "Undo", undo, undo_take, sangam_any, .idempotent = true)          \
    ACTION("comment", "Comment", comment, sangam_any, sangam_any)                    \
    ACTION("unnamed", "Write without a name", unnamed, sangam_any, sangam_any)       \
    ACTION("fetched", "Search over wasi:http", fetched, sangam_any, sangam_any)      \
    ACTION("count", "Count", count, sangam_any, sangam_any)
#define STREAMS(STREAM) \
    STREAM("leave", "Approved leave", .poll = poll, .receive = receive, .types = SANGAM_LIST("leave.approved", "hook"))
SANGAM_DUPLEX(ACTIONS, STREAMS, .name = "everything", .version = "1.2.3", .title = "Everything", .config = config_type,
    .hosts = SANGAM_LIST("${base-url}"), .emits = SANGAM_LIST("comment.made"))
