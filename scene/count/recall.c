/* Recall of cameras; see recall.h. */
#include "scene/count/recall.h"

#include "base/mem.h"
#include "scene/count/quick.h"

#include <math.h>
#include <string.h>

#define ROW 8u
#define FASTER 1.25 /* the fastest drive faster than the limit, by this */
#define SEVERAL (COUNT_RECALL_NONE - 1)

enum err count_recall_init(struct count_recall *recall, uint32_t n_edges)
{
    *recall = (struct count_recall){.n_edges = n_edges, .n_searches = COUNT_RECALL_SEARCHES, .faded_ms = INT64_MIN};
    recall->gaps = mem_resize_lines(NULL, 0, COUNT_RECALL_GAPS * sizeof(*recall->gaps));
    recall->tags = mem_resize_lines(NULL, 0, COUNT_RECALL_GAPS * sizeof(*recall->tags));
    recall->edge_cameras = mem_alloc(n_edges * sizeof(*recall->edge_cameras));
    if (recall->gaps == NULL || recall->tags == NULL || recall->edge_cameras == NULL)
        return ERR_NO_MEMORY;
    memset(recall->gaps, 0, COUNT_RECALL_GAPS * sizeof(*recall->gaps));
    memset(recall->tags, 0, COUNT_RECALL_GAPS * sizeof(*recall->tags));
    for (uint32_t i = 0; i < n_edges; i++)
        recall->edge_cameras[i] = COUNT_RECALL_NONE;
    return ERR_OK;
}

void count_recall_finish(struct count_recall *recall)
{
    mem_free(recall->gaps);
    mem_free(recall->tags);
    mem_free(recall->cameras);
    mem_free(recall->edge_cameras);
    *recall = (struct count_recall){.n = 0};
}

void count_recall_clear(struct count_recall *recall)
{
    for (uint32_t i = 0; i < recall->n; i++)
        recall->cameras[i].n_read = recall->cameras[i].n_missed = 0;
    recall->faded_ms = INT64_MIN;
}

enum err count_recall_add(struct count_recall *recall, uint32_t edge)
{
    if (recall->n == recall->cap) {
        uint32_t cap = recall->cap == 0 ? 64 : recall->cap * 2;
        struct count_recall_camera *grown = mem_resize(recall->cameras, cap * sizeof(*grown));
        if (grown == NULL)
            return ERR_NO_MEMORY;
        recall->cameras = grown;
        recall->cap = cap;
    }
    recall->edge_cameras[edge] = recall->edge_cameras[edge] == COUNT_RECALL_NONE ? recall->n : SEVERAL;
    recall->cameras[recall->n++] = (struct count_recall_camera){.edge = edge};
    return ERR_OK;
}

/* ---- gaps ---- */

/* The first place of its row, and its tag there. */
static uint32_t row_of(uint32_t from, uint32_t to, uint32_t *ret_tag)
{
    uint64_t hash = (((uint64_t)from << 32) | to) * 0x9E3779B97F4A7C15u;
    *ret_tag = (uint32_t)(hash >> 16) | 1;
    return ((uint32_t)(hash >> 32) & (COUNT_RECALL_GAPS / ROW - 1)) * ROW;
}

void count_recall_retag(struct count_recall *recall)
{
    for (uint32_t i = 0; i < COUNT_RECALL_GAPS; i++) {
        row_of(recall->gaps[i].from, recall->gaps[i].to, &recall->tags[i]);
        if (recall->gaps[i].used == 0)
            recall->tags[i] = 0;
    }
}

void count_recall_fetch(const struct count_recall *recall, uint32_t from, uint32_t to)
{
    uint32_t tag;
    __builtin_prefetch(&recall->tags[row_of(from, to, &tag)]);
}

static struct count_recall_gap *find_gap(struct count_recall *recall, uint32_t from, uint32_t to)
{
    uint32_t tag, row = row_of(from, to, &tag);
    for (uint32_t places = count_match8(&recall->tags[row], tag); places != 0; places &= places - 1) {
        struct count_recall_gap *gap = &recall->gaps[row + (uint32_t)__builtin_ctz(places)];
        if (gap->from == from && gap->to == to) {
            gap->used = ++recall->used;
            return gap;
        }
    }
    return NULL;
}

static void put_gap(struct count_recall *recall, uint32_t from, uint32_t to, uint32_t between, double past_s)
{
    uint32_t tag, row = row_of(from, to, &tag), oldest = row;
    for (uint32_t i = row + 1; i < row + ROW; i++)
        if (recall->gaps[i].used < recall->gaps[oldest].used)
            oldest = i;
    recall->gaps[oldest] = (struct count_recall_gap){from, to, between, (float)past_s, ++recall->used};
    recall->tags[oldest] = tag;
}

struct past_search {
    uint32_t between, to;
    double time_s; /* so far nothing but what is closer */
    bool is_found;
};

static bool on_edge(void *context, uint32_t edge, double time_s)
{
    struct past_search *search = context;
    if (search->is_found || edge == search->between)
        return false;
    search->time_s = time_s;
    search->is_found = edge == search->to;
    return !search->is_found;
}

/* Free flow of the fastest way from one edge's end to another's past a third; or how far was looked in vain. */
static double past_of(struct road_router *router, uint32_t from_edge, uint32_t between_edge, uint32_t to_edge)
{
    struct past_search search = {.between = between_edge, .to = to_edge};
    struct road_limits limits = {COUNT_RECALL_PAST_S, COUNT_RECALL_EXPANDED};
    road_route_each(router, from_edge, &limits, on_edge, &search);
    return search.time_s;
}

/* The camera that stands alone on the way, the last edge's left out. */
static uint32_t camera_between(const struct count_recall *recall, const uint32_t *edges, uint32_t n_edges)
{
    uint32_t between = COUNT_RECALL_NONE;
    for (uint32_t i = 0; i + 1 < n_edges; i++) {
        uint32_t camera = recall->edge_cameras[edges[i]];
        if (camera == COUNT_RECALL_NONE)
            continue;
        if (camera == SEVERAL || between != COUNT_RECALL_NONE)
            return COUNT_RECALL_NONE;
        between = camera;
    }
    return between;
}

void count_recall_pass(
    struct count_recall *recall, struct road_router *router, const struct count_recall_pass *pass, const uint32_t *edges, uint32_t n_edges)
{
    const struct count_recall_gap *gap = find_gap(recall, pass->from, pass->to);
    if (gap == NULL) {
        if (pass->middle != COUNT_RECALL_NONE || n_edges < 2 || recall->n_searches <= 0)
            return;
        uint32_t between = camera_between(recall, edges, n_edges);
        if (between == COUNT_RECALL_NONE)
            return;
        recall->n_searches--;
        const struct count_recall_camera *cameras = recall->cameras;
        double past_s = past_of(router, cameras[pass->from].edge, cameras[between].edge, cameras[pass->to].edge);
        put_gap(recall, pass->from, pass->to, between, past_s / FASTER);
        return;
    }
    if (pass->gap_s >= (double)gap->past_s || (pass->middle != COUNT_RECALL_NONE && pass->middle != gap->between))
        return;
    struct count_recall_camera *camera = &recall->cameras[gap->between];
    if (camera->is_silent)
        return;
    camera->n_read += pass->middle != COUNT_RECALL_NONE;
    camera->n_missed += pass->middle == COUNT_RECALL_NONE;
}

void count_recall_learn(struct count_recall *recall, int64_t now_ms)
{
    recall->n_searches = COUNT_RECALL_SEARCHES;
    double keep = recall->faded_ms == INT64_MIN || now_ms < recall->faded_ms
                      ? 1
                      : exp(-(double)(now_ms - recall->faded_ms) / 1000 / COUNT_RECALL_FADE_S);
    recall->faded_ms = now_ms;
    for (uint32_t i = 0; i < recall->n; i++) {
        recall->cameras[i].n_read *= keep;
        recall->cameras[i].n_missed *= keep;
    }
}

double count_recall_of(const struct count_recall *recall, uint32_t camera, double *ret_n)
{
    const struct count_recall_camera *one = &recall->cameras[camera];
    double n = one->n_read + one->n_missed;
    if (ret_n != NULL)
        *ret_n = n;
    return n < COUNT_RECALL_LEAST ? NAN : one->n_read / n;
}
