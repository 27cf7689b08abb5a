/* The audit's thread: lines in, findings to the store and out as alerts. */
#include "hub/audit.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/db.h"
#include "hub/alert.h"
#include "hub/tail.h"

#include <stdio.h>
#include <string.h>

#define TICK_MS 250
#define STORE_MS 1000   /* between two transactions, and two tellings */
#define LINES_MAX 20000 /* of one tick: then the hub's own side has its turn */
#define LIVE_MAX 64     /* sessions at a time: a connector has at most 16, and those that just ended */
#define SILENT_MIN_MS 7000
#define LATELY_MS 600000             /* findings so young are told again at a start: perhaps nobody had heard them */
#define FORMER_MS INT64_C(604800000) /* sessions are remembered for a week */
#define ROLES_MAX 64                 /* names in a list of the file */

struct live {
    uint64_t session; /* 0: free */
    uint64_t n, n_maybe;
    bool is_closed;
};

struct hub_audit {
    struct hub_department *department;
    enum hub_audit_form form;
    char file[HUB_DEPARTMENT_PATH_MAX];
    struct str own[ROLES_MAX], tables[ROLES_MAX];
    struct reconcile_options options;
    void (*fatal)(void *context, const char *part, enum err err);
    void *fatal_context;
    struct loop_timer start; /* on the hub's loop */

    pthread_mutex_t lock; /* guards `live` */
    struct live live[LIVE_MAX];

    struct metric_counter n_lines, n_cuts, n_told[RECONCILE_N_KINDS], n_refused; /* sessions that found no place */
    _Atomic bool is_broken;

    /* the thread's */
    struct loop_thread *thread;
    struct loop_timer tick;
    struct db *db;
    struct hub_tail *tail;
    struct hub_tail_place stored;
    struct reconcile *core;
    int64_t stored_ms;
    enum err broken;
};

static const char *const migrations[] = {
    "CREATE TABLE place (id INTEGER PRIMARY KEY CHECK (id = 1), inode INTEGER NOT NULL, at INTEGER NOT NULL, head INTEGER NOT NULL) STRICT;"
    "CREATE TABLE session (session INTEGER PRIMARY KEY, opened_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE finding (kind INTEGER NOT NULL, role TEXT NOT NULL, address TEXT NOT NULL, tbl TEXT NOT NULL, n INTEGER NOT NULL,"
    " first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, is_green INTEGER NOT NULL, PRIMARY KEY (kind, role, address, tbl)) STRICT,"
    " WITHOUT ROWID",
};

static const struct {
    const char *kind, *zh, *en;
} kinds[] = {
    [RECONCILE_FOREIGN] = {"read.foreign", "绕过中枢直接读取数据库：", "Read behind the hub's back: "},
    [RECONCILE_UNSEEN] = {"read.unseen", "数据库审计中没有中枢的使用：", "Uses that the database's audit does not show: "},
    [RECONCILE_SILENT] = {"audit.silent", "数据库审计中断：", "The database's audit is silent: "},
    [RECONCILE_GAP] = {"audit.gap", "数据库审计缺行：", "Lines of the database's audit are missing: "},
    [RECONCILE_UNREADABLE] = {"audit.unreadable", "数据库审计有不可读的行：", "Lines of the database's audit cannot be read: "},
};

bool hub_audit_tells(struct str kind)
{
    for (size_t i = 0; i < RECONCILE_N_KINDS; i++)
        if (str_equal_c(kind, kinds[i].kind))
            return true;
    return false;
}

/* ---- the connector's side ---- */

static struct live *live_of(struct hub_audit *audit, uint64_t session)
{
    for (size_t i = 0; i < LIVE_MAX && session; i++)
        if (audit->live[i].session == session)
            return &audit->live[i];
    return NULL;
}

void hub_audit_ran(struct hub_audit *audit, uint64_t session, bool is_certain)
{
    if (!audit)
        return;
    pthread_mutex_lock(&audit->lock);
    struct live *live = live_of(audit, session);
    if (live && is_certain)
        live->n++;
    else if (live)
        live->n_maybe++;
    pthread_mutex_unlock(&audit->lock);
}

void hub_audit_closed(struct hub_audit *audit, uint64_t session)
{
    if (!audit)
        return;
    pthread_mutex_lock(&audit->lock);
    struct live *live = live_of(audit, session);
    if (live)
        live->is_closed = true;
    pthread_mutex_unlock(&audit->lock);
}

static struct value number(uint64_t u)
{
    return value_integer((int64_t)u); /* the same 64 bits */
}

static enum err run(struct hub_audit *audit, const char *sql, const struct value *values, size_t n)
{
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row;
    enum err err = db_cached(audit->db, sql, &diag, &statement);
    for (size_t i = 0; i < n && !err; i++)
        err = db_bind(statement, (int)i + 1, values[i]);
    if (!err) {
        err = db_step(statement, &is_row);
        db_reset(statement);
    }
    return err;
}

/* The store refused: nothing is reconciled any more, so nothing may go on as if it were. */
static enum err broke(struct hub_audit *audit, enum err err)
{
    if (err && !audit->broken) {
        log_write(LOG_ERROR, "audit", "findings cannot be stored", LOG_STR("system", audit->department->name), LOG_ERR(err), LOG_END);
        audit->broken = err;
        atomic_store(&audit->is_broken, true);
        if ((err == ERR_IO || err == ERR_DISK_FULL) && audit->fatal)
            audit->fatal(audit->fatal_context, "audit", err);
    }
    return err;
}

struct opening {
    struct hub_audit *audit;
    uint64_t session;
    enum err err;
};

static void open_on_thread(void *context)
{
    struct opening *opening = context;
    struct hub_audit *audit = opening->audit;
    int64_t now_ms = clock_wall(audit->department->clock).ms;
    const struct value values[] = {number(opening->session), value_integer(now_ms)};
    const struct reconcile_event event = {.what = RECONCILE_OPENED, .session = opening->session};
    opening->err = broke(audit, run(audit, "INSERT OR REPLACE INTO session VALUES (?1, ?2)", values, 2));
    if (!opening->err)
        reconcile_step(audit->core, &event, now_ms);
}

enum err hub_audit_opened(struct hub_audit *audit, uint64_t session)
{
    struct live *free_one = NULL;
    if (!audit)
        return ERR_OK;
    if (session == 0)
        return ERR_UNSUPPORTED;
    pthread_mutex_lock(&audit->lock);
    for (size_t i = 0; i < LIVE_MAX && !free_one; i++)
        if (audit->live[i].session == 0)
            free_one = &audit->live[i];
    if (free_one)
        *free_one = (struct live){.session = session};
    pthread_mutex_unlock(&audit->lock);
    if (!free_one) {
        metric_add(&audit->n_refused, 1);
        return ERR_FULL;
    }
    struct opening opening = {.audit = audit, .session = session};
    loop_thread_call(audit->thread, open_on_thread, &opening);
    return opening.err;
}

/* What the connector did since the last time. */
static void hear_connector(struct hub_audit *audit, int64_t now_ms)
{
    for (size_t i = 0; i < LIVE_MAX; i++) {
        pthread_mutex_lock(&audit->lock);
        struct live live = audit->live[i];
        audit->live[i].n = audit->live[i].n_maybe = 0;
        if (live.is_closed)
            audit->live[i].session = 0;
        pthread_mutex_unlock(&audit->lock);
        const struct reconcile_event ran = {.what = RECONCILE_OWN, .session = live.session, .n = live.n, .n_maybe = live.n_maybe};
        const struct reconcile_event closed = {.what = RECONCILE_CLOSED, .session = live.session};
        if (live.session && (live.n || live.n_maybe))
            reconcile_step(audit->core, &ran, now_ms);
        if (live.session && live.is_closed)
            reconcile_step(audit->core, &closed, now_ms);
    }
}

/* ---- the database's side ---- */

static void hear_database(struct hub_audit *audit, int64_t now_ms)
{
    static const struct reconcile_event cut = {.what = RECONCILE_CUT};
    for (int i = 0; i < LINES_MAX; i++) {
        struct hub_audit_line line;
        const struct reconcile_event event = {.what = RECONCILE_LINE, .line = &line};
        struct str text;
        bool is_cut, is_lost;
        enum err err = hub_tail_next(audit->tail, &text, &is_cut, &is_lost);
        if (is_lost) {
            metric_add(&audit->n_cuts, 1);
            reconcile_step(audit->core, &cut, now_ms);
        }
        if (err)
            return; /* ERR_IO too: then nothing is heard, and it is silent */
        metric_add(&audit->n_lines, 1);
        hub_audit_line_read(audit->form, text, is_cut, &line);
        reconcile_step(audit->core, &event, now_ms);
    }
}

/* ---- findings ---- */

static enum err store_finding(struct hub_audit *audit, const struct reconcile_finding *finding)
{
    const struct value values[] = {value_integer(finding->kind), value_text(str_from_c(finding->role)),
        value_text(str_from_c(finding->address)), value_text(str_from_c(finding->table)), number(finding->n),
        value_integer(finding->first_ms), value_integer(finding->last_ms), value_integer(finding->is_green)};
    return run(audit, "INSERT OR REPLACE INTO finding VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", values, sizeof values / sizeof *values);
}

/* Names and counts; never what was read, nor the statement. */
static enum err tell(struct hub_audit *audit, const struct reconcile_finding *finding)
{
    struct hub_department *department = audit->department;
    static const char *const units[] = {"reads", "uses", "times", "lines", "lines"};
    char zh[400], en[400], detail[600], key[256], first[40], last[40], who[3 * HUB_AUDIT_NAME_MAX + 3], hex[65] = "";
    int n_who = snprintf(who, sizeof who, "%s\n%s\n%s", finding->role, finding->address, finding->table);
    bool is_foreign = finding->kind == RECONCILE_FOREIGN;
    struct sha256 hash = crypto_sha256((struct str){who, (size_t)n_who});
    crypto_hex(hash.bytes, 8, hex);
    wall_format_rfc3339((struct wall_time){finding->first_ms}, hub_zone(department->hub), first);
    wall_format_rfc3339((struct wall_time){finding->last_ms}, hub_zone(department->hub), last);
    snprintf(zh, sizeof zh, "%s%s%s%s%s", kinds[finding->kind].zh, is_foreign ? finding->table : "", is_foreign ? "，账号 " : "",
        finding->role, is_foreign ? "" : audit->options.database.ptr);
    snprintf(en, sizeof en, "%s%s%s%s%s", kinds[finding->kind].en, is_foreign ? finding->table : "", is_foreign ? ", by " : "",
        finding->role, is_foreign ? "" : audit->options.database.ptr);
    if (is_foreign)
        snprintf(detail, sizeof detail, "table %s, role %s, client %s: %llu reads, %s – %s", finding->table, finding->role,
            finding->address, (unsigned long long)finding->n, first, last);
    else
        snprintf(detail, sizeof detail, "%llu %s, %s – %s", (unsigned long long)finding->n, units[finding->kind], first, last);
    snprintf(key, sizeof key, STR_FORMAT "/" STR_FORMAT "%s%s", STR_ARG(department->party), STR_ARG(department->name),
        is_foreign ? "/" : "", is_foreign ? hex : "");
    const struct hub_alert alert = {.kind = str_from_c(kinds[finding->kind].kind),
        .area = department->area,
        .party = department->party,
        .key = str_from_c(key),
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .detail = str_from_c(detail),
        .is_green = finding->is_green};
    log_write(finding->is_green ? LOG_NOTICE : LOG_WARNING, "audit", kinds[finding->kind].kind, LOG_STR("system", department->name),
        LOG_TEXT("detail", detail), LOG_END);
    return hub_alert(department->hub, &alert);
}

/* Place and findings in one transaction; then the findings as alerts. What nobody takes now is told a second later. */
static void settle(struct hub_audit *audit, int64_t now_ms, bool is_telling)
{
    const struct reconcile_finding *finding, *told[64];
    struct hub_tail_place place = hub_tail_place(audit->tail);
    size_t n = 0;
    while (n < sizeof told / sizeof *told && (finding = reconcile_take(audit->core)) != NULL)
        told[n++] = finding;
    if (n == 0 && place.inode == audit->stored.inode && place.at == audit->stored.at)
        return;
    const struct value values[] = {number(place.inode), number(place.at), number(place.head)};
    enum err err = db_begin(audit->db);
    if (!err)
        err = run(audit, "INSERT OR REPLACE INTO place VALUES (1, ?1, ?2, ?3)", values, 3);
    for (size_t i = 0; i < n && !err; i++)
        err = store_finding(audit, told[i]);
    if (!err)
        err = db_commit(audit->db);
    if (err) {
        db_rollback(audit->db);
        (void)broke(audit, err);
    } else {
        audit->stored = place;
        audit->stored_ms = now_ms;
    }
    for (size_t i = 0; i < n; i++)
        if (err || !is_telling || tell(audit, told[i]) != ERR_OK)
            reconcile_again(audit->core, told[i]);
        else
            metric_add(&audit->n_told[told[i]->kind], 1);
}

static void on_tick(struct loop_timer *timer)
{
    static const struct reconcile_event tick = {.what = RECONCILE_TICK};
    struct hub_audit *audit = container_of(timer, struct hub_audit, tick);
    int64_t now_ms = clock_wall(audit->department->clock).ms;
    if (audit->broken)
        return;
    hear_connector(audit, now_ms);
    hear_database(audit, now_ms);
    reconcile_step(audit->core, &tick, now_ms);
    if (now_ms - audit->stored_ms >= STORE_MS || now_ms < audit->stored_ms)
        settle(audit, now_ms, true);
    enum err err = loop_timer_start(timer->loop, timer, TICK_MS);
    if (err)
        log_write(LOG_ERROR, "audit", "the audit is not watched any more", LOG_ERR(err), LOG_END);
}

void hub_audit_measure(struct hub_audit *audit, struct metric_page *page, struct str name)
{
    static const struct metric lines = {
        "citybrain_audit_lines_total", METRIC_COUNTER, "Lines of the database's audit that were read", {"department"}};
    static const struct metric cuts = {
        "citybrain_audit_cuts_total", METRIC_COUNTER, "How often the audit's file was cut or taken away unread", {"department"}};
    static const struct metric told = {
        "citybrain_audit_told_total", METRIC_COUNTER, "Findings that were told, also when they were mended", {"department", "kind"}};
    static const struct metric stopped = {
        "citybrain_audit_stopped", METRIC_GAUGE, "1: its store has refused, nothing is reconciled", {"department"}};
    size_t n_live = 0;
    if (!audit)
        return;
    pthread_mutex_lock(&audit->lock);
    for (size_t i = 0; i < LIVE_MAX; i++)
        n_live += audit->live[i].session != 0;
    pthread_mutex_unlock(&audit->lock);
    metric_put_counter(page, &lines, &audit->n_lines, &name);
    metric_put_counter(page, &cuts, &audit->n_cuts, &name);
    for (size_t i = 0; i < RECONCILE_N_KINDS; i++)
        metric_put_counter(page, &told, &audit->n_told[i], METRIC_VALUES(name, str_from_c(kinds[i].kind)));
    metric_put_count(page, &stopped, atomic_load(&audit->is_broken), &name);
    metric_put_queue(page, "audit_sessions", name, n_live, LIVE_MAX, &audit->n_refused);
}

/* ---- life ---- */

static enum err read_names(struct yaml_node map, const char *key, struct diag_list *diags, struct str *names, size_t *ret_n)
{
    struct yaml_node list = yaml_get(map, key);
    if (yaml_is_none(list))
        return ERR_OK;
    if (yaml_kind(list) != YAML_LIST || yaml_n_items(list) > ROLES_MAX)
        return yaml_error(list, diags, ERR_SYNTAX, "%s: is a list of at most %d names", key, ROLES_MAX);
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        names[i] = yaml_text(yaml_item(list, i));
        if (str_is_empty(names[i]) || names[i].len >= HUB_AUDIT_NAME_MAX)
            return yaml_error(yaml_item(list, i), diags, ERR_RANGE, "%s: is a list of names of the database", key);
    }
    *ret_n = yaml_n_items(list);
    return ERR_OK;
}

static enum err read_file(struct hub_audit *audit, struct yaml_node node, struct diag_list *diags)
{
    static const char *const keys[] = {"file", "own", "tables", "silent_after", NULL};
    if (yaml_kind(node) != YAML_MAP)
        return yaml_error(node, diags, ERR_SYNTAX, "audit: is a map; write audit: {file: …, own: […]} (docs/reconcile.md)");
    enum err err = yaml_check_keys(node, keys, diags);
    if (!err)
        err = hub_department_get_path(audit->department, node, "file", diags, audit->file);
    if (!err && !audit->file[0])
        err = yaml_error(
            node, diags, ERR_NOT_FOUND, "audit: has no file; write the file that the database's audit writes (docs/reconcile.md)");
    if (!err)
        err = read_names(node, "own", diags, audit->own, &audit->options.n_own);
    if (!err)
        err = read_names(node, "tables", diags, audit->tables, &audit->options.n_tables);
    if (!err) {
        err = yaml_get_duration_ms(node, "silent_after", false, diags, &audit->options.silent_ms);
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    if (!err && audit->options.silent_ms && (audit->options.silent_ms < SILENT_MIN_MS || audit->options.silent_ms > 3600000))
        err =
            yaml_error(yaml_get(node, "silent_after"), diags, ERR_RANGE, "silent_after: lies between 7s (the hub reads every 6 s) and 1h");
    audit->options.own = audit->own;
    audit->options.tables = audit->tables;
    return err;
}

static enum err each_row(struct hub_audit *audit, const char *sql, void (*fn)(struct hub_audit *audit, struct db_statement *statement))
{
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row = true;
    enum err err = db_prepare(audit->db, sql, &diag, &statement);
    if (err)
        return err;
    while ((err = db_step(statement, &is_row)) == ERR_OK && is_row)
        fn(audit, statement);
    db_statement_finish(statement);
    return err;
}

static void load_place(struct hub_audit *audit, struct db_statement *row)
{
    audit->stored = (struct hub_tail_place){(uint64_t)db_column(row, 0).i, (uint64_t)db_column(row, 1).i, (uint64_t)db_column(row, 2).i};
}

static void load_session(struct hub_audit *audit, struct db_statement *row)
{
    const struct reconcile_event former = {.what = RECONCILE_FORMER, .session = (uint64_t)db_column(row, 0).i};
    reconcile_step(audit->core, &former, clock_wall(audit->department->clock).ms);
}

static void load_finding(struct hub_audit *audit, struct db_statement *row)
{
    struct reconcile_finding finding = {.kind = (enum reconcile_kind)db_column(row, 0).i};
    int64_t now_ms = clock_wall(audit->department->clock).ms;
    if (db_column(row, 0).i < 0 || db_column(row, 0).i >= RECONCILE_N_KINDS ||
        str_to_c(db_column(row, 1).s, finding.role, sizeof finding.role) ||
        str_to_c(db_column(row, 2).s, finding.address, sizeof finding.address) ||
        str_to_c(db_column(row, 3).s, finding.table, sizeof finding.table))
        return;
    finding.n = (uint64_t)db_column(row, 4).i;
    finding.first_ms = db_column(row, 5).i;
    finding.last_ms = db_column(row, 6).i;
    finding.is_green = db_column(row, 7).i != 0;
    finding.is_changed = now_ms - finding.last_ms < LATELY_MS;
    reconcile_restore(audit->core, &finding);
}

static enum err open_store(struct hub_audit *audit, struct diag_list *diags)
{
    struct hub_department *department = audit->department;
    char dir[HUB_DEPARTMENT_PATH_MAX], path[HUB_DEPARTMENT_PATH_MAX + 200], sql[160];
    struct diag diag = {""};
    enum err err = hub_department_path(department, STR("{data}/store"), dir);
    if (!err)
        err = file_make_dirs(file_ops_system(), dir);
    snprintf(path, sizeof path, "%s/audit-" STR_FORMAT ".sqlite", dir, STR_ARG(department->name));
    if (!err)
        err = db_open(path, &diag, &audit->db);
    if (!err)
        err = db_migrate(audit->db, migrations, sizeof migrations / sizeof *migrations, &diag);
    snprintf(sql, sizeof sql, "DELETE FROM session WHERE opened_ms < %lld", (long long)(clock_wall(department->clock).ms - FORMER_MS));
    if (!err)
        err = db_exec(audit->db, sql, &diag);
    if (!err)
        err = each_row(audit, "SELECT inode, at, head FROM place", load_place);
    if (!err)
        err = each_row(audit, "SELECT session, opened_ms FROM session ORDER BY opened_ms DESC LIMIT 128", load_session);
    if (!err)
        err = each_row(audit,
            "SELECT kind, role, address, tbl, n, first_ms, last_ms, is_green FROM finding ORDER BY last_ms DESC LIMIT 1000", load_finding);
    if (err)
        (void)diag_add(diags, err, path, 0, "%s", diag.text[0] ? diag.text : err_text(err));
    return err;
}

static void start_on_thread(void *context)
{
    struct hub_audit *audit = context;
    audit->tick.fn = on_tick;
    if (loop_timer_start(loop_thread_loop(audit->thread), &audit->tick, TICK_MS) != ERR_OK)
        log_write(LOG_ERROR, "audit", "the audit is not watched", LOG_END);
}

static void start(struct loop_timer *timer)
{
    struct hub_audit *audit = container_of(timer, struct hub_audit, start);
    loop_thread_call(audit->thread, start_on_thread, audit);
}

static void stop_on_thread(void *context)
{
    struct hub_audit *audit = context;
    int64_t now_ms = clock_wall(audit->department->clock).ms;
    loop_timer_stop(&audit->tick);
    if (audit->broken || !audit->tick.fn)
        return;
    hear_connector(audit, now_ms);
    hear_database(audit, now_ms);
    settle(audit, now_ms, false);
}

void hub_audit_close(struct hub_audit *audit)
{
    if (!audit)
        return;
    loop_timer_stop(&audit->start);
    if (audit->thread)
        loop_thread_call(audit->thread, stop_on_thread, audit);
    loop_thread_stop(audit->thread);
    hub_tail_close(audit->tail);
    reconcile_destroy(audit->core);
    db_close(audit->db);
    pthread_mutex_destroy(&audit->lock);
    mem_free(audit);
}

enum err hub_audit_open(struct hub_department *department, const struct hub_system_env *env, enum hub_audit_form form, const char *database,
    struct diag_list *diags, struct hub_audit **ret_audit)
{
    struct yaml_node node = yaml_get(department->root, "audit");
    if (yaml_is_none(node))
        return ERR_OK;
    struct hub_audit *audit = mem_alloc_zero(1, sizeof *audit);
    if (!audit)
        return ERR_NO_MEMORY;
    audit->department = department;
    audit->form = form;
    audit->fatal = env->fatal;
    audit->fatal_context = env->fatal_context;
    audit->start.fn = start;
    pthread_mutex_init(&audit->lock, NULL);
    audit->options.start_ms = clock_wall(department->clock).ms;
    enum err err = arena_copy_str(&department->arena, str_from_c(database), &audit->options.database);
    if (!err)
        err = read_file(audit, node, diags);
    if (!err)
        err = reconcile_create(&audit->options, &audit->core);
    if (!err && !env->check_only)
        err = open_store(audit, diags);
    if (!err && !env->check_only)
        err = hub_tail_open(audit->file, &audit->stored, &audit->tail);
    if (!err && !env->check_only)
        err = loop_thread_start(department->clock, "audit", &audit->thread);
    if (!err && !env->check_only)
        err = loop_timer_start(env->loop, &audit->start, 0);
    if (err) {
        hub_audit_close(audit);
        return err;
    }
    *ret_audit = audit;
    return ERR_OK;
}
