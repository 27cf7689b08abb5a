/* The tables of what is to be sent, to whom, and of what came, from whom. */
#include "bus/outbox.h"

const char bus_outbox_tables[] =
    "CREATE TABLE bus_to (party TEXT PRIMARY KEY, stream INTEGER NOT NULL, first INTEGER NOT NULL, next INTEGER NOT NULL) STRICT, WITHOUT "
    "ROWID;"
    "CREATE TABLE bus_out (party TEXT NOT NULL, number INTEGER NOT NULL, time_ms INTEGER NOT NULL, message BLOB NOT NULL,"
    " PRIMARY KEY (party, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE bus_from (party TEXT PRIMARY KEY, stream INTEGER NOT NULL, last INTEGER NOT NULL) STRICT, WITHOUT ROWID";

static enum err run(
    struct db *db, const char *sql, const struct value *values, size_t n, struct db_statement **ret_statement, bool *ret_row)
{
    enum err err = db_cached(db, sql, NULL, ret_statement);
    for (size_t i = 0; i < n && !err; i++)
        err = db_bind(*ret_statement, (int)i + 1, values[i]);
    return err ? err : db_step(*ret_statement, ret_row);
}

static enum err change(struct db *db, const char *sql, const struct value *values, size_t n)
{
    struct db_statement *statement = NULL;
    bool is_row;
    enum err err = run(db, sql, values, n, &statement, &is_row);
    if (statement)
        db_reset(statement);
    return err;
}

enum err bus_outbox_load(struct db *db, struct str party, struct bus_outbox *ret_outbox)
{
    static const char sql[] = "SELECT stream, first, next FROM bus_to WHERE party = ?1";
    const struct value values[] = {value_text(party)};
    struct db_statement *statement = NULL;
    struct bus_outbox outbox = {0};
    bool is_row = false;
    enum err err = run(db, sql, values, 1, &statement, &is_row);
    if (!err && is_row)
        outbox = (struct bus_outbox){.stream = (uint64_t)db_column(statement, 0).i,
            .first = (uint64_t)db_column(statement, 1).i,
            .next = (uint64_t)db_column(statement, 2).i,
            .unsure = (uint64_t)db_column(statement, 2).i};
    if (statement)
        db_reset(statement);
    if (!err)
        *ret_outbox = outbox;
    return err;
}

static enum err save(struct db *db, struct str party, const struct bus_outbox *outbox)
{
    static const char sql[] = "INSERT INTO bus_to VALUES (?1, ?2, ?3, ?4)"
                              " ON CONFLICT (party) DO UPDATE SET stream = ?2, first = ?3, next = ?4";
    const struct value values[] = {value_text(party), value_integer((int64_t)outbox->stream), value_integer((int64_t)outbox->first),
        value_integer((int64_t)outbox->next)};
    return change(db, sql, values, 4);
}

enum err bus_outbox_add(struct db *db, struct str party, struct str message, struct wall_time now, struct bus_outbox *ret_outbox)
{
    static const char sql[] = "INSERT INTO bus_out VALUES (?1, ?2, ?3, ?4)";
    struct bus_outbox outbox;
    if (message.len > BUS_OUTBOX_BYTES)
        return ERR_TOO_LARGE;
    enum err err = bus_outbox_load(db, party, &outbox);
    if (err)
        return err;
    if (!outbox.next)
        outbox = (struct bus_outbox){.stream = now.ms > 0 ? (uint64_t)now.ms : 1, .first = 1, .next = 1};
    if (outbox.next - outbox.first >= BUS_OUTBOX_ROWS_MAX)
        return ERR_FULL;
    const struct value values[] = {
        value_text(party), value_integer((int64_t)outbox.next), value_integer(now.ms), {.type = VALUE_BYTES, .s = message}};
    err = change(db, sql, values, 4);
    outbox.next++;
    if (!err)
        err = save(db, party, &outbox);
    if (!err)
        *ret_outbox = outbox;
    return err;
}

enum err bus_outbox_read(struct db *db, struct arena *arena, struct str party, uint64_t from, struct bus_delivery *ret_delivery)
{
    static const char sql[] = "SELECT number, message FROM bus_out WHERE party = ?1 AND number >= ?2 ORDER BY number LIMIT 64";
    _Static_assert(BUS_OUTBOX_BATCH == 64, "the SQL text says 64");
    const struct value values[] = {value_text(party), value_integer((int64_t)from)};
    struct db_statement *statement = NULL;
    struct bus_outbox outbox;
    struct bus_delivery delivery = {.first = from};
    size_t n_bytes = 0;
    bool is_row = false;
    enum err err = bus_outbox_load(db, party, &outbox);
    if (err)
        return err;
    delivery.stream = outbox.stream;
    delivery.kept = outbox.first;
    for (err = run(db, sql, values, 2, &statement, &is_row); !err && is_row; err = db_step(statement, &is_row)) {
        struct str message = db_column(statement, 1).s;
        if (delivery.n == BUS_OUTBOX_BATCH || (delivery.n > 0 && n_bytes + message.len > BUS_OUTBOX_BYTES))
            break;
        if ((uint64_t)db_column(statement, 0).i != from + delivery.n) {
            err = ERR_CORRUPT; /* a row between is missing */
            break;
        }
        n_bytes += message.len;
        if ((err = arena_copy_str(arena, message, &delivery.messages[delivery.n])))
            break;
        delivery.n++;
    }
    if (statement)
        db_reset(statement);
    if (!err && delivery.n == 0)
        err = ERR_NOT_FOUND;
    if (!err)
        *ret_delivery = delivery;
    return err;
}

enum err bus_outbox_forget(struct db *db, struct str party, uint64_t up_to)
{
    static const char sql[] = "DELETE FROM bus_out WHERE party = ?1 AND number <= ?2";
    const struct value values[] = {value_text(party), value_integer((int64_t)up_to)};
    struct bus_outbox outbox;
    enum err err = bus_outbox_load(db, party, &outbox);
    if (err || up_to < outbox.first || up_to >= outbox.next)
        return err;
    outbox.first = up_to + 1;
    err = change(db, sql, values, 2);
    return err ? err : save(db, party, &outbox);
}

enum err bus_outbox_renew(struct db *db, struct str party, struct wall_time now, struct bus_outbox *ret_outbox)
{
    /* Two steps: a number must not meet one that is still in use. */
    static const char away[] = "UPDATE bus_out SET number = -number WHERE party = ?1";
    static const char back[] = "UPDATE bus_out SET number = -number - ?2 + 1 WHERE party = ?1";
    struct bus_outbox outbox;
    enum err err = bus_outbox_load(db, party, &outbox);
    if (err)
        return err;
    const struct value values[] = {value_text(party), value_integer((int64_t)outbox.first)};
    err = change(db, away, values, 1);
    if (!err)
        err = change(db, back, values, 2);
    uint64_t stream = now.ms > 0 ? (uint64_t)now.ms : 1;
    outbox = (struct bus_outbox){
        .stream = stream > outbox.stream ? stream : outbox.stream + 1, .first = 1, .next = outbox.next - outbox.first + 1};
    if (!err)
        err = save(db, party, &outbox);
    if (!err)
        *ret_outbox = outbox;
    return err;
}

/* ---- what came ---- */

enum err bus_inbox_take(struct db *db, struct str party, const struct bus_delivery *delivery, struct bus_taken *ret_taken)
{
    static const char get[] = "SELECT stream, last FROM bus_from WHERE party = ?1";
    static const char put[] = "INSERT INTO bus_from VALUES (?1, ?2, ?3) ON CONFLICT (party) DO UPDATE SET stream = ?2, last = ?3";
    const struct value values[] = {value_text(party)};
    struct db_statement *statement = NULL;
    struct bus_taken taken = {0};
    bool is_row = false;
    enum err err = run(db, get, values, 1, &statement, &is_row);
    if (!err && is_row) {
        taken.stream = (uint64_t)db_column(statement, 0).i;
        taken.last = (uint64_t)db_column(statement, 1).i;
    }
    if (statement)
        db_reset(statement);
    if (err)
        return err;
    if (delivery->stream > taken.stream) { /* the sender numbers anew */
        taken.stream = delivery->stream;
        taken.last = 0;
    }
    uint64_t end = delivery->first + delivery->n; /* one past its last */
    bool is_known = delivery->stream == taken.stream;
    if (is_known && delivery->n > 0 && delivery->kept > taken.last + 1 &&
        delivery->first == delivery->kept) { /* what is between nobody has any more */
        taken.n_lost = delivery->kept - taken.last - 1;
        taken.last = delivery->kept - 1;
    }
    if (is_known && delivery->first <= taken.last + 1 && end > taken.last + 1) {
        taken.from = (size_t)(taken.last + 1 - delivery->first);
        taken.n = delivery->n - taken.from;
        taken.last = end - 1;
        const struct value changed[] = {value_text(party), value_integer((int64_t)taken.stream), value_integer((int64_t)taken.last)};
        err = change(db, put, changed, 3);
    }
    if (!err)
        *ret_taken = taken;
    return err;
}
