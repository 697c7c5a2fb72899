/* The connector against a payroll office that is a few lines of C. */
#include <stdio.h>
#include <string.h>

#include "payroll.h"
#include "sangam_test.h"

static int office_says;

static void office(const sangam_sent *request, sangam_reply *reply) {
    (void)request;
    sangam_reply_text(reply, office_says, SANGAM_TEXT(""));
}

static void setup(void) {
    office_says = 201;
    sangam_host.config = "{\"base-url\":\"https://office.example\",\"company\":\"Müller & Söhne\"}";
    sangam_host.system = office;
}

static const sangam_outcome *add(const char *employee, const char *date, const char *job, int minutes, int overtime) {
    return sangam_invoke("add-record", sangam_format("{\"employee_ref\":\"%s\",\"date\":\"%s\",\"job_ref\":\"%s\",\"minutes\":%d,\"overtime_minutes\":%d}",
                                           employee, date, job, minutes, overtime).ptr);
}

static const sangam_outcome *write_month(void) { return sangam_invoke("write-file", "{\"period\":\"2026-11\"}"); }

static void rejects(const sangam_outcome *outcome, const char *reason) {
    CHECK(outcome->failed && outcome->kind == SANGAM_REJECTED);
    CHECK_TEXT(outcome->reason, reason);
}

// ANCHOR: file
SANGAM_TEST(the_file_has_a_line_for_each_employee_and_day) {
    setup();
    add("Müller", "2026-11-28", "J-2", 120, 0);
    add("E17", "2026-11-28", "J-1", 480, 30);
    add("Müller", "2026-11-27", "J-9", 60, 60);
    add("Müller", "2026-11-28", "J-1", 360, 15);
    add("E17", "2026-12-01", "J-3", 1, 1);
    CHECK_TEXT(write_month()->data, "{\"file\":\"payroll-2026-11.txt\",\"lines\":3,\"minutes\":1020,\"overtime_minutes\":105,\"bytes\":210}");
    CHECK_TEXT(sangam_host.sent[0].method, "PUT");
    CHECK_TEXT(sangam_host.sent[0].url, "https://office.example/files/payroll-2026-11.txt");
    CHECK_TEXT(sangam_host.sent[0].body,
        "H202611Mueller & Soehne                 \r\n"
        "DE17       202611280048000030001        \r\n"
        "DMueller   202611270006000060001        \r\n"
        "DMueller   202611280048000015002        \r\n"
        "T000000300000010200000000105            \r\n");
}
// ANCHOR_END: file

SANGAM_TEST(a_correction_replaces_the_record_of_its_job) {
    setup();
    CHECK_TEXT(add("E17", "2026-11-28", "J-1", 480, 0)->data, "{\"period\":\"2026-11\",\"day_minutes\":480,\"day_overtime_minutes\":0}");
    add("E17", "2026-11-28", "J-2", 60, 60);
    CHECK_TEXT(add("E17", "2026-11-28", "J-1", 300, 10)->data,
        "{\"period\":\"2026-11\",\"day_minutes\":360,\"day_overtime_minutes\":70,\"replaced\":{\"date\":\"2026-11-28\",\"job_ref\":\"J-1\",\"minutes\":480,\"overtime_minutes\":0}}");
    CHECK(sangam_text_contains(write_month()->data, "\"minutes\":360,\"overtime_minutes\":70"));
}

SANGAM_TEST(an_undo_puts_back_what_was_there) {
    setup();
    add("E17", "2026-11-28", "J-1", 480, 0);
    sangam_text kept = sangam_stored("month/2026-11/E17");
    sangam_text output = add("E17", "2026-11-28", "J-1", 300, 10)->data;
    const char *undo = "{\"input\":{\"employee_ref\":\"E17\",\"date\":\"2026-11-28\",\"job_ref\":\"J-1\",\"minutes\":300},\"output\":%s,\"effects\":[]}";
    CHECK(!sangam_invoke("remove-record", sangam_format(undo, output.ptr).ptr)->failed);
    CHECK_TEXT(sangam_stored("month/2026-11/E17"), kept.ptr);
    CHECK(!sangam_invoke("remove-record", sangam_format(undo, "null").ptr)->failed);
    CHECK_TEXT(sangam_stored("month/2026-11/E17"), kept.ptr);
    const char *added = "{\"period\":\"2026-11\",\"day_minutes\":1,\"day_overtime_minutes\":0}";
    CHECK(!sangam_invoke("remove-record", sangam_format(undo, added).ptr)->failed);
    CHECK(!sangam_stored("month/2026-11/E17").ptr);
}

SANGAM_TEST(what_does_not_fit_is_rejected_by_its_field) {
    setup();
    rejects(add("12345678901", "2026-11-28", "J", 1, 0), "employee_ref: `12345678901` has 11 characters in ASCII; the file has room for 10");
    rejects(add("Äöüßääääää", "2026-11-28", "J", 1, 0), "employee_ref: `Äöüßääääää` has 20 characters in ASCII; the file has room for 10");
    rejects(add("李", "2026-11-28", "J", 1, 0), "employee_ref: `李` has the character U+674E, which the file can't hold");
    rejects(add("E\\n1", "2026-11-28", "J", 1, 0), "employee_ref: `E\\n1` has the character U+000A, which the file can't hold");
    rejects(add("E17", "2026-02-29", "J", 1, 0), "date: `2026-02-29` is no day such as 2026-11-28");
    rejects(add("E17", "2026-1-28", "J", 1, 0), "date: `2026-1-28` is no day such as 2026-11-28");
    rejects(add("E17", "2026-11-28", "J", 1, 2), "overtime_minutes: 2 of 1 minutes can't be overtime");
    rejects(add("E17", "2026-11-28", "J", 1441, 0), "input.minutes: is 1441, not between 0 and 1440");
    CHECK(!add("E17", "2024-02-29", "J", 1000, 0)->failed);
    rejects(add("E17", "2024-02-29", "K", 441, 0), "minutes: with these, 2024-02-29 comes to 1441 minutes, and a day has 1440");
    rejects(sangam_invoke("write-file", "{\"period\":\"2026-13\"}"), "period: `2026-13` is no month such as 2026-11");
    rejects(write_month(), "period: nothing is recorded for 2026-11");
    CHECK_INT(sangam_host.sent_count, 0);
}

SANGAM_TEST(a_day_of_more_than_a_day_is_rejected_however_it_was_kept) {
    setup();
    sangam_store("month/2026-11/E17", "{\"employee_ref\":\"E17\",\"entries\":[{\"date\":\"2026-11-28\",\"job_ref\":\"J\",\"minutes\":1440},"
                                      "{\"date\":\"2026-11-28\",\"job_ref\":\"K\",\"minutes\":1}]}");
    rejects(write_month(), "minutes: the jobs of employee E17 on 2026-11-28 come to 1441 minutes, and a day has 1440");
    sangam_store("month/2026-11/E17", "{\"employee_ref\":\"E17\",\"entries\":[{\"date\":\"2026-12-01\",\"job_ref\":\"J\",\"minutes\":1}]}");
    rejects(write_month(), "date: 2026-12-01 is kept under 2026-11");
}

SANGAM_TEST(two_employees_who_look_alike_in_ascii_are_not_mixed_up) {
    setup();
    add("Müller", "2026-11-28", "J-1", 60, 0);
    add("Mueller", "2026-11-28", "J-2", 60, 0);
    rejects(write_month(), "employee_ref: `Mueller` and `Müller` are both `Mueller` in ASCII; the file could not tell them apart");
}

SANGAM_TEST(a_company_that_is_too_long_is_rejected) {
    setup();
    sangam_host.config = "{\"base-url\":\"https://office.example\",\"company\":\"Österreichische Haustechnik Ges\"}";
    add("E17", "2026-11-28", "J-1", 60, 0);
    rejects(write_month(), "company: `Oesterreichische Haustechnik Ges` has 32 characters in ASCII; the file has room for 30");
}

SANGAM_TEST(the_office_decides_whether_to_try_again) {
    setup();
    add("E17", "2026-11-28", "J-1", 60, 0);
    office_says = 204;
    CHECK(!write_month()->failed);
    static const struct {
        int status;
        sangam_failure_kind kind;
    } answers[] = {{503, SANGAM_RETRY}, {401, SANGAM_UNAUTHORIZED}, {429, SANGAM_RATE_LIMITED}, {403, SANGAM_REJECTED}};
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        office_says = answers[i].status;
        const sangam_outcome *outcome = write_month();
        CHECK(outcome->failed && outcome->kind == answers[i].kind);
    }
}

SANGAM_TEST(a_file_is_withdrawn_where_it_may_be) {
    setup();
    const char *undo = "{\"input\":{\"period\":\"2026-11\"},\"output\":null,\"effects\":%s}";
    CHECK(!sangam_invoke("withdraw-file", sangam_format(undo, "[]").ptr)->failed);
    CHECK(!sangam_invoke("withdraw-file", sangam_format(undo, "[{\"name\":\"file\",\"state\":\"failed\"}]").ptr)->failed);
    CHECK_INT(sangam_host.sent_count, 0);
    office_says = 404;
    CHECK(!sangam_invoke("withdraw-file", sangam_format(undo, "[{\"name\":\"file\",\"state\":\"in-doubt\"}]").ptr)->failed);
    CHECK_INT(sangam_host.sent_count, 1);
    CHECK_TEXT(sangam_host.sent[0].method, "DELETE");
    office_says = 500;
    CHECK(sangam_invoke("withdraw-file", sangam_format(undo, "[{\"name\":\"file\",\"state\":\"done\"}]").ptr)->failed);
}

/* All employees of a large company, at the edge of what a field holds. */
SANGAM_TEST(sums_are_exact) {
    setup();
    month_list months = {.items = sangam_alloc_array(3000, sizeof(month)), .count = 3000};
    for (size_t i = 0; i < months.count; i++) {
        entry *entries = sangam_alloc_array(30, sizeof *entries);
        for (size_t j = 0; j < 30; j++) {
            entries[j] = (entry){.date = sangam_format("2026-11-%02zu", j + 1), .job_ref = SANGAM_TEXT("J"), .minutes = DAY, .overtime_minutes = DAY - 1};
        }
        months.items[i] = (month){.employee_ref = sangam_format("%010zu", i), .entries = {entries, 30}};
    }
    payroll_file file;
    CHECK(!make_file(SANGAM_TEXT(""), SANGAM_TEXT("2026-11"), &months, &file));
    CHECK_INT(file.lines, 90000);
    CHECK_INT(file.minutes, 90000 * 1440);
    CHECK_INT(file.bytes.len, 90002 * 42);
    CHECK_TEXT(sangam_copy(file.bytes.ptr + file.bytes.len - 42, 28), "T009000001296000000129510000");
}

static uint64_t drawn(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1D;
}

/* Whatever is kept, by whomever: a file of whole lines or a rejection, and with the sanitizers on nothing is written past. */
SANGAM_TEST(mutilated_records_make_whole_lines_or_a_rejection) {
    setup();
    static const char seed[] = "{\"employee_ref\":\"M\xC3\xBCller\",\"entries\":[{\"date\":\"2026-11-01\",\"job_ref\":\"J\",\"minutes\":1440,\"overtime_minutes\":7},"
                               "{\"date\":\"2026-11-30\",\"job_ref\":\"K\",\"minutes\":12}]}";
    static const char letters[] = "0129-.eE\"{}[],:\xC3\xC4\xE2\x84 a";
    uint64_t state = 42;
    size_t made = 0;
    for (int round = 0; round < 5000; round++) {
        char text[sizeof seed];
        memcpy(text, seed, sizeof seed);
        for (uint64_t changes = 1 + drawn(&state) % 2; changes; changes--) text[drawn(&state) % (sizeof seed - 1)] = letters[drawn(&state) % (sizeof letters - 1)];
        month *kept;
        if (SANGAM_DECODE(month, sangam_text_of(text), "kept", &kept)) continue;
        payroll_file file;
        if (make_file(SANGAM_TEXT("X"), SANGAM_TEXT("2026-11"), &(month_list){kept, 1}, &file)) continue;
        made++;
        CHECK_INT(file.bytes.len % 42, 0);
        for (size_t i = 0; i < file.bytes.len; i++) CHECK((file.bytes.ptr[i] >= ' ' && file.bytes.ptr[i] < 0x7F) || i % 42 >= 40);
    }
    CHECK(made > 100);
}
