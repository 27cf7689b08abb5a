/*
 * SQLite as a query's engine: an empty database in memory, a virtual table for each resource that the statement names and the asker has a
 * contract for, and guards: one SELECT, known functions, no other table, bounded in size, time and memory.
 */
#include "base/mem.h"
#include "hub/query_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PROGRESS_STEPS 2000           /* of SQLite's machine between two looks: well under a millisecond */
#define HEAP_MAX (INT64_C(256) << 20) /* what SQLite's own memory may grow by while a query runs: sorting, grouping, joining */
#define VALUE_BYTES_MAX (1 << 20)
#define GRANTED_TEXT_MAX 320 /* beside SQLite's words within a diag's text */

enum err query_fail(struct query *query, enum err err, const char *format, ...)
{
    if (query->refusal.err)
        return query->refusal.err;
    va_list args;
    va_start(args, format);
    query->refusal.err = err;
    vsnprintf(query->refusal.diag.text, sizeof query->refusal.diag.text, format, args);
    va_end(args);
    return err;
}

bool query_is_over(const struct query *query)
{
    return atomic_load_explicit(&query->asked->is_cancelled, memory_order_relaxed) ||
           atomic_load_explicit(&query->hub->is_stopping, memory_order_relaxed) ||
           mono_ms_between(query->started, clock_mono(query->hub->clock)) > HUB_QUERY_TIME_MS;
}

static int on_progress(void *context)
{
    struct query *query = context;
    query->is_too_large = query->is_too_large || sqlite3_memory_used() - query->heap_before > HEAP_MAX;
    return query_is_over(query) || query->is_too_large;
}

enum err query_engine_err(struct query *query, int code)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return query_fail(query, ERR_NO_MEMORY, "no memory");
    case SQLITE_INTERRUPT:
        if (atomic_load(&query->asked->is_cancelled))
            return query_fail(query, ERR_CANCELLED, "the asker has gone");
        if (atomic_load(&query->hub->is_stopping))
            return query_fail(query, ERR_UNAVAILABLE, "the hub is stopping");
        if (query->is_too_large)
            return query_fail(query, ERR_TOO_LARGE, "the query needs more memory than it may have; narrow it");
        return query_fail(query, ERR_TIMEOUT, "the query ran longer than %d s; narrow it", HUB_QUERY_TIME_MS / 1000);
    case SQLITE_TOOBIG:
        return query_fail(query, ERR_TOO_LARGE, "a value is longer than %d bytes", VALUE_BYTES_MAX);
    default:
        return query_fail(query, ERR_RANGE, "%s", sqlite3_errmsg(query->db));
    }
}

/* ---- what a statement may do ---- */

static bool is_known_function(const char *name)
{
    static const char *const names[] = {"abs", "avg", "char", "coalesce", "concat", "count", "cume_dist", "date", "datetime", "dense_rank",
        "first_value", "format", "glob", "group_concat", "hex", "ifnull", "iif", "instr", "julianday", "lag", "last_value", "lead",
        "length", "like", "likelihood", "likely", "lower", "ltrim", "max", "min", "nth_value", "ntile", "nullif", "percent_rank", "printf",
        "quote", "rank", "replace", "round", "row_number", "rtrim", "sign", "strftime", "substr", "substring", "sum", "time", "total",
        "trim", "typeof", "unicode", "unixepoch", "unlikely", "upper"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sqlite3_stricmp(name, names[i]) == 0)
            return true;
    return false;
}

static int mark_read(struct query *query, const char *name, const char *column)
{
    struct str text = str_from_c(name);
    if (query->has_groups && str_equal(text, query->groups.name))
        return SQLITE_OK;
    for (size_t i = 0; i < query->n_tables; i++) {
        struct query_table *table = &query->tables[i];
        if (!str_equal(table->name, text))
            continue;
        if (table->is_decided)
            return SQLITE_OK; /* prepared anew; query_serve() holds it to what was decided */
        table->is_used = true;
        if (!column || !*column)
            return SQLITE_OK; /* count(*): no field of it */
        for (size_t j = 0; j < table->n_columns; j++)
            if (str_equal_c(table->columns[j].name, column)) {
                table->read |= UINT64_C(1) << j;
                return SQLITE_OK;
            }
        return SQLITE_DENY; /* rowid */
    }
    return SQLITE_DENY;
}

static int authorize(void *context, int action, const char *a, const char *b, const char *database, const char *trigger)
{
    struct query *query = context;
    if (query->is_own)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_SELECT:
        return SQLITE_OK;
    case SQLITE_READ:
        return a ? mark_read(query, a, b) : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return b && is_known_function(b) ? SQLITE_OK : SQLITE_DENY;
    default: /* a recursive WITH too: nothing would bound it */
        return SQLITE_DENY;
    }
}

/* ---- the tables ---- */

static enum err add_table(struct query *query, struct str name)
{
    struct hub_entry *entry = names_get(&query->hub->entry_names, name);
    struct hub_contract *first = entry ? hub_contract_first(query->hub, query->asked->party, name) : NULL;
    uint64_t granted = 0;
    if (!first || entry->resource.kind != HUB_TABLE)
        return ERR_OK; /* SQLite will not know it either */
    for (size_t i = 0; i < query->n_tables; i++)
        if (query->tables[i].entry == entry)
            return ERR_OK;
    if (query->n_tables == HUB_QUERY_TABLES_MAX)
        return query_fail(query, ERR_TOO_LARGE, "a statement names at most %d resources", HUB_QUERY_TABLES_MAX);
    for (const struct hub_contract *contract = first; contract; contract = contract->next_same)
        for (size_t i = 0; i < contract->terms.n_fields; i++)
            granted |= UINT64_C(1) << contract->field_ats[i];
    struct query_table *table = &query->tables[query->n_tables++];
    *table = (struct query_table){.query = query, .entry = entry, .name = entry->resource.name, .n_rows = -1};
    for (size_t i = 0; i < entry->resource.n_fields; i++)
        if (granted >> i & 1) {
            table->columns[table->n_columns] = entry->resource.columns[i];
            table->fields[table->n_columns++] = (uint16_t)i;
        }
    return query_table_register(table);
}

/* Is the word somewhere in the text, be it in a comment? */
static bool has_word(struct str sql, struct str word)
{
    for (size_t i = 0; i + word.len <= sql.len; i++)
        if (str_equal_nocase(str_slice(sql, i, word.len), word))
            return true;
    return false;
}

/* Every quoted name of the statement that is a resource's. */
static enum err add_tables(struct query *query)
{
    struct str sql = query->asked->sql;
    enum err err = ERR_OK;
    for (size_t i = 0; i < sql.len && !err; i++) {
        char open = sql.ptr[i], close = open == '[' ? ']' : open;
        struct str rest = str_slice(sql, i, sql.len);
        if (str_starts_with(rest, STR("--")) || str_starts_with(rest, STR("/*"))) { /* a comment may hold a lone quote */
            const char *ends = open == '-' ? memchr(rest.ptr, '\n', rest.len) : memmem(rest.ptr + 2, rest.len - 2, "*/", 2);
            i = ends ? (size_t)(ends - sql.ptr) + (open != '-') : sql.len;
            continue;
        }
        if (open != '"' && open != '`' && open != '[' && open != '\'')
            continue;
        const char *end = memchr(sql.ptr + i + 1, close, sql.len - i - 1);
        if (!end)
            break;
        struct str name = {sql.ptr + i + 1, (size_t)(end - sql.ptr) - i - 1};
        if (open != '\'' && name.len < HUB_NAME_MAX)
            err = add_table(query, name);
        i = (size_t)(end - sql.ptr);
    }
    return err;
}

static void set_limits(sqlite3 *db)
{
    static const int limits[][2] = {{SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX}, {SQLITE_LIMIT_SQL_LENGTH, 2 * HUB_QUERY_SQL_MAX},
        {SQLITE_LIMIT_COLUMN, QUERY_COLUMNS_MAX}, {SQLITE_LIMIT_EXPR_DEPTH, 100}, {SQLITE_LIMIT_COMPOUND_SELECT, 8},
        {SQLITE_LIMIT_VDBE_OP, 100000}, {SQLITE_LIMIT_FUNCTION_ARG, 16}, {SQLITE_LIMIT_ATTACHED, 0}, {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000}, {SQLITE_LIMIT_VARIABLE_NUMBER, HUB_QUERY_PARAMETERS_MAX},
        {SQLITE_LIMIT_WORKER_THREADS, 0}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        sqlite3_limit(db, limits[i][0], limits[i][1]);
}

enum err query_engine_open(struct query *query)
{
    query->heap_before = sqlite3_memory_used();
    query->tables = arena_alloc_zero(&query->arena, HUB_QUERY_TABLES_MAX, sizeof *query->tables);
    if (!query->tables)
        return ERR_NO_MEMORY;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(":memory:", &query->db, flags, NULL) != SQLITE_OK)
        return ERR_NO_MEMORY;
    sqlite3_extended_result_codes(query->db, 1);
    set_limits(query->db);
    sqlite3_db_config(query->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL); /* a mistyped column is an error, not a text */
    sqlite3_db_config(query->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(query->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* LIKE as the departments are asked with it: case counts. */
    if (sqlite3_exec(query->db, "PRAGMA temp_store = 2; PRAGMA case_sensitive_like = 1", NULL, NULL, NULL) != SQLITE_OK)
        return ERR_NO_MEMORY;
    sqlite3_set_authorizer(query->db, authorize, query);
    sqlite3_progress_handler(query->db, PROGRESS_STEPS, on_progress, query);
    struct str sql = query->asked->sql;
    query->has_outer_join = has_word(sql, STR("left")) || has_word(sql, STR("right")) || has_word(sql, STR("full"));
    query->has_collate = has_word(sql, STR("collate"));
    return add_tables(query);
}

void query_engine_close(struct query *query)
{
    sqlite3_close_v2(query->db);
    query->db = NULL;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("/._-", c));
}

/* An unquoted name of a resource is cut at its "/" or "-": the whole of it, from where SQLite stumbled. */
static struct str unquoted_name(const struct query *query, struct str sql)
{
    int offset = sqlite3_error_offset(query->db);
    size_t from = offset > 0 && (size_t)offset < sql.len ? (size_t)offset : 0, to = from;
    while (from > 0 && is_name_byte(sql.ptr[from - 1]))
        from--;
    while (to < sql.len && is_name_byte(sql.ptr[to]))
        to++;
    struct str name = str_slice(sql, from, to);
    return name.len < HUB_NAME_MAX && memchr(name.ptr, '/', name.len) ? name : STR_NONE;
}

/* What the asker may read of the resources that the statement names; nobody learns more from it than from SELECT *. */
static void granted_columns(const struct query *query, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < query->n_tables; i++)
        for (size_t j = 0; j < query->tables[i].n_columns; j++) {
            const char *before = len > 0 ? ", " : "; granted are: ";
            struct str name = query->tables[i].columns[j].name;
            if (len + strlen(before) + name.len + sizeof ", …" > size) {
                snprintf(out + len, size - len, ", …");
                return;
            }
            len += (size_t)snprintf(out + len, size - len, "%s" STR_FORMAT, before, STR_ARG(name));
        }
}

/* SQLite's words with the mend of the two commonest mistakes. */
static enum err fail_words(struct query *query, struct str sql, const char *words)
{
    char granted[GRANTED_TEXT_MAX];
    struct str name = strstr(words, "syntax error") ? unquoted_name(query, sql) : STR_NONE;
    if (name.len > 0)
        return query_fail(
            query, ERR_SYNTAX, "the statement: %s; names of resources need double quotes: \"" STR_FORMAT "\"", words, STR_ARG(name));
    if (strncmp(words, "no such column", 14) != 0)
        return query_fail(query, ERR_SYNTAX, "the statement: %s", words);
    granted_columns(query, granted, sizeof granted);
    return query_fail(query, ERR_SYNTAX, "the statement: %s%s", words, granted);
}

enum err query_engine_prepare(struct query *query, struct str sql, sqlite3_stmt **ret_statement)
{
    sqlite3_stmt *statement = NULL;
    const char *rest = NULL;
    int code = sqlite3_prepare_v3(query->db, sql.ptr, (int)sql.len, 0, &statement, &rest);
    if (code != SQLITE_OK) {
        const char *words = sqlite3_errmsg(query->db);
        if (strncmp(words, "no such table", 13) == 0 || strstr(words, " is prohibited")) {
            query->refusal = hub_refusal_unknown(); /* what is not granted looks as if it were not there */
            return query->refusal.err;
        }
        return code == SQLITE_NOMEM ? ERR_NO_MEMORY : fail_words(query, sql, words);
    }
    struct str after = str_trim(str_slice(sql, (size_t)(rest - sql.ptr), sql.len));
    if (!statement || !str_is_empty(after) || !sqlite3_stmt_readonly(statement) || sqlite3_stmt_isexplain(statement)) {
        sqlite3_finalize(statement);
        return query_fail(query, ERR_SYNTAX, "write one SELECT, and nothing after it");
    }
    *ret_statement = statement;
    return ERR_OK;
}

enum err query_engine_bind(struct query *query, sqlite3_stmt *statement)
{
    int n = sqlite3_bind_parameter_count(statement), code = SQLITE_OK;
    for (int i = 1; i <= n && code == SQLITE_OK; i++) {
        const char *name = sqlite3_bind_parameter_name(statement, i);
        if ((name && name[0] != '?') || (size_t)i > query->asked->n_parameters)
            return query_fail(query, ERR_SYNTAX, "parameter %d is not given; parameters are ?, ?1, ?2 …, their values \"parameters\"", i);
        struct value value = query->asked->parameters[i - 1];
        switch (value.type) {
        case VALUE_NULL:
            break;
        case VALUE_REAL:
            code = sqlite3_bind_double(statement, i, value.r);
            break;
        case VALUE_TEXT:
        case VALUE_BYTES:
            code = sqlite3_bind_text(statement, i, value.s.ptr ? value.s.ptr : "", (int)value.s.len, SQLITE_STATIC);
            break;
        default:
            code = sqlite3_bind_int64(statement, i, value.i);
        }
    }
    return code == SQLITE_OK ? ERR_OK : query_engine_err(query, code);
}
