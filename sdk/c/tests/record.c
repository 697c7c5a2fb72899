/* Records: what is read, the failures that name the field, and the schemas. */
#include <string.h>

#include "sangam_test.h"

static const sangam_outcome *echo(const char *input) {
    sangam_host.config = "{\"base-url\":\"https://desk.example\"}";
    return sangam_invoke("echo", input);
}

SANGAM_TEST(a_record_comes_out_as_it_went_in) {
    const char *full = "{\"job\":\"J1\",\"mode\":\"later\",\"parts\":[{\"sku\":\"A1\",\"quantity\":2},{\"sku\":\"B22\",\"quantity\":100}],"
                       "\"gift\":{\"sku\":\"C3\",\"quantity\":1},\"price\":10.10,\"rush\":true,\"tags\":[\"x\",\"\"],\"days\":[1,-2],\"floor\":0,\"note\":{\"a\":[null]}}";
    CHECK_TEXT(echo(full)->data, full);
}

SANGAM_TEST(what_is_absent_or_null_has_its_default) {
    CHECK_TEXT(echo("{\"job\":\"J1\",\"parts\":[{\"sku\":\"A1\",\"quantity\":2}],\"gift\":null,\"floor\":null,\"mode\":null}")->data,
        "{\"job\":\"J1\",\"mode\":\"now\",\"parts\":[{\"sku\":\"A1\",\"quantity\":2}],\"rush\":false,\"tags\":[],\"days\":[]}");
}

SANGAM_TEST(a_misfit_is_rejected_with_the_path_of_its_field) {
    static const char *const wrong[][2] = {
        {"{\"job\":7,\"parts\":[]}", "input.job: expected a string, not the number 7"},
        {"{\"parts\":[]}", "input: missing field `job`"},
        {"{\"job\":\"a\",\"parts\":[]}", "input.parts: has 0 items, at least 1 are needed"},
        {"{\"job\":\"a\",\"parts\":[{\"sku\":\"A1\",\"quantity\":1},{\"sku\":\"A2\",\"quantity\":\"x\"}]}",
            "input.parts[1].quantity: expected an integer of 64 bits, not the string \"x\""},
        {"{\"job\":\"a\",\"parts\":[{\"sku\":\"A1\",\"quantity\":101}]}", "input.parts[0].quantity: is 101, not between 1 and 100"},
        {"{\"job\":\"a\",\"parts\":[{\"sku\":\"A1\",\"quantity\":1.5}]}", "input.parts[0].quantity: expected an integer of 64 bits, not the number 1.5"},
        {"{\"job\":\"a\",\"parts\":[{\"sku\":\"ÄÖÜÄÖ\",\"quantity\":1}]}", "input.parts[0].sku: has 5 characters, at most 4 are allowed"},
        {"{\"job\":\"a\",\"mode\":\"lat\",\"parts\":[{\"sku\":\"A1\",\"quantity\":1}]}", "input.mode: is the string \"lat\", not one of now|later"},
        {"{\"job\":\"a\",\"parts\":[{\"sku\":\"A1\",\"quantity\":1}],\"gift\":[]}", "input.gift: expected an object, not an array"},
        {"{\"job\":\"a\",\"parts\":[{\"sku\":\"A1\",\"quantity\":1,\"kount\":2}]}", "input.parts[0].kount: unknown field; there are `sku`, `quantity`"},
        {"{\"job\":\"a\",\"parts\":[{\"sku\":\"A1\",\"quantity\":1}],\"rush\":1}", "input.rush: expected true or false, not the number 1"},
        {"{\"job\":\"a\",\"parts\":[{\"sku\":\"A1\",\"quantity\":1}],\"days\":[1,null]}", "input.days[1]: expected an integer of 64 bits, not null"},
        {"[]", "input: expected an object, not an array"},
        {"{\"job\":", "input is not JSON: it ends where a value was expected at byte 7"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const sangam_outcome *outcome = echo(wrong[i][0]);
        CHECK(outcome->failed && outcome->kind == SANGAM_REJECTED);
        CHECK_TEXT(outcome->reason, wrong[i][1]);
    }
}

SANGAM_TEST(the_declaration_is_the_schema) {
    const sangam_json *described, *echoed = NULL;
    CHECK(!sangam_json_read(sangam_described(), "the descriptor", &described));
    CHECK_TEXT(sangam_json_text(sangam_json_get(described, "name")), "everything");
    SANGAM_EACH(action, sangam_json_get(described, "actions")) {
        if (sangam_text_is(sangam_json_text(sangam_json_get(action, "name")), "echo")) echoed = action;
    }
    CHECK_TEXT(sangam_json_text(sangam_json_get(echoed, "description")), "Takes parts from the warehouse.");
    CHECK_TEXT(sangam_json_text(sangam_json_get(echoed, "undo")), "undo");
    const sangam_json *input = sangam_json_get(echoed, "input"), *properties = sangam_json_get(input, "properties");
    CHECK_TEXT(sangam_json_write(sangam_json_get(input, "required")), "[\"job\",\"parts\"]");
    CHECK_TEXT(sangam_json_write(sangam_json_get(input, "additionalProperties")), "false");
    CHECK_TEXT(sangam_json_write(sangam_json_get(properties, "job")), "{\"type\":\"string\",\"description\":\"The job\",\"x-subject\":true}");
    CHECK_TEXT(sangam_json_write(sangam_json_get(properties, "mode")),
        "{\"type\":[\"string\",\"null\"],\"enum\":[\"now\",\"later\",null],\"default\":\"now\",\"description\":\"How\"}");
    const sangam_json *part = sangam_json_get(sangam_json_get(properties, "parts"), "items");
    CHECK_TEXT(sangam_json_write(sangam_json_get(sangam_json_get(part, "properties"), "quantity")),
        "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"description\":\"How many\"}");
    CHECK_TEXT(sangam_json_write(sangam_json_get(described, "configuration")),
        "{\"type\":\"object\",\"properties\":{\"base-url\":{\"type\":\"string\",\"description\":\"Where the desk is\"},"
        "\"page\":{\"type\":[\"integer\",\"null\"],\"default\":10,\"description\":\"Records a page\"}},\"required\":[\"base-url\"],\"additionalProperties\":false}");
    CHECK_TEXT(sangam_json_write(sangam_json_get(described, "streams")),
        "[{\"name\":\"leave\",\"title\":\"Approved leave\",\"poll\":true,\"receive\":true,\"types\":[\"leave.approved\",\"hook\"]}]");
}

SANGAM_TEST(configuration_that_does_not_fit_is_rejected) {
    sangam_host.config = "{\"base\":\"x\"}";
    CHECK_TEXT(sangam_invoke("echo", "{}")->reason, "configuration: missing field `base-url`");
}
