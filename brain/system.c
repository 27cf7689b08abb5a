/*
 * One department's process. Up: city → data folder → the city's files as a hub that serves nobody (its grants compiled here, by the
 * department's own connectors; other departments' systems are only names) → the journal of what is served → the bus, outward.
 * Down: the bus, then what is under way, then the rest. Nothing listens here.
 */
#include "brain/system.h"
#include "brain/ending.h"

#include "base/log.h"
#include "base/mem.h"
#include "brain/city.h"
#include "brain/connectors.h"
#include "brain/files.h"
#include "brain/notify.h"
#include "hub/feed.h"
#include "hub/record.h"
#include "system/bus/absent.h"
#include "system/bus/system_bus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_BAD_INPUT 2
#define EXIT_CANNOT_STORE 74 /* EX_IOERR of sysexits.h */
#define SETTLE_ROUNDS 50     /* at the end: answers that the department is still to give, 10 ms each */

struct department {
    const struct system_options *options;
    struct city city;
    char data_dir[CITY_PATH_MAX], streams_key[CITY_PATH_MAX];
    struct loop *loop;
    struct bus *inside;
    struct hub *hub;
    struct journal *journal;
    struct hub_record *record;
    struct system_bus_server *server;
    struct brain_bus bus;
    struct system_bus_follower *follower;
    struct ending ending;
    struct loop_timer beat; /* systemd's watchdog */
};

static void cannot_store(void *context, const char *part, enum err err)
{
    log_write(LOG_ERROR, part, "the disk refused; the department's process stops, so that nothing is answered that is not written down",
        LOG_ERR(err), LOG_END);
    _exit(EXIT_CANNOT_STORE);
}

static void journal_stopped(void *context, enum err err)
{
    cannot_store(context, "served", err);
}

static enum err load(struct department *department, struct diag_list *diags)
{
    const struct system_options *options = department->options;
    enum err err = city_load(options->city_dir, options->data_dir, diags, &department->city);
    if (err != ERR_OK || options->data_dir)
        return err;
    /* Beside a brain on the same machine: a folder of its own. */
    const char *name = strrchr(options->party, '/');
    int len =
        snprintf(department->data_dir, sizeof(department->data_dir), "%s-%s", department->city.data_dir, name ? name + 1 : options->party);
    if (len < 0 || len >= (int)sizeof(department->data_dir))
        return ERR_TOO_LARGE;
    memcpy(department->city.data_dir, department->data_dir, (size_t)len + 1);
    return ERR_OK;
}

static enum err open_hub(struct department *department, struct diag_list *diags)
{
    const struct hub_reach reach = {.ops = system_absent_ops, .context = (void *)(uintptr_t)department->options->party};
    const struct hub_options options = {.city_dir = department->city.dir,
        .data_dir = department->city.data_dir,
        .area = department->city.name,
        .zone = department->city.zone,
        .epochs_kept_ms = department->city.epoch_keys_kept_ms,
        .clock = clock_system(),
        .loop = department->loop,
        .reach = &reach,
        .keeper = hub_record_keeper(department->record),
        .bus = department->inside,
        .connectors = connectors_known,
        .is_demo = department->city.is_demo,
        .fatal = cannot_store};
    enum err err = hub_create(&options, diags, &department->hub);
    if (err == ERR_OK && !hub_party_find(department->hub, str_from_c(department->options->party)))
        err =
            diag_add(diags, ERR_NOT_FOUND, "parties.yaml", 0, "there is no party \"%s\"; --party is AREA/NAME", department->options->party);
    return err;
}

static enum err open_journal(struct department *department, struct diag_list *diags)
{
    char path[CITY_PATH_MAX];
    struct diag diag = {""};
    enum err err = city_path(department->city.data_dir, "served", path);
    const struct journal_options options = {.dir = path, .on_stopped = journal_stopped};
    if (err == ERR_OK)
        err = journal_open(&options, &diag, &department->journal);
    return err == ERR_OK ? err : diag_add(diags, err, path, 0, "%s", diag.text[0] ? diag.text : err_text(err));
}

static void record_stopped(void *context, enum err err)
{
    cannot_store(context, "streams", err);
}

static enum err open_record(struct department *department, struct diag_list *diags)
{
    char path[CITY_PATH_MAX];
    struct diag diag = {""};
    enum err err = city_path(department->city.data_dir, "streams", path);
    if (err == ERR_OK)
        err = hub_record_open(department->record, department->hub, str_from_c(department->options->party), path, &diag);
    return err == ERR_OK ? err : diag_add(diags, err, diag.text[0] ? NULL : path, 0, "%s", diag.text[0] ? diag.text : err_text(err));
}

static enum err go_up(struct department *department, struct diag_list *diags)
{
    const struct hub_record_options record = {.on_stopped = record_stopped, .key_path = department->streams_key};
    struct diag diag = {""};
    enum err err = loop_create(clock_system(), &department->loop);
    if (err == ERR_OK)
        err = bus_create(&department->inside);
    if (err == ERR_OK && (err = files_make_folder(department->city.data_dir, &diag)) != ERR_OK)
        diag_add(diags, err, NULL, 0, "%s", diag.text);
    if (err == ERR_OK)
        err = open_journal(department, diags);
    if (err == ERR_OK)
        err = city_path(department->city.data_dir, "secrets/streams", department->streams_key);
    if (err == ERR_OK)
        err = hub_record_create(&record, &department->record);
    if (err == ERR_OK)
        err = open_hub(department, diags);
    if (err == ERR_OK)
        err = open_record(department, diags);
    const struct system_bus_server_options server = {.hub = department->hub,
        .bus = department->inside,
        .area = department->city.name,
        .loop = department->loop,
        .record = department->record,
        .journal = department->journal};
    if (err == ERR_OK)
        err = system_bus_server_create(&server, &department->server);
    if (err == ERR_OK)
        err = brain_bus_open(&department->options->bus, department->hub, str_from_c(department->options->party), department->loop,
            system_bus_server_question, department->server, NULL, diags, &department->bus);
    if (err == ERR_OK)
        err = hub_feed_follow(department->hub, str_from_c(department->options->party));
    if (err == ERR_OK)
        err = system_bus_follow(department->hub, department->bus.peer, department->city.name, department->loop, &department->follower);
    if (err == ERR_OK)
        err = ending_watch(&department->ending, department->loop);
    return err;
}

static void settle(struct department *department, int rounds)
{
    for (int i = 0; i < rounds && department->loop; i++)
        if (loop_run_once(department->loop, 10))
            return;
}

static void go_down(struct department *department)
{
    system_bus_unfollow(department->follower);
    brain_bus_destroy(&department->bus); /* no more questions */
    for (int i = 0; i < SETTLE_ROUNDS && department->server && system_bus_server_n_under_way(department->server) > 0; i++)
        settle(department, 1);
    brain_bus_close(&department->bus);
    system_bus_server_stop(department->server);
    if (department->hub)
        hub_stop(department->hub);
    settle(department, 2);
    if (department->journal)
        journal_stop(department->journal);
    settle(department, 2);
    system_bus_server_destroy(department->server);
    journal_close(department->journal);
    settle(department, 1);
    hub_destroy(department->hub);
    hub_record_destroy(department->record);
    bus_destroy(department->inside);
    ending_unwatch(&department->ending);
    loop_destroy(department->loop);
    ending_finish(&department->ending);
    city_finish(&department->city);
}

int run_system(const struct system_options *options)
{
    struct department *department = mem_alloc_zero(1, sizeof(*department));
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!department || !diags)
        return EXIT_BAD_INPUT;
    department->options = options;
    department->ending = ENDING_NONE;
    enum err err = load(department, diags);
    if (err == ERR_OK)
        err = ending_block(&department->ending, false);
    if (err == ERR_OK)
        err = go_up(department, diags);
    if (err == ERR_OK) {
        log_write(LOG_NOTICE, "system", "the department's systems are served", LOG_TEXT("party", options->party), LOG_END);
        notify_ready(0);
        notify_each_second(department->loop, &department->beat);
        err = loop_run(department->loop);
        log_write(LOG_NOTICE, "system", "stopping", LOG_END);
        notify_stopping();
        loop_timer_stop(&department->beat);
    } else {
        for (size_t i = 0; i < diags->n; i++)
            fprintf(stderr, "citybrain system: %s\n", diags->diags[i].text);
        if (diags->n == 0)
            fprintf(stderr, "citybrain system: it did not start: %s\n", err_text(err));
    }
    go_down(department);
    mem_free(department);
    mem_free(diags);
    return err == ERR_OK ? 0 : EXIT_BAD_INPUT;
}
