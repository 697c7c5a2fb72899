/* The contract as C: the types of wit/ as the canonical ABI lays them out, and the host's functions.
 *
 * A record of the component model is laid out as the C struct with the same fields, a variant as a tag byte and a union behind it; so a value is handed
 * over by its address, without a copy. Written by hand rather than generated (wit-bindgen has a C generator): its functions free what
 * they are given piece by piece, where here a call's memory goes at once.
 */
#ifndef SANGAM_ABI_H
#define SANGAM_ABI_H

#include <stdalign.h>

#include "sangam.h"

typedef struct abi_list {
    void *ptr;
    size_t len;
} abi_list;

typedef struct abi_option_text {
    uint8_t some;
    sangam_text text;
} abi_option_text;

/* types.failure */
typedef struct abi_failure {
    uint8_t kind;
    struct {
        sangam_text reason;
        struct {
            uint8_t some;
            uint64_t value;
        } after_ms;
        abi_option_text details;
    } problem;
} abi_failure;

/* result<output, failure> of actions.invoke */
typedef struct abi_invoked {
    uint8_t failed;
    union {
        struct {
            sangam_text data;
            abi_list events; /* of sangam_text */
        } output;
        abi_failure failure;
    } value;
} abi_invoked;

/* batches.invocation; its results are a list of abi_invoked */
typedef struct abi_invocation {
    sangam_text input;
    sangam_text context;
} abi_invocation;

/* events.rejected-record */
typedef struct abi_rejected_record {
    sangam_text data;
    sangam_text reason;
} abi_rejected_record;

/* result<page, failure> of events.poll */
typedef struct abi_polled {
    uint8_t failed;
    union {
        struct {
            abi_list events; /* of sangam_text */
            abi_option_text next_cursor;
            uint8_t more;
            abi_list set_aside; /* of abi_rejected_record */
        } page;
        abi_failure failure;
    } value;
} abi_polled;

/* result<received, failure> of events.receive */
typedef struct abi_received {
    uint8_t failed;
    union {
        struct {
            abi_list events; /* of sangam_text */
            uint16_t status;
            abi_list headers; /* of sangam_header */
            sangam_text body;
        } received;
        abi_failure failure;
    } value;
} abi_received;

/* result<response, error> of http.send */
enum { ABI_DENIED, ABI_INVALID_REQUEST, ABI_NAME_USED, ABI_TIMEOUT, ABI_CONNECTION, ABI_RESPONSE_TOO_LARGE, ABI_TOO_MANY_CALLS, ABI_UNAVAILABLE, ABI_OTHER };
typedef struct abi_sent {
    uint8_t failed;
    union {
        struct {
            uint16_t status;
            abi_list headers; /* of sangam_header */
            sangam_text body;
        } response;
        struct {
            uint8_t tag;
            union {
                sangam_text why;
                uint64_t size;
                uint32_t count;
            } value;
        } error;
    } value;
} abi_sent;

/* key-value.error */
enum { ABI_NOT_CLAIMED, ABI_TOO_LARGE, ABI_FULL, ABI_INVALID, ABI_KV_UNAVAILABLE, ABI_KV_OTHER };
typedef struct abi_kv_error {
    uint8_t tag;
    sangam_text why;
} abi_kv_error;

/* result<option<list<u8>>, error> */
typedef struct abi_got {
    uint8_t failed;
    union {
        abi_option_text value;
        abi_kv_error error;
    } value;
} abi_got;

/* result<_, error> */
typedef struct abi_set {
    uint8_t failed;
    abi_kv_error error;
} abi_set;

/* result<s64, error> */
typedef struct abi_sum {
    uint8_t failed;
    union {
        int64_t sum;
        abi_kv_error error;
    } value;
} abi_sum;

/* result<bool, error> */
typedef struct abi_swapped {
    uint8_t failed;
    union {
        uint8_t done;
        abi_kv_error error;
    } value;
} abi_swapped;

/* result<keys, error> */
typedef struct abi_listed {
    uint8_t failed;
    union {
        struct {
            abi_list keys; /* of sangam_text */
            abi_option_text next_cursor;
        } keys;
        abi_kv_error error;
    } value;
} abi_listed;

/* tuple<string, string> */
typedef struct abi_pair {
    sangam_text name;
    sangam_text value;
} abi_pair;

#ifdef __wasm__
_Static_assert(sizeof(sangam_text) == 8 && sizeof(sangam_header) == 16, "a list or string is pointer and length");
_Static_assert(sizeof(abi_failure) == 48 && offsetof(abi_failure, problem.after_ms) == 16, "types.failure");
_Static_assert(sizeof(abi_invoked) == 56 && offsetof(abi_invoked, value) == 8, "actions.invoke");
_Static_assert(sizeof(abi_invocation) == 16 && sizeof(abi_list) == 8, "batches.invoke-batch");
_Static_assert(sizeof(abi_polled) == 56 && sizeof(abi_received) == 56, "events");
_Static_assert(sizeof(abi_sent) == 32 && offsetof(abi_sent, value.error.value) == 16, "http.send");
_Static_assert(sizeof(abi_got) == 16 && sizeof(abi_set) == 16 && sizeof(abi_sum) == 24, "key-value");
_Static_assert(sizeof(abi_listed) == 24 && offsetof(abi_listed, value) == 4, "key-value.list");
#define ABI_IMPORT(interface, function) \
    __attribute__((import_module("sangam:connector/" interface "@0.1.0"), import_name(function))) extern
#else
#define ABI_IMPORT(interface, function) extern
#endif

ABI_IMPORT("http", "send")
void abi_http_send(const char *method, size_t method_len, const char *url, size_t url_len, const sangam_header *headers, size_t header_count,
    const char *body, size_t body_len, int32_t has_timeout, int64_t timeout_ms, int32_t has_name, const char *name, size_t name_len,
    int32_t read_only, abi_sent *sent);
ABI_IMPORT("http", "key") void abi_http_key(const char *name, size_t name_len, sangam_text *key);
ABI_IMPORT("key-value", "get") void abi_kv_get(const char *key, size_t key_len, abi_got *got);
ABI_IMPORT("key-value", "set")
void abi_kv_set(const char *key, size_t key_len, const char *value, size_t value_len, abi_set *set);
ABI_IMPORT("key-value", "delete") void abi_kv_delete(const char *key, size_t key_len, abi_set *set);
ABI_IMPORT("key-value", "increment") void abi_kv_increment(const char *key, size_t key_len, int64_t delta, abi_sum *sum);
ABI_IMPORT("key-value", "compare-and-swap")
void abi_kv_compare_and_swap(const char *key, size_t key_len, int32_t has_expected, const char *expected, size_t expected_len,
    const char *value, size_t value_len, abi_swapped *swapped);
ABI_IMPORT("key-value", "list")
void abi_kv_list(const char *prefix, size_t prefix_len, int32_t has_cursor, const char *cursor, size_t cursor_len, int32_t limit,
    abi_listed *listed);
ABI_IMPORT("log", "log")
void abi_log(int32_t level, const char *message, size_t message_len, const abi_pair *fields, size_t field_count);

/* Text that crosses the boundary has to be UTF-8, or the call traps: what is not comes out as U+FFFD. */
sangam_text sangam__utf8(sangam_text text);
/* As sangam_shown, but for so many characters. */
sangam_text sangam__shown(sangam_text value, size_t most);
/* Ends the call for a broken rule, and says in the log which. */
_Noreturn void sangam__broken(const char *rule);
/* The call is over: everything that sangam_alloc gave is free again. */
void sangam__reset(void);

/* Events on their way out: JSON texts of CloudEvents, and records set aside. */
typedef struct sangam_parcel {
    sangam_text *events;
    size_t event_count, event_room;
    abi_rejected_record *aside;
    size_t aside_count, aside_room;
} sangam_parcel;

void sangam__parcel_add(sangam_parcel *parcel, sangam_new_event event);
/* A failure of the SDK's own with a path. */
sangam_failure *sangam__misfit(const char *what, const char *path, sangam_text reason);
/* The text of a failure for the boundary. */
void sangam__lower_failure(const sangam_failure *failure, abi_failure *lowered);
/* JSON text of the plugin's descriptor. */
sangam_text sangam__descriptor(const sangam_plugin *plugin);
/* The failure for a request that got no answer: `to` is method and URL. */
sangam_text sangam__without_query(const char *method, sangam_text url);
/* Whether a request is one that writes, and says so as it must. */
sangam_failure *sangam__check_write(const sangam_request *request, sangam_text to);
/* Events that the action of this call has brought in. */
extern sangam_parcel sangam__emitted;

#endif
