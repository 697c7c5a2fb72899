/* Unit tests of a connector: native, without component and host, against a system that the test scripts.
 *
 *     static void warehouse(const sangam_sent *request, sangam_reply *reply) {
 *         sangam_reply_json(reply, 201, "{\"id\": \"m-1\"}");
 *     }
 *
 *     SANGAM_TEST(parts_are_taken_once) {
 *         sangam_host.config = "{\"base-url\": \"https://stock.example\"}";
 *         sangam_host.system = warehouse;
 *         const sangam_outcome *outcome = sangam_invoke("take-parts", "{\"sku\": \"A1\", \"quantity\": 2}");
 *         CHECK_TEXT(outcome->data, "{\"id\":\"m-1\"}");
 *         CHECK_INT(sangam_host.sent_count, 1);
 *     }
 *
 * Compile the tests together with the connector, the SDK's src/ and this folder, and run what comes out; with the name of a test, only those that
 * have it in theirs. Each test starts with a new host, and what it was given lives until it ends.
 */
#ifndef SANGAM_TEST_H
#define SANGAM_TEST_H

#include "sangam.h"

/* A request that reached the system. */
typedef struct sangam_sent {
    sangam_text method;
    sangam_text url;
    sangam_header_list headers;
    sangam_text body;
    sangam_text name; /* of the write */
    sangam_text key;  /* of a named write */
    bool read_only;
} sangam_sent;

typedef enum sangam_no_answer {
    SANGAM_DENIED = 1,
    SANGAM_TIMEOUT,
    SANGAM_CONNECTION, /* refused, reset, broken off: a write may have been done */
    SANGAM_TOO_LARGE,
    SANGAM_UNAVAILABLE,
} sangam_no_answer;

/* What a scripted system says: 200 without a body unless it says otherwise. */
typedef struct sangam_reply {
    int status;
    sangam_header_list headers;
    sangam_text body;
    sangam_no_answer none; /* set: there is no answer, and `why` */
    const char *why;
} sangam_reply;

void sangam_reply_json(sangam_reply *reply, int status, const char *json);
void sangam_reply_text(sangam_reply *reply, int status, sangam_text body);
void sangam_reply_header(sangam_reply *reply, const char *name, const char *value);
void sangam_reply_none(sangam_reply *reply, sangam_no_answer none, const char *why);

/* How a call ended. */
typedef struct sangam_outcome {
    bool failed;
    sangam_failure_kind kind; /* of a failure, and the rest of it */
    sangam_text reason;
    bool has_after;
    uint64_t after_ms;
    sangam_text details; /* JSON text; none where there are none */

    sangam_text data;                    /* JSON text of an action's output */
    sangam_text next_cursor;             /* of a poll */
    bool more;
    size_t set_aside;
    int status;                          /* of a webhook's answer */
    sangam_text body;
} sangam_outcome;

/* A stand-in for the host, for one step: it keeps what the step did between calls, as the journal does. A named write that succeeded is answered from
 * the journal on attempts after the first. Key-value writes stay where the call succeeds. A write from a stream is denied. It checks neither
 * input against schemas nor hosts against grants; `sangam check` does. */
typedef struct sangam_host_state {
    const char *config; /* JSON; `{}` at first */
    const char *data;   /* of the event, JSON */
    int64_t attempt;    /* 1 at first; raise it to try again */
    const char *since;  /* of a poll */
    void (*system)(const sangam_sent *request, sangam_reply *reply);
    void *memory; /* the system's own, whatever it wants to remember */

    sangam_sent *sent; /* every request that reached the system, of all calls */
    size_t sent_count;
    sangam_text *lines; /* of the log: `info: message name=value` */
    size_t line_count;
    sangam_text *events; /* that succeeded calls brought in, JSON texts of CloudEvents */
    size_t event_count;
} sangam_host_state;

extern sangam_host_state sangam_host;

const sangam_outcome *sangam_invoke(const char *action, const char *input);
/* Does an action for so many runs at once, each with an id and a key of its own (sangam_test_key("run-1"), …); gives an outcome for each. The journal is
 * the batch's. */
const sangam_outcome *sangam_invoke_batch(const char *action, const char *const *inputs, size_t count);
/* `cursor` is NULL the first time. The events go to sangam_host.events. */
const sangam_outcome *sangam_poll(const char *stream, const char *cursor, uint32_t limit);
const sangam_outcome *sangam_receive(const char *stream, const char *path, const char *body);
/* A value of the key-value space; none if there is none. */
sangam_text sangam_stored(const char *key);
void sangam_store(const char *key, const char *value);
/* The key that this host gives to the write of that name: 36 characters, like a real one. */
sangam_text sangam_test_key(const char *name);
/* The plugin's descriptor, JSON text. */
sangam_text sangam_described(void);
/* A header of a request; none if there is none. */
sangam_text sangam_sent_header(const sangam_sent *request, const char *name);

/* Declares a test; its name is a sentence of behaviour. */
#define SANGAM_TEST(name)                                                                              \
    static void name(void);                                                                            \
    __attribute__((constructor)) static void name##_added(void) { sangam_test_add(#name, name); }      \
    static void name(void)

/* A check that fails ends the test. */
#define CHECK(condition) sangam_check(condition, __FILE__, __LINE__, #condition)
#define CHECK_TEXT(text, expected) sangam_check_text(text, expected, __FILE__, __LINE__)
#define CHECK_INT(number, expected) sangam_check_int((int64_t)(number), (int64_t)(expected), __FILE__, __LINE__)

void sangam_test_add(const char *name, void (*run)(void));
void sangam_check(bool condition, const char *file, int line, const char *words);
void sangam_check_text(sangam_text text, const char *expected, const char *file, int line);
void sangam_check_int(int64_t number, int64_t expected, const char *file, int line);

#endif
