/* Connector `payroll`: its records, and what its parts offer one another. */
#ifndef PAYROLL_H
#define PAYROLL_H

#include "sangam.h"

/* Minutes of a day. */
enum { DAY = 24 * 60 };

#define CONFIG(FIELD)                                                                                  \
    FIELD(text, base_url, "Origin that takes the files, such as https://payroll.example.com.", .key = "base-url", .min_length = 1) \
    FIELD(text, company, "Name of the company in the file's first line; at most 30 characters in ASCII.", .optional = true, .otherwise_text = "")
SANGAM_RECORD(config, CONFIG, NULL)

/* What one job adds to a day of one employee. */
#define ENTRY(FIELD)                                                            \
    FIELD(text, date, "The day.")                                               \
    FIELD(text, job_ref, "The job.")                                            \
    FIELD(integer, minutes, "Minutes worked.", SANGAM_RANGE(0, DAY))            \
    FIELD(integer, overtime_minutes, "How many of them are overtime.", SANGAM_RANGE(0, DAY), .optional = true)
SANGAM_RECORD(entry, ENTRY, "What one job adds to a day of one employee.")

/* What is kept for one employee and month, under `month/2026-11/REF`. */
#define MONTH(FIELD)                          \
    FIELD(text, employee_ref, "The employee.") \
    FIELD(records(entry), entries, "In the order of days and jobs.")
SANGAM_RECORD(month, MONTH, "The records of one employee and month.")

/* Dates: `2026-11-28` and `2026-11`. Rejected, by field name, where they are none. */
sangam_failure *check_date(const char *field, sangam_text date);
sangam_failure *check_period(const char *field, sangam_text period);
/* The month of a date that was checked. */
sangam_text period_of(sangam_text date);

/* The text in ASCII: `Jürgen Straßer` becomes `Juergen Strasser`. Rejected, by field name, where a character has no equivalent. */
sangam_failure *to_ascii(const char *field, sangam_text text, sangam_text *ascii);

/* The month of one employee; one without entries if nothing is kept. */
sangam_failure *load_month(sangam_text period, sangam_text employee_ref, const month **found);
/* All months of a period that are kept. */
sangam_failure *load_period(sangam_text period, month_list *months);
/* The month with this entry in place of the one of its day and job, which is given too (NULL: there was none); without `added` that one is taken out. */
const month *with_entry(const month *before, sangam_text date, sangam_text job_ref, const entry *added, const entry **replaced);
sangam_failure *keep_month(sangam_text period, const month *kept);

/* The file, as its README describes it, and its sums. */
typedef struct payroll_file {
    sangam_text bytes;
    int64_t lines;
    int64_t minutes;
    int64_t overtime_minutes;
} payroll_file;

/* Makes the file. Rejected, by field name, where something does not fit. */
sangam_failure *make_file(sangam_text company, sangam_text period, const month_list *months, payroll_file *file);

/* Widths of the file, which inputs are checked against at once. */
enum { EMPLOYEE_WIDTH = 10, COMPANY_WIDTH = 30 };

#endif
