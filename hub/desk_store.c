/*
 * The desk's memory in {data}/hub.sqlite: where each contract stands, and the steps that led there (who, when, which leaf). People are
 * named here and nowhere in the ledger.
 */
#include "hub/desk.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

#define HISTORY_MAX 1000 /* steps shown of one contract, the newest */

/* ---- writing ---- */

static struct value text_or_null(const char *text, bool is_there)
{
    return is_there ? value_text(str_from_c(text)) : VALUE_NONE;
}

static enum err bind_all(struct db_statement *statement, const struct value *values, size_t n)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < n && !err; i++)
        err = db_bind(statement, (int)i + 1, values[i]);
    return err;
}

static enum err run(struct db *db, const char *sql, const struct value *values, size_t n)
{
    struct db_statement *statement;
    bool row;
    enum err err = db_prepare(db, sql, NULL, &statement);
    if (err)
        return err;
    err = bind_all(statement, values, n);
    if (!err)
        err = db_step(statement, &row);
    db_statement_finish(statement);
    return err;
}

static enum err store_paper(const struct hub_desk_ask *ask, struct db *db)
{
    const struct hub_contract *contract = ask->paper ? ask->paper->contract : ask->target;
    struct hub_signature signatures[HUB_N_SIGNED] = {{0}};
    char hash[65], keys[HUB_N_SIGNED][SIGN_TEXT_MAX], hex[HUB_N_SIGNED][2 * SIGN_SIGNATURE_LEN + 1];
    if (contract->signed_by)
        memcpy(signatures, contract->signed_by, sizeof signatures);
    if (ask->event == NEGOTIATE_SIGN)
        signatures[ask->side == NEGOTIATE_PROVIDER ? HUB_SIGNED_PROVIDER : HUB_SIGNED_CONSUMER] = ask->signed_now;
    crypto_hex(contract->hash.bytes, sizeof contract->hash.bytes, hash);
    struct value values[14] = {
        value_text(contract->name),
        ask->paper ? value_text(ask->paper->source) : VALUE_NONE,
        value_text(str_from_c(hash)),
        value_integer(contract->file_state),
        value_integer(ask->next.state),
        value_integer(ask->next.drafter),
        value_integer(ask->next.suspended_by),
        ask->next.confirmed_ms == DECIDE_NONE ? VALUE_NONE : value_integer(ask->next.confirmed_ms),
    };
    for (int i = 0; i < HUB_N_SIGNED; i++) {
        bool is_there = signatures[i].is_there;
        if (is_there) {
            sign_public_text(&signatures[i].key, keys[i]);
            crypto_hex(signatures[i].bytes, SIGN_SIGNATURE_LEN, hex[i]);
        }
        values[8 + 3 * i] = text_or_null(keys[i], is_there);
        values[9 + 3 * i] = text_or_null(hex[i], is_there);
        values[10 + 3 * i] = is_there ? value_integer(signatures[i].time_ms) : VALUE_NONE;
    }
    return run(db, "INSERT OR REPLACE INTO paper VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values, 14);
}

static enum err store_step(struct db *db, struct str contract, int64_t time_ms, const char *event, const char *side, struct str party,
    struct str person, const char *state, struct value leaf)
{
    const struct value values[] = {value_text(contract), value_integer(time_ms), value_text(str_from_c(event)),
        value_text(str_from_c(side)), value_text(party), value_text(person), value_text(str_from_c(state)), leaf};
    return run(
        db, "INSERT INTO step (contract, time_ms, event, side, party, person, state, leaf) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values, 8);
}

enum err hub_desk_store(struct hub_desk_ask *ask, struct db *db)
{
    const struct hub_contract *contract = ask->paper ? ask->paper->contract : ask->target;
    enum err err = store_paper(ask, db);
    if (err)
        return err;
    return store_step(db, contract->name, ask->now_ms, ask->event < HUB_DRAFT ? negotiate_event_names[ask->event] : "draft",
        negotiate_side_names[ask->side], ask->who.acts_for.ptr ? ask->who.acts_for : STR(""),
        ask->who.person.ptr ? ask->who.person : STR(""), hub_state_names[ask->next.state],
        ask->receipt[0] ? value_integer((int64_t)ask->append.index) : VALUE_NONE);
}

/* ---- what was told without the desk ---- */

struct told {
    struct db_write write;
    struct hub_contract *contract;
    uint64_t leaf;
    int64_t time_ms;
    int state;
};

static enum err run_told(struct db_write *write, struct db *db)
{
    struct told *told = container_of(write, struct told, write);
    return store_step(db, told->contract->name, told->time_ms, "file", "hub", STR(""), STR(""), hub_state_names[told->state],
        value_integer((int64_t)told->leaf));
}

static void told_done(struct db_write *write)
{
    struct told *told = container_of(write, struct told, write);
    struct hub *hub = told->contract->hub;
    if (write->err)
        log_write(
            LOG_ERROR, "hub", "a contract's history lacks a step", LOG_STR("contract", told->contract->name), LOG_ERR(write->err), LOG_END);
    mem_free(told);
    hub_work_end(hub);
}

void hub_desk_told(struct hub_contract *contract, uint64_t leaf)
{
    struct hub *hub = contract->hub;
    struct told *told = hub->writer ? mem_alloc_zero(1, sizeof *told) : NULL;
    if (!told)
        return;
    *told = (struct told){.write = {.run = run_told, .loop = hub->loop, .done = told_done},
        .contract = contract,
        .leaf = leaf,
        .time_ms = clock_wall(hub->clock).ms,
        .state = atomic_load(&contract->state)};
    hub_work_begin(hub);
    if (db_writer_submit(hub->writer, &told->write)) {
        mem_free(told);
        hub_work_end(hub);
    }
}

/* ---- loading ---- */

static void load_signature(struct db_statement *row, int at, struct hub_signature *signature)
{
    struct value key = db_column(row, at), hex = db_column(row, at + 1);
    signature->is_there = key.type == VALUE_TEXT && hex.type == VALUE_TEXT && !sign_public_read(key.s, &signature->key) &&
                          !crypto_unhex(hex.s, signature->bytes, SIGN_SIGNATURE_LEN);
    signature->time_ms = signature->is_there ? db_column(row, at + 2).i : 0;
}

static void load_life(struct db_statement *row, struct hub_contract *contract)
{
    struct value confirmed = db_column(row, 7);
    if (contract->signed_by) {
        load_signature(row, 8, &contract->signed_by[HUB_SIGNED_PROVIDER]);
        load_signature(row, 11, &contract->signed_by[HUB_SIGNED_CONSUMER]);
        contract->life.has_provider_signed = contract->signed_by[HUB_SIGNED_PROVIDER].is_there;
        contract->life.has_consumer_signed = contract->signed_by[HUB_SIGNED_CONSUMER].is_there;
    }
    contract->life.state = (enum hub_contract_state)db_column(row, 4).i;
    contract->life.drafter = (enum negotiate_side)db_column(row, 5).i;
    contract->life.suspended_by = (enum negotiate_side)db_column(row, 6).i;
    if (confirmed.type == VALUE_INTEGER) {
        contract->life.confirmed_ms = contract->confirmed_ms = confirmed.i;
        if (contract->fresh_for_ms != DECIDE_NONE)
            atomic_store(&contract->fresh_until_ms, confirmed.i + contract->fresh_for_ms);
    }
    atomic_store(&contract->state, (int)contract->life.state);
    contract->is_new = false;
}

static uint64_t number_of(struct str name)
{
    struct str area, index;
    uint64_t number = 0;
    if (!str_cut(name, '/', &area, &index) || index.len < 3 || str_to_u64(str_slice(index, 2, index.len), &number))
        return 0;
    return number;
}

/* A contract drafted here. One that the city's files do not fit any more stays out of force, and in the store. */
static enum err load_paper(struct hub *hub, struct db_statement *row)
{
    struct diag_list *diags = mem_alloc_zero(1, sizeof *diags);
    struct hub_paper *paper;
    if (!diags)
        return ERR_NO_MEMORY;
    enum err err = hub_desk_read(hub, db_column(row, 0).s, db_column(row, 1).s, diags, &paper);
    if (err)
        log_write(LOG_ERROR, "hub", "a contract made here does not fit the city's files any more and is out of force",
            LOG_STR("contract", db_column(row, 0).s), LOG_STR("why", str_from_c(diags->diags[0].text)), LOG_END);
    if (err && err != ERR_NO_MEMORY && db_column(row, 4).i != HUB_ENDED &&
        hub_misfit_keep(hub, db_column(row, 0).s, db_column(row, 1).s, (enum hub_contract_state)db_column(row, 4).i,
            str_from_c(diags->diags[0].text)) == ERR_NO_MEMORY)
        err = ERR_NO_MEMORY;
    mem_free(diags);
    if (err)
        return err == ERR_NO_MEMORY ? err : ERR_OK;
    load_life(row, paper->contract);
    paper->next = hub->desk.papers;
    hub->desk.papers = paper;
    hub->desk.n_papers++;
    if (!paper->contract->life.has_provider_signed || !paper->contract->life.has_consumer_signed)
        return ERR_OK;
    paper->is_entered = true;
    return hub_contract_enter(hub, paper->contract);
}

static enum err load_rows(
    struct hub *hub, struct db *db, const char *sql, enum err (*each)(struct hub *, struct db_statement *), struct diag *diag)
{
    struct db_statement *rows;
    bool row;
    enum err err = db_prepare(db, sql, diag, &rows);
    if (err)
        return err;
    while (!(err = db_step(rows, &row)) && row && !err)
        if ((err = each(hub, rows)))
            break;
    db_statement_finish(rows);
    return err;
}

#define COLUMNS                                                                                                                            \
    "contract, source, hash, file_state, state, drafter, suspended_by, confirmed_ms, provider_key, provider_signature, provider_ms, "      \
    "consumer_key, consumer_signature, consumer_ms"

static enum err take_number(struct hub *hub, struct db_statement *row)
{
    uint64_t number = number_of(db_column(row, 0).s);
    if (number >= hub->desk.next_number)
        hub->desk.next_number = number + 1;
    return ERR_OK;
}

enum err hub_desk_load(struct hub *hub, struct db *db, struct diag *diag)
{
    for (size_t i = 0; i < hub->n_contracts; i++) {
        uint64_t number = number_of(hub->contracts[i]->name);
        if (number >= hub->desk.next_number)
            hub->desk.next_number = number + 1;
    }
    enum err err = load_rows(hub, db, "SELECT contract FROM paper", take_number, diag);
    return err ? err : load_rows(hub, db, "SELECT " COLUMNS " FROM paper WHERE source IS NOT NULL", load_paper, diag);
}

static enum err load_file(struct hub *hub, struct db_statement *row)
{
    char hash[65];
    struct hub_contract *contract = hub_contract_lookup(hub, db_column(row, 0).s);
    if (!contract || hub_desk_paper(hub, contract->name))
        return ERR_OK;
    crypto_hex(contract->hash.bytes, sizeof contract->hash.bytes, hash);
    if (str_equal_c(db_column(row, 2).s, hash) && db_column(row, 3).i == (int64_t)contract->file_state)
        load_life(row, contract);
    return ERR_OK;
}

enum err hub_desk_load_steps(struct hub *hub, struct db *db, struct diag *diag)
{
    return load_rows(hub, db, "SELECT " COLUMNS " FROM paper WHERE source IS NULL", load_file, diag);
}

/* ---- history ---- */

static void put_step(struct json_writer *w, struct hub *hub, struct db_statement *row)
{
    char receipt[HUB_RECEIPT_MAX];
    struct value leaf = db_column(row, 6);
    json_begin_object(w);
    json_field_i64(w, "time", db_column(row, 0).i);
    json_field_str(w, "event", db_column(row, 1).s);
    json_field_str(w, "by", db_column(row, 2).s);
    json_field_str(w, "party", db_column(row, 3).s);
    json_field_str(w, "person", db_column(row, 4).s);
    json_field_str(w, "state", db_column(row, 5).s);
    json_key(w, "receipt");
    if (leaf.type == VALUE_INTEGER) {
        hub_receipt(hub, (uint64_t)leaf.i, receipt);
        json_put_c(w, receipt);
    } else {
        json_put_null(w);
    }
    json_end_object(w);
}

enum err hub_desk_history(struct hub *hub, struct db *db, struct str contract, struct buf *out)
{
    struct db_statement *rows;
    struct json_writer w;
    bool row;
    enum err err = db_prepare(db,
        "SELECT time_ms, event, side, party, person, state, leaf FROM (SELECT * FROM step WHERE contract = ?1 ORDER BY id DESC LIMIT ?2) "
        "ORDER BY id",
        NULL, &rows);
    if (err)
        return err;
    err = db_bind(rows, 1, value_text(contract));
    if (!err)
        err = db_bind(rows, 2, value_integer(HISTORY_MAX));
    json_writer_init(&w, out);
    json_begin_array(&w);
    while (!err && !(err = db_step(rows, &row)) && row)
        put_step(&w, hub, rows);
    json_end_array(&w);
    db_statement_finish(rows);
    return err ? err : out->err;
}
