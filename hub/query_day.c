/*
 * Which cells a consumer is told of a resource on a day: one set, over all its contracts of that day. A contract that ends and its
 * successor with other fields would else tell, on one day and of one state of the table, what each leaves out. The first answer of a day
 * claims it, for the consumer and the resource (whose name has the provider in it); the claim stands in {data}/hub.sqlite before a figure
 * leaves, so that a restart gives no second first answer. A successor with the same cells is answered from the same.
 *
 * A clock that jumps back finds the later day's claim, and is bound by it. Of a hub that is several processes the one with the desk alone
 * tells figures.
 */
#include "hub/query_parts.h"

#include "base/buf.h"

#include <string.h>

#define SIGNATURE_BYTES_MAX (64u << 10)

struct claim {
    struct db_write write;
    const struct hub_contract *contract;
    int64_t day;
    char cells[65];
    bool is_mine, is_done;
};

/* What parts the rows into cells: k, the granted rows, the fields. */
static enum err sign_cells(const struct hub_contract *contract, char ret_hex[65])
{
    const struct hub_field *fields = contract->entry->resource.fields;
    struct buf text;
    buf_init(&text, SIGNATURE_BYTES_MAX);
    buf_printf(&text, "%lld\n" STR_FORMAT "\n", (long long)contract->terms.min_subjects, STR_ARG(contract->rows));
    for (size_t i = 0; i < contract->terms.n_fields; i++)
        buf_printf(&text, STR_FORMAT "\n", STR_ARG(fields[contract->field_ats[i]].name));
    enum err err = text.err;
    if (!err) {
        struct sha256 hash = crypto_sha256(buf_str(&text));
        crypto_hex(hash.bytes, sizeof hash.bytes, ret_hex);
    }
    buf_finish(&text);
    return err;
}

static enum err enter(const struct claim *claim, struct db *db)
{
    struct db_statement *statement;
    const struct value values[] = {value_text(claim->contract->terms.consumer), value_text(claim->contract->terms.resource),
        value_integer(claim->day), value_text(str_from_c(claim->cells))};
    bool row;
    enum err err = db_cached(db,
        "INSERT INTO statistic VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET day = excluded.day, cells = excluded.cells "
        "WHERE day < excluded.day",
        NULL, &statement);
    for (int i = 0; i < 4 && !err; i++)
        err = db_bind(statement, i + 1, values[i]);
    return err ? err : db_step(statement, &row);
}

/* The writer's thread. Whoever enters first has the day; all others see whose it is. */
static enum err run_claim(struct db_write *write, struct db *db)
{
    struct claim *claim = container_of(write, struct claim, write);
    struct db_statement *statement;
    bool row = false;
    enum err err = enter(claim, db);
    if (!err)
        err = db_cached(db, "SELECT cells FROM statistic WHERE consumer = ? AND resource = ?", NULL, &statement);
    if (!err)
        err = db_bind(statement, 1, value_text(claim->contract->terms.consumer));
    if (!err)
        err = db_bind(statement, 2, value_text(claim->contract->terms.resource));
    if (!err)
        err = db_step(statement, &row);
    if (err)
        return err;
    claim->is_mine = row && str_equal_c(db_column(statement, 0).s, claim->cells);
    db_reset(statement);
    return ERR_OK;
}

static void claim_done(struct db_write *write)
{
    container_of(write, struct claim, write)->is_done = true;
}

enum err query_day_claim(struct query_table *table)
{
    struct query *query = table->query;
    if (query->hub->feed.is_follower) /* its own cells would be of another moment, and its claim nobody else's */
        return query_fail(query, ERR_UNAVAILABLE,
            "figures of a statistics-only contract come from the city's hub that has the desk, which keeps the day's cells: ask there");
    struct claim claim = {.contract = table->contract,
        .day = wall_day_number(query->now, query->hub->zone),
        .write = {.run = run_claim, .loop = query->loop, .done = claim_done}};
    enum err err = sign_cells(table->contract, claim.cells);
    if (!err)
        err = db_writer_submit(query->hub->writer, &claim.write);
    if (err)
        return query_fail(query, ERR_UNAVAILABLE, "the day's statistics cannot be kept (%s)", err_text(err));
    while (!claim.is_done) /* it borrows from here */
        (void)!loop_run_once(query->loop, 100);
    if (claim.write.err)
        return query_fail(query, ERR_UNAVAILABLE, "the day's statistics cannot be kept (%s)", err_text(claim.write.err));
    if (!claim.is_mine)
        return query_fail(query, ERR_RANGE,
            STR_FORMAT " has told you figures of today under another contract, parted otherwise; both together would tell what each leaves "
                       "out: ask under this one from tomorrow on",
            STR_ARG(table->name));
    return ERR_OK;
}
