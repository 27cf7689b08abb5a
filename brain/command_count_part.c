/*
 * `citybrain count-part CITY --part 2/3 …`: one part of a city's plates, for a count in several processes (docs/scale.md). It knows which
 * vehicle each passage was, and says of it over the bus only what the sums need. Runs until SIGINT or SIGTERM. With --data it keeps its
 * vehicles there when it is asked to, each minute; however it was ended, the next one goes on from there.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "brain/bus.h"
#include "brain/city.h"
#include "brain/commands.h"
#include "brain/count_bus.h"
#include "brain/ending.h"
#include "brain/files.h"
#include "brain/notify.h"
#include "scene/count/areas.h"
#include "scene/count/part.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SETTLE_ROUNDS 3

enum { PART_PART, PART_NETWORK, PART_AS, PART_DATA, PART_LOG, PART_BUS };
static const struct command_option options[] = {
    {"part", "I/K", "which of how many parts of the plates, by their hash"},
    {"network", "N.net.xml", "the road network; the same file as where the sums are"},
    {"as", "AREA/PARTY", "the party that counts: hangzhou/scene.count"},
    {"data", "DIR", "where its vehicles are kept, so that the count goes on however this process or the sums are ended (default: nowhere)"},
    {"log", "LEVEL", "error, warning, notice, info or debug (default notice)"},
    BRAIN_BUS_OPTIONS,
    {NULL, NULL, NULL},
};

struct serving {
    const char *party; /* that counts; its processes may ask, and its area's hub */
    char hub[CITY_PATH_MAX], parties[CITY_PATH_MAX], door[COUNT_BUS_DOOR];
    char snapshots[COUNT_PART_SLOTS][CITY_PATH_MAX]; /* empty: nowhere */
    struct count_part_store store;
    struct city city;
    struct road_network *network;
    struct count_areas areas;
    struct count_part *part;
    struct loop *loop;
    struct brain_bus bus;
    struct ending ending;
    struct loop_timer beat;
    struct count_part_counters told;
};

static void tell(struct serving *serving, struct str asker)
{
    struct count_part_counters counters = count_part_counters(serving->part);
    if (counters.n_runs != serving->told.n_runs)
        log_write(LOG_NOTICE, "count", "a count begins, with none of the vehicles of before", LOG_STR("asker", asker), LOG_END);
    if (counters.n_loaded != serving->told.n_loaded)
        log_write(LOG_NOTICE, "count", "it goes on with the vehicles that it kept", LOG_INT("vehicles", counters.n_known), LOG_END);
    if (counters.n_lost != serving->told.n_lost)
        log_write(LOG_NOTICE, "count", "it has not the vehicles that it is asked of, and is to be asked from what it has",
            LOG_STR("asker", asker), LOG_END);
    serving->told = counters;
}

static void on_question(void *context, struct bus_question *question)
{
    struct serving *serving = context;
    struct str asker = bus_question_party(question), answer;
    if (!str_equal_c(asker, serving->party) && !str_equal_c(asker, serving->hub)) {
        log_write(LOG_WARNING, "count", "a party that does not count here asked, and gets no answer", LOG_STR("party", asker), LOG_END);
        bus_question_drop(question);
        return;
    }
    enum err err = count_part_answer(serving->part, bus_question_bytes(question), &answer);
    if (err == ERR_OK)
        err = bus_question_answer(question, answer, true);
    if (err != ERR_OK) {
        log_write(LOG_WARNING, "count", "a question got no answer", LOG_ERR(err), LOG_END);
        bus_question_drop(question);
    }
    tell(serving, asker);
}

/* ---- what it keeps ---- */

static enum err write_slot(void *context, uint32_t slot, struct str bytes)
{
    const struct serving *serving = context;
    enum err err = file_replace(file_ops_system(), serving->snapshots[slot], bytes);
    if (err != ERR_OK)
        log_write(LOG_ERROR, "count", "its vehicles could not be kept", LOG_TEXT("file", serving->snapshots[slot]), LOG_ERR(err), LOG_END);
    return err;
}

static enum err read_slot(void *context, uint32_t slot, struct buf *out)
{
    const struct serving *serving = context;
    return file_read(serving->snapshots[slot], out);
}

/* No obstacle: what is not here is asked for. */
static void refused_slot(void *context, uint32_t slot, const char *why)
{
    const struct serving *serving = context;
    log_write(LOG_WARNING, "count", "vehicles that were kept cannot be used", LOG_TEXT("file", serving->snapshots[slot]),
        LOG_TEXT("why", why), LOG_END);
}

/* --data */
static enum err find_store(struct serving *serving, const char *dir, struct diag_list *diags)
{
    struct diag diag = {""};
    enum err err = files_make_folder(dir, &diag);
    for (uint32_t slot = 0; slot < COUNT_PART_SLOTS && err == ERR_OK; slot++) {
        int len = snprintf(
            serving->snapshots[slot], sizeof(serving->snapshots[slot]), "%s/count-part-%s.%u.snapshot", dir, serving->door, slot + 1);
        if (len < 0 || (size_t)len >= sizeof(serving->snapshots[slot]))
            err = ERR_TOO_LARGE;
    }
    serving->store = (struct count_part_store){write_slot, read_slot, refused_slot, serving};
    return err == ERR_OK ? err : diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
}

static enum err load(struct serving *serving, const struct command_line *line, uint32_t part, uint32_t n, struct diag_list *diags)
{
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    struct diag diag = {""};
    enum err err = city_load(line->words[0], NULL, diags, &serving->city);
    if (err != ERR_OK)
        return err;
    int len = snprintf(serving->hub, sizeof(serving->hub), STR_FORMAT "/hub", STR_ARG(serving->city.name));
    if (len < 0 || (size_t)len >= sizeof(serving->hub))
        return ERR_TOO_LARGE;
    err = road_network_load(line->values[PART_NETWORK], &diag, &serving->network);
    if (err == ERR_OK)
        err = count_areas_whole(serving->network, &serving->areas);
    const struct count_map map = {serving->network, serving->areas.edge_areas, serving->areas.parents, serving->areas.n, NULL};
    if (err == ERR_OK)
        err = count_part_create(&settings, &map, part, n, line->values[PART_DATA] ? &serving->store : NULL, &serving->part);
    return err == ERR_OK ? err : diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
}

static enum err go_up(struct serving *serving, const struct command_line *line, struct diag_list *diags)
{
    struct brain_bus_options bus = brain_bus_read(&line->values[PART_BUS]);
    bus.is_reserved = true; /* who wants any process of the party wants another one */
    enum err err = city_path(serving->city.dir, "parties.yaml", serving->parties);
    bus.parties = serving->parties;
    if (err == ERR_OK)
        err = loop_create(clock_system(), &serving->loop);
    if (err == ERR_OK)
        err = brain_bus_open(
            &bus, NULL, str_from_c(serving->party), serving->loop, on_question, serving, serving->door, diags, &serving->bus);
    if (err == ERR_OK)
        err = ending_watch(&serving->ending, serving->loop);
    return err;
}

static void go_down(struct serving *serving)
{
    ending_unwatch(&serving->ending);
    brain_bus_destroy(&serving->bus);
    brain_bus_close(&serving->bus);
    for (int i = 0; i < SETTLE_ROUNDS && serving->loop; i++)
        if (loop_run_once(serving->loop, 0))
            break;
    loop_destroy(serving->loop);
    count_part_destroy(serving->part);
    count_areas_finish(&serving->areas);
    road_network_destroy(serving->network);
    ending_finish(&serving->ending);
}

static void run_loop(struct serving *serving, const char *part, enum err *ret_err)
{
    log_write(LOG_NOTICE, "count", "a part of the plates is served", LOG_TEXT("part", part), LOG_TEXT("party", serving->party), LOG_END);
    notify_ready(0);
    notify_each_second(serving->loop, &serving->beat);
    *ret_err = loop_run(serving->loop);
    struct count_part_counters counters = count_part_counters(serving->part);
    log_write(LOG_NOTICE, "count", "stopping", LOG_INT("questions", (int64_t)counters.n_questions),
        LOG_INT("passages", (int64_t)counters.n_passages), LOG_INT("vehicles", counters.n_known), LOG_END);
    notify_stopping();
    loop_timer_stop(&serving->beat);
}

static int run_count_part(const struct command_line *line)
{
    uint32_t part = 0, n = 0;
    if (line->values[PART_LOG] && !command_set_log_level(line->values[PART_LOG]))
        return 2;
    if (!line->values[PART_PART] || !line->values[PART_NETWORK] || !line->values[PART_AS]) {
        fprintf(stderr, "citybrain count-part: --part, --network and --as are needed; see citybrain count-part --help\n");
        return 2;
    }
    if (!command_part(line->values[PART_PART], COUNT_PARTS_MAX, &part, &n))
        return 2;
    struct serving *serving = mem_alloc_zero(1, sizeof(*serving));
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!serving || !diags)
        return 2;
    serving->party = line->values[PART_AS];
    serving->ending = ENDING_NONE;
    count_bus_door(part, n, serving->door);
    enum err err = line->values[PART_DATA] ? find_store(serving, line->values[PART_DATA], diags) : ERR_OK;
    if (err == ERR_OK)
        err = load(serving, line, part, n, diags);
    if (err == ERR_OK)
        err = ending_block(&serving->ending, false);
    if (err == ERR_OK)
        err = go_up(serving, line, diags);
    if (err == ERR_OK) {
        run_loop(serving, line->values[PART_PART], &err);
    } else {
        for (size_t i = 0; i < diags->n; i++)
            fprintf(stderr, "citybrain count-part: %s\n", diags->diags[i].text);
        if (diags->n == 0)
            fprintf(stderr, "citybrain count-part: it did not start: %s\n", err_text(err));
    }
    go_down(serving);
    mem_free(serving);
    mem_free(diags);
    return err == ERR_OK ? 0 : 2;
}

const struct command command_count_part = {
    "count-part", "CITY --part I/K …", "one part of a city's plates, for a count in several processes", options, 1, 1, run_count_part};
