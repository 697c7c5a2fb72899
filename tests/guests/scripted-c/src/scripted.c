/* A plugin that does what its input says, line by line, so that a test can choose any sequence of effects and failures. The same
 * as tests/guests/scripted, in C. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "gather.h"
#include "sangam.h"
#include "streams.h"

#define VERBS                                                                                                                  \
    "write|read|fetch|key|get|set|delete|increment|swap|list|sleep|fail|trap|log|emit|clock|random|outside|attempt"

#define LINE(FIELD)                                                                                                            \
    FIELD(text, verb, "What to do.", .key = "do", .one_of = VERBS)                                                             \
    FIELD(integers, on, "Attempts on which to do it; all if empty.", .optional = true)                                         \
    FIELD(text, url, "Of `write`, `read`, `fetch`.", .optional = true, .otherwise_text = "")                                   \
    FIELD(text, method, "Of `write`, POST if absent; of `fetch`, GET if absent.", .optional = true)                                              \
    FIELD(text, name, "Of `write`, `fetch` (absent: unnamed) and `key`.", .optional = true)                                    \
    FIELD(any, body, "Of `write`, `fetch` (null: none), sent as JSON; data of `emit`.", .optional = true)                                   \
    FIELD(boolean, whatever, "Of `write`, `fetch`: whether any answer or error is a result instead of a failure.", .optional = true) \
    FIELD(text, key, "Of key-value lines; text of `fail` and `log`; type of `emit`.", .optional = true, .otherwise_text = "")  \
    FIELD(text, value, "Of `set`, `swap`.", .optional = true, .otherwise_text = "")                                            \
    FIELD(text, expected, "Of `swap`.", .optional = true)                                                                      \
    FIELD(integer, amount, "Of `increment`; milliseconds of `sleep`.", .optional = true)                                       \
    FIELD(text, kind, "Of `fail`: `retry`, `rate-limited`, `unauthorized` or `rejected`. Of `fetch`: `read` marks it as a read.", .optional = true, .otherwise_text = "")
SANGAM_RECORD(line, LINE, "One line.")

#define SCRIPT(FIELD)                                                                        \
    FIELD(records(line), lines, NULL)                                                        \
    FIELD(any, echo, "What the output holds beside the results, as it came.", .optional = true) \
    FIELD(records(line), undo, "Done by `undo`, the same way.", .optional = true)
SANGAM_RECORD(script, SCRIPT, "Lines, done one after another.")

#define RESULTS(FIELD)         \
    FIELD(anys, results, NULL) \
    FIELD(any, echo, NULL)     \
    FIELD(text, greeting, NULL)
SANGAM_OPEN_RECORD(results, RESULTS, "One result for each line that was done.")

SANGAM_UNDO(undo_script, script, sangam_any)

static bool meant(const line *line, int64_t attempt) {
    for (size_t i = 0; i < line->on.count; i++) {
        if (line->on.items[i] == attempt) return true;
    }
    return line->on.count == 0;
}

/* JSON of whatever is in bytes; null where it is none. */
static const sangam_json *json_or_null(const sangam_response *response) {
    const sangam_json *value;
    return sangam_response_json(response, &value) ? sangam_json_null() : value;
}

static const char *kind_name(const sangam_failure *failure) {
    static const char *const names[] = {"retry", "rate-limited", "unauthorized", "rejected"};
    return names[failure->kind];
}

static sangam_failure *write_line(const line *line, const sangam_json **result) {
    sangam_request request = sangam_write(line->method.ptr ? line->method.ptr : "POST", line->url, line->name);
    request.unnamed = !line->name.ptr;
    sangam_body_json(&request, line->body);
    const sangam_response *answer;
    sangam_failure *failure = sangam_send(&request, &answer);
    sangam_json *object = sangam_json_object();
    if (failure && line->whatever) {
        *result = sangam_json_set(object, "failure", sangam_json_string(sangam_format("%s: %s", kind_name(failure), failure->reason.ptr)));
        return SANGAM_OK;
    }
    if (failure) return failure;
    if (!line->whatever) SANGAM_TRY(sangam_ok(answer));
    *result = line->whatever ? sangam_json_set(object, "status", sangam_json_integer(answer->status)) : json_or_null(answer);
    return SANGAM_OK;
}

/* By wasi:http, as other languages' HTTP clients do it. */
static sangam_failure *fetch_line(const line *line, const sangam_json **result) {
    sangam_request request = sangam_write(line->method.ptr ? line->method.ptr : "GET", line->url, line->name);
    request.unnamed = !line->name.ptr;
    request.read_only = sangam_text_is(line->kind, "read");
    if (!sangam_json_is_null(line->body)) sangam_body_json(&request, line->body);
    const sangam_response *answer;
    sangam_failure *failure = sangam_fetch(&request, &answer);
    sangam_json *object = sangam_json_object();
    if (failure && line->whatever) {
        *result = sangam_json_set(object, "failure", sangam_json_string(failure->reason));
        return SANGAM_OK;
    }
    if (failure) return sangam_retry("%s gave no answer: %s", line->url.ptr, failure->reason.ptr);
    if (answer->status >= 400 && !line->whatever) return sangam_retry("%s answered %d", line->url.ptr, answer->status);
    sangam_json_set(object, "status", sangam_json_integer(answer->status));
    *result = sangam_json_set(object, "body", json_or_null(answer));
    return SANGAM_OK;
}

static sangam_failure *read_line(const line *line, const sangam_json **result) {
    sangam_request request = sangam_read(line->url);
    const sangam_response *answer;
    SANGAM_TRY(sangam_send(&request, &answer));
    SANGAM_TRY(sangam_ok(answer));
    return sangam_response_json(answer, result);
}

static sangam_failure *list_line(const line *line, const sangam_json **result) {
    sangam_text_list keys;
    sangam_text next;
    SANGAM_TRY(sangam_kv_list(line->key, (sangam_text){NULL, 0}, 1000, &keys, &next));
    sangam_json *array = sangam_json_array();
    for (size_t i = 0; i < keys.count; i++) sangam_json_push(array, sangam_json_string(keys.items[i]));
    *result = array;
    return SANGAM_OK;
}

static sangam_failure *fail_line(const line *line, const sangam_json *results) {
    sangam_failure *failure = sangam_text_is(line->kind, "rate-limited")   ? sangam_rate_limited("%s", line->key.ptr)
                              : sangam_text_is(line->kind, "unauthorized") ? sangam_unauthorized("%s", line->key.ptr)
                              : sangam_text_is(line->kind, "rejected")     ? sangam_reject("%s", line->key.ptr)
                                                                           : sangam_retry("%s", line->key.ptr);
    if (line->amount) sangam_after(failure, line->amount < 0 ? 0 - (uint64_t)line->amount : (uint64_t)line->amount);
    if (line->amount <= 0) failure->has_after = false;
    return sangam_details(failure, sangam_json_set(sangam_json_object(), "results", results));
}

static void sleep_for(int64_t milliseconds) {
    if (milliseconds < 0) milliseconds = -milliseconds;
    struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Microseconds since the epoch. */
static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static sangam_text random_number(void) {
    uint64_t number = 0;
    getentropy(&number, sizeof number);
    return sangam_format("%llu", (unsigned long long)number);
}

/* The arguments, by the door that the C library opens only for programs with a `main`. */
__attribute__((import_module("wasi_snapshot_preview1"), import_name("args_sizes_get"))) extern int32_t args_sizes_get(size_t *count, size_t *size);

extern char **environ;

/* Whatever of the machine can be reached past the contract. */
static const sangam_json *outside(void) {
    sangam_json *environment = sangam_json_array(), *arguments = sangam_json_array();
    for (char **variable = environ; variable && *variable; variable++) {
        sangam_json_push(environment, sangam_json_string(sangam_text_of(*variable)));
    }
    size_t count = 0, size = 0;
    if (args_sizes_get(&count, &size) == 0) {
        for (size_t i = 0; i < count; i++) sangam_json_push(arguments, sangam_json_string(SANGAM_TEXT("?")));
    }
    /* Sockets can only come from outside here, as descriptors that are open already. */
    bool open_already = false;
    char byte;
    for (int fd = 3; fd < 16; fd++) open_already |= read(fd, &byte, 1) >= 0 || write(fd, "x", 1) >= 0;
    sangam_json *found = sangam_json_object();
    sangam_json_set(found, "environment", environment);
    sangam_json_set(found, "arguments", arguments);
    sangam_json_set(found, "file", sangam_json_boolean(fopen("/etc/passwd", "r") || open("etc/passwd", O_RDONLY) >= 0));
    sangam_json_set(found, "folder", sangam_json_boolean(opendir("/") || opendir(".")));
    sangam_json_set(found, "written", sangam_json_boolean(fopen("sangam-was-here", "w") != NULL));
    sangam_json_set(found, "socket", sangam_json_boolean(open_already));
    /* WASI's C library has neither datagrams nor names nor processes. */
    sangam_json_set(found, "datagram", sangam_json_boolean(false));
    sangam_json_set(found, "name", sangam_json_boolean(false));
    sangam_json_set(found, "process", sangam_json_boolean(false));
    return found;
}

static const sangam_json *bytes_of(sangam_text value) { return value.ptr ? sangam_json_string(value) : sangam_json_null(); }

static sangam_failure *do_line(const sangam_call *call, const line *line, const sangam_json *results, const sangam_json **result) {
    const char *verb = line->verb.ptr;
    *result = sangam_json_null();
    if (sangam_text_is(line->verb, "write")) return write_line(line, result);
    if (sangam_text_is(line->verb, "fetch")) return fetch_line(line, result);
    if (sangam_text_is(line->verb, "read")) return read_line(line, result);
    if (sangam_text_is(line->verb, "list")) return list_line(line, result);
    if (sangam_text_is(line->verb, "fail")) return fail_line(line, results);
    if (sangam_text_is(line->verb, "set")) return sangam_kv_set(line->key, line->value);
    if (sangam_text_is(line->verb, "delete")) return sangam_kv_delete(line->key);
    if (sangam_text_is(line->verb, "trap")) abort();
    if (sangam_text_is(line->verb, "key")) {
        *result = sangam_json_string(sangam_key(line->name.ptr ? line->name : SANGAM_TEXT("")));
    } else if (sangam_text_is(line->verb, "get")) {
        sangam_text value;
        SANGAM_TRY(sangam_kv_get(line->key, &value));
        *result = bytes_of(value);
    } else if (sangam_text_is(line->verb, "increment")) {
        int64_t sum;
        SANGAM_TRY(sangam_kv_increment(line->key, line->amount, &sum));
        *result = sangam_json_integer(sum);
    } else if (sangam_text_is(line->verb, "swap")) {
        bool done;
        SANGAM_TRY(sangam_kv_compare_and_swap(line->key, line->expected, line->value, &done));
        *result = sangam_json_boolean(done);
    } else if (sangam_text_is(line->verb, "sleep")) {
        sleep_for(line->amount);
    } else if (sangam_text_is(line->verb, "log")) {
        sangam_info(line->key.ptr, "attempt", sangam_format("%lld", (long long)call->attempt).ptr);
    } else if (sangam_text_is(line->verb, "clock")) {
        *result = sangam_json_integer(now());
    } else if (sangam_text_is(line->verb, "random")) {
        *result = sangam_json_number(random_number());
    } else if (sangam_text_is(line->verb, "outside")) {
        *result = outside();
    } else if (sangam_text_is(line->verb, "attempt")) {
        *result = sangam_json_integer(call->attempt);
    } else {
        return sangam_reject("there is no verb %s", verb);
    }
    return SANGAM_OK;
}

static sangam_failure *do_lines(const sangam_call *call, const line_list *lines, bool emits, sangam_json *done) {
    for (size_t i = 0; i < lines->count; i++) {
        const line *line = &lines->items[i];
        if (!meant(line, call->attempt)) continue;
        bool emit = sangam_text_is(line->verb, "emit");
        if (emit && emits) {
            sangam_emit((sangam_new_event){.type = line->key, .data = line->body});
            continue;
        }
        const sangam_json *result = sangam_json_null();
        if (!emit) SANGAM_TRY(do_line(call, line, done, &result));
        sangam_json_push(done, result);
    }
    return SANGAM_OK;
}

static sangam_failure *run(const sangam_call *call, const script *input, results *output) {
    const config *config = call->config;
    sangam_json *done = sangam_json_array();
    SANGAM_TRY(do_lines(call, &input->lines, true, done));
    output->results.count = sangam_json_count(done);
    output->results.items = sangam_alloc_array(output->results.count, sizeof *output->results.items);
    size_t i = 0;
    SANGAM_EACH(result, done) output->results.items[i++] = result;
    output->echo = input->echo;
    output->greeting = config->greeting;
    return SANGAM_OK;
}

static sangam_failure *act(const sangam_call *call, const script *input, results *output) { return run(call, input, output); }

/* Gives also what it was given. */
static sangam_failure *undo(const sangam_call *call, const undo_script *input, sangam_any *output) {
    sangam_json *done = sangam_json_array(), *effects = sangam_json_array(), *given = sangam_json_object(), *object = sangam_json_object();
    for (size_t i = 0; i < input->effects.count; i++) {
        const sangam_effect *effect = &input->effects.items[i];
        sangam_json *shown = sangam_json_object();
        sangam_json_set(shown, "name", sangam_json_string(effect->name));
        sangam_json_set(shown, "key", sangam_json_string(effect->key));
        sangam_json_set(shown, "state", sangam_json_string(effect->state));
        sangam_json_set(shown, "request", effect->request);
        sangam_json_set(shown, "response", effect->response);
        sangam_json_push(effects, shown);
    }
    SANGAM_TRY(do_lines(call, &input->input->undo, false, done));
    sangam_json_set(given, "output", input->output ? input->output->value : NULL);
    sangam_json_set(given, "effects", effects);
    sangam_json_set(object, "results", done);
    output->value = sangam_json_set(object, "given", given);
    return SANGAM_OK;
}

#define PERSON(FIELD)                                         \
    FIELD(text, name, "How they are called.", .min_length = 1) \
    FIELD(maybe_integer, age, "In years.", .optional = true, SANGAM_RANGE(0, 4294967295))
SANGAM_RECORD(person, PERSON, "A person.")

static sangam_failure *greet(const sangam_call *call, const person *input, sangam_any *output) {
    const config *config = call->config;
    sangam_json *object = sangam_json_object();
    sangam_json_set(object, "greeting", sangam_json_string(sangam_format("%s %s", config->greeting.ptr, input->name.ptr)));
    output->value = sangam_json_set(object, "age", input->age.given ? sangam_json_integer(input->age.value) : NULL);
    return SANGAM_OK;
}

#define ACTIONS(ACTION)                                                                                  \
    ACTION("run", "Do what the input says", run, script, results)                                        \
    ACTION("act", "Do what the input says, and undo what it says", act, script, results, .undo = "undo") \
    ACTION("undo", "Do the undo lines of what is undone", undo, undo_script, sangam_any)                 \
    ACTION("greet", "Greet by name", greet, person, sangam_any)                                          \
    ACTION("gather", "Send an id, alone or with others", gather_one, gather, gathered, .batch = {10, gather_all})

#define STREAMS(STREAM)                                                                        \
    STREAM("feed", "What the feed says", .poll = poll_feed, .types = SANGAM_LIST("fed.*"))     \
    STREAM("hook", "What a body says", .receive = receive_hook, .types = SANGAM_LIST("fed.*"))

SANGAM_BATCHING_DUPLEX(ACTIONS, STREAMS, .name = "scripted", .version = "0.1.0", .title = "Scripted", .config = config_type)
