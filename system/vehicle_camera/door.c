/*
 * The routes of the camera door. docs/camera.md has every request and answer byte by byte.
 *
 * A bulk's way: body → viid.h, object by object → passage_read() → its status, written at once as if all went well → store_take() → fsync
 * → the answer leaves. When it does not go well nothing of the written answer is sent: the whole request gets 503, and the camera
 * sends it again. Parsers and their arrays are kept on a shelf, one for each loop that is at work.
 */
#include "system/vehicle_camera/door.h"

#include "base/log.h"
#include "base/mem.h"
#include "system/vehicle_camera/answer.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define SMALL_BODY_MAX (16u << 10) /* Register and its like */
#define SHELF_MAX 16               /* benches kept: more loops than any machine of ours has */
#define PASSAGES_FIRST 512
#define ANSWERS_WAIT_S 5         /* at the end: a loop needs microseconds for each */
#define DIAGNOSE_MAX (64u << 10) /* a broken body up to this size is read again by the slow reader, which knows the place */

/* What one loop needs to read a body. */
struct bench {
    struct viid_parser *parser; /* owned */
    struct passage *passages;   /* owned, [cap] */
    size_t n, cap;
};

/* A bulk that waits for its fsync. */
struct waiting {
    struct store_take take;
    struct door *door;
    struct http_exchange *x;
    struct buf body; /* the answer, as it will be */
};

struct door {
    struct door_options options;
    pthread_mutex_t lock; /* guards what follows */
    struct bench *shelf[SHELF_MAX];
    size_t n_shelf;
    size_t n_waiting; /* bulks that on_taken() will still be called for */
    pthread_cond_t none_waits;
    struct metric_counter judged[VIID_STATUS_JSON_CONTENT + 1]; /* vehicle objects, by their status */
};

/* ---- benches ---- */

static void bench_destroy(struct bench *bench)
{
    if (bench == NULL)
        return;
    viid_parser_destroy(bench->parser);
    mem_free(bench->passages);
    mem_free(bench);
}

static enum err bench_take(struct door *door, struct bench **ret_bench)
{
    struct bench *bench = NULL;
    pthread_mutex_lock(&door->lock);
    if (door->n_shelf > 0)
        bench = door->shelf[--door->n_shelf];
    pthread_mutex_unlock(&door->lock);
    if (bench == NULL) {
        bench = mem_alloc_zero(1, sizeof *bench);
        if (bench == NULL)
            return ERR_NO_MEMORY;
        enum err err = viid_parser_create(&bench->parser);
        if (err != ERR_OK) {
            bench_destroy(bench);
            return err;
        }
    }
    bench->n = 0;
    *ret_bench = bench;
    return ERR_OK;
}

static void bench_give_back(struct door *door, struct bench *bench)
{
    bool is_kept = false;
    if (bench == NULL)
        return;
    if (!viid_parser_is_large(bench->parser)) {
        pthread_mutex_lock(&door->lock);
        is_kept = door->n_shelf < SHELF_MAX;
        if (is_kept)
            door->shelf[door->n_shelf++] = bench;
        pthread_mutex_unlock(&door->lock);
    }
    if (!is_kept)
        bench_destroy(bench);
}

static enum err bench_room(struct bench *bench)
{
    if (bench->n < bench->cap)
        return ERR_OK;
    size_t cap = bench->cap > 0 ? 2 * bench->cap : PASSAGES_FIRST;
    struct passage *passages = mem_resize(bench->passages, cap * sizeof *passages);
    if (passages == NULL)
        return ERR_NO_MEMORY;
    bench->passages = passages;
    bench->cap = cap;
    return ERR_OK;
}

/* ---- answers ---- */

static struct answer_form form_of(struct door *door, struct http_exchange *x)
{
    struct answer_form form = {.url = http_path(x), .status_as_integer = door->options.status_as_integer};
    wall_format_compact(clock_wall(door->options.clock), door->options.rules.zone, form.local_time);
    return form;
}

/* One ResponseStatusObject for the whole request. */
static void reply_one(struct door *door, struct http_exchange *x, int http_status, struct str id, enum viid_status status, const char *text)
{
    struct answer_form form = form_of(door, x);
    struct buf body;
    buf_init(&body, ANSWER_ONE_MAX);
    answer_one(&form, id, status, str_from_c(text), &body);
    if (body.err == ERR_OK)
        http_reply(x, http_status, ANSWER_MEDIA_TYPE, buf_str(&body));
    else
        http_reply_err(x, body.err, STR("no memory for the answer"));
    buf_finish(&body);
}

/* The request cannot be taken now, or never again. */
static void reply_not_taken(struct door *door, struct http_exchange *x, enum err err)
{
    if (err == ERR_FULL || err == ERR_BUSY || err == ERR_NO_MEMORY) {
        http_add_header(x, "Retry-After", STR("1"));
        reply_one(door, x, 503, STR_NONE, VIID_STATUS_BUSY,
            err == ERR_BUSY ? "the door is starting; send it again in a second" : "the door is at its limit; send it again in a second");
        return;
    }
    http_add_header(x, "Retry-After", STR("30"));
    reply_one(door, x, 503, STR_NONE, VIID_STATUS_DEVICE_ERROR,
        err == ERR_DISK_FULL ? "the disk of the brain is full: nothing is taken; keep it and send it again later"
                             : "the brain cannot write: nothing is taken; keep it and send it again later");
}

/* A body that is not what it should be. The fast reader does not know where it went wrong, the slow one does. */
static void reply_unreadable(struct door *door, struct http_exchange *x, enum err err, struct diag *diag)
{
    struct diag place = {""};
    struct str body = http_body(x);
    if (err == ERR_NO_MEMORY) {
        reply_not_taken(door, x, err);
        return;
    }
    if (err == ERR_SYNTAX && body.len <= DIAGNOSE_MAX && str_starts_with(str_from_c(diag->text), STR("the body is not JSON:"))) {
        json_t *json = NULL;
        if (json_read(body, &place, &json) == ERR_OK)
            place.text[0] = 0; /* JSON it is, only not the right one */
        json_decref(json);
    }
    reply_one(door, x, err == ERR_TOO_LARGE ? 413 : 400, STR_NONE, VIID_STATUS_JSON_FORMAT, place.text[0] != 0 ? place.text : diag->text);
}

/* ---- Register, Keepalive, UnRegister, Time ---- */

struct small_form {
    const char *object;
    const char *done;
    bool is_leaving;
};

static void handle_small(struct http_exchange *x, struct door *door, const struct small_form *form)
{
    struct bench *bench = NULL;
    struct diag diag = {""};
    struct str device = STR_NONE;
    enum err err = bench_take(door, &bench);
    if (err == ERR_OK)
        err = viid_read_device(bench->parser, http_body(x), form->object, &device, &diag);
    if (err != ERR_OK) {
        reply_unreadable(door, x, err, &diag);
    } else if (!str_equal(device, http_identity(x)->device)) {
        reply_one(door, x, 200, str_slice(device, 0, CAMERA_DEVICE_MAX), VIID_STATUS_INVALID_OPERATION,
            "DeviceID is not the camera that signed in by Digest; use the device's id as its user name");
    } else {
        struct camera *camera = camera_find(door->options.cameras, device);
        if (camera == NULL) {
            reply_one(door, x, 200, device, VIID_STATUS_INVALID_OPERATION,
                "this camera is unknown here; have it put on the city's list of cameras");
        } else {
            if (form->is_leaving)
                camera_leave(camera);
            else
                camera_hear(camera, door->options.clock);
            reply_one(door, x, 200, device, VIID_STATUS_OK, form->done);
        }
    }
    bench_give_back(door, bench);
}

static void handle_register(struct http_exchange *x, void *context)
{
    static const struct small_form form = {"RegisterObject", "注册成功", false};
    handle_small(x, context, &form);
}

static void handle_keepalive(struct http_exchange *x, void *context)
{
    static const struct small_form form = {"KeepaliveObject", "OK", false};
    handle_small(x, context, &form);
}

static void handle_unregister(struct http_exchange *x, void *context)
{
    static const struct small_form form = {"UnRegisterObject", "注销成功", true};
    handle_small(x, context, &form);
}

static void handle_time(struct http_exchange *x, void *context)
{
    struct door *door = context;
    struct answer_form form = form_of(door, x);
    struct buf body;
    buf_init(&body, ANSWER_ONE_MAX);
    answer_time(&form, door->options.zone_text, &body);
    if (body.err == ERR_OK)
        http_reply(x, 200, ANSWER_MEDIA_TYPE, buf_str(&body));
    else
        http_reply_err(x, body.err, STR("no memory for the answer"));
    buf_finish(&body);
}

/* ---- passages ---- */

struct bulk {
    struct door *door;
    struct bench *bench;
    struct answer_form form;
    struct answer_list list;
    struct str speaker;
    struct wall_time now;
};

static enum err visit_vehicle(void *context, const struct viid_vehicle *vehicle)
{
    struct bulk *bulk = context;
    char text[PASSAGE_TEXT_MAX];
    enum err err = bench_room(bulk->bench);
    if (err != ERR_OK)
        return err;
    enum viid_status status =
        passage_read(vehicle, &bulk->door->options.rules, bulk->speaker, bulk->now, &bulk->bench->passages[bulk->bench->n], text);
    metric_add(&bulk->door->judged[status], 1);
    const struct viid_value *id = &vehicle->values[VIID_MOTOR_VEHICLE_ID];
    if (status == VIID_STATUS_OK) {
        bulk->bench->n++;
        answer_list_ok(&bulk->list, id->text);
    } else {
        struct str shown = vehicle->is_object && id->type == VIID_TEXT ? str_slice(id->text, 0, PASSAGE_ID_MAX) : STR_NONE;
        answer_list_add(&bulk->list, shown, status, str_from_c(text));
    }
    return answer_list_err(&bulk->list);
}

static enum err visit_notification(void *context, struct str id, size_t n_vehicles)
{
    struct bulk *bulk = context;
    if (n_vehicles == 0) /* a notification of something else than vehicles is taken note of */
        answer_list_ok(&bulk->list, str_slice(id, 0, PASSAGE_ID_MAX));
    return answer_list_err(&bulk->list);
}

static void count_waiting(struct door *door, int change)
{
    pthread_mutex_lock(&door->lock);
    door->n_waiting += (size_t)change;
    if (door->n_waiting == 0)
        pthread_cond_signal(&door->none_waits);
    pthread_mutex_unlock(&door->lock);
}

/* On the exchange's loop: durable, or never. The server may be gone by then; the exchange is there until it is answered. */
static void on_taken(struct store_take *take)
{
    struct waiting *waiting = container_of(take, struct waiting, take);
    struct door *door = waiting->door;
    if (take->err == ERR_OK)
        http_reply(waiting->x, 200, ANSWER_MEDIA_TYPE, buf_str(&waiting->body));
    else
        reply_not_taken(door, waiting->x, take->err);
    store_take_finish(take);
    buf_finish(&waiting->body);
    mem_free(waiting);
    count_waiting(door, -1); /* the last word: the door may be gone after it */
}

/* The cameras whose passages were good have been heard. Several passages of one camera mostly stand together. */
static void hear_cameras(struct door *door, const struct bench *bench)
{
    const struct camera *last = NULL;
    for (size_t i = 0; i < bench->n; i++) {
        const struct camera *at = bench->passages[i].at;
        if (at != last)
            camera_hear(camera_find(door->options.cameras, at->device), door->options.clock);
        last = at;
    }
}

/* Takes the bulk's passages; `waiting` holds the answer. */
static enum err take_bulk(struct bulk *bulk, struct http_exchange *x, struct waiting *waiting)
{
    struct door *door = bulk->door;
    waiting->take.loop = http_loop(x);
    waiting->take.done = on_taken;
    waiting->door = door;
    waiting->x = x;
    count_waiting(door, 1);
    enum err err = store_take(door->options.store, bulk->bench->passages, bulk->bench->n, &waiting->take);
    if (err != ERR_OK) {
        count_waiting(door, -1);
        return err;
    }
    hear_cameras(door, bulk->bench);
    if (waiting->take.is_done)
        on_taken(&waiting->take);
    return ERR_OK;
}

typedef enum err (*read_fn)(struct viid_parser *parser, struct str body, const struct viid_visitor *visitor, struct diag *diag);

static void handle_bulk(struct http_exchange *x, struct door *door, read_fn read)
{
    struct bulk bulk = {
        .door = door, .form = form_of(door, x), .speaker = http_identity(x)->device, .now = clock_wall(door->options.clock)};
    const struct viid_visitor visitor = {.context = &bulk, .vehicle = visit_vehicle, .notification = visit_notification};
    struct diag diag = {""};
    struct waiting *waiting = NULL;
    enum err err = store_error(door->options.store);
    if (err != ERR_OK || !store_is_ready(door->options.store)) {
        reply_not_taken(door, x, err != ERR_OK ? err : ERR_BUSY);
        return;
    }
    err = bench_take(door, &bulk.bench);
    if (err == ERR_OK && (waiting = mem_alloc_zero(1, sizeof *waiting)) == NULL)
        err = ERR_NO_MEMORY;
    if (err != ERR_OK) {
        reply_not_taken(door, x, err);
        goto done;
    }
    buf_init(&waiting->body, ANSWER_LIST_MAX);
    answer_list_begin(&bulk.list, &bulk.form, &waiting->body);
    err = read(bulk.bench->parser, http_body(x), &visitor, &diag);
    answer_list_end(&bulk.list);
    if (err == ERR_OK)
        err = waiting->body.err;
    if (err != ERR_OK) {
        reply_unreadable(door, x, err, &diag);
        goto done;
    }
    err = take_bulk(&bulk, x, waiting);
    if (err == ERR_OK)
        waiting = NULL; /* it is on its way */
    else
        reply_not_taken(door, x, err);
done:
    bench_give_back(door, bulk.bench);
    if (waiting != NULL) {
        buf_finish(&waiting->body);
        mem_free(waiting);
    }
}

static void handle_motor_vehicles(struct http_exchange *x, void *context)
{
    handle_bulk(x, context, viid_read_vehicles);
}

static void handle_notifications(struct http_exchange *x, void *context)
{
    handle_bulk(x, context, viid_read_notifications);
}

/* ---- the door ---- */

#define MEDIA_TYPE "application/VIID+JSON" /* as the description names it, without the charset */

static const struct http_route routes[] = {
    {HTTP_POST, "/VIID/System/Register", HTTP_DIGEST, SMALL_BODY_MAX, handle_register, "A camera signs in (GA/T 1400)",
        .body = "ViidRegister", .answer = "ViidResponse", .media_type = MEDIA_TYPE, .refusal = "ViidResponse"},
    {HTTP_POST, "/VIID/System/Keepalive", HTTP_DIGEST, SMALL_BODY_MAX, handle_keepalive, "A camera says that it is there (GA/T 1400)",
        .body = "ViidKeepalive", .answer = "ViidResponse", .media_type = MEDIA_TYPE, .refusal = "ViidResponse"},
    {HTTP_POST, "/VIID/System/UnRegister", HTTP_DIGEST, SMALL_BODY_MAX, handle_unregister, "A camera signs out (GA/T 1400)",
        .body = "ViidUnRegister", .answer = "ViidResponse", .media_type = MEDIA_TYPE, .refusal = "ViidResponse"},
    {HTTP_GET, "/VIID/System/Time", HTTP_DIGEST, 0, handle_time, "The clock for cameras (GA/T 1400)", .answer = "ViidTime",
        .media_type = MEDIA_TYPE, .refusal = "ViidResponse"},
    {HTTP_POST, "/VIID/MotorVehicles", HTTP_DIGEST, VIID_BODY_MAX, handle_motor_vehicles, "Passages of vehicles, in bulk (GA/T 1400)",
        .body = "ViidMotorVehicles", .answer = "ViidResponseList", .media_type = MEDIA_TYPE, .refusal = "ViidResponse"},
    {HTTP_POST, "/VIID/SubscribeNotifications", HTTP_DIGEST, VIID_BODY_MAX, handle_notifications,
        "Passages from another platform (GA/T 1400)", .body = "ViidNotifications", .answer = "ViidResponseList", .media_type = MEDIA_TYPE,
        .refusal = "ViidResponse"},
};

enum err door_create(const struct door_options *options, struct door **ret_door)
{
    struct door *door = mem_alloc_zero(1, sizeof *door);
    if (door == NULL)
        return ERR_NO_MEMORY;
    door->options = *options;
    pthread_mutex_init(&door->lock, NULL);
    pthread_cond_init(&door->none_waits, NULL);
    *ret_door = door;
    return ERR_OK;
}

/* True when every bulk has been answered. The store has ended, so all of them are on their way to their loops, which still run. */
static bool wait_for_answers(struct door *door)
{
    struct timespec until;
    int code = 0;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ANSWERS_WAIT_S;
    pthread_mutex_lock(&door->lock);
    while (door->n_waiting > 0 && code == 0)
        code = pthread_cond_timedwait(&door->none_waits, &door->lock, &until);
    bool is_done = door->n_waiting == 0;
    pthread_mutex_unlock(&door->lock);
    return is_done;
}

void door_destroy(struct door *door)
{
    if (door == NULL)
        return;
    if (!wait_for_answers(door)) {
        log_write(LOG_WARNING, "camera", "a loop of the door did not take its last answers; what they need is left to it", LOG_END);
        return;
    }
    for (size_t i = 0; i < door->n_shelf; i++)
        bench_destroy(door->shelf[i]);
    pthread_cond_destroy(&door->none_waits);
    pthread_mutex_destroy(&door->lock);
    mem_free(door);
}

void door_mount(struct door *door, struct http_mount *ret_mount)
{
    *ret_mount = (struct http_mount){
        .routes = routes, .n_routes = sizeof routes / sizeof routes[0], .context = door, .schemas = vehicle_camera_schemas};
}

void door_measure(struct door *door, struct metric_page *page, struct str name)
{
    static const struct metric judged = {"citybrain_camera_objects_total", METRIC_COUNTER,
        "Vehicle objects by the status of GA/T 1400 that each was judged with; 0: good", {"system", "status"}};
    for (size_t i = 0; i <= VIID_STATUS_JSON_CONTENT; i++) {
        char status[] = {(char)('0' + i), '\0'};
        if (i == VIID_STATUS_OK || metric_get(&door->judged[i]) > 0)
            metric_put_counter(page, &judged, &door->judged[i], METRIC_VALUES(name, str_from_c(status)));
    }
}
