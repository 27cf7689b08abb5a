/* Who used my data: this process's own uses, by the days' keys, out of an index that follows the ledger. */
#include "hub/uses_inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 1000
#define TICK_BEHIND_MS 200 /* while there is more: some 100,000 leaves a second, on a thread that gives way to those who use */
#define BUSY 5000          /* leaves a tick: then those who use the disk go first, and the index follows by no more than */
#define BATCH_BUSY 500     /* … these: pages of the tree at random are much to write and to sync */
#define CATCH_UP 5         /* batches before an answer */
#define DAYS_MAX 1200      /* three years and a bit: as long as records of processing are kept */
#define DAY_MS INT64_C(86400000)
#define PSEUDONYM 32
#define FOUND_MAX ((HUB_USES_PAGE_MAX + 1) * HUB_SUBJECTS_MAX)

/* ---- following the ledger ---- */

static enum err follow(struct hub_uses *uses, uint64_t max, bool *ret_is_behind)
{
    enum err err = uses_index_follow(uses->index, max, ret_is_behind);
    if (err && err != uses->broken)
        log_write(LOG_ERROR, "hub", "the index of uses does not follow the ledger", LOG_ERR(err), LOG_END);
    uses->broken = err;
    return err;
}

static void on_tick(struct loop_timer *timer)
{
    struct hub_uses *uses = container_of(timer, struct hub_uses, tick);
    uint64_t n = ledger_n_durable(uses->hub->ledger);
    bool is_behind = false, is_busy = n - uses->n_seen > BUSY;
    enum err err = follow(uses, is_busy ? BATCH_BUSY : USES_INDEX_BATCH, &is_behind);
    uses->n_seen = n;
    uses_keep_logs(uses);
    err = loop_timer_start(timer->loop, timer, !err && is_behind && !is_busy ? TICK_BEHIND_MS : TICK_MS);
    if (err)
        log_write(LOG_ERROR, "hub", "the index of uses stands still", LOG_ERR(err), LOG_END);
}

static void catch_up(struct hub_uses *uses)
{
    bool is_behind = true;
    for (int i = 0; i < CATCH_UP && is_behind; i++)
        if (follow(uses, USES_INDEX_BATCH, &is_behind))
            return;
}

uint64_t hub_uses_n_indexed(const struct hub_uses *uses)
{
    return uses_index_n(uses->index);
}

/* ---- what was noted ---- */

static void note(struct hub_uses *uses, uint64_t intent, uint8_t (*subjects)[HUB_SEEN_BYTES], size_t n, uint64_t n_unnoted)
{
    uses_index_note(uses->index, intent, subjects, n, n_unnoted);
}

static void listen_as(struct hub *hub, struct hub_uses *uses)
{
    pthread_mutex_lock(&hub->waiting_lock);
    hub->noting = (struct hub_noting){uses, note};
    pthread_mutex_unlock(&hub->waiting_lock);
}

/* ---- a person's pseudonyms ---- */

struct keys { /* canonical JSON of each key alone */
    struct str json[HUB_SUBJECTS_MAX];
    size_t n;
};

/* Of {"licence":"…","plate":"…"} each member alone, as the key of a call has it. */
static enum err read_keys(struct str subject, struct arena *arena, struct keys *ret_keys)
{
    json_t *object = NULL, *item;
    const char *name;
    struct keys keys = {.n = 0};
    enum err err = json_read(subject, NULL, &object);
    if (err)
        return err;
    json_object_foreach(object, name, item)
    {
        json_t *one = json_object();
        struct buf text;
        buf_init(&text, 4096);
        json_object_set(one, name, item);
        err = keys.n < HUB_SUBJECTS_MAX ? json_write_canonical(one, &text) : ERR_TOO_LARGE;
        if (!err)
            err = arena_copy_str(arena, buf_str(&text), &keys.json[keys.n++]);
        buf_finish(&text);
        json_decref(one);
        if (err)
            break;
    }
    json_decref(object);
    if (!err)
        *ret_keys = keys;
    return err;
}

static struct sha256 pseudonym(const struct hub_epoch *epoch, struct str key)
{
    return crypto_hmac_sha256((struct str){(const char *)epoch->subject_key, sizeof epoch->subject_key}, key);
}

static enum err copy_member(const json_t *leaf, const char *name, struct arena *arena, struct str *ret_text)
{
    struct str text;
    enum err err = json_get_str(leaf, name, &text);
    return err ? err : arena_copy_str(arena, text, ret_text);
}

static enum err read_info(const json_t *leaf, uint64_t index, struct arena *arena, struct hub_use_info *ret_info)
{
    struct hub_use_info info = {.index = index};
    struct str *const texts[] = {&info.consumer, &info.provider, &info.resource, &info.contract, &info.purpose, &info.use};
    static const char *const names[] = {"consumer", "provider", "resource", "contract", "purpose", "use"};
    enum err err = json_get_i64(leaf, "time_ms", &info.time_ms);
    for (size_t i = 0; i < sizeof names / sizeof *names && !err; i++)
        err = copy_member(leaf, names[i], arena, texts[i]);
    if (!err)
        *ret_info = info;
    return err;
}

/* One of theirs: named by the leaf itself, or noted of a use that has no subject of its own. */
static enum err is_about(struct hub *hub, struct str leaf, uint64_t index, const struct sha256 *subject, bool *ret_is)
{
    uint8_t named[HUB_SUBJECTS_MAX][PSEUDONYM];
    size_t n = uses_index_subjects(leaf, named, HUB_SUBJECTS_MAX);
    bool is = false;
    enum err err = ERR_OK;
    for (size_t i = 0; i < n; i++)
        is = is || memcmp(subject->bytes, named[i], PSEUDONYM) == 0;
    if (n == 0) {
        pthread_mutex_lock(&hub->waiting_lock);
        struct hub_uses *uses = hub->noting.uses;
        if (uses)
            err = uses_index_has(uses->index, subject->bytes, index, &is);
        pthread_mutex_unlock(&hub->waiting_lock);
    }
    if (!err)
        *ret_is = is;
    return err;
}

enum err hub_use_of_subject(struct hub *hub, uint64_t index, struct str subject, struct arena *arena, struct hub_use_info *ret_info)
{
    struct buf bytes;
    json_t *leaf = NULL;
    struct keys keys;
    struct hub_epoch epoch;
    struct str type = STR_NONE;
    bool is_theirs = false;
    buf_init(&bytes, LEDGER_LEAF_MAX);
    enum err err = str_is_empty(subject) ? ERR_NOT_FOUND : ledger_leaf(hub->ledger, index, &bytes);
    if (!err)
        err = json_read(buf_str(&bytes), NULL, &leaf);
    if (!err && (json_get_str(leaf, "type", &type) != ERR_OK || !str_equal_c(type, "intent")))
        err = ERR_NOT_FOUND;
    if (!err)
        err = read_info(leaf, index, arena, ret_info);
    if (!err)
        err = read_keys(subject, arena, &keys);
    if (!err)
        err = hub_epoch_read(hub, (struct wall_time){ret_info->time_ms}, &epoch);
    for (size_t i = 0; !err && i < keys.n && !is_theirs; i++) {
        struct sha256 hash = pseudonym(&epoch, keys.json[i]);
        err = is_about(hub, buf_str(&bytes), index, &hash, &is_theirs);
    }
    crypto_wipe(&epoch, sizeof epoch);
    json_decref(leaf);
    buf_finish(&bytes);
    return err ? err : is_theirs ? ERR_OK : ERR_NOT_FOUND;
}

/* ---- finding ---- */

static int newer_first(const void *a, const void *b)
{
    const struct uses_found *left = a, *right = b;
    return left->leaf < right->leaf ? 1 : left->leaf > right->leaf ? -1 : 0;
}

/* Newest first, each leaf once: two keys of one person may stand in one use. */
static size_t in_order(struct uses_found *found, size_t n)
{
    size_t n_kept = 0;
    if (n > 0)
        qsort(found, n, sizeof *found, newer_first);
    for (size_t i = 0; i < n; i++)
        if (n_kept == 0 || found[n_kept - 1].leaf != found[i].leaf)
            found[n_kept++] = found[i];
    return n_kept;
}

/* Day by day backwards, until there are enough: leaves of an earlier day stand before those of a later one. */
static enum err find(struct hub_uses *uses, const struct keys *keys, int64_t before, size_t n_max, struct uses_found found[FOUND_MAX],
    size_t *ret_n, int64_t *ret_days)
{
    struct hub *hub = uses->hub;
    int64_t now_ms = clock_wall(hub->clock).ms, n_days = hub->epochs_kept_ms / DAY_MS + 1;
    size_t n = 0;
    enum err err = ERR_OK;
    n_days = n_days < 1 ? 1 : n_days > DAYS_MAX ? DAYS_MAX : n_days;
    for (int64_t day = 0; day < n_days && !err && n <= n_max; day++) {
        struct hub_epoch epoch;
        if (hub_epoch_read(hub, (struct wall_time){now_ms - day * DAY_MS}, &epoch) != ERR_OK)
            continue; /* nothing was used on that day, or its key was erased: both are silent */
        for (size_t i = 0; i < keys->n && !err && n < FOUND_MAX; i++) {
            struct sha256 subject = pseudonym(&epoch, keys->json[i]);
            size_t n_more = 0, room = FOUND_MAX - n;
            err = uses_index_find(uses->index, subject.bytes, before, found + n, room < n_max + 1 ? room : n_max + 1, &n_more);
            n += n_more;
        }
        n = in_order(found, n);
        crypto_wipe(&epoch, sizeof epoch);
    }
    if (err)
        return err;
    *ret_n = n;
    *ret_days = n_days;
    return ERR_OK;
}

enum err uses_collect(
    struct hub_uses *uses, struct str subject, size_t n_max, struct arena *arena, struct hub_uses_part *part, int64_t *ret_days)
{
    struct ledger *ledger = uses->hub->ledger;
    struct uses_found found[FOUND_MAX];
    size_t n = 0, n_read = 0;
    struct keys keys = {.n = 0};
    uint64_t n_asked = ledger_n_durable(ledger); /* what comes while it is answered is of after the asking */
    catch_up(uses);
    part->end = ledger_n_durable(ledger);
    part->n = 0;
    part->has_more = false;
    part->uses = arena_alloc_zero(arena, n_max + 1, sizeof *part->uses);
    int64_t before = part->before < (int64_t)part->end ? part->before : (int64_t)part->end;
    enum err err = part->uses ? read_keys(subject, arena, &keys) : ERR_NO_MEMORY;
    if (!err)
        err = find(uses, &keys, before, n_max, found, &n, ret_days);
    for (; n_read < n && !err && part->n < n_max; n_read++) {
        enum err one = hub_use_of_subject(uses->hub, (uint64_t)found[n_read].leaf, subject, arena, &part->uses[part->n]);
        if (one == ERR_OK)
            part->n++;
        else if (one != ERR_NOT_FOUND) /* another's whose pseudonym begins alike */
            err = one;
    }
    part->has_more = n_read < n;
    part->is_complete = hub_uses_n_indexed(uses) >= n_asked;
    return err;
}

struct listing {
    struct hub_uses *uses;
    struct str subject;
    struct arena *arena;
    struct hub_uses_part part;
    enum err err;
};

static void list_on_thread(void *context)
{
    struct listing *listing = context;
    int64_t n_days;
    listing->err = uses_collect(listing->uses, listing->subject, HUB_USES_PAGE_MAX, listing->arena, &listing->part, &n_days);
}

enum err hub_uses_list(struct hub_uses *uses, struct str subject, struct arena *arena, uint64_t *leaves, size_t max, size_t *ret_n)
{
    struct listing listing = {.uses = uses, .subject = subject, .arena = arena, .part.before = HUB_USES_FROM_TOP};
    loop_thread_call(uses->thread, list_on_thread, &listing);
    if (listing.err)
        return listing.err;
    *ret_n = listing.part.n < max ? listing.part.n : max;
    for (size_t i = 0; i < *ret_n; i++)
        leaves[i] = listing.part.uses[i].index;
    return ERR_OK;
}

/* ---- life ---- */

static void start_on_thread(void *context)
{
    struct hub_uses *uses = context;
    loop_thread_give_way();
    uses->n_seen = ledger_n_durable(uses->hub->ledger);
    uses->tick.fn = on_tick;
    uses->broken = loop_timer_start(loop_thread_loop(uses->thread), &uses->tick, TICK_MS);
}

enum err hub_uses_open(struct hub *hub, const char *path, struct diag_list *diags, struct hub_uses **ret_uses)
{
    struct diag diag = {""};
    struct hub_uses *uses = mem_alloc_zero(1, sizeof *uses);
    if (!uses)
        return ERR_NO_MEMORY;
    uses->hub = hub;
    pthread_mutex_init(&uses->logs_lock, NULL);
    enum err err = uses_index_open(hub->ledger, path, &diag, &uses->index);
    if (!err)
        err = uses_read_logs(uses);
    if (!err)
        err = loop_thread_start(hub->clock, "uses", &uses->thread);
    if (!err) {
        loop_thread_call(uses->thread, start_on_thread, uses);
        err = uses->broken;
    }
    if (err) {
        diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : "the index of uses does not open");
        hub_uses_close(uses);
        return err;
    }
    listen_as(hub, uses);
    *ret_uses = uses;
    return ERR_OK;
}

static void stop_on_thread(void *context)
{
    loop_timer_stop(&((struct hub_uses *)context)->tick); /* behind what was asked before: it is answered */
}

void hub_uses_close(struct hub_uses *uses)
{
    if (!uses)
        return;
    if (uses->hub->noting.uses == uses)
        listen_as(uses->hub, NULL);
    if (uses->thread)
        loop_thread_call(uses->thread, stop_on_thread, uses);
    loop_thread_stop(uses->thread);
    if (uses->index)
        uses_keep_logs(uses);
    uses_index_close(uses->index);
    pthread_mutex_destroy(&uses->logs_lock);
    mem_free(uses);
}

void hub_uses_measure(struct hub_uses *uses, struct metric_page *page)
{
    static const struct metric behind = {
        "citybrain_uses_unindexed_leaves", METRIC_GAUGE, "Leaves that the index of uses has not seen yet", {NULL}};
    uint64_t n = hub_uses_n_indexed(uses), n_durable = ledger_n_durable(uses->hub->ledger);
    static const struct metric unnoted = {"citybrain_uses_unnoted_subjects_total", METRIC_COUNTER,
        "Persons in the rows of a query or subscription of which no note was taken for who asks about their own data: too many at once",
        {NULL}};
    metric_put_count(page, &behind, n_durable > n ? n_durable - n : 0, NULL);
    metric_put_count(page, &unnoted, uses_index_n_unnoted(uses->index), NULL);
    static const struct metric unanswered = {"citybrain_uses_unanswered_total", METRIC_COUNTER,
        "Times that another process of the hub did not answer who asked about their own data", {NULL}};
    metric_put_counter(page, &unanswered, &uses->hub->others.n_unanswered, NULL);
    metric_put_queue(
        page, "hub_uses", STR("hub"), atomic_load(&uses->hub->others.n_asked), HUB_USES_ASKED_MAX, &uses->hub->others.n_refused);
    metric_put_queue(page, "hub_uses_questions", STR("hub"), atomic_load(&uses->hub->others.n_questions), HUB_USES_QUESTIONS_MAX,
        &uses->hub->others.n_questions_refused);
}
