/* Delays at junctions, told; see junction_tell.h. */
#include "scene/count/junction_tell.h"

#include "base/mem.h"
#include "hub/indicator.h"
#include "hub/need.h"

#include <stdio.h>

#define EVERY_MS 5000 /* a wait at a signal is tens of seconds: nobody reads it faster */
#define ROWS_BYTES_MAX (32u << 20)
#define TITLE_MAX 600
#define AREA_UNKNOWN INT32_MIN

enum err count_junction_tell_find(
    const struct scene_env *env, struct yaml_node config, struct diag_list *diags, const struct hub_resource **ret_resource)
{
    char name[256];
    int len = snprintf(name, sizeof(name), STR_FORMAT "/junction_index", STR_ARG(env->party));
    *ret_resource = hub_resource_find(env->hub, (struct str){name, (size_t)len});
    if (*ret_resource == NULL)
        return ERR_OK;
    *ret_resource = hub_need_own(env->hub, env->party, "junction_index", hub_junction_index_field_names, HUB_JUNCTION_INDEX_N_FIELDS,
        "docs/indices.md", config, diags);
    return *ret_resource == NULL ? ERR_RANGE : ERR_OK;
}

/* The first two roads with a name that meet there. */
static void name_junctions(struct count_junction_tell *tell)
{
    const struct road_network *network = tell->network;
    for (uint32_t i = 0; i < network->n_junctions; i++) {
        tell->names[i][0] = tell->names[i][1] = ROAD_NONE;
        tell->areas[i] = AREA_UNKNOWN;
    }
    for (uint32_t i = 0; i < network->n_edges; i++) {
        const struct road_edge *edge = &network->edges[i];
        for (int end = 0; end < 2 && edge->name_number != ROAD_NONE; end++) {
            uint32_t *names = tell->names[end == 0 ? edge->from : edge->to];
            if (names[0] == ROAD_NONE)
                names[0] = edge->name_number;
            else if (names[0] != edge->name_number && names[1] == ROAD_NONE)
                names[1] = edge->name_number;
        }
    }
}

enum err count_junction_tell_init(struct count_junction_tell *tell, struct hub *hub, const struct area_tree *tree,
    const struct road_network *network, const struct hub_resource *resource)
{
    *tell = (struct count_junction_tell){.hub = hub, .tree = tree, .network = network, .resource = resource, .told_ms = INT64_MIN / 2};
    if (resource == NULL)
        return ERR_OK;
    tell->names = mem_alloc_zero(network->n_junctions, sizeof(*tell->names));
    tell->areas = mem_alloc_zero(network->n_junctions, sizeof(*tell->areas));
    if (tell->names == NULL || tell->areas == NULL)
        return ERR_NO_MEMORY;
    name_junctions(tell);
    return ERR_OK;
}

void count_junction_tell_finish(struct count_junction_tell *tell)
{
    if (tell == NULL)
        return;
    mem_free(tell->names);
    mem_free(tell->areas);
    *tell = (struct count_junction_tell){.hub = NULL};
}

static struct str title_of(const struct count_junction_tell *tell, uint32_t junction, char out[TITLE_MAX])
{
    const uint32_t *names = tell->names[junction];
    const struct str_map *known = tell->network->names;
    if (names[0] == ROAD_NONE)
        return tell->network->junctions[junction].id;
    if (names[1] == ROAD_NONE)
        return str_map_key(known, names[0]);
    int len =
        snprintf(out, TITLE_MAX, STR_FORMAT " / " STR_FORMAT, STR_ARG(str_map_key(known, names[0])), STR_ARG(str_map_key(known, names[1])));
    return (struct str){out, (size_t)len}; /* names are of at most ROAD_NAME_MAX bytes */
}

static struct str area_name(struct count_junction_tell *tell, uint32_t junction)
{
    int32_t *area = &tell->areas[junction];
    struct road_point at = tell->network->junctions[junction].point;
    if (*area == AREA_UNKNOWN)
        *area = area_of_point(tell->tree, (struct point){at.lon, at.lat});
    return area_at(tell->tree, *area < 0 ? 0 : (size_t)*area)->name;
}

void count_junction_tell_tick(struct count_junction_tell *tell, const struct count_updates *updates)
{
    bool is_due = updates->time_ms - tell->told_ms >= EVERY_MS || updates->time_ms < tell->told_ms;
    struct rows *rows = NULL;
    if (tell->resource == NULL || !is_due || updates->n_junctions == 0)
        return;
    tell->told_ms = updates->time_ms;
    enum err err = rows_create(HUB_JUNCTION_INDEX_N_FIELDS, ROWS_BYTES_MAX, &rows);
    for (uint32_t i = 0; i < updates->n_junctions && err == ERR_OK; i++) {
        const struct count_junction_state *state = &updates->junctions[i];
        const struct road_junction *junction = &tell->network->junctions[state->junction];
        char title[TITLE_MAX];
        struct value values[HUB_JUNCTION_INDEX_N_FIELDS] = {
            [HUB_JUNCTION_INDEX_JUNCTION] = value_text(junction->id),
            [HUB_JUNCTION_INDEX_TITLE] = value_text(title_of(tell, state->junction, title)),
            [HUB_JUNCTION_INDEX_AREA] = value_text(area_name(tell, state->junction)),
            [HUB_JUNCTION_INDEX_TIME] = value_time(updates->time_ms),
            [HUB_JUNCTION_INDEX_LON] = value_real(junction->point.lon),
            [HUB_JUNCTION_INDEX_LAT] = value_real(junction->point.lat),
            [HUB_JUNCTION_INDEX_DELAY_S] = value_real(state->delay_s),
            [HUB_JUNCTION_INDEX_DELAY_INDEX] = value_real(state->delay_index),
            [HUB_JUNCTION_INDEX_N] = value_integer(state->n),
            [HUB_JUNCTION_INDEX_MADE_BY] = value_text(STR("delay.junction/1")),
        };
        err = rows_add(rows, values);
    }
    if (err != ERR_OK || hub_publish(tell->hub, tell->resource, rows) != ERR_OK)
        tell->n_dropped++;
    rows_release(rows);
}
