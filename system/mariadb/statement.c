/*
 * One asking as a prepared statement: its text once a shape, its values bound, its rows one by one within their limits.
 */
#include "system/mariadb/inside.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- statements kept prepared ---- */

void mariadb_forget_all(struct mariadb_session *session)
{
    for (size_t i = 0; i < session->n_statements; i++)
        mariadb_statement_close(session, session->statements[i].statement);
    session->n_statements = 0;
}

static void forget(struct mariadb_session *session, struct mariadb_statement *statement)
{
    mariadb_statement_close(session, statement->statement);
    *statement = session->statements[--session->n_statements];
}

static struct mariadb_statement *find(struct mariadb_session *session, const struct hub_plan *plan, const uint8_t *shape, size_t n_shape)
{
    for (size_t i = 0; i < session->n_statements && n_shape; i++) {
        struct mariadb_statement *statement = &session->statements[i];
        if (statement->plan == plan && statement->n_shape == n_shape && memcmp(statement->shape, shape, n_shape) == 0)
            return statement;
    }
    return NULL;
}

static struct mariadb_statement *place(struct mariadb_session *session)
{
    struct mariadb_statement *oldest = &session->statements[0];
    for (size_t i = 1; i < session->n_statements; i++)
        if (session->statements[i].used < oldest->used)
            oldest = &session->statements[i];
    if (session->n_statements == MARIADB_STATEMENTS_MAX)
        forget(session, oldest);
    return &session->statements[session->n_statements];
}

/* ---- the text ---- */

static bool is_long(const struct sql_select *select, size_t output)
{
    enum value_type type = sql_output_type(select, &select->outputs[output]);
    return type == VALUE_TEXT || type == VALUE_BYTES;
}

/* A value longer than we take is cut on the server, so that a row stays small: SELECT IF(…) FROM (the question). A derived table loses its
 * order in MariaDB unless it has a LIMIT, which it has here always. */
static enum err write_text(
    const struct sql_select *select, struct buf *text, struct arena *arena, const struct value **parameters, size_t *n)
{
    bool is_guarded = false;
    for (size_t i = 0; i < select->n_outputs; i++)
        is_guarded = is_guarded || (is_long(select, i) && select->n_order == 0);
    buf_reset(text);
    for (size_t i = 0; i < select->n_outputs && is_guarded; i++) {
        buf_append_c(text, i ? ", " : "WITH q (");
        buf_printf(text, "c%zu", i);
    }
    buf_append_c(text, is_guarded ? ") AS (" : "");
    enum err err = sql_text(select, SQL_MARIADB, text, arena, parameters, n);
    for (size_t i = 0; i < select->n_outputs && is_guarded; i++) {
        buf_append_c(text, i ? ", " : ") SELECT ");
        if (is_long(select, i))
            buf_printf(text, "IF(OCTET_LENGTH(c%zu) > %d, REPEAT('x', %d), c%zu)", i, MARIADB_VALUE_MAX, MARIADB_VALUE_MAX + 1, i);
        else
            buf_printf(text, "c%zu", i);
    }
    buf_append_c(text, is_guarded ? " FROM q" : "");
    return err ? err : text->err;
}

/* ---- values ---- */

void mariadb_bind_value(MYSQL_BIND *bind, const struct value *value, long long *room)
{
    *bind = (MYSQL_BIND){.buffer = room};
    switch (value->type) {
    case VALUE_NULL:
        bind->buffer_type = MYSQL_TYPE_NULL;
        return;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        *room = value->i;
        return;
    case VALUE_REAL:
        bind->buffer_type = MYSQL_TYPE_DOUBLE;
        memcpy(room, &value->r, sizeof value->r);
        return;
    case VALUE_TEXT:
    case VALUE_BYTES:
        bind->buffer_type = value->type == VALUE_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
        bind->buffer = (void *)(uintptr_t)(value->s.len ? value->s.ptr : "");
        bind->buffer_length = value->s.len;
        return;
    }
}

struct output {
    enum value_type type;
    enum enum_field_types stored;
    bool is_unsigned;
    union {
        long long i;
        double r;
        float f;
        MYSQL_TIME t;
        char text[96]; /* a DECIMAL: at most 67 characters */
    } room;
    unsigned long length;
    my_bool is_null, is_cut;
};

/* Each result is taken as what it is stored as; texts are not taken with the row, but afterwards into a room of their length. */
static void bind_output(MYSQL_BIND *bind, struct output *output)
{
    *bind = (MYSQL_BIND){.buffer = &output->room, .length = &output->length, .is_null = &output->is_null, .error = &output->is_cut};
    switch (output->stored) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->is_unsigned = output->is_unsigned;
        break;
    case MYSQL_TYPE_FLOAT:
        bind->buffer_type = MYSQL_TYPE_FLOAT;
        break;
    case MYSQL_TYPE_DOUBLE:
        bind->buffer_type = MYSQL_TYPE_DOUBLE;
        break;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        bind->buffer_type = MYSQL_TYPE_DATETIME;
        break;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        bind->buffer_type = MYSQL_TYPE_STRING;
        bind->buffer_length = sizeof output->room.text;
        break;
    default:
        bind->buffer_type = MYSQL_TYPE_BLOB;
        bind->buffer = NULL;
        break;
    }
}

static bool read_number(const struct output *output, struct value *ret)
{
    bool is_real = output->type == VALUE_REAL;
    switch (output->stored) {
    case MYSQL_TYPE_FLOAT:
        ret->r = (double)output->room.f;
        return is_real && isfinite(ret->r);
    case MYSQL_TYPE_DOUBLE:
        ret->r = output->room.r;
        return is_real && isfinite(ret->r);
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL: {
        if (output->length > sizeof output->room.text)
            return false;
        struct str text = {output->room.text, output->length};
        return is_real ? str_to_double(text, &ret->r) == ERR_OK : output->type == VALUE_INTEGER && str_to_i64(text, &ret->i) == ERR_OK;
    }
    default:
        if (output->is_unsigned && output->room.i < 0)
            return false;
        ret->i = output->room.i;
        if (is_real)
            ret->r = (double)output->room.i;
        return output->type != VALUE_BOOLEAN || (ret->i & ~INT64_C(1)) == 0;
    }
}

static bool read_time(const struct output *output, struct time_zone zone, struct value *ret)
{
    const MYSQL_TIME *t = &output->room.t;
    struct wall_time wall;
    const struct civil_time civil = {(int32_t)t->year, (int32_t)t->month, (int32_t)t->day, (int32_t)t->hour, (int32_t)t->minute,
        (int32_t)t->second, (int32_t)(t->second_part / 1000)};
    if (civil_to_wall(civil, zone, &wall)) /* 0000-00-00 among them */
        return false;
    ret->i = wall.ms;
    return true;
}

/* False: not of the declared type. */
static bool read_output(struct mariadb_session *session, const struct output *output, struct str cell, struct value *ret)
{
    *ret = (struct value){.type = output->type};
    bool is_text = output->type == VALUE_TEXT || output->type == VALUE_BYTES;
    switch (output->stored) {
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        return output->type == VALUE_TIME && read_time(output, session->system->server.zone, ret);
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        return !is_text && read_number(output, ret);
    default:
        ret->s = cell;
        return is_text && (output->type == VALUE_BYTES || str_is_utf8(cell));
    }
}

/* ---- rows ---- */

struct answer {
    struct mariadb_session *session;
    struct hub_pool_run *run;
    const struct sql_select *select;
    MYSQL_STMT *statement;
    struct output *outputs;
    MYSQL_BIND *binds;
    size_t n_drained;
    char *detail;
};

/* A text of the row that was fetched, into the scratch arena, which is emptied before each row. */
static enum err take_text(struct answer *answer, size_t at, struct str *ret)
{
    struct output *output = &answer->outputs[at];
    if (output->length > MARIADB_VALUE_MAX)
        return ERR_TOO_LARGE;
    char *room = arena_alloc(&answer->session->scratch, output->length + 1);
    if (!room)
        return ERR_TOO_LARGE;
    MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_BLOB, .buffer = room, .buffer_length = output->length + 1, .length = &output->length};
    if (mysql_stmt_fetch_column(answer->statement, &bind, (unsigned)at, 0))
        return ERR_UNAVAILABLE;
    *ret = (struct str){room, output->length};
    return ERR_OK;
}

static enum err add_row(struct answer *answer)
{
    const struct hub_fetch *fetch = answer->run->fetch;
    struct value values[MARIADB_OUTPUTS_MAX];
    for (size_t i = 0; i < fetch->n_outputs; i++) {
        struct output *output = &answer->outputs[i];
        struct str cell = STR_NONE;
        bool is_text = answer->binds[i].buffer_type == MYSQL_TYPE_BLOB;
        values[i] = VALUE_NONE;
        if (output->is_null)
            continue;
        answer->n_drained += output->length;
        enum err err = is_text ? take_text(answer, i, &cell) : ERR_OK;
        if (err)
            return err;
        bool is_sum = fetch->outputs[i].aggregate == SQL_SUM;
        if (!read_output(answer->session, output, cell, &values[i])) {
            if (is_sum)
                return ERR_RANGE; /* past 64 bits */
            hub_detail_put(answer->detail, HUB_DEPARTMENT_DETAIL_MAX, HUB_DETAIL(field_value), STR_FORMAT "|" STR_FORMAT "|%s",
                STR_ARG(answer->select->columns[fetch->outputs[i].column].name), STR_ARG(answer->run->plan->table->resource->name),
                value_type_name(output->type));
            return ERR_UNAVAILABLE;
        }
    }
    return rows_add(answer->run->rows, values);
}

/* What the server's code says. (mariadb.com/kb/en/mariadb-error-code-reference) */
static enum err meaning(unsigned code, MYSQL_STMT *statement, char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed)
{
    const char *words = HUB_DETAIL(sql_refused);
    enum err err = ERR_UNAVAILABLE;
    if (code == 2020) /* a packet larger than we take */
        return ERR_TOO_LARGE;
    if (mariadb_is_broken(code) || code == 1213 || code == 1615 || code == 1243 || code == 1317)
        return ERR_BUSY; /* broken, a deadlock, a statement the server has forgotten, interrupted by somebody: once more */
    switch (code) {
    case 1969:
    case 3024:
        err = ERR_TIMEOUT;
        words = HUB_DETAIL(sql_slow);
        break;
    case 1205:
    case 1968: /* also while waiting for a table's definition */
        err = ERR_TIMEOUT;
        words = HUB_DETAIL(sql_locked);
        break;
    case 1690:
    case 1264:
    case 1366:
    case 1300:
    case 1406:
        return ERR_RANGE;
    case 1792:
        words = HUB_DETAIL(sql_writes);
        break;
    case 1054:
    case 1146:
    case 1142:
    case 1143:
    case 1356:
    case 1370:
    case 1412:
    case 1347:
        words = HUB_DETAIL(sql_changed);
        *ret_is_changed = true;
        break;
    default:
        break;
    }
    hub_detail_put(detail, HUB_DEPARTMENT_DETAIL_MAX, words, "%.5s/%u", mysql_stmt_sqlstate(statement), code);
    return err;
}

/* All rows, within the limits; what is past them is dropped as it comes, and past MARIADB_DRAIN_MAX the connection is given up. */
static enum err read_rows(struct answer *answer, bool *ret_give_up, bool *ret_is_changed)
{
    struct hub_fetch *fetch = answer->run->fetch;
    enum err err = ERR_OK;
    for (size_t n = 0;; n++) {
        int code = mariadb_fetch_row(answer->session, answer->statement);
        if (code == MYSQL_NO_DATA)
            return err;
        if (code != 0 && code != MYSQL_DATA_TRUNCATED) {
            unsigned number = mariadb_code(answer->session, answer->statement);
            *ret_give_up = mariadb_is_broken(number);
            return err ? err : meaning(number, answer->statement, answer->detail, ret_is_changed);
        }
        *ret_give_up = n > fetch->n_rows_max || (err && answer->n_drained > MARIADB_DRAIN_MAX);
        if (*ret_give_up)
            return err ? err : ERR_UNAVAILABLE; /* more than the statement's own LIMIT */
        arena_reset(&answer->session->scratch);
        if (n == fetch->n_rows_max)
            answer->run->is_truncated = true;
        else if (!err)
            err = add_row(answer);
        else
            for (size_t i = 0; i < fetch->n_outputs; i++)
                answer->n_drained += answer->outputs[i].length;
    }
}

/* ---- running ---- */

static enum err bind_all(MYSQL_STMT *statement, const struct value *values, size_t n, struct arena *arena)
{
    if (n > MARIADB_PARAMETERS_MAX || n != mysql_stmt_param_count(statement))
        return ERR_TOO_LARGE;
    MYSQL_BIND *binds = arena_alloc(arena, (n + 1) * sizeof *binds);
    long long *rooms = arena_alloc(arena, (n + 1) * sizeof *rooms);
    if (!binds || !rooms)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        mariadb_bind_value(&binds[i], &values[i], &rooms[i]);
    return n && mysql_stmt_bind_param(statement, binds) ? ERR_NO_MEMORY : ERR_OK;
}

static enum err read_answer(struct answer *answer, bool *ret_give_up, bool *ret_is_changed)
{
    struct hub_fetch *fetch = answer->run->fetch;
    struct output outputs[MARIADB_OUTPUTS_MAX];
    MYSQL_BIND binds[MARIADB_OUTPUTS_MAX];
    MYSQL_RES *described = mysql_stmt_result_metadata(answer->statement);
    if (!described || mysql_num_fields(described) != fetch->n_outputs) {
        mysql_free_result(described);
        *ret_give_up = true;
        return ERR_UNAVAILABLE;
    }
    for (size_t i = 0; i < fetch->n_outputs; i++) {
        const MYSQL_FIELD *field = mysql_fetch_field_direct(described, (unsigned)i);
        outputs[i] = (struct output){.type = sql_output_type(answer->select, &fetch->outputs[i]),
            .stored = field->type,
            .is_unsigned = (field->flags & UNSIGNED_FLAG) != 0};
        bind_output(&binds[i], &outputs[i]);
    }
    mysql_free_result(described);
    answer->outputs = outputs;
    answer->binds = binds;
    if (mysql_stmt_bind_result(answer->statement, binds))
        return ERR_NO_MEMORY;
    enum err err = rows_create(fetch->n_outputs, fetch->n_bytes_max, &answer->run->rows);
    if (!err)
        err = read_rows(answer, ret_give_up, ret_is_changed);
    if (err) {
        rows_release(answer->run->rows);
        answer->run->rows = NULL;
    }
    return err;
}

/* The statement for a shape, with its parameters; prepared once. *ret_statement is in the cache, or its caller's to close when it has no
 * shape. */
static enum err prepare(struct mariadb_session *session, struct hub_pool_run *run, const struct sql_select *select, char *detail,
    bool *ret_is_changed, struct mariadb_statement **ret_kept, MYSQL_STMT **ret_statement)
{
    uint8_t shape[SQL_SHAPE_MAX];
    size_t n_shape = sql_shape(select, shape), n = 0;
    const struct value *values = NULL;
    struct mariadb_statement *kept = find(session, run->plan, shape, n_shape);
    MYSQL_STMT *statement = kept ? kept->statement : NULL;
    enum err err = kept ? sql_text(select, SQL_MARIADB, NULL, &session->scratch, &values, &n)
                        : write_text(select, &session->text, &session->scratch, &values, &n);
    if (err)
        return err;
    if (!kept) {
        statement = mysql_stmt_init(session->mysql);
        if (!statement)
            return ERR_NO_MEMORY;
        if (mariadb_prepare(session, statement, session->text.ptr, session->text.len)) {
            err = meaning(mariadb_code(session, statement), statement, detail, ret_is_changed);
            mariadb_statement_close(session, statement);
            return err;
        }
    }
    if (!kept && n_shape) {
        kept = place(session);
        *kept = (struct mariadb_statement){.statement = statement, .plan = run->plan, .n_shape = n_shape};
        memcpy(kept->shape, shape, n_shape);
        session->n_statements++;
    }
    if (kept)
        kept->used = ++session->n_used;
    *ret_kept = kept;
    *ret_statement = statement;
    return bind_all(statement, values, n, &session->scratch);
}

enum err mariadb_run(struct mariadb_session *session, const struct hub_seen *seen, struct hub_pool_run *run,
    char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed)
{
    struct hub_fetch *fetch = run->fetch;
    if (fetch->n_outputs > MARIADB_OUTPUTS_MAX)
        return ERR_TOO_LARGE;
    const struct sql_select select = hub_plan_select(run->plan, seen, fetch);
    struct mariadb_statement *kept = NULL;
    MYSQL_STMT *statement = NULL;
    bool give_up = false;
    run->is_truncated = false;
    arena_reset(&session->scratch);
    mariadb_give(session, session->system->server.timeout_ms + HUB_POOL_GRACE_MS);
    enum err err = prepare(session, run, &select, detail, ret_is_changed, &kept, &statement);
    give_up = !statement && err == ERR_BUSY; /* it broke before there was a statement */
    bool is_run = !err;
    if (!err && mariadb_execute(session, statement)) {
        unsigned code = mariadb_code(session, statement);
        give_up = mariadb_is_broken(code);
        err = meaning(code, statement, detail, ret_is_changed);
    } else if (!err) {
        struct answer answer = {.session = session, .run = run, .select = &select, .statement = statement, .detail = detail};
        err = read_answer(&answer, &give_up, ret_is_changed);
    }
    if (is_run)
        hub_audit_ran(session->system->audit, session->number, !err);
    bool is_late = mono_ms_between(clock_mono(session->system->department.clock), session->deadline) <= 0;
    if (is_late && err == ERR_BUSY) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s", HUB_DETAIL(no_answer));
        err = ERR_TIMEOUT;
    }
    bool is_broken = give_up || is_late || mariadb_is_broken(mysql_errno(session->mysql));
    if (statement && !kept)
        mariadb_statement_close(session, statement);
    if (is_broken)
        mariadb_session_close(session);
    else if (kept && err == ERR_BUSY)
        forget(session, kept);
    else if (kept)
        mariadb_free_result(session, statement);
    return err;
}
