/* The desk's side of the feed, and the bytes of its questions. One list, in the order of numbers: a change moves its contract to the end.
 */
#include "hub/feed.h"

#include "base/bytes.h"
#include "hub/desk.h"

#define VERSION 1

/* ---- questions ---- */

static void put_text(struct buf *out, struct str text)
{
    buf_append_be(out, text.len, 4);
    buf_append_str(out, text);
}

void hub_feed_question_write(const struct hub_feed_question *question, struct buf *out)
{
    buf_append_byte(out, VERSION);
    buf_append_byte(out, (char)question->what);
    buf_append_be(out, question->process, 8);
    if (question->what == HUB_FEED_FOLLOW) {
        buf_append_be(out, question->place.epoch, 8);
        buf_append_be(out, question->place.number, 8);
        return;
    }
    if (question->what == HUB_FEED_PROGRAMS)
        return;
    if (question->what == HUB_FEED_COUNT) {
        buf_append_str(out, question->counts);
        return;
    }
    if (question->what == HUB_FEED_LOG) {
        put_text(out, question->log);
        return;
    }
    put_text(out, question->contract);
    buf_append_byte(out, (char)question->quota);
    buf_append_be(out, question->period, 8);
    buf_append_be(out, question->n, 4);
}

enum err hub_feed_question_read(struct str bytes, struct hub_feed_question *ret_question)
{
    struct bytes_reader reader;
    struct hub_feed_question question = {0};
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    uint8_t version = bytes_read_u8(&reader);
    question.what = (enum hub_feed_what)bytes_read_u8(&reader);
    question.process = bytes_read_u64be(&reader);
    if (question.what == HUB_FEED_FOLLOW) {
        question.place.epoch = bytes_read_u64be(&reader);
        question.place.number = bytes_read_u64be(&reader);
    } else if (question.what == HUB_FEED_LEASE) {
        question.contract = bytes_read_str(&reader, bytes_read_u32be(&reader));
        question.quota = bytes_read_u8(&reader);
        question.period = bytes_read_u64be(&reader);
        question.n = bytes_read_u32be(&reader);
    } else if (question.what == HUB_FEED_COUNT)
        question.counts = bytes_read_str(&reader, bytes_reader_left(&reader));
    else if (question.what == HUB_FEED_LOG)
        question.log = bytes_read_str(&reader, bytes_read_u32be(&reader));
    else if (question.what != HUB_FEED_PROGRAMS)
        return ERR_SYNTAX;
    if (reader.err || version != VERSION || bytes_reader_left(&reader) != 0)
        return ERR_SYNTAX;
    *ret_question = question;
    return ERR_OK;
}

void hub_feed_lease_write(uint32_t granted, struct buf *out)
{
    buf_append_byte(out, VERSION);
    buf_append_byte(out, HUB_FEED_LEASE);
    buf_append_be(out, granted, 4);
}

enum err hub_feed_lease_read(struct str bytes, uint32_t *ret_granted)
{
    struct bytes_reader reader;
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    bool is_ours = bytes_read_u8(&reader) == VERSION && bytes_read_u8(&reader) == HUB_FEED_LEASE;
    uint32_t granted = bytes_read_u32be(&reader);
    if (!is_ours || reader.err || bytes_reader_left(&reader) != 0)
        return ERR_SYNTAX;
    *ret_granted = granted;
    return ERR_OK;
}

/* ---- numbers ---- */

/* Copies of other hubs' contracts are not this desk's to tell. */
void hub_feed_tell(struct hub_contract *contract)
{
    struct hub_feed *feed = &contract->hub->feed;
    if (contract->is_copy || !feed->epoch || hub_contract_lookup(contract->hub, contract->name) != contract)
        return;
    if (contract->feed.number) {
        *(contract->feed.before ? &contract->feed.before->feed.after : &feed->oldest) = contract->feed.after;
        *(contract->feed.after ? &contract->feed.after->feed.before : &feed->newest) = contract->feed.before;
    }
    contract->feed.before = feed->newest;
    contract->feed.after = NULL;
    *(feed->newest ? &feed->newest->feed.after : &feed->oldest) = contract;
    feed->newest = contract;
    contract->feed.number = atomic_load_explicit(&feed->last, memory_order_relaxed) + 1;
    atomic_store_explicit(&feed->last, contract->feed.number, memory_order_release);
}

void hub_feed_changed(struct hub *hub)
{
    if (hub->feed.on_change)
        hub->feed.on_change(hub->feed.context);
}

void hub_feed_open(struct hub *hub)
{
    do
        crypto_random(&hub->feed.epoch, sizeof hub->feed.epoch);
    while (!hub->feed.epoch);
    pthread_mutex_lock(&hub->desk.lock);
    for (size_t i = 0; i < hub->n_contracts; i++)
        hub_feed_tell(hub->contracts[i]);
    pthread_mutex_unlock(&hub->desk.lock);
}

void hub_feed_listen(struct hub *hub, void (*on_change)(void *context), void *context)
{
    hub->feed.on_change = on_change;
    hub->feed.context = context;
}

bool hub_feed_has_news(struct hub *hub, struct hub_feed_place place)
{
    return place.epoch != hub->feed.epoch || place.number != atomic_load_explicit(&hub->feed.last, memory_order_acquire);
}

/* ---- processes of the hub ---- */

bool hub_feed_is_replica(const struct hub *hub, struct str party)
{
    struct str area, name;
    return str_cut(party, '/', &area, &name) && str_equal(area, hub->area) && str_equal_c(name, "hub");
}

static void count_hubs(struct hub *hub)
{
    uint16_t n = 1, n_unnamed = 0;
    for (size_t i = 0; i < HUB_REPLICAS_MAX; i++) {
        const struct hub_feed_replica *one = &hub->feed.replicas[i];
        n = (uint16_t)(n + (one->process != 0));
        n_unnamed = (uint16_t)(n_unnamed + (one->process && !one->is_named));
    }
    atomic_store(&hub->feed.n_hubs, n);
    atomic_store(&hub->feed.n_unnamed, n_unnamed);
}

void hub_feed_named(struct hub *hub, uint64_t process)
{
    for (size_t i = 0; i < HUB_REPLICAS_MAX; i++)
        if (process && hub->feed.replicas[i].process == process)
            hub->feed.replicas[i].is_named = true;
    count_hubs(hub);
}

enum err hub_feed_met(struct hub *hub, uint64_t process, bool *ret_is_new)
{
    struct hub_feed_replica *free_one = NULL;
    struct mono_time now = clock_mono(hub->clock);
    if (!process)
        return ERR_RANGE;
    for (size_t i = 0; i < HUB_REPLICAS_MAX; i++) {
        struct hub_feed_replica *one = &hub->feed.replicas[i];
        if (one->process == process) {
            one->heard = now;
            *ret_is_new = false;
            return ERR_OK;
        }
        free_one = one->process ? free_one : one;
    }
    if (!free_one)
        return ERR_FULL;
    *free_one = (struct hub_feed_replica){.process = process, .heard = now};
    count_hubs(hub);
    *ret_is_new = true;
    return ERR_OK;
}

bool hub_feed_forget(struct hub *hub)
{
    bool is_less = false;
    struct mono_time now = clock_mono(hub->clock);
    for (size_t i = 0; i < HUB_REPLICAS_MAX; i++) {
        struct hub_feed_replica *one = &hub->feed.replicas[i];
        if (one->process && mono_ms_between(one->heard, now) > HUB_FEED_FRESH_MS) {
            one->process = 0;
            is_less = true;
        }
    }
    if (is_less)
        count_hubs(hub);
    return is_less;
}

/* ---- telling ---- */

/* One that was drafted at run time is in nobody's files: its terms go along. What was signed at run time has its provider's signature. */
static void put_paper(const struct hub_contract *contract, struct buf *out)
{
    bool is_paper = contract->arena != &contract->hub->arena;
    bool is_signed = contract->signed_by && contract->signed_by[HUB_SIGNED_PROVIDER].is_there;
    buf_append_byte(out, is_paper ? HUB_FEED_PAPER : is_signed ? HUB_FEED_SIGNED : HUB_FEED_FILE);
    if (is_paper) {
        put_text(out, container_of(contract->arena, struct hub_paper, arena)->source);
        buf_append_byte(out, is_signed);
    }
    if (is_signed)
        buf_append(out, contract->signed_by[HUB_SIGNED_PROVIDER].bytes, SIGN_SIGNATURE_LEN);
}

static void put_contract(const struct hub_contract *contract, struct buf *out)
{
    bool is_confirmed = contract->confirmed_ms != DECIDE_NONE;
    put_text(out, contract->name);
    buf_append(out, contract->hash.bytes, sizeof contract->hash.bytes);
    buf_append_byte(out, (char)contract->life.state);
    buf_append_be(out, (uint64_t)(is_confirmed ? atomic_load(&contract->fresh_until_ms) : DECIDE_NONE), 8);
    put_paper(contract, out);
}

/* The first that is newer; from the end, where a follower usually is. */
static const struct hub_contract *newer_than(const struct hub_feed *feed, uint64_t number)
{
    const struct hub_contract *at = NULL;
    for (const struct hub_contract *one = feed->newest; one && one->feed.number > number; one = one->feed.before)
        at = one;
    return at;
}

void hub_feed_write(struct hub *hub, struct str party, struct hub_feed_place place, struct buf *out)
{
    struct hub_feed *feed = &hub->feed;
    bool is_replica = hub_feed_is_replica(hub, party);
    size_t from = out->len;
    pthread_mutex_lock(&hub->desk.lock);
    uint64_t upto = atomic_load_explicit(&feed->last, memory_order_relaxed);
    const struct hub_contract *one = newer_than(feed, place.epoch == feed->epoch ? place.number : 0);
    buf_append_byte(out, VERSION);
    buf_append_byte(out, HUB_FEED_FOLLOW);
    buf_append_be(out, atomic_load(&feed->n_hubs), 2);
    buf_append_be(out, feed->epoch, 8);
    size_t head = out->len;
    buf_append_be(out, upto, 8);
    buf_append_byte(out, 0); /* more */
    for (; one && out->len - from < (out->max / 2 < HUB_FEED_PART ? out->max / 2 : HUB_FEED_PART); one = one->feed.after)
        if (is_replica || str_equal(one->terms.provider, party)) {
            buf_append_byte(out, 1);
            put_contract(one, out);
        }
    buf_append_byte(out, 0);
    if (one && !out->err) { /* up to the one before it, and more */
        upto = one->feed.number - 1;
        for (int i = 0; i < 8; i++)
            out->ptr[head + (size_t)i] = (char)(upto >> 8 * (7 - i));
        out->ptr[head + 8] = 1;
    }
    pthread_mutex_unlock(&hub->desk.lock);
}
