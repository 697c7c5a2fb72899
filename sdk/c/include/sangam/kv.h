/* A small durable store, one space for each plugin, shared by all its runs. See wit/key-value.wit.
 *
 * Writes take effect together with the success of the step (or with the events of a poll), and not at all otherwise. Reading, computing and
 * writing back is safe: if another run changes a key in between, the attempt is made again. Read first: once the step has sent
 * a write, reading a key it had not read before is refused. Keys have up to 512 bytes, values 256 KiB.
 *
 * All failures are rejected, but `retry` where the store can't be reached. */
#ifndef SANGAM_KV_H
#define SANGAM_KV_H

#include "sangam/record.h"

/* The value of a key; none if there is none. */
sangam_failure *sangam_kv_get(sangam_text key, sangam_text *value) SANGAM__MUST_USE;
/* Sets a value. Without reading the key before, the last one counts. */
sangam_failure *sangam_kv_set(sangam_text key, sangam_text value) SANGAM__MUST_USE;
/* Removes a key; nothing happens if there is none. */
sangam_failure *sangam_kv_delete(sangam_text key) SANGAM__MUST_USE;
/* Adds to a decimal integer kept as text (an absent key counts as 0) and gives the sum. Counts as reading. */
sangam_failure *sangam_kv_increment(sangam_text key, int64_t delta, int64_t *sum) SANGAM__MUST_USE;
/* Sets the value if the present one is `expected` (none: absent); says whether it did. Counts as reading. */
sangam_failure *sangam_kv_compare_and_swap(sangam_text key, sangam_text expected, sangam_text value, bool *done) SANGAM__MUST_USE;
/* Keys with a prefix in byte order, at most `limit` (1 to 1000) from `cursor` on (none: from the start); `next` is the cursor of the next page, none at the
 * end. Counts as reading the whole prefix. */
sangam_failure *sangam_kv_list(sangam_text prefix, sangam_text cursor, uint32_t limit, sangam_text_list *keys,
    sangam_text *next) SANGAM__MUST_USE;

/* A value as JSON of a record: day *found; SANGAM_TRY(SANGAM_KV_GET(day, key, &found)); NULL if there is none. */
#define SANGAM_KV_GET(type, key, out) sangam_kv_get_record(type##_type(), key, (void **)(1 ? (out) : (type **)0))
#define SANGAM_KV_SET(type, key, record) sangam_kv_set(key, sangam_json_write(SANGAM_TO_JSON(type, record)))
sangam_failure *sangam_kv_get_record(const sangam_type *type, sangam_text key, void **record) SANGAM__MUST_USE;

#endif
