/* Records become JSON, and their declarations JSON Schemas. */
#include <string.h>

#include "abi.h"

static sangam_json *words(const char *text) { return sangam_json_string(sangam_text_of(text)); }

static const char *key_of(const sangam_field *field) { return field->key ? field->key : field->name; }

static sangam_json *listed(const sangam_field *field, const void *at) {
    sangam_text_list list; /* the four kinds of lists have the same shape */
    memcpy(&list, at, sizeof list);
    sangam_json *array = sangam_json_array();
    for (size_t i = 0; i < list.count; i++) {
        const char *items = (const char *)list.items;
        switch (field->kind) {
        case SANGAM_F_TEXTS: sangam_json_push(array, sangam_json_string(((const sangam_text *)(const void *)items)[i])); break;
        case SANGAM_F_INTEGERS: sangam_json_push(array, sangam_json_integer(((const int64_t *)(const void *)items)[i])); break;
        case SANGAM_F_ANYS: sangam_json_push(array, ((const sangam_json *const *)(const void *)items)[i]); break;
        default: sangam_json_push(array, sangam_to_json(field->of(), items + i * field->of()->size));
        }
    }
    return array;
}

/* NULL where there is nothing. */
static const sangam_json *member(const sangam_field *field, const void *at) {
    switch (field->kind) {
    case SANGAM_F_TEXT: {
        const sangam_text *text = at;
        return text->ptr ? sangam_json_string(*text) : field->optional ? NULL : words("");
    }
    case SANGAM_F_NUMBER: {
        const sangam_text *digits = at;
        return digits->ptr ? sangam_json_number(*digits) : field->optional ? NULL : sangam_json_integer(0);
    }
    case SANGAM_F_INTEGER: return sangam_json_integer(*(const int64_t *)at);
    case SANGAM_F_MAYBE_INTEGER: {
        const sangam_maybe_integer *maybe = at;
        return maybe->given ? sangam_json_integer(maybe->value) : NULL;
    }
    case SANGAM_F_BOOLEAN: return sangam_json_boolean(*(const bool *)at);
    case SANGAM_F_ANY: return *(const sangam_json *const *)at;
    case SANGAM_F_RECORD: {
        const void *inner = *(const void *const *)at;
        return inner ? sangam_to_json(field->of(), inner) : NULL;
    }
    default: return listed(field, at);
    }
}

sangam_json *sangam_to_json(const sangam_type *type, const void *record) {
    const char *bytes = record;
    if (type->whole) {
        const sangam_json *value = *(const sangam_json *const *)record;
        sangam_json *copy = sangam_json_null();
        if (value) *copy = *value;
        copy->next = NULL;
        return copy;
    }
    sangam_json *object = sangam_json_object();
    for (size_t i = 0; i < type->count; i++) {
        const sangam_field *field = &type->fields[i];
        const sangam_json *value = member(field, bytes + field->offset);
        if (value || !field->optional) sangam_json_set(object, key_of(field), value);
    }
    return object;
}

static void set_type(sangam_json *schema, const sangam_field *field, const char *kind) {
    if (!field->optional) {
        sangam_json_set(schema, "type", words(kind));
    } else {
        sangam_json_set(schema, "type", sangam_json_push(sangam_json_push(sangam_json_array(), words(kind)), words("null")));
    }
}

static sangam_json *choices(const sangam_field *field) {
    sangam_json *list = sangam_json_array();
    for (const char *from = field->one_of;;) {
        size_t len = strcspn(from, "|");
        sangam_json_push(list, sangam_json_string(sangam_copy(from, len)));
        if (!from[len]) break;
        from += len + 1;
    }
    return field->optional ? sangam_json_push(list, NULL) : list;
}

static void set_count(sangam_json *schema, const char *least, const char *most, const sangam_field *field) {
    if (field->min_length) sangam_json_set(schema, least, sangam_json_integer((int64_t)field->min_length));
    if (field->max_length) sangam_json_set(schema, most, sangam_json_integer((int64_t)field->max_length));
}

static sangam_json *typed(const char *kind) { return sangam_json_set(sangam_json_object(), "type", words(kind)); }

static sangam_json *field_schema(const sangam_field *field) {
    sangam_json *schema = sangam_json_object();
    switch (field->kind) {
    case SANGAM_F_TEXT:
        set_type(schema, field, "string");
        if (field->one_of) sangam_json_set(schema, "enum", choices(field));
        if (field->pattern) sangam_json_set(schema, "pattern", words(field->pattern));
        if (field->format) sangam_json_set(schema, "format", words(field->format));
        if (field->otherwise_text) sangam_json_set(schema, "default", words(field->otherwise_text));
        set_count(schema, "minLength", "maxLength", field);
        break;
    case SANGAM_F_NUMBER: set_type(schema, field, "number"); break;
    case SANGAM_F_INTEGER:
    case SANGAM_F_MAYBE_INTEGER:
        set_type(schema, field, "integer");
        if (field->bounded) {
            sangam_json_set(schema, "minimum", sangam_json_integer(field->minimum));
            sangam_json_set(schema, "maximum", sangam_json_integer(field->maximum));
        }
        if (field->optional && field->kind == SANGAM_F_INTEGER) sangam_json_set(schema, "default", sangam_json_integer(field->otherwise));
        break;
    case SANGAM_F_BOOLEAN: set_type(schema, field, "boolean"); break;
    case SANGAM_F_ANY: break;
    case SANGAM_F_RECORD:
        schema = sangam_schema(field->of());
        if (field->optional && !field->of()->whole) set_type(schema, field, "object");
        break;
    default:
        set_type(schema, field, "array");
        set_count(schema, "minItems", "maxItems", field);
        if (field->kind == SANGAM_F_TEXTS) sangam_json_set(schema, "items", typed("string"));
        if (field->kind == SANGAM_F_INTEGERS) sangam_json_set(schema, "items", typed("integer"));
        if (field->kind == SANGAM_F_RECORDS) sangam_json_set(schema, "items", sangam_schema(field->of()));
    }
    if (field->about) sangam_json_set(schema, "description", words(field->about));
    if (field->personal) sangam_json_set(schema, "x-personal", sangam_json_boolean(true));
    if (field->subject) sangam_json_set(schema, "x-subject", sangam_json_boolean(true));
    return schema;
}

sangam_json *sangam_schema(const sangam_type *type) {
    sangam_json *schema = sangam_json_object();
    if (type->about) sangam_json_set(schema, "description", words(type->about));
    if (type->whole) return schema;
    sangam_json *properties = sangam_json_object(), *required = sangam_json_array();
    for (size_t i = 0; i < type->count; i++) {
        const sangam_field *field = &type->fields[i];
        sangam_json_set(properties, key_of(field), field_schema(field));
        if (!field->optional) sangam_json_push(required, words(key_of(field)));
    }
    sangam_json_set(schema, "type", words("object"));
    sangam_json_set(schema, "properties", properties);
    if (required->first) sangam_json_set(schema, "required", required);
    if (!type->open) sangam_json_set(schema, "additionalProperties", sangam_json_boolean(false));
    return schema;
}
