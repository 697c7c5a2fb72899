/* Text in ASCII, the only letters that the file knows. */
#include <string.h>

#include "payroll.h"

/* Latin-1 and Latin Extended-A from U+00C0 to U+017F, in order, parted by spaces: German as DIN 5007-2 has it, the rest without its marks. */
static const char LATIN[] =
    "A A A A Ae A AE C E E E E I I I I D N O O O O Oe x OE U U U Ue Y TH ss "
    "a a a a ae a ae c e e e e i i i i d n o o o o oe / oe u u u ue y th y "
    "A a A a A a C c C c C c C c D d D d E e E e E e E e E e G g G g G g G g H h H h I i I i I i I i I i IJ ij J j K k k "
    "L l L l L l L l L l N n N n N n n NG ng O o O o O o OE oe R r R r R r S s S s S s S s T t T t T t "
    "U u U u U u U u U u U u W w Y y Y Z z Z z Z z s ";

enum { FIRST = 0xC0, LAST = 0x17F };

/* The code point at the start, whose length is given; the text is UTF-8, as all texts of the SDK. */
static uint32_t code_point(const char *at, size_t left, size_t *len) {
    unsigned char c = (unsigned char)at[0];
    *len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (*len > left) *len = left;
    uint32_t code = *len == 1 ? c : c & (0x7Fu >> *len);
    for (size_t i = 1; i < *len; i++) code = code << 6 | ((unsigned char)at[i] & 0x3Fu);
    return code;
}

static sangam_text equivalent(uint32_t code) {
    if (code == 0x2013 || code == 0x2014) return SANGAM_TEXT("-");
    if (code == 0x2018 || code == 0x2019) return SANGAM_TEXT("'");
    if (code == 0xA0) return SANGAM_TEXT(" ");
    if (code < FIRST || code > LAST) return (sangam_text){NULL, 0};
    const char *at = LATIN;
    for (uint32_t skipped = FIRST; skipped < code; skipped++) at = strchr(at, ' ') + 1;
    return (sangam_text){at, strcspn(at, " ")};
}

sangam_failure *to_ascii(const char *field, sangam_text text, sangam_text *ascii) {
    /* Two bytes of UTF-8 become two letters at most. */
    char *bytes = sangam_alloc(text.len + 1);
    size_t made = 0, len = 0;
    for (size_t at = 0; at < text.len; at += len) {
        uint32_t code = code_point(text.ptr + at, text.len - at, &len);
        if (code >= 0x20 && code < 0x7F) {
            bytes[made++] = (char)code;
            continue;
        }
        sangam_text letters = equivalent(code);
        if (!letters.ptr) return sangam_reject("%s: `%s` has the character U+%04X, which the file can't hold", field, sangam_shown(text).ptr, (unsigned)code);
        memcpy(bytes + made, letters.ptr, letters.len);
        made += letters.len;
    }
    *ascii = (sangam_text){bytes, made};
    return SANGAM_OK;
}
