/* Texts: copying, comparing, encoding. */
#include <stdlib.h>
#include <string.h>

#include "abi.h"

sangam_text sangam_text_of(const char *words) { return (sangam_text){words, words ? strlen(words) : 0}; }

sangam_text sangam_copy(const char *ptr, size_t len) {
    if (len == SIZE_MAX) abort();
    char *copy = sangam_alloc(len + 1);
    if (len) memcpy(copy, ptr, len);
    return (sangam_text){copy, len};
}

bool sangam_text_is(sangam_text text, const char *words) { return text.ptr && sangam_text_equal(text, sangam_text_of(words)); }

bool sangam_text_equal(sangam_text a, sangam_text b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }

bool sangam_text_starts(sangam_text text, const char *words) {
    size_t len = strlen(words);
    return text.len >= len && (len == 0 || memcmp(text.ptr, words, len) == 0);
}

bool sangam_text_contains(sangam_text text, const char *words) {
    size_t len = strlen(words);
    for (size_t at = 0; len <= text.len && at <= text.len - len; at++) {
        if (len == 0 || memcmp(text.ptr + at, words, len) == 0) return true;
    }
    return false;
}

int sangam_text_compare(sangam_text a, sangam_text b) {
    size_t least = a.len < b.len ? a.len : b.len;
    int order = least ? memcmp(a.ptr, b.ptr, least) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

size_t sangam_text_characters(sangam_text text) {
    size_t count = 0;
    for (size_t at = 0; at < text.len; at++) count += ((unsigned char)text.ptr[at] & 0xC0) != 0x80;
    return count;
}

sangam_text sangam_encode(sangam_text segment) {
    static const char hex[] = "0123456789ABCDEF";
    if (segment.len > SIZE_MAX / 4) abort();
    char *text = sangam_alloc(segment.len * 3 + 1);
    size_t len = 0;
    for (size_t at = 0; at < segment.len; at++) {
        unsigned char c = (unsigned char)segment.ptr[at];
        bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
        if (unreserved) {
            text[len++] = (char)c;
        } else {
            text[len++] = '%';
            text[len++] = hex[c >> 4];
            text[len++] = hex[c & 15];
        }
    }
    return (sangam_text){text, len};
}

/* How many bytes the character at the start has; 0 where it is no UTF-8 (overlong, surrogate, beyond U+10FFFF, cut off). */
size_t sangam__character(const unsigned char *at, size_t left) {
    unsigned char c = at[0];
    if (c < 0x80) return 1;
    size_t len = c >= 0xC2 && c <= 0xDF ? 2 : (c & 0xF0) == 0xE0 ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
    if (len == 0 || len > left) return 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
    }
    bool wrong = (c == 0xE0 && at[1] < 0xA0) || (c == 0xED && at[1] > 0x9F) || (c == 0xF0 && at[1] < 0x90) || (c == 0xF4 && at[1] > 0x8F);
    return wrong ? 0 : len;
}

sangam_text sangam__utf8(sangam_text text) {
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    size_t at = 0, wrong = 0;
    while (at < text.len) {
        size_t len = sangam__character(bytes + at, text.len - at);
        wrong += len == 0;
        at += len ? len : 1;
    }
    if (!wrong) return text;
    if (wrong > (SIZE_MAX - text.len - 1) / 2) abort();
    char *mended = sangam_alloc(text.len + 2 * wrong + 1);
    size_t made = 0;
    for (at = 0; at < text.len;) {
        size_t len = sangam__character(bytes + at, text.len - at);
        memcpy(mended + made, len ? text.ptr + at : "\xEF\xBF\xBD", len ? len : 3);
        made += len ? len : 3;
        at += len ? len : 1;
    }
    return (sangam_text){mended, made};
}

/* Controls, and marks that turn the direction of writing or have no width. */
static bool hidden(uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF;
}

sangam_text sangam_shown(sangam_text value) { return sangam__shown(value, 80); }

sangam_text sangam__shown(sangam_text value, size_t most) {
    enum { LONGEST = 6 }; /* of `\u200b` */
    sangam_text text = sangam__utf8(value);
    if (most > text.len) most = text.len;
    char *shown = sangam_alloc_array(most + 1, LONGEST);
    size_t made = 0, at = 0, len = 0;
    for (size_t count = 0; at < text.len && count < most; at += len, count++) {
        const unsigned char *from = (const unsigned char *)text.ptr + at;
        len = sangam__character(from, text.len - at);
        uint32_t code = len == 1 ? from[0] : len == 2 ? (from[0] & 0x1Fu) << 6 | (from[1] & 0x3Fu) : len == 3 ? (from[0] & 0x0Fu) << 12 | (from[1] & 0x3Fu) << 6 | (from[2] & 0x3Fu) : 0x10000;
        if (hidden(code)) {
            const char *escape = code == '\n' ? "\\n" : code == '\t' ? "\\t" : code == '\r' ? "\\r" : sangam_format("\\u%04x", (unsigned)code).ptr;
            size_t escape_len = strlen(escape);
            memcpy(shown + made, escape, escape_len);
            made += escape_len;
        } else {
            memcpy(shown + made, from, len);
            made += len;
        }
    }
    if (at < text.len) {
        memcpy(shown + made, "…", sizeof "…" - 1);
        made += sizeof "…" - 1;
    }
    return (sangam_text){shown, made};
}
