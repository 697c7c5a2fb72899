/* Lines for the people who look at the run. Put data into fields, not into the message; never secrets or payloads.
 *
 *     sangam_info("took parts from the warehouse", "sku", part->sku.ptr, "on-hand", sangam_format("%d", 7).ptr);
 *
 * After the message come names and values in turn. A NULL for a value is shown as empty. */
#ifndef SANGAM_LOG_H
#define SANGAM_LOG_H

#include "sangam/text.h"

typedef enum sangam_level { SANGAM_LOG_TRACE, SANGAM_LOG_DEBUG, SANGAM_LOG_INFO, SANGAM_LOG_WARN, SANGAM_LOG_ERROR } sangam_level;

#define sangam_trace(...) SANGAM_LOG(SANGAM_LOG_TRACE, __VA_ARGS__) /* every detail, for the author */
#define sangam_debug(...) SANGAM_LOG(SANGAM_LOG_DEBUG, __VA_ARGS__) /* what helps to find a mistake */
#define sangam_info(...) SANGAM_LOG(SANGAM_LOG_INFO, __VA_ARGS__)   /* what was done */
#define sangam_warn(...) SANGAM_LOG(SANGAM_LOG_WARN, __VA_ARGS__)   /* what is odd and was coped with */
#define sangam_error(...) SANGAM_LOG(SANGAM_LOG_ERROR, __VA_ARGS__) /* what went wrong */

#define SANGAM_LOG(level, ...)            \
    sangam_log(level, (const char *[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

/* Writes one line: `words` are the message, then names and values in turn. */
void sangam_log(sangam_level level, const char *const *words, size_t count);

#endif
