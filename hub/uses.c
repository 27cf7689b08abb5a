/* The index of subjects: follows the ledger, answers by the days' keys. */
#include "hub/uses.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/parts.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 1000
#define BATCH 10000    /* leaves of one look at the ledger when it is quiet */
#define BATCH_BUSY 500 /* when it grows faster than that: those who use go first */
#define BUSY 5000      /* leaves a second */
#define CATCH_UP 50000 /* before an answer */
#define DAYS_MAX 1200  /* three years and a bit: as long as records of processing are kept */
#define DAY_MS INT64_C(86400000)
#define PSEUDONYM 32
#define KEPT_BYTES 16 /* of a pseudonym: enough to find, and the leaf itself is compared in full */
#define ANSWER_MAX (4u << 20)

static const char *const migrations[] = {
    "CREATE TABLE subject (subject BLOB NOT NULL, leaf INTEGER NOT NULL, PRIMARY KEY (subject, leaf)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE followed (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL) STRICT;"
    "INSERT INTO followed VALUES (1, 0)",
};

struct hub_uses {
    struct hub *hub;
    struct loop_thread *thread;
    struct loop_timer tick;
    /* the thread's */
    struct db *db;
    _Atomic uint64_t n; /* leaves followed */
    uint64_t n_seen;    /* at the last tick */
    enum err broken;    /* told once */
};

/* ---- following the ledger ---- */

/* The pseudonym of an intent's subject. Leaves are canonical JSON of our own: their form is known, so nothing is parsed. */
static bool leaf_subject(struct str leaf, uint8_t ret_subject[PSEUDONYM])
{
    static const char name[] = ",\"subject\":\"";
    const char *at = leaf.len ? memmem(leaf.ptr, leaf.len, name, sizeof name - 1) : NULL;
    if (!at)
        return false;
    struct str hex = str_slice(leaf, (size_t)(at - leaf.ptr) + sizeof name - 1, 2 * PSEUDONYM);
    return hex.len == 2 * PSEUDONYM && crypto_unhex(hex, ret_subject, PSEUDONYM) == ERR_OK;
}

static enum err put(struct hub_uses *uses, const char *sql, struct value first, int64_t second)
{
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row;
    enum err err = db_cached(uses->db, sql, &diag, &statement);
    if (err)
        return err;
    err = db_bind(statement, 1, first);
    if (!err)
        err = db_bind(statement, 2, value_integer(second));
    if (!err)
        err = db_step(statement, &is_row);
    db_reset(statement);
    return err;
}

struct following {
    struct hub_uses *uses;
    enum err err;
};

static bool follow_leaf(void *context, uint64_t index, struct str leaf)
{
    static const char add[] = "INSERT OR IGNORE INTO subject VALUES (?1, ?2)";
    struct following *following = context;
    uint8_t subject[PSEUDONYM];
    if (leaf_subject(leaf, subject))
        following->err =
            put(following->uses, add, (struct value){.type = VALUE_BYTES, .s = {(const char *)subject, KEPT_BYTES}}, (int64_t)index);
    return following->err == ERR_OK;
}

/* At most `max` leaves into the index, in one transaction with how far it got. */
static enum err follow(struct hub_uses *uses, uint64_t max)
{
    static const char mark[] = "UPDATE followed SET n = ?2 WHERE one = ?1";
    uint64_t from = uses->n, to = ledger_n_durable(uses->hub->ledger);
    struct following following = {.uses = uses};
    to = to > from + max ? from + max : to;
    if (to <= from)
        return ERR_OK;
    enum err err = db_begin(uses->db);
    if (err)
        return err;
    err = ledger_leaves(uses->hub->ledger, from, to, follow_leaf, &following);
    if (!err)
        err = following.err;
    if (!err)
        err = put(uses, mark, value_integer(1), (int64_t)to);
    if (!err)
        err = db_commit(uses->db);
    if (err)
        db_rollback(uses->db);
    else
        uses->n = to;
    return err;
}

static void tell(struct hub_uses *uses, enum err err)
{
    if (err && err != uses->broken)
        log_write(LOG_ERROR, "hub", "the index of uses does not follow the ledger", LOG_ERR(err), LOG_END);
    uses->broken = err;
}

static void on_tick(struct loop_timer *timer)
{
    struct hub_uses *uses = container_of(timer, struct hub_uses, tick);
    uint64_t n = ledger_n_durable(uses->hub->ledger);
    tell(uses, follow(uses, n - uses->n_seen > BUSY ? BATCH_BUSY : BATCH));
    uses->n_seen = n;
    enum err err = loop_timer_start(timer->loop, timer, TICK_MS);
    if (err)
        log_write(LOG_ERROR, "hub", "the index of uses stands still", LOG_ERR(err), LOG_END);
}

uint64_t hub_uses_n_indexed(const struct hub_uses *uses)
{
    return uses->n;
}

/* ---- a person's pseudonyms ---- */

struct keys { /* canonical JSON of each key alone */
    struct str json[HUB_SUBJECT_KEYS_MAX];
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
        err = keys.n < HUB_SUBJECT_KEYS_MAX ? json_write_canonical(one, &text) : ERR_TOO_LARGE;
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

enum err hub_use_of_subject(struct hub *hub, uint64_t index, struct str subject, struct arena *arena, struct hub_use_info *ret_info)
{
    struct buf bytes;
    json_t *leaf = NULL;
    uint8_t is[PSEUDONYM];
    struct keys keys;
    struct hub_epoch epoch;
    bool is_theirs = false;
    buf_init(&bytes, LEDGER_LEAF_MAX);
    enum err err = str_is_empty(subject) ? ERR_NOT_FOUND : ledger_leaf(hub->ledger, index, &bytes);
    if (!err && !leaf_subject(buf_str(&bytes), is))
        err = ERR_NOT_FOUND;
    if (!err)
        err = json_read(buf_str(&bytes), NULL, &leaf);
    if (!err)
        err = read_info(leaf, index, arena, ret_info);
    if (!err)
        err = read_keys(subject, arena, &keys);
    if (!err)
        err = hub_epoch_read(hub, (struct wall_time){ret_info->time_ms}, &epoch);
    for (size_t i = 0; !err && i < keys.n; i++) {
        struct sha256 hash = pseudonym(&epoch, keys.json[i]);
        is_theirs = is_theirs || memcmp(hash.bytes, is, PSEUDONYM) == 0;
    }
    if (!err)
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
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? 1 : left > right ? -1 : 0;
}

/* The newest `n_max + 1` leaves before `before` with this pseudonym, added to `found`. */
static enum err look_up(struct asking *asking, const struct sha256 *subject, int64_t *found, size_t *n, size_t max)
{
    static const char sql[] = "SELECT leaf FROM subject WHERE subject = ?1 AND leaf < ?2 ORDER BY leaf DESC LIMIT ?3";
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row = true;
    enum err err = db_cached(asking->uses->db, sql, &diag, &statement);
    if (err)
        return err;
    err = db_bind(statement, 1, (struct value){.type = VALUE_BYTES, .s = {(const char *)subject->bytes, KEPT_BYTES}});
    if (!err)
        err = db_bind(statement, 2, value_integer(asking->before));
    if (!err)
        err = db_bind(statement, 3, value_integer(asking->n_max + 1));
    while (!err && (err = db_step(statement, &is_row)) == ERR_OK && is_row && *n < max)
        found[(*n)++] = db_column(statement, 0).i;
    db_reset(statement);
    return err;
}

/* Day by day backwards, until there are enough: leaves of an earlier day stand before those of a later one. */
static enum err find(struct asking *asking, const struct keys *keys, int64_t *found, size_t max, size_t *ret_n, int64_t *ret_days)
{
    struct hub *hub = asking->uses->hub;
    int64_t now_ms = clock_wall(hub->clock).ms, n_days = hub->epochs_kept_ms / DAY_MS + 1;
    size_t n = 0;
    enum err err = ERR_OK;
    n_days = n_days < 1 ? 1 : n_days > DAYS_MAX ? DAYS_MAX : n_days;
    for (int64_t day = 0; day < n_days && !err && (int64_t)n <= asking->n_max; day++) {
        struct hub_epoch epoch;
        if (hub_epoch_read(hub, (struct wall_time){now_ms - day * DAY_MS}, &epoch) != ERR_OK)
            continue; /* nothing was used on that day, or its key was erased: both are silent */
        for (size_t i = 0; i < keys->n && !err; i++) {
            struct sha256 subject = pseudonym(&epoch, keys->json[i]);
            err = look_up(asking, &subject, found, &n, max);
        }
        crypto_wipe(&epoch, sizeof epoch);
    }
    if (n > 0)
        qsort(found, n, sizeof *found, newer_first);
    *ret_n = n;
    *ret_days = n_days;
    return err;
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
    int64_t found[(HUB_USES_PAGE_MAX + 1) * HUB_SUBJECT_KEYS_MAX * 2], n_days = 0, n_put = 0, last = 0;
    size_t n = 0;
    struct keys keys = {.n = 0};
    struct json_writer w;
    struct arena arena;
    arena_init(&arena, ANSWER_MAX);
    tell(uses, follow(uses, CATCH_UP));
    enum err err = read_keys(asking->subject, &arena, &keys);
    if (!err)
        err = find(asking, &keys, found, sizeof found / sizeof *found, &n, &n_days);
    json_writer_init(&w, &asking->out);
    json_begin_object(&w);
    json_field_i64(&w, "time", clock_wall(uses->hub->clock).ms);
    json_key(&w, "subject");
    json_put_raw(&w, asking->subject);
    json_field_i64(&w, "days", n_days);
    json_field_bool(&w, "complete", uses->n >= ledger_n_durable(uses->hub->ledger));
    json_key(&w, "uses");
    json_begin_array(&w);
    for (size_t i = 0; i < n && !err && n_put < asking->n_max; i++) {
        struct hub_use_info use;
        enum err one = hub_use_of_subject(uses->hub, (uint64_t)found[i], asking->subject, &arena, &use);
        if (one == ERR_NOT_FOUND)
            continue; /* another's whose pseudonym begins alike */
        err = one;
        if (!err) {
            put_use(&w, uses->hub, &use);
            n_put++;
            last = found[i];
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

static enum err load(struct hub_uses *uses, const char *path, struct diag *diag)
{
    struct db_statement *statement = NULL;
    bool is_row = false;
    enum err err = db_open(path, diag, &uses->db);
    if (!err)
        err = db_migrate(uses->db, migrations, sizeof migrations / sizeof *migrations, diag);
    if (!err)
        err = db_prepare(uses->db, "SELECT n FROM followed", diag, &statement);
    if (!err)
        err = db_step(statement, &is_row);
    if (!err && is_row)
        uses->n = (uint64_t)db_column(statement, 0).i;
    db_statement_finish(statement);
    /* Of another ledger, or of one that was put back: what it says is about leaves that are not there. */
    if (!err && uses->n > ledger_n_durable(uses->hub->ledger)) {
        err = db_exec(uses->db, "DELETE FROM subject; UPDATE followed SET n = 0", diag);
        uses->n = 0;
    }
    uses->n_seen = ledger_n_durable(uses->hub->ledger);
    return err;
}

static void start_on_thread(void *context)
{
    struct hub_uses *uses = context;
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
    enum err err = load(uses, path, &diag);
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
    if (uses->thread)
        loop_thread_call(uses->thread, stop_on_thread, uses);
    loop_thread_stop(uses->thread);
    db_close(uses->db);
    mem_free(uses);
}

void hub_uses_measure(struct hub_uses *uses, struct metric_page *page)
{
    static const struct metric behind = {
        "citybrain_uses_unindexed_leaves", METRIC_GAUGE, "Leaves that the index of uses has not seen yet", {NULL}};
    uint64_t n = hub_uses_n_indexed(uses), n_durable = ledger_n_durable(uses->hub->ledger);
    metric_put_count(page, &behind, n_durable > n ? n_durable - n : 0, NULL);
}
