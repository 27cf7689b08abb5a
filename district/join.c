/* The joint: events in, updates out, on one thread. See district/join.h. */
#include "district/parts.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 50
#define TICKS_STEP 2 /* DISTRICT_TICK every so many */
#define TICKS_STREAMS 20
#define FOLLOW_MAX 2000 /* leaves a tick: 40,000 a second */
#define STOP_MS 12000   /* for uses under way; a department's own time-out is shorter */
#define OUT_MAX (1u << 20)

/* ---- events in, updates out ---- */

void district_fail(struct district *district, enum err err)
{
    if (district->is_broken)
        return;
    district->is_broken = true;
    log_write(LOG_ERROR, "district", "the book cannot be written", LOG_ERR(err), LOG_END);
    if (district->options.fatal)
        district->options.fatal(district->options.fatal_context, "district", err);
}

static void send_bytes(struct district *district, size_t peer, const struct district_message *message)
{
    struct bytes_writer head;
    struct buf bytes;
    bool has_rest = message->kind == DISTRICT_FORWARD || message->kind == DISTRICT_ANSWER;
    bytes_writer_init(&head, district->head, sizeof district->head);
    district_message_write(message, &head);
    buf_init(&bytes, OUT_MAX);
    buf_append(&bytes, district->head, head.len);
    if (has_rest)
        buf_append_str(&bytes, district->payload);
    metric_add(&district->figures.sent[peer], 1);
    if (!head.err && !bytes.err)
        district->options.carrier->send(district->options.carrier, district->hub_of[peer], buf_str(&bytes));
    buf_finish(&bytes);
}

static void send_receipts(struct district *district, const struct district_update *update)
{
    struct district_message message = {.kind = DISTRICT_RECEIPTS, .boot = district->state->boot};
    size_t n = 0;
    message.receipts.first = update->first;
    enum err err =
        book_receipts(district->book, district->hub_of[update->peer], update->first, DISTRICT_BATCH, message.receipts.entries, &n);
    message.receipts.n = (uint8_t)n;
    if (err)
        district_fail(district, err);
    else if (n > 0)
        send_bytes(district, update->peer, &message);
}

static void set_contract(struct district *district, const struct district_update *update, int64_t now_ms)
{
    int64_t until_ms = update->until_ms < 0 ? 0 : clock_wall(district->clock).ms + (update->until_ms - now_ms);
    enum err err = hub_contract_told(district->hub, district->contracts[update->contract], update->state, until_ms);
    if (err)
        log_write(LOG_ERROR, "district", "what was told of a contract means nothing here",
            LOG_STR("contract", district->contracts[update->contract]), LOG_ERR(err), LOG_END);
}

static void do_update(struct district *district, const struct district_update *update, int64_t now_ms)
{
    enum err err;
    switch (update->kind) {
    case DISTRICT_SEND:
        send_bytes(district, update->peer, update->message);
        return;
    case DISTRICT_SEND_RECEIPTS:
        send_receipts(district, update);
        return;
    case DISTRICT_REPLY:
        district_use_end(district, update);
        return;
    case DISTRICT_NAME:
        district_naming_begin(district, update);
        return;
    case DISTRICT_ACKED:
        err = book_acked(district->book, district->hub_of[update->peer], update->first);
        if (err)
            district_fail(district, err);
        return;
    case DISTRICT_SET_CONTRACT:
        set_contract(district, update, now_ms);
        return;
    case DISTRICT_LINK:
        district_link_changed(district, update->peer, update->is_up);
        return;
    case DISTRICT_ABORT:
        district_use_abort(district, update->peer, update->intent);
        return;
    case DISTRICT_CLOSE:
        district_use_close(district, update->peer, update->intent);
        return;
    case DISTRICT_SERVE: /* last, by the caller: it may bring the next event at once */
        return;
    }
}

void district_drive(struct district *district, struct district_event event)
{
    const struct district_update *serve = NULL;
    if (district->is_broken)
        return;
    event.now_ms = clock_mono(district->clock).ns / 1000000;
    event.wall_ms = clock_wall(district->clock).ms;
    district_step(district->state, &event, district->updates);
    for (size_t i = 0; i < district->updates->n; i++) {
        const struct district_update *update = &district->updates->items[i];
        if (update->kind == DISTRICT_SERVE)
            serve = update;
        else
            do_update(district, update, event.now_ms);
    }
    if (serve)
        district_use_serve(district, serve->peer, serve->intent, serve->part);
    district_use_go_on(district);
}

void district_receive(struct district *district, int hub, struct str bytes)
{
    struct district_message message;
    int peer = hub >= 0 ? district->peer_of[hub] : -1;
    if (peer < 0)
        return;
    metric_add(&district->figures.received[peer], 1);
    if (district->is_broken || district_witness_receive(district, (size_t)peer, bytes))
        return;
    enum err err = district_message_read(bytes, &message, &district->rest);
    if (err) {
        metric_add(&district->figures.unreadable[peer], 1);
        log_write(LOG_WARNING, "district", "a message cannot be read", LOG_STR("hub", district->federation->hubs[hub].area), LOG_ERR(err),
            LOG_END);
    } else {
        district_drive(district, (struct district_event){.kind = DISTRICT_MESSAGE, .peer = (size_t)peer, .message = &message});
        if (message.kind == DISTRICT_BEAT)
            district_agreement_note(district, (size_t)peer);
    }
    district->rest = STR_NONE;
}

/* ---- contracts that join this hub to another ---- */

static enum err add_contract(struct district *district, const struct hub_contract_info *info, struct diag_list *diags)
{
    const struct federation *federation = district->federation;
    int consumer = district_home(federation->nodes, federation->n_hubs, info->consumer);
    int provider = district_home(federation->nodes, federation->n_hubs, info->resource);
    struct district_state *state = district->state;
    if (consumer == provider || (consumer != district->self && provider != district->self))
        return ERR_OK;
    int other = provider == district->self ? consumer : provider;
    if (other < 0 || district->peer_of[other] < 0)
        return diag_add(diags, ERR_NOT_FOUND, NULL, 0,
            "contract " STR_FORMAT " joins this hub to one that it has no agreement with; make one in federation.yaml",
            STR_ARG(info->name));
    if (district_home(federation->nodes, federation->n_hubs, info->name) != provider)
        return diag_add(diags, ERR_RANGE, NULL, 0,
            "contract " STR_FORMAT " joins two hubs, and is at home at the provider's; name it " STR_FORMAT "/c-N", STR_ARG(info->name),
            STR_ARG(federation->hubs[provider].area));
    if (state->n_contracts == DISTRICT_CONTRACTS_MAX)
        return diag_add(diags, ERR_FULL, NULL, 0, "more than %d contracts with other hubs", DISTRICT_CONTRACTS_MAX);
    size_t at = state->n_contracts++;
    struct district_contract *contract = &state->contracts[at];
    memcpy(contract->hash, info->hash.bytes, sizeof contract->hash);
    contract->peer = (size_t)district->peer_of[other];
    contract->is_home = provider == district->self;
    contract->state = (uint8_t)info->state;
    contract->fresh_for_ms = info->fresh_for_ms == INT64_MIN ? INT64_MAX / 4 : info->fresh_for_ms;
    district->contracts[at] = info->name;
    return ERR_OK;
}

static enum err look_for_contracts(struct district *district, struct diag_list *diags)
{
    struct hub_contract_info info;
    enum err err = ERR_OK;
    for (; district->n_contracts_seen < hub_n_contracts(district->hub); district->n_contracts_seen++) {
        if (!hub_contract_at(district->hub, district->n_contracts_seen, &info))
            continue;
        enum err one = add_contract(district, &info, diags);
        err = err ? err : one;
    }
    return err;
}

/* Whatever changed a contract at home here (the desk, its end, its provider): the others hear of it. */
static void tell_contracts(struct district *district)
{
    struct hub_contract_info info;
    size_t n_before = district->state->n_contracts;
    if (district->n_contracts_seen <
        hub_n_contracts(district->hub)) { /* drafted here since the start; without an agreement it stays here */
        enum err err = look_for_contracts(district, NULL);
        if (err)
            log_write(LOG_WARNING, "district", "a contract with another hub is told to nobody", LOG_ERR(err), LOG_END);
    }
    for (size_t i = 0; i < district->state->n_contracts; i++) {
        struct district_contract *contract = &district->state->contracts[i];
        if (contract->is_home && hub_contract_find(district->hub, district->contracts[i], &info) &&
            (info.state != contract->state || i >= n_before))
            district_drive(district,
                (struct district_event){.kind = DISTRICT_MY_CONTRACT, .peer = contract->peer, .contract = i, .state = (uint8_t)info.state});
    }
}

/* ---- time ---- */

static void follow(struct district *district)
{
    const struct book_leaf *leaves;
    size_t n = 0;
    enum err err = book_follow(district->book, district->ledger, FOLLOW_MAX, &leaves, &n);
    if (err) {
        district_fail(district, err);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        int peer = district->peer_of[leaves[i].hub];
        if (peer >= 0)
            district_drive(district, (struct district_event){.kind = DISTRICT_LEAF,
                                         .peer = (size_t)peer,
                                         .intent = leaves[i].receipt.intent,
                                         .leaf = leaves[i].receipt.leaf,
                                         .receipt_kind = leaves[i].receipt.kind});
    }
}

static void on_tick(struct loop_timer *timer)
{
    struct district *district = container_of(timer, struct district, tick);
    follow(district);
    district_naming_tend(district);
    tell_contracts(district);
    district_use_give_up(district);
    serving_streams_tend(district, false);
    if (district->n_ticks % TICKS_STREAMS == 0) {
        district_streams_look(district);
        district_streams_tend(district);
    }
    district_links_tend(district);
    district_agreements_tend(district);
    district_twins_tend(district);
    district_witness_tend(district);
    if (district->n_ticks++ % TICKS_STEP == 0)
        district_drive(district, (struct district_event){.kind = DISTRICT_TICK});
    district_show(district);
    if (loop_timer_start(district->loop, timer, TICK_MS))
        log_write(LOG_ERROR, "district", "the joint stands still", LOG_END);
}

/* ---- uses come in ---- */

static void on_ask(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    const struct district_plan *plan = fetch->system_state;
    district_use_ask(plan->district, plan, fetch);
}

static void refused(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

bool district_post(struct district *district, struct loop_task *task)
{
    pthread_mutex_lock(&district->lock);
    bool is_open = district->is_open;
    if (is_open)
        loop_post(district->loop, task);
    pthread_mutex_unlock(&district->lock);
    return is_open;
}

void district_ask(const struct district_plan *plan, struct hub_fetch *fetch)
{
    struct district *district = plan->district;
    fetch->system_state = (void *)(uintptr_t)plan;
    fetch->rows = NULL;
    fetch->twin[0] = '\0';
    fetch->task.fn = on_ask;
    if (!district || !district_post(district, &fetch->task)) {
        fetch->err = ERR_UNAVAILABLE;
        fetch->task.fn = refused;
        loop_post(fetch->loop, &fetch->task);
    }
}

/* ---- life ---- */

static enum err add_peers(struct district *district, struct diag_list *diags)
{
    const struct federation *federation = district->federation;
    for (size_t i = 0; i < federation->n_agreements; i++) {
        const struct federation_agreement *agreement = &federation->agreements[i];
        int side = agreement->hubs[0] == district->self ? 0 : agreement->hubs[1] == district->self ? 1 : -1;
        if (side < 0)
            continue;
        if (district->state->n_peers == DISTRICT_PEERS_MAX)
            return yaml_error(agreement->place, diags, ERR_TOO_LARGE, "one hub has more than %d agreements", DISTRICT_PEERS_MAX);
        size_t at = district->state->n_peers++;
        struct district_peer *peer = &district->state->peers[at];
        int hub = agreement->hubs[1 - side];
        peer->agreement = agreement->hash;
        peer->fresh_for_ms = agreement->fresh_for_ms;
        peer->from_ms = agreement->from_ms;
        peer->until_ms = agreement->until_ms;
        peer->mine = (uint8_t)agreement->states[side];
        district->peer_of[hub] = (int)at;
        district->hub_of[at] = hub;
        district->namings[at].district = district;
        district->namings[at].peer = at;
        district->tellings[at].district = district;
    }
    return district->state->n_peers > 0
               ? ERR_OK
               : diag_add(diags, ERR_NOT_FOUND, yaml_name(federation->yaml), 0,
                     "hub \"" STR_FORMAT "\" has no agreement with any other; make one", STR_ARG(district->options.area));
}

enum err district_create(const struct district_options *options, struct diag_list *diags, struct district **ret_district)
{
    struct federation *federation = options->federation;
    int self = federation_hub_find(federation, options->area);
    if (self < 0)
        return diag_add(diags, ERR_NOT_FOUND, yaml_name(federation->yaml), 0,
            "there is no hub \"" STR_FORMAT "\" among hubs:; declare it, or mend city: in city.yaml", STR_ARG(options->area));
    struct district *district = mem_alloc_zero(1, sizeof *district);
    if (!district)
        return ERR_NO_MEMORY;
    district->options = *options;
    district->federation = federation;
    district->self = self;
    district->clock = options->clock;
    buf_init(&district->out, OUT_MAX);
    pthread_mutex_init(&district->lock, NULL);
    district->state = mem_alloc_zero(1, sizeof *district->state);
    district->updates = mem_alloc_zero(1, sizeof *district->updates);
    district->peer_of = mem_alloc_zero(federation->n_hubs, sizeof *district->peer_of);
    district->namings = mem_alloc_zero(DISTRICT_PEERS_MAX, sizeof *district->namings);
    int len = snprintf(district->store_path, sizeof district->store_path, "%s", options->store_path);
    enum err err = len < 0 || len >= (int)sizeof district->store_path                               ? ERR_TOO_LARGE
                   : district->state && district->updates && district->peer_of && district->namings ? ERR_OK
                                                                                                    : ERR_NO_MEMORY;
    for (size_t i = 0; i < federation->n_hubs && !err; i++)
        district->peer_of[i] = -1;
    if (!err)
        err = district_streams_create(district);
    if (!err)
        err = add_peers(district, diags);
    if (err) {
        district->federation = NULL; /* the caller's, as before */
        district_destroy(district);
        return err;
    }
    *ret_district = district;
    return ERR_OK;
}

static enum err open_book(struct district *district, struct diag *diag)
{
    const struct book_leaf *leaves;
    size_t n;
    enum err err = book_open(district->store_path, district->federation, diag, &district->book);
    while (!err && book_followed(district->book) < ledger_n_durable(district->ledger))
        err = book_follow(district->book, district->ledger, FOLLOW_MAX, &leaves, &n);
    if (err)
        return err;
    district_begin(district->state, book_boot(district->book));
    for (size_t i = 0; i < district->state->n_peers && !err; i++) {
        struct book_peer known;
        struct district_peer *peer = &district->state->peers[i];
        err = book_peer(district->book, district->hub_of[i], &known);
        if (err)
            return err;
        district_peer_begin(peer, known.n_mine, known.acked, known.got);
        district->twins[i].watch.checked = known.twinned;
        if (known.agreement >= 0)
            peer->mine = (uint8_t)known.agreement;
        /* What the file says holds since the agreement does. */
        err = district_word_give(district, i, peer->mine, known.agreement >= 0 ? known.since_ms : peer->from_ms, &peer->mine_word);
    }
    return err;
}

struct starting {
    struct district *district;
    struct diag diag;
    enum err err;
};

static void start_on_loop(void *context)
{
    struct starting *starting = context;
    struct district *district = starting->district;
    district->tick.fn = on_tick;
    starting->err = district->options.carrier->start(district->options.carrier, district, district->loop, &starting->diag);
    for (size_t i = 0; i < district->state->n_peers && !starting->err; i++)
        district_link_begin(district, i);
    if (!starting->err)
        starting->err = loop_timer_start(district->loop, &district->tick, 0);
}

enum err district_check(struct district *district, struct hub *hub, struct diag_list *diags)
{
    district->hub = hub;
    return look_for_contracts(district, diags);
}

enum err district_start(struct district *district, struct hub *hub, struct ledger *ledger, struct diag_list *diags)
{
    struct starting starting = {.district = district};
    district->hub = hub;
    district->ledger = ledger;
    enum err err = look_for_contracts(district, diags);
    if (err)
        return err;
    err = open_book(district, &starting.diag);
    if (!err)
        err = district_streams_begin(district, &starting.diag);
    if (!err)
        err = district_witness_open(district, &starting.diag);
    if (!err)
        err = loop_thread_start(district->clock, "district", &district->thread);
    if (!err) {
        district->loop = loop_thread_loop(district->thread);
        loop_thread_call(district->thread, start_on_loop, &starting);
        err = starting.err;
    }
    if (err)
        return diag_add(diags, err, NULL, 0, "%s", starting.diag.text[0] ? starting.diag.text : err_text(err));
    pthread_mutex_lock(&district->lock);
    district->is_open = true;
    pthread_mutex_unlock(&district->lock);
    return ERR_OK;
}

static void stop_on_loop(void *context)
{
    struct district *district = context;
    loop_timer_stop(&district->tick);
    district->options.carrier->stop(district->options.carrier);
    district_use_drop_all(district);
    district_use_close_all(district);
}

struct looking {
    struct district *district;
    size_t n;
};

static void look(void *context)
{
    struct looking *looking = context;
    looking->n = looking->district->n_under_way;
}

static void close_readings(void *context)
{
    district_use_close_all(context);
}

static void streams_on_loop(void *context)
{
    district_streams_tend(context);
}

void district_stop(struct district *district)
{
    if (!district || !district->thread)
        return;
    struct looking looking = {.district = district, .n = 1};
    pthread_mutex_lock(&district->lock);
    district->is_open = false;
    pthread_mutex_unlock(&district->lock);
    loop_thread_call(district->thread, stop_on_loop, district);
    for (int ms = 0; ms < STOP_MS && looking.n > 0; ms += 10) {
        loop_thread_call(district->thread, look, &looking);
        if (looking.n > 0)
            usleep(10000);
    }
    loop_thread_call(district->thread, close_readings, district);
    loop_thread_call(district->thread, streams_on_loop, district);
    loop_thread_stop(district->thread);
    district->thread = NULL;
}

void district_destroy(struct district *district)
{
    if (!district)
        return;
    district_stop(district);
    district_witness_close(district);
    book_close(district->book);
    district_streams_close(district);
    federation_destroy(district->federation);
    pthread_mutex_destroy(&district->lock);
    buf_finish(&district->out);
    for (size_t i = 0; i < DISTRICT_PEERS_MAX; i++)
        buf_finish(&district->tellings[i].leaf);
    mem_free(district->state);
    mem_free(district->updates);
    mem_free(district->peer_of);
    mem_free(district->namings);
    mem_free(district);
}

const struct federation *district_federation(const struct district *district)
{
    return district->federation;
}

int district_self(const struct district *district)
{
    return district->self;
}
