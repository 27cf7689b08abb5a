/*
 * cityworld: the simulated city. Reads the city's files, fills its streets, then lets a second of the city pass in each second:
 * a step of SUMO, the cameras' readings, the truth. See docs/world.md.
 *
 * One thread, one loop. It waits for the brain, survives its restarts, and ends when SUMO ends: the brain must then see its
 * figures grow stale, and a new cityworld heals them.
 */
#include "base/log.h"
#include "base/mem.h"
#include "world/beat.h"
#include "world/cameras.h"
#include "world/fleet.h"
#include "world/loops.h"
#include "world/options.h"
#include "world/streets.h"
#include "world/truth.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SETTLE_S 20        /* seconds until the vehicles that were put on the roads have found their gaps; queues build up afterwards */
#define BEHIND_MAX_MS 2000 /* later than this, lost time is not caught up: the machine is too slow for the speed asked */
#define ABSENT_MS 100      /* how often a standing city looks whether the brain has come */
#define TICK_MS 250        /* how often the cameras look what is due, at least */
#define TELL_MS 60000      /* between two lines of progress */
#define TELL_EARLY_MS 3000 /* the first line comes soon: somebody is watching */

struct world {
    struct world_options options;
    char data_dir[512], network_path[640], path[640], token_path[640], brain[160];
    struct world_city city;
    struct demand_plan plan;
    struct plates plates;
    struct road_network *network;
    struct streets *streets;
    struct rng rng;
    struct loop *loop;
    struct http_client *client;
    struct cameras *cameras;
    struct truth *truth;
    struct fleet *fleet;
    struct loops *loops;
    struct brain_clock clock;
    struct loop_timer step_timer, tick_timer, tell_timer;
    struct mono_time step_due;
    int64_t truth_ms; /* of the monotonic clock, when it was last published */
    uint64_t n_passages, n_missed, n_skipped;
    enum err err;
};

/* ---- starting ---- */

static void tell(const struct diag_list *diags)
{
    for (size_t i = 0; i < diags->n; i++)
        (void)fprintf(stderr, "cityworld: %s\n", diags->diags[i].text);
}

/* Where everything is: from the options and the city's name. */
static void world_name(struct world *world)
{
    const struct world_options *options = &world->options;
    struct str path = str_from_c(options->city_dir), folder, name;
    while (str_ends_with(path, STR("/")))
        path = str_slice(path, 0, path.len - 1);
    if (!str_cut_last(path, '/', &folder, &name))
        name = path;
    if (options->data_dir)
        (void)snprintf(world->data_dir, sizeof world->data_dir, "%s", options->data_dir);
    else
        (void)snprintf(world->data_dir, sizeof world->data_dir, "var/" STR_FORMAT, STR_ARG(name));
    (void)snprintf(world->network_path, sizeof world->network_path, "%s/road/network.net.xml", world->data_dir);
}

/* The files, each error told with its place. */
static enum err world_load(struct world *world, struct diag_list *diags)
{
    struct diag diag = {""};
    enum err err = world_city_load(world->options.city_dir, world->data_dir, diags, &world->city);
    (void)snprintf(world->path, sizeof world->path, "%s/world/demand.yaml", world->options.city_dir);
    err = err ? err : demand_plan_load(world->path, diags, &world->plan);
    if (err)
        return err;
    world->plan.peak = world->options.peak > 0 ? world->options.peak : world->plan.peak;
    (void)snprintf(world->path, sizeof world->path, "%s/world/plates.txt", world->data_dir);
    err = plates_load(world->path, &diag, &world->plates);
    err = err ? err : road_network_load(world->network_path, &diag, &world->network);
    if (err && diag.text[0])
        (void)diag_add(diags, err, NULL, 0, "%s", diag.text);
    (void)snprintf(world->token_path, sizeof world->token_path, "%s/tokens/%s_world", world->data_dir, world->city.name);
    if (world->options.brain)
        (void)snprintf(world->brain, sizeof world->brain, "%s", world->options.brain);
    else
        (void)snprintf(world->brain, sizeof world->brain, "http://%s:%d", world->city.address,
            world->options.port ? world->options.port : (int)world->city.port);
    return err;
}

/* Has somebody asked the world to end, before its loop runs? */
static bool is_asked_to_end(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1);
}

static void on_position(void *context, const struct streets_position *position)
{
    struct world *world = context;
    const struct fleet_position one = {position->plate, position->point, position->speed_mps, position->heading};
    if (world->fleet)
        fleet_add(world->fleet, &one);
}

static enum err world_fill(struct world *world, struct diag_list *diags)
{
    struct diag diag = {""};
    const struct streets_options options = {.city = &world->city,
        .network = world->network,
        .plan = &world->plan,
        .plates = &world->plates,
        .network_path = world->network_path,
        .data_dir = world->data_dir,
        .from_s = world->options.from_s,
        .seed = world->options.seed};
    struct mono_time begin = clock_mono(clock_system());
    enum err err = streets_create(&options, &diag, &world->streets);
    if (!err && world->city.fleet.broker[0] && world->options.rehearse_s == 0)
        streets_follow(world->streets, FLEET_ONE_IN, FLEET_EVERY_S, on_position, world);
    err = err ? err : streets_warm_up(world->streets, SETTLE_S, is_asked_to_end);
    if (err) {
        (void)diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
        return err;
    }
    (void)fprintf(stderr, "cityworld: %u vehicles on the road, %u cameras; warmed up in %.1f s\n", streets_n_running(world->streets),
        world->city.n_cameras, (double)mono_ms_between(begin, clock_mono(clock_system())) / 1000);
    return ERR_OK;
}

static enum err world_connect(struct world *world)
{
    bool *is_dead = mem_alloc_zero(world->city.n_cameras + 1, sizeof *is_dead);
    if (!is_dead)
        return ERR_NO_MEMORY;
    world->rng.state = world->options.seed ^ 0xCA3E4A;
    faults_choose_dead(&world->options.faults, &world->rng, is_dead, world->city.n_cameras);
    brain_clock_init(&world->clock, world->options.speed);
    enum err err = http_client_create(world->loop, CAMERA_CONNECTIONS, &world->client);
    err = err ? err : cameras_create(world->loop, world->client, &world->city, world->brain, &world->clock, is_dead, &world->cameras);
    err = err ? err : truth_create(world->client, &world->city, world->brain, &world->clock, world->token_path, &world->truth);
    err = err ? err : fleet_create(&world->city, &world->clock, world->options.seed, &world->fleet);
    err = err ? err
              : loops_create(
                    &world->city, world->network, streets_counted(world->streets), &world->clock, world->options.seed, &world->loops);
    mem_free(is_dead);
    return err;
}

static void world_finish(struct world *world)
{
    http_client_destroy(world->client);
    cameras_destroy(world->cameras);
    truth_destroy(world->truth);
    fleet_destroy(world->fleet);
    loops_destroy(world->loops);
    streets_destroy(world->streets);
    road_network_destroy(world->network);
    plates_finish(&world->plates);
    world_city_finish(&world->city);
    loop_destroy(world->loop);
}

/* ---- a second of the city ---- */

static struct mono_time now_of(const struct world *world)
{
    return clock_mono(loop_clock(world->loop));
}

static void on_passage(void *context, const struct streets_passage *passage)
{
    struct world *world = context;
    const struct plate *plate = &world->plates.plates[passage->plate];
    loops_add(world->loops, passage);
    if (passage->camera == STREETS_NONE)
        return;
    struct reading reading = faults_read(&world->options.faults, &world->rng, plate->text);
    world->n_passages++;
    if (!reading.is_read) {
        world->n_missed++;
        return;
    }
    struct viid_passage out = {.time = brain_clock_at(&world->clock, now_of(world)),
        .lane = (uint8_t)passage->lane,
        .confidence = (uint8_t)reading.confidence,
        .speed_mps = (float)passage->speed_mps};
    out.time.ms -= (int64_t)(passage->age_s * 1000);
    (void)snprintf(out.plate, sizeof out.plate, "%s", reading.plate);
    (void)snprintf(out.plate_class, sizeof out.plate_class, "%s", plate->plate_class);
    (void)snprintf(out.vehicle_type, sizeof out.vehicle_type, "%s", plate->vehicle_type);
    cameras_add(world->cameras, passage->camera, &out);
    if (reading.is_twice)
        cameras_add_again(world->cameras, passage->camera);
}

static void publish_truth(struct world *world)
{
    int64_t now_ms = now_of(world).ns / 1000000;
    if (now_ms - world->truth_ms < 900 && world->options.speed > 1)
        return;
    world->truth_ms = now_ms;
    truth_publish(world->truth, streets_area_counts(world->streets), now_of(world));
}

static void on_step(struct loop_timer *timer)
{
    struct world *world = container_of(timer, struct world, step_timer);
    if (!world->clock.is_set) { /* the brain is not there yet: the city stands still, as nobody would see it */
        world->step_due = now_of(world);
        beat_again(world->loop, timer, ABSENT_MS, &world->err);
        return;
    }
    enum err err = streets_step(world->streets, on_passage, world);
    if (err) {
        (void)fprintf(stderr, "cityworld: SUMO has ended (%s); start cityworld again to go on\n", err_text(err));
        world->err = err;
        loop_stop(world->loop);
        return;
    }
    cameras_tick(world->cameras);
    fleet_tick(world->fleet, now_of(world));
    loops_tick(world->loops, now_of(world));
    publish_truth(world);
    world->step_due.ns += (int64_t)(1e9 / world->options.speed);
    int64_t wait_ms = mono_ms_between(now_of(world), world->step_due);
    if (wait_ms < -BEHIND_MAX_MS) {
        world->step_due = now_of(world);
        world->n_skipped++;
    }
    beat_again(world->loop, timer, wait_ms, &world->err);
}

static void on_tick(struct loop_timer *timer)
{
    struct world *world = container_of(timer, struct world, tick_timer);
    cameras_tick(world->cameras);
    fleet_tick(world->fleet, now_of(world));
    loops_tick(world->loops, now_of(world));
    beat_again(world->loop, timer, TICK_MS, &world->err);
}

static void on_tell(struct loop_timer *timer)
{
    struct world *world = container_of(timer, struct world, tell_timer);
    struct cameras_counts cameras;
    struct truth_counts truth;
    struct fleet_counts fleet;
    struct loops_counts loops;
    const char *why;
    unsigned day_s = (unsigned)streets_day_s(world->streets);
    cameras_count(world->cameras, &cameras);
    truth_count(world->truth, &truth);
    uint64_t refused = streets_n_refused(world->streets, &why);
    (void)fprintf(stderr,
        "cityworld: %02u:%02u %u vehicles; %u of %u cameras registered; passages %llu, missed %llu, accepted %llu, refused %llu, dropped "
        "%llu, "
        "waiting %u; truth %llu; tried again %llu%s%s",
        day_s / 3600, day_s / 60 % 60, streets_n_running(world->streets), cameras.n_registered, world->city.n_cameras,
        (unsigned long long)world->n_passages, (unsigned long long)world->n_missed, (unsigned long long)cameras.n_sent,
        (unsigned long long)cameras.n_refused, (unsigned long long)cameras.n_dropped, cameras.n_waiting,
        (unsigned long long)truth.n_accepted, (unsigned long long)(cameras.n_failed + truth.n_failed),
        cameras.why[0] || truth.why[0] ? ": " : "", cameras.why[0] ? cameras.why : truth.why);
    fleet_count(world->fleet, &fleet);
    if (world->city.fleet.broker[0])
        (void)fprintf(stderr, "; the fleet's broker is %s, messages %llu, positions dropped %llu", fleet.is_connected ? "there" : "away",
            (unsigned long long)fleet.n_sent, (unsigned long long)fleet.n_dropped);
    loops_count(world->loops, &loops);
    if (world->city.loops.broker[0])
        (void)fprintf(stderr, "; the loops' broker is %s, messages %llu, rows dropped %llu", loops.is_connected ? "there" : "away",
            (unsigned long long)loops.n_sent, (unsigned long long)loops.n_dropped);
    if (world->n_skipped)
        (void)fprintf(stderr, "; the machine is too slow for this speed, %llu times", (unsigned long long)world->n_skipped);
    if (refused)
        (void)fprintf(stderr, "; SUMO refused %llu: %s", (unsigned long long)refused, why);
    (void)fprintf(stderr, "\n");
    beat_again(world->loop, timer, TELL_MS, &world->err);
}

/* ---- life ---- */

static void on_signal(void *context, uint32_t events)
{
    struct world *world = context;
    (void)events;
    loop_stop(world->loop);
}

static enum err world_live(struct world *world)
{
    sigset_t signals;
    struct loop_watch *watch = NULL;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return err_from_errno(errno);
    enum err err = loop_watch_fd(world->loop, fd, EPOLLIN, on_signal, world, &watch);
    err = err ? err : world_connect(world);
    world->step_timer.fn = on_step;
    world->tick_timer.fn = on_tick;
    world->tell_timer.fn = on_tell;
    err = err ? err : loop_timer_start(world->loop, &world->step_timer, 0);
    err = err ? err : loop_timer_start(world->loop, &world->tick_timer, 0);
    err = err ? err : loop_timer_start(world->loop, &world->tell_timer, TELL_EARLY_MS);
    if (!err)
        (void)fprintf(stderr, "cityworld: the cameras speak to %s\n", world->brain);
    err = err ? err : loop_run(world->loop);
    loop_unwatch(watch);
    (void)close(fd);
    return err ? err : world->err;
}

static void count_passage(void *context, const struct streets_passage *passage)
{
    uint64_t *n = context;
    *n += passage->camera != STREETS_NONE;
}

/* Without a brain: how does traffic do under this demand? */
static enum err world_rehearse(struct world *world)
{
    uint64_t n_passages = 0;
    const char *why;
    enum err err = ERR_OK;
    for (uint32_t i = 1; i <= world->options.rehearse_s && !err; i++) {
        err = streets_step(world->streets, count_passage, &n_passages);
        if (err || (i % 60 != 0 && i != world->options.rehearse_s))
            continue;
        unsigned day_s = (unsigned)streets_day_s(world->streets);
        uint64_t refused = streets_n_refused(world->streets, &why);
        (void)printf("%02u:%02u %u vehicles, %llu passages, %llu teleported, %llu stayed at home, %llu refused%s%s\n", day_s / 3600,
            day_s / 60 % 60, streets_n_running(world->streets), (unsigned long long)n_passages,
            (unsigned long long)streets_n_teleported(world->streets), (unsigned long long)streets_n_stayed(world->streets),
            (unsigned long long)refused, refused ? ": " : "", refused ? why : "");
        (void)fflush(stdout);
    }
    return err;
}

/* The city's files alone: nothing that was made of them, no SUMO, no brain. */
static int world_check(struct world *world, struct diag_list *diags)
{
    enum err city_err = world_city_load(world->options.city_dir, NULL, diags, &world->city);
    (void)snprintf(world->path, sizeof world->path, "%s/world/demand.yaml", world->options.city_dir);
    enum err plan_err = demand_plan_load(world->path, diags, &world->plan);
    for (size_t i = 0; i < diags->n; i++)
        (void)fprintf(stderr, "%s\n", diags->diags[i].text);
    if (city_err == ERR_OK)
        world_city_finish(&world->city);
    if (city_err == ERR_OK && plan_err == ERR_OK) {
        (void)printf("%s: no errors\n", world->options.city_dir);
        return 0;
    }
    (void)fprintf(stderr, "%zu %s\n", diags->n, diags->n == 1 ? "error" : "errors");
    return 1;
}

/* Signals that the loop handles are blocked everywhere from the start, so that none ends the world between two lines. */
static void hold_signals(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    static struct world world;
    static struct diag_list diags;
    world_options_parse(argc, argv, &world.options);
    if (world.options.is_check)
        return world_check(&world, &diags);
    if (world.options.rehearse_s == 0)
        hold_signals();
    world_name(&world);
    enum err err = loop_create(clock_system(), &world.loop);
    err = err ? err : world_load(&world, &diags);
    err = err ? err : world_fill(&world, &diags);
    if (!err)
        err = world.options.rehearse_s > 0 ? world_rehearse(&world) : world_live(&world);
    if (err != ERR_CANCELLED)
        tell(&diags);
    world_finish(&world);
    return err && err != ERR_CANCELLED ? 1 : 0;
}
