/* The descriptor of a plugin: JSON under wit/descriptor.schema.json. It says nothing but what was declared, and calls no import. */
#include <stdlib.h>

#include "abi.h"

static sangam_json *words(const char *text) { return sangam_json_string(sangam_text_of(text)); }

static void set_words(sangam_json *object, const char *key, const char *text) {
    if (text) sangam_json_set(object, key, words(text));
}

static void set_list(sangam_json *object, const char *key, const char *const *list) {
    if (!list) return;
    sangam_json *array = sangam_json_array();
    for (; *list; list++) sangam_json_push(array, words(*list));
    sangam_json_set(object, key, array);
}

static sangam_json *configuration(const sangam_plugin *plugin) {
    if (plugin->config) return sangam_schema(plugin->config());
    sangam_json *nothing = sangam_json_set(sangam_json_object(), "type", words("object"));
    return sangam_json_set(nothing, "additionalProperties", sangam_json_boolean(false));
}

/* The input's description is the action's; in the schema it would stand a second time. */
static sangam_json *input_schema(const sangam_type *type) {
    sangam_type bare = *type;
    bare.about = NULL;
    return sangam_schema(&bare);
}

static sangam_json *action(const sangam_action *action) {
    sangam_json *object = sangam_json_object();
    set_words(object, "name", action->name);
    set_words(object, "title", action->title);
    set_words(object, "description", action->about ? action->about : action->input()->about);
    sangam_json_set(object, "input", input_schema(action->input()));
    sangam_json_set(object, "output", sangam_schema(action->output()));
    if (action->idempotent) sangam_json_set(object, "idempotent", sangam_json_boolean(true));
    set_words(object, "undo", action->undo);
    if (action->batch.run) sangam_json_set(object, "batch", sangam_json_integer(action->batch.most));
    return object;
}

static sangam_json *stream(const sangam_stream *stream) {
    sangam_json *object = sangam_json_object();
    set_words(object, "name", stream->name);
    set_words(object, "title", stream->title);
    sangam_json_set(object, "poll", sangam_json_boolean(stream->poll));
    sangam_json_set(object, "receive", sangam_json_boolean(stream->receive));
    set_list(object, "types", stream->types);
    return object;
}

sangam_text sangam__descriptor(const sangam_plugin *plugin) {
    sangam_json *object = sangam_json_object();
    set_words(object, "name", plugin->name);
    set_words(object, "version", plugin->version);
    set_words(object, "title", plugin->title);
    set_words(object, "description", plugin->about);
    sangam_json_set(object, "configuration", configuration(plugin));
    set_list(object, "hosts", plugin->hosts);
    set_list(object, "read_only", plugin->read_only);
    set_list(object, "emits", plugin->emits);
    sangam_json *actions = sangam_json_array(), *streams = sangam_json_array();
    for (size_t i = 0; i < plugin->action_count; i++) sangam_json_push(actions, action(&plugin->actions[i]));
    for (size_t i = 0; i < plugin->stream_count; i++) sangam_json_push(streams, stream(&plugin->streams[i]));
    if (actions->first) sangam_json_set(object, "actions", actions);
    if (streams->first) sangam_json_set(object, "streams", streams);
    return sangam_json_write(object);
}

void *sangam__describe(const sangam_plugin *plugin) {
    sangam_text *area = sangam_alloc(sizeof *area);
    *area = sangam__descriptor(plugin);
    return area;
}
