/* Our side of system/bus/watch.h: the leaves of the hub's own ledger, followed in order, and looked up when a line names one. */
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "hub/leaves.h"
#include "hub/registry.h"
#include "system/bus/watch_inside.h"

#include <string.h>

#define LEAVES_MAX 5000 /* of one round: some milliseconds of the hub's loop */

/* ---- what a use is of ---- */

uint64_t watch_number_of(struct str text)
{
    struct bytes_reader reader;
    struct sha256 hash = crypto_sha256(text);
    bytes_reader_init(&reader, hash.bytes, sizeof hash.bytes);
    return str_is_empty(text) ? 0 : bytes_read_u64be(&reader) | 1;
}

bool watch_is_ours(const struct bus_watch *watch, struct str resource)
{
    for (size_t i = 0; i < watch->n_resources; i++)
        if (str_equal(watch->resources[i]->name, resource))
            return true;
    return false;
}

/* ---- our leaves ---- */

struct leaf {
    struct str type, use, resource, contract, status;
    int64_t intent, n_rows;
};

/* Borrows from the object. */
static void read_leaf(const json_t *object, struct leaf *leaf)
{
    struct str *const texts[] = {&leaf->type, &leaf->use, &leaf->resource, &leaf->contract, &leaf->status};
    static const char *const names[] = {"type", "use", "resource", "contract", "status"};
    *leaf = (struct leaf){.intent = -1};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_get_str(object, names[i], texts[i]) != ERR_OK)
            *texts[i] = STR_NONE;
    if (json_get_i64(object, "intent", &leaf->intent) != ERR_OK)
        leaf->intent = -1;
    if (json_get_i64(object, "rows", &leaf->n_rows) != ERR_OK)
        leaf->n_rows = 0;
}

static bool has(struct str text, const char *part)
{
    return text.len && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

struct following {
    struct bus_watch *watch;
    enum err err;
};

static bool follow_leaf(void *context, uint64_t index, struct str bytes)
{
    struct following *following = context;
    struct bus_watch *watch = following->watch;
    bool is_outcome = watch->twin.n_uses && has(bytes, "\"type\":\"outcome\""); /* our own canonical JSON: its form is known */
    json_t *object = NULL;
    struct leaf leaf;
    if (!is_outcome && !memmem(bytes.ptr, bytes.len, watch->party.ptr, watch->party.len))
        return true;
    if (json_read(bytes, NULL, &object) != ERR_OK)
        return true;
    read_leaf(object, &leaf);
    if (str_equal_c(leaf.type, "outcome") && leaf.intent >= 0)
        bus_twin_outcome(&watch->twin, (uint64_t)leaf.intent, str_equal_c(leaf.status, "ok"), (uint64_t)leaf.n_rows);
    else if (str_equal_c(leaf.type, "intent") && watch_is_ours(watch, leaf.resource))
        following->err = bus_twin_intent(&watch->twin, index,
            (struct bus_twin_what){watch_number_of(leaf.resource), watch_number_of(leaf.contract), str_equal_c(leaf.use, "query")});
    json_decref(object);
    return following->err == ERR_OK;
}

void watch_follow(struct bus_watch *watch)
{
    struct following following = {.watch = watch};
    uint64_t from = watch->twin.leaf_next, end = hub_n_leaves(watch->hub), to = end - from > LEAVES_MAX ? from + LEAVES_MAX : end;
    if (from >= end || bus_twin_is_full(&watch->twin))
        return;
    enum err err = hub_leaves(watch->hub, from, to, follow_leaf, &following);
    if (err || following.err) {
        log_write(
            LOG_WARNING, "bus", "the ledger could not be followed for twins; tried again", LOG_ERR(err ? err : following.err), LOG_END);
        return;
    }
    bus_twin_followed(&watch->twin, to);
    watch->is_behind = watch->is_behind || to < end;
}

/* ---- looked up ---- */

struct looking {
    struct bus_watch *watch;
    struct str resource, contract;
    enum bus_twin_leaf found;
};

static bool look_leaf(void *context, uint64_t index, struct str bytes)
{
    struct looking *looking = context;
    json_t *object = NULL;
    struct leaf leaf;
    if (json_read(bytes, NULL, &object) != ERR_OK)
        return false;
    read_leaf(object, &leaf);
    if (str_equal_c(leaf.type, "intent") && watch_is_ours(looking->watch, leaf.resource)) {
        bool is_same =
            str_equal(leaf.resource, looking->resource) && (str_is_empty(looking->contract) || str_equal(leaf.contract, looking->contract));
        looking->found = is_same ? BUS_TWIN_FITS : BUS_TWIN_OTHER;
    }
    json_decref(object);
    return false;
}

void watch_look(struct bus_watch *watch, uint64_t index, struct str resource, struct str contract)
{
    struct looking looking = {.watch = watch, .resource = resource, .contract = contract, .found = BUS_TWIN_NONE};
    enum err err = index < hub_n_leaves(watch->hub) ? hub_leaves(watch->hub, index, index + 1, look_leaf, &looking) : ERR_OK;
    if (!err)
        bus_twin_looked(&watch->twin, index, looking.found);
}
