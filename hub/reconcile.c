/*
 * The rules of reconciliation, numbered as in docs/reconcile.md.
 */
#include "hub/reconcile.h"

#include "base/mem.h"

#include <string.h>

#define QUEUE_MAX 64 /* times that are told apart; the newest takes the rest */
#define QUEUE_STEP_MS 250
#define STATEMENTS_MIN 1000 /* before so many a server's restart is not told from statements that end out of turn */

struct waiting { /* counts that one side waits with for the other, the oldest first */
    struct {
        int64_t ms;
        uint64_t n;
        uint32_t finding; /* of a read: whose it is when nobody claims it */
    } items[QUEUE_MAX];
    size_t n;
};

struct own {          /* a session of the hub's */
    uint64_t session; /* 0: free */
    bool is_former, is_closed;
    int64_t closed_ms;
    uint64_t statement;   /* of the last line: a statement of two tables has two */
    struct waiting ran;   /* statements that are not in the audit yet */
    struct waiting maybe; /* and of which nobody knows whether they will be */
    struct waiting read;  /* lines of the audit that are not the hub's yet */
};

struct other {        /* any session, as its lines tell */
    uint64_t session; /* 0: free */
    uint64_t number;
    uint64_t statement;
    uint32_t finding; /* of its last read */
    int64_t seen_ms;
};

struct reconcile {
    const struct reconcile_options *options;
    struct own owns[RECONCILE_SESSIONS_MAX];
    struct other others[RECONCILE_OTHERS_MAX]; /* hashed, 8 places each */
    struct reconcile_finding findings[RECONCILE_FINDINGS_MAX];
    size_t n_findings;
    int64_t horizon_ms; /* sessions that began after it are known from their first line on */
    uint64_t statement; /* the highest of a form without numbers of lines */
    int64_t asked_ms;   /* since then the hub has read, and nothing of it was in the audit; 0: not so */
};

enum err reconcile_create(const struct reconcile_options *options, struct reconcile **ret_state)
{
    struct reconcile *state = mem_alloc_zero(1, sizeof *state);
    if (!state)
        return ERR_NO_MEMORY;
    state->options = options;
    state->horizon_ms = options->start_ms;
    *ret_state = state;
    return ERR_OK;
}

void reconcile_destroy(struct reconcile *state)
{
    mem_free(state);
}

/* ---- findings ---- */

static bool is_same(const struct reconcile_finding *a, const struct reconcile_finding *b)
{
    return a->kind == b->kind && strcmp(a->role, b->role) == 0 && strcmp(a->address, b->address) == 0 && strcmp(a->table, b->table) == 0;
}

/* The place of the oldest finding that has been told and is over; FINDINGS_MAX: none. */
static size_t spare(const struct reconcile *state, int64_t now_ms)
{
    size_t best = RECONCILE_FINDINGS_MAX;
    for (size_t i = 0; i < state->n_findings; i++) {
        const struct reconcile_finding *finding = &state->findings[i];
        if (!finding->is_changed && now_ms - finding->last_ms > RECONCILE_ANEW_MS &&
            (best == RECONCILE_FINDINGS_MAX || finding->last_ms < state->findings[best].last_ms))
            best = i;
    }
    return best;
}

static uint32_t find(struct reconcile *state, const struct reconcile_finding *like, int64_t now_ms)
{
    static const struct reconcile_finding rest = {.kind = RECONCILE_FOREIGN, .role = "…", .table = "…"};
    for (size_t i = 0; i < state->n_findings; i++)
        if (is_same(&state->findings[i], like))
            return (uint32_t)i;
    size_t at = state->n_findings;
    if (at == RECONCILE_FINDINGS_MAX)
        at = spare(state, now_ms);
    else if (at < RECONCILE_FINDINGS_MAX - RECONCILE_N_KINDS || like->kind != RECONCILE_FOREIGN || is_same(like, &rest))
        state->n_findings++; /* the last places are for the other kinds, and for the rest */
    else
        at = spare(state, now_ms);
    if (at == RECONCILE_FINDINGS_MAX)
        return is_same(like, &rest) ? 0 : find(state, &rest, now_ms);
    state->findings[at] = *like;
    state->findings[at].last_ms = now_ms;
    return (uint32_t)at;
}

static void count(struct reconcile *state, uint32_t at, uint64_t n, int64_t now_ms)
{
    struct reconcile_finding *finding = &state->findings[at];
    if (finding->n == 0 || now_ms - finding->last_ms > RECONCILE_ANEW_MS) {
        finding->n = 0;
        finding->first_ms = now_ms;
    }
    finding->n += n;
    finding->last_ms = now_ms;
    finding->is_changed = true;
    finding->is_green = false;
}

static void count_kind(struct reconcile *state, enum reconcile_kind kind, uint64_t n, int64_t now_ms)
{
    const struct reconcile_finding like = {.kind = kind};
    count(state, find(state, &like, now_ms), n, now_ms);
}

const struct reconcile_finding *reconcile_take(struct reconcile *state)
{
    for (size_t i = 0; i < state->n_findings; i++)
        if (state->findings[i].is_changed) {
            state->findings[i].is_changed = false;
            return &state->findings[i];
        }
    return NULL;
}

void reconcile_again(struct reconcile *state, const struct reconcile_finding *finding)
{
    state->findings[finding - state->findings].is_changed = true;
}

void reconcile_restore(struct reconcile *state, const struct reconcile_finding *finding)
{
    if (state->n_findings < RECONCILE_FINDINGS_MAX - RECONCILE_N_KINDS)
        state->findings[state->n_findings++] = *finding;
}

/* ---- counts that wait ---- */

static void put(struct waiting *queue, uint64_t n, uint32_t finding, int64_t now_ms)
{
    size_t last = queue->n - 1;
    if (n == 0)
        return;
    bool is_near = queue->n > 0 && queue->items[last].finding == finding && now_ms - queue->items[last].ms < QUEUE_STEP_MS;
    if (is_near || queue->n == QUEUE_MAX) {
        queue->items[last].n += n;
        return;
    }
    queue->items[queue->n].ms = now_ms;
    queue->items[queue->n].n = n;
    queue->items[queue->n++].finding = finding;
}

static void drop_first(struct waiting *queue)
{
    queue->n--;
    memmove(&queue->items[0], &queue->items[1], queue->n * sizeof queue->items[0]);
}

/* At most `n`, the oldest first; how many there were. */
static uint64_t take_n(struct waiting *queue, uint64_t n)
{
    uint64_t taken = 0;
    while (taken < n && queue->n > 0) {
        uint64_t most = n - taken;
        if (queue->items[0].n > most) {
            queue->items[0].n -= most;
            return n;
        }
        taken += queue->items[0].n;
        drop_first(queue);
    }
    return taken;
}

static bool is_over(const struct waiting *queue, int64_t now_ms)
{
    return queue->n > 0 && now_ms - queue->items[0].ms >= RECONCILE_WAIT_MS;
}

/* ---- sessions ---- */

static struct own *own_of(struct reconcile *state, uint64_t session)
{
    for (size_t i = 0; i < RECONCILE_SESSIONS_MAX && session; i++)
        if (state->owns[i].session == session)
            return &state->owns[i];
    return NULL;
}

/* 1: a session is the hub's own from the moment the hub says so, before anything is read over it */
static void open_own(struct reconcile *state, uint64_t session, bool is_former, int64_t now_ms)
{
    struct own *own = own_of(state, session);
    if (session == 0)
        return;
    for (size_t i = 0; i < RECONCILE_SESSIONS_MAX && !own; i++)
        if (state->owns[i].session == 0)
            own = &state->owns[i];
    for (size_t i = 0; i < RECONCILE_SESSIONS_MAX && !own; i++)
        if (state->owns[i].is_closed || state->owns[i].is_former)
            own = &state->owns[i];
    for (size_t i = 0; i < RECONCILE_SESSIONS_MAX; i++) {
        struct own *than = &state->owns[i];
        if (own && own->session && own->session != session && (than->is_closed || than->is_former) && than->closed_ms < own->closed_ms)
            own = than; /* the longest ended gives way */
    }
    if (own)
        *own = (struct own){.session = session, .is_former = is_former, .closed_ms = now_ms};
}

/* 2: a statement that ran is either in the audit already, or waits for it */
static void ran(struct reconcile *state, struct own *own, uint64_t n, uint64_t n_maybe, int64_t now_ms)
{
    uint64_t n_left = n - take_n(&own->read, n);
    if (n_left > 0 && state->asked_ms == 0)
        state->asked_ms = now_ms;
    put(&own->ran, n_left, 0, now_ms);
    put(&own->maybe, n_maybe - take_n(&own->read, n_maybe), 0, now_ms);
}

/* 3: a line of one of the hub's sessions is one of its statements; one too many waits for the hub to claim it */
static void read_own(struct reconcile *state, struct own *own, const struct hub_audit_line *line, uint32_t finding, int64_t now_ms)
{
    if (own->statement == line->statement)
        return;
    own->statement = line->statement;
    if (state->asked_ms) {
        const struct reconcile_finding silent = {.kind = RECONCILE_SILENT};
        state->asked_ms = 0;
        for (size_t i = 0; i < state->n_findings; i++)
            if (is_same(&state->findings[i], &silent) && !state->findings[i].is_green && state->findings[i].n > 0)
                state->findings[i].is_green = state->findings[i].is_changed = true; /* 8, its end */
    }
    if (own->is_former || take_n(&own->ran, 1) || take_n(&own->maybe, 1))
        return;
    put(&own->read, 1, finding, now_ms);
}

/* ---- lines ---- */

static struct other *other_of(struct reconcile *state, uint64_t session, int64_t now_ms)
{
    uint64_t hash = (session ^ session >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    struct other *places = &state->others[(hash >> 32) % (RECONCILE_OTHERS_MAX / 8) * 8], *oldest = &places[0];
    for (size_t i = 0; i < 8; i++) {
        if (places[i].session == session)
            return &places[i];
        if (places[i].session == 0 || (oldest->session != 0 && places[i].seen_ms < oldest->seen_ms))
            oldest = &places[i];
    }
    if (oldest->session != 0) /* whoever is forgotten is not known from its first line on, should it come again */
        state->horizon_ms = now_ms;
    *oldest = (struct other){.session = session, .finding = UINT32_MAX};
    return oldest;
}

/* 6: the lines of a session are numbered without gaps */
static void look_at_number(struct reconcile *state, struct other *other, const struct hub_audit_line *line, int64_t now_ms)
{
    bool is_known = other->number > 0 || (int64_t)(line->session >> 32) * 1000 > state->horizon_ms + RECONCILE_SKEW_MS;
    if (is_known && line->number > other->number + 1)
        count_kind(state, RECONCILE_GAP, line->number - other->number - 1, now_ms);
    if (line->number > other->number)
        other->number = line->number;
}

/* 9: MariaDB gives the numbers of connections anew when it was started again, which its statements' numbers tell: whoever has that of an
 * ended session of the hub's now is not the hub */
static void look_for_restart(struct reconcile *state, const struct hub_audit_line *line)
{
    bool is_restarted = line->statement > 0 && state->statement >= STATEMENTS_MIN && line->statement < state->statement / 2;
    for (size_t i = 0; i < RECONCILE_SESSIONS_MAX && is_restarted; i++)
        if (state->owns[i].is_closed || state->owns[i].is_former)
            state->owns[i].session = 0;
    if (is_restarted || line->statement > state->statement)
        state->statement = line->statement;
}

static bool is_among(const struct str *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (str_equal_c(list[i], name))
            return true;
    return false;
}

static void read_line(struct reconcile *state, const struct hub_audit_line *line, int64_t now_ms)
{
    const struct reconcile_options *options = state->options;
    struct other *other = line->session ? other_of(state, line->session, now_ms) : NULL;
    if (line->what == HUB_AUDIT_UNREADABLE) /* 7: a line that cannot be read is told, never passed over */
        count_kind(state, RECONCILE_UNREADABLE, 1, now_ms);
    if (other) {
        other->seen_ms = now_ms;
        if (line->number)
            look_at_number(state, other, line, now_ms);
        else
            look_for_restart(state, line);
    }
    if (line->what != HUB_AUDIT_READ || !other || (!str_is_empty(options->database) && !str_equal_c(options->database, line->database)))
        return;
    struct own *own = own_of(state, line->session);
    struct reconcile_finding like = {.kind = RECONCILE_FOREIGN};
    memcpy(like.role, line->role, sizeof like.role);
    memcpy(like.address, line->address, sizeof like.address);
    memcpy(like.table, line->table, sizeof like.table);
    if (own) {
        bool is_claimed = own->is_former || own->ran.n || own->maybe.n || own->statement == line->statement;
        read_own(state, own, line, is_claimed ? 0 : find(state, &like, now_ms), now_ms);
        return;
    }
    /* 4: any other session is foreign, unless the department's file names its role; a statement counts once for a table */
    if (is_among(options->own, options->n_own, line->role) ||
        (options->n_tables && !is_among(options->tables, options->n_tables, line->table)))
        return;
    uint32_t finding = find(state, &like, now_ms);
    if (other->statement == line->statement && other->finding == finding)
        return;
    other->statement = line->statement;
    other->finding = finding;
    count(state, finding, 1, now_ms);
}

/* ---- time ---- */

static void look_at_own(struct reconcile *state, struct own *own, int64_t now_ms)
{
    while (is_over(&own->read, now_ms)) { /* 3, its end: nobody claimed it */
        count(state, own->read.items[0].finding, own->read.items[0].n, now_ms);
        drop_first(&own->read);
    }
    while (is_over(&own->ran, now_ms)) { /* 5: a statement of the hub's that the audit does not know */
        count_kind(state, RECONCILE_UNSEEN, own->ran.items[0].n, now_ms);
        drop_first(&own->ran);
    }
    while (is_over(&own->maybe, now_ms))
        drop_first(&own->maybe);
    if ((own->is_closed || own->is_former) && now_ms - own->closed_ms > RECONCILE_ENDED_MS)
        own->session = 0;
}

static void on_tick(struct reconcile *state, int64_t now_ms)
{
    for (size_t i = 0; i < RECONCILE_SESSIONS_MAX; i++)
        if (state->owns[i].session)
            look_at_own(state, &state->owns[i], now_ms);
    /* 8: the hub reads now and then, if only nothing; when none of it is in the audit any more, the audit is silent */
    const struct reconcile_finding silent = {.kind = RECONCILE_SILENT};
    int64_t silent_ms = state->options->silent_ms ? state->options->silent_ms : RECONCILE_SILENT_MS;
    if (state->asked_ms && now_ms - state->asked_ms >= silent_ms) {
        struct reconcile_finding *finding = &state->findings[find(state, &silent, now_ms)];
        if (finding->n == 0 || finding->is_green)
            count(state, (uint32_t)(finding - state->findings), 1, now_ms);
    }
}

void reconcile_step(struct reconcile *state, const struct reconcile_event *event, int64_t now_ms)
{
    struct own *own = own_of(state, event->session);
    switch (event->what) {
    case RECONCILE_OPENED:
    case RECONCILE_FORMER:
        open_own(state, event->session, event->what == RECONCILE_FORMER, now_ms);
        break;
    case RECONCILE_OWN:
        if (own)
            ran(state, own, event->n, event->n_maybe, now_ms);
        break;
    case RECONCILE_CLOSED:
        if (own) {
            own->is_closed = true;
            own->closed_ms = now_ms;
        }
        break;
    case RECONCILE_LINE:
        read_line(state, event->line, now_ms);
        break;
    case RECONCILE_CUT: /* 6, of a whole file */
        count_kind(state, RECONCILE_GAP, 1, now_ms);
        break;
    case RECONCILE_TICK:
        on_tick(state, now_ms);
        break;
    }
}
