/* Formatting as printf does it, without floating point.
 *
 * Of our own, since the C library's brings 25 KB, files and with them WASI into a component that has no files.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"

typedef struct output {
    char *to; /* NULL: only the length is wanted */
    size_t len;
} output;

static void put(output *out, const char *bytes, size_t len) {
    if (len > SIZE_MAX / 2 - out->len) abort();
    if (out->to && len) memcpy(out->to + out->len, bytes, len);
    out->len += len;
}

static void fill(output *out, char with, size_t count) {
    if (count > SIZE_MAX / 2 - out->len) abort();
    if (out->to && count) memset(out->to + out->len, with, count);
    out->len += count;
}

typedef struct directive {
    bool left, zero, plus, space, alternate;
    size_t width;
    bool has_precision;
    size_t precision;
    enum { CHAR, SHORT, INT, LONG, LONG_LONG, SIZE, INTMAX, PTRDIFF } size;
} directive;

static size_t number(const char **at) {
    size_t value = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        if (value < 100000000) value = value * 10 + (size_t)(**at - '0');
    }
    return value;
}

static uintmax_t unsigned_of(const directive *d, va_list *arguments) {
    switch (d->size) {
    case CHAR: return (unsigned char)va_arg(*arguments, unsigned);
    case SHORT: return (unsigned short)va_arg(*arguments, unsigned);
    case LONG: return va_arg(*arguments, unsigned long);
    case LONG_LONG: return va_arg(*arguments, unsigned long long);
    case SIZE:
    case PTRDIFF: return va_arg(*arguments, size_t);
    case INTMAX: return va_arg(*arguments, uintmax_t);
    default: return va_arg(*arguments, unsigned);
    }
}

static intmax_t signed_of(const directive *d, va_list *arguments) {
    switch (d->size) {
    case CHAR: return (signed char)va_arg(*arguments, int);
    case SHORT: return (short)va_arg(*arguments, int);
    case LONG: return va_arg(*arguments, long);
    case LONG_LONG: return va_arg(*arguments, long long);
    case SIZE:
    case PTRDIFF: return va_arg(*arguments, ptrdiff_t);
    case INTMAX: return va_arg(*arguments, intmax_t);
    default: return va_arg(*arguments, int);
    }
}

static void padded(output *out, const directive *d, const char *prefix, const char *bytes, size_t len, size_t zeros) {
    size_t total = strlen(prefix) + zeros + len, padding = d->width > total ? d->width - total : 0;
    if (!d->left) fill(out, ' ', padding);
    put(out, prefix, strlen(prefix));
    fill(out, '0', zeros);
    put(out, bytes, len);
    if (d->left) fill(out, ' ', padding);
}

static void integer(output *out, const directive *d, uintmax_t value, const char *prefix, unsigned base, bool upper) {
    char digits[3 * sizeof value + 1];
    size_t len = 0;
    for (; value; value /= base) digits[sizeof digits - ++len] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[value % base];
    size_t least = d->has_precision ? d->precision : 1, zeros = least > len ? least - len : 0;
    if (d->zero && !d->left && !d->has_precision && d->width > strlen(prefix) + len + zeros) zeros = d->width - strlen(prefix) - len;
    padded(out, d, prefix, digits + sizeof digits - len, len, zeros);
}

static const char *flags_of(directive *d, const char *at) {
    for (;; at++) {
        if (*at == '-') d->left = true;
        else if (*at == '0') d->zero = true;
        else if (*at == '+') d->plus = true;
        else if (*at == ' ') d->space = true;
        else if (*at == '#') d->alternate = true;
        else return at;
    }
}

static const char *size_of(directive *d, const char *at) {
    d->size = INT;
    if (*at == 'h') {
        d->size = at[1] == 'h' ? CHAR : SHORT;
        return at + (at[1] == 'h' ? 2 : 1);
    }
    if (*at == 'l') {
        d->size = at[1] == 'l' ? LONG_LONG : LONG;
        return at + (at[1] == 'l' ? 2 : 1);
    }
    if (*at == 'z') d->size = SIZE;
    else if (*at == 'j') d->size = INTMAX;
    else if (*at == 't') d->size = PTRDIFF;
    else return at;
    return at + 1;
}

static void convert(output *out, directive *d, char kind, va_list *arguments) {
    switch (kind) {
    case '%': put(out, "%", 1); break;
    case 'c': {
        char c = (char)va_arg(*arguments, int);
        padded(out, d, "", &c, 1, 0);
        break;
    }
    case 's': {
        const char *words = va_arg(*arguments, const char *);
        if (!words) words = "(none)";
        size_t len = 0;
        while ((!d->has_precision || len < d->precision) && words[len]) len++;
        padded(out, d, "", words, len, 0);
        break;
    }
    case 'd':
    case 'i': {
        intmax_t value = signed_of(d, arguments);
        const char *sign = value < 0 ? "-" : d->plus ? "+" : d->space ? " " : "";
        integer(out, d, value < 0 ? 0 - (uintmax_t)value : (uintmax_t)value, sign, 10, false);
        break;
    }
    case 'u': integer(out, d, unsigned_of(d, arguments), "", 10, false); break;
    case 'o': integer(out, d, unsigned_of(d, arguments), "", 8, false); break;
    case 'x':
    case 'X': {
        uintmax_t value = unsigned_of(d, arguments);
        integer(out, d, value, d->alternate && value ? (kind == 'x' ? "0x" : "0X") : "", 16, kind == 'X');
        break;
    }
    case 'p': integer(out, d, (uintmax_t)(uintptr_t)va_arg(*arguments, void *), "0x", 16, false); break;
    default: sangam__broken("sangam_format knows no floating point and no %n: count in integers"); /* said in sangam/text.h */
    }
}

static void format_to(output *out, const char *at, va_list *arguments) {
    while (*at) {
        size_t plain = strcspn(at, "%");
        put(out, at, plain);
        at += plain;
        if (!*at) break;
        directive d = {.left = false};
        at = flags_of(&d, at + 1);
        if (*at == '*') {
            int width = va_arg(*arguments, int);
            d.left |= width < 0;
            d.width = width < 0 ? 0u - (unsigned)width : (unsigned)width;
            at++;
        } else {
            d.width = number(&at);
        }
        if (*at == '.') {
            at++;
            int precision = -1;
            d.has_precision = true;
            if (*at == '*') {
                precision = va_arg(*arguments, int);
                at++;
                d.has_precision = precision >= 0;
                d.precision = precision < 0 ? 0 : (size_t)precision;
            } else {
                d.precision = number(&at);
            }
        }
        at = size_of(&d, at);
        convert(out, &d, *at, arguments);
        at++;
    }
}

sangam_text sangam__format(const char *format, va_list arguments) {
    va_list first, second;
    va_copy(first, arguments);
    va_copy(second, arguments);
    output out = {NULL, 0};
    format_to(&out, format, &first);
    out.to = sangam_alloc(out.len + 1);
    out.len = 0;
    format_to(&out, format, &second);
    va_end(first);
    va_end(second);
    return (sangam_text){out.to, out.len};
}

sangam_text sangam_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    sangam_text text = sangam__format(format, arguments);
    va_end(arguments);
    return text;
}
