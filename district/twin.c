/* When twins have to be there, and the alerts about those that are not. */
#include "district/twin.h"

#include "base/json.h"
#include "base/log.h"
#include "district/inside.h"
#include "hub/alert.h"

#include <stdio.h>

#define CATCHING_UP 1000 /* so many of theirs more than twice mine: they tell of what was before */
#define LOOK_MAX 256     /* receipts of one look: a tick of the district's thread */

bool twin_step(struct twin_watch *watch, bool is_up, uint64_t n_mine, uint64_t got, int64_t now_ms, int64_t wait_ms, uint64_t *ret_to)
{
    /* 10: only time counts in which the link was up */
    if (!is_up || n_mine <= watch->checked) {
        watch->is_waiting = false;
        return false;
    }
    /* 11: who catches up with what was before a cut has time until that is over */
    bool is_catching_up = watch->is_waiting && got - watch->got > 2 * (n_mine - watch->mark) + CATCHING_UP;
    if (!watch->is_waiting || is_catching_up || watch->mark <= watch->checked) {
        *watch = (struct twin_watch){.checked = watch->checked, .is_waiting = true, .mark = n_mine, .got = got, .since_ms = now_ms};
        return false;
    }
    /* 12: what was mine when the wait began has its twin by its end, or is missing */
    if (now_ms - watch->since_ms < wait_ms)
        return false;
    *ret_to = watch->mark;
    return true;
}

/* ---- alerts ---- */

static const struct {
    const char *kind, *zh, *en;
} kinds[] = {
    [TWIN_MISSING] = {"twin.missing", "对方中枢没有留下对应凭证：", "No twin of our receipts at the other hub: "},
    [TWIN_DIFFERS] = {"twin.differs", "双方凭证不一致：", "Receipts of the two hubs do not name each other: "},
    [TWIN_UNASKED] = {"twin.unasked", "对方中枢有本中枢未发出的使用：", "The other hub has receipts of uses that were not made here: "},
};

/* One alert about all that was noted since the last: it joins the other hub's case. ERR_OK: taken, or there was nothing. */
static enum err tell(struct district *district, size_t peer, enum twin_wrong what)
{
    const struct federation *federation = district->federation;
    const struct federation_hub *hub = &federation->hubs[district->hub_of[peer]], *self = &federation->hubs[district->self];
    struct district_twins *twins = &district->twins[peer];
    char zh[300], en[300], detail[300], name[HUB_RECEIPT_MAX];
    bool is_theirs = what == TWIN_UNASKED;
    uint64_t n = atomic_load(&twins->n_wrong[what]);
    if (n == twins->n_told[what])
        return ERR_OK;
    snprintf(name, sizeof name, STR_FORMAT "/%llu", STR_ARG(is_theirs ? hub->log : self->log), (unsigned long long)twins->last[what]);
    snprintf(zh, sizeof zh, "%s" STR_FORMAT, kinds[what].zh, STR_ARG(hub->area));
    snprintf(en, sizeof en, "%s" STR_FORMAT, kinds[what].en, STR_ARG(hub->area));
    snprintf(detail, sizeof detail, "%llu receipts since the start, the last %s", (unsigned long long)n, name);
    const struct hub_alert alert = {.kind = str_from_c(kinds[what].kind),
        .area = self->area,
        .key = hub->area,
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .detail = str_from_c(detail),
        .receipt = is_theirs ? STR_NONE : str_from_c(name)};
    log_write(LOG_WARNING, "district", kinds[what].kind, LOG_STR("hub", hub->area), LOG_TEXT("detail", detail), LOG_END);
    enum err err = hub_alert(district->hub, &alert);
    if (!err)
        twins->n_told[what] = n;
    return err;
}

void district_twin_note(struct district *district, size_t peer, enum twin_wrong what, uint64_t leaf)
{
    district->twins[peer].last[what] = leaf;
    atomic_fetch_add(&district->twins[peer].n_wrong[what], 1);
}

/* ---- looking ---- */

/* The leaf of theirs that a leaf of mine names. */
static bool names(struct district *district, uint64_t leaf, uint64_t theirs)
{
    struct buf bytes;
    json_t *json = NULL;
    struct str twin, log, index;
    uint64_t number;
    buf_init(&bytes, LEDGER_LEAF_MAX);
    bool is_named = ledger_leaf(district->ledger, leaf, &bytes) == ERR_OK && json_read(buf_str(&bytes), NULL, &json) == ERR_OK &&
                    json_get_str(json, "twin", &twin) == ERR_OK && str_cut_last(twin, '/', &log, &index) &&
                    str_to_u64(index, &number) == ERR_OK && number == theirs;
    json_decref(json);
    buf_finish(&bytes);
    return is_named;
}

static void look_at(struct district *district, size_t peer, const struct book_pair *pair)
{
    if (!pair->has_theirs)
        district_twin_note(district, peer, TWIN_MISSING, pair->mine.leaf);
    else if (pair->mine.kind == DISTRICT_NAMED && !names(district, pair->mine.leaf, pair->theirs))
        district_twin_note(district, peer, TWIN_DIFFERS, pair->mine.leaf); /* it names another than that by which they served the use */
}

static void tend(struct district *district, size_t peer, int64_t now_ms)
{
    struct district_twins *twins = &district->twins[peer];
    const struct district_peer *state = &district->state->peers[peer];
    struct book_pair pairs[LOOK_MAX];
    int64_t wait_ms = district->options.twin_ms ? district->options.twin_ms : TWIN_WAIT_MS;
    uint64_t to;
    size_t n = 0;
    for (int what = 0; what < TWIN_N_WRONG; what++)
        if (tell(district, peer, (enum twin_wrong)what) != ERR_OK)
            return; /* nobody takes it now: at the next tick, before more is looked at */
    if (!twin_step(&twins->watch, state->is_up, state->n_mine, state->got, now_ms, wait_ms, &to))
        return;
    enum err err = book_pairs(district->book, district->hub_of[peer], twins->watch.checked, to, LOOK_MAX, pairs, &n);
    for (size_t i = 0; i < n && !err; i++)
        look_at(district, peer, &pairs[i]);
    if (n == LOOK_MAX)
        to = pairs[n - 1].number;
    if (!err)
        err = book_twinned(district->book, district->hub_of[peer], to);
    if (err)
        district_fail(district, err);
    else
        twins->watch.checked = to;
}

void district_twins_tend(struct district *district)
{
    int64_t now_ms = clock_mono(district->clock).ns / 1000000;
    for (size_t i = 0; i < district->state->n_peers && !district->is_broken; i++)
        tend(district, i, now_ms);
}
