/* JSON values. Numbers keep their digits (a 20-digit id, 10.10): they are text until somebody asks for an integer. */
#ifndef SANGAM_JSON_H
#define SANGAM_JSON_H

#include "sangam/failure.h"
#include "sangam/text.h"

typedef enum sangam_kind { SANGAM_NULL, SANGAM_BOOLEAN, SANGAM_NUMBER, SANGAM_STRING, SANGAM_ARRAY, SANGAM_OBJECT } sangam_kind;

/* A value. Functions that read take NULL for JSON null, so that look-ups can be chained:
 * sangam_json_text(sangam_json_get(sangam_json_get(answer, "error"), "code")). */
typedef struct sangam_json {
    sangam_kind kind;
    bool truth;                /* of a boolean */
    sangam_text text;          /* of a string; the digits of a number */
    sangam_text key;           /* of a member of an object */
    struct sangam_json *first; /* of an array or object */
    struct sangam_json *last;
    struct sangam_json *next; /* beside it in its array or object */
} sangam_json;

/* How deep arrays and objects may be within one another. */
#define SANGAM_JSON_DEPTH 128

/* Reads JSON text (RFC 8259, strictly). Of members with the same name the last one counts.
 * Rejected where it is none; `what` says in the reason what it was (`the answer of GET …`). */
sangam_failure *sangam_json_read(sangam_text text, const char *what, const sangam_json **value) SANGAM__MUST_USE;
/* Writes a value as JSON text, in the order its members were set. */
sangam_text sangam_json_write(const sangam_json *value);

/* JSON null for NULL. */
sangam_kind sangam_json_kind(const sangam_json *value);
bool sangam_json_is_null(const sangam_json *value);
/* The member of an object; NULL if there is none. */
const sangam_json *sangam_json_get(const sangam_json *object, const char *key);
/* How many items or members. */
size_t sangam_json_count(const sangam_json *value);
/* A string's text, a number's digits; an empty text for anything else. */
sangam_text sangam_json_text(const sangam_json *value);
/* An integer, exactly (`1e3` and `12.0` are integers). False where it is none, or none of 64 bits. */
bool sangam_json_to_integer(const sangam_json *value, int64_t *integer);
/* Whether it is `true`. */
bool sangam_json_is_true(const sangam_json *value);
/* Goes through an array or object: SANGAM_EACH(item, list) { … sangam_json_text(item) … item->key … } */
#define SANGAM_EACH(item, value) \
    for (const sangam_json *item = (value) ? (value)->first : NULL; item; item = item->next)

/* Make values. What is put into another value is complete by then: later changes to it don't show there. */
sangam_json *sangam_json_null(void);
sangam_json *sangam_json_boolean(bool truth);
sangam_json *sangam_json_integer(int64_t integer);
/* From the digits of a JSON number, such as "10.10"; traps where they are none. */
sangam_json *sangam_json_number(sangam_text digits);
/* A string; null from a text that is none. */
sangam_json *sangam_json_string(sangam_text text);
sangam_json *sangam_json_array(void);
sangam_json *sangam_json_object(void);
/* Adds to the end of an array; gives the array. */
sangam_json *sangam_json_push(sangam_json *array, const sangam_json *item);
/* Sets a member of an object, in place of one of that name; gives the object. */
sangam_json *sangam_json_set(sangam_json *object, const char *key, const sangam_json *value);

#endif
