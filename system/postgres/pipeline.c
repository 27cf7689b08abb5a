/*
 * Askings over one connection, in libpq's pipeline mode: many are on their way at once, and each sync closes one implicit transaction. When
 * one of them fails, the server skips what follows up to the next sync: those are asked again, each between two syncs of its own. Every
 * statement only reads, so asking twice does no harm.
 *
 * What bounds a server that means no good: rows are read one by one (single-row mode) and counted, a value longer than POSTGRES_VALUE_MAX
 * does not leave an honest server (the statement's outer SELECT sees to it), bytes that complete no row are counted before they are read,
 * an answer over its limit is dropped as it comes and past POSTGRES_DRAIN_MAX the connection is closed, which ends the statement there
 * (libpq's own cancel waits for a second connection and speaks in the clear).
 */
#include "system/postgres/pipeline.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#define CANCEL_MS 2000  /* for so long after one was asked for, a cancelled statement may have been meant or hit */
#define OUTPUTS_MAX 256 /* of one asking: the fields of a resource, some of them under several aggregates */
#define PARAMETERS_MAX 16384

/* ---- what is under way ---- */

/* Rows one by one: libpq takes it only between a step's becoming the first and the reading of its answer. */
static void one_by_one(struct postgres_connection *connection)
{
    struct postgres_sent *first = &connection->sent[connection->first];
    if (connection->n_sent && first->step == POSTGRES_RUN)
        (void)PQsetSingleRowMode(connection->pg);
}

static void note(struct postgres_connection *connection, enum postgres_step step, struct postgres_run *run, uint32_t statement)
{
    struct clock *clock = connection->system->department.clock;
    assert(connection->n_sent < POSTGRES_SENT_MAX);
    if (connection->n_sent == 0)
        connection->head_since = clock_mono(clock);
    connection->sent[(connection->first + connection->n_sent++) % POSTGRES_SENT_MAX] =
        (struct postgres_sent){.step = step, .run = run, .statement = statement};
    connection->n_running += step == POSTGRES_RUN;
    connection->needs_sync = step != POSTGRES_SYNC;
    if (connection->n_sent == 1)
        one_by_one(connection);
}

static struct postgres_sent *head(struct postgres_connection *connection)
{
    return connection->n_sent ? &connection->sent[connection->first] : NULL;
}

static struct postgres_sent take(struct postgres_connection *connection)
{
    struct postgres_sent sent = connection->sent[connection->first];
    connection->first = (connection->first + 1) % POSTGRES_SENT_MAX;
    connection->n_sent--;
    connection->n_running -= sent.step == POSTGRES_RUN;
    connection->head_since = clock_mono(connection->system->department.clock);
    if (connection->n_sent == 0)
        connection->idle_since = connection->head_since;
    one_by_one(connection);
    return sent;
}

static void sync(struct postgres_connection *connection)
{
    if (connection->needs_sync && PQpipelineSync(connection->pg))
        note(connection, POSTGRES_SYNC, NULL, 0);
}

void postgres_push_out(struct postgres_connection *connection)
{
    sync(connection);
    uint32_t events = EPOLLIN | (PQflush(connection->pg) == 1 ? EPOLLOUT : 0);
    if (events != connection->events && loop_watch_change(connection->watch, events) == ERR_OK)
        connection->events = events;
}

/* ---- statements kept prepared ---- */

static struct postgres_statement *find_statement(
    struct postgres_connection *connection, const struct hub_plan *plan, const uint8_t *shape, size_t n_shape)
{
    for (size_t i = 0; i < connection->n_statements && n_shape; i++) {
        struct postgres_statement *statement = &connection->statements[i];
        if (statement->plan == plan && statement->n_shape == n_shape && memcmp(statement->shape, shape, n_shape) == 0)
            return statement;
    }
    return NULL;
}

static void forget(struct postgres_connection *connection, uint32_t number)
{
    for (size_t i = 0; i < connection->n_statements; i++)
        if (connection->statements[i].number == number) {
            connection->statements[i] = connection->statements[--connection->n_statements];
            return;
        }
}

/* A place in the cache; the oldest statement gives way, on the server too. NULL: the connection is broken. */
static struct postgres_statement *place(struct postgres_connection *connection)
{
    char sql[40];
    if (connection->n_statements < POSTGRES_STATEMENTS_MAX)
        return &connection->statements[connection->n_statements++];
    struct postgres_statement *oldest = &connection->statements[0];
    for (size_t i = 1; i < connection->n_statements; i++)
        if (connection->statements[i].used < oldest->used)
            oldest = &connection->statements[i];
    snprintf(sql, sizeof sql, "DEALLOCATE cb%u", oldest->number);
    if (!PQsendQueryParams(connection->pg, sql, 0, NULL, NULL, NULL, NULL, 0))
        return NULL;
    note(connection, POSTGRES_FORGET, NULL, 0);
    return oldest;
}

/* ---- asking ---- */

/* May a value be longer than we take? A column's own length answers for less work than looking at each value (3 us of a call by key). */
static bool is_long(const struct hub_seen *seen, const struct sql_select *select, size_t output)
{
    enum value_type type = sql_output_type(select, &select->outputs[output]);
    return (type == VALUE_TEXT || type == VALUE_BYTES) && !(*(const uint64_t *)seen->own >> select->outputs[output].column & 1);
}

/* The statement's text; a value longer than we take is cut on the server, so that a row stays small: SELECT CASE … FROM (the question). */
static enum err write_text(const struct hub_seen *seen, const struct sql_select *select, struct buf *text, struct arena *arena,
    const struct value **parameters, size_t *n)
{
    bool is_guarded = false;
    for (size_t i = 0; i < select->n_outputs; i++)
        is_guarded = is_guarded || is_long(seen, select, i);
    buf_reset(text);
    for (size_t i = 0; i < select->n_outputs && is_guarded; i++) {
        const char *before = i ? ", " : "SELECT ";
        if (!is_long(seen, select, i))
            buf_printf(text, "%sc%zu", before, i);
        else if (sql_output_type(select, &select->outputs[i]) == VALUE_TEXT)
            buf_printf(text, "%sCASE WHEN octet_length(c%zu) > %d THEN repeat('x', %d) ELSE c%zu END", before, i, POSTGRES_VALUE_MAX,
                POSTGRES_VALUE_MAX + 1, i);
        else
            buf_printf(text, "%ssubstr(c%zu, 1, %d)", before, i, POSTGRES_VALUE_MAX + 1);
    }
    buf_append_c(text, is_guarded ? " FROM (" : "");
    enum err err = sql_text(select, SQL_POSTGRES, text, arena, parameters, n);
    for (size_t i = 0; i < select->n_outputs && is_guarded; i++)
        buf_printf(text, "%sc%zu", i ? ", " : ") q (", i);
    buf_append_c(text, is_guarded ? ")" : "");
    buf_append_byte(text, '\0');
    return err ? err : text->err;
}

struct parameters {
    const char **values;
    int *lengths, *formats;
};

static enum err encode(struct arena *arena, const struct value *values, size_t n, struct parameters *ret)
{
    if (n > PARAMETERS_MAX)
        return ERR_TOO_LARGE;
    char *scratch = arena_alloc(arena, 8 * n + 1);
    ret->values = arena_alloc(arena, (n + 1) * sizeof(char *));
    ret->lengths = arena_alloc(arena, (n + 1) * sizeof(int));
    ret->formats = arena_alloc(arena, (n + 1) * sizeof(int));
    if (!scratch || !ret->values || !ret->lengths || !ret->formats)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        postgres_write_parameter(&values[i], scratch + 8 * i, &ret->values[i], &ret->lengths[i]);
        ret->formats[i] = 1;
    }
    return ERR_OK;
}

/* Both are libpq's answer: 0, the connection is broken (or memory is out, which is treated alike). */
static int send_prepared(struct postgres_connection *connection, struct postgres_run *run, const struct postgres_statement *statement,
    const char *text, bool is_new, const struct parameters *parameters, size_t n)
{
    char name[16];
    snprintf(name, sizeof name, "cb%u", statement->number);
    if (is_new) {
        if (!PQsendPrepare(connection->pg, name, text, 0, NULL))
            return 0;
        note(connection, POSTGRES_PREPARE, NULL, statement->number);
    }
    if (!PQsendQueryPrepared(connection->pg, name, (int)n, parameters->values, parameters->lengths, parameters->formats, 1))
        return 0;
    note(connection, POSTGRES_RUN, run, statement->number);
    return 1;
}

static int send_once(
    struct postgres_connection *connection, struct postgres_run *run, const char *text, const struct parameters *parameters, size_t n)
{
    if (!PQsendQueryParams(connection->pg, text, (int)n, NULL, parameters->values, parameters->lengths, parameters->formats, 1))
        return 0;
    note(connection, POSTGRES_RUN, run, 0);
    return 1;
}

/* ERR_UNAVAILABLE: the connection is broken. */
static enum err send_select(struct postgres_connection *connection, struct postgres_run *run, const struct sql_select *select)
{
    struct postgres_system *system = connection->system;
    const struct hub_seen *seen = &connection->schema->tables[run->plan->table->at];
    uint8_t shape[SQL_SHAPE_MAX];
    size_t n_shape = sql_shape(select, shape), n = 0;
    const struct value *values = NULL;
    struct parameters parameters;
    struct postgres_statement *found = find_statement(connection, run->plan, shape, n_shape);
    enum err err = found ? sql_text(select, SQL_POSTGRES, NULL, &system->scratch, &values, &n)
                         : write_text(seen, select, &system->text, &system->scratch, &values, &n);
    if (!err)
        err = encode(&system->scratch, values, n, &parameters);
    if (err)
        return err;
    if (!n_shape)
        return send_once(connection, run, system->text.ptr, &parameters, n) ? ERR_OK : ERR_UNAVAILABLE;
    bool is_new = !found;
    if (is_new) {
        found = place(connection);
        if (!found)
            return ERR_UNAVAILABLE;
        *found = (struct postgres_statement){.number = ++connection->n_numbers, .plan = run->plan, .n_shape = n_shape};
        memcpy(found->shape, shape, n_shape);
    }
    found->used = ++connection->n_used;
    return send_prepared(connection, run, found, system->text.ptr, is_new, &parameters, n) ? ERR_OK : ERR_UNAVAILABLE;
}

void postgres_send(struct postgres_connection *connection, struct postgres_run *run)
{
    struct postgres_system *system = connection->system;
    const struct hub_seen *seen = &connection->schema->tables[run->plan->table->at];
    if (!str_is_empty(seen->wrong) || run->fetch->n_outputs > OUTPUTS_MAX) {
        char detail[HUB_DEPARTMENT_DETAIL_MAX];
        snprintf(detail, sizeof detail, STR_FORMAT, STR_ARG(seen->wrong));
        if (detail[0])
            hub_department_report(&system->department, HUB_STALE, detail);
        if (mono_ms_between(connection->made, clock_mono(system->department.clock)) >= POSTGRES_AGAIN_MS)
            connection->is_leaving = true; /* the next one looks at the tables anew */
        postgres_answer(system, run, detail[0] ? ERR_UNAVAILABLE : ERR_TOO_LARGE);
        return;
    }
    if (run->is_alone)
        sync(connection);
    arena_reset(&system->scratch);
    const struct sql_select select = hub_plan_select(run->plan, seen, run->fetch);
    enum err err = rows_create(run->fetch->n_outputs, run->fetch->n_bytes_max, &run->rows);
    if (!err)
        err = send_select(connection, run, &select);
    if (!err && run->is_alone)
        sync(connection);
    if (err == ERR_UNAVAILABLE) {
        postgres_again(system, run);
        postgres_drop(connection, NULL); /* the server went away: by no fault of what is under way, which is asked again */
    } else if (err) {
        postgres_answer(system, run, err);
    }
}

void postgres_move_others(struct postgres_connection *connection)
{
    size_t first = 0;
    while (first < connection->n_sent && connection->sent[(connection->first + first) % POSTGRES_SENT_MAX].step != POSTGRES_RUN)
        first++;
    for (size_t i = connection->n_sent; i-- > first + 1;) { /* from the end: each goes before those that wait */
        struct postgres_sent *sent = &connection->sent[(connection->first + i) % POSTGRES_SENT_MAX];
        if (!sent->run || sent->run->n_moves >= POSTGRES_MOVES_MAX)
            continue;
        sent->run->n_moves++;
        postgres_again(connection->system, sent->run);
        sent->run = NULL;
    }
}

/* With an audit to watch a ping reads nothing of a table, each in turn: its silence would be noticed (hub/reconcile.h). */
void postgres_send_ping(struct postgres_connection *connection)
{
    struct postgres_system *system = connection->system;
    const struct postgres_schema *schema = connection->schema;
    const struct hub_seen *seen = connection->session && schema->n ? &schema->tables[connection->n_beats++ % schema->n] : NULL;
    buf_reset(&system->text);
    if (seen && str_is_empty(seen->wrong))
        buf_printf(&system->text, "SELECT NULL FROM " STR_FORMAT " t LIMIT 0", STR_ARG(seen->source));
    else
        buf_append_c(&system->text, "SELECT 1");
    buf_append_byte(&system->text, '\0');
    if (!system->text.err && PQsendQueryParams(connection->pg, system->text.ptr, 0, NULL, NULL, NULL, NULL, 1))
        note(connection, POSTGRES_PING, NULL, 0);
}

void postgres_send_cancel(struct postgres_connection *connection, int process)
{
    char text[64];
    snprintf(text, sizeof text, "SELECT pg_catalog.pg_cancel_backend(%d)", process);
    if (PQsendQueryParams(connection->pg, text, 0, NULL, NULL, NULL, NULL, 1))
        note(connection, POSTGRES_CANCEL, NULL, 0);
}

/* ---- answers ---- */

/* What the server's code says: ours, and whether it tells of the department rather than of the asking. (PostgreSQL, appendix A.) */
static enum err meaning(const char *state, const char **ret_detail, bool *ret_is_changed)
{
    static const struct {
        const char *state; /* or its first letters */
        enum err err;
        bool is_changed;
        const char *detail;
    } codes[] = {
        {"57014", ERR_TIMEOUT, false, HUB_DETAIL(sql_slow)},
        {"55P03", ERR_TIMEOUT, false, HUB_DETAIL(sql_locked)},
        {"22003", ERR_RANGE, false, NULL},
        {"22021", ERR_RANGE, false, NULL},
        {"42501", ERR_UNAVAILABLE, true, HUB_DETAIL(sql_denied)},
        {"42", ERR_UNAVAILABLE, true, HUB_DETAIL(sql_changed)},
        {"0A000", ERR_UNAVAILABLE, true, HUB_DETAIL(sql_changed)},
        {"25006", ERR_UNAVAILABLE, false, HUB_DETAIL(sql_writes)},
        {"53", ERR_UNAVAILABLE, false, HUB_DETAIL(sql_short)},
    };
    *ret_is_changed = false;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strncmp(state, codes[i].state, strlen(codes[i].state)) == 0) {
            *ret_detail = codes[i].detail;
            *ret_is_changed = codes[i].is_changed;
            return codes[i].err;
        }
    *ret_detail = HUB_DETAIL(sql_refused);
    return ERR_UNAVAILABLE;
}

static void failed(struct postgres_connection *connection, struct postgres_sent *sent, const PGresult *result)
{
    struct postgres_system *system = connection->system;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE), *words;
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    bool is_changed;
    if (sent->statement && (sent->step == POSTGRES_PREPARE || !state || strncmp(state, "26", 2) == 0 || strncmp(state, "0A", 2) == 0))
        forget(connection, sent->statement);
    bool is_lost = !state || strncmp(state, "57P", 3) == 0;                                        /* the connection, or the server */
    bool is_conflict = !is_lost && (strncmp(state, "40", 2) == 0 || strncmp(state, "26", 2) == 0); /* a standby's; a statement it forgot */
    /* a process number is used again: what was meant for another asking's statement is no time-out of this one's */
    is_conflict = is_conflict || (!is_lost && strcmp(state, "57014") == 0 && system->cancelled.ns &&
                                     mono_ms_between(system->cancelled, clock_mono(system->department.clock)) < CANCEL_MS);
    connection->is_ended = connection->is_ended || (is_lost && state);
    if (sent->step == POSTGRES_CANCEL) /* the role may not: the statement ends by its time */
        return;
    if (sent->run && (is_lost || is_conflict)) {
        sent->run->err = sent->run->n_tries++ < POSTGRES_TRIES_MAX ? ERR_BUSY : ERR_UNAVAILABLE; /* ERR_BUSY: once more */
        return;
    }
    if (is_lost)
        return;
    enum err err = meaning(state, &words, &is_changed);
    if (words) {
        hub_detail_put(detail, sizeof detail, words, "%.5s", state);
        hub_department_report(&system->department, HUB_STALE, detail);
    }
    connection->is_leaving = connection->is_leaving || is_changed;
    if (sent->step == POSTGRES_PREPARE && connection->n_sent > 1) /* the asking that it was prepared for comes next, and will not run */
        sent = &connection->sent[(connection->first + 1) % POSTGRES_SENT_MAX];
    if (sent->run)
        sent->run->err = err;
}

/* A row into the run's; the first thing that is wrong with the answer stays in run->err. */
static void add_row(struct postgres_connection *connection, struct postgres_run *run, const PGresult *result)
{
    struct postgres_system *system = connection->system;
    const struct sql_select select = hub_plan_select(run->plan, &connection->schema->tables[run->plan->table->at], run->fetch);
    struct value values[OUTPUTS_MAX];
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    size_t n = run->fetch->n_outputs;
    if (PQnfields(result) != (int)n) {
        run->err = ERR_UNAVAILABLE;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct str bytes = {PQgetvalue(result, 0, (int)i), (size_t)PQgetlength(result, 0, (int)i)};
        enum value_type type = sql_output_type(&select, &select.outputs[i]);
        run->n_drained += bytes.len;
        if (PQgetisnull(result, 0, (int)i)) {
            values[i] = VALUE_NONE;
        } else if (bytes.len > POSTGRES_VALUE_MAX) {
            run->err = ERR_TOO_LARGE;
            return;
        } else if (!postgres_read_value(PQftype(result, (int)i), bytes, type, system->server.zone, &values[i])) {
            hub_detail_put(detail, sizeof detail, HUB_DETAIL(field_value), STR_FORMAT "|" STR_FORMAT "|%s",
                STR_ARG(select.columns[select.outputs[i].column].name), STR_ARG(run->plan->table->resource->name), value_type_name(type));
            hub_department_report(&system->department, HUB_STALE, detail);
            run->err = ERR_UNAVAILABLE;
            return;
        }
    }
    run->err = rows_add(run->rows, values);
}

/* False: the answer has no end in sight. */
static bool row_came(struct postgres_connection *connection, struct postgres_run *run, const PGresult *result)
{
    run->n_rows++;
    if (run->n_rows > run->fetch->n_rows_max + 1)
        return false; /* more than the statement's own LIMIT */
    if (run->n_rows > run->fetch->n_rows_max)
        run->fetch->is_truncated = true;
    else if (run->err == ERR_OK)
        add_row(connection, run, result);
    else
        for (int i = 0; i < PQnfields(result); i++)
            run->n_drained += (size_t)PQgetlength(result, 0, i);
    return run->n_drained <= POSTGRES_DRAIN_MAX || run->err == ERR_OK;
}

/* The end of one step. */
static void ended(struct postgres_connection *connection)
{
    struct postgres_sent sent = take(connection);
    struct postgres_system *system = connection->system;
    postgres_note_ran(connection, &sent, !sent.is_failed && (!sent.run || !sent.run->err));
    if (!sent.run)
        return;
    if (sent.run->err && hub_fetch_is_cancelled(sent.run->fetch)) {
        postgres_answer(system, sent.run, ERR_CANCELLED);
        return;
    }
    if (sent.run->err == ERR_BUSY || sent.run->err == ERR_CANCELLED) {
        sent.run->is_alone = true;
        postgres_again(system, sent.run);
        return;
    }
    if (sent.run->err == ERR_OK)
        hub_department_report(&system->department, HUB_FRESH, "");
    postgres_answer(system, sent.run, sent.run->err);
}

/* What PQgetResult gave for the first step under way. False: the connection is of no use any more. */
static bool came(struct postgres_connection *connection, const PGresult *result, const char **ret_why)
{
    struct postgres_sent *sent = head(connection);
    connection->n_silent = 0;
    *ret_why = HUB_DETAIL(out_of_turn);
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        if (sent->step != POSTGRES_SYNC)
            return false;
        take(connection);
        return true;
    case PGRES_SINGLE_TUPLE:
        *ret_why = HUB_DETAIL(too_many);
        if (sent->run && !row_came(connection, sent->run, result)) {
            *ret_why = sent->run->err ? NULL : *ret_why; /* too large an answer is no fault of the server's */
            return false;
        }
        return sent->step == POSTGRES_RUN || sent->step == POSTGRES_PING || sent->step == POSTGRES_CANCEL;
    case PGRES_TUPLES_OK: /* the end of the rows */
        return sent->step == POSTGRES_PING || sent->step == POSTGRES_CANCEL || (sent->step == POSTGRES_RUN && PQntuples(result) == 0);
    case PGRES_COMMAND_OK:
        return sent->step == POSTGRES_PREPARE || sent->step == POSTGRES_FORGET;
    case PGRES_PIPELINE_ABORTED:
        sent->is_failed = true;
        if (sent->step == POSTGRES_PREPARE)
            forget(connection, sent->statement);
        if (sent->run && !sent->run->err)
            sent->run->err = ERR_CANCELLED; /* not run: once more */
        return true;
    case PGRES_FATAL_ERROR:
        sent->is_failed = true;
        failed(connection, sent, result);
        return true;
    default:
        return false;
    }
}

/* All results that are there. False: the connection is of no use any more. */
static bool read_results(struct postgres_connection *connection, const char **ret_why)
{
    while (connection->n_sent && !PQisBusy(connection->pg)) {
        PGresult *result = PQgetResult(connection->pg);
        bool is_good = true;
        if (result)
            is_good = came(connection, result, ret_why);
        else if (head(connection)->step == POSTGRES_SYNC)
            is_good = false; /* a sync ends by its own result */
        else
            ended(connection);
        PQclear(result);
        if (!is_good && (connection->is_ended || PQstatus(connection->pg) != CONNECTION_OK))
            *ret_why = NULL;
        if (!is_good)
            return false;
    }
    const char *mode = PQparameterStatus(connection->pg, "default_transaction_read_only");
    *ret_why = HUB_DETAIL(session_writes);
    if (mode && strcmp(mode, "on") != 0)
        return false;
    for (PGnotify *notify = PQnotifies(connection->pg); notify; notify = PQnotifies(connection->pg))
        PQfreemem(notify);
    *ret_why = NULL; /* the server went away: no fault to tell of, it is asked for again */
    return PQstatus(connection->pg) == CONNECTION_OK;
}

void postgres_ready(void *context, uint32_t epoll_events)
{
    struct postgres_connection *connection = context;
    struct postgres_system *system = connection->system;
    const char *why = NULL;
    int n_readable = 0;
    if (ioctl(PQsocket(connection->pg), FIONREAD, &n_readable) == 0)
        connection->n_silent += (size_t)n_readable;
    bool is_good = connection->n_silent <= POSTGRES_SILENT_MAX && PQconsumeInput(connection->pg);
    if (connection->n_silent > POSTGRES_SILENT_MAX)
        why = HUB_DETAIL(endless);
    if (is_good)
        is_good = read_results(connection, &why);
    if (is_good)
        postgres_push_out(connection);
    else
        postgres_drop(connection, why);
    postgres_settle(system);
}
