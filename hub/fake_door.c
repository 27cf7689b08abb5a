/*
 * The smallest composition that answers HTTP: what brain/ does for the whole program.
 */
#include "hub/fake_door.h"

#include "http/client.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static enum err by_token(void *context, struct str token, struct http_identity *ret_identity)
{
    static const struct str parties[] = {
        STR_INIT("h/parking"), STR_INIT("h/police"), STR_INIT("h/count"), STR_INIT("h/cockpit"), STR_INIT("h/world")};
    for (size_t i = 0; i < sizeof parties / sizeof *parties; i++)
        if (str_equal(token, str_slice(parties[i], 2, parties[i].len))) {
            *ret_identity = (struct http_identity){.party = parties[i], .area = STR("h"), .acts_for = parties[i]};
            return ERR_OK;
        }
    if (str_equal_c(token, "citizen")) {
        *ret_identity = (struct http_identity){
            .party = STR("h/citizen"), .person = STR("citizen"), .subject = STR("{\"licence\":\"990\",\"plate\":\"浙A1\"}")};
        return ERR_OK;
    }
    /* Stand for people: who signs in at a post with a role. */
    static const struct {
        const char *token, *acts_for;
        unsigned role;
    } people[] = {
        {"police-manager", "h/police", HTTP_MANAGE},
        {"parking-manager", "h/parking", HTTP_MANAGE},
        {"count-manager", "h/count", HTTP_MANAGE},
        {"police-clerk", "h/police", 0},
        {"auditor", "h/post.audit", HTTP_AUDIT},
        {"operator", "h/police", HTTP_OPERATE},
    };
    for (size_t i = 0; i < sizeof people / sizeof *people; i++)
        if (str_equal_c(token, people[i].token)) {
            *ret_identity = (struct http_identity){.party = STR("h/post"),
                .area = STR("h"),
                .person = str_from_c(people[i].token),
                .acts_for = str_from_c(people[i].acts_for),
                .roles = people[i].role};
            return ERR_OK;
        }
    return ERR_UNAUTHENTICATED;
}

static void start_hub(void *context)
{
    struct fake_door *door = context;
    static const struct hub_system_ops *const fakes[] = {&fake_system_ops, NULL};
    const struct hub_options options = {
        .city_dir = door->city.dir,
        .data_dir = door->city.data,
        .area = STR("h"),
        .zone = TIME_ZONE_SHANGHAI,
        .clock = door->clock ? door->clock : clock_system(),
        .loop = door->city.loop,
        .bus = door->city.bus,
        .ledger = door->city.ledger,
        .ledger_key = door->key,
        .is_demo = true,
        .connectors = door->city.connectors ? door->city.connectors : fakes,
    };
    door->err = hub_create(&options, &door->diags, &door->city.hub);
    if (!door->err)
        door->err = hub_start(door->city.hub);
}

static void start_server(void *context)
{
    struct fake_door *door = context;
    struct diag diag = {0};
    size_t n = hub_mounts(door->city.hub, door->mounts, FAKE_DOOR_MOUNTS_MAX - 1);
    assert(n < FAKE_DOOR_MOUNTS_MAX);
    if (door->more.n_routes)
        door->mounts[n++] = door->more;
    const struct http_server_options options = {
        .address = "127.0.0.1",
        .mounts = door->mounts,
        .n_mounts = n,
        .auth = {.token = by_token},
    };
    door->err = http_server_create(loop_thread_loop(door->http_thread), &options, &diag, &door->server);
    if (!door->err)
        door->port = http_server_port(door->server);
}

void fake_door_start(struct fake_door *door)
{
    static const uint8_t seed[32] = {1, 2, 3};
    char dir[128];
    struct diag diag = {0};
    door->diags = (struct diag_list){0};
    mkdir(door->city.data, 0700);
    snprintf(dir, sizeof dir, "%s/ledger", door->city.data);
    door->err = crypto_key_from_seed(seed, &door->key);
    assert(!door->err);
    const struct ledger_options options = {.dir = dir, .origin = STR("h.log"), .key = door->key, .clock = clock_system()};
    door->err = ledger_open(&options, &diag, &door->city.ledger);
    if (door->err)
        fprintf(stderr, "%s\n", diag.text);
    assert(!door->err);
    door->err = loop_thread_start(clock_system(), "hub", &door->hub_thread);
    assert(!door->err);
    door->err = loop_thread_start(clock_system(), "http", &door->http_thread);
    assert(!door->err);
    door->city.loop = loop_thread_loop(door->hub_thread);
    door->err = bus_create(&door->city.bus);
    assert(!door->err);
    loop_thread_call(door->hub_thread, start_hub, door);
    if (door->err)
        fprintf(stderr, "%s\n", door->diags.diags[0].text);
    assert(!door->err);
    if (door->open_more)
        door->open_more(door);
    loop_thread_call(door->http_thread, start_server, door);
    assert(!door->err);
    snprintf(door->url, sizeof door->url, "http://127.0.0.1:%u", door->port);
}

static void stop_server(void *context)
{
    struct fake_door *door = context;
    http_server_destroy(door->server);
    door->server = NULL;
}

void fake_door_stop_server(struct fake_door *door)
{
    loop_thread_call(door->http_thread, stop_server, door);
}

static void stop_hub(void *context)
{
    hub_stop(((struct fake_door *)context)->city.hub);
}

static void destroy_hub(void *context)
{
    hub_destroy(((struct fake_door *)context)->city.hub);
}

void fake_door_end(struct fake_door *door)
{
    loop_thread_call(door->http_thread, stop_server, door);
    loop_thread_call(door->hub_thread, stop_hub, door);
    ledger_close(door->city.ledger);
    loop_thread_call(door->hub_thread, destroy_hub, door);
    loop_thread_stop(door->http_thread);
    loop_thread_stop(door->hub_thread);
    bus_destroy(door->city.bus);
    crypto_key_destroy(door->key);
}

void fake_door_stop(struct fake_door *door)
{
    fake_door_end(door);
    fake_city_remove(&door->city);
}

void fake_door_on_hub(struct fake_door *door, void (*fn)(void *context), void *context)
{
    loop_thread_call(door->hub_thread, fn, context);
}

int fake_door_ask(struct fake_door *door, const char *method, const char *path, const char *token, const char *body, char *out, size_t size)
{
    char url[1024];
    struct http_response response;
    snprintf(url, sizeof url, "%s%s", door->url, path);
    const struct http_request request = {
        .method = method, .url = url, .bearer = token, .content_type = body ? "application/json" : NULL, .body = str_from_c(body)};
    enum err err = http_client_perform(&request, &response);
    if (err) {
        snprintf(out, size, "%s", err_text(err));
        return 0;
    }
    struct str text = buf_str(&response.body);
    snprintf(out, size, STR_FORMAT, STR_ARG(text));
    buf_finish(&response.body);
    return response.status;
}
