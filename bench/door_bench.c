/*
 * door_passages_per_s: passages that the camera door acknowledges in a second, through HTTP and Digest in bulks of 500 objects of about 650
 * bytes, each bulk fsynced in the journal before its answer.
 *
 *     door_bench                                  a door of its own in a child process on core 0, this generator on core 1
 *     door_bench PORT PASSWORD_FILE DEVICE        a running brain: its port, the cameras' password, the camera to speak as
 *
 * Also door_core_passages_per_s, reading and checking alone on one core, and the CPU of the door's process for one passage. The generator
 * is ours: keep-alive connections of its own, the Digest of RFC 2617 with a counted nonce, ids and plates written into a ready body.
 */
#include "base/crypto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/server.h"
#include "system/vehicle_camera/passage.h"
#include "system/vehicle_camera/vehicle_camera.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_CONNECTIONS 4
#define N_BULK 500
#define WARM_S 1.0
#define RUN_S 5.0
#define CORE_S 2.0
#define DEVICE "33010600001190000001"
#define ID_DIGITS 12
#define PLATE_DIGITS 5

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "door_bench: %s\n", what);
    exit(1);
}

static void check(enum err err, const char *what)
{
    if (err != ERR_OK) {
        fprintf(stderr, "door_bench: %s: %s\n", what, err_text(err));
        exit(1);
    }
}

static double now_s(void)
{
    return (double)clock_mono(clock_system()).ns / 1e9;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set); /* on a machine of one core they share it */
}

/* ---- a hub that counts: what it costs is measured elsewhere (glass, ledger) ---- */

static _Atomic uint64_t *n_published; /* shared with the parent */

enum err hub_publish(struct hub *hub, const struct hub_resource *resource, struct rows *rows)
{
    atomic_fetch_add(n_published, rows_n(rows));
    return ERR_OK;
}

void hub_source_report(struct hub *hub, const struct hub_source *source) {}

const struct area_tree *hub_areas(const struct hub *hub)
{
    return NULL;
}

int area_find(const struct area_tree *tree, struct str name)
{
    return -1;
}

static const char city_file[] = "party: hangzhou/police\n"
                                "connector: vehicle_camera\n"
                                "cameras:\n"
                                "  - {device: \"" DEVICE "\", area: hangzhou, place: [120.13, 30.28], heading: 87}\n";

/* ---- the door, in a child ---- */

struct child_door {
    void *system;
    const char *data;
    struct loop *loop;
    struct http_mount mount;
    struct hub_field fields[PASSAGE_N_FIELDS];
    struct hub_resource passage;
};

static enum err digest_ha1(void *context, struct str user, char ret_ha1[33], struct http_identity *ret_identity)
{
    struct child_door *door = context;
    return system_vehicle_camera_ops.door->digest_ha1(door->system, user, ret_ha1, ret_identity);
}

static void open_door(struct child_door *door, struct diag_list *diags)
{
    struct yaml *yaml = NULL;
    check(yaml_load_str(str_from_c(city_file), "cameras.yaml", diags, &yaml), "the city's file");
    for (size_t i = 0; i < PASSAGE_N_FIELDS; i++)
        door->fields[i] = (struct hub_field){.name = str_from_c(passage_fields[i].name), .type = passage_fields[i].type};
    door->passage = (struct hub_resource){
        .name = STR("hangzhou/police/passage"), .kind = HUB_STREAM, .fields = door->fields, .n_fields = PASSAGE_N_FIELDS};
    const struct hub_system_env env = {.loop = door->loop,
        .clock = clock_system(),
        .zone = TIME_ZONE_SHANGHAI,
        .city_dir = door->data,
        .data_dir = door->data,
        .party = STR("hangzhou/police"),
        .name = STR("cameras")};
    enum err err = system_vehicle_camera_ops.open(&env, yaml_root(yaml), diags, &door->system);
    if (err == ERR_OK)
        err = system_vehicle_camera_ops.bind(door->system, &door->passage, yaml_root(yaml), diags);
    if (err != ERR_OK)
        die(diags->diags[0].text);
    system_vehicle_camera_ops.door->mount(door->system, &door->mount);
}

static void run_door(const char *data, int port_fd)
{
    static struct child_door door;
    static struct diag_list diags;
    struct http_server *server = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(0);
    door.data = data;
    check(loop_create(clock_system(), &door.loop), "a loop");
    open_door(&door, &diags);
    const struct http_server_options options = {
        .address = "127.0.0.1", .mounts = &door.mount, .n_mounts = 1, .auth = {.context = &door, .digest_ha1 = digest_ha1}};
    check(http_server_create(door.loop, &options, &diags.diags[0], &server), "the server");
    uint16_t port = http_server_port(server);
    if (write(port_fd, &port, sizeof port) != sizeof port)
        die("the pipe");
    check(loop_run(door.loop), "the loop");
}

/* ---- the body: written once, then only ids and plates change in it ---- */

struct body {
    struct buf buf;
    size_t id_at[N_BULK], plate_at[N_BULK];
};

static void body_make(struct body *body, const char *device)
{
    char pass_time[15];
    wall_format_compact(clock_wall(clock_system()), TIME_ZONE_SHANGHAI, pass_time);
    buf_reset(&body->buf);
    buf_append_c(&body->buf, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[");
    for (size_t i = 0; i < N_BULK; i++) {
        buf_printf(&body->buf, "%s{\"MotorVehicleID\":\"%s022022020070116000", i > 0 ? "," : "", device);
        body->id_at[i] = body->buf.len;
        buf_printf(&body->buf,
            "000000000000\",\"InfoKind\":1,\"SourceID\":\"%s022020070116000000001\",\"TollgateID\":\"33010600001210000001\",\"DeviceID\":"
            "\"%s\","
            "\"StorageUrl1\":\"http://192.0.2.1/pic/20261122/12/"
            "33010600001190000001-0000000001-1-plate.jpg\",\"LeftTopX\":0,\"LeftTopY\":0,\"RightBtmX\":0,\"RightBtmY\":0,\"LaneNo\":1,"
            "\"HasPlate\":\"1\",\"PlateClass\":\"02\",\"PlateColor\":\"5\",\"PlateNo\":\"浙B",
            device, device);
        body->plate_at[i] = body->buf.len;
        buf_printf(&body->buf,
            "00000\",\"PlateReliability\":\"97\",\"PlateCharReliability\":\"浙-95,B-98\",\"Speed\":42.0,\"Direction\":\"1\","
            "\"VehicleClass\":\"K33\",\"VehicleColor\":\"A\",\"PassTime\":\"%s\",\"SubImageList\":{\"SubImageInfoObject\":[]}}",
            pass_time);
    }
    buf_append_c(&body->buf, "]}}");
    check(body->buf.err, "the body");
}

static void put_digits(char *at, size_t n, uint64_t number)
{
    while (n-- > 0) {
        at[n] = (char)('0' + number % 10);
        number /= 10;
    }
}

static void body_number(struct body *body, uint64_t first)
{
    for (size_t i = 0; i < N_BULK; i++) {
        put_digits(body->buf.ptr + body->id_at[i], ID_DIGITS, first + i);
        put_digits(body->buf.ptr + body->plate_at[i], PLATE_DIGITS, (first + i) * 7919);
    }
}

/* ---- the generator ---- */

struct connection {
    int fd;
    uint32_t n_counted; /* Digest's nc */
    char nonce[128];
    struct buf in;
    struct body body;
};

struct target {
    uint16_t port;
    const char *device;
    char password[128];
    uint64_t next_number;
};

static void connection_open(struct connection *c, const struct target *target)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(target->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("nobody listens");
}

static void send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n <= 0)
            die("the connection broke");
        bytes += n;
        len -= (size_t)n;
    }
}

static void send_request(struct connection *c, struct target *target, struct str body)
{
    static const char path[] = "/VIID/MotorVehicles";
    char ha1[33], ha2[33], response[33], text[512], head[1024];
    int n = snprintf(text, sizeof text, "%s:citybrain:%s", target->device, target->password);
    crypto_md5_hex((struct str){text, (size_t)n}, ha1);
    n = snprintf(text, sizeof text, "POST:%s", path);
    crypto_md5_hex((struct str){text, (size_t)n}, ha2);
    c->n_counted++;
    n = snprintf(text, sizeof text, "%s:%s:%08x:door:auth:%s", ha1, c->nonce, c->n_counted, ha2);
    crypto_md5_hex((struct str){text, (size_t)n}, response);
    n = snprintf(head, sizeof head,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/VIID+JSON\r\nContent-Length: %zu\r\n"
        "Authorization: Digest username=\"%s\", realm=\"citybrain\", nonce=\"%s\", uri=\"%s\", qop=auth, nc=%08x, cnonce=\"door\", "
        "response=\"%s\", algorithm=MD5\r\n\r\n",
        path, body.len, target->device, c->nonce, path, c->n_counted, response);
    send_all(c->fd, head, (size_t)n);
    send_all(c->fd, body.ptr, body.len);
}

/* True when a whole answer is in; *ret_status and the body are taken from it. */
static bool answer_is_whole(const struct connection *c, int *ret_status, struct str *ret_body)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *end = memmem(c->in.ptr, c->in.len, "\r\n\r\n", 4);
    if (c->in.len < 16 || end == NULL)
        return false;
    const char *length = memmem(c->in.ptr, (size_t)(end - c->in.ptr), name, sizeof name - 1);
    if (length == NULL)
        die("an answer without its length");
    size_t n = strtoul(length + sizeof name - 1, NULL, 10), head = (size_t)(end + 4 - c->in.ptr);
    if (c->in.len < head + n)
        return false;
    *ret_status = (int)strtol(c->in.ptr + 9, NULL, 10);
    *ret_body = (struct str){end + 4, n};
    return true;
}

static void receive_some(struct connection *c)
{
    char *room = buf_reserve(&c->in, 262144);
    ssize_t n = room != NULL ? read(c->fd, room, 262144) : -1;
    if (n <= 0)
        die("the connection was closed");
    buf_advance(&c->in, (size_t)n);
}

/* The first request has no answer to give yet; its 401 brings the nonce. */
static void challenge(struct connection *c, struct target *target)
{
    static const char mark[] = "nonce=\"";
    int status = 0;
    struct str body;
    memcpy(c->nonce, "none", 5);
    send_request(c, target, STR("{}"));
    while (!answer_is_whole(c, &status, &body))
        receive_some(c);
    const char *nonce = memmem(c->in.ptr, c->in.len, mark, sizeof mark - 1);
    if (status != 401 || nonce == NULL)
        die("no challenge came");
    nonce += sizeof mark - 1;
    const char *end = memchr(nonce, '"', sizeof c->nonce - 1);
    if (end == NULL)
        die("no nonce came");
    memcpy(c->nonce, nonce, (size_t)(end - nonce));
    c->nonce[end - nonce] = 0;
    c->n_counted = 0;
    buf_reset(&c->in);
}

static size_t count_acknowledged(struct str body)
{
    static const char text[] = "\"StatusCode\":\"0\"";
    size_t n = 0;
    const char *at = body.ptr, *end = body.ptr + body.len;
    while ((at = memmem(at, (size_t)(end - at), text, sizeof text - 1)) != NULL) {
        at += sizeof text - 1;
        n++;
    }
    return n;
}

static void send_next(struct connection *c, struct target *target)
{
    body_number(&c->body, target->next_number);
    target->next_number += N_BULK;
    send_request(c, target, buf_str(&c->body.buf));
}

/* Every connection always has one bulk under way. Returns the passages acknowledged between the end of the warming up and `run_s`. */
static uint64_t generate(struct connection *connections, struct target *target, double *ret_s)
{
    struct pollfd polls[N_CONNECTIONS];
    uint64_t n_acknowledged = 0, n_warm = 0;
    double start = now_s(), warm = 0;
    for (size_t i = 0; i < N_CONNECTIONS; i++) {
        send_next(&connections[i], target);
        polls[i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
    }
    while (now_s() - start < WARM_S + RUN_S) {
        if (warm == 0 && now_s() - start >= WARM_S) {
            warm = now_s();
            n_warm = n_acknowledged;
        }
        if (poll(polls, N_CONNECTIONS, 1000) <= 0)
            die("no answer within a second");
        for (size_t i = 0; i < N_CONNECTIONS; i++) {
            struct connection *c = &connections[i];
            int status = 0;
            struct str body;
            if (!(polls[i].revents & POLLIN))
                continue;
            receive_some(c);
            if (!answer_is_whole(c, &status, &body))
                continue;
            size_t n = status == 200 ? count_acknowledged(body) : 0;
            if (n != N_BULK && status != 503) {
                fprintf(stderr, "%d %.*s\n", status, (int)(body.len < 400 ? body.len : 400), body.ptr);
                die("not all of a bulk was acknowledged");
            }
            n_acknowledged += n;
            if (status == 503) /* it is at its limit: wait a little, as Retry-After asks, and send the next */
                usleep(20000);
            buf_reset(&c->in);
            send_next(c, target);
        }
    }
    *ret_s = now_s() - warm;
    return n_acknowledged - n_warm;
}

static uint64_t load(struct target *target, double *ret_s)
{
    static struct connection connections[N_CONNECTIONS];
    for (size_t i = 0; i < N_CONNECTIONS; i++) {
        buf_init(&connections[i].in, 8u << 20);
        buf_init(&connections[i].body.buf, 8u << 20);
        body_make(&connections[i].body, target->device);
        connection_open(&connections[i], target);
        challenge(&connections[i], target);
    }
    fprintf(stderr, "door_bench: %d connections, bulks of %d objects of %zu bytes\n", N_CONNECTIONS, N_BULK,
        connections[0].body.buf.len / N_BULK);
    return generate(connections, target, ret_s);
}

static void read_password(struct target *target, const char *path)
{
    struct buf text;
    buf_init(&text, 4096);
    for (int i = 0; i < 1000 && file_read(path, &text) != ERR_OK; i++)
        usleep(10000);
    check(str_to_c(str_trim(buf_str(&text)), target->password, sizeof target->password), "the password");
    buf_finish(&text);
}

/* ---- reading and checking alone ---- */

struct core {
    struct passage_rules rules;
    struct wall_time now;
    struct passage passage;
    uint64_t n;
};

static enum err core_vehicle(void *context, const struct viid_vehicle *vehicle)
{
    struct core *core = context;
    char text[PASSAGE_TEXT_MAX];
    core->n += passage_read(vehicle, &core->rules, STR(DEVICE), core->now, &core->passage, text) == VIID_STATUS_OK;
    return ERR_OK;
}

static void measure_core(void)
{
    static struct diag_list diags;
    static struct body body;
    struct yaml *yaml = NULL;
    struct camera_list cameras;
    struct viid_parser *parser = NULL;
    check(yaml_load_str(str_from_c(city_file), "cameras.yaml", &diags, &yaml), "the city's file");
    check(camera_list_load(&cameras, yaml_root(yaml), NULL, &diags), "the cameras");
    check(viid_parser_create(&parser), "a parser");
    buf_init(&body.buf, 8u << 20);
    body_make(&body, DEVICE);
    struct core core = {.rules = {.cameras = &cameras,
                            .zone = TIME_ZONE_SHANGHAI,
                            .accept_future_ms = 300000,
                            .accept_past_ms = 86400000,
                            .needs_standard = true},
        .now = clock_wall(clock_system())};
    const struct viid_visitor visitor = {.context = &core, .vehicle = core_vehicle};
    double start = now_s(), end;
    uint64_t n_sent = 0;
    while ((end = now_s()) - start < CORE_S) {
        check(viid_read_vehicles(parser, buf_str(&body.buf), &visitor, NULL), "reading");
        n_sent += N_BULK;
    }
    if (core.n != n_sent)
        die("a passage was refused");
    printf("door_core_passages_per_s %.0f passages/s\n", (double)core.n / (end - start));
    viid_parser_destroy(parser);
    camera_list_finish(&cameras);
    yaml_destroy(yaml);
    buf_finish(&body.buf);
}

static void measure_own_door(const char *data)
{
    int ends[2];
    char path[FILE_PATH_MAX];
    struct target target = {.device = DEVICE, .next_number = 1};
    if (pipe(ends) != 0)
        die("no pipe");
    n_published = mmap(NULL, sizeof *n_published, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (n_published == MAP_FAILED)
        die("no memory");
    pid_t pid = fork();
    if (pid == 0)
        run_door(data, ends[1]);
    if (pid < 0 || read(ends[0], &target.port, sizeof target.port) != sizeof target.port)
        die("the door did not open");
    pin(1);
    check(file_join(path, data, "secrets/camera"), "a path");
    read_password(&target, path);
    double seconds = 0;
    uint64_t n = load(&target, &seconds);
    usleep(200000);
    uint64_t n_all = atomic_load(n_published);
    struct rusage usage;
    int status = 0;
    (void)kill(pid, SIGKILL);
    if (wait4(pid, &status, 0, &usage) != pid)
        die("the door is gone");
    double cpu_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                   ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) / 1e6;
    if (n_all < n)
        die("less was published than acknowledged");
    printf("door_passages_per_s %.0f passages/s\n", (double)n / seconds);
    printf("door_json_per_s %.0f objects/s\n", (double)n / seconds); /* the name it has beside the count's figures */
    printf("door_cpu_us_per_passage %.2f us\n", cpu_s * 1e6 / (double)n_all);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_ERROR);
    if (argc == 4) {
        uint64_t port = 0;
        double seconds = 0;
        check(str_to_u64(str_from_c(argv[1]), &port), "the port");
        struct target target = {
            .port = (uint16_t)port, .device = argv[3], .next_number = (uint64_t)clock_wall(clock_system()).ms % 1000000000 * 1000};
        read_password(&target, argv[2]);
        uint64_t n = load(&target, &seconds);
        printf("door_brain_passages_per_s %.0f passages/s\n", (double)n / seconds);
        return 0;
    }
    char own[] = "/tmp/citybrain_door_bench_XXXXXX";
    const char *data = getenv("CITYBRAIN_DATA");
    if (data == NULL && (data = mkdtemp(own)) == NULL)
        die("no folder to write in");
    measure_own_door(data);
    measure_core();
    return 0;
}
