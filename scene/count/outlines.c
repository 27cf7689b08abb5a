/* Polygons of an object, laid over the network once; sums of edges each second. */
#include "scene/count/outlines.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/need.h"
#include "scene/count/state.h"

#include <string.h>

#define PURPOSE "traffic.count"
#define ASK_EVERY 2 /* ticks, until it is there */
#define POINTS_MAX 10000u
#define ROWS_BYTES_MAX (1u << 20)

static const char *const outline_fields[] = {"outline", "time", "vehicles", "vehicles_low", "vehicles_high"};
enum { FIELD_OUTLINE, FIELD_TIME, FIELD_VEHICLES, FIELD_LOW, FIELD_HIGH, N_FIELDS };

/* ---- which edges ---- */

static bool point_of(const json_t *ring, size_t at, double *ret_x, double *ret_y)
{
    const json_t *point = json_array_get(ring, at), *x = json_array_get(point, 0), *y = json_array_get(point, 1);
    *ret_x = json_number_value(x);
    *ret_y = json_number_value(y);
    return json_is_number(x) && json_is_number(y);
}

/* By the sides that a ray to the east crosses. */
static bool ring_holds(const json_t *ring, double x, double y)
{
    bool holds = false;
    size_t n = json_array_size(ring);
    for (size_t i = 0, j = n - 1; i < n; j = i++) {
        double ax, ay, bx, by;
        if (!point_of(ring, i, &ax, &ay) || !point_of(ring, j, &bx, &by))
            return false;
        if ((ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax)
            holds = !holds;
    }
    return holds;
}

static bool polygon_holds(const json_t *rings, double x, double y)
{
    bool holds = false;
    for (size_t i = 0; i < json_array_size(rings); i++) /* the first is around, the others are holes in it */
        holds ^= ring_holds(json_array_get(rings, i), x, y);
    return holds;
}

static enum err check_rings(const json_t *rings)
{
    size_t n_points = 0;
    for (size_t i = 0; i < json_array_size(rings); i++) {
        const json_t *ring = json_array_get(rings, i);
        if (json_array_size(ring) < 4)
            return ERR_SYNTAX;
        n_points += json_array_size(ring);
        for (size_t k = 0; k < json_array_size(ring) && n_points <= POINTS_MAX; k++) {
            double x, y;
            if (!point_of(ring, k, &x, &y))
                return ERR_SYNTAX;
        }
    }
    return n_points == 0 ? ERR_SYNTAX : n_points > POINTS_MAX ? ERR_FULL : ERR_OK;
}

static enum err lay(const json_t *feature, const struct road_network *network, struct count_outline *outline)
{
    const json_t *geometry = json_object_get(feature, "geometry"), *rings = json_object_get(geometry, "coordinates");
    const char *name = json_string_value(json_object_get(json_object_get(feature, "properties"), "zone")),
               *type = json_string_value(json_object_get(geometry, "type"));
    if (name == NULL || strlen(name) > COUNT_OUTLINE_NAME_MAX || type == NULL || strcmp(type, "Polygon") != 0)
        return ERR_SYNTAX;
    enum err err = check_rings(rings);
    if (err != ERR_OK)
        return err;
    memcpy(outline->name, name, strlen(name) + 1);
    outline->edges = mem_alloc(network->n_edges * sizeof(*outline->edges) + 1);
    if (outline->edges == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t edge = 0; edge < network->n_edges; edge++) {
        struct road_point middle = road_edge_middle(network, edge);
        if (polygon_holds(rings, middle.lon, middle.lat))
            outline->edges[outline->n_edges++] = edge;
    }
    uint32_t *fitted = mem_resize(outline->edges, outline->n_edges * sizeof(*outline->edges) + 1);
    outline->edges = fitted != NULL ? fitted : outline->edges;
    return ERR_OK;
}

enum err count_outlines_parse(struct str geojson, const struct road_network *network, struct count_outlines *ret_outlines)
{
    json_t *root;
    struct diag diag = {""};
    struct count_outlines outlines = {.n = 0};
    enum err err = json_read(geojson, &diag, &root);
    if (err != ERR_OK)
        return err;
    const json_t *features = json_object_get(root, "features");
    if (!json_is_array(features))
        err = ERR_SYNTAX;
    else if (json_array_size(features) > COUNT_OUTLINES_MAX)
        err = ERR_FULL;
    for (size_t i = 0; i < json_array_size(features) && err == ERR_OK; i++)
        err = lay(json_array_get(features, i), network, &outlines.outlines[outlines.n++]);
    json_decref(root);
    if (err == ERR_OK)
        *ret_outlines = outlines;
    else
        count_outlines_finish(&outlines);
    return err;
}

void count_outlines_finish(struct count_outlines *outlines)
{
    for (size_t i = 0; i < outlines->n; i++)
        mem_free(outlines->outlines[i].edges);
    outlines->n = 0;
}

struct count_interval count_outline_vehicles(const struct count *count, const struct count_outline *outline)
{
    double sum = 0;
    for (uint32_t i = 0; i < outline->n_edges; i++)
        sum += (double)count->spread.on_edges[outline->edges[i]];
    return count_spread_tell(count, sum);
}

/* ---- asked for, until they are there ---- */

struct asking { /* outlives who asked, when the scene stops meanwhile */
    struct hub_object_get get;
    struct count_outline_tell *tell; /* NULL: nobody waits */
};

struct count_outline_tell {
    struct hub *hub;
    struct loop *loop;
    struct str party, object;
    const struct road_network *network;
    const struct hub_resource *resource;
    struct asking *asking; /* NULL: none is under way */
    struct count_outlines outlines;
    bool is_there;
    uint64_t n_ticks, n_dropped;
};

static void on_object(struct hub_object_get *get)
{
    struct asking *asking = container_of(get, struct asking, get);
    struct count_outline_tell *tell = asking->tell;
    if (tell != NULL) {
        enum err err = get->refusal.err;
        if (err == ERR_OK)
            err = count_outlines_parse(get->bytes, tell->network, &tell->outlines);
        tell->is_there = err == ERR_OK;
        tell->asking = NULL;
        if (err != ERR_OK && (tell->n_ticks & (tell->n_ticks - 1)) == 0) /* so that a long trouble does not fill the log */
            log_write(LOG_NOTICE, "scene/count", "the outlines are not there yet; asking again", LOG_STR("object", tell->object),
                LOG_ERR(err), LOG_INT("rule", get->refusal.rule), LOG_END);
    }
    mem_free(asking);
}

static void ask(struct count_outline_tell *tell)
{
    tell->asking = mem_alloc_zero(1, sizeof(*tell->asking));
    if (tell->asking == NULL)
        return; /* again in a moment */
    *tell->asking = (struct asking){
        .get = {.party = tell->party, .resource = tell->object, .purpose = STR(PURPOSE), .loop = tell->loop, .done = on_object},
        .tell = tell};
    hub_object_get_start(tell->hub, &tell->asking->get);
}

enum err count_outline_tell_start(const struct scene_env *env, struct yaml_node config, const struct road_network *network,
    struct diag_list *diags, struct count_outline_tell **ret_tell)
{
    static const char *const bytes[] = {"bytes"};
    struct str object;
    struct yaml_node node = yaml_get(config, "outlines");
    if (yaml_is_none(node) || env->hub == NULL)
        return ERR_OK;
    enum err err = yaml_get_str(config, "outlines", true, diags, &object);
    const struct hub_resource *resource =
        hub_need_own(env->hub, env->party, "outline", outline_fields, N_FIELDS, "docs/count.md", config, diags);
    if (err != ERR_OK || resource == NULL)
        return err != ERR_OK ? err : ERR_RANGE;
    const struct hub_need need = {
        .party = env->party, .resource = object, .purpose = STR(PURPOSE), .kind = HUB_OBJECT, .fields = bytes, .n_fields = 1};
    err = hub_need_check(env->hub, &need, node, diags);
    if (err != ERR_OK || env->check_only)
        return err;
    struct count_outline_tell *tell = mem_alloc_zero(1, sizeof(*tell));
    if (tell == NULL)
        return ERR_NO_MEMORY;
    *tell = (struct count_outline_tell){
        .hub = env->hub, .loop = env->loop, .party = env->party, .object = object, .network = network, .resource = resource};
    *ret_tell = tell;
    return ERR_OK;
}

static struct value real_or_null(double real)
{
    return real == real ? value_real(real) : VALUE_NONE;
}

void count_outline_tell_tick(struct count_outline_tell *tell, const struct count *count, int64_t now_ms)
{
    struct rows *rows = NULL;
    if (tell == NULL)
        return;
    if (!tell->is_there && tell->asking == NULL && tell->n_ticks % ASK_EVERY == 0)
        ask(tell);
    tell->n_ticks++;
    if (!tell->is_there || tell->outlines.n == 0)
        return;
    enum err err = rows_create(N_FIELDS, ROWS_BYTES_MAX, &rows);
    for (size_t i = 0; i < tell->outlines.n && err == ERR_OK; i++) {
        const struct count_outline *outline = &tell->outlines.outlines[i];
        struct count_interval vehicles = count_outline_vehicles(count, outline);
        const struct value values[N_FIELDS] = {[FIELD_OUTLINE] = value_text(str_from_c(outline->name)),
            [FIELD_TIME] = value_time(now_ms),
            [FIELD_VEHICLES] = real_or_null(vehicles.value),
            [FIELD_LOW] = real_or_null(vehicles.low),
            [FIELD_HIGH] = real_or_null(vehicles.high)};
        err = rows_add(rows, values);
    }
    if (err == ERR_OK)
        err = hub_publish(tell->hub, tell->resource, rows);
    rows_release(rows);
    tell->n_dropped += err != ERR_OK;
    if (err != ERR_OK && (tell->n_dropped & (tell->n_dropped - 1)) == 0)
        log_write(LOG_WARNING, "scene/count", "vehicles within outlines were not taken", LOG_ERR(err),
            LOG_INT("dropped", (int64_t)tell->n_dropped), LOG_END);
}

void count_outline_tell_stop(struct count_outline_tell *tell)
{
    if (tell == NULL)
        return;
    if (tell->asking != NULL)
        tell->asking->tell = NULL;
    count_outlines_finish(&tell->outlines);
    mem_free(tell);
}
