/*
 * A peer's receipts are written down: each of a use that it served for us is to be named by a leaf of our ledger. Most are, by the use's
 * outcome; where the answer was lost, a leaf {"intent":…,"time_ms":…,"twin":"LOG/N","type":"twin"} is appended now. Only when the book has
 * read it back is the batch taken, so that a restart in between finds it there and appends no second one.
 */
#include "district/inside.h"

#include "base/json.h"
#include "base/log.h"

#include <stdio.h>

/* Is the leaf an intent of ours of a use at that hub? Nothing is sworn to that we did not ask for. */
static bool is_our_use(struct district *district, int hub, uint64_t intent)
{
    const struct federation *federation = district->federation;
    struct buf leaf;
    struct str type, resource, twin;
    json_t *json = NULL;
    buf_init(&leaf, LEDGER_LEAF_MAX);
    bool is_ours = ledger_leaf(district->ledger, intent, &leaf) == ERR_OK && json_read(buf_str(&leaf), NULL, &json) == ERR_OK &&
                   json_get_str(json, "type", &type) == ERR_OK && str_equal(type, STR("intent")) &&
                   json_get_str(json, "resource", &resource) == ERR_OK && json_get_str(json, "twin", &twin) != ERR_OK &&
                   district_home(federation->nodes, federation->n_hubs, resource) == hub;
    json_decref(json);
    buf_finish(&leaf);
    return is_ours;
}

static void appended(struct ledger_append *append)
{
    struct naming_one *one = container_of(append, struct naming_one, append);
    struct naming *naming = one->naming;
    struct district *district = naming->district;
    one->is_under_way = false;
    district->n_under_way--;
    if (append->err) { /* the ledger's own end stops the process */
        one->is_wanted = true;
        return;
    }
    naming->n_pending--;
    if (append->index + 1 > naming->wait_for)
        naming->wait_for = append->index + 1;
}

static void append(struct district *district, struct naming_one *one)
{
    one->append = (struct ledger_append){.leaf = str_from_c(one->text), .loop = district->loop, .done = appended};
    if (ledger_append(district->ledger, &one->append) != ERR_OK)
        return; /* full: again at the next tick */
    one->is_wanted = false;
    one->is_under_way = true;
    district->n_under_way++;
}

static enum err prepare(struct district *district, struct naming *naming, struct naming_one *one)
{
    const struct federation_hub *hub = &district->federation->hubs[district->hub_of[naming->peer]];
    bool is_named = false;
    one->is_wanted = one->is_under_way = false;
    if (one->receipt.kind != DISTRICT_SERVED)
        return ERR_OK;
    enum err err = book_is_named(district->book, district->hub_of[naming->peer], one->receipt.intent, &is_named);
    if (err || is_named)
        return err;
    if (!is_our_use(district, district->hub_of[naming->peer], one->receipt.intent)) {
        log_write(LOG_ERROR, "district", "the other hub has a receipt of a use that was not made here", LOG_STR("hub", hub->area),
            LOG_INT("intent", (int64_t)one->receipt.intent), LOG_INT("leaf", (int64_t)one->receipt.leaf), LOG_END);
        district_twin_note(district, naming->peer, TWIN_UNASKED, one->receipt.leaf);
        return ERR_OK;
    }
    snprintf(one->text, sizeof one->text, "{\"intent\":%llu,\"time_ms\":%lld,\"twin\":\"" STR_FORMAT "/%llu\",\"type\":\"twin\"}",
        (unsigned long long)one->receipt.intent, (long long)clock_wall(district->clock).ms, STR_ARG(hub->log),
        (unsigned long long)one->receipt.leaf);
    one->is_wanted = true;
    naming->n_pending++;
    return ERR_OK;
}

void district_naming_begin(struct district *district, const struct district_update *update)
{
    struct naming *naming = &district->namings[update->peer];
    enum err err = ERR_OK;
    naming->is_on = true;
    naming->last = update->first + update->n - 1;
    naming->wait_for = 0;
    naming->n = update->n;
    naming->n_pending = 0;
    for (size_t i = 0; i < update->n && !err; i++) {
        naming->ones[i].naming = naming;
        naming->ones[i].receipt = update->receipts[i];
        err = prepare(district, naming, &naming->ones[i]);
    }
    if (err)
        district_fail(district, err);
}

static void take(struct district *district, struct naming *naming)
{
    struct district_receipt receipts[DISTRICT_BATCH];
    for (size_t i = 0; i < naming->n; i++)
        receipts[i] = naming->ones[i].receipt;
    enum err err = book_take(district->book, district->hub_of[naming->peer], receipts, naming->n, naming->last);
    if (err) {
        district_fail(district, err);
        return;
    }
    naming->is_on = false;
    district_drive(district, (struct district_event){.kind = DISTRICT_NAMED_DONE, .peer = naming->peer});
}

void district_naming_tend(struct district *district)
{
    for (size_t i = 0; i < district->state->n_peers && !district->is_broken; i++) {
        struct naming *naming = &district->namings[i];
        for (size_t k = 0; k < naming->n && naming->is_on && naming->n_pending; k++)
            if (naming->ones[k].is_wanted)
                append(district, &naming->ones[k]);
        if (naming->is_on && naming->n_pending == 0 && book_followed(district->book) >= naming->wait_for)
            take(district, naming);
    }
}
