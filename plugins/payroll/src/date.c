/* Dates of the Gregorian calendar, as text. */
#include "payroll.h"

/* `len` digits as a number; -1 where they are none. */
static int digits(const char *at, size_t len) {
    int number = 0;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9') return -1;
        number = number * 10 + (at[i] - '0');
    }
    return number;
}

static bool is_period(sangam_text text) {
    if (text.len != 7 || text.ptr[4] != '-') return false;
    int month = digits(text.ptr + 5, 2);
    return digits(text.ptr, 4) >= 0 && month >= 1 && month <= 12;
}

static int days_of(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

sangam_failure *check_period(const char *field, sangam_text period) {
    if (is_period(period)) return SANGAM_OK;
    return sangam_reject("%s: `%s` is no month such as 2026-11", field, sangam_shown(period).ptr);
}

sangam_failure *check_date(const char *field, sangam_text date) {
    bool shape = date.len == 10 && date.ptr[7] == '-' && is_period((sangam_text){date.ptr, 7});
    int day = shape ? digits(date.ptr + 8, 2) : -1;
    if (day >= 1 && day <= days_of(digits(date.ptr, 4), digits(date.ptr + 5, 2))) return SANGAM_OK;
    return sangam_reject("%s: `%s` is no day such as 2026-11-28", field, sangam_shown(date).ptr);
}

sangam_text period_of(sangam_text date) { return sangam_copy(date.ptr, 7); }
