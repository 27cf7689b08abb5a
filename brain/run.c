/*
 * One brain in one process. Up: city → data folder → ledger → hub and its connectors → people → cockpit → scenes → doors.
 * Down, on SIGINT or SIGTERM: doors, scenes, cockpit, people, hub, ledger. Nothing that was acknowledged waits in memory after that.
 */
#include "brain/run.h"
#include "brain/ending.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/sign.h"
#include "brain/city.h"
#include "brain/connectors.h"
#include "brain/files.h"
#include "brain/joined.h"
#include "brain/notify.h"
#include "brain/operate.h"
#include "brain/over_bus.h"
#include "brain/scenes.h"
#include "brain/sender.h"
#include "brain/sm_door.h"
#include "brain/web.h"
#include "business/case/desk.h"
#include "business/party/party.h"
#include "cockpit/cockpit.h"
#include "district/door.h"
#include "http/openapi.h"
#include "hub/registry.h"
#include "hub/uses.h"
#include "ledger/policy.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define OWN_MOUNTS 9 /* beside the hub's: cockpit, people, cases, uses, operating, screens, parallel log, district, description */
#define EXIT_BAD_INPUT 2
#define EXIT_CANNOT_STORE 74 /* EX_IOERR of sysexits.h */

struct door { /* one HTTP loop with its server */
    struct loop_thread *thread;
    struct http_server *server;
    struct cockpit_face *face;
    struct http_mount *mounts; /* owned; as many as the city has, systems of a connector with a door one each */
    size_t n_mounts;
    struct brain *brain;
    enum err err;
};

struct brain {
    const struct run_options *options;
    struct city city;
    struct clock_fast fast_clock;
    struct clock *clock;
    struct loop *loop; /* the main thread's: the hub's own */
    struct crypto_key *ledger_key;
    struct sign_key *sm_key;              /* of the parallel log, when the city has one */
    char sm_origin[256], log_origin[256]; /* the latter: of a replica */
    struct sender *sender;                /* to the witnesses, when the city has some */
    struct ledger *ledger;
    struct bus *bus;
    struct joined joined; /* to other hubs */
    struct hub *hub;
    struct over_bus over_bus; /* its place on the bus between processes */
    struct party_people *people;
    struct hub_uses *uses;
    struct case_desk *cases; /* NULL: the city has no cases.yaml */
    struct cockpit_config *cockpit_config;
    struct cockpit *cockpit;
    struct scenes *scenes;
    struct web web;
    struct operate operate;
    struct http_openapi openapi;
    char web_dir[CITY_PATH_MAX], ground_path[CITY_PATH_MAX];
    struct door doors[RUN_HTTP_LOOPS_MAX];
    size_t n_doors;
    uint16_t port;
    struct ending ending;
};

/* ---- what may not be survived ---- */

static void cannot_store(void *context, const char *part, enum err err)
{
    /* Nothing may be acknowledged any more, and what was is on disk: leave at once, without another write. */
    log_write(LOG_ERROR, part,
        "the disk refused; the brain stops so that nothing is acknowledged that is not stored. Mend the disk, then start it again",
        LOG_ERR(err), LOG_END);
    _exit(EXIT_CANNOT_STORE);
}

static void ledger_cannot_store(void *context, enum err err)
{
    cannot_store(context, "ledger", err);
}

/* ---- identities: the people's and programs' own, and the connectors' devices ---- */

static enum err auth_token(void *context, struct str token, struct http_identity *ret_identity)
{
    return party_token(((struct brain *)context)->people, token, ret_identity);
}

static enum err auth_session(void *context, struct str session, struct http_identity *ret_identity)
{
    return party_session(((struct brain *)context)->people, session, ret_identity);
}

static enum err auth_digest(void *context, struct str user, char ret_ha1[33], struct http_identity *ret_identity)
{
    return hub_digest_ha1(((struct brain *)context)->hub, user, ret_ha1, ret_identity);
}

/* ---- up ---- */

/* The parallel log's key: 32 bytes in a file, as the ledger's own. */
static enum err open_sm_key(struct brain *brain, struct diag *diag)
{
    static const char head[] = "citybrain-key:sm2:";
    char path[CITY_PATH_MAX], text[sizeof(head) + 64];
    uint8_t scalar[32];
    int len = snprintf(brain->sm_origin, sizeof(brain->sm_origin), STR_FORMAT ".sm", STR_ARG(brain->city.log_origin));
    enum err err = len > 0 && len < (int)sizeof(brain->sm_origin) ? ERR_OK : ERR_TOO_LARGE;
    if (err == ERR_OK)
        err = city_path(brain->city.data_dir, "secrets/ledger-sm2", path);
    if (err == ERR_OK)
        err = crypto_key_file(path, scalar);
    if (err == ERR_OK) {
        memcpy(text, head, sizeof(head));
        crypto_hex(scalar, sizeof(scalar), text + sizeof(head) - 1);
        err = sign_key_read(str_from_c(text), &brain->sm_key);
        crypto_wipe(scalar, sizeof(scalar));
        crypto_wipe(text, sizeof(text));
    }
    return err == ERR_OK ? err : diag_set(diag, err, path, 0, "the key of the parallel log cannot be read: %s", err_text(err));
}

static enum err open_ledger(struct brain *brain, struct diag *diag)
{
    char path[CITY_PATH_MAX];
    uint8_t seed[32];
    enum err err = city_path(brain->city.data_dir, "secrets/ledger", path);
    if (err == ERR_OK)
        err = crypto_key_file(path, seed);
    if (err != ERR_OK)
        return diag_set(diag, err, path, 0, "the ledger's key cannot be read: %s", err_text(err));
    err = crypto_key_from_seed(seed, &brain->ledger_key);
    crypto_wipe(seed, sizeof(seed));
    if (err == ERR_OK)
        err = city_path(brain->city.data_dir, "ledger", path);
    if (err != ERR_OK)
        return err;
    if (brain->city.has_sm_log && (err = open_sm_key(brain, diag)) != ERR_OK)
        return err;
    if (brain->city.policy && (err = sender_create(brain->clock, &brain->sender)) != ERR_OK)
        return err;
    struct ledger_options options = {.dir = path,
        .origin = brain->city.log_origin,
        .key = brain->ledger_key,
        .clock = brain->clock,
        .policy = brain->city.policy,
        .sender = brain->sender ? sender_slots(brain->sender) : NULL,
        .sm_origin = str_from_c(brain->sm_origin),
        .sm_key = brain->sm_key,
        .kept_ms = brain->city.receipts_kept_ms,
        .fatal = ledger_cannot_store};
    return ledger_open(&options, diag, &brain->ledger);
}

static enum err make_folders(struct brain *brain, struct diag *diag)
{
    static const char *const names[] = {"secrets", "ledger", "store", "tokens"}; /* tokens: not at a replica */
    char path[CITY_PATH_MAX];
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) - (brain->options->replica != NULL) && err == ERR_OK; i++) {
        err = city_path(brain->city.data_dir, names[i], path);
        if (err == ERR_OK)
            err = files_make_folder(path, diag);
    }
    return err;
}

static enum err open_hub(struct brain *brain, struct diag_list *diags)
{
    const struct joined_options joined = {
        .city = &brain->city, .clock = brain->clock, .ledger_key = brain->ledger_key, .fatal = cannot_store};
    enum err err = over_bus_read(&brain->over_bus, brain->options->over_bus, brain->options->replica != NULL, diags);
    const struct hub_reach reach = over_bus_reach(&brain->over_bus);
    if (err == ERR_OK)
        err = bus_create(&brain->bus);
    if (err == ERR_OK && !brain->options->replica)
        err = joined_open(&brain->joined, &joined, diags);
    if (err != ERR_OK)
        return err;
    struct hub_options options = {.city_dir = brain->city.dir,
        .data_dir = brain->city.data_dir,
        .area = brain->city.name,
        .zone = brain->city.zone,
        .epochs_kept_ms = brain->city.epoch_keys_kept_ms,
        .clock = brain->clock,
        .loop = brain->loop,
        .district = brain->joined.district,
        .tee = district_keeper(brain->joined.district),
        .bus = brain->bus,
        .ledger = brain->ledger,
        .ledger_key = brain->ledger_key,
        .connectors = connectors_known,
        .is_demo = brain->city.is_demo,
        .reach = &reach,
        .fatal = cannot_store};
    err = hub_create(&options, diags, &brain->hub);
    if (err == ERR_OK)
        err = over_bus_open(&brain->over_bus, &brain->options->bus, brain->hub, brain->city.name, brain->loop, diags);
    return err == ERR_OK ? hub_start(brain->hub) : err;
}

static enum err open_people(struct brain *brain, struct diag_list *diags)
{
    char parties[CITY_PATH_MAX], store[CITY_PATH_MAX], tokens[CITY_PATH_MAX];
    enum err err = city_path(brain->city.dir, "parties.yaml", parties);
    if (err == ERR_OK)
        err = city_path(brain->city.data_dir, "store/party.sqlite", store);
    if (err == ERR_OK)
        err = city_path(brain->city.data_dir, "tokens", tokens);
    if (err != ERR_OK)
        return err;
    struct party_options options = {.parties_path = parties,
        .store_path = store,
        .tokens_folder = tokens,
        .is_demo = brain->city.is_demo,
        .city = brain->city.name,
        .city_title_zh = brain->city.title_zh,
        .city_title_en = brain->city.title_en,
        .zone_name = brain->city.zone_name,
        .areas = hub_areas(brain->hub),
        .are_tokens_told = brain->options->replica != NULL,
        .clock = brain->clock,
        .fatal = cannot_store};
    err = party_open(&options, diags, &brain->people);
    if (err == ERR_OK)
        over_bus_programs(&brain->over_bus, brain->people);
    return err;
}

/* A city without cases.yaml has no cases: its alerts are a stream like any other. */
static enum err open_cases(struct brain *brain, struct diag_list *diags)
{
    char rules[CITY_PATH_MAX], store[CITY_PATH_MAX];
    enum err err = city_path(brain->city.dir, "cases.yaml", rules);
    if (err == ERR_OK)
        err = city_path(brain->city.data_dir, "store/cases.sqlite", store);
    if (err != ERR_OK || access(rules, F_OK) != 0)
        return err;
    struct case_desk_options options = {
        .hub = brain->hub, .rules_path = rules, .store_path = store, .clock = brain->clock, .fatal = cannot_store, .fatal_context = brain};
    err = case_desk_open(&options, diags, &brain->cases);
    return err == ERR_OK ? case_desk_start(brain->cases, diags) : err;
}

static enum err open_uses(struct brain *brain, struct diag_list *diags)
{
    char path[CITY_PATH_MAX];
    enum err err = city_path(brain->city.data_dir, "store/uses.sqlite", path);
    return err == ERR_OK ? hub_uses_open(brain->hub, path, diags, &brain->uses) : err;
}

static enum err open_cockpit(struct brain *brain, struct diag_list *diags)
{
    char path[CITY_PATH_MAX], store[CITY_PATH_MAX];
    struct diag diag = {""};
    enum err err = city_path(brain->city.dir, "cockpits/indicators.yaml", path);
    if (err == ERR_OK)
        err = city_path(brain->city.dir, "map/water.geojson", brain->ground_path);
    if (err == ERR_OK)
        err = city_path(brain->city.data_dir, "store/cockpit.sqlite", store);
    if (err == ERR_OK)
        err = cockpit_config_load(path, diags, &brain->cockpit_config);
    if (err != ERR_OK)
        return err;
    struct cockpit_options options = {.hub = brain->hub,
        .config = brain->cockpit_config,
        .store_path = store,
        .clock = brain->clock,
        .fatal = cannot_store,
        .ground_path = access(brain->ground_path, R_OK) == 0 ? brain->ground_path : NULL};
    err = cockpit_create(&options, &diag, &brain->cockpit);
    return err == ERR_OK ? ERR_OK : diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
}

static enum err collect_mounts(struct door *door)
{
    struct brain *brain = door->brain;
    size_t n = hub_mounts(brain->hub, NULL, 0);
    door->mounts = mem_alloc_zero(n + OWN_MOUNTS, sizeof(*door->mounts));
    if (!door->mounts)
        return ERR_NO_MEMORY;
    door->n_mounts = hub_mounts(brain->hub, door->mounts, n);
    if (brain->cockpit)
        door->mounts[door->n_mounts++] = cockpit_face_mount(door->face);
    door->mounts[door->n_mounts++] = party_mount(brain->people);
    if (brain->uses && !brain->options->replica) /* citizens' pages are the desk's, which asks the others */
        door->mounts[door->n_mounts++] = hub_uses_mount(brain->uses);
    if (brain->cases)
        door->mounts[door->n_mounts++] = case_mount(brain->cases);
    door->mounts[door->n_mounts++] =
        (struct http_mount){.routes = operate_routes, .n_routes = operate_n_routes, .context = &brain->operate, .schemas = operate_schemas};
    door->mounts[door->n_mounts++] =
        (struct http_mount){.routes = web_routes, .n_routes = web_n_routes, .context = &brain->web, .schemas = web_schemas};
    if (brain->joined.district)
        door->mounts[door->n_mounts++] = (struct http_mount){
            .routes = district_routes, .n_routes = district_n_routes, .context = brain->joined.district, .schemas = district_schemas};
    if (brain->sm_key)
        door->mounts[door->n_mounts++] =
            (struct http_mount){.routes = sm_door_routes, .n_routes = sm_door_n_routes, .context = brain->ledger};
    door->mounts[door->n_mounts++] = (struct http_mount){.routes = http_openapi_routes, .n_routes = 1, .context = &brain->openapi};
    return ERR_OK;
}

/* On the door's own loop. */
static void open_door(void *context)
{
    struct door *door = context;
    struct brain *brain = door->brain;
    struct diag diag = {""};
    door->err = brain->cockpit ? cockpit_face_create(brain->cockpit, loop_thread_loop(door->thread), &door->face) : ERR_OK;
    if (door->err == ERR_OK)
        door->err = collect_mounts(door);
    if (door->err != ERR_OK)
        return;
    if (!brain->openapi.mounts) /* the same for every door but for the contexts */
        brain->openapi =
            (struct http_openapi){.title = "citybrain", .version = CITYBRAIN_VERSION, .mounts = door->mounts, .n_mounts = door->n_mounts};
    struct http_server_options options = {.address = brain->city.address,
        .port = brain->port,
        .share_port = brain->options->n_http_loops > 1,
        .mounts = door->mounts,
        .n_mounts = door->n_mounts,
        .auth = {.context = brain, .token = auth_token, .session = auth_session, .digest_ha1 = auth_digest}};
    door->err = http_server_create(loop_thread_loop(door->thread), &options, &diag, &door->server);
    if (door->err != ERR_OK)
        fprintf(stderr, "citybrain: %s\n", diag.text);
    else {
        brain->port = http_server_port(door->server);
        operate_set_server(&brain->operate, (size_t)(door - brain->doors), door->server);
    }
}

static enum err open_doors(struct brain *brain, struct diag_list *diags)
{
    struct diag diag = {""};
    enum err err = http_port_check(brain->city.address, brain->port, &diag);
    if (err != ERR_OK)
        return diag_add(diags, err, NULL, 0, "%s", diag.text);
    for (int i = 0; i < brain->options->n_http_loops && err == ERR_OK; i++) {
        char name[16];
        struct door *door = &brain->doors[brain->n_doors];
        *door = (struct door){.brain = brain};
        snprintf(name, sizeof(name), "http-%d", i);
        err = loop_thread_start(brain->clock, name, &door->thread);
        if (err != ERR_OK)
            break;
        brain->n_doors++;
        loop_thread_call(door->thread, open_door, door);
        err = door->err;
    }
    return err;
}

static void find_web(struct brain *brain)
{
    const char *dir = brain->options->web_dir ? brain->options->web_dir : "cockpit/web/dist";
    int len = snprintf(brain->web_dir, sizeof(brain->web_dir), "%s", dir);
    if (!brain->options->web_dir && access(dir, F_OK) != 0) /* not in the tree: beside the installed program */
        len = files_beside_program("../share/citybrain/web", brain->web_dir, sizeof(brain->web_dir)) == ERR_OK
                  ? 0
                  : (int)sizeof(brain->web_dir);
    if (len < (int)sizeof(brain->web_dir))
        brain->web = (struct web){.dir = brain->web_dir,
            .city = brain->city.name,
            .ledger = brain->ledger,
            .policy_path = brain->city.policy ? brain->city.policy_path : NULL};
}

static enum err open_operate(struct brain *brain)
{
    struct operate *operate = &brain->operate;
    operate->clock = clock_system(); /* the machine's, also when the city's runs faster */
    operate->ledger = brain->ledger;
    operate->bus = brain->bus;
    operate->peer = brain->over_bus.bus.peer;
    operate->bus_door = brain->over_bus.door;
    operate->district = brain->joined.district;
    operate->hub = brain->hub;
    operate->people = brain->people;
    operate->uses = brain->uses;
    operate->cases = brain->cases;
    operate->cockpit = brain->cockpit;
    operate->scenes = brain->scenes;
    return operate_start(operate, brain->loop);
}

/* What there is once in a city: people's cases, the cockpits, the scenes, the way to other hubs. */
static enum err open_rest(struct brain *brain, struct diag_list *diags)
{
    enum err err = open_cases(brain, diags);
    if (err == ERR_OK)
        err = open_cockpit(brain, diags);
    if (err == ERR_OK)
        err = scenes_start(brain->hub, &brain->city, brain->clock, brain->over_bus.bus.peer, diags, &brain->scenes);
    if (err == ERR_OK)
        err = joined_start(&brain->joined, brain->hub, brain->ledger, diags);
    if (err == ERR_OK)
        cockpit_start(brain->cockpit);
    return err;
}

static enum err go_up(struct brain *brain, struct diag_list *diags)
{
    struct diag diag = {""};
    enum err err = loop_create(brain->clock, &brain->loop);
    if (err == ERR_OK)
        err = http_port_check(brain->city.address, brain->port, &diag); /* before anything is made: the commonest mistake */
    if (err == ERR_OK)
        err = make_folders(brain, &diag);
    if (err == ERR_OK)
        err = open_ledger(brain, &diag);
    if (err != ERR_OK)
        return diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
    err = open_hub(brain, diags);
    if (err == ERR_OK)
        err = open_people(brain, diags);
    if (err == ERR_OK)
        err = open_uses(brain, diags);
    if (err == ERR_OK && !brain->options->replica)
        err = open_rest(brain, diags);
    if (err == ERR_OK) {
        find_web(brain);
        err = open_operate(brain);
    }
    if (err == ERR_OK)
        err = open_doors(brain, diags);
    return err;
}

/* ---- down ---- */

static void close_door(void *context)
{
    struct door *door = context;
    operate_set_server(&door->brain->operate, (size_t)(door - door->brain->doors), NULL);
    http_server_destroy(door->server);
    door->server = NULL;
}

static void nothing(void *context) {}

/* What systems and the ledger have told their askers' loops so far has been heard there. Twice: hearing may lead to one more telling. */
static void settle(struct brain *brain)
{
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < brain->n_doors; i++)
            loop_thread_call(brain->doors[i].thread, nothing, NULL);
        scenes_settle(brain->scenes);
        cockpit_settle(brain->cockpit);
        case_desk_settle(brain->cases);
        if (brain->loop && loop_run_once(brain->loop, 0) != ERR_OK)
            log_write(LOG_WARNING, "brain", "the main loop did not run", LOG_END);
    }
}

static void go_down(struct brain *brain)
{
    for (size_t i = 0; i < brain->n_doors; i++)
        loop_thread_call(brain->doors[i].thread, close_door, &brain->doors[i]);
    scenes_stop(brain->scenes);
    cockpit_stop(brain->cockpit);
    case_desk_stop(brain->cases);
    hub_uses_close(brain->uses);
    joined_stop(&brain->joined);
    over_bus_stop(&brain->over_bus);
    if (brain->hub)
        hub_stop(brain->hub);
    over_bus_close(&brain->over_bus);
    party_close(brain->people);
    settle(brain); /* outcome leaves of the last answers are with the ledger */
    ledger_close(brain->ledger);
    sender_destroy(brain->sender);
    settle(brain);
    case_desk_close(brain->cases);
    hub_destroy(brain->hub);
    over_bus_destroy(&brain->over_bus);
    joined_close(&brain->joined);
    /* Every loop that made a use has lived until here: what the ledger and the hub told last has had somewhere to go. */
    for (size_t i = 0; i < brain->n_doors; i++) {
        loop_thread_stop(brain->doors[i].thread);
        cockpit_face_destroy(brain->doors[i].face);
        mem_free(brain->doors[i].mounts);
    }
    scenes_destroy(brain->scenes);
    cockpit_destroy(brain->cockpit);
    cockpit_config_destroy(brain->cockpit_config);
    bus_destroy(brain->bus);
    crypto_key_destroy(brain->ledger_key);
    sign_key_destroy(brain->sm_key);
    ending_unwatch(&brain->ending);
    loop_timer_stop(&brain->operate.beat);
    loop_destroy(brain->loop);
    ending_finish(&brain->ending);
    pthread_mutex_destroy(&brain->operate.lock);
    city_finish(&brain->city);
}

/* ---- between ---- */

/* As many connections as the system lets us have. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum err write_port_file(const struct brain *brain)
{
    if (!brain->options->port_file)
        return ERR_OK;
    FILE *file = fopen(brain->options->port_file, "w");
    if (!file)
        return err_from_errno(errno);
    fprintf(file, "%u\n", brain->port);
    return fclose(file) == 0 ? ERR_OK : ERR_IO;
}

static void tell(const struct diag_list *diags, enum err err)
{
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain: %s\n", diags->diags[i].text);
    if (diags->n_dropped > 0)
        fprintf(stderr, "citybrain: and %zu errors more\n", diags->n_dropped);
    if (diags->n == 0)
        fprintf(stderr, "citybrain: the brain did not start: %s\n", err_text(err));
}

/* The city's witnesses cosign a replica's log when the policy names it; one that they do not know would only halt. */
static void keep_policy_if_ours(struct city *city)
{
    if (!city->policy || policy_log(city->policy, city->log_origin))
        return;
    log_write(LOG_NOTICE, "brain", "the policy names no such log, so this process's receipts have no witnesses; add its verifier key",
        LOG_STR("log", city->log_origin), LOG_TEXT("policy", city->policy_path), LOG_END);
    policy_destroy(city->policy);
    city->policy = NULL;
}

/* A replica's log is one of its own, so that a receipt says in which it stands. */
static enum err be_replica(struct brain *brain, struct diag_list *diags)
{
    struct city *city = &brain->city;
    const char *name = brain->options->replica;
    int len = snprintf(brain->log_origin, sizeof(brain->log_origin), STR_FORMAT ".%s", STR_ARG(city->log_origin), name);
    if (len < 0 || len >= (int)sizeof(brain->log_origin))
        return diag_add(diags, ERR_TOO_LARGE, NULL, 0, "--name is too long");
    city->log_origin = (struct str){brain->log_origin, (size_t)len};
    keep_policy_if_ours(city);
    if (brain->options->data_dir)
        return ERR_OK;
    size_t used = strlen(city->data_dir);
    len = snprintf(city->data_dir + used, sizeof(city->data_dir) - used, "-%s", name);
    return len > 0 && used + (size_t)len < sizeof(city->data_dir) ? ERR_OK : ERR_TOO_LARGE;
}

static enum err load(struct brain *brain, struct diag_list *diags)
{
    enum err err = city_load(brain->options->city_dir, brain->options->data_dir, diags, &brain->city);
    if (err == ERR_OK && brain->options->replica)
        err = be_replica(brain, diags);
    if (err != ERR_OK)
        return err;
    if (brain->options->is_district && !brain->city.federation[0])
        return diag_add(diags, ERR_NOT_FOUND, brain->options->city_dir, 0,
            "its city.yaml joins it to nobody; add district: {federation: FILE, bus: {url: nats://…}} (docs/district.md)");
    brain->port = brain->options->port >= 0 ? (uint16_t)brain->options->port : brain->city.port;
    brain->clock = clock_system();
    if (brain->options->speed != 1) {
        clock_fast_init(&brain->fast_clock, brain->options->speed);
        brain->clock = &brain->fast_clock.clock;
    }
    return ERR_OK;
}

int run_city(const struct run_options *options)
{
    struct brain *brain = mem_alloc_zero(1, sizeof(*brain));
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!brain || !diags)
        return EXIT_BAD_INPUT;
    brain->options = options;
    brain->ending = ENDING_NONE;
    pthread_mutex_init(&brain->operate.lock, NULL);
    raise_file_limit();
    signal(
        SIGXFSZ, SIG_IGN); /* a limit on the size of files is a disk that refuses: said by the one who writes, not the end without a word */
    enum err err = load(brain, diags);
    if (err == ERR_OK)
        err = ending_block(&brain->ending, true);
    if (err == ERR_OK)
        err = go_up(brain, diags);
    if (err == ERR_OK)
        err = ending_watch(&brain->ending, brain->loop);
    if (err == ERR_OK)
        err = write_port_file(brain);
    if (err == ERR_OK) {
        log_write(LOG_NOTICE, "brain", "the city runs", LOG_STR("city", brain->city.name), LOG_TEXT("address", brain->city.address),
            LOG_INT("port", brain->port), LOG_END);
        notify_ready(brain->port);
        err = loop_run(brain->loop);
        notify_stopping();
        log_write(LOG_NOTICE, "brain", "stopping", LOG_END);
    } else
        tell(diags, err);
    go_down(brain);
    mem_free(brain);
    mem_free(diags);
    return err == ERR_OK ? 0 : EXIT_BAD_INPUT;
}
