/* Unit tests of crm.c. */
#include "sangam.h"
#include "sangam_test.h"

static const char *const contacts[] = {
    "{\"email\": \"a@b.example\", \"name\": \"A\"}",
    "{\"email\": 7, \"name\": \"B\"}",
    "{\"email\": \"c@b.example\", \"name\": \"C\"}",
};

static sangam_text line_of(const char *run, const char *more) {
    return sangam_format("{\"ref\": \"%s\", %s}", sangam_test_key(run).ptr, more);
}

/* Keeps the first contact and refuses the third, in another order than they came. */
static void keeps_one(const sangam_sent *request, sangam_reply *reply) {
    (void)request;
    sangam_text kept = line_of("run-1", "\"id\": \"1\""), refused = line_of("run-3", "\"error\": \"no such domain\"");
    sangam_reply_json(reply, 200, sangam_format("{\"records\": [%s, %s]}", refused.ptr, kept.ptr).ptr);
}

static void refuses(const sangam_sent *request, sangam_reply *reply) {
    (void)request;
    sangam_reply_json(reply, 400, "{\"message\": \"no\"}");
}

static void forgets(const sangam_sent *request, sangam_reply *reply) {
    (void)request;
    sangam_reply_json(reply, 200, "{\"records\": []}");
}

static const sangam_outcome *kept_by(void (*system)(const sangam_sent *request, sangam_reply *reply)) {
    sangam_host.config = "{\"base-url\": \"https://crm.example\"}";
    sangam_host.system = system;
    return sangam_invoke_batch("keep-contact", contacts, 3);
}

SANGAM_TEST(each_run_has_its_own_result_of_one_request) {
    const sangam_outcome *results = kept_by(keeps_one);
    CHECK_TEXT(results[0].data, "{\"id\":\"1\"}");
    CHECK_INT(sangam_host.sent_count, 1);
    CHECK(results[1].failed && results[1].kind == SANGAM_REJECTED);
    CHECK_TEXT(results[1].reason, "input.email: expected a string, not the number 7");
    CHECK(results[2].failed && results[2].kind == SANGAM_REJECTED);
    CHECK_TEXT(results[2].reason, "The CRM refused the contact: no such domain");
    CHECK(sangam_text_contains(sangam_host.sent[0].body, sangam_test_key("run-3").ptr));
    CHECK(!sangam_text_contains(sangam_host.sent[0].body, sangam_test_key("run-2").ptr));
}

SANGAM_TEST(the_failure_of_a_batch_is_that_of_each_but_of_those_that_were_refused_before) {
    const sangam_outcome *results = kept_by(refuses);
    CHECK(results[0].kind == SANGAM_RETRY && results[1].kind == SANGAM_REJECTED && results[2].kind == SANGAM_RETRY);
    CHECK_TEXT(results[0].reason, "The CRM refused the batch");
    CHECK(results[2].failed && results[2].has_after);
}

SANGAM_TEST(a_run_of_which_nothing_is_said_is_tried_again) {
    const sangam_outcome *results = kept_by(forgets);
    CHECK(results[0].failed && results[0].kind == SANGAM_RETRY);
    CHECK_TEXT(results[0].reason, "The CRM did not say what became of the contact");
}

SANGAM_TEST(where_no_input_fits_nothing_is_done) {
    sangam_host.config = "{\"base-url\": \"https://crm.example\"}";
    const sangam_outcome *results = sangam_invoke_batch("keep-contact", (const char *const[]){"{}", "[]"}, 2);
    CHECK(results[0].kind == SANGAM_REJECTED && results[1].kind == SANGAM_REJECTED);
    CHECK_INT(sangam_host.sent_count, 0);
}

SANGAM_TEST(an_action_says_how_many_runs_it_takes) {
    const sangam_json *described;
    CHECK(!sangam_json_read(sangam_described(), "the descriptor", &described));
    const sangam_json *action = sangam_json_get(described, "actions")->first;
    int64_t most = 0;
    CHECK(sangam_json_to_integer(sangam_json_get(action, "batch"), &most));
    CHECK_INT(most, 100);
}
