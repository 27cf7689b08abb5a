/* The streets: see streets.h. Loops and their places are written by streets_setup.c. */
#include "world/streets.h"

#include "base/mem.h"
#include "base/str_map.h"
#include "world/streets_setup.h"
#include "world/sumo.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROUTES_AGAIN_S 1800 /* how often the mean time of a trip is looked at again */
#define DEPARTED_IDS 0x74
#define EDGES_MAX 4000000u
#define TRIP_EDGES_MAX 4096u
#define REMARK_GAIN 3.0 /* how strongly the rate of departures answers to too many or too few on the road */
#define RATE_MAX 1.6
#define SPEED_MAX_MPS 45.0 /* a loop that says more has seen only a part of the vehicle */

enum at { AT_HOME, AT_KERB, AT_ROAD }; /* at the kerb: added, and not yet departed */

struct waiting {
    uint32_t plate;
    double since_s;
};

struct streets {
    struct streets_options options;
    struct sumo sumo;
    struct demand *demand;
    struct rng rng;
    double time_s, mean_trip_s, mean_due_s;
    uint8_t *at;           /* [plates] enum at */
    struct waiting *waits; /* ring of those at the kerb, oldest first */
    uint32_t wait_from, n_waits, wait_cap;
    uint32_t n_at_kerb;
    uint64_t n_routes, n_teleported, n_stayed;
    uint32_t n_running;
    struct str_map edges; /* every edge of SUMO, inside junctions too */
    uint32_t *edge_area;  /* by its number there */
    struct streets_sights sights;
    struct streets_counted counted;
    uint32_t *camera_counted; /* [n_cameras] whose loops count: place among the counted; STREETS_NONE */
    uint32_t *counts;         /* [n_areas] of the last step */
    enum err err;             /* of the step that runs */
    streets_passage_fn fn;
    void *context;
    struct {
        uint32_t one_in, every_s; /* 0: nobody is followed */
        streets_position_fn fn;
        void *context;
        uint32_t *departed; /* [plates] in this step, to be subscribed */
        uint32_t n_departed;
        uint32_t edge, plate; /* of the object whose variables are coming */
        double on_m;
    } follow;
};

const struct streets_counted *streets_counted(const struct streets *streets)
{
    return &streets->counted;
}
double streets_time_s(const struct streets *streets)
{
    return streets->time_s;
}
double streets_day_s(const struct streets *streets)
{
    return fmod(streets->options.from_s + streets->time_s, DEMAND_DAY_S);
}
uint32_t streets_n_running(const struct streets *streets)
{
    return streets->n_running;
}
const uint32_t *streets_area_counts(const struct streets *streets)
{
    return streets->counts;
}
uint64_t streets_n_teleported(const struct streets *streets)
{
    return streets->n_teleported;
}
uint64_t streets_n_stayed(const struct streets *streets)
{
    return streets->n_stayed;
}
uint64_t streets_n_refused(const struct streets *streets, const char **ret_why)
{
    *ret_why = traci_refusal(streets->sumo.client);
    return traci_n_refused(streets->sumo.client);
}

/* ---- departures ---- */

static const char *vehicle_type(const char *type)
{
    return type[0] == 'H' ? "truck" : type[0] == 'K' && type[1] == '1' ? "bus" : "car";
}

static enum err add_trip(struct streets *streets, const struct demand_trip *trip, struct str position)
{
    struct str edges[TRIP_EDGES_MAX];
    uint32_t plate;
    char vehicle[16], route[32];
    if (trip->n_edges > TRIP_EDGES_MAX || streets->n_waits == streets->wait_cap)
        return ERR_FULL;
    enum err err = plates_take(streets->options.plates, &streets->rng, &plate);
    if (err)
        return err;
    for (uint32_t i = 0; i < trip->n_edges; i++)
        edges[i] = streets->options.network->edges[trip->edges[i]].id;
    (void)snprintf(vehicle, sizeof vehicle, "%u", plate);
    (void)snprintf(route, sizeof route, "r%llu", (unsigned long long)streets->n_routes++);
    const struct traci_departure departure = {.vehicle = str_from_c(vehicle),
        .route = str_from_c(route),
        .type = str_from_c(vehicle_type(streets->options.plates->plates[plate].vehicle_type)),
        .lane = STR("best"),
        .position = position,
        .speed = STR("max")};
    err = traci_add_route(streets->sumo.client, departure.route, edges, trip->n_edges);
    err = err ? err : traci_add_vehicle(streets->sumo.client, &departure);
    if (err) {
        plates_give_back(streets->options.plates, plate);
        return err;
    }
    streets->at[plate] = AT_KERB;
    streets->n_at_kerb++;
    streets->waits[(streets->wait_from + streets->n_waits++) % streets->wait_cap] = (struct waiting){plate, streets->time_s};
    return ERR_OK;
}

/* How many are to be on the road now. */
static double wanted(const struct streets *streets)
{
    return streets->options.plan->peak * demand_share(streets->options.plan, streets_day_s(streets));
}

/* Little's law sets the rate; what is too many or too few on the road corrects it, so that a jam does not feed itself. */
static double departures_per_s(struct streets *streets)
{
    if (streets->time_s >= streets->mean_due_s) {
        streets->mean_trip_s = demand_mean_time_s(streets->demand, streets_day_s(streets));
        streets->mean_due_s = streets->time_s + ROUTES_AGAIN_S;
    }
    double want = fmax(wanted(streets), 1), missing = (want - streets->n_running - streets->n_at_kerb) / want;
    return want / streets->mean_trip_s * fmin(RATE_MAX, fmax(0, 1 + REMARK_GAIN * missing));
}

static enum err depart(struct streets *streets, uint32_t n, bool is_under_way)
{
    for (uint32_t i = 0; i < n; i++) {
        struct demand_trip trip;
        if (demand_next(streets->demand, streets_day_s(streets), &trip))
            continue;
        if (is_under_way)
            demand_cut(streets->demand, &trip);
        enum err err = add_trip(streets, &trip, is_under_way ? STR("random_free") : STR("base"));
        if (err == ERR_FULL)
            break; /* every registered vehicle is out, or the queue to SUMO is full: the others depart later */
        if (err)
            return err;
    }
    return ERR_OK;
}

static void go_home(struct streets *streets, uint32_t plate)
{
    streets->at[plate] = AT_HOME;
    plates_give_back(streets->options.plates, plate);
}

/* Who departed leaves the ring; who could not, stays at home. */
static void look_at_kerb(struct streets *streets)
{
    while (streets->n_waits > 0) {
        struct waiting *oldest = &streets->waits[streets->wait_from];
        if (streets->at[oldest->plate] == AT_KERB) {
            if (streets->time_s - oldest->since_s < STREETS_DEPART_S)
                return;
            streets->n_stayed++;
            streets->n_at_kerb--;
            go_home(streets, oldest->plate);
        }
        streets->wait_from = (streets->wait_from + 1) % streets->wait_cap;
        streets->n_waits--;
    }
}

/* ---- what a step tells ---- */

static bool plate_of(const struct streets *streets, struct str vehicle, uint32_t *ret_plate)
{
    uint64_t number;
    if (str_to_u64(vehicle, &number) || number >= streets->options.plates->n)
        return false;
    *ret_plate = (uint32_t)number;
    return true;
}

static enum err take_crossings(struct streets *streets, const struct traci_variable *variable)
{
    struct bytes_reader reader = variable->value;
    struct traci_crossing crossing;
    uint32_t n, number, lane, plate;
    char kind;
    enum err err = traci_read_crossings(&reader, &n);
    for (; n > 0 && !err; n--) {
        err = traci_read_crossing(&reader, &crossing);
        if (err || crossing.left_s < 0 || !streets->fn || !streets_parse_loop(variable->object, &kind, &number, &lane) ||
            number >= (kind == 'c' ? streets->options.city->n_cameras : streets->counted.n) || !plate_of(streets, crossing.vehicle, &plate))
            continue;
        double over_s = crossing.left_s - crossing.entered_s;
        const struct streets_passage passage = {.camera = kind == 'c' ? number : STREETS_NONE,
            .counted = kind == 'c' ? streets->camera_counted[number] : number,
            .plate = plate,
            .lane = lane,
            .speed_mps = over_s * SPEED_MAX_MPS > crossing.length_m ? crossing.length_m / over_s : -1, /* who changes lanes over it */
            .age_s = fmax(0, streets->time_s + 1 - crossing.left_s)};
        streets->fn(streets->context, &passage);
    }
    return err;
}

static enum err take_ids(struct streets *streets, const struct traci_variable *variable)
{
    struct bytes_reader reader = variable->value;
    struct traci_value list;
    enum err err = traci_read_value(&reader, &list);
    if (err || list.tag != TRACI_STRINGS)
        return ERR_SYNTAX;
    for (uint32_t i = 0; i < list.n; i++) {
        uint32_t plate;
        if (!plate_of(streets, traci_read_string(&reader), &plate))
            continue;
        if (variable->variable == DEPARTED_IDS && streets->at[plate] == AT_KERB) {
            streets->at[plate] = AT_ROAD;
            streets->n_at_kerb--;
            streets->n_running++;
            if (streets->follow.one_in > 0 && plate % streets->follow.one_in == 0)
                streets->follow.departed[streets->follow.n_departed++] = plate;
        } else if (variable->variable == TRACI_ARRIVED_IDS && streets->at[plate] == AT_ROAD) {
            streets->n_running--;
            go_home(streets, plate);
        }
    }
    return reader.err;
}

/* A followed vehicle's variables come together, in the order of their subscription: the road, the place on it, the speed. */
static enum err take_followed(struct streets *streets, const struct traci_variable *variable)
{
    const struct road_network *network = streets->options.network;
    struct bytes_reader reader = variable->value;
    struct traci_value value;
    uint32_t plate;
    enum err err = traci_read_value(&reader, &value);
    if (err || !plate_of(streets, variable->object, &plate))
        return err;
    if (variable->variable == TRACI_ROAD) {
        streets->follow.plate = plate;
        streets->follow.edge = value.tag == TRACI_STRING ? road_edge_find(network, value.s) : ROAD_NONE;
    } else if (variable->variable == TRACI_ON_LANE) {
        streets->follow.on_m = value.r;
    } else if (streets->fn && plate == streets->follow.plate && streets->follow.edge != ROAD_NONE &&
               (plate / streets->follow.one_in + (uint64_t)streets->time_s) % streets->follow.every_s == 0) { /* not all at once */
        struct streets_position position = {.plate = plate, .speed_mps = fmax(value.r, 0)};
        double share = fmin(fmax(streets->follow.on_m / network->edges[streets->follow.edge].length_m, 0), 1);
        position.point = road_edge_at(network, streets->follow.edge, share, &position.heading);
        streets->follow.fn(streets->follow.context, &position);
    }
    return ERR_OK;
}

static enum err subscribe_departed(struct streets *streets)
{
    static const uint8_t variables[] = {TRACI_ROAD, TRACI_ON_LANE, TRACI_SPEED};
    char vehicle[16];
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < streets->follow.n_departed && !err; i++) {
        (void)snprintf(vehicle, sizeof vehicle, "%u", streets->follow.departed[i]);
        err = traci_subscribe_later(streets->sumo.client, TRACI_VEHICLE, str_from_c(vehicle), variables, sizeof variables);
    }
    streets->follow.n_departed = 0;
    return err;
}

static void take(void *context, const struct traci_variable *variable)
{
    struct streets *streets = context;
    struct bytes_reader reader = variable->value;
    struct traci_value value;
    enum err err = ERR_OK;
    if (variable->result != 0)
        return;
    if (variable->domain == TRACI_LOOP) {
        err = take_crossings(streets, variable);
    } else if (variable->domain == TRACI_VEHICLE) {
        err = take_followed(streets, variable);
    } else if (variable->domain == TRACI_EDGE) {
        err = traci_read_value(&reader, &value);
        int64_t number = err || value.i == 0 ? -1 : str_map_find(&streets->edges, variable->object);
        if (number >= 0)
            streets->counts[streets->edge_area[number]] += (uint32_t)value.i;
    } else if (variable->variable == TRACI_TELEPORTED) {
        err = traci_read_value(&reader, &value);
        streets->n_teleported += err ? 0 : (uint64_t)value.i;
    } else {
        err = take_ids(streets, variable);
    }
    streets->err = streets->err ? streets->err : err;
}

/* Parts into wholes; parents stand before their children. */
static void sum_areas(struct streets *streets)
{
    const struct world_city *city = streets->options.city;
    for (uint32_t i = city->n_areas; i-- > 1;)
        if (city->areas[i].parent >= 0)
            streets->counts[city->areas[i].parent] += streets->counts[i];
    streets->counts[0] = streets->n_running;
}

static enum err step(struct streets *streets, streets_passage_fn fn, void *context)
{
    memset(streets->counts, 0, streets->options.city->n_areas * sizeof *streets->counts);
    streets->fn = fn;
    streets->context = context;
    streets->err = ERR_OK;
    enum err err = traci_step(streets->sumo.client, 0, take, streets);
    err = err ? err : streets->err;
    if (err)
        return err;
    streets->time_s += 1;
    look_at_kerb(streets);
    sum_areas(streets);
    return subscribe_departed(streets);
}

enum err streets_step(struct streets *streets, streets_passage_fn fn, void *context)
{
    enum err err = depart(streets, rng_poisson(&streets->rng, departures_per_s(streets)), false);
    return err ? err : step(streets, fn, context);
}

/* ---- life ---- */

/* The list of all edges, from SUMO; what lies inside a junction belongs to the junction's area. */
static void take_edges(void *context, const struct traci_variable *variable)
{
    struct streets *streets = context;
    struct bytes_reader reader = variable->value;
    struct traci_value list;
    if (traci_read_value(&reader, &list) || list.tag != TRACI_STRINGS) {
        streets->err = ERR_SYNTAX;
        return;
    }
    streets->edge_area = mem_alloc_zero(list.n + 1u, sizeof *streets->edge_area);
    streets->err = streets->edge_area ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; i < list.n && !streets->err; i++) {
        struct str id = traci_read_string(&reader);
        uint32_t number;
        struct road_point place;
        if (!streets_edge_place(streets->options.network, id, &place))
            continue; /* a footpath */
        streets->err = str_map_add(&streets->edges, id, &number);
        if (!streets->err)
            streets->edge_area[number] = (uint32_t)world_area_of(streets->options.city, place);
    }
    streets->err = streets->err ? streets->err : reader.err;
}

static enum err subscribe_edges(struct streets *streets)
{
    static const uint8_t n_vehicles[] = {TRACI_N_VEHICLES};
    enum err err = traci_get(streets->sumo.client, TRACI_EDGE, TRACI_IDS, STR(""), take_edges, streets);
    err = err ? err : streets->err;
    for (uint32_t i = 0; i < streets->edges.n && !err; i++)
        err = traci_subscribe_later(streets->sumo.client, TRACI_EDGE, str_map_key(&streets->edges, i), n_vehicles, 1);
    return err;
}

static enum err subscribe_edge(struct streets *streets, uint32_t edge, char kind, uint32_t number)
{
    static const uint8_t crossings[] = {TRACI_VEHICLE_DATA};
    enum err err = ERR_OK;
    char loop[32];
    for (uint32_t lane = 0; edge != ROAD_NONE && lane < streets->options.network->edges[edge].n_lanes && !err; lane++)
        if (streets_loop_name(streets->options.network, edge, kind, number, lane, loop, sizeof loop))
            err = traci_subscribe_later(streets->sumo.client, TRACI_LOOP, str_from_c(loop), crossings, 1);
    return err;
}

static enum err subscribe_loops(struct streets *streets)
{
    enum err err = ERR_OK;
    for (uint32_t c = 0; c < streets->options.city->n_cameras && !err; c++)
        err = subscribe_edge(streets, streets->sights.edges[c], 'c', c);
    for (uint32_t i = 0; i < streets->counted.n && !err; i++)
        if (streets->counted.cameras[i] == STREETS_NONE)
            err = subscribe_edge(streets, streets->counted.edges[i], 'l', i);
    return err;
}

/* Who is seen, and who is counted. */
static enum err look_around(struct streets *streets)
{
    const struct world_city *city = streets->options.city;
    enum err err = streets_sights_init(city, streets->options.network, &streets->sights);
    err = err ? err : streets_counted_init(city, streets->options.network, &streets->sights, &streets->counted);
    streets->camera_counted = err ? NULL : mem_alloc(sizeof *streets->camera_counted * (city->n_cameras + 1u));
    if (err || !streets->camera_counted)
        return err ? err : ERR_NO_MEMORY;
    for (uint32_t c = 0; c < city->n_cameras; c++)
        streets->camera_counted[c] = STREETS_NONE;
    for (uint32_t i = 0; i < streets->counted.n; i++)
        if (streets->counted.cameras[i] != STREETS_NONE)
            streets->camera_counted[streets->counted.cameras[i]] = i;
    return ERR_OK;
}

enum err streets_create(const struct streets_options *options, struct diag *diag, struct streets **ret_streets)
{
    static const uint8_t moves[] = {DEPARTED_IDS, TRACI_ARRIVED_IDS, TRACI_TELEPORTED};
    char additional[1024], log[1024];
    struct streets *streets = mem_alloc_zero(1, sizeof *streets);
    if (!streets)
        return ERR_NO_MEMORY;
    streets->options = *options;
    streets->rng.state = options->seed ^ 0x5EED5EED;
    streets->wait_cap = options->plates->n;
    str_map_init(&streets->edges, EDGES_MAX, options->seed);
    enum err err = ERR_NO_MEMORY;
    streets->at = mem_alloc_zero(options->plates->n, sizeof *streets->at);
    streets->waits = mem_alloc_zero(streets->wait_cap, sizeof *streets->waits);
    streets->counts = mem_alloc_zero(options->city->n_areas, sizeof *streets->counts);
    streets->follow.departed = mem_alloc_zero(options->plates->n, sizeof *streets->follow.departed);
    if (!streets->at || !streets->waits || !streets->counts || !streets->follow.departed)
        goto done;
    err = demand_create(options->plan, options->network, options->seed, &streets->demand);
    if (err) {
        (void)diag_set(diag, err, options->network_path, 0, "no trips can be made on this network (%s)", err_text(err));
        goto done;
    }
    (void)snprintf(additional, sizeof additional, "%s/world/streets.add.xml", options->data_dir);
    (void)snprintf(log, sizeof log, "%s/world/sumo.log", options->data_dir);
    err = look_around(streets);
    err = err ? err : streets_write_loops(options->city, options->network, &streets->sights, &streets->counted, additional, diag);
    const struct sumo_options sumo = {.network = options->network_path, .additional = additional, .log = log, .seed = options->seed};
    err = err ? err : sumo_start(&sumo, diag, &streets->sumo);
    err = err ? err : traci_subscribe(streets->sumo.client, TRACI_SIMULATION, STR(""), moves, sizeof moves);
done:
    if (err)
        streets_destroy(streets);
    else
        *ret_streets = streets;
    return err;
}

void streets_follow(struct streets *streets, uint32_t one_in, uint32_t every_s, streets_position_fn fn, void *context)
{
    streets->follow.one_in = one_in;
    streets->follow.every_s = every_s;
    streets->follow.fn = fn;
    streets->follow.context = context;
}

enum err streets_warm_up(struct streets *streets, uint32_t settle_s, bool (*is_over)(void))
{
    enum err err = ERR_OK;
    double want = wanted(streets);
    for (int i = 0; i < STREETS_FILL_S && !err; i++) {
        err = depart(streets, (uint32_t)(want / STREETS_FILL_S), true);
        err = err ? err : step(streets, NULL, NULL);
        err = !err && is_over && is_over() ? ERR_CANCELLED : err;
    }
    for (uint32_t i = 0; i < settle_s && !err; i++) {
        err = streets_step(streets, NULL, NULL);
        err = !err && is_over && is_over() ? ERR_CANCELLED : err;
    }
    err = err ? err : subscribe_loops(streets);
    return err ? err : subscribe_edges(streets);
}

void streets_destroy(struct streets *streets)
{
    if (!streets)
        return;
    sumo_stop(&streets->sumo);
    demand_destroy(streets->demand);
    str_map_finish(&streets->edges);
    mem_free(streets->edge_area);
    streets_sights_finish(&streets->sights);
    streets_counted_finish(&streets->counted);
    mem_free(streets->camera_counted);
    mem_free(streets->counts);
    mem_free(streets->follow.departed);
    mem_free(streets->waits);
    mem_free(streets->at);
    mem_free(streets);
}
