/* Where a count goes on; see resume.h. */
#include "scene/count/resume.h"

#include "base/bytes.h"

void count_place_take(struct count_place *place, int64_t arrived_ms)
{
    if (arrived_ms > place->arrived_ms || arrived_ms + COUNT_PLACE_BACK_MS < place->arrived_ms)
        *place = (struct count_place){.arrived_ms = arrived_ms};
    place->n_at += arrived_ms == place->arrived_ms;
}

bool count_place_was_taken(struct count_place *resume, int64_t arrived_ms)
{
    if (arrived_ms - COUNT_PLACE_BACK_MS > resume->arrived_ms)
        *resume = COUNT_PLACE_NONE;
    if (arrived_ms != resume->arrived_ms)
        return arrived_ms < resume->arrived_ms;
    if (resume->n_at == 0)
        return false;
    resume->n_at--;
    return true;
}

static void put_mark(const struct count_parts_mark *mark, struct buf *out)
{
    buf_append_be(out, mark->n, 4);
    if (mark->n == 0)
        return;
    buf_append_be(out, mark->run, 8);
    buf_append_be(out, mark->n_cameras, 4);
    for (uint32_t i = 0; i < mark->n; i++)
        buf_append_be(out, mark->numbers[i], 8);
}

static bool read_mark(struct bytes_reader *in, uint32_t n_cameras, struct count_parts_mark *ret_mark)
{
    struct count_parts_mark mark = {.n = bytes_read_u32be(in)};
    bool is_right = mark.n <= COUNT_PARTS_MAX;
    if (is_right && mark.n > 0) {
        mark.run = bytes_read_u64be(in);
        mark.n_cameras = bytes_read_u32be(in);
        is_right = mark.run > 0 && mark.n_cameras <= n_cameras;
    }
    for (uint32_t i = 0; is_right && i < mark.n; i++) {
        mark.numbers[i] = bytes_read_u64be(in);
        is_right = mark.numbers[i] > 0;
    }
    *ret_mark = mark;
    return is_right && in->err == ERR_OK;
}

void count_resume_write(const struct count_place *place, const struct count_parts_mark *mark, uint32_t n,
    struct count_resume_camera (*camera_of)(void *context, uint32_t camera), void *context, struct buf *out)
{
    buf_append_be(out, (uint64_t)place->arrived_ms, 8);
    buf_append_be(out, place->n_at, 8);
    put_mark(mark, out);
    buf_append_be(out, n, 4);
    for (uint32_t c = 0; c < n; c++) {
        struct count_resume_camera known = camera_of(context, c);
        buf_append_be(out, known.name.len, 2);
        buf_append_str(out, str_slice(known.name, 0, UINT16_MAX));
        buf_append_be(out, known.told, 1);
    }
}

enum err count_resume_read(struct str bytes, uint32_t n, struct count_place *ret_place, struct count_parts_mark *ret_mark,
    enum err (*on_camera)(void *context, uint32_t camera, struct count_resume_camera known), void *context)
{
    struct bytes_reader reader;
    struct count_parts_mark mark;
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    struct count_place place = {.arrived_ms = (int64_t)bytes_read_u64be(&reader)};
    place.n_at = bytes_read_u64be(&reader);
    if (!read_mark(&reader, n, &mark) || bytes_read_u32be(&reader) != n || reader.err != ERR_OK)
        return ERR_CORRUPT;
    for (uint32_t c = 0; c < n; c++) {
        struct count_resume_camera known = {.name = bytes_read_str(&reader, bytes_read_u16be(&reader))};
        known.told = bytes_read_u8(&reader);
        if (reader.err != ERR_OK)
            return ERR_CORRUPT;
        enum err err = on_camera(context, c, known);
        if (err != ERR_OK)
            return err;
    }
    if (bytes_reader_left(&reader) > 0)
        return ERR_CORRUPT;
    *ret_place = place;
    *ret_mark = mark;
    return ERR_OK;
}
