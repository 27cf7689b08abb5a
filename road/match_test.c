/*
 * Map matching: a drive over the small network told point by point, what breaks a track, and laws on random points. How many points come
 * onto the right road is measured against SUMO's truth in tests/e2e/match_test.py.
 */
#include "road/match_file.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/test_random.h"
#include "road/test_net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct world {
    struct road_network *network;
    struct road_hierarchy *hierarchy;
    struct road_nearest *nearest;
    struct road_matcher *matcher;
    struct road_track *track;
    /* what was told */
    struct buf text;
    int64_t last_ms;
    uint32_t n_told, n_begins, n_off, n_jumps, edge; /* edge: of the matched point before */
    bool is_lawful;
};

static void world_init(struct world *world, struct str text, struct road_match_settings settings)
{
    *world = (struct world){.edge = ROAD_NONE, .last_ms = -1, .is_lawful = true};
    struct diag diag = {""};
    if (road_network_parse(text, "test.net.xml", &diag, &world->network) != ERR_OK)
        fail_msg("%s", diag.text);
    assert_ok(road_hierarchy_create(world->network, &world->hierarchy));
    assert_ok(road_nearest_create(world->network, &world->nearest));
    assert_ok(road_matcher_create(world->hierarchy, world->nearest, &settings, &world->matcher));
    assert_ok(road_track_create(world->matcher, &world->track));
    buf_init(&world->text, 1u << 20);
}

static void world_finish(struct world *world)
{
    road_track_destroy(world->track);
    road_matcher_destroy(world->matcher);
    road_nearest_destroy(world->nearest);
    road_hierarchy_destroy(world->hierarchy);
    road_network_destroy(world->network);
    buf_finish(&world->text);
}

static bool is_turn(const struct road_hierarchy *hierarchy, uint32_t from, uint32_t to)
{
    for (uint32_t t = hierarchy->first_turn[from]; t < hierarchy->first_turn[from + 1]; t++)
        if (hierarchy->turns[t].to == to)
            return true;
    return false;
}

static void on_matched(void *context, const struct road_matched *matched)
{
    struct world *world = context;
    world->is_lawful &= matched->fix.time_ms > world->last_ms;
    world->last_ms = matched->fix.time_ms;
    world->n_told++;
    world->n_off += matched->kind == ROAD_OFF;
    world->n_jumps += matched->kind == ROAD_JUMP;
    if (matched->kind != ROAD_MATCHED) {
        buf_append_c(&world->text, matched->kind == ROAD_OFF ? "off " : "jump ");
        return;
    }
    const struct road_edge *edge = &world->network->edges[matched->edge];
    uint32_t at = world->edge;
    world->n_begins += matched->is_begin;
    world->is_lawful &= matched->offset_m >= 0 && matched->offset_m <= edge->length_m + 0.01;
    for (uint32_t i = 0; i < matched->n_way; i++) { /* each edge of a way follows from the one before */
        world->is_lawful &= is_turn(world->hierarchy, at, matched->way[i]);
        at = matched->way[i];
    }
    world->is_lawful &= matched->is_begin ? matched->n_way == 0 : at == matched->edge;
    world->edge = matched->edge;
    buf_printf(&world->text, "%s" STR_FORMAT ":%.0f", matched->is_begin ? "*" : "", STR_ARG(edge->id), matched->offset_m);
    for (uint32_t i = 0; i + 1 < matched->n_way; i++)
        buf_printf(&world->text, "(" STR_FORMAT ")", STR_ARG(world->network->edges[matched->way[i]].id));
    buf_append_byte(&world->text, ' ');
}

static enum err add(struct world *world, double second, double x, double y)
{
    struct road_fix fix = {.time_ms = (int64_t)(second * 1000), .point = {x, y}, .speed_mps = NAN, .heading = NAN};
    return road_track_add(world->track, &fix, on_matched, world);
}

static void check_text(struct world *world, const char *expected)
{
    road_track_end(world->track, on_matched, world);
    buf_append_byte(&world->text, 0);
    assert_string_equal(world->text.ptr, expected);
    assert_true(world->is_lawful);
}

#define SMALL STR(NET_HEAD NET_FLAT NET_BODY NET_TAIL)

static void a_drive_is_followed(void **state)
{
    struct world world;
    world_init(&world, SMALL, ROAD_MATCH_FILE);
    /* From A east, left at B, up to D, some metres beside the road. */
    assert_ok(add(&world, 0, 100, 490));
    assert_ok(add(&world, 10, 240, 503));
    assert_ok(add(&world, 20, 380, 495));
    assert_ok(add(&world, 40, 507, 600));
    assert_ok(add(&world, 50, 495, 710));
    check_text(&world, "*AB:100 AB:240 AB:380 BD:90 BD:200 ");
    world_finish(&world);
}

static void ways_between_sparse_points_are_found(void **state)
{
    struct world world;
    world_init(&world, SMALL, ROAD_MATCH_FILE);
    /* Past C and back: nobody turns at B, and so the way leads over BC. */
    assert_ok(add(&world, 0, 300, 497));
    assert_ok(add(&world, 100, 900, 503));
    assert_ok(add(&world, 130, 550, 502));
    assert_ok(add(&world, 160, 200, 504));
    check_text(&world, "*AB:300 CB:100(BC) CB:450 BA:290 ");
    world_finish(&world);
}

static void a_heading_tells_the_side(void **state)
{
    struct world world;
    world_init(&world, SMALL, ROAD_MATCH_FILE);
    struct road_fix fix = {.time_ms = 1000, .point = {200, 497}, .speed_mps = 10, .heading = 272};
    assert_ok(road_track_add(world.track, &fix, on_matched, &world));
    road_track_end(world.track, on_matched, &world);
    fix.heading = 92;
    fix.time_ms = 2000;
    fix.point.lat = 503;
    assert_ok(road_track_add(world.track, &fix, on_matched, &world));
    road_track_end(world.track, on_matched, &world);
    fix.speed_mps = 0; /* who stands has no heading: the nearer side */
    fix.time_ms = 3000;
    assert_ok(road_track_add(world.track, &fix, on_matched, &world));
    check_text(&world, "*BA:290 *AB:200 *BA:290 ");
    world_finish(&world);
}

static void tracks_break(void **state)
{
    struct world world;
    world_init(&world, SMALL, ROAD_MATCH_FILE);
    assert_ok(add(&world, 0, 100, 497));
    assert_ok(add(&world, 10, 200, 497));
    assert_ok(add(&world, 20, 200, 2000)); /* no road there */
    assert_ok(add(&world, 30, 400, 497));
    assert_ok(add(&world, 31, 503, 990)); /* a jump to D and back */
    assert_ok(add(&world, 32, 420, 497));
    assert_ok(add(&world, 400, 440, 497)); /* a silence */
    assert_ok(add(&world, 401, 503, 900)); /* gone, and it stays there */
    assert_ok(add(&world, 402, 503, 915));
    check_text(&world, "*AB:100 AB:200 off AB:400 jump AB:420 *AB:440 *BD:390 BD:405 ");
    /* Refused: not later, not a place. The track goes on. */
    assert_ok(add(&world, 500, 100, 497));
    assert_err(add(&world, 500, 120, 497), ERR_RANGE);
    assert_err(add(&world, 499, 120, 497), ERR_RANGE);
    assert_err(add(&world, 510, NAN, 497), ERR_RANGE);
    assert_err(add(&world, 510, 120, INFINITY), ERR_RANGE);
    assert_ok(add(&world, 510, 120, 497));
    road_track_end(world.track, on_matched, &world);
    assert_int_equal(world.n_told, 11);
    struct road_matcher *matcher;
    struct road_match_settings settings = ROAD_MATCH_LIVE;
    settings.sigma_m = 0.5;
    assert_err(road_matcher_create(world.hierarchy, world.nearest, &settings, &matcher), ERR_RANGE);
    world_finish(&world);
}

/* ---- laws ---- */

static uint64_t first_seed, seed;

static double random_unit(void)
{
    return test_random_unit(&seed);
}

/* Points that wander over the small network, some of them far off: each is told once, in order, at the latest `lag` later, and every way
 * is driven over connected turns. */
static void laws_hold_for_any_points(void **state)
{
    static const uint32_t lags[] = {1, 2, 5, 40};
    for (int round = 0; round < TEST_TIMES(64); round++) {
        struct world world;
        struct road_match_settings settings = {.sigma_m = 1 + 40 * random_unit(), .gap_s = 120, .lag = lags[round % 4]};
        world_init(&world, SMALL, settings);
        double second = 0, x = 500, y = 500, wild = random_unit() * 0.4;
        uint32_t n_added = 0;
        for (int i = 0; i < 200; i++) {
            second += random_unit() < 0.02 ? 200 : 0.5 + 20 * random_unit();
            x = fmin(fmax(x + 200 * (random_unit() - 0.5), -50), 1050);
            y = fmin(fmax(y + 200 * (random_unit() - 0.5), 450), 1050);
            bool is_wild = random_unit() < wild;
            assert_ok(add(&world, second, is_wild ? 3000 * random_unit() : x, is_wild ? 3000 * random_unit() : y));
            n_added++;
            if (world.n_told > n_added || n_added - world.n_told > settings.lag + 1)
                fail_msg("seed %llu: %u told of %u, lag %u", (unsigned long long)first_seed, world.n_told, n_added, settings.lag);
        }
        road_track_end(world.track, on_matched, &world);
        if (world.n_told != n_added || !world.is_lawful)
            fail_msg("seed %llu, round %d: %u of %u told, %s", (unsigned long long)first_seed, round, world.n_told, n_added,
                world.is_lawful ? "lawful" : "a way or an order is broken");
        world_finish(&world);
    }
}

static void memory_can_be_short(void **state)
{
    struct world world;
    world_init(&world, SMALL, ROAD_MATCH_FILE);
    int64_t n_live = mem_n_live();
    enum err err = ERR_NO_MEMORY;
    for (uint64_t nth = 1; err == ERR_NO_MEMORY; nth++) {
        struct road_matcher *matcher = NULL;
        struct road_track *track = NULL;
        const struct road_match_settings settings = ROAD_MATCH_LIVE;
        const struct road_fix fix = {.time_ms = 1000, .point = {200, 2000}, .speed_mps = NAN, .heading = NAN};
        mem_fail_nth(nth);
        err = road_matcher_create(world.hierarchy, world.nearest, &settings, &matcher);
        if (err == ERR_OK)
            err = road_track_create(matcher, &track);
        if (err == ERR_OK)
            err = road_track_add(track, &fix, on_matched, &world);
        mem_fail_nth(0);
        road_track_destroy(track);
        road_matcher_destroy(matcher);
        assert_int_equal(mem_n_live(), n_live);
    }
    assert_ok(err);
    world_finish(&world);
}

/* ---- from files ---- */

struct files {
    char *matched, *edges;
    size_t n_matched, n_edges;
    struct buf broken;
};

static void on_broken(void *context, const char *text)
{
    struct files *files = context;
    buf_printf(&files->broken, "%s\n", text);
}

static void match_text(struct files *files, const struct world *world, const char *text, uint32_t tracks_max, struct road_match_run *run)
{
    struct diag diag = {""};
    buf_init(&files->broken, 1u << 16);
    *run = (struct road_match_run){.network = world->network,
        .hierarchy = world->hierarchy,
        .nearest = world->nearest,
        .settings = ROAD_MATCH_FILE,
        .tracks_max = tracks_max,
        .matched = open_memstream(&files->matched, &files->n_matched),
        .edges = open_memstream(&files->edges, &files->n_edges),
        .on_broken = on_broken,
        .context = files};
    if (road_match_parse(run, str_from_c(text), "p.csv", &diag) != ERR_OK)
        fail_msg("%s", diag.text);
    fclose(run->matched);
    fclose(run->edges);
    buf_append_byte(&files->broken, 0);
}

static void files_finish(struct files *files)
{
    free(files->matched);
    free(files->edges);
    buf_finish(&files->broken);
}

static void a_table_becomes_two(void **state)
{
    struct world world;
    struct files files;
    struct road_match_run run;
    world_init(&world, SMALL, ROAD_MATCH_FILE);
    match_text(&files, &world,
        "vehicle,time_ms,x,y,speed,heading\n"
        "a,0,350,498.4,14,90\n"
        "b,1000,20,495,,\n"
        "a,10000,490,498.4,14,90\n"
        "a,20000,630,498.4,14,90\n"
        "a,20000,640,498.4,14,90\n"
        ",20000,640,498.4,14,90\n"
        "a,yesterday,640,498.4,14,90\n"
        "a,30000,640,north,14,90\n"
        "a,30000,640,498.4,-1,90\n"
        "a,30000,640,498.4,14,east\n"
        "a,30000,640\n"
        "a,55000,980,498.4,14,90\n"
        "a,56000,5000,5000,14,90\n",
        10, &run);
    assert_non_null(strstr(files.matched, "a,20000,on,BC,120.0,630.00,498.40,0.0,BC\n"));
    assert_non_null(strstr(files.matched, "a,56000,off,,,,,,\n"));
    assert_non_null(strstr(files.matched, "b,1000,begin,"));
    /* 2 s through the junction of the 10.57 s that 140 m take at the limit: AB is left at its end, at once. */
    assert_non_null(strstr(files.edges, "vehicle,edge,enter_ms,leave_ms,whole\na,AB,0,10000,0\n"));
    assert_non_null(strstr(files.edges, "a,BC,10000,55000,0\n"));
    assert_string_equal(files.broken.ptr, "p.csv:6: it is not later than the vehicle's point before\n"
                                          "p.csv:7: a vehicle's name has 1 to 64 bytes\n"
                                          "p.csv:8: the time is not a whole number of milliseconds from 0 to 2^43\n"
                                          "p.csv:9: the place is not two numbers\n"
                                          "p.csv:10: the speed is not a number of metres a second from 0 to 1000\n"
                                          "p.csv:11: the heading is not a number of degrees\n"
                                          "p.csv:12: fewer fields than columns\n");
    assert_true(run.n_lines == 13 && run.n_broken == 7 && run.n_matched == 5 && run.n_off == 1 && run.n_tracks == 2);
    files_finish(&files);
    world_finish(&world);
}

/* Past the most vehicles at once the one silent longest ends; when it speaks again it begins anew. */
static void few_vehicles_at_once(void **state)
{
    struct world world;
    struct files files;
    struct road_match_run run;
    world_init(&world, SMALL, ROAD_MATCH_FILE);
    match_text(&files, &world,
        "vehicle,time_ms,x,y\na,0,100,498\nb,0,100,498\na,9000,200,498\nc,9000,100,498\nb,10000,200,498\na,12000,240,498\n", 2, &run);
    assert_true(run.n_matched == 6 && run.n_tracks == 5 && run.n_broken == 0);
    files_finish(&files);
    world_finish(&world);
}

static void times_on_edges_follow_the_way(void **state)
{
    struct world world;
    struct files files;
    struct road_match_run run;
    world_init(&world, SMALL, ROAD_MATCH_FILE);
    /* 107 s from the end of AB to the end of BA at the limit; here it takes twice as long. */
    match_text(&files, &world, "vehicle,time_ms,x,y\na,0,420,498\na,10000,490,498\na,154000,990,502\na,224000,500,502\na,225000,490,502\n",
        2, &run);
    assert_non_null(strstr(files.edges, "a,AB,0,10000,0\n"));
    const char *line = strstr(files.edges, "a,BC,10000,");
    assert_non_null(line);
    long long left_ms = strtoll(line + strlen("a,BC,10000,"), NULL, 10);
    assert_true(left_ms > 145000 && left_ms < 154000); /* 37 s of the 37.7 s that the way takes at the limit */
    assert_non_null(strstr(line, ",1\na,CB,"));
    files_finish(&files);
    world_finish(&world);
}

int main(void)
{
    seed = first_seed = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drive_is_followed),
        cmocka_unit_test(ways_between_sparse_points_are_found),
        cmocka_unit_test(a_heading_tells_the_side),
        cmocka_unit_test(tracks_break),
        cmocka_unit_test(laws_hold_for_any_points),
        cmocka_unit_test(memory_can_be_short),
        cmocka_unit_test(a_table_becomes_two),
        cmocka_unit_test(few_vehicles_at_once),
        cmocka_unit_test(times_on_edges_follow_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
