/* The call of an action: from the texts the host gives to the function that does it, and back. */
#include <stdlib.h>
#include <string.h>

#include "abi.h"

sangam_parcel sangam__emitted;
/* The action is being done for several runs. */
static bool together;

bool sangam_first_attempt(const sangam_call *call) {
    bool first_of_line = call->run_root.len == 0 || sangam_text_equal(call->run_root, call->run_id);
    return call->attempt <= 1 && first_of_line;
}

/* None where the member is absent, null or no text. */
static sangam_text text_of(const sangam_json *object, const char *key) {
    const sangam_json *value = sangam_json_get(object, key);
    return sangam_json_kind(value) == SANGAM_STRING ? value->text : (sangam_text){NULL, 0};
}

static int64_t integer_of(const sangam_json *object, const char *key) {
    int64_t integer;
    return sangam_json_to_integer(sangam_json_get(object, key), &integer) ? integer : 0;
}

static sangam_failure *config_of(const sangam_plugin *plugin, const sangam_json *context, const void **config) {
    void *made = NULL;
    if (plugin->config) SANGAM_TRY(sangam_from_json(plugin->config(), sangam_json_get(context, "configuration"), "configuration", &made));
    *config = made;
    return SANGAM_OK;
}

static sangam_failure *call_of(const sangam_plugin *plugin, sangam_text text, sangam_call *call) {
    const sangam_json *context;
    SANGAM_TRY(sangam_json_read(text, "context", &context));
    const sangam_json *run = sangam_json_get(context, "run"), *step = sangam_json_get(context, "step"), *event = sangam_json_get(context, "event");
    *call = (sangam_call){
        .event = {.id = text_of(event, "id"), .source = text_of(event, "source"), .type = text_of(event, "type"), .subject = text_of(event, "subject"),
            .time = text_of(event, "time"), .data = sangam_json_get(event, "data"), .attributes = event},
        .run_id = text_of(run, "id"),
        .run_root = text_of(run, "root"),
        .route = text_of(run, "route"),
        .step = text_of(step, "name"),
        .uses = text_of(step, "uses"),
        .round = integer_of(step, "round"),
        .attempt = integer_of(context, "attempt"),
        .idempotency_key = text_of(context, "idempotency_key"),
        .deadline = text_of(context, "deadline"),
        .traceparent = text_of(context, "traceparent"),
    };
    return config_of(plugin, context, &call->config);
}

static const sangam_action *action_of(const sangam_plugin *plugin, sangam_text name) {
    const sangam_action *action = NULL;
    for (size_t i = 0; i < plugin->action_count; i++) {
        if (sangam_text_is(name, plugin->actions[i].name)) action = &plugin->actions[i];
    }
    return action;
}

static sangam_failure *act(const sangam_plugin *plugin, sangam_text name, sangam_text input, sangam_text context, sangam_text *data) {
    const sangam_action *action = action_of(plugin, name);
    if (!action) return sangam_reject("%s has no action `%s`", plugin->name, sangam_shown(name).ptr);
    sangam_call call;
    void *given;
    SANGAM_TRY(call_of(plugin, context, &call));
    SANGAM_TRY(sangam_decode(action->input(), input, "input", &given));
    void *made = sangam_alloc(action->output()->size);
    SANGAM_TRY(action->run(&call, given, made));
    *data = sangam_json_write(sangam_to_json(action->output(), made));
    return SANGAM_OK;
}

static void lower(abi_invoked *area, const sangam_failure *failure, sangam_text data, const sangam_parcel *parcel) {
    if (failure) {
        area->failed = 1;
        sangam__lower_failure(failure, &area->value.failure);
    } else {
        area->value.output.data = data;
        area->value.output.events = (abi_list){parcel->events, parcel->event_count};
    }
}

void *sangam__invoke(const sangam_plugin *plugin, sangam_text action, sangam_text input, sangam_text context) {
    abi_invoked *area = sangam_alloc(sizeof *area);
    memset(&sangam__emitted, 0, sizeof sangam__emitted);
    sangam_text data = {NULL, 0};
    sangam_failure *failure = act(plugin, action, input, context, &data);
    lower(area, failure, data, &sangam__emitted);
    return area;
}

/* Several runs at once. */

static sangam_failure *item_of(const sangam_plugin *plugin, const sangam_action *action, const abi_invocation *invocation, sangam_item *item) {
    sangam_call *call = sangam_alloc(sizeof *call);
    void *input;
    SANGAM_TRY(call_of(plugin, invocation->context, call));
    SANGAM_TRY(sangam_decode(action->input(), invocation->input, "input", &input));
    call->parcel = sangam_alloc(sizeof *call->parcel);
    item->call = call;
    item->input = input;
    item->output = sangam_alloc(action->output()->size);
    return SANGAM_OK;
}

static void act_together(const sangam_plugin *plugin, const sangam_action *action, const abi_invocation *invocations, size_t count, abi_invoked *areas) {
    sangam_item *items = sangam_alloc_array(count, sizeof *items);
    size_t fitting = 0;
    for (size_t i = 0; i < count; i++) {
        items[fitting].place = i;
        sangam_failure *misfit = item_of(plugin, action, &invocations[i], &items[fitting]);
        if (misfit) {
            lower(&areas[i], misfit, (sangam_text){NULL, 0}, NULL);
        } else {
            fitting++;
        }
    }
    if (!fitting) return;
    together = true;
    sangam_failure *failure = action->batch.run(items, fitting);
    together = false;
    for (size_t i = 0; i < fitting; i++) {
        sangam_failure *own = failure ? failure : items[i].failure;
        sangam_text data = {NULL, 0};
        if (!own) data = sangam_json_write(sangam_to_json(action->output(), items[i].output));
        lower(&areas[items[i].place], own, data, items[i].call->parcel);
    }
}

void *sangam__invoke_batch(const sangam_plugin *plugin, sangam_text name, const void *invocations, size_t count) {
    abi_list *area = sangam_alloc(sizeof *area);
    abi_invoked *areas = sangam_alloc_array(count, sizeof *areas);
    *area = (abi_list){areas, count};
    const sangam_action *action = action_of(plugin, name);
    if (action && action->batch.run) {
        act_together(plugin, action, invocations, count, areas);
    } else {
        sangam_failure *failure = sangam_reject("%s takes one run of `%s` at a time", plugin->name, sangam_shown(name).ptr);
        for (size_t i = 0; i < count; i++) lower(&areas[i], failure, (sangam_text){NULL, 0}, NULL);
    }
    return area;
}

void sangam__returned(void *area) {
    (void)area;
    sangam__reset();
}

static void *grown(void *items, size_t count, size_t *room, size_t size) {
    if (count < *room) return items;
    *room = *room ? *room * 2 : 8;
    void *more = sangam_alloc_array(*room, size);
    if (count) memcpy(more, items, count * size);
    return more;
}

void sangam__parcel_add(sangam_parcel *parcel, sangam_new_event event) {
    sangam_json *made = sangam_json_set(sangam_json_object(), "specversion", sangam_json_string(SANGAM_TEXT("1.0")));
    SANGAM_EACH(attribute, event.attributes) sangam_json_set(made, sangam_copy(attribute->key.ptr, attribute->key.len).ptr, attribute);
    sangam_json_set(made, "type", sangam_json_string(event.type));
    if (event.id.ptr) sangam_json_set(made, "id", sangam_json_string(event.id));
    if (event.subject.ptr) sangam_json_set(made, "subject", sangam_json_string(event.subject));
    if (event.time.ptr) sangam_json_set(made, "time", sangam_json_string(event.time));
    sangam_json_set(made, "data", event.data);
    parcel->events = grown(parcel->events, parcel->event_count, &parcel->event_room, sizeof *parcel->events);
    parcel->events[parcel->event_count++] = sangam_json_write(made);
}

void sangam_emit(sangam_new_event event) {
    if (together) sangam__broken("sangam_emit does not say which of several runs the event is of: use sangam_emit_for");
    sangam__parcel_add(&sangam__emitted, event);
}

void sangam_emit_for(const sangam_item *item, sangam_new_event event) { sangam__parcel_add(item->call->parcel, event); }

const sangam_effect *sangam_effect_named(const sangam_effect_list *effects, const char *name) {
    for (size_t i = effects->count; i > 0; i--) {
        if (sangam_text_is(effects->items[i - 1].name, name)) return &effects->items[i - 1];
    }
    return NULL;
}

/* Streams. */

static sangam_parcel *parcel_of(sangam_parcel **parcel) {
    if (!*parcel) *parcel = sangam_alloc(sizeof **parcel);
    return *parcel;
}

void sangam_page_add(sangam_page *page, sangam_new_event event) { sangam__parcel_add(parcel_of(&page->parcel), event); }

void sangam_page_set_aside(sangam_page *page, const sangam_json *record, sangam_text reason) {
    sangam_parcel *parcel = parcel_of(&page->parcel);
    parcel->aside = grown(parcel->aside, parcel->aside_count, &parcel->aside_room, sizeof *parcel->aside);
    parcel->aside[parcel->aside_count++] = (abi_rejected_record){sangam_json_write(record), sangam__utf8(reason)};
}

void sangam_received_add(sangam_received *received, sangam_new_event event) { sangam__parcel_add(parcel_of(&received->parcel), event); }

static const sangam_stream *stream_of(const sangam_plugin *plugin, sangam_text name) {
    for (size_t i = 0; i < plugin->stream_count; i++) {
        if (sangam_text_is(name, plugin->streams[i].name)) return &plugin->streams[i];
    }
    return NULL;
}

static sangam_failure *source_call_of(const sangam_plugin *plugin, sangam_text text, sangam_source_call *call) {
    const sangam_json *context;
    SANGAM_TRY(sangam_json_read(text, "context", &context));
    call->source = text_of(context, "source");
    call->since = text_of(context, "since");
    call->deadline = text_of(context, "deadline");
    call->traceparent = text_of(context, "traceparent");
    return config_of(plugin, context, &call->config);
}

static sangam_failure *poll(const sangam_plugin *plugin, sangam_text name, sangam_source_call *call, sangam_text context, sangam_page *page) {
    const sangam_stream *stream = stream_of(plugin, name);
    if (!stream || !stream->poll) return sangam_reject("%s has no stream `%s` to poll", plugin->name, sangam_shown(name).ptr);
    SANGAM_TRY(source_call_of(plugin, context, call));
    return stream->poll(call, page);
}

void *sangam__poll(const sangam_plugin *plugin, sangam_text stream, sangam_text cursor, uint32_t limit, sangam_text context) {
    abi_polled *area = sangam_alloc(sizeof *area);
    sangam_page page;
    memset(&page, 0, sizeof page);
    sangam_source_call call = {.cursor = cursor, .limit = limit};
    sangam_failure *failure = poll(plugin, stream, &call, context, &page);
    if (failure) {
        area->failed = 1;
        sangam__lower_failure(failure, &area->value.failure);
        return area;
    }
    sangam_parcel *parcel = parcel_of(&page.parcel);
    area->value.page.events = (abi_list){parcel->events, parcel->event_count};
    area->value.page.set_aside = (abi_list){parcel->aside, parcel->aside_count};
    area->value.page.more = page.more;
    area->value.page.next_cursor = (abi_option_text){page.next_cursor.ptr != NULL, sangam__utf8(page.next_cursor)};
    return area;
}

static sangam_failure *receive(const sangam_plugin *plugin, sangam_text name, const sangam_inbound *request, sangam_text context, sangam_received *received) {
    const sangam_stream *stream = stream_of(plugin, name);
    if (!stream || !stream->receive) return sangam_reject("%s has no stream `%s` to receive", plugin->name, sangam_shown(name).ptr);
    sangam_source_call call = {.limit = 0};
    SANGAM_TRY(source_call_of(plugin, context, &call));
    return stream->receive(&call, request, received);
}

void *sangam__receive(const sangam_plugin *plugin, sangam_text stream, const sangam_inbound *request, sangam_text context) {
    abi_received *area = sangam_alloc(sizeof *area);
    sangam_received received = {.status = 200};
    sangam_failure *failure = receive(plugin, stream, request, context, &received);
    if (failure) {
        area->failed = 1;
        sangam__lower_failure(failure, &area->value.failure);
        return area;
    }
    sangam_parcel *parcel = parcel_of(&received.parcel);
    area->value.received.events = (abi_list){parcel->events, parcel->event_count};
    area->value.received.status = (uint16_t)received.status;
    area->value.received.headers = (abi_list){received.headers.items, received.headers.count};
    area->value.received.body = received.body;
    return area;
}
