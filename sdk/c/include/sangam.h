/* Write Sangam connectors in C: everything a connector needs. The manual is README.md; each part below has its own header.
 *
 * Memory: whatever a function of the SDK gives lives until the call ends, and so does what sangam_alloc gives. Nothing is ever
 * freed by hand, and no function gives NULL for want of memory (a call that has none left traps, which counts as `retry`).
 */
#ifndef SANGAM_H
#define SANGAM_H

#define SANGAM_VERSION "0.1.0" /* of the contract, wit/ */

#include "sangam/text.h"    /* texts with lengths, formatting */
#include "sangam/json.h"    /* JSON values; numbers keep their digits */
#include "sangam/failure.h" /* how a call ends that does not succeed */
#include "sangam/record.h"  /* one declaration: struct, schema, decoder and encoder */
#include "sangam/call.h"    /* what an action knows of its call; undo; events to bring in */
#include "sangam/http.h"    /* requests, with names */
#include "sangam/fetch.h"   /* the same over wasi:http */
#include "sangam/kv.h"      /* a small durable store */
#include "sangam/log.h"     /* lines for the people who look at the run */
#include "sangam/source.h"  /* streams that bring events in */
#include "sangam/plugin.h"  /* what a plugin is, and its exports */

#endif
