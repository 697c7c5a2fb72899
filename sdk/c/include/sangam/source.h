/* Streams: how a plugin brings events in. Streams may only read. See wit/events.wit. */
#ifndef SANGAM_SOURCE_H
#define SANGAM_SOURCE_H

#include "sangam/call.h"
#include "sangam/http.h"

/* The call of a stream. */
typedef struct sangam_source_call {
    const void *config;      /* as in sangam_call */
    sangam_text source;      /* name of the source */
    sangam_text since;       /* where the first poll starts, RFC 3339; none where it is not said */
    sangam_text deadline;    /* RFC 3339 */
    sangam_text traceparent;
    sangam_text cursor; /* of a poll: the last `next_cursor`; none the first time: then start at `since` */
    uint32_t limit;     /* of a poll: the most events wanted */
} sangam_source_call;

/* One page of a stream. */
typedef struct sangam_page {
    sangam_text next_cursor; /* where the next poll starts; kept only together with the events. None keeps the present one */
    bool more;               /* there is more now: poll again at once */
    struct sangam_parcel *parcel; /* what was added to it */
} sangam_page;

/* Adds an event, oldest first. Give each an `id` made of the record and its version, and a `time`. */
void sangam_page_add(sangam_page *page, sangam_new_event event);
/* Sets aside a record that can't be made into an event. It is kept with its reason, shown, and stops nothing. */
void sangam_page_set_aside(sangam_page *page, const sangam_json *record, sangam_text reason);

/* A request that came in at `POST /hooks/SOURCE`, verified already. */
typedef struct sangam_inbound {
    sangam_text method;
    sangam_text path;           /* with its query, as it came */
    sangam_header_list headers; /* names in lower case */
    sangam_text body;
} sangam_inbound;

/* What a webhook comes to: events, and what the sender is answered once they are durable. */
typedef struct sangam_received {
    int status; /* 200 unless set */
    sangam_header_list headers;
    sangam_text body;
    struct sangam_parcel *parcel;
} sangam_received;

void sangam_received_add(sangam_received *received, sangam_new_event event);
/* The first header of that name, in whatever case; none if there is none. */
sangam_text sangam_inbound_header(const sangam_inbound *request, const char *name);

typedef sangam_failure *sangam_poll_function(const sangam_source_call *call, sangam_page *page);
typedef sangam_failure *sangam_receive_function(const sangam_source_call *call, const sangam_inbound *request, sangam_received *received);

#endif
