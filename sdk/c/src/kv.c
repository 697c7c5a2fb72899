/* Key-value and log: what the host offers beside HTTP. */
#include <stdlib.h>
#include <string.h>

#include "abi.h"

static sangam_failure *failed(sangam_text key, const abi_kv_error *error) {
    const char *name = sangam_shown(key).ptr, *why = sangam_copy(error->why.ptr, error->why.len).ptr;
    switch (error->tag) {
    case ABI_NOT_CLAIMED: return sangam_reject("key `%s` was first read after a write: read all keys before", name);
    case ABI_TOO_LARGE: return sangam_reject("key `%s` or its value is too large: %s", name, why);
    case ABI_FULL: return sangam_reject("key `%s`: the plugin's space is full (`key-value-size`): %s", name, why);
    case ABI_INVALID: return sangam_reject("key `%s`: %s", name, why);
    default: return sangam_retry("key `%s`: %s", name, why);
    }
}

sangam_failure *sangam_kv_get(sangam_text key, sangam_text *value) {
    abi_got got;
    memset(&got, 0, sizeof got);
    *value = (sangam_text){NULL, 0};
    key = sangam__utf8(key);
    abi_kv_get(key.ptr, key.len, &got);
    if (got.failed) return failed(key, &got.value.error);
    if (got.value.value.some) *value = sangam_copy(got.value.value.text.ptr, got.value.value.text.len);
    return SANGAM_OK;
}

sangam_failure *sangam_kv_get_record(const sangam_type *type, sangam_text key, void **record) {
    sangam_text value;
    *record = NULL;
    SANGAM_TRY(sangam_kv_get(key, &value));
    if (!value.ptr) return SANGAM_OK;
    return sangam_decode(type, value, sangam_format("key `%s`", sangam_shown(key).ptr).ptr, record);
}

sangam_failure *sangam_kv_set(sangam_text key, sangam_text value) {
    abi_set set;
    memset(&set, 0, sizeof set);
    key = sangam__utf8(key);
    abi_kv_set(key.ptr, key.len, value.ptr, value.len, &set);
    return set.failed ? failed(key, &set.error) : SANGAM_OK;
}

sangam_failure *sangam_kv_delete(sangam_text key) {
    abi_set set;
    memset(&set, 0, sizeof set);
    key = sangam__utf8(key);
    abi_kv_delete(key.ptr, key.len, &set);
    return set.failed ? failed(key, &set.error) : SANGAM_OK;
}

sangam_failure *sangam_kv_increment(sangam_text key, int64_t delta, int64_t *sum) {
    abi_sum made;
    memset(&made, 0, sizeof made);
    key = sangam__utf8(key);
    abi_kv_increment(key.ptr, key.len, delta, &made);
    if (made.failed) return failed(key, &made.value.error);
    *sum = made.value.sum;
    return SANGAM_OK;
}

sangam_failure *sangam_kv_compare_and_swap(sangam_text key, sangam_text expected, sangam_text value, bool *done) {
    abi_swapped swapped;
    memset(&swapped, 0, sizeof swapped);
    key = sangam__utf8(key);
    abi_kv_compare_and_swap(key.ptr, key.len, expected.ptr != NULL, expected.ptr, expected.len, value.ptr, value.len, &swapped);
    if (swapped.failed) return failed(key, &swapped.value.error);
    *done = swapped.value.done;
    return SANGAM_OK;
}

sangam_failure *sangam_kv_list(sangam_text prefix, sangam_text cursor, uint32_t limit, sangam_text_list *keys, sangam_text *next) {
    abi_listed listed;
    memset(&listed, 0, sizeof listed);
    prefix = sangam__utf8(prefix);
    cursor = sangam__utf8(cursor);
    abi_kv_list(prefix.ptr, prefix.len, cursor.ptr != NULL, cursor.ptr, cursor.len, (int32_t)limit, &listed);
    if (listed.failed) return failed(prefix, &listed.value.error);
    *keys = (sangam_text_list){listed.value.keys.keys.ptr, listed.value.keys.keys.len};
    *next = listed.value.keys.next_cursor.some ? listed.value.keys.next_cursor.text : (sangam_text){NULL, 0};
    return SANGAM_OK;
}

void sangam_log(sangam_level level, const char *const *words, size_t count) {
    size_t fields = count > 1 ? count / 2 : 0;
    abi_pair *pairs = sangam_alloc_array(fields, sizeof *pairs);
    for (size_t i = 0; i < fields; i++) {
        size_t value = 2 * i + 2;
        pairs[i].name = sangam__utf8(sangam_text_of(words[value - 1] ? words[value - 1] : ""));
        pairs[i].value = sangam__utf8(sangam_text_of(value < count && words[value] ? words[value] : ""));
    }
    sangam_text message = sangam__utf8(sangam_text_of(count && words[0] ? words[0] : ""));
    abi_log((int32_t)level, message.ptr, message.len, pairs, fields);
}

_Noreturn void sangam__broken(const char *rule) {
    abi_log(SANGAM_LOG_ERROR, rule, strlen(rule), NULL, 0);
    abort();
}
