/* What a plugin is, and the macros that export it.
 *
 *     #define ACTIONS(ACTION)                                                                       \
 *         ACTION("take-parts", "Take parts", take, take_parts, taken, .undo = "return-parts")       \
 *         ACTION("return-parts", "Return parts", give_back, undo_take, sangam_any, .idempotent = true)
 *     SANGAM_CONNECTOR(ACTIONS, .name = "warehouse", .version = "0.1.0", .title = "Warehouse", .config = config_type)
 *
 * An action is its name, its title, its function, the record it takes, the record it makes, and what more there is to say. The function:
 *
 *     static sangam_failure *take(const sangam_call *call, const take_parts *input, taken *output);
 *
 * `output` is zeroed. An action without an output makes a sangam_any and leaves it, which is null.
 *
 * An action that takes several runs at once, 100 at most, has `.batch = {100, keep_contacts}` besides, where keep_contacts is a
 * sangam_batch_function; the plugin is exported with SANGAM_BATCHING or SANGAM_BATCHING_DUPLEX. A run that goes alone is done by its single form.
 */
#ifndef SANGAM_PLUGIN_H
#define SANGAM_PLUGIN_H

#include "sangam/call.h"
#include "sangam/source.h"
#include "sangam/world.h"

typedef struct sangam_action {
    const char *name; /* lower-case letters, digits, hyphens */
    const char *title;
    const sangam_type *(*input)(void);
    const sangam_type *(*output)(void);
    sangam_failure *(*run)(const sangam_call *call, const void *input, void *output);

    const char *about; /* what it does, in place of the description of its input */
    const char *undo;  /* the action that undoes this one; it takes a SANGAM_UNDO */
    bool idempotent;   /* doing it twice is the same as doing it once, by the nature of the system */
    struct {
        uint32_t most; /* runs that one call takes, 2 to 1000 */
        sangam_batch_function *run;
    } batch; /* does several runs at once; none: it takes one at a time */
} sangam_action;

typedef struct sangam_stream {
    const char *name;
    const char *title;

    sangam_poll_function *poll;
    sangam_receive_function *receive;
    const char *const *types; /* of the events it brings in: SANGAM_LIST("leave.approved") */
} sangam_stream;

typedef struct sangam_plugin {
    const char *name;    /* lower-case letters, digits, hyphens */
    const char *version; /* semantic versioning */
    const char *title;
    const char *about;
    const sangam_type *(*config)(void); /* NAME_type of a record; none: nothing can be configured */
    const char *const *hosts;           /* origins it expects to reach: SANGAM_LIST("${base-url}"), a configuration value */
    const char *const *read_only;       /* requests that only read: SANGAM_LIST("POST /crm/search"), * for one segment */
    const char *const *emits;           /* types of events that its actions may bring in */

    const sangam_action *actions;
    size_t action_count;
    const sangam_stream *streams;
    size_t stream_count;
} sangam_plugin;

/* Words, ended by NULL. */
#define SANGAM_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The plugin of this program. */
extern const sangam_plugin sangam_exported;

/* A plugin with actions. */
#define SANGAM_CONNECTOR(ACTIONS, ...)                                                                          \
    SANGAM__ACTIONS(ACTIONS)                                                                                    \
    const sangam_plugin sangam_exported = {.actions = sangam__actions,                                          \
        .action_count = sizeof sangam__actions / sizeof sangam__actions[0], __VA_ARGS__};                       \
    SANGAM__EXPORT(SANGAM__WORLD_CONNECTOR)                                                                     \
    SANGAM__EXPORT_ACTIONS

/* The same, and some of its actions take several runs at once. */
#define SANGAM_BATCHING(ACTIONS, ...)                                                                           \
    SANGAM__ACTIONS(ACTIONS)                                                                                    \
    const sangam_plugin sangam_exported = {.actions = sangam__actions,                                          \
        .action_count = sizeof sangam__actions / sizeof sangam__actions[0], __VA_ARGS__};                       \
    SANGAM__EXPORT(SANGAM__WORLD_BATCHING)                                                                      \
    SANGAM__EXPORT_ACTIONS                                                                                      \
    SANGAM__EXPORT_BATCHES

/* A plugin that brings events in; its STREAMS(STREAM) has lines as
 *     STREAM("leave", "Approved leave", .poll = poll_leave, .types = SANGAM_LIST("leave.approved")) */
#define SANGAM_SOURCE(STREAMS, ...)                                                                             \
    SANGAM__STREAMS(STREAMS)                                                                                    \
    const sangam_plugin sangam_exported = {.streams = sangam__streams,                                          \
        .stream_count = sizeof sangam__streams / sizeof sangam__streams[0], __VA_ARGS__};                       \
    SANGAM__EXPORT(SANGAM__WORLD_SOURCE)                                                                        \
    SANGAM__EXPORT_EVENTS

/* A plugin that does both. */
#define SANGAM_DUPLEX(ACTIONS, STREAMS, ...)                                                                    \
    SANGAM__ACTIONS(ACTIONS)                                                                                    \
    SANGAM__STREAMS(STREAMS)                                                                                    \
    const sangam_plugin sangam_exported = {.actions = sangam__actions,                                          \
        .action_count = sizeof sangam__actions / sizeof sangam__actions[0], .streams = sangam__streams,         \
        .stream_count = sizeof sangam__streams / sizeof sangam__streams[0], __VA_ARGS__};                       \
    SANGAM__EXPORT(SANGAM__WORLD_DUPLEX)                                                                        \
    SANGAM__EXPORT_ACTIONS                                                                                      \
    SANGAM__EXPORT_EVENTS

/* The same, and some of its actions take several runs at once. */
#define SANGAM_BATCHING_DUPLEX(ACTIONS, STREAMS, ...)                                                           \
    SANGAM__ACTIONS(ACTIONS)                                                                                    \
    SANGAM__STREAMS(STREAMS)                                                                                    \
    const sangam_plugin sangam_exported = {.actions = sangam__actions,                                          \
        .action_count = sizeof sangam__actions / sizeof sangam__actions[0], .streams = sangam__streams,         \
        .stream_count = sizeof sangam__streams / sizeof sangam__streams[0], __VA_ARGS__};                       \
    SANGAM__EXPORT(SANGAM__WORLD_BATCHING_DUPLEX)                                                               \
    SANGAM__EXPORT_ACTIONS                                                                                      \
    SANGAM__EXPORT_BATCHES                                                                                      \
    SANGAM__EXPORT_EVENTS

#define SANGAM__ACTIONS(ACTIONS) \
    ACTIONS(SANGAM__THUNK)       \
    static const sangam_action sangam__actions[] = {ACTIONS(SANGAM__ACTION)};
/* A function of its own for each action, since calling one through a pointer of another type is undefined. */
#define SANGAM__THUNK(name_, title_, function, input_, output_, ...)                                            \
    static sangam_failure *function##_sangam(const sangam_call *call, const void *input, void *output) {        \
        return function(call, (const input_ *)input, (output_ *)output);                                        \
    }
#define SANGAM__ACTION(name_, title_, function, input_, output_, ...) \
    {.name = name_, .title = title_, .input = input_##_type, .output = output_##_type, .run = function##_sangam, __VA_ARGS__},
#define SANGAM__STREAMS(STREAMS) static const sangam_stream sangam__streams[] = {STREAMS(SANGAM__STREAM)};
#define SANGAM__STREAM(name_, ...) {.name = name_, .title = __VA_ARGS__},

/* The exports of the contract. A native build, for tests, has none; there sangam_exported is what the tests call. */
#ifdef __wasm__
#define SANGAM__EXPORTED(name) __attribute__((export_name(name), used))
#define SANGAM__EXPORT(world)                                                                                   \
    __asm__(world);                                                                                             \
    SANGAM__EXPORTED("sangam:connector/plugin@0.1.0#describe") void *sangam__export_describe(void);             \
    void *sangam__export_describe(void) { return sangam__describe(&sangam_exported); }                          \
    SANGAM__EXPORTED("cabi_post_sangam:connector/plugin@0.1.0#describe") void sangam__export_described(void *); \
    void sangam__export_described(void *area) { sangam__returned(area); }
#define SANGAM__EXPORT_ACTIONS                                                                                  \
    SANGAM__EXPORTED("sangam:connector/actions@0.1.0#invoke")                                                   \
    void *sangam__export_invoke(char *, size_t, char *, size_t, char *, size_t);                                \
    void *sangam__export_invoke(char *action, size_t action_len, char *input, size_t input_len, char *context,  \
        size_t context_len) {                                                                                   \
        return sangam__invoke(&sangam_exported, (sangam_text){action, action_len},                              \
            (sangam_text){input, input_len}, (sangam_text){context, context_len});                              \
    }                                                                                                           \
    SANGAM__EXPORTED("cabi_post_sangam:connector/actions@0.1.0#invoke") void sangam__export_invoked(void *);    \
    void sangam__export_invoked(void *area) { sangam__returned(area); }
#define SANGAM__EXPORT_BATCHES                                                                                  \
    SANGAM__EXPORTED("sangam:connector/batches@0.1.0#invoke-batch")                                             \
    void *sangam__export_invoke_batch(char *, size_t, void *, size_t);                                          \
    void *sangam__export_invoke_batch(char *action, size_t action_len, void *invocations, size_t count) {       \
        return sangam__invoke_batch(&sangam_exported, (sangam_text){action, action_len}, invocations, count);   \
    }                                                                                                           \
    SANGAM__EXPORTED("cabi_post_sangam:connector/batches@0.1.0#invoke-batch")                                   \
    void sangam__export_batch_invoked(void *);                                                                  \
    void sangam__export_batch_invoked(void *area) { sangam__returned(area); }
#define SANGAM__EXPORT_EVENTS                                                                                   \
    SANGAM__EXPORTED("sangam:connector/events@0.1.0#poll")                                                      \
    void *sangam__export_poll(char *, size_t, int32_t, char *, size_t, int32_t, char *, size_t);                \
    void *sangam__export_poll(char *stream, size_t stream_len, int32_t some, char *cursor, size_t cursor_len,   \
        int32_t limit, char *context, size_t context_len) {                                                     \
        return sangam__poll(&sangam_exported, (sangam_text){stream, stream_len},                                \
            (sangam_text){some ? cursor : NULL, some ? cursor_len : 0}, (uint32_t)limit,                        \
            (sangam_text){context, context_len});                                                               \
    }                                                                                                           \
    SANGAM__EXPORTED("cabi_post_sangam:connector/events@0.1.0#poll") void sangam__export_polled(void *);        \
    void sangam__export_polled(void *area) { sangam__returned(area); }                                          \
    SANGAM__EXPORTED("sangam:connector/events@0.1.0#receive")                                                   \
    void *sangam__export_receive(char *, size_t, char *, size_t, char *, size_t, void *, size_t, char *,        \
        size_t, char *, size_t);                                                                                \
    void *sangam__export_receive(char *stream, size_t stream_len, char *method, size_t method_len, char *path,  \
        size_t path_len, void *headers, size_t header_count, char *body, size_t body_len, char *context,        \
        size_t context_len) {                                                                                   \
        sangam_inbound request = {.method = {method, method_len}, .path = {path, path_len},                     \
            .headers = {(sangam_header *)headers, header_count}, .body = {body, body_len}};                     \
        return sangam__receive(&sangam_exported, (sangam_text){stream, stream_len}, &request,                   \
            (sangam_text){context, context_len});                                                               \
    }                                                                                                           \
    SANGAM__EXPORTED("cabi_post_sangam:connector/events@0.1.0#receive") void sangam__export_received(void *);   \
    void sangam__export_received(void *area) { sangam__returned(area); }
#else
#define SANGAM__EXPORT(world)
#define SANGAM__EXPORT_ACTIONS
#define SANGAM__EXPORT_BATCHES
#define SANGAM__EXPORT_EVENTS
#endif

/* What the exports call. They give the results as the canonical ABI lays them out. */
void *sangam__describe(const sangam_plugin *plugin);
void *sangam__invoke(const sangam_plugin *plugin, sangam_text action, sangam_text input, sangam_text context);
void *sangam__invoke_batch(const sangam_plugin *plugin, sangam_text action, const void *invocations, size_t count);
void *sangam__poll(const sangam_plugin *plugin, sangam_text stream, sangam_text cursor, uint32_t limit, sangam_text context);
void *sangam__receive(const sangam_plugin *plugin, sangam_text stream, const sangam_inbound *request, sangam_text context);
void sangam__returned(void *area);

#endif
