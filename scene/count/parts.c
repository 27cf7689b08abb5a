/* The sums of a city whose plates are in several processes; see parts.h. */
#include "scene/count/parts.h"

#include "base/mem.h"
#include "scene/count/asked.h"
#include "scene/count/state.h"

#include <assert.h>
#include <string.h>

#define QUEUE_FIRST 1024u
#define POINTS_MAX 8u /* of an answer: what a part knows, and what it has on its disk */

struct one_part {
    struct buf passages; /* gathered for the next question */
    uint32_t n_passages;
    struct count_asked asked;
    struct buf moves; /* of its answer */
    struct bytes_reader in;
    uint32_t n_known;
    size_t tried_bytes;     /* that it had been asked when it did not keep itself last */
    bool is_asked, is_kept; /* is_kept: as it is after the last question */
};

/* A passage of the window, as much of it as its move does not say. */
struct waiting {
    uint32_t camera;
    uint16_t part;
    int64_t seen_ms, arrived_ms;
};

struct count_parts {
    struct count_parts_options options;
    uint64_t city;
    struct one_part *parts; /* [n] */
    struct waiting *window; /* [n * COUNT_PART_PASSAGES_MAX] in the order of their coming */
    uint32_t n_window, n_asked;
    struct count_event *queue; /* a ring: what comes while parts are asked */
    uint32_t cap_queue, first, n_queue;
    /* what the parts know already */
    uint32_t n_cameras;
    double *uncertain_s; /* [cameras_max] */
    int64_t learned_ms;
    uint64_t n_resets;
    bool is_cleared; /* since they were asked */
    bool is_mark_wanted, is_marking;
    struct count_parts_mark from, held;
    enum err err; /* no memory for a question: it cannot go on */
    struct count_parts_counters counters;
};

/* The parts know what the sums knew then: nothing has been learned since they were asked last. */
static void go_on_from(struct count_parts *parts, const struct count_parts_mark *from)
{
    const struct count *count = parts->options.count;
    assert(from->n == parts->options.n && from->n_cameras <= count->n_cameras);
    parts->from = parts->held = *from;
    parts->n_cameras = from->n_cameras;
    for (uint32_t i = 0; i < from->n_cameras; i++)
        parts->uncertain_s[i] = count->faults.clocks.clocks[i].uncertain_s;
    parts->learned_ms = count->balance.learned_ms;
    parts->n_resets = count->counters.n_resets;
}

enum err count_parts_create(const struct count_parts_options *options, struct count_parts **ret_parts)
{
    assert(options->n > 0 && options->n <= COUNT_PARTS_MAX && options->run != 0);
    struct count_parts *parts = mem_alloc_zero(1, sizeof(*parts));
    if (parts == NULL)
        return ERR_NO_MEMORY;
    *parts = (struct count_parts){.options = *options,
        .city = count_part_city(options->map->network, options->settings),
        .parts = mem_alloc_zero(options->n, sizeof(*parts->parts)),
        .window = mem_alloc_zero((size_t)options->n * COUNT_PART_PASSAGES_MAX, sizeof(*parts->window)),
        .queue = mem_alloc_zero(QUEUE_FIRST, sizeof(*parts->queue)),
        .cap_queue = QUEUE_FIRST,
        .uncertain_s = mem_alloc_zero(options->settings->cameras_max, sizeof(*parts->uncertain_s)),
        .learned_ms = INT64_MIN};
    if (parts->parts == NULL || parts->window == NULL || parts->queue == NULL || parts->uncertain_s == NULL) {
        count_parts_destroy(parts);
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < options->n; i++) {
        buf_init(&parts->parts[i].passages, COUNT_PART_BYTES_MAX);
        buf_init(&parts->parts[i].moves, COUNT_PART_BYTES_MAX);
        size_t share = (options->asked_max > 0 ? options->asked_max : COUNT_PARTS_ASKED_MAX) / options->n, least = 3 * COUNT_PART_BYTES_MAX;
        count_asked_init(&parts->parts[i].asked, share > least ? share : least);
    }
    if (options->from != NULL)
        go_on_from(parts, options->from);
    *ret_parts = parts;
    return ERR_OK;
}

void count_parts_destroy(struct count_parts *parts)
{
    if (parts == NULL)
        return;
    for (uint32_t i = 0; parts->parts != NULL && i < parts->options.n; i++) {
        buf_finish(&parts->parts[i].passages);
        count_asked_finish(&parts->parts[i].asked);
        buf_finish(&parts->parts[i].moves);
    }
    mem_free(parts->parts);
    mem_free(parts->window);
    mem_free(parts->queue);
    mem_free(parts->uncertain_s);
    mem_free(parts);
}

bool count_parts_is_asking(const struct count_parts *parts)
{
    return parts->n_asked > 0;
}

bool count_parts_is_awaited(const struct count_parts *parts, uint32_t part)
{
    return parts->parts[part].is_asked;
}

struct count_parts_counters count_parts_counters(const struct count_parts *parts)
{
    struct count_parts_counters counters = parts->counters;
    for (uint32_t i = 0; i < parts->options.n; i++)
        counters.n_known += parts->parts[i].n_known;
    for (uint32_t i = 0; i < parts->options.n; i++)
        counters.n_held_bytes += parts->parts[i].asked.bytes.len;
    return counters;
}

void count_parts_mark(struct count_parts *parts)
{
    parts->is_mark_wanted = true;
}

void count_parts_hold(struct count_parts *parts, const struct count_parts_mark *mark)
{
    parts->held = *mark;
}

bool count_parts_is_full(const struct count_parts *parts)
{
    for (uint32_t i = 0; i < parts->options.n; i++) {
        const struct one_part *part = &parts->parts[i];
        if (part->asked.bytes.len > part->tried_bytes + part->asked.bytes.max / 2)
            return true;
    }
    return false;
}

bool count_parts_is_bare(const struct count_parts *parts, uint32_t part)
{
    return parts->parts[part].asked.is_given_up;
}

/* ---- asking ---- */

/* What one part is to go on from, at its first question, and what it is to hold. */
static void put_points(const struct count_parts *parts, uint32_t i, struct buf *out)
{
    const struct count_part_point none = {0, 0}, from = {parts->from.run, parts->from.numbers[i]};
    count_part_put_point(out, parts->parts[i].asked.number == 1 ? from : none);
    count_part_put_point(out, (struct count_part_point){parts->held.run, parts->held.numbers[i]});
}

/* What changed of all that the parts must know: who is too long gone, cameras, how far their clocks are to be believed. */
static void put_news(struct count_parts *parts, uint32_t i, struct buf *out)
{
    const struct count *count = parts->options.count;
    bool is_learned = count->balance.learned_ms != parts->learned_ms && count->balance.learned_ms != INT64_MIN;
    buf_append_be(out,
        (parts->is_cleared ? COUNT_PART_CLEAR : 0) | (is_learned ? COUNT_PART_EXPIRE : 0) | (parts->is_marking ? COUNT_PART_MARK : 0), 1);
    put_points(parts, i, out);
    buf_append_be(out, is_learned ? (uint64_t)count->balance.learned_ms : 0, 8);
    buf_append_be(out, parts->n_cameras, 4);
    buf_append_be(out, count->n_cameras - parts->n_cameras, 4);
    for (uint32_t c = parts->n_cameras; c < count->n_cameras; c++)
        buf_append_be(out, count->cameras[c].edge, 4);
    uint32_t n_changed = 0;
    const struct count_clock *clocks = count->faults.clocks.clocks;
    for (uint32_t c = 0; c < count->n_cameras; c++)
        n_changed += clocks[c].uncertain_s != (c < parts->n_cameras ? parts->uncertain_s[c] : COUNT_CLOCK_UNKNOWN_S);
    buf_append_be(out, n_changed, 4);
    for (uint32_t c = 0; c < count->n_cameras; c++) {
        double known_s = c < parts->n_cameras ? parts->uncertain_s[c] : COUNT_CLOCK_UNKNOWN_S;
        if (clocks[c].uncertain_s == known_s)
            continue;
        buf_append_be(out, c, 4);
        uint64_t bits;
        memcpy(&bits, &clocks[c].uncertain_s, sizeof(bits));
        buf_append_be(out, bits, 8);
    }
}

/* Do they all have to be told something? */
static bool has_news(const struct count_parts *parts)
{
    const struct count *count = parts->options.count;
    return parts->is_cleared || count->n_cameras != parts->n_cameras || count->balance.learned_ms != parts->learned_ms;
}

static void note_news(struct count_parts *parts)
{
    const struct count *count = parts->options.count;
    for (uint32_t i = 0; i < count->n_cameras; i++)
        parts->uncertain_s[i] = count->faults.clocks.clocks[i].uncertain_s;
    parts->n_cameras = count->n_cameras;
    parts->learned_ms = count->balance.learned_ms;
    parts->is_cleared = false;
}

static void put_question(struct count_parts *parts, uint32_t i)
{
    struct one_part *part = &parts->parts[i];
    struct buf *out = count_asked_begin(&part->asked, COUNT_PART_BYTES_MAX);
    size_t before = out->len;
    const struct count_part_head head = {parts->options.run, part->asked.number, parts->city, (uint16_t)i, (uint16_t)parts->options.n};
    count_part_put_head(out, &head);
    put_news(parts, i, out);
    buf_append_be(out, part->n_passages, 4);
    buf_append_str(out, buf_str(&part->passages));
    buf_reset(&part->passages);
    part->n_passages = 0;
    if (before < part->tried_bytes)
        part->tried_bytes = 0; /* it was given up */
    part->is_asked = true;
    part->is_kept = false;
    parts->n_asked++;
    parts->counters.n_questions++;
    parts->counters.n_asked_bytes += out->len - before;
    enum err err = count_asked_end(&part->asked);
    if (err == ERR_OK && out->len - before > COUNT_PART_BYTES_MAX)
        err = ERR_TOO_LARGE;
    parts->err = parts->err != ERR_OK ? parts->err : err;
}

/* Asks for what has gathered. */
static void ask(struct count_parts *parts)
{
    bool is_news = has_news(parts);
    parts->is_marking = parts->is_mark_wanted;
    parts->is_mark_wanted = false;
    for (uint32_t i = 0; i < parts->options.n; i++)
        if (is_news || parts->is_marking || parts->parts[i].n_passages > 0)
            put_question(parts, i);
    note_news(parts);
    parts->counters.n_windows++;
    for (uint32_t i = 0; i < parts->options.n && parts->err == ERR_OK; i++)
        if (parts->parts[i].is_asked)
            parts->options.ask(parts->options.context, i, count_asked_question(&parts->parts[i].asked));
}

/* ---- events, in their order ---- */

static void note_reset(struct count_parts *parts)
{
    const struct count *count = parts->options.count;
    parts->is_cleared = parts->is_cleared || count->counters.n_resets != parts->n_resets;
    parts->n_resets = count->counters.n_resets;
}

/* A tick, or what a loop told, which nobody's plate is in: what came before it is told before it. True: it is done with. */
static bool take_tick(struct count_parts *parts, const struct count_event *event)
{
    struct count_updates updates;
    if (parts->n_window > 0 || parts->is_mark_wanted) {
        ask(parts);
        return false;
    }
    count_step(parts->options.count, event, &updates);
    if (event->type == COUNT_LOOP)
        return true;
    note_reset(parts);
    parts->options.on_updates(parts->options.context, &updates);
    return true;
}

static bool take_passage(struct count_parts *parts, const struct count_event *event)
{
    struct count *count = parts->options.count;
    struct count_passage passage = event->passage;
    uint32_t i = count_part_of(passage.vehicle, parts->options.n);
    struct one_part *part = &parts->parts[i];
    if (parts->n_window > 0 && (part->n_passages == COUNT_PART_PASSAGES_MAX || count_learns(count, passage.arrived_ms))) {
        ask(parts);
        return false;
    }
    bool is_heard = count_hear(count, &passage);
    if (parts->options.on_taken != NULL)
        parts->options.on_taken(parts->options.context, event);
    if (!is_heard)
        return true;
    count_part_put_passage(&part->passages, &passage);
    part->n_passages++;
    parts->err = parts->err != ERR_OK ? parts->err : part->passages.err;
    parts->window[parts->n_window++] =
        (struct waiting){.camera = passage.camera, .part = (uint16_t)i, .seen_ms = passage.time_ms, .arrived_ms = passage.arrived_ms};
    return true;
}

/* Until something is asked, or nothing waits. */
static void go_on(struct count_parts *parts)
{
    while (parts->n_asked == 0 && parts->n_queue > 0) {
        const struct count_event *event = &parts->queue[parts->first];
        bool is_done = event->type == COUNT_PASSAGE ? take_passage(parts, event) : take_tick(parts, event);
        if (!is_done)
            continue;
        parts->first = (parts->first + 1) % parts->cap_queue;
        parts->n_queue--;
    }
}

static enum err grow(struct count_parts *parts)
{
    if (parts->n_queue < parts->cap_queue)
        return ERR_OK;
    if (parts->cap_queue >= COUNT_PARTS_QUEUE_MAX)
        return ERR_FULL;
    struct count_event *grown = mem_alloc_zero((size_t)parts->cap_queue * 2, sizeof(*grown));
    if (grown == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < parts->n_queue; i++)
        grown[i] = parts->queue[(parts->first + i) % parts->cap_queue];
    mem_free(parts->queue);
    parts->queue = grown;
    parts->first = 0;
    parts->cap_queue *= 2;
    return ERR_OK;
}

enum err count_parts_put(struct count_parts *parts, const struct count_event *event)
{
    enum err err = grow(parts);
    if (err != ERR_OK)
        return err;
    parts->queue[(parts->first + parts->n_queue++) % parts->cap_queue] = *event;
    go_on(parts);
    return parts->err;
}

void count_parts_flush(struct count_parts *parts)
{
    if (parts->n_asked == 0 && parts->n_window > 0)
        ask(parts);
}

/* ---- answers ---- */

/* Every move of the window can be read: what is told after this is told whole. */
static enum err check_moves(const struct count_parts *parts, struct bytes_reader in, uint32_t n, uint32_t *ret_n_known)
{
    enum err err = ERR_OK;
    for (uint32_t k = 0; k < n && err == ERR_OK; k++) {
        struct count_move move;
        struct count_part_clone clone;
        err = count_part_read_move(&in, parts->options.count->n_cameras, &move, &clone);
    }
    uint32_t n_known = bytes_read_u32be(&in);
    if (err == ERR_OK && (in.err != ERR_OK || bytes_reader_left(&in) != 0))
        return ERR_CORRUPT;
    if (err == ERR_OK)
        *ret_n_known = n_known;
    return err;
}

static uint32_t n_of_window(const struct count_parts *parts, uint32_t part)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < parts->n_window; k++)
        n += parts->window[k].part == part;
    return n;
}

/* All have answered: in the order of the passages. */
static void tell_window(struct count_parts *parts)
{
    struct count *count = parts->options.count;
    for (uint32_t i = 0; i < parts->options.n; i++)
        bytes_reader_init(&parts->parts[i].in, parts->parts[i].moves.ptr, parts->parts[i].moves.len);
    for (uint32_t k = 0; k < parts->n_window; k++) {
        const struct waiting *waiting = &parts->window[k];
        struct count_move move;
        struct count_part_clone clone;
        enum err err = count_part_read_move(&parts->parts[waiting->part].in, count->n_cameras, &move, &clone);
        assert(err == ERR_OK); /* check_moves() */
        move.camera = waiting->camera;
        move.seen_ms = waiting->seen_ms;
        move.arrived_ms = waiting->arrived_ms;
        if (clone.is_there)
            count_clones_tell(&count->faults.clones, &clone.clone);
        count_tell(count, &move);
    }
    parts->n_window = 0;
    for (uint32_t i = 0; i < parts->options.n; i++)
        buf_reset(&parts->parts[i].moves);
}

/* All have answered the question of a mark, and all of it is told. */
static void end_mark(struct count_parts *parts)
{
    struct count_parts_mark mark = {.run = parts->options.run, .n = parts->options.n, .n_cameras = parts->n_cameras};
    bool are_all = true;
    parts->is_marking = false;
    for (uint32_t i = 0; i < parts->options.n; i++) {
        struct one_part *part = &parts->parts[i];
        mark.numbers[i] = part->asked.number;
        are_all = are_all && part->is_kept;
        if (part->is_kept)
            count_asked_forget(&part->asked);
        part->tried_bytes = part->asked.bytes.len;
    }
    parts->counters.n_marks += are_all;
    parts->counters.n_bare += !are_all;
    if (are_all && parts->options.on_mark != NULL)
        parts->options.on_mark(parts->options.context, &mark);
}

/* It was started anew. From the latest of the points that it has, it is asked again what it was asked since. */
static enum err ask_again(struct count_parts *parts, uint32_t number, struct bytes_reader *in, uint32_t n)
{
    struct one_part *part = &parts->parts[number];
    const struct count_part_point from = {parts->from.run, parts->from.numbers[number]};
    uint64_t after = 0;
    bool is_found = from.run == 0; /* with no vehicle, as at the first question */
    for (uint32_t i = 0; i < n; i++) {
        struct count_part_point point = count_part_read_point(in);
        bool is_first = count_part_is_point(point, from),
             is_ours = point.run == parts->options.run && point.number + 1 < part->asked.asking;
        is_found = is_found || is_first || is_ours;
        if (is_ours && point.number > after)
            after = point.number;
    }
    if (in->err != ERR_OK || bytes_reader_left(in) > 0)
        return ERR_CORRUPT;
    if (!is_found || !count_asked_back(&part->asked, after))
        return ERR_STATE;
    parts->counters.n_again++;
    parts->options.ask(parts->options.context, number, count_asked_question(&part->asked));
    return ERR_OK;
}

/* The moves of the last question, kept until all have answered. */
static enum err take_moves(struct count_parts *parts, uint32_t number, struct bytes_reader *in, uint32_t n)
{
    struct one_part *part = &parts->parts[number];
    uint32_t n_known = 0;
    enum err err = n == n_of_window(parts, number) ? check_moves(parts, *in, n, &n_known) : ERR_CORRUPT;
    if (err != ERR_OK)
        return err;
    buf_reset(&part->moves);
    buf_append_str(&part->moves, bytes_read_str(in, bytes_reader_left(in)));
    if (part->moves.err != ERR_OK)
        return part->moves.err;
    part->n_known = n_known;
    part->is_asked = false;
    if (--parts->n_asked > 0)
        return ERR_OK;
    tell_window(parts);
    if (parts->is_marking)
        end_mark(parts);
    go_on(parts);
    return parts->err;
}

enum err count_parts_answer(struct count_parts *parts, uint32_t number, struct str answer)
{
    struct one_part *part = &parts->parts[number];
    struct bytes_reader in;
    struct count_part_head head;
    bytes_reader_init(&in, answer.ptr, answer.len);
    enum err err = count_part_read_head(&in, &head);
    if (err != ERR_OK)
        return err;
    if (!part->is_asked || head.run != parts->options.run || head.number != part->asked.asking || head.part != number)
        return ERR_CORRUPT; /* an older one */
    uint8_t status = bytes_read_u8(&in);
    uint32_t n = bytes_read_u32be(&in);
    if (in.err != ERR_OK || status >= COUNT_PART_N_STATUSES)
        return ERR_CORRUPT;
    if (status == COUNT_PART_OTHER)
        return ERR_UNSUPPORTED;
    if (status == COUNT_PART_LOST && n > POINTS_MAX)
        return ERR_CORRUPT;
    if (status == COUNT_PART_LOST)
        return ask_again(parts, number, &in, n);
    if (part->asked.asking < part->asked.number) { /* what it says is known already */
        count_asked_next(&part->asked);
        parts->counters.n_again++;
        parts->options.ask(parts->options.context, number, count_asked_question(&part->asked));
        return ERR_OK;
    }
    part->is_kept = status == COUNT_PART_KEPT;
    parts->counters.n_answered_bytes += answer.len;
    return take_moves(parts, number, &in, n);
}
