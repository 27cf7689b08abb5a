/* The cameras: see cameras.h. Each is a small state machine with at most one request under way. */
#include "world/cameras.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX (1024u * CAMERA_BATCH_MAX) /* a passage takes about 700 bytes */

enum state {
    STATE_NEW,   /* not known to the brain */
    STATE_CLOCK, /* registered, without the time */
    STATE_READY,
};

enum request { REQUEST_NONE, REQUEST_REGISTER, REQUEST_TIME, REQUEST_KEEPALIVE, REQUEST_PASSAGES };

struct camera {
    struct cameras *all;
    const struct world_camera *what;
    enum state state;
    enum request under_way;
    bool is_dead;
    uint32_t n_under_way; /* readings of the request, the first in the ring */
    uint32_t from, n;     /* ring */
    uint32_t next_number;
    struct mono_time asked, due, said; /* request sent; not before; last word that was heard */
    int64_t pause_ms;
    struct viid_passage *ring; /* CAMERA_QUEUE_MAX, made with the first reading */
};

struct cameras {
    struct loop *loop;
    struct http_client *client;
    const struct world_city *city;
    const char *brain;
    struct brain_clock *clock;
    struct camera *cameras;
    struct buf body;
    struct cameras_counts counts;
};

static struct mono_time now_of(const struct cameras *all)
{
    return clock_mono(loop_clock(all->loop));
}

static struct mono_time later(struct mono_time time, int64_t ms)
{
    return (struct mono_time){time.ns + ms * 1000000};
}

/* ---- the queue ---- */

void cameras_add(struct cameras *cameras, uint32_t number, const struct viid_passage *passage)
{
    struct camera *camera = &cameras->cameras[number];
    if (camera->is_dead)
        return;
    if (!camera->ring)
        camera->ring = mem_alloc(CAMERA_QUEUE_MAX * sizeof *camera->ring);
    if (!camera->ring) {
        cameras->counts.n_dropped++;
        return;
    }
    if (camera->n == CAMERA_QUEUE_MAX) {
        camera->from = (camera->from + 1) % CAMERA_QUEUE_MAX;
        camera->n--;
        cameras->counts.n_dropped++;
        if (camera->n_under_way > 0) /* it may have been accepted; it will not be sent again */
            camera->n_under_way--;
    }
    struct viid_passage *place = &camera->ring[(camera->from + camera->n++) % CAMERA_QUEUE_MAX];
    *place = *passage;
    place->number = camera->next_number++;
}

void cameras_add_again(struct cameras *cameras, uint32_t number)
{
    struct camera *camera = &cameras->cameras[number];
    if (camera->is_dead || camera->n == 0 || camera->n == CAMERA_QUEUE_MAX)
        return;
    camera->ring[(camera->from + camera->n) % CAMERA_QUEUE_MAX] = camera->ring[(camera->from + camera->n - 1) % CAMERA_QUEUE_MAX];
    camera->n++;
}

static void forget(struct camera *camera, uint32_t n)
{
    camera->from = (camera->from + n) % CAMERA_QUEUE_MAX;
    camera->n -= n;
}

/* ---- answers ---- */

static void fail(struct camera *camera, const char *why)
{
    struct cameras *all = camera->all;
    all->counts.n_failed++;
    (void)snprintf(all->counts.why, sizeof all->counts.why, "%s", why);
    camera->pause_ms = camera->pause_ms ? 2 * camera->pause_ms : CAMERA_PAUSE_MIN_MS;
    camera->pause_ms = camera->pause_ms > CAMERA_PAUSE_MAX_MS ? CAMERA_PAUSE_MAX_MS : camera->pause_ms;
    /* Not all at once: a brain that has just come up is met over the whole pause. */
    int64_t spread = (int64_t)(str_hash(str_from_c(camera->what->device)) % 100);
    camera->due = later(now_of(all), camera->pause_ms * (50 + spread) / 100);
}

static void take_statuses(struct camera *camera, uint32_t n_sent, struct str body)
{
    struct cameras_counts *counts = &camera->all->counts;
    uint32_t n_ok, n_refused;
    if (viid_read_statuses(body, &n_ok, &n_refused, counts->why, sizeof counts->why)) {
        fail(camera, "the brain's answer to passages is not of the form"); /* sent again; the brain counts a repeat once */
        return;
    }
    counts->n_sent += n_ok;
    counts->n_refused += n_refused;
    forget(camera, n_sent);
}

/* To Register and Keepalive: a brain that says no does not know the camera (any more). An empty answer is none. */
static void take_status(struct camera *camera, enum request request, struct str body)
{
    uint32_t n_ok, n_refused = 0;
    char why[128] = "";
    if (body.len > 0 && viid_read_statuses(body, &n_ok, &n_refused, why, sizeof why) == ERR_OK && n_refused > 0) {
        camera->state = STATE_NEW;
        fail(camera, why[0] ? why : "the brain does not know the camera");
        return;
    }
    if (request == REQUEST_REGISTER)
        camera->state = STATE_CLOCK;
}

static void take_time(struct camera *camera, struct str body)
{
    struct wall_time told;
    if (viid_read_time(body, camera->all->city->zone, &told)) {
        fail(camera, "the brain's answer to System/Time is not of the form");
        return;
    }
    brain_clock_hear(camera->all->clock, told, camera->asked, now_of(camera->all));
    camera->state = STATE_READY;
}

static void on_answer(void *context, enum err err, const struct http_response *response)
{
    struct camera *camera = context;
    enum request request = camera->under_way;
    uint32_t n_sent = camera->n_under_way;
    camera->under_way = REQUEST_NONE;
    camera->n_under_way = 0;
    if (err == ERR_CANCELLED)
        return;
    if (err) {
        camera->state = STATE_NEW;
        fail(camera, err_text(err));
        return;
    }
    if (response->status == 401 || response->status == 403 || response->status == 404) {
        char why[96];
        (void)snprintf(why, sizeof why, "the brain answers %d to camera %s", response->status, camera->what->device);
        camera->state = STATE_NEW;
        fail(camera, why);
        return;
    }
    if (response->status != 200 && response->status != 201) {
        char why[64];
        (void)snprintf(why, sizeof why, "the brain answers %d", response->status);
        fail(camera, why);
        return;
    }
    camera->pause_ms = 0;
    camera->said = now_of(camera->all);
    if (request == REQUEST_REGISTER || request == REQUEST_KEEPALIVE)
        take_status(camera, request, buf_str(&response->body));
    else if (request == REQUEST_TIME)
        take_time(camera, buf_str(&response->body));
    else if (request == REQUEST_PASSAGES)
        take_statuses(camera, n_sent, buf_str(&response->body));
}

/* ---- requests ---- */

static void send_request(struct camera *camera, enum request request, const char *method, const char *path)
{
    struct cameras *all = camera->all;
    char url[256], identify[64];
    (void)snprintf(url, sizeof url, "%s%s", all->brain, path);
    (void)snprintf(identify, sizeof identify, "User-Identify: %s", camera->what->device);
    const char *const headers[] = {identify, NULL};
    const struct http_request what = {.method = method,
        .url = url,
        .digest_user = camera->what->device,
        .digest_password = all->city->password,
        .content_type = VIID_MEDIA_TYPE,
        .headers = headers,
        .body = buf_str(&all->body)};
    camera->under_way = request;
    camera->asked = now_of(all);
    enum err err = all->body.err ? all->body.err : http_client_start(all->client, &what, on_answer, camera);
    if (err) {
        camera->under_way = REQUEST_NONE;
        camera->n_under_way = 0;
        fail(camera, err_text(err));
    }
}

static void send_passages(struct camera *camera)
{
    const struct viid_passage *batch[CAMERA_BATCH_MAX];
    uint32_t n = camera->n < CAMERA_BATCH_MAX ? camera->n : CAMERA_BATCH_MAX;
    for (uint32_t i = 0; i < n; i++)
        batch[i] = &camera->ring[(camera->from + i) % CAMERA_QUEUE_MAX];
    viid_write_passages(camera->what->device, camera->all->city->zone, batch, n, &camera->all->body);
    camera->n_under_way = n;
    send_request(camera, REQUEST_PASSAGES, "POST", "/VIID/MotorVehicles");
}

static void camera_tick(struct camera *camera, struct mono_time now)
{
    struct cameras *all = camera->all;
    if (camera->is_dead || camera->under_way != REQUEST_NONE || mono_ms_between(camera->due, now) < 0)
        return;
    buf_reset(&all->body);
    double quiet_s = (double)mono_ms_between(camera->said, now) / 1000 * all->clock->speed;
    if (camera->state == STATE_NEW) {
        viid_write_device("RegisterObject", camera->what->device, &all->body);
        send_request(camera, REQUEST_REGISTER, "POST", "/VIID/System/Register");
    } else if (camera->state == STATE_CLOCK) {
        send_request(camera, REQUEST_TIME, "GET", "/VIID/System/Time");
    } else if (camera->n > 0) {
        send_passages(camera);
    } else if (quiet_s >= CAMERA_KEEPALIVE_S) {
        viid_write_device("KeepaliveObject", camera->what->device, &all->body);
        send_request(camera, REQUEST_KEEPALIVE, "POST", "/VIID/System/Keepalive");
    }
}

void cameras_tick(struct cameras *cameras)
{
    struct mono_time now = now_of(cameras);
    for (uint32_t i = 0; i < cameras->city->n_cameras; i++)
        camera_tick(&cameras->cameras[i], now);
}

void cameras_count(const struct cameras *cameras, struct cameras_counts *ret_counts)
{
    *ret_counts = cameras->counts;
    for (uint32_t i = 0; i < cameras->city->n_cameras; i++) {
        ret_counts->n_waiting += cameras->cameras[i].n;
        ret_counts->n_registered += cameras->cameras[i].state != STATE_NEW;
    }
}

/* ---- life ---- */

enum err cameras_create(struct loop *loop, struct http_client *client, const struct world_city *city, const char *brain,
    struct brain_clock *clock, const bool *is_dead, struct cameras **ret_cameras)
{
    struct cameras *cameras = mem_alloc_zero(1, sizeof *cameras);
    if (!cameras)
        return ERR_NO_MEMORY;
    *cameras = (struct cameras){.loop = loop, .client = client, .city = city, .brain = brain, .clock = clock};
    buf_init(&cameras->body, BODY_MAX);
    cameras->cameras = mem_alloc_zero(city->n_cameras + 1, sizeof *cameras->cameras);
    if (!cameras->cameras) {
        cameras_destroy(cameras);
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < city->n_cameras; i++)
        cameras->cameras[i] = (struct camera){.all = cameras, .what = &city->cameras[i], .is_dead = is_dead[i], .next_number = 1};
    *ret_cameras = cameras;
    return ERR_OK;
}

void cameras_destroy(struct cameras *cameras)
{
    if (!cameras)
        return;
    for (uint32_t i = 0; cameras->cameras && i < cameras->city->n_cameras; i++)
        mem_free(cameras->cameras[i].ring);
    mem_free(cameras->cameras);
    buf_finish(&cameras->body);
    mem_free(cameras);
}
