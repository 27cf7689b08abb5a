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
    const struct count_part_store *store;
    struct count *count;
    struct count_part_point point;                   /* what `count` knows; 0, 0: nothing */
    struct count_part_point slots[COUNT_PART_SLOTS]; /* of the store; 0, 0: nothing that can be used */
    uint32_t newest;                                 /* slot */
    struct buf answer;                               /* to the last question */
    struct buf refusal;
    struct count_passage passages[COUNT_PART_PASSAGES_MAX];
    struct count_part_counters counters;
};

static const struct count_part_point nothing = {0, 0};

/* A question, looked through; its lists are read again when it is done. */
struct question {
    uint8_t flags;
    struct count_part_point from; /* of the first of a run: what it follows upon */
    struct count_part_point hold; /* with COUNT_PART_MARK */
    int64_t expire_ms;
    uint32_t n_cameras_known, n_edges, n_uncertain, n_passages;
    struct bytes_reader edges, uncertain;
};

struct count_part_counters count_part_counters(const struct count_part *part)
{
    struct count_part_counters counters = part->counters;
    counters.n_known = count_known_vehicles(part->count)->n_known;
    return counters;
}

/* ---- onto the disk, and back ---- */

static bool is_point(struct count_part_point a, struct count_part_point b)
{
    return a.number > 0 && count_part_is_point(a, b);
}

static void put_snapshot(const struct count_part *part, struct buf *out)
{
    struct buf owner;
    buf_init(&owner, COUNT_PART_BYTES_MAX + 64);
    buf_append_be(&owner, part->part, 4);
    buf_append_be(&owner, part->n_parts, 4);
    count_part_put_point(&owner, part->point);
    buf_append_str(&owner, buf_str(&part->answer));
    if (owner.err == ERR_OK)
        count_snapshot_write(part->count, buf_str(&owner), out);
    else
        out->err = owner.err;
    buf_finish(&owner);
    scene_seal(out);
}

/* Its answer says that it is kept; where it is not, that is taken back. */
static void keep(struct count_part *part, struct count_part_point hold)
{
    uint32_t slot = is_point(part->slots[0], hold) ? 1 : is_point(part->slots[1], hold) ? 0 : 1 - part->newest;
    enum err err = ERR_UNAVAILABLE;
    if (part->store != NULL) {
        struct buf bytes;
        buf_init(&bytes, COUNT_SNAPSHOT_MAX);
        put_snapshot(part, &bytes);
        err = bytes.err == ERR_OK ? part->store->write(part->store->context, slot, buf_str(&bytes)) : bytes.err;
        buf_finish(&bytes);
    }
    if (err == ERR_OK) {
        part->slots[slot] = part->point;
        part->newest = slot;
        part->counters.n_kept++;
        return;
    }
    part->answer.ptr[COUNT_PART_HEAD_LEN] = COUNT_PART_OK;
    part->counters.n_not_kept++;
}

/* Whose a snapshot is, and of when. `*ret_answer` is borrowed from `owner`. */
static enum err read_owner(
    const struct count_part *part, struct str owner, struct diag *diag, struct count_part_point *ret_point, struct str *ret_answer)
{
    struct bytes_reader in;
    bytes_reader_init(&in, owner.ptr, owner.len);
    uint32_t number = bytes_read_u32be(&in), n = bytes_read_u32be(&in);
    struct count_part_point point = count_part_read_point(&in);
    struct str answer = bytes_read_str(&in, bytes_reader_left(&in));
    if (in.err != ERR_OK || point.run == 0 || point.number == 0 || answer.len > COUNT_PART_BYTES_MAX)
        return diag_set(diag, ERR_CORRUPT, NULL, 0, "it is no snapshot of a part");
    if (number != part->part || n != part->n_parts)
        return diag_set(diag, ERR_STATE, NULL, 0, "it is of part %u of %u", number + 1, n);
    *ret_point = point;
    *ret_answer = answer;
    return ERR_OK;
}

static void refuse_slot(struct count_part *part, uint32_t slot, const struct diag *diag, enum err err)
{
    part->slots[slot] = nothing;
    if (err != ERR_NOT_FOUND)
        part->store->refused(part->store->context, slot, diag->text[0] != 0 ? diag->text : err_text(err));
}

/* What is in the slot becomes what the part knows. ERR_NOT_FOUND: it cannot be used. */
static enum err load(struct count_part *part, uint32_t slot)
{
    struct buf bytes;
    struct diag diag = {""};
    struct str owner, answer = STR_NONE;
    struct count *count = NULL;
    struct count_part_point point = nothing;
    buf_init(&bytes, COUNT_SNAPSHOT_MAX);
    enum err err = part->store->read(part->store->context, slot, &bytes);
    if (err == ERR_OK)
        err = count_snapshot_read(buf_str(&bytes), &part->settings, &part->map, &diag, &owner, &count);
    if (err == ERR_OK)
        err = read_owner(part, owner, &diag, &point, &answer);
    if (err == ERR_OK && !is_point(point, part->slots[slot]))
        err = diag_set(&diag, ERR_STATE, NULL, 0, "another process has written there");
    if (err == ERR_OK) {
        count_destroy(part->count);
        part->count = count;
        part->point = point;
        buf_reset(&part->answer);
        buf_append_str(&part->answer, answer);
        err = part->answer.err;
        part->counters.n_loaded++;
    } else {
        count_destroy(count);
    }
    buf_finish(&bytes);
    if (err == ERR_OK || err == ERR_NO_MEMORY || err == ERR_IO)
        return err;
    refuse_slot(part, slot, &diag, err);
    return ERR_NOT_FOUND;
}

/* What lies in the store, by the names alone: it is read whole when it is asked for. */
static enum err look_into_store(struct count_part *part)
{
    for (uint32_t slot = 0; part->store != NULL && slot < COUNT_PART_SLOTS; slot++) {
        struct buf bytes;
        struct diag diag = {""};
        struct str owner, answer;
        buf_init(&bytes, COUNT_SNAPSHOT_MAX);
        enum err err = part->store->read(part->store->context, slot, &bytes);
        if (err == ERR_OK)
            err = count_snapshot_owner(buf_str(&bytes), &diag, &owner);
        if (err == ERR_OK)
            err = read_owner(part, owner, &diag, &part->slots[slot], &answer);
        buf_finish(&bytes);
        if (err == ERR_NO_MEMORY)
            return err;
        if (err != ERR_OK)
            refuse_slot(part, slot, &diag, err);
    }
    return ERR_OK;
}

/* ---- making ---- */

enum err count_part_create(const struct count_settings *settings, const struct count_map *map, uint32_t part, uint32_t n_parts,
    const struct count_part_store *store, struct count_part **ret_part)
{
    struct count_part *made = mem_alloc_zero(1, sizeof(*made));
    if (made == NULL)
        return ERR_NO_MEMORY;
    *made = (struct count_part){.settings = *settings,
        .map = *map,
        .city = count_part_city(map->network, settings),
        .part = part,
        .n_parts = n_parts,
        .store = store};
    buf_init(&made->answer, COUNT_PART_BYTES_MAX);
    buf_init(&made->refusal, 256);
    enum err err = count_create(settings, map, &made->count);
    if (err == ERR_OK)
        err = look_into_store(made);
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
    question->from = count_part_read_point(in);
    question->hold = count_part_read_point(in);
    question->expire_ms = (int64_t)bytes_read_u64be(in);
    if ((question->flags & ~(COUNT_PART_CLEAR | COUNT_PART_EXPIRE | COUNT_PART_MARK)) != 0 || question->expire_ms < 0 ||
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

/* No vehicle is known: another one asks, and who was known is nobody of his. */
static enum err begin(struct count_part *part)
{
    struct count *count = NULL;
    enum err err = count_create(&part->settings, &part->map, &count);
    if (err != ERR_OK)
        return err;
    count_destroy(part->count);
    part->count = count;
    part->point = nothing;
    part->counters.n_runs++;
    return ERR_OK;
}

/* ERR_NOT_FOUND: it has not been there, or knows no more how it was. */
static enum err go_to(struct count_part *part, struct count_part_point point)
{
    enum err err = ERR_NOT_FOUND;
    if (is_point(part->point, point))
        return ERR_OK;
    for (uint32_t slot = 0; slot < COUNT_PART_SLOTS && err == ERR_NOT_FOUND; slot++)
        if (is_point(part->slots[slot], point))
            err = load(part, slot);
    return err;
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

/* From here on what was known is not known any more, until all is done. */
static enum err answer(struct count_part *part, const struct count_part_head *head, struct question *question)
{
    struct count_clones *clones = &part->count->faults.clones;
    bool is_mark = (question->flags & COUNT_PART_MARK) != 0;
    part->point = nothing;
    enum err err = prepare(part, question);
    if (err != ERR_OK)
        return err;
    put_answer_head(&part->answer, head, is_mark ? COUNT_PART_KEPT : COUNT_PART_OK, question->n_passages);
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
    if (part->answer.err != ERR_OK)
        return part->answer.err;
    part->point = (struct count_part_point){head->run, head->number};
    if (is_mark)
        keep(part, question->hold);
    return ERR_OK;
}

/* With the points that it could go on from. */
static enum err refuse(struct count_part *part, const struct count_part_head *head, enum count_part_status status, struct str *ret_answer)
{
    const struct count_part_point *points[] = {&part->point, &part->slots[0], &part->slots[1]};
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
        n += points[i]->number > 0;
    put_answer_head(&part->refusal, head, status, n);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
        if (points[i]->number > 0)
            count_part_put_point(&part->refusal, *points[i]);
    part->counters.n_lost += status == COUNT_PART_LOST;
    *ret_answer = buf_str(&part->refusal);
    return part->refusal.err;
}

/* Of this city and part. */
static enum err answer_ours(struct count_part *part, const struct count_part_head *head, struct question *question, struct str *ret_answer)
{
    const struct count_part_point point = {head->run, head->number}, before = {head->run, head->number - 1};
    struct count_part_point from = head->number > 1 ? before : question->from;
    enum err err = go_to(part, point);
    if (err == ERR_OK) {
        part->counters.n_again++;
        *ret_answer = buf_str(&part->answer);
        return ERR_OK;
    }
    if (err == ERR_NOT_FOUND)
        err = from.number > 0 ? go_to(part, from) : begin(part);
    if (err == ERR_NOT_FOUND)
        return refuse(part, head, COUNT_PART_LOST, ret_answer);
    if (err == ERR_OK && question->n_cameras_known != count_n_cameras(part->count))
        return refuse(part, head, COUNT_PART_OTHER, ret_answer);
    if (err == ERR_OK)
        err = answer(part, head, question);
    if (err == ERR_OK)
        *ret_answer = buf_str(&part->answer);
    return err;
}

enum err count_part_answer(struct count_part *part, struct str bytes, struct str *ret_answer)
{
    struct bytes_reader in;
    struct count_part_head head;
    struct question question = {.flags = 0};
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    enum err err = count_part_read_head(&in, &head);
    if (err == ERR_OK)
        err = head.run > 0 && head.number > 0 ? read_question(part, &in, &question) : ERR_CORRUPT;
    if (err != ERR_OK)
        return err;
    part->counters.n_questions++;
    if (head.city != part->city || head.part != part->part || head.n_parts != part->n_parts)
        return refuse(part, &head, COUNT_PART_OTHER, ret_answer);
    return answer_ours(part, &head, &question, ret_answer);
}
