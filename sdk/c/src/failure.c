/* Failures: making them, and handing them to the host. */
#include <stdarg.h>

#include "abi.h"

sangam_text sangam__format(const char *format, va_list arguments);

static sangam_failure *make(sangam_failure_kind kind, const char *reason, va_list arguments) {
    sangam_failure *made = sangam_alloc(sizeof *made);
    made->kind = kind;
    made->reason = sangam__format(reason, arguments);
    return made;
}

#define MAKES(function, kind)                               \
    sangam_failure *function(const char *reason, ...) {     \
        va_list arguments;                                  \
        va_start(arguments, reason);                        \
        sangam_failure *made = make(kind, reason, arguments); \
        va_end(arguments);                                  \
        return made;                                        \
    }

MAKES(sangam_retry, SANGAM_RETRY)
MAKES(sangam_rate_limited, SANGAM_RATE_LIMITED)
MAKES(sangam_unauthorized, SANGAM_UNAUTHORIZED)
MAKES(sangam_reject, SANGAM_REJECTED)

sangam_failure *sangam_after(sangam_failure *failure, uint64_t milliseconds) {
    failure->has_after = true;
    failure->after_ms = milliseconds;
    return failure;
}

sangam_failure *sangam_details(sangam_failure *failure, const sangam_json *details) {
    failure->details = details;
    return failure;
}

sangam_failure *sangam__misfit(const char *what, const char *path, sangam_text reason) {
    sangam_failure *failure = sangam_reject("%s%s: %s", what, path, reason.ptr);
    return sangam_details(failure, sangam_json_set(sangam_json_object(), "path", sangam_json_string(sangam_text_of(path))));
}

void sangam__lower_failure(const sangam_failure *failure, abi_failure *lowered) {
    lowered->kind = (uint8_t)failure->kind;
    lowered->problem.reason = sangam__utf8(failure->reason);
    lowered->problem.after_ms.some = failure->has_after;
    lowered->problem.after_ms.value = failure->after_ms;
    if (failure->details) {
        lowered->problem.details.some = 1;
        lowered->problem.details.text = sangam_json_write(failure->details);
    }
}
