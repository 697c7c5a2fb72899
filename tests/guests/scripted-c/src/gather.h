/* The action `gather` of `scripted`: an id is sent, alone or with those of others. */
#ifndef GATHER_H
#define GATHER_H

#include "sangam.h"

#define GATHER(FIELD)                                                                                                              \
    FIELD(text, url, "Where to.")                                                                                                  \
    FIELD(integer, id, NULL, SANGAM_RANGE(0, 4294967295))                                                                          \
    FIELD(text, kind, "How this one fails once it was sent: `retry`, `rate-limited`, `unauthorized` or `rejected`; not at all if empty.", .optional = true, .otherwise_text = "") \
    FIELD(integers, on, "Attempts on which it does; all if empty.", .optional = true)                                              \
    FIELD(text, emit, "Type of an event that it brings in; none if empty.", .optional = true, .otherwise_text = "")
SANGAM_RECORD(gather, GATHER, "An id to be sent.")

#define GATHERED(FIELD)                                  \
    FIELD(integer, id, NULL)                             \
    FIELD(integer, with, "How many were sent together.") \
    FIELD(text, key, "Of its step.")                     \
    FIELD(integer, attempt, NULL)
SANGAM_OPEN_RECORD(gathered, GATHERED, NULL)

sangam_failure *gather_one(const sangam_call *call, const gather *input, gathered *output);
sangam_failure *gather_all(sangam_item *items, size_t count);

#endif
