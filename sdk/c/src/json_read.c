/* Reads JSON text, strictly (RFC 8259).
 *
 * Of our own, where a library would be the habit: yyjson, the field's choice, adds 70 to 100 KB to a component of 20 and takes four seconds
 * to compile; small ones (cJSON) lose digits, and tokenizers (jsmn) let through what is no JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "abi.h"

size_t sangam__character(const unsigned char *at, size_t left);

typedef struct reader {
    char *start;
    char *at;
    char *end;
    const char *wrong;
} reader;

static sangam_json *value(reader *r, unsigned depth);

static void space(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) r->at++;
}

static sangam_json *no(reader *r, const char *wrong) {
    if (!r->wrong) r->wrong = wrong;
    return NULL;
}

static bool word(reader *r, const char *expected) {
    size_t len = strlen(expected);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, expected, len) != 0) {
        no(r, "a value was expected");
        return false;
    }
    r->at += len;
    return true;
}

static int hex4(reader *r) {
    int code = 0;
    if (r->end - r->at < 4) return -1;
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return -1;
        code = code * 16 + digit;
    }
    return code;
}

/* What a \u stands for, a pair of surrogates included; -1 where it stands for nothing. */
static int32_t escaped(reader *r) {
    int high = hex4(r);
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high > 0xDBFF || r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u') return -1;
    r->at += 2;
    int low = hex4(r);
    return low < 0xDC00 || low > 0xDFFF ? -1 : 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static char *put_character(char *to, int32_t code) {
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *to++ = (char)(0xE0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    } else {
        *to++ = (char)(0xF0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3F));
        *to++ = (char)(0x80 | (code >> 6 & 0x3F));
        *to++ = (char)(0x80 | (code & 0x3F));
    }
    return to;
}

/* A string is unescaped where it stands, which never needs more room, and its NUL takes the place of the closing quote. */
static bool string(reader *r, sangam_text *text) {
    if (r->at >= r->end || *r->at != '"') {
        no(r, "a string was expected");
        return false;
    }
    char *start = ++r->at, *to = start;
    while (r->at < r->end) {
        unsigned char c = (unsigned char)*r->at;
        if (c == '"') {
            r->at++;
            *to = '\0';
            *text = (sangam_text){start, (size_t)(to - start)};
            return true;
        }
        if (c < 0x20) break;
        if (c != '\\') {
            size_t len = sangam__character((unsigned char *)r->at, (size_t)(r->end - r->at));
            if (len == 0) {
                no(r, "a string is not UTF-8");
                return false;
            }
            memmove(to, r->at, len);
            to += len;
            r->at += len;
            continue;
        }
        if (++r->at >= r->end) break;
        char kind = *r->at++;
        static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
        const char *simple = kind ? strchr(from, kind) : NULL;
        if (simple) {
            *to++ = into[simple - from];
        } else {
            int32_t code = kind == 'u' ? escaped(r) : -1;
            if (code < 0) {
                no(r, "a string has an escape that stands for nothing");
                return false;
            }
            to = put_character(to, code);
        }
    }
    no(r, r->at < r->end ? "a string has a control character in it" : "a string does not end");
    return false;
}

static bool digits(reader *r) {
    char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
    return r->at > start;
}

static sangam_json *number(reader *r) {
    char *start = r->at;
    if (*r->at == '-') r->at++;
    if (r->at < r->end && *r->at == '0') {
        r->at++;
    } else if (!digits(r)) {
        return no(r, "a value was expected");
    }
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        if (!digits(r)) return no(r, "a number has no digits after its point");
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
        if (!digits(r)) return no(r, "a number has no digits in its exponent");
    }
    sangam_json *made = sangam_alloc(sizeof *made);
    made->kind = SANGAM_NUMBER;
    made->text = sangam_copy(start, (size_t)(r->at - start)); /* what follows is still to be read: no room for its NUL */
    return made;
}

static void append(sangam_json *list, sangam_json *item) {
    if (list->last) {
        list->last->next = item;
    } else {
        list->first = item;
    }
    list->last = item;
}

static sangam_json *container(reader *r, unsigned depth, bool object) {
    if (depth == 0) return no(r, "it is nested too deeply");
    char close = object ? '}' : ']';
    sangam_json *made = sangam_alloc(sizeof *made);
    made->kind = object ? SANGAM_OBJECT : SANGAM_ARRAY;
    r->at++;
    space(r);
    if (r->at < r->end && *r->at == close) {
        r->at++;
        return made;
    }
    for (;;) {
        sangam_text key = {NULL, 0};
        space(r);
        if (object) {
            if (!string(r, &key)) return NULL;
            space(r);
            if (r->at >= r->end || *r->at != ':') return no(r, "a colon was expected");
            r->at++;
        }
        sangam_json *item = value(r, depth - 1);
        if (!item) return NULL;
        item->key = key;
        append(made, item);
        space(r);
        if (r->at >= r->end) return no(r, object ? "an object does not end" : "an array does not end");
        char c = *r->at++;
        if (c == close) return made;
        if (c != ',') {
            r->at--;
            return no(r, object ? "a comma or } was expected" : "a comma or ] was expected");
        }
    }
}

static sangam_json *value(reader *r, unsigned depth) {
    space(r);
    if (r->at >= r->end) return no(r, "it ends where a value was expected");
    char c = *r->at;
    if (c == '{' || c == '[') return container(r, depth, c == '{');
    if (c == '-' || (c >= '0' && c <= '9')) return number(r);
    sangam_json made = {.kind = SANGAM_NULL};
    if (c == '"') {
        made.kind = SANGAM_STRING;
        if (!string(r, &made.text)) return NULL;
    } else if (c == 't' || c == 'f') {
        made.kind = SANGAM_BOOLEAN;
        made.truth = c == 't';
        if (!word(r, made.truth ? "true" : "false")) return NULL;
    } else if (!word(r, "null")) {
        return NULL;
    }
    sangam_json *kept = sangam_alloc(sizeof *kept);
    *kept = made;
    return kept;
}

sangam_failure *sangam_json_read(sangam_text text, const char *what, const sangam_json **value_) {
    sangam_text copy = sangam_copy(text.ptr, text.len);
    reader r = {.start = (char *)copy.ptr, .at = (char *)copy.ptr, .end = (char *)copy.ptr + copy.len};
    *value_ = value(&r, SANGAM_JSON_DEPTH);
    if (*value_) {
        space(&r);
        if (r.at < r.end) no(&r, "something follows after its end");
    }
    if (!r.wrong) return SANGAM_OK;
    *value_ = NULL;
    return sangam_reject("%s is not JSON: %s at byte %zu", what, r.wrong, (size_t)(r.at - r.start));
}
