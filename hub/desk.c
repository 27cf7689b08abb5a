/*
 * The desk's work, on the hub's loop (hub/desk.h has one step's way). Rules are hub/negotiate.c's; this file only carries them out.
 */
#include "hub/desk.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define PAPER_ARENA_MAX (1u << 20)
#define EXPIRE_AT_ONCE 64 /* a tick; the next one takes the rest */

/* ---- papers ---- */

void hub_paper_drop(struct hub_paper *paper)
{
    if (!paper)
        return;
    yaml_destroy(paper->yaml);
    arena_finish(&paper->arena);
    mem_free(paper);
}

struct hub_paper *hub_desk_paper(struct hub *hub, struct str name)
{
    struct hub_paper *paper = hub->desk.papers;
    while (paper && !str_equal(paper->contract->name, name))
        paper = paper->next;
    return paper;
}

struct hub_contract *hub_desk_find(struct hub *hub, struct str name)
{
    struct hub_contract *contract = hub_contract_lookup(hub, name);
    if (contract)
        return contract;
    struct hub_paper *paper = hub_desk_paper(hub, name);
    return paper ? paper->contract : NULL;
}

enum negotiate_side hub_desk_side(const struct hub_contract *contract, const struct http_identity *who)
{
    if (str_equal(contract->terms.provider, who->acts_for))
        return NEGOTIATE_PROVIDER;
    return str_equal(contract->terms.consumer, who->acts_for) ? NEGOTIATE_CONSUMER : NEGOTIATE_NOBODY;
}

/* The draft as a contract's file would say it: members that are null are left out, name and state are the hub's. */
static enum err make_source(struct str name, struct str terms, struct diag_list *diags, struct buf *out)
{
    struct diag diag = {""};
    json_t *draft, *member;
    const char *key;
    void *next;
    enum err err = json_read(terms, &diag, &draft);
    if (err || !json_is_object(draft)) {
        if (!err)
            json_decref(draft);
        return diag_add(diags, ERR_SYNTAX, NULL, 0, "a draft is a JSON object with the keys of a contract's file%s%s",
            diag.text[0] ? ": " : "", diag.text);
    }
    json_object_foreach_safe(draft, next, key, member)
    {
        bool is_ours = strcmp(key, "state") == 0 || strcmp(key, "contract") == 0 || strcmp(key, "confirmed") == 0;
        if (is_ours || json_is_null(member) || (json_is_string(member) && json_string_length(member) == 0))
            json_object_del(draft, key);
    }
    json_object_set_new(draft, "contract", json_stringn(name.ptr, name.len));
    json_object_set_new(draft, "state", json_string("drafted"));
    err = json_write_canonical(draft, out);
    json_decref(draft);
    return err;
}

enum err hub_desk_read(struct hub *hub, struct str name, struct str terms, struct diag_list *diags, struct hub_paper **ret_paper)
{
    struct buf source;
    struct hub_paper *paper = mem_alloc_zero(1, sizeof *paper);
    if (!paper)
        return ERR_NO_MEMORY;
    arena_init(&paper->arena, PAPER_ARENA_MAX);
    buf_init(&source, HUB_TERMS_MAX);
    enum err err = make_source(name, terms, diags, &source);
    if (!err)
        err = arena_copy_str(&paper->arena, buf_str(&source), &paper->source);
    if (!err)
        err = yaml_load_str(paper->source, "draft", diags, &paper->yaml);
    if (!err)
        err = hub_contract_read(hub, &paper->arena, yaml_root(paper->yaml), diags, &paper->contract);
    if (!err && str_equal(paper->contract->terms.provider, paper->contract->terms.consumer))
        err = diag_add(diags, ERR_DENIED, NULL, 0, "a party needs no contract with itself; name another consumer");
    buf_finish(&source);
    if (err)
        hub_paper_drop(paper);
    else
        *ret_paper = paper;
    return err;
}

/* ---- the end of a step ---- */

static void tell(struct loop_task *task)
{
    struct hub_desk_ask *ask = container_of(task, struct hub_desk_ask, task);
    ask->done(ask);
}

static void finish(struct hub_desk_ask *ask, enum err err)
{
    struct hub *hub = ask->hub;
    ask->err = err;
    if (err && ask->paper && ask->event >= HUB_DRAFT)
        hub_paper_drop(ask->paper);
    if (ask->has_leaf)
        buf_finish(&ask->leaf);
    ask->task.fn = tell;
    loop_post(ask->loop, &ask->task);
    hub_work_end(hub);
}

static enum err refuse(struct hub_desk_ask *ask, int rule)
{
    ask->rule = rule;
    return diag_set(&ask->diag, rule == NEGOTIATE_STRANGER || rule == NEGOTIATE_DRAFTER ? ERR_NOT_FOUND : ERR_DENIED, NULL, 0, "%s",
        negotiate_rule_text(rule));
}

/* What decisions look at. */
static void apply_to_decisions(struct hub_contract *contract)
{
    const struct negotiate *life = &contract->life;
    contract->confirmed_ms = life->confirmed_ms;
    if (contract->fresh_for_ms != DECIDE_NONE && life->confirmed_ms != DECIDE_NONE)
        atomic_store(&contract->fresh_until_ms, life->confirmed_ms + contract->fresh_for_ms);
    atomic_store_explicit(&contract->state, (int)life->state, memory_order_release);
}

/* A new draft stands in the list; other terms replace those that were. */
static void keep_paper(struct hub_desk_ask *ask)
{
    struct hub_desk *desk = &ask->hub->desk;
    struct hub_paper **at = &desk->papers;
    if (ask->event == NEGOTIATE_CHANGE) {
        while (*at != NULL && (*at)->contract != ask->target)
            at = &(*at)->next;
        struct hub_paper *old = *at;
        ask->paper->next = old->next;
        old->next = desk->retired;
        desk->retired = old;
    } else {
        ask->paper->next = *at;
        desk->n_papers++;
    }
    *at = ask->paper;
    ask->target = ask->paper->contract;
}

static enum err enter(struct hub_desk_ask *ask)
{
    if (!ask->paper || ask->paper->is_entered || ask->next.state != HUB_AGREED)
        return ERR_OK;
    enum err err = hub_contract_enter(ask->hub, ask->target);
    if (!err)
        ask->paper->is_entered = true;
    return err;
}

/* Durable: now it counts. */
static void apply(struct hub_desk_ask *ask)
{
    struct hub *hub = ask->hub;
    enum err err = ERR_OK;
    pthread_mutex_lock(&hub->desk.lock);
    if (ask->event == HUB_DRAFT || ask->event == NEGOTIATE_CHANGE)
        keep_paper(ask);
    ask->target->life = ask->next;
    ask->target->is_at_desk = false;
    if (ask->event == NEGOTIATE_SIGN && ask->target->signed_by)
        ask->target->signed_by[ask->side == NEGOTIATE_PROVIDER ? HUB_SIGNED_PROVIDER : HUB_SIGNED_CONSUMER] = ask->signed_now;
    apply_to_decisions(ask->target);
    err = enter(ask);
    hub_feed_tell(ask->target);
    pthread_mutex_unlock(&hub->desk.lock);
    hub_feed_changed(hub);
    ask->name = ask->target->name;
    if (err) /* it is in force on disk, and for decisions from the next start on */
        diag_set(&ask->diag, err, NULL, 0, "signed; it comes into force when the hub starts again (%d new contracts in one run)",
            HUB_NEW_CONTRACTS_MAX);
    finish(ask, err);
}

static void give_up(struct hub_desk_ask *ask, enum err err)
{
    if (ask->target) {
        pthread_mutex_lock(&ask->hub->desk.lock);
        ask->target->is_at_desk = false;
        pthread_mutex_unlock(&ask->hub->desk.lock);
    }
    log_write(LOG_ERROR, "hub", "a contract's step could not be kept", LOG_STR("contract", ask->contract), LOG_ERR(err), LOG_END);
    diag_set(&ask->diag, err, NULL, 0, "the step could not be written; it may or may not stand after a restart: look before trying again");
    if (ask->event == NEGOTIATE_CHANGE)
        hub_paper_drop(ask->paper);
    finish(ask, err);
}

static enum err run_store(struct db_write *write, struct db *db)
{
    return hub_desk_store(container_of(write, struct hub_desk_ask, write), db);
}

static void stored(struct db_write *write)
{
    struct hub_desk_ask *ask = container_of(write, struct hub_desk_ask, write);
    if (write->err)
        give_up(ask, write->err);
    else
        apply(ask);
}

static void store(struct hub_desk_ask *ask)
{
    ask->write = (struct db_write){.run = run_store, .loop = ask->hub->loop, .done = stored};
    enum err err = ask->hub->writer ? db_writer_submit(ask->hub->writer, &ask->write) : ERR_UNAVAILABLE;
    if (err)
        give_up(ask, err);
}

static void appended(struct ledger_append *append)
{
    struct hub_desk_ask *ask = container_of(append, struct hub_desk_ask, append);
    if (append->err) {
        give_up(ask, append->err);
        return;
    }
    hub_receipt(ask->hub, append->index, ask->receipt);
    store(ask);
}

/* ---- the beginning of a step ---- */

static const char *event_name(const struct hub_desk_ask *ask)
{
    return ask->event < HUB_DRAFT ? negotiate_event_names[ask->event] : "draft";
}

/* A draft is its drafter's affair: only from the offer on the ledger hears of it. */
static void begin_leaf(struct hub_desk_ask *ask)
{
    struct hub_signature signatures[HUB_N_SIGNED] = {{0}};
    if (ask->event == HUB_DRAFT || ask->event == NEGOTIATE_CHANGE ||
        (ask->target->life.state == HUB_DRAFTED && ask->next.state == HUB_ENDED)) {
        store(ask);
        return;
    }
    if (ask->target->signed_by)
        memcpy(signatures, ask->target->signed_by, sizeof signatures);
    if (ask->event == NEGOTIATE_SIGN)
        signatures[ask->side == NEGOTIATE_PROVIDER ? HUB_SIGNED_PROVIDER : HUB_SIGNED_CONSUMER] = ask->signed_now;
    buf_init(&ask->leaf, LEDGER_LEAF_MAX);
    ask->has_leaf = true;
    enum err err = hub_desk_leaf(ask->target, signatures, event_name(ask), negotiate_side_names[ask->side],
        hub_state_names[ask->next.state], ask->now_ms, &ask->leaf);
    ask->append = (struct ledger_append){.leaf = buf_str(&ask->leaf), .loop = ask->hub->loop, .done = appended};
    if (!err)
        err = ledger_append(ask->hub->ledger, &ask->append);
    if (err)
        give_up(ask, err);
}

/* Given with the asking, it must be the party's declared key's; else the hub signs with the key that it holds. */
static enum err take_signature(struct hub_desk_ask *ask, bool *ret_is_good)
{
    struct str party = ask->side == NEGOTIATE_PROVIDER ? ask->target->terms.provider : ask->target->terms.consumer;
    struct sign_public declared;
    struct buf message;
    buf_init(&message, HUB_CONTENT_MAX);
    enum err err = hub_desk_message(ask->target, &message);
    ask->signed_now.time_ms = ask->now_ms;
    if (!err && str_is_empty(ask->signature)) {
        err = hub_party_sign(ask->hub, party, buf_str(&message), &ask->diag, &ask->signed_now);
        *ret_is_good = !err;
    } else if (!err) {
        *ret_is_good = !hub_party_public(ask->hub, party, &declared) && !sign_public_read(ask->key, &ask->signed_now.key) &&
                       declared.algorithm == ask->signed_now.key.algorithm && declared.len == ask->signed_now.key.len &&
                       memcmp(declared.bytes, ask->signed_now.key.bytes, declared.len) == 0 &&
                       !crypto_unhex(ask->signature, ask->signed_now.bytes, SIGN_SIGNATURE_LEN) &&
                       !sign_check(&declared, buf_str(&message), ask->signed_now.bytes);
        ask->signed_now.is_there = *ret_is_good;
    }
    buf_finish(&message);
    return err;
}

/* The errors of a draft, as its author reads them: without the place in a file that does not exist. */
static enum err tell_draft(struct hub_desk_ask *ask, const struct diag_list *diags, enum err err)
{
    size_t len = 0;
    for (size_t i = 0; i < diags->n && len < sizeof ask->diag.text - 1; i++) {
        const char *text = diags->diags[i].text;
        if (strncmp(text, "draft:1: ", 9) == 0)
            text += 9;
        int n = snprintf(ask->diag.text + len, sizeof ask->diag.text - len, "%s%s", i ? "\n" : "", text);
        len += n > 0 ? (size_t)n : 0;
    }
    return err == ERR_NO_MEMORY ? err : ERR_RANGE;
}

static enum err read_terms(struct hub_desk_ask *ask, struct str name)
{
    struct hub_desk *desk = &ask->hub->desk;
    if (desk->n_drafts >= HUB_DRAFTS_MAX || (ask->event == HUB_DRAFT && desk->n_papers >= HUB_PAPERS_MAX))
        return diag_set(&ask->diag, ERR_FULL, NULL, 0, "too many drafts since the hub started; it takes more after a restart");
    struct diag_list *diags = mem_alloc_zero(1, sizeof *diags);
    if (!diags)
        return ERR_NO_MEMORY;
    enum err err = hub_desk_read(ask->hub, name, ask->terms, diags, &ask->paper);
    if (err)
        err = tell_draft(ask, diags, err);
    else
        desk->n_drafts++;
    mem_free(diags);
    return err;
}

static enum err begin_draft(struct hub_desk_ask *ask)
{
    struct hub *hub = ask->hub;
    char name[HUB_NAME_MAX];
    if (!(ask->who.roles & HTTP_MANAGE))
        return refuse(ask, NEGOTIATE_ROLE);
    int n = snprintf(name, sizeof name, STR_FORMAT "/c-%llu", STR_ARG(hub->area), (unsigned long long)hub->desk.next_number);
    enum err err = read_terms(ask, (struct str){name, (size_t)n});
    if (err)
        return err;
    ask->target = ask->paper->contract;
    ask->side = hub_desk_side(ask->target, &ask->who);
    if (ask->side == NEGOTIATE_NOBODY) {
        hub_paper_drop(ask->paper);
        ask->paper = NULL;
        ask->target = NULL;
        return diag_set(&ask->diag, ERR_DENIED, NULL, 0, "\"" STR_FORMAT "\" is neither provider nor consumer of this draft",
            STR_ARG(ask->who.acts_for));
    }
    hub->desk.next_number++;
    ask->next = ask->target->life;
    ask->next.drafter = ask->side;
    return ERR_OK;
}

static bool takes_away(int event)
{
    return event == NEGOTIATE_SUSPEND || event == NEGOTIATE_REVOKE || event == NEGOTIATE_WITHDRAW || event == NEGOTIATE_EXPIRE;
}

static bool has_had_enough(struct hub_contract *contract, int64_t now_ms)
{
    if (contract->step_minute != now_ms / 60000) {
        contract->step_minute = now_ms / 60000;
        contract->n_steps = 0;
    }
    return contract->n_steps++ >= HUB_STEPS_PER_MINUTE;
}

static enum err begin_event(struct hub_desk_ask *ask)
{
    struct hub *hub = ask->hub;
    bool is_good = false;
    enum err err = ERR_OK;
    struct hub_contract *target = hub_desk_find(hub, ask->contract);
    if (!target)
        return refuse(ask, NEGOTIATE_STRANGER);
    if (target->is_copy)
        return diag_set(
            &ask->diag, ERR_STATE, NULL, 0, "this hub has a copy of the contract; take the step at the hub that its name begins with");
    ask->target = target;
    ask->paper = hub_desk_paper(hub, ask->contract);
    ask->side = ask->event == NEGOTIATE_EXPIRE ? NEGOTIATE_HUB : hub_desk_side(target, &ask->who);
    struct negotiate_act act = {.event = (enum negotiate_event)ask->event, .side = ask->side, .may_manage = ask->who.roles & HTTP_MANAGE};
    /* Nothing is signed for who may not sign. */
    if (ask->event == NEGOTIATE_SIGN && negotiate_may(&target->life, &act, ask->now_ms))
        err = take_signature(ask, &is_good);
    if (err) {
        ask->target = NULL;
        return err;
    }
    act.is_signature_good = is_good;
    ask->next = target->life;
    int rule = negotiate_step(&ask->next, &act, ask->now_ms);
    if (!rule && target->is_at_desk) {
        ask->target = NULL;
        return diag_set(&ask->diag, ERR_BUSY, NULL, 0, "another step of this contract is being written; try again");
    }
    if (rule) {
        ask->target = NULL;
        return refuse(ask, rule);
    }
    if (has_had_enough(target, ask->now_ms) && !takes_away(ask->event)) {
        ask->target = NULL;
        return diag_set(
            &ask->diag, ERR_BUSY, NULL, 0, "more than %d steps of one contract in a minute; wait for the next one", HUB_STEPS_PER_MINUTE);
    }
    if (ask->event == NEGOTIATE_CHANGE && !ask->paper) {
        ask->target = NULL;
        return diag_set(
            &ask->diag, ERR_STATE, NULL, 0, "the terms of this draft stand in a file of the city's; change that, and start the hub again");
    }
    if (ask->event == NEGOTIATE_CHANGE) {
        err = read_terms(ask, target->name);
        if (!err && hub_desk_side(ask->paper->contract, &ask->who) != ask->side) {
            hub_paper_drop(ask->paper);
            err = diag_set(&ask->diag, ERR_DENIED, NULL, 0, "a change keeps your own side; withdraw the draft and make another");
        }
        if (err) {
            ask->target = NULL;
            return err;
        }
        ask->next = ask->paper->contract->life;
        ask->next.drafter = ask->side;
    }
    return ERR_OK;
}

static void on_loop(struct loop_task *task)
{
    struct hub_desk_ask *ask = container_of(task, struct hub_desk_ask, task);
    struct hub *hub = ask->hub;
    ask->now_ms = clock_wall(hub->clock).ms;
    enum err err = hub->is_stopping          ? ERR_UNAVAILABLE
                   : hub->feed.is_follower   ? diag_set(&ask->diag, ERR_STATE, NULL, 0,
                                                   "this process follows the contracts' desk; take the step at the hub that has it")
                   : ask->event == HUB_DRAFT ? begin_draft(ask)
                                             : begin_event(ask);
    if (err) {
        ask->paper = NULL;
        finish(ask, err);
        return;
    }
    pthread_mutex_lock(&hub->desk.lock);
    ask->target->is_at_desk = true;
    if (takes_away(ask->event)) { /* at once, and also when writing it fails: in doubt nothing is given */
        ask->target->life = ask->next;
        apply_to_decisions(ask->target);
        hub_feed_tell(ask->target);
    }
    pthread_mutex_unlock(&hub->desk.lock);
    if (takes_away(ask->event))
        hub_feed_changed(hub);
    begin_leaf(ask);
}

void hub_desk_start(struct hub_desk_ask *ask)
{
    hub_work_begin(ask->hub);
    ask->task.fn = on_loop;
    loop_post(ask->hub->loop, &ask->task);
}

/* ---- time ---- */

static void expired(struct hub_desk_ask *ask)
{
    mem_free(ask);
}

static bool expire(struct hub *hub, struct hub_contract *contract, int64_t now_ms)
{
    if (contract->life.state == HUB_ENDED || contract->is_at_desk || contract->life.until_ms == DECIDE_NONE ||
        now_ms < contract->life.until_ms)
        return false;
    struct hub_desk_ask *ask = mem_alloc_zero(1, sizeof *ask);
    if (!ask)
        return false;
    *ask = (struct hub_desk_ask){.hub = hub, .event = NEGOTIATE_EXPIRE, .contract = contract->name, .loop = hub->loop, .done = expired};
    hub_desk_start(ask);
    return true;
}

void hub_desk_expire(struct hub *hub)
{
    int64_t now_ms = clock_wall(hub->clock).ms;
    size_t n = 0;
    for (size_t i = 0; i < hub->n_contracts && n < EXPIRE_AT_ONCE; i++)
        n += expire(hub, hub->contracts[i], now_ms);
    for (struct hub_paper *paper = hub->desk.papers; paper && n < EXPIRE_AT_ONCE; paper = paper->next)
        if (!paper->is_entered)
            n += expire(hub, paper->contract, now_ms);
}

static void drop_all(struct hub_paper *paper)
{
    while (paper) {
        struct hub_paper *next = paper->next;
        hub_paper_drop(paper);
        paper = next;
    }
}

void hub_desk_destroy(struct hub *hub)
{
    drop_all(hub->desk.papers);
    drop_all(hub->desk.retired);
    pthread_mutex_destroy(&hub->desk.lock);
    pthread_mutex_destroy(&hub->quality.lock);
}
