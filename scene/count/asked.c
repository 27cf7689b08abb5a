/* What a part was asked; see asked.h. */
#include "scene/count/asked.h"

#include "base/bytes.h"

#include <assert.h>

#define LENGTH 4u

void count_asked_init(struct count_asked *asked, size_t max)
{
    *asked = (struct count_asked){.first = 1};
    buf_init(&asked->bytes, max);
}

void count_asked_finish(struct count_asked *asked)
{
    buf_finish(&asked->bytes);
}

void count_asked_forget(struct count_asked *asked)
{
    size_t max = asked->bytes.max;
    buf_finish(&asked->bytes); /* a minute's questions: tens of megabytes, and the next minute may be quiet */
    buf_init(&asked->bytes, max);
    asked->first = asked->number + 1;
    asked->at = 0;
    asked->is_given_up = false;
}

struct buf *count_asked_begin(struct count_asked *asked, size_t room)
{
    assert(asked->asking == asked->number && LENGTH + room <= asked->bytes.max);
    if (asked->bytes.max - asked->bytes.len < LENGTH + room) {
        count_asked_forget(asked);
        asked->is_given_up = true;
    }
    asked->at = asked->bytes.len;
    asked->asking = ++asked->number;
    buf_append_be(&asked->bytes, 0, LENGTH);
    return &asked->bytes;
}

enum err count_asked_end(struct count_asked *asked)
{
    if (asked->bytes.err != ERR_OK)
        return asked->bytes.err;
    size_t len = asked->bytes.len - asked->at - LENGTH;
    for (uint32_t i = 0; i < LENGTH; i++)
        asked->bytes.ptr[asked->at + i] = (char)(len >> (8 * (LENGTH - 1 - i)));
    return ERR_OK;
}

static size_t length_at(const struct count_asked *asked, size_t at)
{
    struct bytes_reader in;
    bytes_reader_init(&in, asked->bytes.ptr + at, asked->bytes.len - at);
    return bytes_read_u32be(&in);
}

struct str count_asked_question(const struct count_asked *asked)
{
    return str_slice(buf_str(&asked->bytes), asked->at + LENGTH, length_at(asked, asked->at));
}

bool count_asked_next(struct count_asked *asked)
{
    if (asked->asking == asked->number)
        return false;
    asked->at += LENGTH + length_at(asked, asked->at);
    asked->asking++;
    return true;
}

bool count_asked_back(struct count_asked *asked, uint64_t number)
{
    if (number + 1 < asked->first || number + 1 >= asked->asking)
        return false;
    asked->at = 0;
    for (asked->asking = asked->first; asked->asking <= number; asked->asking++)
        asked->at += LENGTH + length_at(asked, asked->at);
    return true;
}
