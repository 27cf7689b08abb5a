/*
 * From a checkpoint to one that counts: which witness is asked when and with which old size, what its answers mean, and when there is a
 * quorum. Pure: no clock, no network, no file.
 *
 * One checkpoint at a time is gathered for (a round). Each witness has a lane with at most one request under way, so that a slow or dead
 * one holds up nobody: a lane that is busy with an earlier round joins the present one when its answer or its failure is there. A round
 * ends with a quorum, and then takes the lines of those who answer within a moment more; without one it goes on until a newer checkpoint
 * takes its place.
 */
#ifndef LEDGER_GATHER_H
#define LEDGER_GATHER_H

#include "ledger/policy.h"

#define GATHER_GRACE_MS 100     /* after the quorum, for the others: more lines suit more verifiers */
#define GATHER_ROUND_MS 5000    /* without a quorum, before a newer checkpoint may take a round's place */
#define GATHER_RETRY_MIN_MS 100 /* after a first failure; doubles with each one more */
#define GATHER_RETRY_MAX_MS 2000
#define GATHER_CONFLICTS_MAX 3 /* answers "409, I know SIZE" of one witness in one round that are believed */
#define GATHER_LINE_MAX 640    /* bytes of a cosignature line: 100 and the witness's name */
#define GATHER_ANSWER_MAX 4096 /* bytes of an answer */

enum gather_trouble {
    GATHER_FINE,
    GATHER_SILENT,   /* no answer, or one that says that it cannot now */
    GATHER_STRANGER, /* 403, 404: it does not know the log, or not by this key */
    GATHER_AHEAD,    /* 409: it has cosigned more leaves of this log than there are: the data folder is an old copy, or the witness errs */
    GATHER_FORKED,   /* 409 for the same size, 422: what it has cosigned is no beginning of this log */
    GATHER_WRONG     /* any other answer that makes no sense, or a cosignature that is none */
};

struct gather_lane {
    uint64_t known_size;            /* of the checkpoint that the witness is thought to have cosigned last */
    uint64_t asked_old, asked_size; /* of the request under way, or the last one */
    bool is_busy, has_line;         /* has_line: it has cosigned this round's checkpoint */
    uint32_t n_failures, n_conflicts;
    int64_t retry_ms; /* not asked before */
    enum gather_trouble trouble;
    uint64_t claimed_size; /* GATHER_AHEAD */
    char line[GATHER_LINE_MAX];
};

struct gather {
    const struct policy *policy; /* kept */
    bool is_open;                /* a round is under way */
    uint64_t size;               /* of the round's checkpoint */
    struct buf note;             /* that checkpoint, signed by the log */
    int64_t begun_ms;
    int64_t met_ms; /* since when there is a quorum; -1: there is none */
    struct gather_lane lanes[POLICY_WITNESSES_MAX];
};

/* All lanes begin with `known_size`: that of the log's newest checkpoint. Whoever knows another says so. */
void gather_init(struct gather *gather, const struct policy *policy, uint64_t known_size);
void gather_finish(struct gather *gather);
/* A new round. Times are milliseconds of one steady clock. ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err gather_begin(struct gather *gather, uint64_t size, struct str note, int64_t now_ms) MUST_CHECK;
/* The next witness to be asked now, and with which old size; it is busy from here on. False: nobody. */
bool gather_next(struct gather *gather, int64_t now_ms, size_t *ret_witness, uint64_t *ret_old_size) MUST_CHECK;
/* The end of a request: `err` when there was no answer. ERR_NO_MEMORY: could not be judged, counts as silence. */
enum err gather_answer(struct gather *gather, size_t witness, enum err err, int status, struct str body, int64_t now_ms) MUST_CHECK;
bool gather_is_met(const struct gather *gather);
/* May the round end now, with what there is? */
bool gather_is_done(const struct gather *gather, int64_t now_ms);
/* The checkpoint with all its cosignatures, appended to `out`; the round ends. Errors stick in `out`. */
void gather_end(struct gather *gather, struct buf *out);
/* Milliseconds until gather_next() or gather_is_done() may have something new without an answer; -1: nothing. */
int64_t gather_wait_ms(const struct gather *gather, int64_t now_ms);
const char *gather_trouble_text(enum gather_trouble trouble); /* what it means and how to mend it */

#endif
