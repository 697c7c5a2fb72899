/* Records: one declaration gives the struct, its JSON Schema, a decoder whose failures name the field, and an encoder.
 *
 *     #define PART(FIELD)                                                    \
 *         FIELD(text, sku, "The article's number", .min_length = 1)          \
 *         FIELD(integer, quantity, "How many", SANGAM_RANGE(1, 10000))       \
 *         FIELD(text, note, "For the people there", .optional = true)
 *     SANGAM_RECORD(part, PART, "Parts of one kind.")
 *
 * makes `typedef struct part { sangam_text sku; int64_t quantity; sangam_text note; } part`, and `part_list` with `items` and `count`.
 *
 *     kind              member                   JSON
 *     text              sangam_text              string
 *     number            sangam_text              number, as its digits
 *     integer           int64_t                  integer
 *     maybe_integer     sangam_maybe_integer     integer, of which absent is something else than 0
 *     boolean           bool                     boolean
 *     any               const sangam_json *      anything
 *     texts             sangam_text_list         array of strings
 *     integers          sangam_integer_list      array of integers
 *     anys              sangam_json_list         array of anything
 *     record(part)      const part *             object
 *     records(part)     part_list                array of objects
 */
#ifndef SANGAM_RECORD_H
#define SANGAM_RECORD_H

#include "sangam/failure.h"
#include "sangam/json.h"

typedef struct sangam_type sangam_type;

typedef enum sangam_field_kind {
    SANGAM_F_TEXT,
    SANGAM_F_NUMBER,
    SANGAM_F_INTEGER,
    SANGAM_F_MAYBE_INTEGER,
    SANGAM_F_BOOLEAN,
    SANGAM_F_ANY,
    SANGAM_F_TEXTS,
    SANGAM_F_INTEGERS,
    SANGAM_F_ANYS,
    SANGAM_F_RECORD,
    SANGAM_F_RECORDS,
} sangam_field_kind;

/* A field. The members from `key` on are what a FIELD may say after its description. */
typedef struct sangam_field {
    sangam_field_kind kind;
    const sangam_type *(*of)(void);
    size_t offset;
    const char *name;
    const char *about;

    const char *key;           /* its name in JSON, where that is another than the member's: "base-url" */
    bool optional;             /* may be absent or null: then a text has no `ptr`, a pointer is NULL, an integer is `otherwise` */
    int64_t otherwise;         /* of an optional integer; 0 */
    const char *otherwise_text; /* of an optional text; none */
    const char *one_of;        /* of a text: the allowed ones, "retry|rejected" */
    const char *pattern;       /* of a text, a regular expression; only the host checks it */
    const char *format;        /* of a text, such as "date"; only the host checks it */
    size_t min_length;         /* of a text, in characters; of a list, in items */
    size_t max_length;         /* 0: no bound */
    bool bounded;              /* of an integer: SANGAM_RANGE(0, 1440) */
    int64_t minimum;
    int64_t maximum;
    bool personal;             /* personal data: the host hides, exports and erases its values */
    bool subject;              /* identifies the person whose data these are */
} sangam_field;

#define SANGAM_RANGE(least, most) .bounded = true, .minimum = (least), .maximum = (most)

/* A record type: the table made from its declaration. */
struct sangam_type {
    const char *about;
    const sangam_field *fields;
    size_t count;
    size_t size;
    bool open;  /* other members are let through */
    bool whole; /* its single field stands for the whole value */
};

typedef struct sangam_maybe_integer {
    bool given;
    int64_t value;
} sangam_maybe_integer;
typedef struct sangam_text_list {
    sangam_text *items;
    size_t count;
} sangam_text_list;
typedef struct sangam_integer_list {
    int64_t *items;
    size_t count;
} sangam_integer_list;
typedef struct sangam_json_list {
    const sangam_json **items;
    size_t count;
} sangam_json_list;

/* Declares a record of your own; other members than these are refused. The text is its description: that of an input is the action's. */
#define SANGAM_RECORD(type, FIELDS, text) SANGAM__RECORD(type, FIELDS, text, false, false)
/* A record that may have members you don't know: what a system answers. */
#define SANGAM_OPEN_RECORD(type, FIELDS, text) SANGAM__RECORD(type, FIELDS, text, true, false)

/* Reads JSON text into a record: part *found; SANGAM_TRY(SANGAM_DECODE(part, text, "the part", &found));
 * Rejected where it does not fit, with the path of the field. */
#define SANGAM_DECODE(type, text, what, out) sangam_decode(type##_type(), text, what, (void **)(1 ? (out) : (type **)0))
/* The same from a value. */
#define SANGAM_FROM_JSON(type, value, what, out) sangam_from_json(type##_type(), value, what, (void **)(1 ? (out) : (type **)0))
/* A record as a value. */
#define SANGAM_TO_JSON(type, record) sangam_to_json(type##_type(), 1 ? (record) : (const type *)0)

sangam_failure *sangam_decode(const sangam_type *type, sangam_text text, const char *what, void **record) SANGAM__MUST_USE;
sangam_failure *sangam_from_json(const sangam_type *type, const sangam_json *value, const char *what, void **record) SANGAM__MUST_USE;
sangam_json *sangam_to_json(const sangam_type *type, const void *record);
/* The JSON Schema (2020-12) of a record. */
sangam_json *sangam_schema(const sangam_type *type);

/* Anything, as input or output of an action. */
#define SANGAM__ANY(FIELD) FIELD(any, value, NULL, .optional = true)

#define SANGAM__RECORD(type, FIELDS, text, open_, whole_)                                                \
    typedef struct type {                                                                                \
        FIELDS(SANGAM__MEMBER)                                                                           \
    } type;                                                                                              \
    typedef struct type##_list {                                                                         \
        type *items;                                                                                     \
        size_t count;                                                                                    \
    } type##_list;                                                                                       \
    SANGAM__UNUSED static const sangam_type *type##_type(void) {                                         \
        typedef struct type sangam__self;                                                                \
        static const sangam_field fields[] = {FIELDS(SANGAM__FIELD)};                                    \
        static const sangam_type made = {.about = text, .fields = fields,                                \
            .count = sizeof fields / sizeof fields[0], .size = sizeof(sangam__self),                     \
            .open = open_, .whole = whole_};                                                             \
        return &made;                                                                                    \
    }

#define SANGAM__MEMBER(kind_, member, ...) SANGAM__C_##kind_ member;
#define SANGAM__FIELD(kind_, member, ...) \
    {SANGAM__K_##kind_, .offset = offsetof(sangam__self, member), .name = #member, .about = __VA_ARGS__},

#define SANGAM__C_text sangam_text
#define SANGAM__C_number sangam_text
#define SANGAM__C_integer int64_t
#define SANGAM__C_maybe_integer sangam_maybe_integer
#define SANGAM__C_boolean bool
#define SANGAM__C_any const sangam_json *
#define SANGAM__C_texts sangam_text_list
#define SANGAM__C_integers sangam_integer_list
#define SANGAM__C_anys sangam_json_list
#define SANGAM__C_record(type) const type *
#define SANGAM__C_records(type) type##_list

#define SANGAM__K_text .kind = SANGAM_F_TEXT
#define SANGAM__K_number .kind = SANGAM_F_NUMBER
#define SANGAM__K_integer .kind = SANGAM_F_INTEGER
#define SANGAM__K_maybe_integer .kind = SANGAM_F_MAYBE_INTEGER
#define SANGAM__K_boolean .kind = SANGAM_F_BOOLEAN
#define SANGAM__K_any .kind = SANGAM_F_ANY
#define SANGAM__K_texts .kind = SANGAM_F_TEXTS
#define SANGAM__K_integers .kind = SANGAM_F_INTEGERS
#define SANGAM__K_anys .kind = SANGAM_F_ANYS
#define SANGAM__K_record(type) .kind = SANGAM_F_RECORD, .of = type##_type
#define SANGAM__K_records(type) .kind = SANGAM_F_RECORDS, .of = type##_type

SANGAM__RECORD(sangam_any, SANGAM__ANY, NULL, true, true)

#endif
