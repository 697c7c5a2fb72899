/* Runs unit tests, one after another, and says which failed. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/abi.h"
#include "sangam_test.h"

void sangam__host_begin(void);
void sangam__host_end(void);

typedef struct test {
    const char *name;
    void (*run)(void);
} test;

static test tests[1024];
static size_t test_count;
static jmp_buf failed;

void sangam_test_add(const char *name, void (*run)(void)) {
    if (test_count == sizeof tests / sizeof tests[0]) abort();
    tests[test_count++] = (test){name, run};
}

void sangam_check(bool condition, const char *file, int line, const char *words) {
    if (condition) return;
    fprintf(stderr, "%s:%d: %s\n", file, line, words);
    longjmp(failed, 1);
}

void sangam_check_text(sangam_text text, const char *expected, const char *file, int line) {
    sangam_text wanted = sangam_text_of(expected);
    bool same = !text.ptr == !expected && sangam_text_equal(text, wanted);
    if (same) return;
    fprintf(stderr, "%s:%d: the text is\n  %.*s\nand should be\n  %s\n", file, line, (int)text.len, text.ptr ? text.ptr : "(none)", expected ? expected : "(none)");
    longjmp(failed, 1);
}

void sangam_check_int(int64_t number, int64_t expected, const char *file, int line) {
    if (number == expected) return;
    fprintf(stderr, "%s:%d: the number is %lld and should be %lld\n", file, line, (long long)number, (long long)expected);
    longjmp(failed, 1);
}

/* Its own function: what changes between setjmp and longjmp must not live in the caller's registers. */
static bool passes(const test *test) {
    sangam__host_begin();
    bool passed = false;
    if (setjmp(failed) == 0) {
        test->run();
        passed = true;
    }
    sangam__host_end();
    return passed;
}

int main(int count, char **arguments) {
    int red = 0, run = 0;
    for (size_t i = 0; i < test_count; i++) {
        if (count > 1 && !strstr(tests[i].name, arguments[1])) continue;
        run++;
        bool passed = passes(&tests[i]);
        red += !passed;
        printf("%s %s\n", passed ? "ok  " : "FAIL", tests[i].name);
        fflush(stdout);
    }
    printf("%d tests, %d failed\n", run, red);
    return red || !run;
}
