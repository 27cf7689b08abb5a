/* Who used my data: answers by the days' keys, out of an index that follows the ledger. */
#include "hub/uses.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/parts.h"
#include "hub/uses_index.h"

#include <stdatomic.h>
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
#define ANSWER_MAX (4u << 20)
#define FOUND_MAX ((HUB_USES_PAGE_MAX + 1) * HUB_SUBJECTS_MAX)

struct hub_uses {
    struct hub *hub;
    struct loop_thread *thread;
    struct loop_timer tick;
    struct uses_index *index; /* the thread's, but for what uses_index.h says */
    uint64_t n_seen;          /* leaves at the last tick */
    enum err broken;          /* told once */
};

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

/* ---- answering ---- */

struct asking {
    struct loop_task task;
    struct hub_uses *uses;
    struct http_exchange *x;
    struct str subject;
    int64_t before, n_max;
    struct buf out;
    enum err err;
};

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

static void put_use(struct json_writer *w, const struct hub *hub, const struct hub_use_info *use)
{
    struct hub_contract_info contract;
    const struct hub_resource *resource = hub_resource_find(hub, use->resource);
    char receipt[HUB_RECEIPT_MAX];
    hub_receipt((struct hub *)hub, use->index, receipt);
    json_begin_object(w);
    json_field_c(w, "receipt", receipt);
    json_field_i64(w, "time", use->time_ms);
    json_field_str(w, "use", use->use);
    hub_put_party(w, hub, "consumer", use->consumer);
    hub_put_party(w, hub, "provider", use->provider);
    json_field_str(w, "resource", use->resource);
    hub_put_title(w, "resource_title", resource ? resource->title_zh : use->resource, resource ? resource->title_en : use->resource);
    json_field_str(w, "contract", use->contract);
    json_field_str(w, "purpose", use->purpose);
    bool has_contract = hub_contract_find(hub, use->contract, &contract);
    hub_put_title(w, "legal_basis", has_contract ? contract.legal_basis_zh : STR_NONE, has_contract ? contract.legal_basis_en : STR_NONE);
    json_field_i64(w, "keep_ms", has_contract ? contract.keep_ms : 0);
    json_key(w, "may_see"); /* what the contract grants at most; which of them were asked for is in the receipt's opening */
    json_begin_array(w);
    for (size_t i = 0; has_contract && i < contract.n_fields; i++)
        json_put_str(w, contract.fields[i]);
    json_end_array(w);
    json_end_object(w);
}

static enum err answer(struct asking *asking)
{
    struct hub_uses *uses = asking->uses;
    struct uses_found found[FOUND_MAX];
    int64_t n_days = 0, n_put = 0, last = 0;
    size_t n = 0;
    struct keys keys = {.n = 0};
    struct json_writer w;
    struct arena arena;
    arena_init(&arena, ANSWER_MAX);
    uint64_t n_asked = ledger_n_durable(uses->hub->ledger); /* what comes while it is answered is of after the asking */
    catch_up(uses);
    enum err err = read_keys(asking->subject, &arena, &keys);
    if (!err)
        err = find(uses, &keys, asking->before, (size_t)asking->n_max, found, &n, &n_days);
    json_writer_init(&w, &asking->out);
    json_begin_object(&w);
    json_field_i64(&w, "time", clock_wall(uses->hub->clock).ms);
    json_key(&w, "subject");
    json_put_raw(&w, asking->subject);
    json_field_i64(&w, "days", n_days);
    bool is_elsewhere = atomic_load(&uses->hub->feed.has_had_others);
    json_field_bool(&w, "complete", !is_elsewhere && hub_uses_n_indexed(uses) >= n_asked);
    json_field_bool(&w, "elsewhere", is_elsewhere);
    json_key(&w, "uses");
    json_begin_array(&w);
    for (size_t i = 0; i < n && !err && n_put < asking->n_max; i++) {
        struct hub_use_info use;
        enum err one = hub_use_of_subject(uses->hub, (uint64_t)found[i].leaf, asking->subject, &arena, &use);
        if (one == ERR_NOT_FOUND)
            continue; /* another's whose pseudonym begins alike */
        err = one;
        if (!err) {
            put_use(&w, uses->hub, &use);
            n_put++;
            last = found[i].leaf;
        }
    }
    json_end_array(&w);
    json_key(&w, "next");
    if (n_put == asking->n_max && (int64_t)n > n_put)
        json_put_i64(&w, last);
    else
        json_put_null(&w);
    json_end_object(&w);
    arena_finish(&arena);
    return err ? err : asking->out.err;
}

struct listing {
    struct hub_uses *uses;
    struct str subject;
    struct arena *arena;
    uint64_t *leaves;
    size_t max, n;
    enum err err;
};

static void list_on_thread(void *context)
{
    struct listing *listing = context;
    struct uses_found found[FOUND_MAX];
    struct keys keys = {.n = 0};
    size_t n = 0;
    int64_t n_days;
    catch_up(listing->uses);
    listing->err = read_keys(listing->subject, listing->arena, &keys);
    if (!listing->err)
        listing->err = find(listing->uses, &keys, INT64_MAX, HUB_USES_PAGE_MAX, found, &n, &n_days);
    for (size_t i = 0; i < n && !listing->err && listing->n < listing->max; i++) {
        struct hub_use_info use;
        enum err one = hub_use_of_subject(listing->uses->hub, (uint64_t)found[i].leaf, listing->subject, listing->arena, &use);
        if (one == ERR_OK)
            listing->leaves[listing->n++] = use.index;
        else if (one != ERR_NOT_FOUND)
            listing->err = one;
    }
}

enum err hub_uses_list(struct hub_uses *uses, struct str subject, struct arena *arena, uint64_t *leaves, size_t max, size_t *ret_n)
{
    struct listing listing = {.uses = uses, .subject = subject, .arena = arena, .leaves = leaves, .max = max};
    loop_thread_call(uses->thread, list_on_thread, &listing);
    if (!listing.err)
        *ret_n = listing.n;
    return listing.err;
}

static void reply(struct loop_task *task)
{
    struct asking *asking = container_of(task, struct asking, task);
    struct buf out = asking->out; /* the rest goes with the exchange */
    http_add_header(asking->x, "Cache-Control", STR("no-store"));
    if (asking->err)
        http_reply_err(asking->x, asking->err, STR("the uses could not be read"));
    else
        http_reply_json(asking->x, 200, buf_str(&out));
    buf_finish(&out);
}

static void answer_on_thread(struct loop_task *task)
{
    struct asking *asking = container_of(task, struct asking, task);
    asking->err = answer(asking);
    asking->task.fn = reply;
    loop_post(http_loop(asking->x), &asking->task);
}

static bool query_i64(struct http_exchange *x, const char *name, int64_t max, int64_t *ret_i)
{
    struct str text = http_query(x, name);
    return str_is_empty(text) || (str_to_i64(text, ret_i) == ERR_OK && *ret_i >= 1 && *ret_i <= max);
}

static void handle_mine(struct http_exchange *x, void *context)
{
    struct hub_uses *uses = context;
    int64_t before = INT64_MAX, n_max = 50;
    if (str_is_empty(http_identity(x)->subject)) {
        http_reply_err(x, ERR_NOT_FOUND, STR("this page is for citizens: who signs in as an official sees nobody's data here"));
        return;
    }
    if (!query_i64(x, "before", INT64_MAX, &before) || !query_i64(x, "limit", HUB_USES_PAGE_MAX, &n_max)) {
        http_reply_err(x, ERR_RANGE, STR("before is the number of a leaf, limit from 1 to 200"));
        return;
    }
    struct asking *asking = arena_alloc_zero(http_arena(x), 1, sizeof *asking);
    if (!asking) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    *asking = (struct asking){
        .uses = uses, .x = x, .subject = http_identity(x)->subject, .before = before, .n_max = n_max, .task = {.fn = answer_on_thread}};
    buf_init(&asking->out, ANSWER_MAX);
    loop_post(loop_thread_loop(uses->thread), &asking->task);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/hub/v1/uses/mine", HTTP_SIGNED_IN, 0, handle_mine, "The uses of the data of the citizen who asks, the newest first",
        .answer = "MyUses", .query = "before? limit?"},
};

struct http_mount hub_uses_mount(struct hub_uses *uses)
{
    return (struct http_mount){.routes = routes, .n_routes = 1, .context = uses};
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
    enum err err = uses_index_open(hub->ledger, path, &diag, &uses->index);
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
    uses_index_close(uses->index);
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
}
