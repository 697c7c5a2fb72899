/* What an action knows of its call, what an undo is given, and events to bring in. */
#ifndef SANGAM_CALL_H
#define SANGAM_CALL_H

#include "sangam/json.h"
#include "sangam/record.h"

/* The event that the run handles: a CloudEvent 1.0. */
typedef struct sangam_event {
    sangam_text id;      /* unique within its source */
    sangam_text source;
    sangam_text type;    /* such as `job.completed` */
    sangam_text subject; /* none where there is none */
    sangam_text time;    /* RFC 3339 */
    const sangam_json *data;
    const sangam_json *attributes; /* the whole event */
} sangam_event;

/* The call of an action. The same call may come again after a crash or a failure. Then the input is the same, clocks and random numbers come
 * out the same, writes that succeeded are answered from the journal, and reads are live. */
typedef struct sangam_call {
    const void *config; /* the plugin's configuration: const config *config = call->config; NULL for a plugin that has none */
    sangam_event event;
    sangam_text run_id;   /* UUIDv7 */
    sangam_text run_root; /* the first run of its line; its own id where it is no replay */
    sangam_text route;
    sangam_text step;
    sangam_text uses; /* `plugin.action` */
    int64_t round;    /* of a step with `repeat` */
    int64_t attempt;  /* from 1 */
    sangam_text idempotency_key; /* of the step; those of single writes: sangam_key */
    sangam_text deadline;        /* RFC 3339, on the clock that the plugin sees */
    sangam_text traceparent;     /* W3C Trace Context; none where there is none */
    struct sangam_parcel *parcel; /* the SDK's own */
} sangam_call;

/* Whether nothing of this step can have been written before: a replay counts attempts from 1 again, but shares the journal, and the
 * doubts, of the runs before it. Where a system has no idempotency keys, look for your own marker unless this is true. */
bool sangam_first_attempt(const sangam_call *call);

/* An event to bring in. The host sets its `source`, and derives an `id` where an action gives none. */
typedef struct sangam_new_event {
    sangam_text type; /* granted with `emits` */
    const sangam_json *data;
    sangam_text id; /* in a stream: made of the record and its version, so that seeing it again brings in nothing twice */
    sangam_text subject;
    sangam_text time;              /* RFC 3339 */
    const sangam_json *attributes; /* an object of further CloudEvents attributes, or NULL */
} sangam_new_event;

/* Brings in an event together with the success of the action, or not at all. */
void sangam_emit(sangam_new_event event);

/* One run's part of a call for several runs at once. */
typedef struct sangam_item {
    const sangam_call *call; /* what the action knows of the run. Its `attempt` is above 1 where the batch, or the run, was tried before; its
                              * `idempotency_key` is the same in every batch, and so the marker of the run's record */
    const void *input;       /* what the action is given: const contact *input = items[i].input; */
    void *output;            /* what it makes, zeroed: kept *output = items[i].output; */
    sangam_failure *failure; /* set it, and this run fails alone */
    size_t place;            /* its position among the runs of the call: the value of the field `invocation` of a line of the log that is
                              * this run's alone */
} sangam_item;

/* Does an action for several runs at once; `count` is never 0. Its failure is that of all. Requests belong to the batch: name them as ever. The same
 * batch comes again after a crash and while a write is in doubt, so what is sent must follow from the items alone. Of key-value it may use
 * sangam_kv_set and sangam_kv_delete, and nothing that reads. */
typedef sangam_failure *sangam_batch_function(sangam_item *items, size_t count);

/* Brings in an event together with the success of that run. In a call for several runs sangam_emit could not say whose it is, and ends the call. */
void sangam_emit_for(const sangam_item *item, sangam_new_event event);

/* One write of a step that is undone. */
#define SANGAM__EFFECT(FIELD)                                                                                    \
    FIELD(text, name, "The name it was given", .optional = true)                                                 \
    FIELD(text, key, "Its idempotency key", .optional = true)                                                    \
    FIELD(text, state, "What is known of it", .one_of = "intent|done|failed|in-doubt")                           \
    FIELD(any, request, "What was sent: method, url, headers, body or body_base64", .optional = true)            \
    FIELD(any, response, "What was answered: status, headers, body or body_base64; null where nothing was", .optional = true)
SANGAM_OPEN_RECORD(sangam_effect, SANGAM__EFFECT, "One write of a step.")

/* Declares the input of an action that undoes another: SANGAM_UNDO(undo_take, take_parts, taken) makes a record with
 * `const take_parts *input`, `const taken *output` (NULL where the step failed: then writes may have been done all the same) and
 * `sangam_effect_list effects`, the writes in the order they were sent. */
#define SANGAM_UNDO(type, input_type, output_type)                                                               \
    typedef struct type {                                                                                        \
        const input_type *input;                                                                                 \
        const output_type *output;                                                                               \
        sangam_effect_list effects;                                                                              \
    } type;                                                                                                      \
    SANGAM__UNUSED static const sangam_type *type##_type(void) {                                                 \
        typedef struct type sangam__self;                                                                        \
        static const sangam_field fields[] = {                                                                   \
            SANGAM__FIELD(record(input_type), input, "What the step was given")                                  \
            SANGAM__FIELD(record(output_type), output, "What it returned; null where it failed", .optional = true) \
            SANGAM__FIELD(records(sangam_effect), effects, "Its writes, in the order they were sent", .optional = true)}; \
        static const sangam_type made = {.about = "What is undone.", .fields = fields, .count = 3,               \
            .size = sizeof(sangam__self), .open = true};                                                         \
        return &made;                                                                                            \
    }

/* The last write of that name, or NULL: sangam_effect_named(&undo->effects, "comment"). */
const sangam_effect *sangam_effect_named(const sangam_effect_list *effects, const char *name);

#endif
