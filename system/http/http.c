/*
 * The connector: a loop of its own with libcurl's connections to one department, its secrets, and how the department is doing.
 *
 * One asking's way: fetch() on any thread → the system's loop → ask.c: the constraints as requests (request.c), page after page → the rows'
 * fields by their pointers (hub/mapping.h) → the sieve, an SQLite in memory that holds the contract's rows and the asker's question against
 * them → back to the asker's loop. Nothing but what the sieve lets through leaves this folder.
 */
#include "system/http/inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MS 20     /* how often what waits is looked at */
#define SECRET_MS 1000 /* so long a secret that was read is used */
#define HEALTH_MS 5000

/* ---- secrets ---- */

static enum err read_secret(struct http_system *system)
{
    const char *path = system->token_file[0] ? system->token_file : system->password_file;
    struct mono_time now = clock_mono(system->department.clock);
    if (!path[0] || (system->has_secret && system->secret_read.ns && mono_ms_between(system->secret_read, now) < SECRET_MS))
        return ERR_OK;
    enum err err = hub_department_secret(path, system->secret);
    for (const char *at = system->secret; !err && *at; at++)
        err = (unsigned char)*at < ' ' || *at == 0x7f ? ERR_SYNTAX : ERR_OK;
    system->has_secret = !err;
    if (err) {
        explicit_bzero(system->secret, sizeof system->secret);
        hub_department_report(&system->department, HUB_DOWN, err == ERR_DENIED ? HUB_DETAIL(secret_open) : HUB_DETAIL(secret_unread));
        return ERR_UNAVAILABLE;
    }
    system->secret_read = now;
    snprintf(system->header, sizeof system->header, "%s: %s", system->token_header, system->secret);
    return ERR_OK;
}

/* `headers` has room for three. */
static struct http_request make_request(
    struct http_system *system, const struct http_form *form, const char *url, struct str body, int64_t timeout_ms, const char **headers)
{
    size_t n = 0;
    bool is_bearer = system->token_file[0] && !system->token_header[0];
    while (headers[n])
        n++;
    if (system->token_header[0])
        headers[n++] = system->header;
    headers[n] = NULL;
    return (struct http_request){
        .method = form && form->is_post ? "POST" : "GET",
        .url = url,
        .bearer = is_bearer ? system->secret : NULL,
        .basic_user = system->user[0] ? system->user : NULL,
        .basic_password = system->secret,
        .ca_file = system->ca_file[0] ? system->ca_file : NULL,
        .is_path_as_it_is = true,
        .content_type = form && form->has_body ? "application/json" : NULL,
        .headers = headers,
        .body = body,
        .timeout_ms = timeout_ms,
        .answer_max = HTTP_PAGE_BYTES,
        .ret_tls = &system->tls,
    };
}

enum err http_request(struct http_system *system, const struct http_form *form, struct str url, struct str body, int64_t timeout_ms,
    const char *extra_header, void (*done)(void *context, enum err err, const struct http_response *response), void *context)
{
    const char *headers[4] = {"Accept: application/json", extra_header, NULL};
    char text[HTTP_URL_MAX + 1];
    enum err err = str_to_c(url, text, sizeof text);
    if (!err)
        err = read_secret(system);
    if (err)
        return err;
    const struct http_request request = make_request(system, form, text, body, timeout_ms, headers);
    return http_client_start(system->client, &request, done, context);
}

enum err http_sample(struct http_system *system, const struct http_form *form, const char *url, struct str body, int64_t timeout_ms,
    struct http_response *ret_response)
{
    const char *headers[4] = {"Accept: application/json", NULL};
    enum err err = read_secret(system);
    if (err)
        return err;
    const struct http_request request = make_request(system, form, url, body, timeout_ms, headers);
    return http_client_perform(&request, ret_response);
}

/* ---- the loop ---- */

static void on_health(void *context, enum err err, const struct http_response *response)
{
    struct http_system *system = context;
    system->health_asking = false;
    http_tell(system, err, response);
    if (!err && response->status / 100 == 2)
        hub_department_report(&system->department, HUB_FRESH, "");
}

static void look_after(struct http_system *system)
{
    struct mono_time now = clock_mono(system->department.clock);
    char url[sizeof system->base + sizeof system->health_path];
    bool is_due = !system->health_asked.ns || mono_ms_between(system->health_asked, now) >= HEALTH_MS || system->is_down;
    if (!system->health_path[0] || system->health_asking || !is_due || now.ns < system->open_again.ns)
        return;
    system->health_asked = now;
    snprintf(url, sizeof url, "%s%s", system->base, system->health_path);
    system->health_asking = !http_request(system, NULL, str_from_c(url), STR_NONE, system->timeout_ms, NULL, on_health, system);
}

static void on_look(struct loop_timer *timer)
{
    struct http_system *system = container_of(timer, struct http_system, look);
    if (atomic_load(&system->is_stopping))
        return;
    http_end_cancelled(system);
    http_pump(system);
    look_after(system);
    if (loop_timer_start(system->loop, timer, LOOK_MS))
        hub_department_report(&system->department, HUB_DOWN, HUB_DETAIL(no_memory));
}

/* The hub's loop runs: everything is loaded, nothing asks for samples any more. */
static void on_loaded(struct loop_timer *timer)
{
    struct http_system *system = container_of(timer, struct http_system, loaded);
    loop_post(system->loop, &system->start);
}

static void on_start(struct loop_task *task)
{
    struct http_system *system = container_of(task, struct http_system, start);
    on_look(&system->look);
}

/* ---- the slots ---- */

static enum err http_compile(void *context, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    struct http_system *system = context;
    return hub_tables_compile(&system->tables, system, grant, ret_plan);
}

static void destroy(struct http_system *system)
{
    hub_tables_finish(&system->tables);
    explicit_bzero(system->secret, sizeof system->secret);
    explicit_bzero(system->header, sizeof system->header);
    hub_department_finish(&system->department);
    mem_free(system);
}

/* On the system's loop: what is under way ends, and with it every asking. */
static void stop(void *context)
{
    struct http_system *system = context;
    loop_timer_stop(&system->look);
    http_client_destroy(system->client);
    system->client = NULL;
    http_pump(system);
}

static void http_close(void *context)
{
    struct http_system *system = context;
    if (!system)
        return;
    loop_timer_stop(&system->loaded);
    atomic_store(&system->is_stopping, true);
    if (system->thread)
        loop_thread_call(system->thread, stop, system); /* after what was posted before it */
    loop_thread_stop(system->thread);
    destroy(system);
}

static enum err http_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct http_system *system = mem_alloc_zero(1, sizeof *system);
    struct yaml_node connection;
    if (!system)
        return ERR_NO_MEMORY;
    system->zone = env->zone;
    system->look.fn = on_look;
    system->loaded.fn = on_loaded;
    system->start.fn = on_start;
    system->last_waiting = &system->waiting;
    enum err err = hub_department_init(&system->department, env, "http", root, diags, &connection);
    if (!err)
        err = http_read_connection(system, connection, diags);
    if (!err && !env->check_only)
        err = loop_thread_start(env->clock, "http-system", &system->thread);
    if (!err && system->thread) {
        system->loop = loop_thread_loop(system->thread);
        err = http_client_create(system->loop, (uint32_t)system->n_connections, &system->client);
    }
    if (!err && system->thread)
        err = loop_timer_start(env->loop, &system->loaded, 0);
    if (err) {
        http_client_destroy(system->client);
        loop_thread_stop(system->thread);
        destroy(system);
        return err;
    }
    *ret_system = system;
    return ERR_OK;
}

static void http_measure(void *context, struct metric_page *page, struct str name)
{
    struct http_system *system = context;
    metric_put_queue(page, HUB_DEPARTMENT_QUEUE, name, atomic_load(&system->n_open), HTTP_OPEN_MAX, &system->n_refused);
    hub_department_measure_connections(page, name, atomic_load(&system->n_active));
}

static const struct hub_system_door figures = {.measure = http_measure};
static const struct hub_system_tables tables = {.compile = http_compile, .fetch = http_fetch};

const struct hub_system_ops system_http_ops = {
    .connector = "http",
    .open = http_open,
    .bind = http_bind,
    .tables = &tables,
    .act = http_act,
    .door = &figures,
    .close = http_close,
};
