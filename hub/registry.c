/*
 * A city's files become the hub: areas and parties first, then what is offered (systems, scenes), then the contracts, which name both.
 * Every error is told; one error anywhere and there is no hub.
 */
#include "hub/registry.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/act_store.h"
#include "hub/desk.h"
#include "hub/object_parts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (1u << 30)
#define PATH_MAX_OURS 4096
#define FILES_MAX 200000  /* of one folder: contracts */
#define TICK_MS 1000      /* confirms contracts, resumes calls that wait for a reservation */
#define TICKS_TELL 60     /* the health of every source is told again each minute */
#define TICKS_TELL_ACTS 5 /* acts of unknown outcome: soon after the start, when their listeners are there */

static enum err keep_first(enum err err, enum err one)
{
    return err ? err : one;
}

/* ---- files ---- */

static enum err load_yaml(struct hub *hub, const char *path, struct diag_list *diags, struct yaml_node *ret_root)
{
    if (hub->n_yamls == hub->cap_yamls) {
        size_t cap = hub->cap_yamls ? 2 * hub->cap_yamls : 64;
        struct yaml **yamls = mem_resize(hub->yamls, cap * sizeof(struct yaml *));
        if (!yamls)
            return ERR_NO_MEMORY;
        hub->yamls = yamls;
        hub->cap_yamls = cap;
    }
    struct yaml *yaml;
    enum err err = yaml_load_file(path, diags, &yaml);
    if (err)
        return err;
    hub->yamls[hub->n_yamls++] = yaml;
    *ret_root = yaml_root(yaml);
    if (yaml_is_none(*ret_root) || yaml_kind(*ret_root) != YAML_MAP)
        return diag_add(diags, ERR_SYNTAX, path, 1, "the file is not a map of keys; see docs/city.md for its form");
    return ERR_OK;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_texts(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(texts[i]);
    mem_free(texts);
}

static char *copy_text(const char *text)
{
    size_t len = strlen(text);
    char *copy = mem_alloc(len + 1);
    if (copy)
        memcpy(copy, text, len + 1);
    return copy;
}

/* The names of a folder's .yaml files in order; none when there is no such folder. */
static enum err list_files(const char *path, struct diag_list *diags, char ***ret_texts, size_t *ret_n)
{
    char **texts = NULL;
    size_t n = 0, cap = 0;
    enum err err = ERR_OK;
    DIR *dir = opendir(path);
    if (!dir && errno == ENOENT)
        goto done;
    if (!dir) {
        err = diag_add(diags, err_from_errno(errno), path, 0, "the folder cannot be read (%s); check its rights", strerror(errno));
        goto done;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || !str_ends_with(str_from_c(entry->d_name), STR(".yaml")))
            continue;
        if (n == FILES_MAX) {
            err = diag_add(diags, ERR_TOO_LARGE, path, 0, "more than %d files", FILES_MAX);
            break;
        }
        if (n == cap) {
            cap = cap ? 2 * cap : 16;
            char **more = mem_resize(texts, cap * sizeof(char *));
            if (!more) {
                err = ERR_NO_MEMORY;
                break;
            }
            texts = more;
        }
        if (!(texts[n] = copy_text(entry->d_name))) {
            err = ERR_NO_MEMORY;
            break;
        }
        n++;
    }
    closedir(dir);
done:
    if (err) {
        free_texts(texts, n);
        return err;
    }
    if (n > 0)
        qsort(texts, n, sizeof *texts, compare_texts);
    *ret_texts = texts;
    *ret_n = n;
    return ERR_OK;
}

static enum err each_file(struct hub *hub, const char *folder, struct diag_list *diags,
    enum err (*load)(struct hub *hub, struct str name, struct yaml_node root, struct diag_list *diags))
{
    char path[PATH_MAX_OURS];
    char **files;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", hub->city_dir.ptr, folder);
    enum err err = list_files(path, diags, &files, &n);
    if (err)
        return err;
    for (size_t i = 0; i < n; i++) {
        struct yaml_node root;
        struct str name;
        snprintf(path, sizeof path, "%s/%s/%s", hub->city_dir.ptr, folder, files[i]);
        enum err one = load_yaml(hub, path, diags, &root);
        if (!one)
            one = arena_copy_str(&hub->arena, (struct str){files[i], strlen(files[i]) - strlen(".yaml")}, &name);
        if (!one)
            one = load(hub, name, root, diags);
        err = keep_first(err, one);
    }
    free_texts(files, n);
    return err;
}

/* ---- parties ---- */

/* The party's public key; its private half never comes here. */
static enum err read_key(struct yaml_node node, struct diag_list *diags, struct str *ret_key)
{
    struct sign_public key;
    struct str text;
    if (yaml_is_none(yaml_get(node, "key")))
        return ERR_OK;
    enum err err = yaml_get_str(node, "key", true, diags, &text);
    if (!err && sign_public_read(text, &key))
        err = yaml_error(yaml_get(node, "key"), diags, ERR_SYNTAX,
            "this is no public key; `citybrain contract key FILE` makes one and prints it: ed25519:… or sm2:…");
    if (!err)
        *ret_key = text;
    return err;
}

static enum err load_party(struct hub *hub, struct yaml_node node, struct diag_list *diags)
{
    static const char *const keys[] = {"name", "title", "kind", "token", "roles", "key", NULL};
    static const char *const kinds[] = {"department", "company", "scene", "post", "program", "hub", NULL};
    struct hub_party *party = &hub->parties[hub->n_parties];
    struct str area, rest;
    size_t kind;
    if (yaml_kind(node) != YAML_MAP)
        return yaml_error(node, diags, ERR_SYNTAX, "a party is a map: {name: …, title: {zh: …, en: …}, kind: …}");
    enum err err = yaml_check_keys(node, keys, diags);
    err = keep_first(err, yaml_get_str(node, "name", true, diags, &party->name));
    if (err)
        return err;
    if (!str_cut(party->name, '/', &area, &rest) || !str_is_name(rest))
        return yaml_error(yaml_get(node, "name"), diags, ERR_SYNTAX,
            "\"" STR_FORMAT "\" is not a party's name; write AREA/NAME, as in " STR_FORMAT "/police", STR_ARG(party->name),
            STR_ARG(hub->area));
    if (area_find(hub->areas, area) < 0)
        return yaml_error(yaml_get(node, "name"), diags, ERR_NOT_FOUND,
            "party \"" STR_FORMAT "\": there is no area \"" STR_FORMAT "\"; see areas.yaml", STR_ARG(party->name), STR_ARG(area));
    err = hub_read_title(node, "title", true, diags, &party->title_zh, &party->title_en);
    err = keep_first(err, yaml_get_choice(node, "kind", true, diags, kinds, &kind));
    err = keep_first(err, read_key(node, diags, &party->key));
    if (err)
        return err;
    party->kind = str_from_c(kinds[kind]);
    if (names_get(&hub->party_names, party->name))
        return yaml_error(node, diags, ERR_EXISTS, "party \"" STR_FORMAT "\" is declared twice; leave out one", STR_ARG(party->name));
    err = names_put(&hub->party_names, party->name, party);
    if (!err)
        hub->n_parties++;
    return err;
}

static enum err load_parties(struct hub *hub, struct diag_list *diags)
{
    char path[PATH_MAX_OURS];
    struct yaml_node root;
    snprintf(path, sizeof path, "%s/parties.yaml", hub->city_dir.ptr);
    enum err err = load_yaml(hub, path, diags, &root);
    if (err)
        return err;
    struct yaml_node list = yaml_get(root, "parties");
    if (yaml_is_none(list) || yaml_kind(list) != YAML_LIST)
        return yaml_error(
            root, diags, ERR_NOT_FOUND, "there is no party; add parties: with a list of {name: …, title: {zh: …, en: …}, kind: …}");
    size_t n = yaml_n_items(list);
    if (n > HUB_PARTIES_MAX)
        return yaml_error(list, diags, ERR_TOO_LARGE, "%zu parties; %d are allowed", n, HUB_PARTIES_MAX);
    hub->parties = arena_alloc_zero(&hub->arena, n + 1, sizeof *hub->parties);
    if (!hub->parties)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        err = keep_first(err, load_party(hub, yaml_item(list, i), diags));
    return err;
}

static enum err check_party(struct hub *hub, struct yaml_node root, struct diag_list *diags, struct str *ret_party)
{
    struct str name;
    enum err err = yaml_get_str(root, "party", true, diags, &name);
    if (err)
        return err;
    if (!names_get(&hub->party_names, name))
        return yaml_error(yaml_get(root, "party"), diags, ERR_NOT_FOUND, "there is no party \"" STR_FORMAT "\"; declare it in parties.yaml",
            STR_ARG(name));
    *ret_party = name;
    return ERR_OK;
}

/* ---- systems and scenes ---- */

static const struct hub_system_ops *find_connector(struct hub *hub, struct str name)
{
    for (size_t i = 0; hub->connectors[i]; i++)
        if (str_equal_c(name, hub->connectors[i]->connector))
            return hub->connectors[i];
    return NULL;
}

static enum err unknown_connector(struct hub *hub, struct yaml_node node, struct str name, struct diag_list *diags)
{
    char known[256] = "";
    size_t len = 0;
    for (size_t i = 0; hub->connectors[i] && len < sizeof known; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", i ? ", " : "", hub->connectors[i]->connector);
    return yaml_error(node, diags, ERR_NOT_FOUND, "there is no connector \"" STR_FORMAT "\"; there are %s", STR_ARG(name), known);
}

static enum err load_system(struct hub *hub, struct str name, struct yaml_node root, struct diag_list *diags)
{
    struct str connector;
    struct hub_system *system = arena_alloc_zero(&hub->arena, 1, sizeof *system);
    if (!system)
        return ERR_NO_MEMORY;
    system->name = name;
    system->root = root;
    enum err err = check_party(hub, root, diags, &system->party);
    err = keep_first(err, yaml_get_str(root, "connector", true, diags, &connector));
    if (err)
        return err;
    system->ops = find_connector(hub, connector);
    if (!system->ops)
        return unknown_connector(hub, yaml_get(root, "connector"), connector, diags);
    const struct hub_system_ops *other = hub->reach ? hub->reach->ops(hub->reach->context, system->party, system->ops) : NULL;
    if (other)
        system->ops = other;
    const struct hub_system_env env = {
        .hub = hub,
        .reach = hub->reach ? hub->reach->context : NULL,
        .district = hub->district,
        .loop = hub->loop,
        .clock = hub->clock,
        .zone = hub->zone,
        .city_dir = hub->city_dir.ptr,
        .data_dir = hub->data_dir.ptr,
        .party = system->party,
        .name = name,
        .check_only = hub->is_check,
        .fatal = hub->fatal,
        .fatal_context = hub->fatal_context,
    };
    err = system->ops->open(&env, root, diags, &system->system);
    if (err)
        system->system = NULL;
    system->next = hub->systems;
    hub->systems = system;
    struct yaml_node resources = yaml_get(root, "resources");
    if (yaml_is_none(resources))
        return keep_first(err, yaml_error(root, diags, ERR_NOT_FOUND, "a system without resources offers nothing; add resources:"));
    /* Declared even when the system did not open, so that one fault is not told again by every contract. */
    return keep_first(err, hub_declare(hub, system->party, system, resources, diags));
}

/* Of a scene's file its party and title, and what it offers; its other keys are the scene's own. */
static enum err load_scene(struct hub *hub, struct str name, struct yaml_node root, struct diag_list *diags)
{
    struct str party = STR_NONE, zh, en;
    enum err err = check_party(hub, root, diags, &party);
    err = keep_first(err, hub_read_title(root, "title", false, diags, &zh, &en));
    struct yaml_node resources = yaml_get(root, "resources");
    if (err || yaml_is_none(resources))
        return err;
    return hub_declare(hub, party, NULL, resources, diags);
}

static enum err load_contract(struct hub *hub, struct str name, struct yaml_node root, struct diag_list *diags)
{
    return hub_contract_load(hub, root, diags);
}

/* What the hub itself offers: the health of all sources. */
static enum err declare_own(struct hub *hub)
{
    static const struct hub_field fields[] = {
        {.name = STR_INIT("party"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("source"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("area"), .type = VALUE_TEXT, .class = HUB_OPEN},
        {.name = STR_INIT("title_zh"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("title_en"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("lon"), .type = VALUE_REAL, .class = HUB_INTERNAL},
        {.name = STR_INIT("lat"), .type = VALUE_REAL, .class = HUB_INTERNAL},
        {.name = STR_INIT("health"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("last_heard"), .type = VALUE_TIME, .class = HUB_INTERNAL},
        {.name = STR_INIT("since"), .type = VALUE_TIME, .class = HUB_INTERNAL},
        {.name = STR_INIT("detail"), .type = VALUE_TEXT, .class = HUB_INTERNAL},
        {.name = STR_INIT("time"), .type = VALUE_TIME, .class = HUB_INTERNAL},
    };
    struct hub_resource resource = {
        .title_zh = STR("数据源状态"),
        .title_en = STR("Health of the sources"),
        .kind = HUB_STREAM,
        .fields = fields,
        .n_fields = sizeof fields / sizeof *fields,
    };
    enum err err = arena_printf(&hub->arena, &resource.party, STR_FORMAT "/hub", STR_ARG(hub->area));
    if (!err)
        err = arena_printf(&hub->arena, &resource.name, STR_FORMAT "/hub/source", STR_ARG(hub->area));
    if (!err && !names_get(&hub->party_names, resource.party)) {
        struct hub_party *party = arena_alloc_zero(&hub->arena, 1, sizeof *party);
        if (!party)
            return ERR_NO_MEMORY;
        *party = (struct hub_party){.name = resource.party, .title_zh = STR("中枢"), .title_en = STR("Hub"), .kind = STR("hub")};
        err = names_put(&hub->party_names, party->name, party);
    }
    if (!err)
        err = hub_declare_own(hub, &resource, &hub->source_entry);
    return err ? err : hub_alert_declare(hub);
}

/* ---- the hub's life ---- */

static enum err load_city(struct hub *hub, struct diag_list *diags)
{
    char path[PATH_MAX_OURS];
    snprintf(path, sizeof path, "%s/areas.yaml", hub->city_dir.ptr);
    enum err err = area_tree_load(path, diags, &hub->areas);
    if (err)
        return err;
    if (area_find(hub->areas, hub->area) < 0)
        return diag_add(diags, ERR_NOT_FOUND, path, 0,
            "there is no area \"" STR_FORMAT "\", the hub's own; declare it, or mend city: in city.yaml", STR_ARG(hub->area));
    err = load_parties(hub, diags);
    if (err)
        return err;
    err = declare_own(hub);
    if (err)
        return err;
    err = each_file(hub, "systems", diags, load_system);
    err = keep_first(err, each_file(hub, "scenes", diags, load_scene));
    err = keep_first(err, each_file(hub, "contracts", diags, load_contract));
    return err ? err : hub_contracts_index(hub);
}

static void mount_systems(struct hub *hub)
{
    for (struct hub_system *system = hub->systems; system; system = system->next)
        if (system->system && system->ops->door && system->ops->door->mount)
            system->ops->door->mount(system->system, &system->mount);
}

enum err hub_create(const struct hub_options *options, struct diag_list *diags, struct hub **ret_hub)
{
    struct hub *hub = mem_alloc_zero(1, sizeof *hub);
    if (!hub)
        return ERR_NO_MEMORY;
    arena_init(&hub->arena, ARENA_MAX);
    pthread_mutex_init(&hub->waiting_lock, NULL);
    hub->clock = options->clock;
    hub->loop = options->loop;
    hub->zone = options->zone;
    hub->epochs_kept_ms = options->epochs_kept_ms ? options->epochs_kept_ms : HUB_EPOCHS_KEPT_MS;
    hub->bus = options->bus;
    hub->ledger = options->ledger;
    hub->ledger_key = options->ledger_key;
    hub->connectors = options->connectors;
    hub->keeper = options->keeper;
    hub->tee = options->tee;
    hub->fatal = options->fatal;
    hub->fatal_context = options->fatal_context;
    hub->district = options->district;
    hub->reach = options->reach;
    hub->is_check = options->check_only;
    hub->is_demo = options->is_demo;
    hub->desk.next_number = 1;
    pthread_mutex_init(&hub->desk.lock, NULL);
    pthread_mutex_init(&hub->quality.lock, NULL);
    crypto_random(&hub->nonce_head, sizeof hub->nonce_head);
    enum err err = arena_copy_str(&hub->arena, str_from_c(options->city_dir), &hub->city_dir);
    if (!err)
        err = arena_copy_str(&hub->arena, str_from_c(options->data_dir), &hub->data_dir);
    if (!err)
        err = arena_copy_str(&hub->arena, options->area, &hub->area);
    if (!err && !hub->is_check && (err = hub_epochs_create(hub)))
        diag_add(diags, err, options->data_dir, 0, "the data folder cannot be made (%s); check its rights, or give another with --data",
            strerror(errno));
    if (!err && !hub->is_check)
        err = hub_sources_create(hub);
    if (!err && !hub->is_check)
        err = hub_queries_create(hub);
    if (!err && !hub->is_check)
        err = hub_objects_create(hub);
    if (!err)
        err = load_city(hub, diags);
    if (!err && !hub->is_check)
        err = hub_quota_open(hub, diags);
    if (!err && !hub->is_check)
        err = hub_acts_open(hub, diags);
    if (err) {
        if (diags && diags->n == 0)
            diag_add(diags, err, options->city_dir, 0, "the city could not be loaded: %s", err_text(err));
        hub_stop(hub);
        hub_destroy(hub);
        return err;
    }
    mount_systems(hub);
    *ret_hub = hub;
    return ERR_OK;
}

/* The registry is here, so every tick confirms what stands in it: a contract with fresh_for stays fresh while this hub lives, and dies by
 * itself where a copy of it is cut off. */
static void on_tick(struct loop_timer *timer)
{
    struct hub *hub = container_of(timer, struct hub, tick);
    int64_t now_ms = clock_wall(hub->clock).ms;
    for (size_t i = 0; i < hub->n_contracts && !hub->feed.is_follower; i++) {
        struct hub_contract *contract = hub->contracts[i];
        if (contract->fresh_for_ms != DECIDE_NONE && contract->confirmed_ms == DECIDE_NONE && !contract->is_copy)
            atomic_store_explicit(&contract->fresh_until_ms, now_ms + contract->fresh_for_ms, memory_order_relaxed);
    }
    if (!hub->feed.is_follower)
        hub_desk_expire(hub);
    hub_waiters_resume(hub);
    hub_epochs_drop_old(hub);
    if (++hub->n_ticks % TICKS_TELL == 0)
        hub_sources_tell_all(hub);
    hub_quota_keep(hub);
    if (hub->n_ticks % TICKS_TELL == TICKS_TELL_ACTS)
        hub_acts_tell(hub);
    if (loop_timer_start(hub->loop, timer, TICK_MS))
        log_write(LOG_ERROR, "hub", "the tick stopped", LOG_END);
}

enum err hub_start(struct hub *hub)
{
    enum err reserved = hub_contracts_reserve(hub);
    if (reserved)
        return reserved;
    for (size_t i = 0; i < hub->n_contracts; i++) {
        enum err err = hub->contracts[i]->is_new && !hub->feed.is_follower ? hub_leaf_tell_contract(hub->contracts[i]) : ERR_OK;
        if (err)
            return err;
        hub->contracts[i]->is_new = false;
    }
    if (!hub->feed.is_follower)
        hub_feed_open(hub);
    hub->tick.fn = on_tick;
    hub->is_started = true;
    enum err err = hub_quality_start(hub);
    return err ? err : loop_timer_start(hub->loop, &hub->tick, TICK_MS);
}

/* For ten seconds at most: what waits for a slow department has been cancelled by then. */
static void wait_for_uses(struct hub *hub)
{
    for (int i = 0; i < 1000 && atomic_load_explicit(&hub->n_in_flight, memory_order_acquire) > 0; i++)
        if (loop_run_once(hub->loop, 10))
            break;
}

void hub_stop(struct hub *hub)
{
    atomic_store(&hub->is_stopping, true);
    loop_timer_stop(&hub->tick);
    hub_quality_stop(hub);
    hub_waiters_resume(hub); /* they are refused now */
    hub_queries_stop(hub);
    hub_objects_stop(hub);
    for (struct hub_system *system = hub->systems; system; system = system->next) {
        if (system->system)
            system->ops->close(system->system);
        system->system = NULL;
    }
    wait_for_uses(hub); /* they write leaves, and the ledger is closed next */
}

void hub_destroy(struct hub *hub)
{
    if (!hub)
        return;
    wait_for_uses(hub);
    hub_acts_close(hub);
    hub_queries_destroy(hub);
    hub_objects_destroy(hub);
    hub_quota_close(hub);
    if (hub->loop && !hub->is_check && loop_run_once(hub->loop, 0)) /* the writer's last tasks */
        log_write(LOG_WARNING, "hub", "the loop did not run", LOG_END);
    hub_acts_destroy(hub);
    hub_desk_destroy(hub);
    hub_sources_destroy(hub);
    hub_epochs_destroy(hub);
    for (size_t i = 0; i < hub->n_entries; i++) {
        hub_object_drop(hub->entries[i]);
        pthread_mutex_destroy(&hub->entries[i]->lock);
    }
    mem_free(hub->entries);
    mem_free(hub->contracts);
    names_finish(&hub->party_names);
    names_finish(&hub->entry_names);
    names_finish(&hub->contract_names);
    names_finish(&hub->contract_uses);
    area_tree_destroy(hub->areas);
    for (size_t i = 0; i < hub->n_yamls; i++)
        yaml_destroy(hub->yamls[i]);
    mem_free(hub->yamls);
    pthread_mutex_destroy(&hub->waiting_lock);
    arena_finish(&hub->arena);
    mem_free(hub);
}

/* ---- asking it ---- */

enum err hub_digest_ha1(const struct hub *hub, struct str user, char ret_ha1[33], struct http_identity *ret_identity)
{
    for (const struct hub_system *system = hub->systems; system; system = system->next)
        if (system->system && system->ops->door && system->ops->door->digest_ha1) {
            enum err err = system->ops->door->digest_ha1(system->system, user, ret_ha1, ret_identity);
            if (err != ERR_UNAUTHENTICATED)
                return err;
        }
    return ERR_UNAUTHENTICATED;
}

const struct hub_party *hub_party_find(const struct hub *hub, struct str name)
{
    return names_get(&hub->party_names, name);
}

const struct area_tree *hub_areas(const struct hub *hub)
{
    return hub->areas;
}

struct clock *hub_clock(const struct hub *hub)
{
    return hub->clock;
}

struct time_zone hub_zone(const struct hub *hub)
{
    return hub->zone;
}
