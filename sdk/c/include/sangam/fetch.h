/* The same requests over wasi:http@0.2, the door that other languages' HTTP clients use; the host applies the same policy and journal. C has no HTTP client
 * of its own: sangam_send does all that this does with less, so take this where code that you bring along has to go through wasi:http. A plugin that never
 * calls it imports nothing of wasi:http. */
#ifndef SANGAM_FETCH_H
#define SANGAM_FETCH_H

#include "sangam/http.h"

/* As sangam_send. Name and read-only mark travel as the headers `Sangam-Effect-Name` and `Sangam-Effect`, which the host takes off. */
sangam_failure *sangam_fetch(const sangam_request *request, const sangam_response **response) SANGAM__MUST_USE;

#endif
