/*
 * cityworld: the simulated city. Reads the city's files, fills its streets, then lets a second of the city pass in each second:
 * a step of SUMO, the cameras' readings, the truth. See docs/world.md.
 */
#include "base/log.h"
#include "base/mem.h"
#include "world/options.h"
#include "world/streets.h"

#include <stdio.h>
#include <string.h>

#define SETTLE_S 90 /* seconds after which a filled city moves as if it had always been there */

struct world {
    struct world_options options;
    char data_dir[512], network_path[640], path[640];
    struct world_city city;
    struct demand_plan plan;
    struct plates plates;
    struct road_network *network;
    struct streets *streets;
};

static void tell(const struct diag_list *diags)
{
    for (size_t i = 0; i < diags->n; i++)
        (void)fprintf(stderr, "cityworld: %s\n", diags->diags[i].text);
}

/* The files, each error told with its place. */
static enum err world_load(struct world *world, struct diag_list *diags)
{
    struct world_options *options = &world->options;
    struct str path = str_from_c(options->city_dir), folder, name;
    while (str_ends_with(path, STR("/")))
        path = str_slice(path, 0, path.len - 1);
    if (!str_cut_last(path, '/', &folder, &name))
        name = path;
    if (options->data_dir)
        (void)snprintf(world->data_dir, sizeof world->data_dir, "%s", options->data_dir);
    else
        (void)snprintf(world->data_dir, sizeof world->data_dir, "var/" STR_FORMAT, STR_ARG(name));
    enum err err = world_city_load(options->city_dir, world->data_dir, diags, &world->city);
    (void)snprintf(world->path, sizeof world->path, "%s/world/demand.yaml", options->city_dir);
    err = err ? err : demand_plan_load(world->path, diags, &world->plan);
    if (err)
        return err;
    world->plan.peak = options->peak > 0 ? options->peak : world->plan.peak;
    struct diag diag = {""};
    (void)snprintf(world->path, sizeof world->path, "%s/world/plates.txt", world->data_dir);
    err = plates_load(world->path, &diag, &world->plates);
    (void)snprintf(world->network_path, sizeof world->network_path, "%s/road/network.net.xml", world->data_dir);
    err = err ? err : road_network_load(world->network_path, &diag, &world->network);
    if (err && diag.text[0])
        (void)diag_add(diags, err, NULL, 0, "%s", diag.text);
    return err;
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
    err = err ? err : streets_warm_up(world->streets, SETTLE_S);
    if (err) {
        (void)diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
        return err;
    }
    (void)fprintf(stderr, "cityworld: %u vehicles on the road after %.1f s of warming up\n", streets_n_running(world->streets),
        (double)mono_ms_between(begin, clock_mono(clock_system())) / 1000);
    return ERR_OK;
}

static void world_finish(struct world *world)
{
    streets_destroy(world->streets);
    road_network_destroy(world->network);
    plates_finish(&world->plates);
    world_city_finish(&world->city);
}

static void tell_traffic(struct world *world, uint64_t n_passages)
{
    const char *why;
    unsigned day_s = (unsigned)streets_day_s(world->streets);
    uint64_t refused = streets_n_refused(world->streets, &why);
    (void)fprintf(stderr, "cityworld: %02u:%02u  %u vehicles, %llu passages, %llu teleported, %llu stayed at home, %llu refused%s%s\n",
        day_s / 3600, day_s / 60 % 60, streets_n_running(world->streets), (unsigned long long)n_passages,
        (unsigned long long)streets_n_teleported(world->streets), (unsigned long long)streets_n_stayed(world->streets),
        (unsigned long long)refused, refused ? ": " : "", refused ? why : "");
}

static void count_passage(void *context, const struct streets_passage *passage)
{
    uint64_t *n = context;
    (void)passage;
    (*n)++;
}

static enum err world_rehearse(struct world *world)
{
    uint64_t n_passages = 0;
    enum err err = ERR_OK;
    for (uint32_t i = 1; i <= world->options.rehearse_s && !err; i++) {
        err = streets_step(world->streets, count_passage, &n_passages);
        if (!err && i % 60 == 0)
            tell_traffic(world, n_passages);
    }
    return err;
}

int main(int argc, char **argv)
{
    static struct world world;
    static struct diag_list diags;
    world_options_parse(argc, argv, &world.options);
    enum err err = world_load(&world, &diags);
    err = err ? err : world_fill(&world, &diags);
    if (!err && world.options.rehearse_s > 0)
        err = world_rehearse(&world);
    tell(&diags);
    world_finish(&world);
    return err ? 1 : 0;
}
