/* JSON values: looking into them, making them, writing them. */
#include <stdlib.h>
#include <string.h>

#include "abi.h"

sangam_kind sangam_json_kind(const sangam_json *value) { return value ? value->kind : SANGAM_NULL; }

bool sangam_json_is_null(const sangam_json *value) { return sangam_json_kind(value) == SANGAM_NULL; }

const sangam_json *sangam_json_get(const sangam_json *object, const char *key) {
    const sangam_json *found = NULL;
    if (sangam_json_kind(object) != SANGAM_OBJECT) return NULL;
    SANGAM_EACH(member, object) {
        if (sangam_text_is(member->key, key)) found = member; /* the last one counts */
    }
    return found;
}

size_t sangam_json_count(const sangam_json *value) {
    size_t count = 0;
    SANGAM_EACH(item, value) count++;
    return count;
}

sangam_text sangam_json_text(const sangam_json *value) {
    sangam_kind kind = sangam_json_kind(value);
    return kind == SANGAM_STRING || kind == SANGAM_NUMBER ? value->text : SANGAM_TEXT("");
}

bool sangam_json_is_true(const sangam_json *value) { return sangam_json_kind(value) == SANGAM_BOOLEAN && value->truth; }

/* The power of ten after the `e`, held within what can matter. */
static int64_t exponent(const char *at, const char *end) {
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    int64_t power = 0;
    for (; at < end && power < 1000000000; at++) power = power * 10 + (*at - '0');
    return negative ? -power : power;
}

bool sangam_json_to_integer(const sangam_json *value, int64_t *integer) {
    if (sangam_json_kind(value) != SANGAM_NUMBER) return false;
    const char *at = value->text.ptr, *end = at + value->text.len;
    bool negative = *at == '-';
    if (negative) at++;
    const char *mantissa_end = at;
    while (mantissa_end < end && *mantissa_end != 'e' && *mantissa_end != 'E') mantissa_end++;
    int64_t power = mantissa_end < end ? exponent(mantissa_end + 1, end) : 0;
    /* How many digits are left of the point once the exponent has moved it. */
    const char *point = memchr(at, '.', (size_t)(mantissa_end - at));
    int64_t whole = (int64_t)((point ? point : mantissa_end) - at) + power;
    uint64_t sum = 0;
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    int64_t position = 0;
    for (; at < mantissa_end; at++) {
        if (*at == '.') continue;
        unsigned digit = (unsigned)(*at - '0');
        if (position++ >= whole) {
            if (digit) return false; /* a fraction */
        } else {
            if (sum > (limit - digit) / 10) return false;
            sum = sum * 10 + digit;
        }
    }
    for (; sum && position < whole; position++) {
        if (sum > limit / 10) return false;
        sum *= 10;
    }
    *integer = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

static sangam_json *make(sangam_kind kind) {
    sangam_json *made = sangam_alloc(sizeof *made);
    made->kind = kind;
    return made;
}

sangam_json *sangam_json_null(void) { return make(SANGAM_NULL); }

sangam_json *sangam_json_boolean(bool truth) {
    sangam_json *made = make(SANGAM_BOOLEAN);
    made->truth = truth;
    return made;
}

sangam_json *sangam_json_integer(int64_t integer) {
    sangam_json *made = make(SANGAM_NUMBER);
    made->text = sangam_format("%lld", (long long)integer);
    return made;
}

sangam_json *sangam_json_number(sangam_text digits) {
    const sangam_json *read;
    if (sangam_json_read(digits, "a number", &read) || read->kind != SANGAM_NUMBER) sangam__broken("sangam_json_number was given digits that are no JSON number");
    sangam_json *made = make(SANGAM_NUMBER);
    made->text = read->text;
    return made;
}

sangam_json *sangam_json_string(sangam_text text) {
    if (!text.ptr) return sangam_json_null();
    sangam_json *made = make(SANGAM_STRING);
    made->text = text;
    return made;
}

sangam_json *sangam_json_array(void) { return make(SANGAM_ARRAY); }

sangam_json *sangam_json_object(void) { return make(SANGAM_OBJECT); }

/* A copy of the value's head, since a value may stand in several places. */
static sangam_json *beside(const sangam_json *value) {
    sangam_json *copy = make(SANGAM_NULL);
    if (value) *copy = *value;
    copy->next = NULL;
    copy->key = (sangam_text){NULL, 0};
    return copy;
}

static void append(sangam_json *list, sangam_json *item) {
    if (list->last) {
        list->last->next = item;
    } else {
        list->first = item;
    }
    list->last = item;
}

sangam_json *sangam_json_push(sangam_json *array, const sangam_json *item) {
    append(array, beside(item));
    return array;
}

sangam_json *sangam_json_set(sangam_json *object, const char *key, const sangam_json *value) {
    sangam_json *member = beside(value);
    member->key = sangam_text_of(key);
    for (sangam_json *present = object->first; present; present = present->next) {
        if (!sangam_text_is(present->key, key)) continue;
        member->next = present->next;
        *present = *member;
        return object;
    }
    append(object, member);
    return object;
}

/* Written twice: once to learn the length. */
typedef struct writer {
    char *to;
    size_t len;
} writer;

static void put(writer *w, const char *bytes, size_t len) {
    if (len > SIZE_MAX - 1 - w->len) abort();
    if (w->to && len) memcpy(w->to + w->len, bytes, len);
    w->len += len;
}

static void put_string(writer *w, sangam_text text) {
    static const char hex[] = "0123456789abcdef";
    text = sangam__utf8(text);
    put(w, "\"", 1);
    size_t from = 0;
    for (size_t at = 0; at < text.len; at++) {
        unsigned char c = (unsigned char)text.ptr[at];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        put(w, text.ptr + from, at - from);
        from = at + 1;
        const char *known = c ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", c) : NULL;
        if (known) {
            put(w, (char[]){'\\', known[1]}, 2);
        } else {
            put(w, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
        }
    }
    put(w, text.ptr + from, text.len - from);
    put(w, "\"", 1);
}

static void write_value(writer *w, const sangam_json *value, unsigned depth) {
    if (depth > 2 * SANGAM_JSON_DEPTH) sangam__broken("a JSON value is nested too deeply to be written, or within itself");
    switch (sangam_json_kind(value)) {
    case SANGAM_NULL: put(w, "null", 4); break;
    case SANGAM_BOOLEAN: put(w, value->truth ? "true" : "false", value->truth ? 4 : 5); break;
    case SANGAM_NUMBER: put(w, value->text.ptr, value->text.len); break;
    case SANGAM_STRING: put_string(w, value->text); break;
    case SANGAM_ARRAY:
    case SANGAM_OBJECT: {
        bool object = value->kind == SANGAM_OBJECT;
        put(w, object ? "{" : "[", 1);
        SANGAM_EACH(item, value) {
            if (item != value->first) put(w, ",", 1);
            if (object) {
                put_string(w, item->key);
                put(w, ":", 1);
            }
            write_value(w, item, depth + 1);
        }
        put(w, object ? "}" : "]", 1);
    }
    }
}

sangam_text sangam_json_write(const sangam_json *value) {
    writer w = {NULL, 0};
    write_value(&w, value, 0);
    w.to = sangam_alloc(w.len + 1);
    w.len = 0;
    write_value(&w, value, 0);
    return (sangam_text){w.to, w.len};
}
