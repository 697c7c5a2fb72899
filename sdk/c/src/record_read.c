/* JSON becomes records; what does not fit is refused with the path of the field. */
#include <string.h>

#include "abi.h"

/* Where in the document we are; written out only for a failure. */
typedef struct place {
    const struct place *outer;
    sangam_text member; /* or, without one, the position */
    size_t index;
} place;

typedef struct decoding {
    const char *what;
} decoding;

static sangam_text path_of(const place *at) {
    if (!at) return SANGAM_TEXT("");
    sangam_text outer = path_of(at->outer);
    if (at->member.ptr) return sangam_format("%s.%s", outer.ptr, sangam_shown(at->member).ptr);
    return sangam_format("%s[%zu]", outer.ptr, at->index);
}

static sangam_failure *misfit(const decoding *d, const place *at, sangam_text reason) {
    return sangam__misfit(d->what, path_of(at).ptr, reason);
}

/* What a value is, for a person: `the string "x"`. */
static sangam_text shown(const sangam_json *value) {
    static const char *const kinds[] = {"null", NULL, NULL, NULL, "an array", "an object"};
    sangam_kind kind = sangam_json_kind(value);
    if (kind == SANGAM_BOOLEAN) return value->truth ? SANGAM_TEXT("true") : SANGAM_TEXT("false");
    if (kind == SANGAM_NUMBER) return sangam_format("the number %.*s", (int)(value->text.len > 40 ? 40 : value->text.len), value->text.ptr);
    if (kind == SANGAM_STRING) return sangam_format("the string \"%s\"", sangam_shown(value->text).ptr);
    return sangam_text_of(kinds[kind]);
}

static sangam_failure *expected(const decoding *d, const place *at, const char *kind, const sangam_json *value) {
    return misfit(d, at, sangam_format("expected %s, not %s", kind, shown(value).ptr));
}

static bool among(const char *choices, sangam_text text) {
    for (const char *from = choices;;) {
        size_t len = strcspn(from, "|");
        if (len == text.len && memcmp(from, text.ptr, len) == 0) return true;
        if (!from[len]) return false;
        from += len + 1;
    }
}

static sangam_failure *length(const decoding *d, const place *at, const sangam_field *field, size_t count, const char *of) {
    if (count < field->min_length) return misfit(d, at, sangam_format("has %zu %s, at least %zu are needed", count, of, field->min_length));
    if (field->max_length && count > field->max_length) {
        return misfit(d, at, sangam_format("has %zu %s, at most %zu are allowed", count, of, field->max_length));
    }
    return SANGAM_OK;
}

static sangam_failure *text(const decoding *d, const place *at, const sangam_field *field, const sangam_json *value, sangam_text *out) {
    if (sangam_json_kind(value) != SANGAM_STRING) return expected(d, at, "a string", value);
    *out = value->text;
    if (!field) return SANGAM_OK;
    if (field->one_of && !among(field->one_of, *out)) {
        return misfit(d, at, sangam_format("is %s, not one of %s", shown(value).ptr, field->one_of));
    }
    return length(d, at, field, sangam_text_characters(*out), "characters");
}

static sangam_failure *integer(const decoding *d, const place *at, const sangam_field *field, const sangam_json *value, int64_t *out) {
    if (!sangam_json_to_integer(value, out)) return expected(d, at, "an integer of 64 bits", value);
    if (field && field->bounded && (*out < field->minimum || *out > field->maximum)) {
        return misfit(d, at, sangam_format("is %lld, not between %lld and %lld", (long long)*out, (long long)field->minimum, (long long)field->maximum));
    }
    return SANGAM_OK;
}

static sangam_failure *record(const decoding *d, const place *at, const sangam_type *type, const sangam_json *value, void *out);

static sangam_failure *items(const decoding *d, const place *at, const sangam_field *field, const sangam_json *value, void *out) {
    if (sangam_json_kind(value) != SANGAM_ARRAY) return expected(d, at, "an array", value);
    /* The four kinds of lists have the same shape: a pointer and a count. */
    sangam_text_list list = {NULL, sangam_json_count(value)};
    SANGAM_TRY(length(d, at, field, list.count, "items"));
    size_t size = field->kind == SANGAM_F_TEXTS      ? sizeof(sangam_text)
                  : field->kind == SANGAM_F_INTEGERS ? sizeof(int64_t)
                  : field->kind == SANGAM_F_ANYS     ? sizeof(const sangam_json *)
                                                     : field->of()->size;
    char *room = sangam_alloc_array(list.count, size);
    place inner = {.outer = at, .index = 0};
    SANGAM_EACH(item, value) {
        void *to = room + inner.index * size;
        if (field->kind == SANGAM_F_TEXTS) {
            SANGAM_TRY(text(d, &inner, NULL, item, to));
        } else if (field->kind == SANGAM_F_INTEGERS) {
            SANGAM_TRY(integer(d, &inner, NULL, item, to));
        } else if (field->kind == SANGAM_F_ANYS) {
            memcpy(to, &item, sizeof item);
        } else {
            SANGAM_TRY(record(d, &inner, field->of(), item, to));
        }
        inner.index++;
    }
    list.items = (sangam_text *)(void *)room;
    memcpy(out, &list, sizeof list);
    return SANGAM_OK;
}

static sangam_failure *member(const decoding *d, const place *at, const sangam_field *field, const sangam_json *value, char *out) {
    switch (field->kind) {
    case SANGAM_F_TEXT: return text(d, at, field, value, (sangam_text *)(void *)out);
    case SANGAM_F_NUMBER:
        if (sangam_json_kind(value) != SANGAM_NUMBER) return expected(d, at, "a number", value);
        memcpy(out, &value->text, sizeof value->text);
        return SANGAM_OK;
    case SANGAM_F_INTEGER: return integer(d, at, field, value, (int64_t *)(void *)out);
    case SANGAM_F_MAYBE_INTEGER: {
        sangam_maybe_integer *maybe = (sangam_maybe_integer *)(void *)out;
        maybe->given = true;
        return integer(d, at, field, value, &maybe->value);
    }
    case SANGAM_F_BOOLEAN:
        if (sangam_json_kind(value) != SANGAM_BOOLEAN) return expected(d, at, "true or false", value);
        memcpy(out, &value->truth, sizeof(bool));
        return SANGAM_OK;
    case SANGAM_F_ANY: memcpy(out, &value, sizeof value); return SANGAM_OK;
    case SANGAM_F_RECORD: {
        const sangam_type *type = field->of();
        void *inner = sangam_alloc(type->size);
        SANGAM_TRY(record(d, at, type, value, inner));
        memcpy(out, &inner, sizeof inner);
        return SANGAM_OK;
    }
    default: return items(d, at, field, value, out);
    }
}

static void absent(const sangam_field *field, char *out) {
    if (field->kind == SANGAM_F_INTEGER) memcpy(out, &field->otherwise, sizeof field->otherwise);
    if (field->kind == SANGAM_F_TEXT && field->otherwise_text) {
        sangam_text otherwise = sangam_text_of(field->otherwise_text);
        memcpy(out, &otherwise, sizeof otherwise);
    }
}

static const char *key_of(const sangam_field *field) { return field->key ? field->key : field->name; }

static sangam_failure *unknown(const decoding *d, const place *at, const sangam_type *type, sangam_text name) {
    sangam_text known = SANGAM_TEXT("");
    for (size_t i = 0; i < type->count; i++) known = sangam_format("%s%s`%s`", known.ptr, i ? ", " : "", key_of(&type->fields[i]));
    return misfit(d, &(place){.outer = at, .member = name}, sangam_format("unknown field; there are %s", known.ptr));
}

static sangam_failure *record(const decoding *d, const place *at, const sangam_type *type, const sangam_json *value, void *out) {
    if (type->whole) {
        memcpy(out, &value, sizeof value);
        return SANGAM_OK;
    }
    if (sangam_json_kind(value) != SANGAM_OBJECT) return expected(d, at, "an object", value);
    for (size_t i = 0; i < type->count; i++) {
        const sangam_field *field = &type->fields[i];
        const sangam_json *found = sangam_json_get(value, key_of(field));
        char *to = (char *)out + field->offset;
        bool missing = field->optional ? sangam_json_is_null(found) && !(found && field->kind == SANGAM_F_ANY) : !found;
        if (missing && !field->optional) return misfit(d, at, sangam_format("missing field `%s`", key_of(field)));
        if (missing) {
            absent(field, to);
            continue;
        }
        place inner = {.outer = at, .member = sangam_text_of(key_of(field))};
        SANGAM_TRY(member(d, &inner, field, found, to));
    }
    if (type->open) return SANGAM_OK;
    SANGAM_EACH(given, value) {
        size_t i = 0;
        while (i < type->count && !sangam_text_is(given->key, key_of(&type->fields[i]))) i++;
        if (i == type->count) return unknown(d, at, type, given->key);
    }
    return SANGAM_OK;
}

sangam_failure *sangam_from_json(const sangam_type *type, const sangam_json *value, const char *what, void **out) {
    decoding d = {what};
    void *made = sangam_alloc(type->size);
    *out = NULL;
    SANGAM_TRY(record(&d, NULL, type, value, made));
    *out = made;
    return SANGAM_OK;
}

sangam_failure *sangam_decode(const sangam_type *type, sangam_text given, const char *what, void **out) {
    const sangam_json *value;
    *out = NULL;
    SANGAM_TRY(sangam_json_read(given, what, &value));
    return sangam_from_json(type, value, what, out);
}
