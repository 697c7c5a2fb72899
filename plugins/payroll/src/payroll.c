/* Connector `payroll`: hours become a fixed-width file for a payroll office that takes nothing else. */
#include "payroll.h"

// ANCHOR: record
#define ADD_RECORD(FIELD)                                                                                                     \
    FIELD(text, employee_ref, "The employee's number or name; at most 10 characters in ASCII.", .min_length = 1, .subject = true, .personal = true) \
    FIELD(text, date, "The day, such as 2026-11-28.", .pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")                              \
    FIELD(integer, minutes, "Minutes worked.", SANGAM_RANGE(0, DAY))                                                          \
    FIELD(integer, overtime_minutes, "How many of them are overtime.", SANGAM_RANGE(0, DAY), .optional = true)                \
    FIELD(text, job_ref, "The job; a second record for the same employee, day and job replaces the first.", .min_length = 1)
SANGAM_RECORD(add_record, ADD_RECORD, "Keeps what a job adds to an employee's day, for the file of its month.")
// ANCHOR_END: record

#define ADDED(FIELD)                                                                                         \
    FIELD(text, period, "The month whose file will hold it.")                                                \
    FIELD(integer, day_minutes, "The employee's minutes of that day, all jobs together.")                    \
    FIELD(integer, day_overtime_minutes, "Their overtime.")                                                  \
    FIELD(record(entry), replaced, "The record that was there before.", .optional = true)
SANGAM_RECORD(added, ADDED, NULL)
SANGAM_UNDO(undo_add_record, add_record, added)

#define WRITE_FILE(FIELD) FIELD(text, period, "The month, such as 2026-11.", .pattern = "^[0-9]{4}-[0-9]{2}$")
SANGAM_RECORD(write_file, WRITE_FILE, "Makes the file of a month and sends it, in place of one sent before.")

#define WRITTEN(FIELD)                                          \
    FIELD(text, file, "Its name.")                              \
    FIELD(integer, lines, "One for each employee and day.")     \
    FIELD(integer, minutes, "Their sum.")                       \
    FIELD(integer, overtime_minutes, "Their sum.")              \
    FIELD(integer, bytes, "Length of the file.")
SANGAM_RECORD(written, WRITTEN, NULL)
SANGAM_UNDO(undo_write_file, write_file, written)

/* The one write of `write-file`. */
#define FILE_WRITE "file"

static sangam_failure *check_width(const char *field, sangam_text text, size_t width) {
    sangam_text ascii;
    SANGAM_TRY(to_ascii(field, text, &ascii));
    if (ascii.len <= width) return SANGAM_OK;
    return sangam_reject("%s: `%s` has %zu characters in ASCII; the file has room for %zu", field, sangam_shown(text).ptr, ascii.len, width);
}

// ANCHOR: add
static sangam_failure *do_add_record(const sangam_call *call, const add_record *input, added *output) {
    (void)call;
    SANGAM_TRY(check_date("date", input->date));
    SANGAM_TRY(check_width("employee_ref", input->employee_ref, EMPLOYEE_WIDTH));
    if (input->overtime_minutes > input->minutes) {
        return sangam_reject("overtime_minutes: %lld of %lld minutes can't be overtime", (long long)input->overtime_minutes, (long long)input->minutes);
    }
    const entry added = {.date = input->date, .job_ref = input->job_ref, .minutes = input->minutes, .overtime_minutes = input->overtime_minutes};
    sangam_text period = period_of(input->date);
    const month *kept;
    SANGAM_TRY(load_month(period, input->employee_ref, &kept));
    kept = with_entry(kept, input->date, input->job_ref, &added, &output->replaced);
    for (size_t i = 0; i < kept->entries.count; i++) {
        const entry *entry = &kept->entries.items[i];
        if (!sangam_text_equal(entry->date, input->date)) continue;
        output->day_minutes += entry->minutes;
        output->day_overtime_minutes += entry->overtime_minutes;
    }
    if (output->day_minutes > DAY) {
        return sangam_reject("minutes: with these, %s comes to %lld minutes, and a day has %d", input->date.ptr, (long long)output->day_minutes, DAY);
    }
    output->period = period;
    return keep_month(period, kept);
}
// ANCHOR_END: add

static sangam_failure *do_remove_record(const sangam_call *call, const undo_add_record *undo, sangam_any *output) {
    (void)call, (void)output;
    if (!undo->output) return SANGAM_OK; /* the step failed: nothing was kept */
    const add_record *input = undo->input;
    sangam_text period = period_of(input->date);
    const month *kept;
    const entry *taken_out;
    SANGAM_TRY(load_month(period, input->employee_ref, &kept));
    kept = with_entry(kept, input->date, input->job_ref, undo->output->replaced, &taken_out);
    return keep_month(period, kept);
}

static sangam_text file_name(sangam_text period) { return sangam_format("payroll-%s.txt", period.ptr); }

static sangam_text file_url(const sangam_call *call, sangam_text period) {
    const config *config = call->config;
    return sangam_format("%s/files/%s", config->base_url.ptr, file_name(period).ptr);
}

// ANCHOR: write
static sangam_failure *do_write_file(const sangam_call *call, const write_file *input, written *output) {
    const config *config = call->config;
    SANGAM_TRY(check_period("period", input->period));
    month_list months;
    payroll_file file;
    SANGAM_TRY(load_period(input->period, &months)); /* all reading comes before the first write */
    SANGAM_TRY(make_file(config->company, input->period, &months, &file));

    sangam_request request = sangam_write("PUT", file_url(call, input->period), SANGAM_TEXT(FILE_WRITE));
    sangam_body(&request, "text/plain; charset=us-ascii", file.bytes);
    const sangam_response *answer;
    SANGAM_TRY(sangam_send(&request, &answer));
    SANGAM_TRY(sangam_ok(answer));

    *output = (written){.file = file_name(input->period), .lines = file.lines, .minutes = file.minutes,
        .overtime_minutes = file.overtime_minutes, .bytes = (int64_t)file.bytes.len};
    sangam_info("sent a payroll file", "file", output->file.ptr, "lines", sangam_format("%lld", (long long)file.lines).ptr);
    return SANGAM_OK;
}
// ANCHOR_END: write

// ANCHOR: withdraw
static sangam_failure *do_withdraw_file(const sangam_call *call, const undo_write_file *undo, sangam_any *output) {
    (void)output;
    const sangam_effect *sent = sangam_effect_named(&undo->effects, FILE_WRITE);
    bool maybe_there = undo->output || (sent && !sangam_text_is(sent->state, "failed"));
    if (!maybe_there) return SANGAM_OK;
    sangam_request request = sangam_write("DELETE", file_url(call, undo->input->period), SANGAM_TEXT("withdraw"));
    const sangam_response *answer;
    SANGAM_TRY(sangam_send(&request, &answer));
    return answer->status == 404 ? SANGAM_OK : sangam_ok(answer); /* one that is gone already is as good */
}
// ANCHOR_END: withdraw

// ANCHOR: plugin
#define ACTIONS(ACTION)                                                                                                       \
    ACTION("add-record", "Keep a record for the payroll file", do_add_record, add_record, added, .undo = "remove-record")     \
    ACTION("remove-record", "Take a record out again", do_remove_record, undo_add_record, sangam_any, .idempotent = true,     \
        .about = "Puts back what `add-record` found.")                                                                        \
    ACTION("write-file", "Send the payroll file of a month", do_write_file, write_file, written, .undo = "withdraw-file",     \
        .idempotent = true)                                                                                                   \
    ACTION("withdraw-file", "Delete a payroll file", do_withdraw_file, undo_write_file, sangam_any, .idempotent = true,       \
        .about = "Deletes the file that `write-file` sent.")

SANGAM_CONNECTOR(ACTIONS, .name = "payroll", .version = "0.1.0", .title = "Payroll file",
    .about = "Collects hours and sends them as a fixed-width file.", .config = config_type, .hosts = SANGAM_LIST("${base-url}"))
// ANCHOR_END: plugin
