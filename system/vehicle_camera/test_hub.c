/* The hub of the door's tests (test_hub.h). */
#include "system/vehicle_camera/test_hub.h"

#include "base/test.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define BATCHES_MAX 65536
#define REPORTS_MAX 16

const char fake_city_file[] =
    "party: hangzhou/police\n"
    "connector: vehicle_camera\n"
    "connection: {realm: citybrain, password_file: \"{data}/secrets/camera\", zone: \"+08:00\", silent_after: 60s}\n"
    "resources: []\n"
    "cameras:\n"
    "  - {device: \"" FAKE_CAMERA_1
    "\", title: {zh: 古翠路, en: Gucui Road}, area: hangzhou.xihu.gudang, place: [120.13, 30.28], heading: 87}\n"
    "  - {device: \"" FAKE_CAMERA_2
    "\", title: {zh: 学院路, en: Xueyuan Road}, area: hangzhou.xihu.xixi, place: [120.12, 30.27], heading: 180}\n"
    "  - {device: \"" FAKE_CAMERA_3 "\", area: hangzhou.xihu.xixi}\n"
    "platforms:\n"
    "  - {device: \"" FAKE_PLATFORM "\", title: {zh: 上级平台, en: Platform above}, area: hangzhou}\n";

static const struct hub_field passage_declared[PASSAGE_N_FIELDS] = {
    {.name = STR_INIT("camera"), .type = VALUE_TEXT},
    {.name = STR_INIT("vehicle"), .type = VALUE_TEXT},
    {.name = STR_INIT("plate"), .type = VALUE_TEXT, .class = HUB_PERSONAL},
    {.name = STR_INIT("plate_class"), .type = VALUE_TEXT},
    {.name = STR_INIT("time"), .type = VALUE_TIME},
    {.name = STR_INIT("arrived"), .type = VALUE_TIME},
    {.name = STR_INIT("lane"), .type = VALUE_INTEGER},
    {.name = STR_INIT("speed_mps"), .type = VALUE_REAL},
    {.name = STR_INIT("confidence"), .type = VALUE_INTEGER},
    {.name = STR_INIT("lon"), .type = VALUE_REAL},
    {.name = STR_INIT("lat"), .type = VALUE_REAL},
    {.name = STR_INIT("heading"), .type = VALUE_REAL},
    {.name = STR_INIT("plate_group"), .type = VALUE_TEXT},
};

const struct hub_resource fake_passage = {
    .name = STR_INIT("hangzhou/police/passage"),
    .party = STR_INIT("hangzhou/police"),
    .kind = HUB_STREAM,
    .fields = passage_declared,
    .n_fields = PASSAGE_N_FIELDS,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rows *batches[BATCHES_MAX];
static size_t n_batches, n_passages, n_refused;
static bool is_refusing;
static struct {
    char source[96];
    struct fake_report report;
} reports[REPORTS_MAX];
static size_t n_reports;

void fake_hub_reset(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_batches; i++)
        rows_release(batches[i]);
    n_batches = n_passages = n_refused = n_reports = 0;
    is_refusing = false;
    pthread_mutex_unlock(&lock);
}

void fake_hub_refuse(bool refuses)
{
    pthread_mutex_lock(&lock);
    is_refusing = refuses;
    pthread_mutex_unlock(&lock);
}

enum err hub_publish(struct hub *hub, const struct hub_resource *resource, struct rows *rows)
{
    enum err err = ERR_FULL;
    pthread_mutex_lock(&lock);
    if (is_refusing || n_batches == BATCHES_MAX) {
        n_refused++;
    } else {
        batches[n_batches++] = rows_hold(rows);
        n_passages += rows_n(rows);
        err = ERR_OK;
    }
    pthread_mutex_unlock(&lock);
    return err;
}

size_t fake_hub_n(void)
{
    pthread_mutex_lock(&lock);
    size_t n = n_passages;
    pthread_mutex_unlock(&lock);
    return n;
}

size_t fake_hub_n_refused(void)
{
    pthread_mutex_lock(&lock);
    size_t n = n_refused;
    pthread_mutex_unlock(&lock);
    return n;
}

/* Under the lock. */
static const struct value *row_at(size_t nth)
{
    for (size_t i = 0; i < n_batches; i++) {
        if (nth < rows_n(batches[i]))
            return rows_at(batches[i], nth);
        nth -= rows_n(batches[i]);
    }
    fail_msg("only %zu passages were published", n_passages);
    return NULL;
}

size_t fake_hub_count(const char *plate)
{
    size_t n = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_batches; i++)
        for (size_t row = 0; row < rows_n(batches[i]); row++) {
            const struct value *value = &rows_at(batches[i], row)[PASSAGE_PLATE];
            n += value->type == VALUE_TEXT && str_equal_c(value->s, plate);
        }
    pthread_mutex_unlock(&lock);
    return n;
}

void fake_hub_text(size_t nth, enum passage_field field, char *out, size_t size)
{
    pthread_mutex_lock(&lock);
    const struct value *value = &row_at(nth)[field];
    enum err err = value->type == VALUE_TEXT ? str_to_c(value->s, out, size) : str_to_c(STR("(null)"), out, size);
    pthread_mutex_unlock(&lock);
    assert_ok(err);
}

struct value fake_hub_value(size_t nth, enum passage_field field)
{
    pthread_mutex_lock(&lock);
    struct value value = row_at(nth)[field];
    pthread_mutex_unlock(&lock);
    return value;
}

void fake_hub_wait(size_t n)
{
    for (int i = 0; i < 10000 && fake_hub_n() < n; i++)
        usleep(1000);
    assert_int_equal(fake_hub_n(), n);
}

void hub_source_report(struct hub *hub, const struct hub_source *source)
{
    pthread_mutex_lock(&lock);
    size_t at = 0;
    while (at < n_reports && !str_equal_c(source->source, reports[at].source))
        at++;
    if (at < REPORTS_MAX) {
        struct fake_report *report = &reports[at].report;
        if (at == n_reports) {
            memset(&reports[n_reports++], 0, sizeof reports[0]);
            (void)!str_to_c(source->source, reports[at].source, sizeof reports[at].source);
        }
        report->n++;
        report->health = source->health;
        report->last_heard_ms = source->last_heard.ms;
        report->place = source->place;
        (void)!str_to_c(source->area, report->area, sizeof report->area);
        (void)!str_to_c(source->title_zh, report->title_zh, sizeof report->title_zh);
        (void)!str_to_c(source->detail, report->detail, sizeof report->detail);
    }
    pthread_mutex_unlock(&lock);
}

bool fake_hub_report(const char *source, struct fake_report *ret_report)
{
    bool is_found = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_reports && !is_found; i++)
        if (strcmp(reports[i].source, source) == 0) {
            *ret_report = reports[i].report;
            is_found = true;
        }
    pthread_mutex_unlock(&lock);
    return is_found;
}

/* The tests' cameras stand in no tree of areas. */
const struct area_tree *hub_areas(const struct hub *hub)
{
    return NULL;
}

int area_find(const struct area_tree *tree, struct str name)
{
    return -1;
}

void fake_vehicle(struct buf *out, const char *id, const char *device, const char *plate, const char *pass_time)
{
    buf_printf(out,
        "{\"MotorVehicleID\":\"%s\",\"InfoKind\":1,\"SourceID\":\"%s2022020070116000000001\",\"TollgateID\":\"33010600001210000001\","
        "\"DeviceID\":\"%s\",\"StorageUrl1\":\"http://192.0.2.1/a.jpg\",\"LeftTopX\":0,\"LeftTopY\":0,\"RightBtmX\":0,\"RightBtmY\":0,"
        "\"LaneNo\":1,\"HasPlate\":\"1\",\"PlateClass\":\"02\",\"PlateColor\":\"5\",\"PlateNo\":\"%s\",\"PlateReliability\":\"97\","
        "\"PlateCharReliability\":\"浙-95,B-98\",\"Speed\":42.0,\"Direction\":\"1\",\"VehicleClass\":\"K33\",\"VehicleColor\":\"A\","
        "\"PassTime\":\"%s\",\"SubImageList\":{\"SubImageInfoObject\":[]}}",
        id, device, device, plate, pass_time);
}
