/*
 * One posting's way: body → JSON → every event held against the declared fields → all of them published, or none → {"accepted":N}. A
 * posting with a name goes on once, however often it comes (postings.h).
 *
 * Accepted means handed to the subscribers' queues, and where the stream is given to other hubs, on this hub's disk for them
 * (hub/keeper.h); else nothing is kept here, so a provider that must not lose keeps its own record. The rate of events and the size of a
 * posting are bounded; a provider that falls silent is a stale source.
 */
#include "system/push/push.h"

#include "base/mem.h"
#include "hub/registry.h"
#include "system/push/postings.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX (1u << 20)
#define EVENTS_MAX 10000 /* of one posting */
#define PER_SECOND_DEFAULT 10000
#define SILENT_DEFAULT_MS 60000
#define RESOURCES_MAX 64 /* of one file */
#define POSTING_NAME_MAX 64
#define LOOK_MS 1000 /* how often silence is looked for */
#define REPORT_MS 30000
#define ROWS_MAX_BYTES (16u << 20)

extern const char push_schemas[]; /* push.schema.json */

struct push_system {
    struct arena arena;
    struct hub *hub;
    struct loop *loop;
    struct clock *clock;
    struct str party, area, source;
    struct yaml_node root;
    bool check_only;
    int64_t per_second, silent_after_ms;
    const struct hub_resource *resources[RESOURCES_MAX];
    struct http_route routes[RESOURCES_MAX];
    size_t n_resources;
    pthread_mutex_t lock; /* guards the bucket */
    double tokens;
    struct mono_time filled;
    struct push_postings *postings; /* NULL while checking */
    _Atomic int64_t last_heard_ms;
    /* the hub's loop's */
    struct loop_timer look;
    enum hub_health health;
    struct mono_time reported;
};

/* ---- health ---- */

static void report(struct push_system *system, enum hub_health health, const char *detail)
{
    struct mono_time now = clock_mono(system->clock);
    if (system->reported.ns && system->health == health && mono_ms_between(system->reported, now) < REPORT_MS)
        return;
    system->health = health;
    system->reported = now;
    const struct hub_party *party = hub_party_find(system->hub, system->party);
    struct hub_source source = {
        .party = system->party,
        .source = system->source,
        .area = system->area,
        .title_zh = party ? party->title_zh : STR_NONE,
        .title_en = party ? party->title_en : STR_NONE,
        .health = health,
        .last_heard = {atomic_load(&system->last_heard_ms)},
        .detail = str_from_c(detail),
    };
    hub_source_report(system->hub, &source);
}

static void on_look(struct loop_timer *timer)
{
    struct push_system *system = container_of(timer, struct push_system, look);
    int64_t last_ms = atomic_load(&system->last_heard_ms);
    if (last_ms == 0)
        report(system, HUB_DOWN, HUB_DETAIL(nothing_yet));
    else if (clock_wall(system->clock).ms - last_ms > system->silent_after_ms)
        report(system, HUB_STALE, HUB_DETAIL(nothing_lately));
    else
        report(system, HUB_FRESH, "");
    if (loop_timer_start(system->loop, timer, LOOK_MS))
        report(system, HUB_DOWN, HUB_DETAIL(no_memory));
}

/* ---- the door ---- */

/* Are `n` events within the rate? A bucket that holds one second's worth. */
static bool take_tokens(struct push_system *system, size_t n)
{
    pthread_mutex_lock(&system->lock);
    struct mono_time now = clock_mono(system->clock);
    double max = (double)system->per_second;
    system->tokens += (double)(now.ns - system->filled.ns) * 1e-9 * max;
    system->filled = now;
    if (system->tokens > max)
        system->tokens = max;
    bool has = system->tokens >= (double)n;
    if (has)
        system->tokens -= (double)n;
    pthread_mutex_unlock(&system->lock);
    return has;
}

static enum err read_event(const struct hub_resource *resource, const json_t *event, size_t at, struct value *values, struct diag *diag)
{
    size_t n_known = 0;
    if (!json_is_object(event))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "event %zu is not an object", at);
    for (size_t i = 0; i < resource->n_fields; i++) {
        const struct hub_field *field = &resource->fields[i];
        char name[65];
        values[i] = VALUE_NONE;
        if (str_to_c(field->name, name, sizeof name))
            continue;
        const json_t *member = json_object_get(event, name);
        n_known += member != NULL;
        if (member && !json_is_null(member) && json_to_value(member, field->type, &values[i]))
            return diag_set(diag, ERR_SYNTAX, NULL, 0, "event %zu: \"%s\" is not of type %s", at, name, value_type_name(field->type));
    }
    if (n_known != json_object_size(event))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "event %zu has a field that the resource does not declare", at);
    return ERR_OK;
}

static enum err read_events(const struct hub_resource *resource, const json_t *body, struct diag *diag, struct rows **ret_rows)
{
    const json_t *events = json_object_get(body, "events");
    struct value values[HUB_FIELDS_MAX];
    struct rows *rows;
    if (!json_is_array(events) || json_object_size(body) != (json_object_get(body, "posting") ? 2 : 1))
        return diag_set(
            diag, ERR_SYNTAX, NULL, 0, "the body is {\"events\":[{field:value,…}]}, with \"posting\" as its name if it may come again");
    if (json_array_size(events) > EVENTS_MAX)
        return diag_set(diag, ERR_TOO_LARGE, NULL, 0, "more than %d events in one posting", EVENTS_MAX);
    enum err err = rows_create(resource->n_fields, ROWS_MAX_BYTES, &rows);
    if (err)
        return err;
    for (size_t i = 0; i < json_array_size(events) && !err; i++) {
        err = read_event(resource, json_array_get(events, i), i, values, diag);
        if (!err)
            err = rows_add(rows, values);
    }
    if (err)
        rows_release(rows);
    else
        *ret_rows = rows;
    return err;
}

static const struct hub_resource *resource_of(const struct push_system *system, struct http_exchange *x)
{
    struct str path = http_path(x), name = str_slice(path, strlen("/hub/v1/publish/"), path.len);
    for (size_t i = 0; i < system->n_resources; i++)
        if (str_equal(system->resources[i]->name, name))
            return system->resources[i];
    return NULL;
}

/* ERR_TOO_LARGE: waiting would not help; ERR_BUSY: over the rate; else the hub's word. */
static enum err publish(struct push_system *system, const struct hub_resource *resource, struct rows *rows)
{
    if (rows_n(rows) > (size_t)system->per_second)
        return ERR_TOO_LARGE;
    if (!take_tokens(system, rows_n(rows)))
        return ERR_BUSY;
    enum err err = hub_publish(system->hub, resource, rows);
    if (!err && rows_n(rows) > 0)
        atomic_store(&system->last_heard_ms, clock_wall(system->clock).ms);
    return err;
}

static void reply_refused(struct http_exchange *x, enum err err)
{
    if (err == ERR_BUSY || err == ERR_FULL)
        http_add_header(x, "Retry-After", STR("1"));
    if (err == ERR_TOO_LARGE)
        http_reply_problem(x, 413, STR("more events in one posting than the resource allows in a second; split it"), -1);
    else if (err == ERR_BUSY)
        http_reply_problem(x, 429, STR("more events a second than the resource allows"), -1);
    else
        http_reply_err(x, err, STR("a subscriber is behind; send it again in a second"));
}

static void reply_accepted(struct http_exchange *x, size_t n, bool is_repeated)
{
    struct str answer;
    enum err err = arena_printf(http_arena(x), &answer, "{\"accepted\":%zu%s}", n, is_repeated ? ",\"repeated\":true" : "");
    if (err)
        http_reply_err(x, err, STR_NONE);
    else
        http_reply_json(x, 200, answer);
}

/* One that is not to go on: replies. */
static void reply_known(struct http_exchange *x, enum err err, size_t n_accepted)
{
    if (err == ERR_EXISTS) {
        reply_accepted(x, n_accepted, true);
    } else if (err == ERR_STATE) {
        http_reply_problem(x, 409, STR("another posting had this name; give each a name of its own, and send one again byte for byte"), -1);
    } else {
        http_add_header(x, "Retry-After", STR("1"));
        http_reply_problem(x, 503, STR("the same posting is under way; ask again in a second"), -1);
    }
}

/* The posting's name, empty when it has none. */
static enum err read_name(const json_t *body, struct diag *diag, struct str *ret_name)
{
    const json_t *posting = json_object_get(body, "posting");
    if (posting && (json_get_str(body, "posting", ret_name) || ret_name->len == 0 || ret_name->len > POSTING_NAME_MAX))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "\"posting\" is the posting's name, a text of 1 to %d bytes", POSTING_NAME_MAX);
    return ERR_OK;
}

struct posting { /* published; replied to when it is on disk, if it has to be */
    struct push_system *system;
    struct http_exchange *x;
    const struct hub_resource *resource;
    struct str name;
    size_t n;
    struct hub_settle settle;
};

static void settled(struct loop_task *task)
{
    struct posting *posting = container_of(task, struct posting, settle.task);
    enum err err = posting->settle.err;
    if (posting->name.len > 0)
        push_postings_end(posting->system->postings, posting->resource->name, posting->name, !err, posting->n);
    if (err)
        reply_refused(posting->x, ERR_UNAVAILABLE);
    else
        reply_accepted(posting->x, posting->n, false);
}

static void publish_and_reply(struct posting *posting, struct rows *rows)
{
    posting->n = rows_n(rows);
    enum err err = publish(posting->system, posting->resource, rows);
    if (err) {
        if (posting->name.len > 0)
            push_postings_end(posting->system->postings, posting->resource->name, posting->name, false, 0);
        reply_refused(posting->x, err);
        return;
    }
    posting->settle = (struct hub_settle){.loop = http_loop(posting->x), .task = {.fn = settled}};
    hub_publish_settled(posting->system->hub, posting->resource, &posting->settle);
}

static void handle_publish(struct http_exchange *x, void *context)
{
    struct push_system *system = context;
    const struct hub_resource *resource = resource_of(system, x);
    struct diag diag = {0};
    struct rows *rows = NULL;
    struct str name = STR_NONE;
    size_t n_accepted = 0;
    json_t *body;
    if (!resource || !str_equal(http_identity(x)->party, system->party)) {
        http_reply_problem(x, 404, STR("there is no such resource of yours"), -1);
        return;
    }
    if (http_body_json(x, &body))
        return;
    enum err err = read_name(body, &diag, &name);
    if (!err)
        err = read_events(resource, body, &diag, &rows);
    if (err == ERR_SYNTAX) {
        http_reply_problem(x, 400, str_from_c(diag.text), -1);
        return;
    }
    if (err) {
        http_reply_err(x, err, str_from_c(diag.text));
        return;
    }
    struct posting *posting = arena_alloc_zero(http_arena(x), 1, sizeof *posting);
    if (posting && name.len > 0)
        err = push_postings_begin(system->postings, resource->name, name, http_body(x), &n_accepted);
    if (!posting) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
    } else if (err) {
        reply_known(x, err, n_accepted);
    } else {
        *posting = (struct posting){.system = system, .x = x, .resource = resource, .name = name};
        publish_and_reply(posting, rows);
    }
    rows_release(rows);
}

/* ---- the slots ---- */

static enum err read_connection(struct push_system *system, struct yaml_node root, struct diag_list *diags)
{
    static const char *const root_keys[] = {"party", "connector", "connection", "resources", NULL};
    static const char *const keys[] = {"per_second", "silent_after", NULL};
    struct yaml_node connection = yaml_get(root, "connection");
    system->per_second = PER_SECOND_DEFAULT;
    system->silent_after_ms = SILENT_DEFAULT_MS;
    enum err err = yaml_check_keys(root, root_keys, diags);
    if (err || yaml_is_none(connection))
        return err;
    err = yaml_check_keys(connection, keys, diags);
    if (!err)
        err = yaml_get_i64(connection, "per_second", false, diags, 1, 1000000, &system->per_second);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_duration_ms(connection, "silent_after", false, diags, &system->silent_after_ms);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static void push_close(void *context)
{
    struct push_system *system = context;
    if (!system->check_only)
        loop_timer_stop(&system->look);
    pthread_mutex_destroy(&system->lock);
    push_postings_destroy(system->postings);
    arena_finish(&system->arena);
    mem_free(system);
}

static enum err push_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct push_system *system = mem_alloc_zero(1, sizeof *system);
    struct str rest;
    if (!system)
        return ERR_NO_MEMORY;
    arena_init(&system->arena, 1u << 20);
    pthread_mutex_init(&system->lock, NULL);
    system->hub = env->hub;
    system->loop = env->loop;
    system->clock = env->clock;
    system->check_only = env->check_only;
    system->party = env->party;
    system->root = root;
    if (!str_cut(env->party, '/', &system->area, &rest))
        system->area = env->party;
    system->look.fn = on_look;
    enum err err = arena_printf(&system->arena, &system->source, "push/" STR_FORMAT, STR_ARG(env->name));
    if (!err)
        err = read_connection(system, root, diags);
    system->filled = clock_mono(system->clock);
    system->tokens = (double)system->per_second;
    if (!err && !env->check_only)
        err = push_postings_create(&system->postings);
    if (!err && !env->check_only)
        err = loop_timer_start(env->loop, &system->look, LOOK_MS);
    if (err)
        push_close(system);
    else
        *ret_system = system;
    return err;
}

/* Where a resource is declared, for errors. */
static struct yaml_node place_of(const struct push_system *system, const struct hub_resource *resource)
{
    struct yaml_node list = yaml_get(system->root, "resources");
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        struct str name = yaml_text(yaml_get(yaml_item(list, i), "name"));
        if (resource->name.len == system->party.len + 1 + name.len && str_ends_with(resource->name, name))
            return yaml_item(list, i);
    }
    return system->root;
}

static enum err push_bind(void *context, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    struct push_system *system = context;
    struct str pattern;
    if (resource->kind != HUB_STREAM)
        return yaml_error(place_of(system, resource), diags, ERR_UNSUPPORTED,
            "resource \"" STR_FORMAT "\": connector push offers streams only; write kind: stream", STR_ARG(resource->name));
    if (!yaml_is_none(binding))
        return yaml_error(binding, diags, ERR_SYNTAX, "connector push binds to nothing; leave out bind:");
    if (system->n_resources == RESOURCES_MAX)
        return yaml_error(
            place_of(system, resource), diags, ERR_TOO_LARGE, "more than %d resources of connector push in one file", RESOURCES_MAX);
    enum err err = arena_printf(&system->arena, &pattern, "/hub/v1/publish/" STR_FORMAT, STR_ARG(resource->name));
    if (err)
        return err;
    system->resources[system->n_resources] = resource;
    system->routes[system->n_resources++] = (struct http_route){HTTP_POST, pattern.ptr, HTTP_SIGNED_IN, BODY_MAX, handle_publish,
        "Rows of this stream from its provider", .body = "Publish", .answer = "Published"};
    return ERR_OK;
}

static void push_mount(void *context, struct http_mount *ret_mount)
{
    struct push_system *system = context;
    *ret_mount = (struct http_mount){.routes = system->routes, .n_routes = system->n_resources, .context = system, .schemas = push_schemas};
}

static const struct hub_system_door door_slot = {.mount = push_mount};

const struct hub_system_ops system_push_ops = {
    .connector = "push",
    .open = push_open,
    .bind = push_bind,
    .door = &door_slot,
    .close = push_close,
};
