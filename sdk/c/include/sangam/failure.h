/* How a call ends that does not succeed: again, or never? */
#ifndef SANGAM_FAILURE_H
#define SANGAM_FAILURE_H

#include "sangam/text.h"

struct sangam_json;

typedef enum sangam_failure_kind {
    SANGAM_RETRY,        /* it may work later: a time-out, a 5xx, a lock held elsewhere; uses up one attempt */
    SANGAM_RATE_LIMITED, /* the system asks for patience; uses up no attempt */
    SANGAM_UNAUTHORIZED, /* the credential was refused; the host renews it once, then the step is paused */
    SANGAM_REJECTED,     /* trying again can't help */
} sangam_failure_kind;

/* Functions that can fail give a failure, or SANGAM_OK. People read the reason in the timeline of the run: say in one sentence what was
 * tried, what the system answered and, where it is known, what to do. Never put a secret in it. */
typedef struct sangam_failure {
    sangam_failure_kind kind;
    sangam_text reason;                /* at most 4 KiB are kept */
    bool has_after;
    uint64_t after_ms;                 /* when trying again makes sense */
    const struct sangam_json *details; /* at most 64 KiB are kept; NULL for none */
} sangam_failure;

/* It went well. */
#define SANGAM_OK ((sangam_failure *)0)

/* return sangam_reject("the employee %s has no contract on %s", …); */
sangam_failure *sangam_retry(const char *reason, ...) SANGAM__PRINTF(1, 2);
sangam_failure *sangam_rate_limited(const char *reason, ...) SANGAM__PRINTF(1, 2);
sangam_failure *sangam_unauthorized(const char *reason, ...) SANGAM__PRINTF(1, 2);
sangam_failure *sangam_reject(const char *reason, ...) SANGAM__PRINTF(1, 2);

/* Say more of a failure; each gives the failure itself: return sangam_after(sangam_retry("…"), 5000); */
sangam_failure *sangam_after(sangam_failure *failure, uint64_t milliseconds);
sangam_failure *sangam_details(sangam_failure *failure, const struct sangam_json *details);

/* Leaves the function with the failure, if there is one: SANGAM_TRY(sangam_kv_set(…)); */
#define SANGAM_TRY(expression)                           \
    do {                                                 \
        sangam_failure *sangam__failure_ = (expression); \
        if (sangam__failure_) return sangam__failure_;   \
    } while (0)

#endif
