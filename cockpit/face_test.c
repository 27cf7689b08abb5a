/*
 * A face as viewers meet it: real hub and ledger, real HTTP, a city with as many edges as Hangzhou has. What no viewer's queue holds at
 * once comes in parts, whole, to the quick and to the slow.
 */
#include "cockpit/cockpit_test.h"

#include "cockpit/cockpit.h"
#include "hub/fake_door.h"
#include "hub/indicator.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define N_EDGES 60000
#define BATCH 10000
#define EVENT_MAX (1u << 20) /* the viewer's queue of http/server.c */
#define PART_MAX 2000        /* COCKPIT_EDGES_PART */

static const char indicators_yaml[] =
    "party: h/cockpit\npurpose: cockpit.show\nreads: {road_state: h/count/road_state, road: h/count/road}\nindicators:\n" TEST_INDICATOR(
        "count", "h/count/indicator", "none", "");

static const char scene_yaml[] = "scene: count\nparty: h/count\nresources:\n"
                                 "  - {name: indicator, title: {zh: 指, en: I}, kind: stream, fields: [{name: name, type: text, class: "
                                 "open}]}\n"
                                 "  - {name: road, title: {zh: 路, en: Roads}, kind: object}\n"
                                 "  - name: road_state\n    title: {zh: 路况, en: States}\n    kind: stream\n    fields:\n"
                                 "      - {name: edge, type: text, class: open}\n"
                                 "      - {name: time, type: time, class: open}\n"
                                 "      - {name: speed_mps, type: real, class: open}\n"
                                 "      - {name: delay_index, type: real, class: open}\n"
                                 "      - {name: flow_vph, type: real, class: open}\n"
                                 "      - {name: n, type: integer, class: open}\n"
                                 "      - {name: sources, type: text, class: open}\n"
                                 "      - {name: level, type: integer, class: open}\n"
                                 "      - {name: made_by, type: text, class: open}\n";

static const char contract_yaml[] =
    "contract: h/c-3\nprovider: h/count\nconsumer: h/cockpit\nresource: h/count/road_state\nuses: [subscribe]\n"
    "fields: [edge, time, speed_mps, delay_index, flow_vph, n, sources, level, made_by]\npurpose: cockpit.show\nlegal_basis: {zh: 依, en: "
    "law}\n"
    "from: 2026-01-01\nuntil: 2028-01-01\nkeep: 24h\nstate: agreed\n";

static struct fake_door door;
static struct cockpit_config *config;
static struct cockpit *cockpit;
static struct cockpit_face *face;
static struct loop_thread *thread;
static struct http_server *server;
static uint16_t port;

static enum err anybody(void *context, struct str token, struct http_identity *ret_identity)
{
    *ret_identity = (struct http_identity){.party = STR("h/post"), .area = STR("h"), .person = STR("mayor")};
    return ERR_OK;
}

static void start_face(void *context)
{
    static struct http_mount mount;
    struct diag diag = {0};
    assert_ok(cockpit_face_create(cockpit, loop_thread_loop(thread), &face));
    mount = cockpit_face_mount(face);
    const struct http_server_options options = {.address = "127.0.0.1", .mounts = &mount, .n_mounts = 1, .auth = {.token = anybody}};
    assert_ok(http_server_create(loop_thread_loop(thread), &options, &diag, &server));
    port = http_server_port(server);
}

static void stop_server(void *context)
{
    http_server_destroy(server);
}

static void read_config(void)
{
    struct diag_list diags = {0};
    char *path = test_file(indicators_yaml);
    assert_ok(cockpit_config_load(path, &diags, &config));
    test_remove(path);
}

/* Where every edge lies: half of them in the district. */
static void put_roads(void)
{
    struct buf out;
    struct json_writer w;
    char edge[16];
    buf_init(&out, 64u << 20);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, "features");
    json_begin_array(&w);
    for (int i = 0; i < N_EDGES; i++) {
        snprintf(edge, sizeof edge, "e%d", i);
        json_begin_object(&w);
        json_key(&w, "properties");
        json_begin_object(&w);
        json_field_c(&w, "edge", edge);
        json_field_c(&w, "area", i % 2 ? "h.x" : "h");
        json_end_object(&w);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    assert_ok(out.err);
    assert_ok(
        hub_object_put(door.city.hub, hub_resource_find(door.city.hub, STR("h/count/road")), STR("application/geo+json"), buf_str(&out)));
    buf_finish(&out);
}

static void publish(double speed_mps)
{
    const struct hub_resource *resource = hub_resource_find(door.city.hub, STR("h/count/road_state"));
    char edge[16];
    for (int from = 0; from < N_EDGES; from += BATCH) {
        struct rows *rows;
        assert_ok(rows_create(HUB_ROAD_STATE_N_FIELDS, 16u << 20, &rows));
        for (int i = from; i < from + BATCH; i++) {
            snprintf(edge, sizeof edge, "e%d", i);
            const struct value values[HUB_ROAD_STATE_N_FIELDS] = {value_text(str_from_c(edge)), value_time(clock_wall(clock_system()).ms),
                value_real(speed_mps), value_real(1.25), value_real(900), value_integer(7), value_text(STR("camera")), value_integer(2),
                value_text(STR("t/1"))};
            assert_ok(rows_add(rows, values));
        }
        assert_ok(hub_publish(door.city.hub, resource, rows));
        rows_release(rows);
    }
}

static int start(void **state)
{
    struct diag diag = {0};
    char store[128];
    fake_city_make(&door.city);
    fake_city_write(&door.city, "scenes/count.yaml", scene_yaml);
    fake_city_write(&door.city, "contracts/c-3.yaml", contract_yaml);
    fake_door_start(&door);
    read_config();
    put_roads();
    snprintf(store, sizeof store, "%s/cockpit.sqlite", door.city.data);
    const struct cockpit_options options = {.hub = door.city.hub, .config = config, .store_path = store, .clock = clock_system()};
    assert_ok(cockpit_create(&options, &diag, &cockpit));
    cockpit_start(cockpit);
    assert_ok(loop_thread_start(clock_system(), "viewers", &thread));
    loop_thread_call(thread, start_face, NULL);
    publish(10);
    return 0;
}

static int stop(void **state)
{
    loop_thread_call(thread, stop_server, NULL);
    loop_thread_stop(thread);
    cockpit_stop(cockpit);
    fake_door_end(&door);
    cockpit_face_destroy(face);
    cockpit_destroy(cockpit);
    cockpit_config_destroy(config);
    fake_city_remove(&door.city);
    return 0;
}

/* ---- a viewer ---- */

struct viewer {
    int fd;
    char *line;
    size_t len, cap;
    char event[32];
    bool *seen; /* edges, at the speed waited for */
    size_t n_seen, n_outside;
};

static void connect_viewer(struct viewer *viewer, const char *area)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = 20};
    char ask[200];
    *viewer = (struct viewer){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .seen = calloc(N_EDGES, 1), .cap = 4u << 20};
    viewer->line = malloc(viewer->cap);
    setsockopt(viewer->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(connect(viewer->fd, (struct sockaddr *)&address, sizeof address), 0);
    int len = snprintf(ask, sizeof ask, "GET /cockpit/v1/live?area=%s HTTP/1.0\r\nHost: h\r\nAuthorization: Bearer x\r\n\r\n", area);
    assert_int_equal(send(viewer->fd, ask, (size_t)len, MSG_NOSIGNAL), len);
}

static void leave(struct viewer *viewer)
{
    close(viewer->fd);
    free(viewer->seen);
    free(viewer->line);
}

static void take_edges(struct viewer *viewer, struct str data, const char *speed, const char *area)
{
    json_t *root;
    assert_in_range(data.len, 2, EVENT_MAX);
    assert_ok(json_read(data, NULL, &root));
    const json_t *edges = json_object_get(root, "edges");
    assert_in_range(json_array_size(edges), 0, PART_MAX);
    for (size_t i = 0; i < json_array_size(edges); i++) {
        const json_t *edge = json_array_get(edges, i);
        size_t number = strtoul(json_string_value(json_array_get(edge, 0)) + 1, NULL, 10);
        assert_in_range(number, 0, N_EDGES - 1);
        viewer->n_outside += strcmp(area, "h.x") == 0 && number % 2 == 0;
        if (json_number_value(json_array_get(edge, 1)) != strtod(speed, NULL) || viewer->seen[number])
            continue;
        viewer->seen[number] = true;
        viewer->n_seen++;
    }
    json_decref(root);
}

static void take_line(struct viewer *viewer, struct str line, const char *speed, const char *area)
{
    if (str_starts_with(line, STR("event: ")))
        snprintf(viewer->event, sizeof viewer->event, STR_FORMAT, STR_ARG(str_slice(line, 7, line.len)));
    else if (str_starts_with(line, STR("data: ")) && strcmp(viewer->event, "road_states") == 0)
        take_edges(viewer, str_slice(line, 6, line.len), speed, area);
}

/* Reads until `n` edges were told with this speed. */
static void read_edges(struct viewer *viewer, size_t n, const char *speed, const char *area, useconds_t pause)
{
    char bytes[65536];
    viewer->n_seen = 0;
    memset(viewer->seen, 0, N_EDGES);
    while (viewer->n_seen < n) {
        ssize_t got = recv(viewer->fd, bytes, sizeof bytes, 0);
        if (got <= 0)
            fail_msg("the stream ended after %zu of %zu edges", viewer->n_seen, n);
        for (ssize_t i = 0; i < got; i++) {
            assert_true(viewer->len < viewer->cap);
            if (bytes[i] != '\n') {
                viewer->line[viewer->len++] = bytes[i];
                continue;
            }
            take_line(viewer, (struct str){viewer->line, viewer->len}, speed, area);
            viewer->len = 0;
        }
        usleep(pause);
    }
}

/* ---- the tests ---- */

static void a_city_of_60000_edges_is_told_whole(void **state)
{
    struct viewer city, district;
    connect_viewer(&city, "h");
    read_edges(&city, N_EDGES, "10", "h", 0);
    connect_viewer(&district, "h.x");
    read_edges(&district, N_EDGES / 2, "10", "h.x", 0);
    assert_int_equal(district.n_outside, 0);
    leave(&district);
    leave(&city);
}

/* All edges change at once while people look; one of them reads slowly. */
static void a_change_of_all_reaches_the_slow_too(void **state)
{
    struct viewer quick, slow;
    connect_viewer(&quick, "h");
    connect_viewer(&slow, "h");
    read_edges(&quick, N_EDGES, "10", "h", 0);
    publish(12.5);
    read_edges(&quick, N_EDGES, "12.5", "h", 0);
    read_edges(&slow, N_EDGES, "12.5", "h", 10000);
    leave(&quick);
    leave(&slow);
}

/* What shows the same as before is not told again. */
static void what_stays_the_same_is_not_told(void **state)
{
    struct viewer viewer;
    char bytes[65536];
    size_t len = 0;
    connect_viewer(&viewer, "h");
    read_edges(&viewer, N_EDGES, "12.5", "h", 0);
    publish(12.5001);
    int n_moments = 0; /* each sends its indicators first; without a change there is one a second */
    for (ssize_t got; n_moments < 4 && len < 500000 && (got = recv(viewer.fd, bytes, sizeof bytes, 0)) > 0;) {
        len += (size_t)got;
        n_moments += memmem(bytes, (size_t)got, "event: indicators", 17) != NULL;
    }
    assert_in_range(len, 1, 400000); /* all edges are 2,400,000 bytes */
    leave(&viewer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_city_of_60000_edges_is_told_whole),
        cmocka_unit_test(a_change_of_all_reaches_the_slow_too),
        cmocka_unit_test(what_stays_the_same_is_not_told),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
