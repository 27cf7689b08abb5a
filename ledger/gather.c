/*
 * Rounds and lanes. See ledger/gather.h.
 */
#include "ledger/gather.h"

#include <string.h>

void gather_init(struct gather *gather, const struct policy *policy, uint64_t known_size)
{
    *gather = (struct gather){.policy = policy, .met_ms = -1};
    buf_init(&gather->note, NOTE_MAX);
    for (size_t i = 0; i < POLICY_WITNESSES_MAX; i++)
        gather->lanes[i].known_size = known_size;
}

void gather_finish(struct gather *gather)
{
    buf_finish(&gather->note);
}

static size_t n_lanes(const struct gather *gather)
{
    return policy_n_witnesses(gather->policy);
}

static uint32_t cosigned(const struct gather *gather)
{
    uint32_t set = 0;
    for (size_t i = 0; i < n_lanes(gather); i++)
        if (gather->lanes[i].has_line)
            set |= (uint32_t)1 << i;
    return set;
}

bool gather_is_met(const struct gather *gather)
{
    return gather->is_open && gather->met_ms >= 0;
}

static void look_for_quorum(struct gather *gather, int64_t now_ms)
{
    if (gather->met_ms < 0 && policy_is_met(gather->policy, cosigned(gather)))
        gather->met_ms = now_ms;
}

enum err gather_begin(struct gather *gather, uint64_t size, struct str note, int64_t now_ms)
{
    buf_reset(&gather->note);
    buf_append_str(&gather->note, note);
    if (gather->note.err)
        return gather->note.err;
    gather->is_open = true;
    gather->size = size;
    gather->begun_ms = now_ms;
    gather->met_ms = -1;
    for (size_t i = 0; i < n_lanes(gather); i++) {
        gather->lanes[i].has_line = false;
        gather->lanes[i].n_conflicts = 0;
    }
    look_for_quorum(gather, now_ms); /* "quorum none" */
    return ERR_OK;
}

static bool is_waiting(const struct gather *gather, size_t at)
{
    const struct gather_lane *lane = &gather->lanes[at];
    return gather->is_open && !lane->is_busy && !lane->has_line && policy_witness(gather->policy, at)->url.len > 0;
}

bool gather_next(struct gather *gather, int64_t now_ms, size_t *ret_witness, uint64_t *ret_old_size)
{
    for (size_t i = 0; i < n_lanes(gather); i++) {
        struct gather_lane *lane = &gather->lanes[i];
        if (!is_waiting(gather, i) || lane->retry_ms > now_ms)
            continue;
        lane->is_busy = true;
        lane->asked_size = gather->size;
        /* one that claims to know more is asked with all we have: should it have been wrong, it answers with a size */
        lane->asked_old = lane->known_size < gather->size ? lane->known_size : gather->size;
        *ret_witness = i;
        *ret_old_size = lane->asked_old;
        return true;
    }
    return false;
}

/* ---- answers ---- */

static void retry_later(struct gather_lane *lane, enum gather_trouble trouble, int64_t now_ms)
{
    uint32_t doublings = lane->n_failures < 10 ? lane->n_failures : 10;
    int64_t wait_ms = (int64_t)GATHER_RETRY_MIN_MS << doublings;
    lane->n_failures++;
    lane->trouble = trouble;
    lane->retry_ms = now_ms + (wait_ms < GATHER_RETRY_MAX_MS ? wait_ms : GATHER_RETRY_MAX_MS);
}

/* 200: the body has to hold the witness's line for the checkpoint that it was asked about. */
static enum err take_line(struct gather *gather, size_t witness, struct str body, int64_t now_ms)
{
    struct gather_lane *lane = &gather->lanes[witness];
    struct buf note, line;
    struct str text;
    int64_t time_s;
    lane->known_size = lane->asked_size;
    if (!gather->is_open || lane->asked_size != gather->size) { /* of a round before: it has moved on, and so have we */
        lane->retry_ms = now_ms;
        return ERR_OK;
    }
    buf_init(&note, NOTE_MAX);
    buf_init(&line, GATHER_LINE_MAX - 1);
    buf_append_str(&note, buf_str(&gather->note));
    buf_append_str(&note, body);
    enum err err = note.err;
    if (!err)
        err = note_open_line(buf_str(&note), &policy_witness(gather->policy, witness)->key, &text, &line, &time_s, NULL);
    if (!err)
        err = str_to_c(buf_str(&line), lane->line, sizeof lane->line);
    if (!err) {
        lane->has_line = true;
        lane->trouble = GATHER_FINE;
        lane->n_failures = 0;
        look_for_quorum(gather, now_ms);
    } else {
        retry_later(lane, err == ERR_NO_MEMORY ? GATHER_SILENT : GATHER_WRONG, now_ms);
    }
    buf_finish(&note);
    buf_finish(&line);
    return err == ERR_NO_MEMORY ? err : ERR_OK;
}

/* 409: the size that the witness knows. */
static void take_conflict(struct gather *gather, struct gather_lane *lane, struct str body, int64_t now_ms)
{
    uint64_t size = 0;
    bool is_number = str_ends_with(body, STR("\n")) && !note_parse_number(str_slice(body, 0, body.len - 1), &size);
    if (is_number && size > gather->size) {
        lane->known_size = lane->claimed_size = size;
        retry_later(lane, GATHER_AHEAD, now_ms);
    } else if (is_number && size == lane->asked_old && size == lane->asked_size) {
        retry_later(lane, GATHER_FORKED, now_ms);
    } else if (!is_number || size == lane->asked_old || ++lane->n_conflicts > GATHER_CONFLICTS_MAX) {
        retry_later(lane, GATHER_WRONG, now_ms); /* no size, the one that it was asked with, or one after the other */
    } else {
        lane->known_size = size;
        lane->retry_ms = now_ms;
    }
}

enum err gather_answer(struct gather *gather, size_t witness, enum err err, int status, struct str body, int64_t now_ms)
{
    struct gather_lane *lane = &gather->lanes[witness];
    lane->is_busy = false;
    if (err || status >= 500 || status == 429)
        retry_later(lane, GATHER_SILENT, now_ms);
    else if (status == 200)
        return take_line(gather, witness, body, now_ms);
    else if (status == 409)
        take_conflict(gather, lane, body, now_ms);
    else if (status == 422)
        retry_later(lane, GATHER_FORKED, now_ms);
    else
        retry_later(lane, status == 403 || status == 404 ? GATHER_STRANGER : GATHER_WRONG, now_ms);
    return ERR_OK;
}

/* ---- the end of a round ---- */

bool gather_is_done(const struct gather *gather, int64_t now_ms)
{
    bool is_one_busy = false;
    if (!gather_is_met(gather))
        return false;
    for (size_t i = 0; i < n_lanes(gather); i++)
        is_one_busy |= gather->lanes[i].is_busy || (is_waiting(gather, i) && gather->lanes[i].retry_ms <= now_ms);
    return !is_one_busy || now_ms >= gather->met_ms + GATHER_GRACE_MS;
}

void gather_end(struct gather *gather, struct buf *out)
{
    buf_append_str(out, buf_str(&gather->note));
    for (size_t i = 0; i < n_lanes(gather); i++)
        if (gather->lanes[i].has_line)
            buf_append_c(out, gather->lanes[i].line);
    gather->is_open = false;
}

int64_t gather_wait_ms(const struct gather *gather, int64_t now_ms)
{
    int64_t due_ms = INT64_MAX;
    if (gather_is_met(gather))
        due_ms = gather->met_ms + GATHER_GRACE_MS;
    for (size_t i = 0; i < n_lanes(gather); i++)
        if (is_waiting(gather, i) && gather->lanes[i].retry_ms < due_ms)
            due_ms = gather->lanes[i].retry_ms;
    return due_ms == INT64_MAX ? -1 : due_ms > now_ms ? due_ms - now_ms : 0;
}

const char *gather_trouble_text(enum gather_trouble trouble)
{
    switch (trouble) {
    case GATHER_FINE:
        return "it cosigns";
    case GATHER_SILENT:
        return "it does not answer; look at its machine and at the way there";
    case GATHER_STRANGER:
        return "it does not know this log or this key; give it the verifier key of /log/v1/vkey";
    case GATHER_AHEAD:
        return "it has cosigned more leaves than this data folder has: the folder is an old copy. Stop, and restore the newest one; new "
               "leaves "
               "would take the numbers of lost ones";
    case GATHER_FORKED:
        return "what it has cosigned is no beginning of this log: the data folder was rolled back or changed. Stop, and restore the newest "
               "copy";
    case GATHER_WRONG:
        return "its answers make no sense; it may run another program, or have another key than the policy says";
    }
    return "";
}
