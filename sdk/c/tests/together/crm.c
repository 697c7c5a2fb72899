/* Several runs at once: one request for the records of many runs, and to each run its own result. */
#include "sangam.h"

#define CONFIG(FIELD) FIELD(text, base_url, "Origin of the API.", .key = "base-url")
SANGAM_RECORD(config, CONFIG, NULL)

#define CONTACT(FIELD)        \
    FIELD(text, email, NULL)  \
    FIELD(text, name, NULL)
SANGAM_RECORD(contact, CONTACT, "Keeps a contact by its address.")

#define KEPT(FIELD) FIELD(text, id, "The CRM's id of it.")
SANGAM_OPEN_RECORD(kept, KEPT, "The contact as the CRM has it.")

static sangam_failure *keep_contact(const sangam_call *call, const contact *input, kept *output) {
    const config *config = call->config;
    sangam_text url = sangam_format("%s/contacts/%s", config->base_url.ptr, sangam_encode(input->email).ptr);
    sangam_request request = sangam_write("PUT", url, SANGAM_TEXT("contact"));
    sangam_body_json(&request, SANGAM_TO_JSON(contact, input));
    const sangam_response *answer;
    kept *made;
    SANGAM_TRY(sangam_send(&request, &answer));
    SANGAM_TRY(sangam_ok(answer));
    SANGAM_TRY(SANGAM_DECODE(kept, answer->body, "the contact", &made));
    *output = *made;
    return SANGAM_OK;
}

// ANCHOR: together
#define RECORD(FIELD)                            \
    FIELD(text, ref, NULL)                       \
    FIELD(text, id, NULL, .optional = true)      \
    FIELD(text, error, NULL, .optional = true)
SANGAM_OPEN_RECORD(record, RECORD, "What became of one of them.")

#define ANSWER(FIELD) FIELD(records(record), records, NULL)
SANGAM_OPEN_RECORD(answer, ANSWER, NULL)

static sangam_failure *keep_contacts(sangam_item *items, size_t count) {
    const config *config = items[0].call->config;
    /* What is sent follows from the items alone; the key of a run's step tells its record from others in the answer. */
    sangam_json *records = sangam_json_array();
    for (size_t i = 0; i < count; i++) {
        const contact *input = items[i].input;
        sangam_json *one = sangam_json_set(sangam_json_object(), "ref", sangam_json_string(items[i].call->idempotency_key));
        sangam_json_push(records, sangam_json_set(one, "contact", SANGAM_TO_JSON(contact, input)));
    }
    sangam_request request = sangam_write("POST", sangam_format("%s/contacts/batch", config->base_url.ptr), SANGAM_TEXT("contacts"));
    sangam_body_json(&request, sangam_json_set(sangam_json_object(), "records", records));
    const sangam_response *response;
    SANGAM_TRY(sangam_send(&request, &response));
    /* Refused as a whole for one of them: after a retry each goes alone. */
    if (response->status == 400 && count > 1) return sangam_after(sangam_retry("The CRM refused the batch"), 0);
    SANGAM_TRY(sangam_ok(response));
    answer *told;
    SANGAM_TRY(SANGAM_DECODE(answer, response->body, "the answer", &told));
    for (size_t i = 0; i < count; i++) { /* each has its own result */
        kept *output = items[i].output;
        items[i].failure = sangam_retry("The CRM did not say what became of the contact");
        for (size_t j = 0; j < told->records.count; j++) {
            const record *one = &told->records.items[j];
            if (!sangam_text_equal(one->ref, items[i].call->idempotency_key)) continue;
            items[i].failure = one->id.ptr ? SANGAM_OK : sangam_reject("The CRM refused the contact: %s", one->error.ptr);
            output->id = one->id;
        }
    }
    return SANGAM_OK;
}

#define ACTIONS(ACTION) \
    ACTION("keep-contact", "Keep a contact", keep_contact, contact, kept, .batch = {100, keep_contacts}) /* up to 100 runs in one call */
SANGAM_BATCHING(ACTIONS, .name = "crm", .version = "0.1.0", .title = "A CRM", .config = config_type, .hosts = SANGAM_LIST("${base-url}"))
// ANCHOR_END: together
