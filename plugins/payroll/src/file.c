/* The file: lines of fixed width. Its layout is in README.md; each field is written here by the place it has there. */
#include <stdlib.h>
#include <string.h>

#include "payroll.h"

enum { WIDTH = 40, LINE = WIDTH + 2 }; /* with CR and LF */

/* A field of a line: its name for failures, and its columns, counted from 1. */
typedef struct column {
    const char *name;
    size_t from;
    size_t to;
} column;

static const column PERIOD = {"period", 2, 7}, COMPANY = {"company", 8, 37};
static const column EMPLOYEE = {"employee_ref", 2, 11}, DATE = {"date", 12, 19}, MINUTES = {"minutes", 20, 24}, OVERTIME = {"overtime_minutes", 25, 29},
                    JOBS = {"jobs of one day", 30, 32};
static const column LINES = {"lines", 2, 8}, MINUTES_SUM = {"sum of minutes", 9, 18}, OVERTIME_SUM = {"sum of overtime_minutes", 19, 28};

_Static_assert(EMPLOYEE_WIDTH == 11 - 2 + 1 && COMPANY_WIDTH == 37 - 8 + 1, "inputs are checked against the same widths");

/* What the file says of one employee and day. */
typedef struct day {
    sangam_text employee; /* in ASCII */
    sangam_text employee_ref;
    sangam_text date;
    int64_t minutes;
    int64_t overtime_minutes;
    int64_t jobs;
} day;

static void begin(char *line, char kind) {
    memset(line, ' ', WIDTH);
    line[0] = kind;
    line[WIDTH] = '\r';
    line[WIDTH + 1] = '\n';
}

/* Text from the left; what is left over stays blank. */
static sangam_failure *put_text(char *line, column column, sangam_text text) {
    size_t width = column.to - column.from + 1;
    if (text.len > width) return sangam_reject("%s: `%s` has %zu characters in ASCII; the file has room for %zu", column.name, sangam_shown(text).ptr, text.len, width);
    if (text.len) memcpy(line + column.from - 1, text.ptr, text.len);
    return SANGAM_OK;
}

/* A number from the right, with zeros before it. */
static sangam_failure *put_number(char *line, column column, int64_t number) {
    size_t width = column.to - column.from + 1;
    sangam_text digits = sangam_format("%0*lld", (int)width, (long long)number);
    if (number < 0 || digits.len > width) {
        return sangam_reject("%s: %lld does not fit into %zu digits", column.name, (long long)number, width);
    }
    return put_text(line, column, digits);
}

/* `2026-11-28` as `20261128`. */
static sangam_text bare(sangam_text date) {
    char *digits = sangam_alloc(date.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < date.len; i++) {
        if (date.ptr[i] != '-') digits[len++] = date.ptr[i];
    }
    return (sangam_text){digits, len};
}

static int by_employee_and_day(const void *a, const void *b) {
    const day *left = a, *right = b;
    int employees = sangam_text_compare(left->employee, right->employee);
    int days = employees ? employees : sangam_text_compare(left->date, right->date);
    return days ? days : sangam_text_compare(left->employee_ref, right->employee_ref);
}

/* Adds the entries of one month up, day by day. The entries are in the order of their days. */
static sangam_failure *add_month(const month *month, sangam_text period, day *days, size_t *count) {
    sangam_text employee;
    SANGAM_TRY(to_ascii(EMPLOYEE.name, month->employee_ref, &employee));
    day *present = NULL;
    for (size_t i = 0; i < month->entries.count; i++) {
        const entry *entry = &month->entries.items[i];
        SANGAM_TRY(check_date(DATE.name, entry->date));
        if (!sangam_text_starts(entry->date, period.ptr)) return sangam_reject("date: %s is kept under %s", entry->date.ptr, period.ptr);
        if (!present || !sangam_text_equal(present->date, entry->date)) {
            present = &days[(*count)++];
            *present = (day){.employee = employee, .employee_ref = month->employee_ref, .date = entry->date};
        }
        present->minutes += entry->minutes; /* at most DAY each, and checked below: no overflow */
        present->overtime_minutes += entry->overtime_minutes;
        present->jobs++;
        if (present->minutes > DAY) {
            return sangam_reject("minutes: the jobs of employee %s on %s come to %lld minutes, and a day has %d", month->employee_ref.ptr,
                entry->date.ptr, (long long)present->minutes, DAY);
        }
    }
    return SANGAM_OK;
}

/* The days of all months, in the order of the file. */
static sangam_failure *days_of(const month_list *months, sangam_text period, day **days, size_t *count) {
    size_t most = 0;
    for (size_t i = 0; i < months->count; i++) most += months->items[i].entries.count;
    *days = sangam_alloc_array(most, sizeof **days);
    *count = 0;
    for (size_t i = 0; i < months->count; i++) SANGAM_TRY(add_month(&months->items[i], period, *days, count));
    if (*count) qsort(*days, *count, sizeof **days, by_employee_and_day);
    for (size_t i = 1; i < *count; i++) {
        const day *before = &(*days)[i - 1], *after = &(*days)[i];
        bool same = sangam_text_equal(before->employee, after->employee) && !sangam_text_equal(before->employee_ref, after->employee_ref);
        if (same) {
            return sangam_reject("employee_ref: `%s` and `%s` are both `%s` in ASCII; the file could not tell them apart", before->employee_ref.ptr,
                after->employee_ref.ptr, after->employee.ptr);
        }
    }
    return SANGAM_OK;
}

static sangam_failure *put_day(char *line, const day *day) {
    begin(line, 'D');
    SANGAM_TRY(put_text(line, EMPLOYEE, day->employee));
    SANGAM_TRY(put_text(line, DATE, bare(day->date)));
    SANGAM_TRY(put_number(line, MINUTES, day->minutes));
    SANGAM_TRY(put_number(line, OVERTIME, day->overtime_minutes));
    return put_number(line, JOBS, day->jobs);
}

sangam_failure *make_file(sangam_text company, sangam_text period, const month_list *months, payroll_file *file) {
    day *days;
    size_t count;
    sangam_text company_ascii;
    SANGAM_TRY(to_ascii(COMPANY.name, company, &company_ascii));
    SANGAM_TRY(days_of(months, period, &days, &count));
    if (count == 0) return sangam_reject("period: nothing is recorded for %s", period.ptr);
    char *bytes = sangam_alloc_array(count + 2, LINE), *line = bytes;
    *file = (payroll_file){.lines = (int64_t)count};
    begin(line, 'H');
    SANGAM_TRY(put_text(line, PERIOD, bare(period)));
    SANGAM_TRY(put_text(line, COMPANY, company_ascii));
    for (size_t i = 0; i < count; i++) {
        line += LINE;
        SANGAM_TRY(put_day(line, &days[i]));
        file->minutes += days[i].minutes; /* DAY at most, and lines fit into memory: no overflow */
        file->overtime_minutes += days[i].overtime_minutes;
    }
    line += LINE;
    begin(line, 'T');
    SANGAM_TRY(put_number(line, LINES, file->lines));
    SANGAM_TRY(put_number(line, MINUTES_SUM, file->minutes));
    SANGAM_TRY(put_number(line, OVERTIME_SUM, file->overtime_minutes));
    file->bytes = (sangam_text){bytes, (count + 2) * LINE};
    return SANGAM_OK;
}
