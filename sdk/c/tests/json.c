/* JSON: what is read, what is refused, what is written. */
#include <stdlib.h>
#include <string.h>

#include "sangam_test.h"

static sangam_text again(const char *text) {
    const sangam_json *value;
    sangam_failure *failure = sangam_json_read(sangam_text_of(text), "it", &value);
    return failure ? failure->reason : sangam_json_write(value);
}

SANGAM_TEST(numbers_keep_their_digits) {
    CHECK_TEXT(again("[12345678901234567890123, 10.10, -0, 1E+2, 0.0e-0]"), "[12345678901234567890123,10.10,-0,1E+2,0.0e-0]");
}

SANGAM_TEST(strings_come_out_as_they_went_in) {
    CHECK_TEXT(again("\"\\u00e4\\ud83d\\ude00 \\\"\\\\\\/\\b\\f\\n\\r\\t\\u001f\""), "\"ä😀 \\\"\\\\/\\b\\f\\n\\r\\t\\u001f\"");
    CHECK_TEXT(again("{\"a\\u0000b\":\"\\u0000\"}"), "{\"a\\u0000b\":\"\\u0000\"}");
    CHECK_TEXT(again(" { \"a\" : [ true , false , null , { } , [ ] ] } "), "{\"a\":[true,false,null,{},[]]}");
}

SANGAM_TEST(what_is_no_json_is_refused_with_its_place) {
    static const char *const wrong[][2] = {
        {"", "it ends where a value was expected at byte 0"},
        {"[1,]", "a value was expected at byte 3"},
        {"[1", "an array does not end at byte 2"},
        {"{\"a\":1,}", "a string was expected at byte 7"},
        {"{\"a\" 1}", "a colon was expected at byte 5"},
        {"{a:1}", "a string was expected at byte 1"},
        {"01", "something follows after its end at byte 1"},
        {"1.", "a number has no digits after its point at byte 2"},
        {"1e", "a number has no digits in its exponent at byte 2"},
        {"-", "a value was expected at byte 1"},
        {"+1", "a value was expected at byte 0"},
        {"nul", "a value was expected at byte 0"},
        {"\"a", "a string does not end at byte 2"},
        {"\"\n\"", "a string has a control character in it at byte 1"},
        {"\"\\x\"", "a string has an escape that stands for nothing at byte 3"},
        {"\"\\ud800\"", "a string has an escape that stands for nothing at byte 7"},
        {"\"\xC0\xAF\"", "a string is not UTF-8 at byte 1"},
        {"\"\xED\xA0\x80\"", "a string is not UTF-8 at byte 1"},
        {"1 2", "something follows after its end at byte 2"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) CHECK_TEXT(again(wrong[i][0]), sangam_format("it is not JSON: %s", wrong[i][1]).ptr);
}

SANGAM_TEST(nesting_is_bounded) {
    char deep[2 * SANGAM_JSON_DEPTH + 3] = "";
    memset(deep, '[', SANGAM_JSON_DEPTH);
    memset(deep + SANGAM_JSON_DEPTH, ']', SANGAM_JSON_DEPTH);
    CHECK_TEXT(again(deep), deep);
    memset(deep, '[', SANGAM_JSON_DEPTH + 1);
    memset(deep + SANGAM_JSON_DEPTH + 1, ']', SANGAM_JSON_DEPTH + 1);
    CHECK(sangam_text_contains(again(deep), "nested too deeply"));
}

SANGAM_TEST(integers_are_exact_or_none) {
    static const struct {
        const char *digits;
        bool fits;
        int64_t value;
    } numbers[] = {
        {"9223372036854775807", true, INT64_MAX}, {"9223372036854775808", false, 0}, {"-9223372036854775808", true, INT64_MIN},
        {"-9223372036854775809", false, 0}, {"1e3", true, 1000}, {"1.50E+1", true, 15}, {"1500e-2", true, 15}, {"1501e-2", false, 0},
        {"12.0", true, 12}, {"12.5", false, 0}, {"0e999999999999", true, 0}, {"1e-999999999999", false, 0}, {"1e999999999999", false, 0},
        {"0.000e-5", true, 0}, {"-0", true, 0}, {"123456789012345678901234567890e-20", false, 0}, {"100000000000000000000e-20", true, 1},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int64_t value = 0;
        const sangam_json *read;
        CHECK(!sangam_json_read(sangam_text_of(numbers[i].digits), "it", &read));
        CHECK_INT(sangam_json_to_integer(read, &value), numbers[i].fits);
        if (numbers[i].fits) CHECK_INT(value, numbers[i].value);
    }
}

SANGAM_TEST(values_can_be_built_and_looked_into) {
    sangam_json *list = sangam_json_push(sangam_json_push(sangam_json_array(), sangam_json_integer(INT64_MIN)), NULL);
    sangam_json *object = sangam_json_set(sangam_json_set(sangam_json_object(), "a", list), "b", sangam_json_string(SANGAM_TEXT("x")));
    sangam_json_set(object, "c", list);
    sangam_json_set(object, "b", sangam_json_boolean(true));
    CHECK_TEXT(sangam_json_write(object), "{\"a\":[-9223372036854775808,null],\"b\":true,\"c\":[-9223372036854775808,null]}");
    CHECK(sangam_json_is_true(sangam_json_get(object, "b")));
    CHECK(sangam_json_is_null(sangam_json_get(sangam_json_get(object, "nothing"), "there")));
    CHECK_INT(sangam_json_count(sangam_json_get(object, "a")), 2);
    CHECK_TEXT(sangam_json_text(sangam_json_get(object, "b")), "");
    CHECK_TEXT(sangam_json_write(sangam_json_string((sangam_text){"a\xFFz", 3})), "\"a\xEF\xBF\xBDz\"");
}

SANGAM_TEST(the_last_of_two_members_with_one_name_counts) {
    const sangam_json *value;
    CHECK(!sangam_json_read(SANGAM_TEXT("{\"a\":1,\"a\":2}"), "it", &value));
    CHECK_TEXT(sangam_json_text(sangam_json_get(value, "a")), "2");
}

/* A stream of numbers that comes out the same each time (xorshift64*). */
static uint64_t drawn(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1D;
}

/* Whatever the reader takes, it writes as something it takes and writes the same; and with the sanitizers on, nothing is read or written past. */
SANGAM_TEST(mutilated_json_is_read_or_refused_but_never_harms) {
    static const char seed[] = "{\"a\":[1,-2.5e+10,\"\\u00e4\\ud83d\\ude00\\n\",true,false,null],\"b\":{\"c\":\"\xC3\xA4\xF0\x9F\x98\x80\",\"d\":[[[]]]}}";
    static const char letters[] = "{}[]\",:\\u0123e-+.tfn\xC3\xED\xF0\x80 \n\0";
    uint64_t state = 88172645463325252;
    size_t taken = 0;
    for (int round = 0; round < 20000; round++) {
        size_t len = sizeof seed - 1;
        char *text = malloc(len + 8);
        memcpy(text, seed, len);
        for (uint64_t changes = drawn(&state) % 4; changes && len; changes--) {
            uint64_t what = drawn(&state) % 3;
            size_t at = (size_t)(drawn(&state) % len);
            if (what == 0) text[at] = letters[drawn(&state) % (sizeof letters - 1)];
            if (what == 1) memmove(text + at, text + at + 1, --len - at);
            if (what == 2) len = at + 1;
        }
        const sangam_json *value, *second;
        sangam_text given = sangam_copy(text, len);
        free(text);
        if (sangam_json_read(given, "it", &value)) continue;
        taken++;
        sangam_text written = sangam_json_write(value);
        CHECK(!sangam_json_read(written, "it", &second));
        CHECK(sangam_text_equal(sangam_json_write(second), written));
    }
    CHECK(taken > 1000 && taken < 19000);
}
