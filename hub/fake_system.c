/*
 * A department in memory and a small city on disk, for tests.
 */
#include "hub/fake.h"

#include "hub/desk.h"
#include "hub/feed.h"

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void must(enum err err)
{
    assert(err == ERR_OK);
}

struct fake_system fake_system;

struct fake_plan {
    const struct hub_resource *resource;
    struct fake_plan *next;
};

struct fake_one { /* what open() returns */
    struct fake_plan *plans;
};

static enum err fake_open(const struct hub_system_env *env, struct yaml_node system, struct diag_list *diags, void **ret_system)
{
    static const char *const keys[] = {"party", "connector", "resources", NULL};
    enum err err = yaml_check_keys(system, keys, diags);
    if (!err)
        *ret_system = calloc(1, sizeof(struct fake_one));
    return err;
}

static enum err fake_bind(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    return ERR_OK;
}

static enum err fake_compile(void *system, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    struct fake_one *one = system;
    struct fake_plan *plan = calloc(1, sizeof *plan);
    plan->resource = grant->resource;
    plan->next = one->plans;
    one->plans = plan;
    *ret_plan = plan;
    return ERR_OK;
}

static void fetch_task(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

static void fake_answer(struct hub_fetch *fetch)
{
    const struct fake_plan *plan = fetch->system_state;
    struct value values[HUB_FIELDS_MAX];
    fetch->err = fake_system.fetch_err;
    if (!fetch->err)
        fetch->err = rows_create(fetch->n_outputs, fetch->n_bytes_max, &fetch->rows);
    for (size_t i = 0; !fetch->err && i < fake_system.n_rows; i++) {
        for (size_t j = 0; j < fetch->n_outputs; j++) {
            const struct hub_field *field = &plan->resource->fields[fetch->outputs[j].column];
            values[j] = fetch->outputs[j].aggregate == SQL_MAX     ? value_time(fake_system.newest)
                        : fetch->outputs[j].aggregate != SQL_PLAIN ? value_integer(fetch->also ? fake_system.n_also : fake_system.n_all)
                        : field->type == VALUE_TEXT                ? value_text(field->is_key ? fetch->where[0].values[0].s : field->name)
                                                                   : value_integer(7);
        }
        fetch->err = rows_add(fetch->rows, values);
    }
    if (fetch->err) {
        rows_release(fetch->rows);
        fetch->rows = NULL;
    }
    fetch->task.fn = fetch_task;
    loop_post(fetch->loop, &fetch->task);
}

static void fake_fetch(void *plan, struct hub_fetch *fetch)
{
    fake_system.n_fetched++;
    fetch->system_state = plan;
    if (!fake_system.is_holding) {
        fake_answer(fetch);
        return;
    }
    fetch->next = fake_system.held;
    fake_system.held = fetch;
}

static void act_task(struct loop_task *task)
{
    struct hub_ask *ask = container_of(task, struct hub_ask, task);
    ask->done(ask);
}

static void act_answer(struct hub_ask *ask)
{
    ask->err = fake_system.act_err;
    buf_reset(ask->answer);
    buf_append_c(ask->answer, ask->err == ERR_OK ? "{\"number\":1}" : ask->err == ERR_RANGE ? "\"no\"" : "");
    ask->task.fn = act_task;
    loop_post(ask->loop, &ask->task);
}

/* Commands: answers at once, or is held. */
static void fake_act(void *system, struct hub_ask *ask)
{
    fake_system.n_acted++;
    snprintf(fake_system.act_key, sizeof fake_system.act_key, STR_FORMAT, STR_ARG(ask->key));
    if (fake_system.is_holding)
        fake_system.held_act = ask;
    else
        act_answer(ask);
}

void fake_system_release(void)
{
    if (fake_system.held_act)
        act_answer(fake_system.held_act);
    fake_system.held_act = NULL;
    fake_system.is_holding = false;
    for (struct hub_fetch *fetch = fake_system.held, *next; fetch; fetch = next) {
        next = fetch->next;
        fake_answer(fetch);
    }
    fake_system.held = NULL;
}

static enum err fake_replay(void *system, const struct hub_resource *resource, struct wall_time from,
    enum err (*emit)(void *context, struct rows *rows), void *context)
{
    enum err err = ERR_OK;
    fake_system.replay_from_ms = from.ms;
    for (size_t i = 0; i < fake_system.n_replay && !err; i++) {
        struct rows *rows;
        char plate[32];
        snprintf(plate, sizeof plate, "A%zu", i);
        const struct value values[] = {value_text(STR("cam")), value_text(str_from_c(plate)), value_time((int64_t)i)};
        must(rows_create(3, 1 << 20, &rows));
        must(rows_add(rows, values));
        err = emit(context, rows);
        rows_release(rows);
    }
    return err;
}

static void fake_close(void *system)
{
    struct fake_one *one = system;
    for (struct fake_plan *plan = one->plans, *next; plan; plan = next) {
        next = plan->next;
        free(plan);
    }
    free(one);
}

static const struct hub_system_tables tables = {.compile = fake_compile, .fetch = fake_fetch};

static const struct hub_system_streams streams = {.replay = fake_replay};

const struct hub_system_ops fake_system_ops = {
    .connector = "fake",
    .open = fake_open,
    .bind = fake_bind,
    .tables = &tables,
    .streams = &streams,
    .act = fake_act,
    .close = fake_close,
};

/* ---- the city ---- */

static const char *const files[][2] = {
    {"areas.yaml", "areas:\n"
                   "  - {name: h, title: {zh: 杭, en: H}, level: city}\n"
                   "  - {name: h.x, title: {zh: 西, en: X}, level: district}\n"},
    {"parties.yaml", "parties:\n"
                     "  - {name: h/police, title: {zh: 警, en: Police}, kind: department}\n"
                     "  - {name: h/parking, title: {zh: 泊, en: Parking}, kind: program, token: demo}\n"
                     "  - {name: h/count, title: {zh: 数, en: Count}, kind: scene}\n"
                     "  - {name: h/cockpit, title: {zh: 舱, en: Cockpit}, kind: program}\n"
                     "people: []\n"},
    {"systems/police.yaml", "party: h/police\n"
                            "connector: fake\n"
                            "resources:\n"
                            "  - name: vehicle\n"
                            "    title: {zh: 车, en: Vehicles}\n"
                            "    kind: table\n"
                            "    fields:\n"
                            "      - {name: plate, type: text, class: personal, key: true, meaning: {zh: 号牌, en: Plate}}\n"
                            "      - {name: kind, type: integer, class: internal, key: true}\n"
                            "      - {name: colour, type: text, class: open, meaning: 颜色}\n"
                            "      - {name: owner, type: text, class: secret}\n"
                            "  - name: passage\n"
                            "    title: {zh: 过车, en: Passages}\n"
                            "    kind: stream\n"
                            "    fields:\n"
                            "      - {name: camera, type: text, class: internal}\n"
                            "      - {name: plate, type: text, class: personal}\n"
                            "      - {name: time, type: time, class: internal}\n"},
    {"scenes/count.yaml", "scene: count\n"
                          "party: h/count\n"
                          "anything: of the scene's own\n"
                          "resources:\n"
                          "  - name: indicator\n"
                          "    title: {zh: 指标, en: Indicators}\n"
                          "    kind: stream\n"
                          "    fields: [{name: name, type: text, class: open}]\n"
                          "  - {name: road, title: {zh: 路, en: Roads}, kind: object}\n"},
    {"contracts/c-1.yaml", "contract: h/c-1\n"
                           "provider: h/police\n"
                           "consumer: h/count\n"
                           "resource: h/police/passage\n"
                           "uses: [subscribe]\n"
                           "fields: [camera, time]\n"
                           "purpose: traffic.count\n"
                           "legal_basis: {zh: 依, en: law}\n"
                           "from: 2026-01-01\n"
                           "until: 2028-01-01\n"
                           "keep: 24h\n"
                           "state: agreed\n"},
    {"contracts/c-2.yaml", "contract: h/c-2\n"
                           "provider: h/count\n"
                           "consumer: h/cockpit\n"
                           "resource: h/count/road\n"
                           "uses: [call]\n"
                           "purpose: cockpit.show\n"
                           "legal_basis: {zh: 依, en: law}\n"
                           "from: 2026-01-01\n"
                           "until: 2028-01-01\n"
                           "keep: 24h\n"
                           "state: agreed\n"},
    {"contracts/c-17.yaml", "contract: h/c-17\n"
                            "provider: h/police\n"
                            "consumer: h/parking\n"
                            "resource: h/police/vehicle\n"
                            "uses: [call]\n"
                            "fields: [plate, colour]\n"
                            "purpose: parking.settle\n"
                            "legal_basis: {zh: 依, en: law}\n"
                            "from: 2026-01-01\n"
                            "until: 2028-01-01\n"
                            "keep: 1h\n"
                            "state: agreed\n"},
};

void fake_city_write(struct fake_city *city, const char *file, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", city->dir, file);
    if (!text) {
        assert(remove(path) == 0);
        return;
    }
    FILE *out = fopen(path, "w");
    assert(out);
    fputs(text, out);
    assert(fclose(out) == 0);
}

void fake_city_make(struct fake_city *city)
{
    static const char *const folders[] = {"systems", "scenes", "contracts"};
    char path[256];
    const char *temporary = getenv("TMPDIR");
    *city = (struct fake_city){0};
    snprintf(city->dir, sizeof city->dir, "%s/citybrain_hub_XXXXXX", temporary && strlen(temporary) < 40 ? temporary : "/tmp");
    assert(mkdtemp(city->dir));
    snprintf(city->data, sizeof city->data, "%s/data", city->dir);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", city->dir, folders[i]);
        assert(mkdir(path, 0700) == 0);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        fake_city_write(city, files[i][0], files[i][1]);
    fake_system = (struct fake_system){.n_rows = 1};
    clock_fake_init(&city->clock, (struct wall_time){INT64_C(1795000000000)}); /* 2026-11-18 */
}

enum err fake_city_load(struct fake_city *city, struct diag_list *diags)
{
    static const struct hub_system_ops *const connectors[] = {&fake_system_ops, NULL};
    *diags = (struct diag_list){0};
    city->loop = NULL;
    city->bus = NULL;
    city->hub = NULL;
    enum err err = loop_create(city->real_clock ? city->real_clock : &city->clock.clock, &city->loop);
    if (!err)
        err = bus_create(&city->bus);
    if (err)
        return err;
    const struct hub_options options = {
        .city_dir = city->dir,
        .data_dir = city->data,
        .area = STR("h"),
        .zone = TIME_ZONE_SHANGHAI,
        .clock = city->real_clock ? city->real_clock : &city->clock.clock,
        .loop = city->loop,
        .bus = city->bus,
        .ledger = city->ledger,
        .ledger_key = city->ledger_key,
        .is_demo = true,
        .connectors = city->connectors ? city->connectors : connectors,
    };
    err = hub_create(&options, diags, &city->hub);
    if (!err && city->follows)
        err = hub_feed_follow(city->hub, str_from_c(city->follows));
    if (!err)
        err = hub_start(city->hub);
    if (!err)
        fake_city_spin(city);
    return err;
}

void fake_city_spin(struct fake_city *city)
{
    for (int i = 0; i < 20; i++)
        must(loop_run_once(city->loop, i < 10 ? 0 : 1));
}

static void stepped(struct hub_desk_ask *ask)
{
    *(bool *)ask->context = true;
}

enum err fake_city_step(struct fake_city *city, const char *contract, int event)
{
    bool is_done = false;
    struct hub_contract_info info;
    if (!hub_contract_find(city->hub, str_from_c(contract), &info))
        info.provider = STR("h/nobody");
    struct hub_desk_ask ask = {.hub = city->hub,
        .who = {.party = STR("h/post"), .acts_for = info.provider, .roles = HTTP_MANAGE},
        .event = event,
        .contract = str_from_c(contract),
        .loop = city->loop,
        .done = stepped,
        .context = &is_done};
    hub_desk_start(&ask);
    for (int i = 0; i < 1000 && !is_done; i++)
        must(loop_run_once(city->loop, 10));
    assert(is_done);
    return ask.err;
}

void fake_city_unload(struct fake_city *city)
{
    if (city->hub) {
        hub_stop(city->hub);
        fake_city_spin(city);
        hub_destroy(city->hub);
    }
    city->hub = NULL;
    bus_destroy(city->bus);
    loop_destroy(city->loop);
    city->bus = NULL;
    city->loop = NULL;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    return remove(path);
}

void fake_city_remove(struct fake_city *city)
{
    assert(nftw(city->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}
