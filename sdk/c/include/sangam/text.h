/* Texts: a pointer and a length, UTF-8. */
#ifndef SANGAM_TEXT_H
#define SANGAM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define SANGAM__PRINTF(words, rest) __attribute__((format(printf, words, rest)))
#define SANGAM__MUST_USE __attribute__((warn_unused_result))
#define SANGAM__UNUSED __attribute__((unused))
#else
#define SANGAM__PRINTF(words, rest)
#define SANGAM__MUST_USE
#define SANGAM__UNUSED
#endif

/* A text, or none: `ptr` is NULL where there is none. A text of the SDK has a NUL after it, so that `%s` of its `ptr` works; it
 * may have NULs within it, since JSON may. */
typedef struct sangam_text {
    const char *ptr;
    size_t len;
} sangam_text;

/* A text from a literal: SANGAM_TEXT("invoice"). */
#define SANGAM_TEXT(literal) ((sangam_text){"" literal, sizeof(literal) - 1})

/* Memory until the end of the call, zeroed, fit for any type. Never NULL. */
void *sangam_alloc(size_t size);
/* Room for `count` things of `size` bytes; traps where that is more than there can be. */
void *sangam_alloc_array(size_t count, size_t size);

/* A text from words that end with NUL; none from NULL. The words are not copied. */
sangam_text sangam_text_of(const char *words);
/* A copy of `len` bytes. */
sangam_text sangam_copy(const char *ptr, size_t len);
/* A text as printf writes it, without floating point (%f traps; count money and hours in integers):
 * sangam_format("%s/api/items/%s", base.ptr, sku.ptr). */
sangam_text sangam_format(const char *format, ...) SANGAM__PRINTF(1, 2);

/* Whether a text is these words. */
bool sangam_text_is(sangam_text text, const char *words);
bool sangam_text_equal(sangam_text a, sangam_text b);
bool sangam_text_starts(sangam_text text, const char *words);
bool sangam_text_contains(sangam_text text, const char *words);
/* In byte order, as memcmp. */
int sangam_text_compare(sangam_text a, sangam_text b);
/* How many characters (code points) a text has. */
size_t sangam_text_characters(sangam_text text);

/* Encodes a value for one segment of a path, a query or a form: all but the unreserved characters of RFC 3986. `.` and `..` come out unchanged,
 * since no encoding keeps a server from resolving them: check ids that could be those. */
sangam_text sangam_encode(sangam_text segment);

/* A value for a reason that people read: its start (80 characters), with what does not show escaped, as in JSON. */
sangam_text sangam_shown(sangam_text value);

#endif
