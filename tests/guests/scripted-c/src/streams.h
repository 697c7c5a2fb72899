/* The streams of `scripted`: `feed` is polled, `hook` is sent to. Both do what they are told by what they read. */
#ifndef STREAMS_H
#define STREAMS_H

#include "sangam.h"

#define CONFIG(FIELD)                                                                           \
    FIELD(text, greeting, "Shown to whoever asks for it.", .optional = true, .otherwise_text = "") \
    FIELD(text, feed, "Origin of what the stream `feed` reads.", .optional = true, .otherwise_text = "")
SANGAM_RECORD(config, CONFIG, "Nothing to configure.")

sangam_failure *poll_feed(const sangam_source_call *call, sangam_page *page);
sangam_failure *receive_hook(const sangam_source_call *call, const sangam_inbound *request, sangam_received *received);

#endif
