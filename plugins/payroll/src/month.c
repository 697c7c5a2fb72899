/* What is kept: one key for each employee and month, so that whole months are read with few keys. */
#include <string.h>

#include "payroll.h"

/* `month/2026-11/M%C3%BCller`: encoded, so that no reference runs into another part of the key. */
static sangam_text key_of(sangam_text period, sangam_text employee_ref) {
    return sangam_format("month/%s/%s", period.ptr, sangam_encode(employee_ref).ptr);
}

sangam_failure *load_month(sangam_text period, sangam_text employee_ref, const month **found) {
    month *kept;
    SANGAM_TRY(SANGAM_KV_GET(month, key_of(period, employee_ref), &kept));
    if (!kept) {
        kept = sangam_alloc(sizeof *kept);
        kept->employee_ref = employee_ref;
    }
    *found = kept;
    return SANGAM_OK;
}

sangam_failure *load_period(sangam_text period, month_list *months) {
    enum { PAGE = 1000 };
    sangam_text prefix = sangam_format("month/%s/", period.ptr), cursor = {NULL, 0};
    *months = (month_list){NULL, 0};
    do {
        sangam_text_list keys;
        SANGAM_TRY(sangam_kv_list(prefix, cursor, PAGE, &keys, &cursor));
        month *more = sangam_alloc_array(months->count + keys.count, sizeof *more);
        if (months->count) memcpy(more, months->items, months->count * sizeof *more);
        months->items = more;
        for (size_t i = 0; i < keys.count; i++) {
            month *kept;
            SANGAM_TRY(SANGAM_KV_GET(month, keys.items[i], &kept));
            if (kept) months->items[months->count++] = *kept;
        }
    } while (cursor.ptr);
    return SANGAM_OK;
}

static int order(const entry *a, sangam_text date, sangam_text job_ref) {
    int days = sangam_text_compare(a->date, date);
    return days ? days : sangam_text_compare(a->job_ref, job_ref);
}

const month *with_entry(const month *before, sangam_text date, sangam_text job_ref, const entry *added, const entry **replaced) {
    month *after = sangam_alloc(sizeof *after);
    after->employee_ref = before->employee_ref;
    after->entries.items = sangam_alloc_array(before->entries.count + 1, sizeof *after->entries.items);
    *replaced = NULL;
    bool put = !added;
    for (size_t i = 0; i < before->entries.count; i++) {
        const entry *present = &before->entries.items[i];
        int place = order(present, date, job_ref);
        if (place >= 0 && !put) {
            after->entries.items[after->entries.count++] = *added;
            put = true;
        }
        if (place == 0) {
            *replaced = present;
        } else {
            after->entries.items[after->entries.count++] = *present;
        }
    }
    if (!put) after->entries.items[after->entries.count++] = *added;
    return after;
}

sangam_failure *keep_month(sangam_text period, const month *kept) {
    sangam_text key = key_of(period, kept->employee_ref);
    if (kept->entries.count == 0) return sangam_kv_delete(key);
    return SANGAM_KV_SET(month, key, kept);
}
