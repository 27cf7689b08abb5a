/* See system/bus/served.h. */
#include "system/bus/served.h"

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "hub/asking.h"

#define VERSION 1

/* ---- bytes ---- */

void system_bus_served_write(uint64_t from, struct buf *out)
{
    hub_put_number(out, VERSION, 1);
    hub_put_number(out, SYSTEM_BUS_SERVED, 1);
    hub_put_number(out, from, 8);
}

bool system_bus_served_is(struct str question)
{
    return question.len == 10 && question.ptr[0] == VERSION && question.ptr[1] == SYSTEM_BUS_SERVED;
}

enum err system_bus_served_read(struct str bytes, struct bytes_reader *reader, struct system_bus_served_answer *ret_answer)
{
    struct system_bus_served_answer answer = {0};
    bytes_reader_init(reader, bytes.ptr, bytes.len);
    enum err told = hub_get_error(reader);
    if (told || reader->err)
        return told ? told : ERR_SYNTAX;
    answer.id = bytes_read_u64be(reader);
    answer.from = bytes_read_u64be(reader);
    answer.end = bytes_read_u64be(reader);
    answer.n = bytes_read_u16be(reader);
    if (reader->err || answer.n > SYSTEM_BUS_SERVED_MAX || answer.from > answer.end)
        return ERR_SYNTAX;
    *ret_answer = answer;
    return ERR_OK;
}

struct str system_bus_served_line(struct bytes_reader *reader)
{
    return hub_get_text(reader);
}

/* ---- the department's side ---- */

struct system_bus_served {
    struct journal *journal;
    struct journal_reader *reader; /* where the last answer ended; NULL: nowhere */
    uint64_t next, id;
};

enum err system_bus_served_create(struct journal *journal, struct system_bus_served **ret_served)
{
    struct system_bus_served *served = mem_alloc_zero(1, sizeof *served);
    if (!served)
        return ERR_NO_MEMORY;
    served->journal = journal;
    *ret_served = served;
    return ERR_OK;
}

void system_bus_served_destroy(struct system_bus_served *served)
{
    if (!served)
        return;
    journal_reader_destroy(served->reader);
    mem_free(served);
}

static bool take_id(void *context, uint64_t index, struct str record)
{
    struct bytes_reader reader;
    struct sha256 hash = crypto_sha256(record);
    bytes_reader_init(&reader, hash.bytes, sizeof hash.bytes);
    *(uint64_t *)context = bytes_read_u64be(&reader);
    return false;
}

struct telling {
    struct buf lines;
    uint64_t n;
};

static bool take_line(void *context, uint64_t index, struct str record)
{
    struct telling *telling = context;
    hub_put_text(&telling->lines, record);
    return ++telling->n < SYSTEM_BUS_SERVED_MAX && telling->lines.len < SYSTEM_BUS_SERVED_BYTES;
}

/* The reader stands at `from` afterwards. */
static enum err stand_at(struct system_bus_served *served, uint64_t from)
{
    if (served->reader && served->next == from)
        return ERR_OK;
    journal_reader_destroy(served->reader);
    served->reader = NULL;
    served->next = from;
    return journal_reader_create(served->journal, from, &served->reader);
}

enum err system_bus_served_tell(struct system_bus_served *served, struct str question, struct buf *out)
{
    struct bytes_reader in;
    uint64_t end = journal_n_durable(served->journal);
    struct telling telling = {.n = 0};
    bytes_reader_init(&in, question.ptr + 2, question.len - 2);
    uint64_t from = bytes_read_u64be(&in);
    from = from < end ? from : end;
    buf_init(&telling.lines, SYSTEM_BUS_SERVED_BYTES + (1u << 17));
    enum err err = stand_at(served, from);
    if (!err && !served->id && end > 0)
        err = journal_read(served->journal, 0, take_id, &served->id);
    if (!err && from < end)
        err = journal_reader_read(served->reader, take_line, &telling);
    if (!err)
        err = telling.lines.err;
    if (err) { /* where it stands is not known any more */
        journal_reader_destroy(served->reader);
        served->reader = NULL;
    } else {
        served->next = from + telling.n;
        hub_put_error(out, ERR_OK);
        hub_put_number(out, served->id, 8);
        hub_put_number(out, from, 8);
        hub_put_number(out, end > served->next ? end : served->next, 8);
        hub_put_number(out, telling.n, 2);
        buf_append_str(out, buf_str(&telling.lines));
        err = out->err;
    }
    buf_finish(&telling.lines);
    return err;
}
