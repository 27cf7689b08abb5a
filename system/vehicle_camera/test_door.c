/* The connector behind a real HTTP server (test_door.h). */
#include "system/vehicle_camera/test_door.h"

#include "base/mem.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err digest_ha1(void *context, struct str user, char ret_ha1[33], struct http_identity *ret_identity)
{
    struct test_door *door = context;
    return system_vehicle_camera_ops.door->digest_ha1(door->system, user, ret_ha1, ret_identity);
}

static void on_fatal(void *context, const char *part, enum err err)
{
    struct test_door *door = context;
    atomic_store(&door->fatal, (int)err);
}

struct opening {
    struct test_door *door;
    struct diag_list *diags;
    enum err err;
};

static void open_system(void *context)
{
    struct opening *opening = context;
    struct test_door *door = opening->door;
    const struct hub_system_env env = {
        .loop = loop_thread_loop(door->hub_loop),
        .clock = door->clock,
        .zone = TIME_ZONE_SHANGHAI,
        .city_dir = door->data,
        .data_dir = door->data,
        .party = STR("hangzhou/police"),
        .name = STR("cameras"),
        .fatal = on_fatal,
        .fatal_context = door,
    };
    struct yaml_node root = yaml_root(door->yaml);
    opening->err = system_vehicle_camera_ops.open(&env, root, opening->diags, &door->system);
    if (opening->err == ERR_OK)
        opening->err = system_vehicle_camera_ops.bind(door->system, &fake_passage, root, opening->diags);
    if (opening->err == ERR_OK)
        system_vehicle_camera_ops.door->mount(door->system, &door->mount);
}

static void open_server(void *context)
{
    struct opening *opening = context;
    struct test_door *door = opening->door;
    const struct http_server_options options = {
        .address = "127.0.0.1",
        .mounts = &door->mount,
        .n_mounts = 1,
        .auth = {.context = door, .digest_ha1 = digest_ha1},
    };
    opening->err = http_server_create(loop_thread_loop(door->http_loop), &options, &opening->diags->diags[0], &door->server);
}

void test_door_open(struct test_door *door)
{
    struct diag_list *diags = calloc(1, sizeof *diags);
    struct opening opening = {.door = door, .diags = diags};
    char path[FILE_PATH_MAX];
    struct buf password;
    door->clock = door->clock != NULL ? door->clock : clock_system();
    assert_ok(yaml_load_str(str_from_c(door->file != NULL ? door->file : fake_city_file), "cameras.yaml", diags, &door->yaml));
    assert_ok(loop_thread_start(clock_system(), "hub", &door->hub_loop));
    assert_ok(loop_thread_start(clock_system(), "http", &door->http_loop));
    loop_thread_call(door->hub_loop, open_system, &opening);
    if (opening.err != ERR_OK)
        fail_msg("%s: %s", err_text(opening.err), diags->diags[0].text);
    loop_thread_call(door->http_loop, open_server, &opening);
    if (opening.err != ERR_OK)
        fail_msg("%s: %s", err_text(opening.err), diags->diags[0].text);
    free(diags);
    buf_init(&password, sizeof door->password);
    assert_ok(file_join(path, door->data, "secrets/camera"));
    assert_ok(file_read(path, &password));
    assert_ok(str_to_c(str_trim(buf_str(&password)), door->password, sizeof door->password));
    buf_finish(&password);
}

static void close_server(void *context)
{
    struct test_door *door = context;
    http_server_destroy(door->server);
}

static void close_system(void *context)
{
    struct test_door *door = context;
    system_vehicle_camera_ops.close(door->system);
}

void test_door_close(struct test_door *door)
{
    if (door->http_loop != NULL)
        loop_thread_call(door->http_loop, close_server, door);
    if (door->hub_loop != NULL)
        loop_thread_call(door->hub_loop, close_system, door);
    loop_thread_stop(door->http_loop); /* in this order, as the brain does */
    loop_thread_stop(door->hub_loop);
    yaml_destroy(door->yaml);
    door->http_loop = door->hub_loop = NULL;
    door->yaml = NULL;
}

int test_door_send(struct test_door *door, const char *device, const char *method, const char *path, struct str body, struct buf *ret_body)
{
    char url[256];
    struct http_response response;
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", http_server_port(door->server), path);
    const struct http_request request = {
        .method = method,
        .url = url,
        .digest_user = device,
        .digest_password = device != NULL ? door->password : NULL,
        .content_type = "application/VIID+JSON",
        .body = body,
        .timeout_ms = 30000,
    };
    enum err err = http_client_perform(&request, &response);
    if (err == ERR_UNAVAILABLE) /* the server may hang up on a body that it has refused, before the client has read why */
        return 0;
    assert_ok(err);
    *ret_body = response.body;
    return response.status;
}
