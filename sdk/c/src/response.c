/* Answers: whether they are successes, and what they ask for. */
#include <string.h>

#include "abi.h"

/* How much of a body a failure quotes. */
enum { EXCERPT_BYTES = 2048 };

bool sangam_is_success(const sangam_response *response) { return response->status >= 200 && response->status < 300; }

sangam_failure *sangam_ok(const sangam_response *response) {
    if (sangam_is_success(response)) return SANGAM_OK;
    int status = response->status;
    const char *to = response->to.ptr;
    sangam_failure *failure = status == 401   ? sangam_unauthorized("%s answered %d", to, status)
                              : status == 429 ? sangam_rate_limited("%s answered %d", to, status)
                              : status == 408 || status == 425 || status >= 500 ? sangam_retry("%s answered %d", to, status)
                                                                                : sangam_reject("%s answered %d", to, status);
    return sangam_with_answer(failure, response);
}

sangam_failure *sangam_response_json(const sangam_response *response, const sangam_json **value) {
    sangam_failure *failure = sangam_json_read(response->body, sangam_format("the answer of %s: body", response->to.ptr).ptr, value);
    return failure ? sangam_with_answer(failure, response) : SANGAM_OK;
}

sangam_failure *sangam_answer(const sangam_type *type, const sangam_response *response, void **record) {
    sangam_failure *failure = sangam_decode(type, response->body, sangam_format("the answer of %s: body", response->to.ptr).ptr, record);
    return failure ? sangam_with_answer(failure, response) : SANGAM_OK;
}

static sangam_text excerpt(sangam_text body) {
    if (body.len <= EXCERPT_BYTES) return sangam__utf8(body);
    size_t len = EXCERPT_BYTES;
    while (len > EXCERPT_BYTES - 3 && ((unsigned char)body.ptr[len] & 0xC0) == 0x80) len--; /* not within a character */
    return sangam_format("%s…", sangam__utf8(sangam_copy(body.ptr, len)).ptr);
}

sangam_failure *sangam_with_answer(sangam_failure *failure, const sangam_response *response) {
    uint64_t after;
    if (!failure->has_after && sangam_retry_after(response, &after)) sangam_after(failure, after);
    sangam_json *details = sangam_json_set(sangam_json_object(), "status", sangam_json_integer(response->status));
    return sangam_details(failure, sangam_json_set(details, "body", sangam_json_string(excerpt(response->body))));
}

/* `len` digits as a number; -1 where they are none. */
static int64_t digits(const char *at, size_t len) {
    int64_t number = 0;
    if (len == 0 || len > 12) return -1;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9') return -1;
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

/* Days from 1970-01-01 of the proleptic Gregorian calendar (H. Hinnant, chrono-compatible low-level date algorithms). */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Seconds since 1970 of an IMF-fixdate (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`. */
static bool http_date(sangam_text text, int64_t *seconds) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (text.len != 29 || memcmp(text.ptr + 25, " GMT", 4) != 0) return false;
    int64_t month = 0;
    while (month < 12 && memcmp(months + 3 * month, text.ptr + 8, 3) != 0) month++;
    int64_t day = digits(text.ptr + 5, 2), year = digits(text.ptr + 12, 4), hour = digits(text.ptr + 17, 2), minute = digits(text.ptr + 20, 2),
            second = digits(text.ptr + 23, 2);
    if (month == 12 || day < 1 || day > 31 || year < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0) return false;
    *seconds = days_from_civil(year, month + 1, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

static sangam_text trimmed(sangam_text text) {
    while (text.len && (*text.ptr == ' ' || *text.ptr == '\t')) text = (sangam_text){text.ptr + 1, text.len - 1};
    while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) text.len--;
    return text;
}

bool sangam_retry_after(const sangam_response *response, uint64_t *milliseconds) {
    sangam_text value = trimmed(sangam_response_header(response, "retry-after"));
    int64_t seconds = digits(value.ptr, value.len), now;
    if (seconds < 0) {
        /* Against the system's own clock, since the plugin's shows the time of the first attempt. */
        if (!http_date(value, &seconds) || !http_date(trimmed(sangam_response_header(response, "date")), &now)) return false;
        seconds = seconds > now ? seconds - now : 0;
    }
    *milliseconds = (uint64_t)seconds * 1000;
    return true;
}
