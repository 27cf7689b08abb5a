/* One part of a city's plates; see part.h. Its core is a whole one, of which the vehicles and what decides who they are is used. */
#include "scene/count/part.h"

#include "base/mem.h"
#include "scene/count/snapshot.h"
#include "scene/count/state.h"
#include "scene/keeper.h"

#include <math.h>

struct count_part {
    struct count_settings settings;
    struct count_map map;
    uint64_t city;
    uint32_t part, n_parts;
    struct count *count;
    uint64_t run, number; /* of the last question; 0: none, or its vehicles were given up */
    struct buf answer;    /* to it */
    struct buf refusal;
    struct count_passage passages[COUNT_PART_PASSAGES_MAX];
    struct count_part_counters counters;
};

/* A question, looked through; its lists are read again when it is done. */
struct question {
    uint8_t flags;
    int64_t expire_ms;
    uint32_t n_cameras_known, n_edges, n_uncertain, n_passages;
    struct bytes_reader edges, uncertain;
};

enum err count_part_create(
    const struct count_settings *settings, const struct count_map *map, uint32_t part, uint32_t n_parts, struct count_part **ret_part)
{
    struct count_part *made = mem_alloc_zero(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    *made = (struct count_part){
        .settings = *settings, .map = *map, .city = count_part_city(map->network, settings), .part = part, .n_parts = n_parts};
    buf_init(&made->answer, COUNT_PART_BYTES_MAX);
    buf_init(&made->refusal, 256);
    enum err err = count_create(settings, map, &made->count);
    if (err != ERR_OK) {
        count_part_destroy(made);
        return err;
    }
    *ret_part = made;
    return ERR_OK;
}

void count_part_destroy(struct count_part *part)
{
    if (part == NULL)
        return;
    count_destroy(part->count);
    buf_finish(&part->answer);
    buf_finish(&part->refusal);
    mem_free(part);
}

struct count_part_counters count_part_counters(const struct count_part *part)
{
    struct count_part_counters counters = part->counters;
    counters.n_known = count_known_vehicles(part->count)->n_known;
    return counters;
}

/* ---- onto the disk, and back ---- */

void count_part_write(const struct count_part *part, struct buf *out)
{
    struct buf extra;
    buf_init(&extra, COUNT_PART_BYTES_MAX + 64);
    buf_append_be(&extra, part->part, 4);
    buf_append_be(&extra, part->n_parts, 4);
    buf_append_be(&extra, part->run, 8);
    buf_append_be(&extra, part->number, 8);
    buf_append_str(&extra, buf_str(&part->answer));
    if (extra.err == ERR_OK)
        count_snapshot_write(part->count, buf_str(&extra), out);
    else
        out->err = extra.err;
    buf_finish(&extra);
    scene_seal(out);
}

enum err count_part_read(struct count_part *part, struct str bytes, struct diag *diag)
{
    struct count *count = NULL;
    struct str extra;
    enum err err = count_snapshot_read(bytes, &part->settings, &part->map, diag, &extra, &count);
    if (err != ERR_OK)
        return err;
    struct bytes_reader in;
    bytes_reader_init(&in, extra.ptr, extra.len);
    uint32_t number = bytes_read_u32be(&in), n = bytes_read_u32be(&in);
    uint64_t run = bytes_read_u64be(&in), question = bytes_read_u64be(&in);
    buf_reset(&part->answer);
    buf_append_str(&part->answer, bytes_read_str(&in, bytes_reader_left(&in)));
    bool is_ours = in.err == ERR_OK && number == part->part && n == part->n_parts;
    if (!is_ours || part->answer.err != ERR_OK) {
        count_destroy(count);
        return is_ours ? part->answer.err : diag_set(diag, ERR_STATE, NULL, 0, "it is of part %u of %u", number + 1, n);
    }
    count_destroy(part->count);
    part->count = count;
    part->run = run;
    part->number = question;
    return ERR_OK;
}

/* ---- reading ---- */

/* Of cameras that are known, or become so by this question. */
static enum err read_cameras(const struct count_part *part, struct bytes_reader *in, struct question *question)
{
    question->n_cameras_known = bytes_read_u32be(in);
    question->n_edges = bytes_read_u32be(in);
    if (in->err != ERR_OK || question->n_edges > part->settings.cameras_max || question->n_cameras_known > part->settings.cameras_max)
        return ERR_CORRUPT;
    question->edges = *in;
    for (uint32_t i = 0; i < question->n_edges; i++)
        if (bytes_read_u32be(in) >= part->map.network->n_edges)
            return ERR_CORRUPT;
    question->n_uncertain = bytes_read_u32be(in);
    if (in->err != ERR_OK || question->n_uncertain > part->settings.cameras_max)
        return ERR_CORRUPT;
    question->uncertain = *in;
    for (uint32_t i = 0; i < question->n_uncertain; i++) {
        uint32_t camera = bytes_read_u32be(in);
        double uncertain_s = bytes_read_f64be(in);
        if (camera >= question->n_cameras_known + question->n_edges || !(uncertain_s >= 0 && uncertain_s <= COUNT_CLOCK_MAX_S))
            return ERR_CORRUPT;
    }
    return in->err;
}

static enum err read_question(struct count_part *part, struct bytes_reader *in, struct question *question)
{
    question->flags = bytes_read_u8(in);
    question->expire_ms = (int64_t)bytes_read_u64be(in);
    if ((question->flags & ~(COUNT_PART_CLEAR | COUNT_PART_EXPIRE)) != 0 || question->expire_ms < 0 ||
        question->expire_ms > COUNT_TIME_MAX_MS)
        return ERR_CORRUPT;
    enum err err = read_cameras(part, in, question);
    question->n_passages = bytes_read_u32be(in);
    if (err == ERR_OK && (in->err != ERR_OK || question->n_passages > COUNT_PART_PASSAGES_MAX))
        err = ERR_CORRUPT;
    for (uint32_t i = 0; i < question->n_passages && err == ERR_OK; i++)
        err = count_part_read_passage(in, question->n_cameras_known + question->n_edges, &part->passages[i]);
    return err == ERR_OK && bytes_reader_left(in) != 0 ? ERR_CORRUPT : err;
}

/* ---- answering ---- */

static void put_answer_head(struct buf *out, const struct count_part_head *head, enum count_part_status status, uint32_t n)
{
    buf_reset(out);
    count_part_put_head(out, head);
    buf_append_be(out, status, 1);
    buf_append_be(out, n, 4);
}

/* Another one that asks: who was known is nobody of his. */
static enum err begin(struct count_part *part, const struct count_part_head *head)
{
    struct count *count = NULL;
    enum err err = count_create(&part->settings, &part->map, &count);
    if (err != ERR_OK)
        return err;
    count_destroy(part->count);
    part->count = count;
    part->run = head->run;
    part->counters.n_runs++;
    return ERR_OK;
}

static enum err prepare(struct count_part *part, struct question *question)
{
    struct count *count = part->count;
    for (uint32_t i = 0; i < question->n_edges; i++) {
        uint32_t camera;
        enum err err = count_camera_add(count, bytes_read_u32be(&question->edges), &camera);
        if (err != ERR_OK)
            return err;
    }
    for (uint32_t i = 0; i < question->n_uncertain; i++) {
        uint32_t camera = bytes_read_u32be(&question->uncertain);
        count->faults.clocks.clocks[camera].uncertain_s = bytes_read_f64be(&question->uncertain);
    }
    if (question->flags & COUNT_PART_CLEAR) {
        count_vehicles_clear(&count->vehicles);
        count_clones_clear(&count->faults.clones);
    }
    if (question->flags & COUNT_PART_EXPIRE)
        count_vehicles_expire(&count->vehicles, question->expire_ms);
    return ERR_OK;
}

static enum err answer(struct count_part *part, const struct count_part_head *head, struct question *question)
{
    struct count_clones *clones = &part->count->faults.clones;
    enum err err = prepare(part, question);
    if (err != ERR_OK)
        return err;
    put_answer_head(&part->answer, head, COUNT_PART_OK, question->n_passages);
    for (uint32_t i = 0; i < question->n_passages; i++) {
        struct count_move move;
        struct count_part_clone clone = {.is_there = false};
        clones->n_told = 0;
        count_track(part->count, &part->passages[i], COUNT_NONE, &move);
        if (clones->n_told > 0)
            clone = (struct count_part_clone){true, clones->told[0]};
        count_part_put_move(&part->answer, &move, &clone);
    }
    buf_append_be(&part->answer, count_known_vehicles(part->count)->n_known, 4);
    part->counters.n_passages += question->n_passages;
    part->number = head->number;
    return part->answer.err;
}

enum err count_part_answer(struct count_part *part, struct str bytes, struct str *ret_answer)
{
    struct bytes_reader in;
    struct count_part_head head;
    struct question question = {.flags = 0};
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    enum err err = count_part_read_head(&in, &head);
    if (err == ERR_OK)
        err = read_question(part, &in, &question);
    if (err != ERR_OK)
        return err;
    part->counters.n_questions++;
    bool is_other = head.city != part->city || head.part != part->part || head.n_parts != part->n_parts;
    bool is_first = head.number == 1 && head.run != part->run, is_next = head.run == part->run && head.number == part->number + 1;
    if (!is_other && head.run == part->run && head.number == part->number && part->number > 0) {
        part->counters.n_again++;
        *ret_answer = buf_str(&part->answer);
        return ERR_OK;
    }
    if (is_other || (!is_first && !is_next) || question.n_cameras_known != (is_first ? 0 : count_n_cameras(part->count))) {
        put_answer_head(&part->refusal, &head, is_other ? COUNT_PART_OTHER : COUNT_PART_LOST_RUN, 0);
        *ret_answer = buf_str(&part->refusal);
        return part->refusal.err;
    }
    err = is_first ? begin(part, &head) : ERR_OK;
    if (err == ERR_OK)
        err = answer(part, &head, &question);
    if (err != ERR_OK) {
        part->run = part->number = 0;
        return err;
    }
    *ret_answer = buf_str(&part->answer);
    return ERR_OK;
}
