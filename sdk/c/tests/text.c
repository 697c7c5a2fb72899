/* Texts and formatting. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "sangam_test.h"

#define SAME(...)                                  \
    do {                                           \
        char expected[256];                        \
        snprintf(expected, sizeof expected, __VA_ARGS__); \
        CHECK_TEXT(sangam_format(__VA_ARGS__), expected); \
    } while (0)

SANGAM_TEST(formatting_is_that_of_printf) {
    SAME("%d %i %u %%", INT_MIN, 7, UINT_MAX);
    SAME("[%5d][%-5d][%05d][%+d][% d][%.3d][%8.3d][%-8.3d]", 42, 42, -42, 42, 42, 7, -7, 7);
    SAME("[%x][%X][%#x][%o][%08x]", 255u, 255u, 255u, 8u, 48879u);
    SAME("[%lld][%llu][%ld][%zu][%hhd][%hu]", LLONG_MIN, ULLONG_MAX, -1L, (size_t)7, (signed char)-7, (unsigned short)65535);
    SAME("[%s][%10s][%-10s][%.2s][%.*s][%*s]", "abc", "abc", "abc", "abc", 1, "xyz", 6, "ab");
    SAME("%" PRId64 " %" PRIu64 " %jd", (int64_t)-5, (uint64_t)5, (intmax_t)9);
    SAME("[%c][%3c][%.0d][%d]", 'x', 'y', 0, 0);
    const char *volatile nothing = NULL; /* volatile: or the compiler sees the mistake */
    CHECK_TEXT(sangam_format("%s", nothing), "(none)");
}

SANGAM_TEST(a_value_is_safe_in_a_path) {
    CHECK_TEXT(sangam_encode(SANGAM_TEXT("a/b?c=ä&~-._Z9")), "a%2Fb%3Fc%3D%C3%A4%26~-._Z9");
    CHECK_TEXT(sangam_encode(SANGAM_TEXT("")), "");
}

SANGAM_TEST(texts_compare_by_their_bytes) {
    CHECK(sangam_text_compare(SANGAM_TEXT("a"), SANGAM_TEXT("ab")) < 0);
    CHECK(sangam_text_compare(SANGAM_TEXT("b"), SANGAM_TEXT("ab")) > 0);
    CHECK(sangam_text_is(SANGAM_TEXT("a"), "a") && !sangam_text_is((sangam_text){NULL, 0}, ""));
    CHECK(sangam_text_contains(SANGAM_TEXT("abcd"), "cd") && !sangam_text_contains(SANGAM_TEXT("abc"), "cd"));
    CHECK_INT(sangam_text_characters(SANGAM_TEXT("aä😀")), 3);
}

SANGAM_TEST(what_does_not_show_is_escaped_for_people) {
    CHECK_TEXT(sangam_shown(SANGAM_TEXT("a\nb\t\0ä😀\xE2\x80\xAE\xFF")), "a\\nb\\t\\u0000ä😀\\u202e\xEF\xBF\xBD");
    sangam_text long_ = sangam_format("%0100d", 7), cut = sangam_shown(long_);
    CHECK_INT(sangam_text_characters(cut), 81);
    CHECK(sangam_text_contains(cut, "…"));
    sangam_text worst = sangam_format("%80s", "");
    memset((char *)worst.ptr, 1, worst.len);
    CHECK_INT(sangam_shown(worst).len, 480);
}
