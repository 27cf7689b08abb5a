/* Flow, speed and delay; see figures.h. */
#include "scene/count/figures.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define FADED_AWAY 0.05f /* of one vehicle: after three windows an edge is not observed any more */
#define RATE_LEAST_S 30  /* no flow is told from less: one vehicle in the first second is not 3,600 an hour */
#define REFRESH_MS 10000 /* flows fade without passages: all observed edges are told this often */

#define FILLED_WINDOWS                                                                                                                     \
    2 /* edges are met one after another, those between cameras when the first have driven them: no sum over them before */
#define LOOPS_LEAST 20u /* edges with a loop, of a kind, that say something of the others */
#define WHOLE_LEAST 0.5
#define WHOLE_MOST 5.0

#define SIGNAL_WAIT_S 20.0f /* lost before a signal in the mean, where nothing is known yet: red of 60 s in a cycle of 90 s ... */
#define BEND_WAIT_S 2.0f    /* ... and before any other junction ... */
#define ROAD_WAIT 0.1f      /* ... and this share of free flow on the road itself. Their ratios alone count */

/* ---- the roads of each area ---- */

static uint32_t find_group(const struct count_figures *figures, const uint32_t *slots, uint32_t n_slots, uint32_t name, uint16_t area)
{
    uint32_t at = (uint32_t)((((uint64_t)name << 16) | area) * 0x9E3779B97F4A7C15u >> 32) & (n_slots - 1);
    while (slots[at] != 0 && (figures->groups[slots[at] - 1].name != name || figures->groups[slots[at] - 1].area != area))
        at = (at + 1) & (n_slots - 1);
    return at;
}

/* The group of a road in an area, made with those above it. There is room for all. */
static uint32_t need_group(struct count_figures *figures, uint32_t *slots, uint32_t n_slots, uint32_t name, int32_t area)
{
    uint32_t slot = find_group(figures, slots, n_slots, name, (uint16_t)area);
    if (slots[slot] != 0)
        return slots[slot] - 1;
    int32_t above = figures->map.area_parents[area];
    uint32_t parent = above < 0 ? COUNT_NONE : need_group(figures, slots, n_slots, name, above); /* as deep as the tree of areas */
    slot = find_group(figures, slots, n_slots, name, (uint16_t)area);
    figures->groups[figures->n_groups] = (struct count_road_group){.name = name, .area = (uint16_t)area, .parent = parent};
    slots[slot] = ++figures->n_groups;
    return figures->n_groups - 1;
}

/* Most groups there can be: each named edge one, with each area above. */
static uint32_t most_groups(const struct count_map *map)
{
    uint32_t depth = 1;
    for (size_t i = 0; i < map->n_areas; i++) {
        uint32_t d = 1;
        for (int32_t a = map->area_parents[i]; a >= 0; a = map->area_parents[a])
            d++;
        depth = d > depth ? d : depth;
    }
    uint32_t n_named = 0;
    for (uint32_t i = 0; i < map->network->n_edges; i++)
        n_named += map->network->edges[i].name_number != ROAD_NONE;
    uint64_t by_edges = (uint64_t)n_named * depth, by_names = (uint64_t)map->network->names->n * map->n_areas;
    return (uint32_t)(by_edges < by_names ? by_edges : by_names) + 1;
}

static enum err make_groups(struct count_figures *figures)
{
    const struct road_network *network = figures->map.network;
    uint32_t most = most_groups(&figures->map), n_slots = 2;
    while (n_slots < most * 2)
        n_slots *= 2;
    uint32_t *slots = mem_alloc_zero(n_slots, sizeof(*slots));
    figures->groups = mem_alloc_zero(most, sizeof(*figures->groups));
    if (slots == NULL || figures->groups == NULL) {
        mem_free(slots);
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < network->n_edges; i++) {
        const struct road_edge *edge = &network->edges[i];
        figures->edge_groups[i] = edge->name_number == ROAD_NONE || edge->n_car_lanes == 0
                                      ? COUNT_NONE
                                      : need_group(figures, slots, n_slots, edge->name_number, figures->map.edge_areas[i]);
    }
    mem_free(slots);
    return ERR_OK;
}

/* Each edge's class of road; each road's is the one that most of its length is of. */
static enum err classify(struct count_figures *figures)
{
    const struct road_network *network = figures->map.network;
    double(*lengths)[COUNT_ROAD_CLASSES_MAX] = mem_alloc_zero(figures->n_groups + 1, sizeof(*lengths));
    if (lengths == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < network->n_edges; i++) {
        figures->edge_classes[i] = count_index_class(figures->map.index, network->edges[i].type);
        for (uint32_t g = figures->edge_groups[i]; g != COUNT_NONE; g = figures->groups[g].parent)
            lengths[g][figures->edge_classes[i]] += network->edges[i].length_m;
    }
    for (uint32_t g = 0; g < figures->n_groups; g++)
        for (uint8_t c = 0; c < COUNT_ROAD_CLASSES_MAX; c++)
            if (lengths[g][c] > lengths[g][figures->groups[g].road_class])
                figures->groups[g].road_class = c;
    mem_free(lengths);
    return ERR_OK;
}

enum err count_figures_init(struct count_figures *figures, const struct count_map *map, const struct count_settings *settings,
    const struct count_fade *fade, const struct count_loops *loops)
{
    uint32_t n_edges = map->network->n_edges;
    *figures = (struct count_figures){.map = *map, .fade = fade, .loops = loops, .road_least = settings->road_least, .first_ms = INT64_MIN};
    figures->edges = mem_alloc_zero(n_edges, sizeof(*figures->edges));
    figures->facts = mem_alloc_zero(n_edges, sizeof(*figures->facts));
    figures->active = mem_alloc_zero(n_edges, sizeof(*figures->active));
    figures->edge_groups = mem_alloc_zero(n_edges, sizeof(*figures->edge_groups));
    figures->edge_classes = mem_alloc_zero(n_edges, sizeof(*figures->edge_classes));
    figures->states = mem_alloc_zero(n_edges, sizeof(*figures->states));
    figures->area_sums = mem_alloc_zero(map->n_areas, sizeof(*figures->area_sums));
    figures->index_sums = mem_alloc_zero(map->n_areas, sizeof(*figures->index_sums));
    enum err err = count_junctions_init(&figures->junctions, map->network);
    if (figures->edges == NULL || figures->facts == NULL || figures->active == NULL || figures->edge_groups == NULL ||
        figures->edge_classes == NULL || figures->states == NULL || figures->area_sums == NULL || figures->index_sums == NULL)
        err = ERR_NO_MEMORY;
    if (err == ERR_OK)
        err = make_groups(figures);
    if (err == ERR_OK)
        err = classify(figures);
    if (err != ERR_OK)
        return err;
    for (uint32_t i = 0; i < n_edges; i++) {
        const struct road_edge *edge = &map->network->edges[i];
        float free_s = (float)road_edge_free_flow_s(edge);
        figures->facts[i] = (struct count_edge_facts){.free_s = free_s,
            .length_m = (float)edge->length_m,
            .wait_s = (map->network->junctions[edge->to].has_signal ? SIGNAL_WAIT_S : BEND_WAIT_S) + ROAD_WAIT * free_s};
    }
    figures->group_sums = mem_alloc_zero(figures->n_groups + 1, sizeof(*figures->group_sums));
    figures->roads = mem_alloc_zero(figures->n_groups + 1, sizeof(*figures->roads));
    return figures->group_sums == NULL || figures->roads == NULL ? ERR_NO_MEMORY : ERR_OK;
}

void count_figures_finish(struct count_figures *figures)
{
    if (figures == NULL)
        return;
    mem_free(figures->edges);
    mem_free(figures->facts);
    mem_free(figures->active);
    mem_free(figures->edge_groups);
    mem_free(figures->edge_classes);
    mem_free(figures->index_sums);
    count_junctions_finish(&figures->junctions);
    mem_free(figures->states);
    mem_free(figures->area_sums);
    mem_free(figures->groups);
    mem_free(figures->group_sums);
    mem_free(figures->roads);
    *figures = (struct count_figures){.first_ms = INT64_MIN};
}

void count_figures_clear(struct count_figures *figures)
{
    /* What is in the list stays, empty: the next tick tells that it is not observed any more. */
    for (uint32_t i = 0; i < figures->n_active; i++)
        figures->edges[figures->active[i]] = (struct count_edge_sums){.is_active = true};
    figures->first_ms = INT64_MIN;
    figures->refreshed_ms = 0;
}

/* ---- observations ---- */

static void fade(struct count_figures *figures, struct count_edge_sums *edge, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000;
    if (now_s <= edge->faded_s)
        return;
    float keep = (float)count_fade_keep(figures->fade, edge->faded_s, now_s);
    edge->actual_s *= keep;
    edge->free_s *= keep;
    edge->driven_m *= keep;
    edge->n_passed *= keep;
    edge->lost_s *= keep;
    edge->n *= keep;
    edge->n_flow *= keep;
    edge->n_gps *= keep;
    edge->faded_s = now_s;
}

/* The edge, faded to `at_ms`, and what an observation of that time weighs there. */
static struct count_edge_sums *touch(struct count_figures *figures, uint32_t at, int64_t at_ms, float *ret_weight)
{
    struct count_edge_sums *edge = &figures->edges[at];
    if (!edge->is_active) {
        *edge = (struct count_edge_sums){.is_active = true, .faded_s = at_ms / 1000};
        figures->active[figures->n_active++] = at;
    }
    fade(figures, edge, at_ms);
    *ret_weight = at_ms / 1000 < edge->faded_s ? (float)count_fade_keep(figures->fade, at_ms / 1000, edge->faded_s) : 1;
    edge->is_changed = true;
    return edge;
}

void count_figures_passage(struct count_figures *figures, uint32_t edge, int64_t at_ms)
{
    float weight;
    if (figures->first_ms == INT64_MIN || at_ms < figures->first_ms)
        figures->first_ms = at_ms;
    touch(figures, edge, at_ms, &weight)->n_flow += weight;
}

/* How the time beyond free flow is to be shared among the way's edges: by what vehicles lately lost there, the prior worth one. The sum. */
static float share_out(struct count_figures *figures, const struct count_pair *pair, struct count_edge_sums *const edges[], float shares[])
{
    float sum = 0;
    if (pair->n_edges == 1)
        return shares[0] = 1;
    for (uint32_t i = 0; i < pair->n_edges; i++)
        sum += shares[i] = (edges[i]->lost_s + figures->facts[pair->edges[i]].wait_s) / (edges[i]->n + 1);
    return sum;
}

/* A vehicle that left the edge at `left_ms`; it is known now, where it weighs `weight`. */
static void add_drive(struct count_figures *figures, struct count_edge_sums *edge, float weight, float actual_s, float free_s,
    float driven_m, int64_t left_ms)
{
    int64_t left_s = left_ms / 1000;
    float passed = left_s < edge->faded_s ? (float)count_fade_keep(figures->fade, left_s, edge->faded_s) : 1;
    edge->actual_s += passed * actual_s;
    edge->free_s += passed * free_s;
    edge->driven_m += passed * driven_m;
    edge->n_passed += passed;
    edge->lost_s += weight * fmaxf(actual_s - free_s, 0);
    edge->n += weight;
}

void count_figures_link(struct count_figures *figures, const struct count_pair *pair, double actual_s, int64_t came_ms, int64_t at_ms)
{
    struct count_edge_sums *edges[COUNT_PATH_MAX];
    float shares[COUNT_PATH_MAX], weights[COUNT_PATH_MAX];
    for (uint32_t i = 0; i < pair->n_edges; i++)
        edges[i] = touch(figures, pair->edges[i], at_ms, &weights[i]);
    if (pair->n_edges == 0)
        return;
    float beyond_s = (float)actual_s - pair->free_flow_s, each = fmaxf(beyond_s, 0) / share_out(figures, pair, edges, shares);
    float junctions = pair->free_flow_s / pair->edges_s, quick = beyond_s < 0 ? (float)actual_s / pair->free_flow_s : 1;
    float left_s = (float)actual_s;
    for (uint32_t i = 0; i < pair->n_edges; i++) {
        const struct count_edge_facts *facts = &figures->facts[pair->edges[i]];
        float free_s = junctions * facts->free_s, edge_s = quick * free_s + each * shares[i];
        left_s -= edge_s;
        add_drive(figures, edges[i], weights[i], edge_s, free_s, pair->detour * facts->length_m, came_ms - (int64_t)(left_s * 1000));
        /* The last edge's flow comes with the passage itself. */
        if (i + 1 < pair->n_edges)
            edges[i]->n_flow += weights[i];
    }
}

void count_figures_drive(struct count_figures *figures, uint32_t at, double actual_s, double free_s, double driven_m, int64_t at_ms)
{
    float weight;
    struct count_edge_sums *edge = touch(figures, at, at_ms, &weight);
    add_drive(figures, edge, weight, (float)actual_s, (float)free_s, (float)driven_m, at_ms);
    edge->n_gps += weight;
}

void count_figures_loop(struct count_figures *figures, uint32_t at, int64_t at_ms)
{
    float weight;
    touch(figures, at, at_ms, &weight);
}

/* ---- what is known ---- */

void count_figures_times(const struct count_figures *figures, float *edge_s)
{
    for (uint32_t i = 0; i < figures->map.network->n_edges; i++)
        edge_s[i] = NAN;
    for (uint32_t i = 0; i < figures->n_active; i++) {
        const struct count_edge_sums *edge = &figures->edges[figures->active[i]];
        if (edge->n < FADED_AWAY || !(edge->n_passed > 0) || !(edge->actual_s > 0))
            continue;
        float road_s = figures->facts[figures->active[i]].free_s, free_s = edge->free_s / edge->n_passed,
              mean_s = (edge->n * edge->actual_s / edge->n_passed + free_s) / (edge->n + 1);
        /* The junction before it is the turn's, at free flow; nobody drives more than twice as fast as that (delay_min). */
        edge_s[figures->active[i]] = fmaxf(mean_s - fmaxf(free_s - road_s, 0), road_s / 2);
    }
}

/* ---- the tick ---- */

/* Where the edge's speed comes from. */
static unsigned sources_of(const struct count_edge_sums *edge)
{
    return (edge->n - edge->n_gps >= FADED_AWAY ? COUNT_SOURCE_CAMERA : 0) | (edge->n_gps >= FADED_AWAY ? COUNT_SOURCE_GPS : 0);
}

static void add_sums(struct count_group_sums *to, const struct count_group_sums *from)
{
    to->actual_s += from->actual_s;
    to->free_s += from->free_s;
    to->driven_m += from->driven_m;
    to->n += from->n;
    to->vehicle_m += from->vehicle_m;
    to->delay_m += from->delay_m;
    to->flow_m += from->flow_m;
    to->length_m += from->length_m;
    to->flow_length_m += from->flow_length_m;
    to->driven_length_m += from->driven_length_m;
    to->sources |= from->sources;
}

static void tell_edge(struct count_figures *figures, uint32_t at, double flow_vph, bool has_loop, bool is_stale)
{
    const struct count_edge_sums *edge = &figures->edges[at];
    struct count_edge_state *state = &figures->states[figures->n_states++];
    *state = (struct count_edge_state){at, NAN, NAN, NAN, 0, 0, COUNT_LEVEL_NONE};
    if (is_stale)
        return;
    state->flow_vph = flow_vph;
    state->sources = has_loop ? COUNT_SOURCE_LOOP : 0;
    state->n = (uint32_t)lroundf(edge->n_passed);
    if (edge->n >= FADED_AWAY && edge->n_passed > 0 && edge->actual_s > 0) {
        state->speed_mps = (double)(edge->driven_m / edge->actual_s);
        state->delay_index = (double)(edge->actual_s / edge->free_s);
        state->sources |= sources_of(edge);
        state->level = count_index_level(figures->map.index, figures->edge_classes[at], state->speed_mps);
    }
}

/* An edge with a speed: what it adds to its road and area, and to the junction at its end. */
static void sum_driven(struct count_figures *figures, uint32_t at, struct count_group_sums *sums)
{
    const struct count_edge_sums *edge = &figures->edges[at];
    uint8_t road_class = figures->edge_classes[at];
    /* Where ways take long what is known is old, and would weigh less: so as many as are known, each by the mean. */
    double each = (double)(edge->n / edge->n_passed);
    sums->actual_s = (double)edge->actual_s * each;
    sums->free_s = (double)edge->free_s * each;
    sums->driven_m = (double)edge->driven_m * each;
    sums->n = (double)edge->n;
    sums->driven_length_m = sums->length_m;
    sums->sources |= sources_of(edge);
    sums->vehicle_m = (double)fmaxf(edge->n_flow, edge->n) * sums->length_m;
    sums->delay_m = sums->vehicle_m * sums->actual_s / sums->free_s;
    count_index_add(figures->map.index, &figures->index_sums[figures->map.edge_areas[at]], road_class,
        count_index_level(figures->map.index, road_class, sums->driven_m / sums->actual_s), sums->vehicle_m, sums->length_m);
    count_junctions_add(&figures->junctions, at, (float)sums->actual_s, (float)sums->free_s, edge->n);
}

/* Fades, tells and sums the edge at place `i` of the list; false when it is not observed any more and was taken out. */
static bool tick_edge(struct count_figures *figures, uint32_t i, int64_t now_ms, double flow_scale, bool is_refresh, const bool *is_stale)
{
    uint32_t at = figures->active[i];
    struct count_edge_sums *edge = &figures->edges[at];
    uint16_t area = figures->map.edge_areas[at];
    fade(figures, edge, now_ms);
    double loop_vph = count_loops_flow(figures->loops, at, now_ms);
    bool has_loop = !isnan(loop_vph);
    if (edge->n_flow < FADED_AWAY && edge->n < FADED_AWAY && !has_loop) {
        tell_edge(figures, at, NAN, false, true);
        edge->is_active = false;
        figures->active[i] = figures->active[--figures->n_active];
        return false;
    }
    /* Without a camera's vehicle nothing is known of the flow: it is not none. A loop's is of all vehicles. */
    bool has_flow = has_loop || edge->n_flow >= FADED_AWAY;
    double flow_vph = has_loop ? loop_vph : has_flow ? (double)edge->n_flow * flow_scale : NAN;
    if (edge->is_changed || is_refresh)
        tell_edge(figures, at, flow_vph, has_loop, is_stale[area]);
    edge->is_changed = false;
    if (is_stale[area])
        return true;
    double length_m = figures->map.network->edges[at].length_m;
    struct count_group_sums sums = {.length_m = length_m, .sources = has_loop ? COUNT_SOURCE_LOOP : 0};
    if (has_flow) {
        sums.flow_m = flow_vph * length_m * (has_loop ? 1 : figures->whole[figures->has_camera != NULL && figures->has_camera[at]]);
        sums.flow_length_m = length_m;
    }
    if (edge->n >= FADED_AWAY && edge->n_passed > 0 && edge->actual_s > 0 && edge->free_s > 0)
        sum_driven(figures, at, &sums);
    add_sums(&figures->area_sums[area], &sums);
    if (figures->edge_groups[at] != COUNT_NONE)
        add_sums(&figures->group_sums[figures->edge_groups[at]], &sums);
    return true;
}

/* Loops count everybody; cameras and ways between them know some. What they know of the edges with a loop, over the loops: by as much are
 * more on the edges without one (a ratio estimate: Cochran, Sampling Techniques, 1977, chapter 6). Of a single edge it says too little.
 * False: there are loops enough, but too few of them speak now. */
static bool learn_whole(struct count_figures *figures, int64_t now_ms, double flow_scale)
{
    double counted[2] = {0, 0}, known[2] = {0, 0};
    uint32_t n[2] = {0, 0}, n_met[2] = {0, 0};
    for (uint32_t i = 0; i < figures->loops->n; i++) {
        uint32_t at = figures->loops->loops[i].edge;
        struct count_edge_sums *edge = &figures->edges[at];
        double vph = count_loops_flow(figures->loops, at, now_ms);
        int kind = figures->has_camera != NULL && figures->has_camera[at];
        n_met[kind]++;
        if (isnan(vph) || !edge->is_active)
            continue;
        fade(figures, edge, now_ms);
        counted[kind] += vph;
        known[kind] += (double)edge->n_flow * flow_scale;
        n[kind]++;
    }
    for (int kind = 0; kind < 2; kind++)
        figures->whole[kind] =
            n[kind] >= LOOPS_LEAST && known[kind] > 0 ? fmin(fmax(counted[kind] / known[kind], WHOLE_LEAST), WHOLE_MOST) : 1;
    return (n[0] >= LOOPS_LEAST || n_met[0] < LOOPS_LEAST) && (n[1] >= LOOPS_LEAST || n_met[1] < LOOPS_LEAST);
}

static void tell_roads(struct count_figures *figures)
{
    /* Children stand after their parents. */
    for (uint32_t i = figures->n_groups; i-- > 0;)
        if (figures->groups[i].parent != COUNT_NONE)
            add_sums(&figures->group_sums[figures->groups[i].parent], &figures->group_sums[i]);
    figures->n_roads = 0;
    for (uint32_t i = 0; i < figures->n_groups; i++) {
        const struct count_group_sums *sums = &figures->group_sums[i];
        bool was_told = figures->groups[i].was_told;
        bool is_told = sums->actual_s > 0 && sums->driven_m >= figures->road_least * sums->driven_length_m;
        figures->groups[i].was_told = is_told;
        if (!is_told) {
            if (was_told)
                figures->roads[figures->n_roads++] = (struct count_road_state){.road = i,
                    .name = figures->groups[i].name,
                    .area = figures->groups[i].area,
                    .speed_mps = NAN,
                    .delay_index = NAN,
                    .flow_vph = NAN,
                    .vehicle_km_ph = NAN,
                    .level = COUNT_LEVEL_NONE};
            continue;
        }
        figures->roads[figures->n_roads++] = (struct count_road_state){.road = i,
            .name = figures->groups[i].name,
            .area = figures->groups[i].area,
            .speed_mps = sums->driven_m / sums->actual_s,
            .delay_index = sums->actual_s / sums->free_s,
            .flow_vph = sums->flow_length_m > 0 ? sums->flow_m / sums->flow_length_m : NAN,
            .length_m = sums->length_m,
            .vehicle_km_ph = sums->flow_length_m > 0 && figures->has_vehicle_km ? sums->flow_m / 1000 : NAN,
            .n = (uint32_t)lround(sums->n),
            .sources = sums->sources,
            .level = count_index_level(figures->map.index, figures->groups[i].road_class, sums->driven_m / sums->actual_s)};
    }
}

static void tell_areas(struct count_figures *figures, const bool *is_stale, struct count_area_figures *areas)
{
    for (size_t i = figures->map.n_areas; i-- > 0;) {
        const struct count_group_sums *sums = &figures->area_sums[i];
        int32_t above = figures->map.area_parents[i];
        if (above >= 0) {
            add_sums(&figures->area_sums[above], sums);
            count_index_join(&figures->index_sums[above], &figures->index_sums[i]);
        }
        bool is_observed = sums->actual_s > 0 && !is_stale[i];
        bool has_flow = sums->flow_length_m > 0 && !is_stale[i];
        areas[i].flow_vph = has_flow ? sums->flow_m / sums->flow_length_m : NAN;
        areas[i].vehicle_km_ph = has_flow && figures->has_vehicle_km ? sums->flow_m / 1000 : NAN;
        areas[i].speed_mps = is_observed ? sums->driven_m / sums->actual_s : NAN;
        areas[i].delay_index = is_observed ? sums->delay_m / sums->vehicle_m : NAN;
        areas[i].congestion_index = count_index_congestion(figures->map.index, &figures->index_sums[i], areas[i].delay_index);
        areas[i].n_links = is_stale[i] ? 0 : (uint32_t)lround(sums->n);
    }
}

void count_figures_tick(
    struct count_figures *figures, int64_t now_ms, const bool *is_stale, bool tell_all, struct count_area_figures *areas)
{
    size_t n_areas = figures->map.n_areas;
    double age_s = figures->first_ms == INT64_MIN ? 0 : (double)(now_ms - figures->first_ms) / 1000;
    /* In the first window the sum has not had the time to fill. */
    double flow_scale = 3600 / (figures->fade->window_s * -expm1(-fmax(age_s, RATE_LEAST_S) / figures->fade->window_s));
    bool is_refresh = tell_all || now_ms - figures->refreshed_ms >= REFRESH_MS || now_ms < figures->refreshed_ms;
    if (is_refresh)
        figures->refreshed_ms = now_ms;
    memset(figures->area_sums, 0, n_areas * sizeof(*figures->area_sums));
    memset(figures->index_sums, 0, n_areas * sizeof(*figures->index_sums));
    count_junctions_begin(&figures->junctions);
    memset(figures->group_sums, 0, (figures->n_groups + 1) * sizeof(*figures->group_sums));
    figures->n_states = 0;
    bool is_filled = figures->first_ms == INT64_MIN || age_s >= FILLED_WINDOWS * figures->fade->window_s;
    figures->has_vehicle_km = learn_whole(figures, now_ms, flow_scale) && is_filled;
    for (uint32_t i = 0; i < figures->n_active;)
        i += tick_edge(figures, i, now_ms, flow_scale, is_refresh, is_stale);
    tell_roads(figures);
    count_junctions_tell(&figures->junctions, figures->road_least);
    tell_areas(figures, is_stale, areas);
}
