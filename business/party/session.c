/*
 * Sessions: a table in memory, asked at every request, and its copy on disk, so that a restart signs nobody out. Keyed by
 * the SHA-256 of the cookie's token.
 *
 * A session ends by signing out, after 12 hours without a request, or 7 days after it began. When it was last used goes to disk at
 * most every 10 minutes.
 */
#include "base/log.h"
#include "base/mem.h"
#include "business/party/people.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS (PARTY_SESSIONS_MAX * 2)
#define STORE_SEEN_EVERY_MS (10 * 60000LL)

static bool is_over(const struct party_session_row *row, int64_t now_ms)
{
    return now_ms - row->seen_ms > PARTY_SESSION_IDLE_MS || now_ms - row->created_ms > PARTY_SESSION_LONGEST_MS;
}

static size_t home_of(const struct sha256 *hash)
{
    uint64_t first;
    memcpy(&first, hash->bytes, sizeof(first));
    return first % SLOTS;
}

static struct party_session_row *find(struct party_people *people, const struct sha256 *hash)
{
    for (size_t at = home_of(hash); people->sessions[at].is_used; at = (at + 1) % SLOTS)
        if (memcmp(people->sessions[at].hash.bytes, hash->bytes, sizeof(hash->bytes)) == 0)
            return &people->sessions[at];
    return NULL;
}

/* Open addressing without tombstones: those behind it that would no longer be found move up. */
static void take_out(struct party_people *people, struct party_session_row *row)
{
    size_t hole = (size_t)(row - people->sessions);
    people->sessions[hole].is_used = false;
    people->n_sessions--;
    for (size_t at = (hole + 1) % SLOTS; people->sessions[at].is_used; at = (at + 1) % SLOTS) {
        size_t home = home_of(&people->sessions[at].hash);
        bool is_reachable = hole <= at ? hole < home && home <= at : hole < home || home <= at;
        if (is_reachable)
            continue;
        people->sessions[hole] = people->sessions[at];
        people->sessions[at].is_used = false;
        hole = at;
    }
}

static void make_room(struct party_people *people, int64_t now_ms)
{
    if (people->n_sessions < PARTY_SESSIONS_MAX)
        return;
    struct party_session_row *oldest = NULL;
    for (size_t at = 0; at < SLOTS; at++) {
        struct party_session_row *row = &people->sessions[at];
        if (row->is_used && (!oldest || row->seen_ms < oldest->seen_ms))
            oldest = row;
    }
    log_write(
        LOG_NOTICE, "party", "too many sessions: the one unused for longest ends", LOG_INT("unused_ms", now_ms - oldest->seen_ms), LOG_END);
    take_out(people, oldest);
}

static void put_in(struct party_people *people, const struct party_session_row *new_row, int64_t now_ms)
{
    make_room(people, now_ms);
    size_t at = home_of(&new_row->hash);
    while (people->sessions[at].is_used)
        at = (at + 1) % SLOTS;
    people->sessions[at] = *new_row;
    people->sessions[at].is_used = true;
    people->n_sessions++;
}

enum err party_sessions_load(struct party_people *people, struct db *db, struct diag *diag)
{
    struct db_statement *statement;
    bool is_row = true;
    int64_t now_ms = clock_wall(people->options.clock).ms;
    people->sessions = mem_alloc_zero(SLOTS, sizeof(*people->sessions));
    if (!people->sessions)
        return ERR_NO_MEMORY;
    enum err err = db_prepare(db, "SELECT hash, person, created_ms, seen_ms FROM session", diag, &statement);
    if (err != ERR_OK)
        return err;
    while ((err = db_step(statement, &is_row)) == ERR_OK && is_row) {
        struct party_session_row row = {
            .created_ms = db_column(statement, 2).i, .seen_ms = db_column(statement, 3).i, .stored_ms = db_column(statement, 3).i};
        const struct party_person *person = party_person_find(people, db_column(statement, 1).s);
        struct str hash = db_column(statement, 0).s;
        if (!person || hash.len != sizeof(row.hash.bytes) || is_over(&row, now_ms))
            continue;
        memcpy(row.hash.bytes, hash.ptr, hash.len);
        row.person = (uint32_t)(person - people->people);
        put_in(people, &row, now_ms);
    }
    db_statement_finish(statement);
    if (err == ERR_OK) { /* what is over is forgotten on disk, too */
        char sql[160];
        snprintf(sql, sizeof(sql), "DELETE FROM session WHERE seen_ms < %lld OR created_ms < %lld",
            (long long)(now_ms - PARTY_SESSION_IDLE_MS), (long long)(now_ms - PARTY_SESSION_LONGEST_MS));
        err = db_exec(db, sql, diag);
    }
    return err;
}

/* ---- to the disk ---- */

static enum err run_write(struct db_write *base, struct db *db)
{
    struct party_session_write *write = container_of(base, struct party_session_write, write);
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row;
    const char *sql = write->is_end ? "DELETE FROM session WHERE hash = ?1" : "INSERT OR REPLACE INTO session VALUES (?1, ?2, ?3, ?4)";
    enum err err = db_prepare(db, sql, &diag, &statement);
    if (err != ERR_OK)
        return err;
    struct value hash = {.type = VALUE_BYTES, .s = {(const char *)write->hash.bytes, sizeof(write->hash.bytes)}};
    err = db_bind(statement, 1, hash);
    if (err == ERR_OK && !write->is_end) {
        err = db_bind(statement, 2, value_text(write->people->people[write->person].name));
        if (err == ERR_OK)
            err = db_bind(statement, 3, value_integer(write->created_ms));
        if (err == ERR_OK)
            err = db_bind(statement, 4, value_integer(write->seen_ms));
    }
    if (err == ERR_OK)
        err = db_step(statement, &is_row);
    db_statement_finish(statement);
    return err;
}

static void write_done(struct db_write *base)
{
    struct party_session_write *write = container_of(base, struct party_session_write, write);
    if (write->done)
        write->done(write, base->err);
    else if (base->err != ERR_OK)
        log_write(LOG_WARNING, "party", "when a session was last used could not be stored", LOG_ERR(base->err), LOG_END);
    mem_free(write);
}

static enum err submit(struct party_people *people, const struct party_session_row *row, bool is_end, struct loop *loop,
    void (*done)(struct party_session_write *write, enum err err), void *context)
{
    struct party_session_write *write = mem_alloc(sizeof(*write));
    if (!write)
        return ERR_NO_MEMORY;
    *write = (struct party_session_write){.write = {.run = run_write, .done = write_done, .loop = loop},
        .people = people,
        .hash = row->hash,
        .person = row->person,
        .created_ms = row->created_ms,
        .seen_ms = row->seen_ms,
        .is_end = is_end,
        .done = done,
        .context = context};
    enum err err = db_writer_submit(people->writer, &write->write);
    if (err != ERR_OK)
        mem_free(write);
    return err;
}

/* ---- use ---- */

enum err party_session_begin(struct party_people *people, uint32_t person, struct loop *loop,
    void (*done)(struct party_session_write *write, enum err err), void *context, char ret_token[65])
{
    uint8_t random[32];
    char token[65];
    crypto_random(random, sizeof(random));
    crypto_hex(random, sizeof(random), token);
    int64_t now_ms = clock_wall(people->options.clock).ms;
    struct party_session_row row = {
        .hash = crypto_sha256((struct str){token, 64}), .person = person, .created_ms = now_ms, .seen_ms = now_ms, .stored_ms = now_ms};
    pthread_mutex_lock(&people->mutex);
    put_in(people, &row, now_ms);
    pthread_mutex_unlock(&people->mutex);
    memcpy(ret_token, token, sizeof(token)); /* before `done` may run */
    enum err err = submit(people, &row, false, loop, done, context);
    if (err != ERR_OK)
        party_session_drop(people, &row.hash);
    return err;
}

void party_session_drop(struct party_people *people, const struct sha256 *hash)
{
    pthread_mutex_lock(&people->mutex);
    struct party_session_row *row = find(people, hash);
    if (row)
        take_out(people, row);
    pthread_mutex_unlock(&people->mutex);
}

enum err party_session_end(struct party_people *people, struct str token, struct loop *loop,
    void (*done)(struct party_session_write *write, enum err err), void *context)
{
    struct sha256 hash = crypto_sha256(token);
    struct party_session_row copy = {0};
    pthread_mutex_lock(&people->mutex);
    struct party_session_row *row = find(people, &hash);
    if (row) {
        copy = *row;
        take_out(people, row);
    }
    pthread_mutex_unlock(&people->mutex);
    return row ? submit(people, &copy, true, loop, done, context) : ERR_NOT_FOUND;
}

enum err party_session(void *context, struct str token, struct http_identity *ret_identity)
{
    struct party_people *people = context;
    if (token.len != 64)
        return ERR_UNAUTHENTICATED;
    struct sha256 hash = crypto_sha256(token);
    struct party_session_row copy = {0};
    int64_t now_ms = clock_wall(people->options.clock).ms;
    bool must_store = false;
    pthread_mutex_lock(&people->mutex);
    struct party_session_row *row = find(people, &hash);
    if (row && is_over(row, now_ms)) {
        take_out(people, row);
        row = NULL;
    }
    if (row) {
        row->seen_ms = now_ms > row->seen_ms ? now_ms : row->seen_ms;
        must_store = row->seen_ms - row->stored_ms > STORE_SEEN_EVERY_MS;
        if (must_store)
            row->stored_ms = row->seen_ms;
        copy = *row;
    }
    pthread_mutex_unlock(&people->mutex);
    if (!row)
        return ERR_UNAUTHENTICATED;
    if (must_store && submit(people, &copy, false, loop_thread_loop(people->sign_in), NULL, NULL) != ERR_OK)
        log_write(LOG_WARNING, "party", "when a session was last used could not be stored", LOG_END);
    const struct party_person *person = &people->people[copy.person];
    *ret_identity = (struct http_identity){.party = person->post,
        .area = person->area,
        .person = person->name,
        .acts_for = person->acts_for,
        .roles = person->roles,
        .subject = person->subject};
    return ERR_OK;
}
