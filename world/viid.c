/* GA/T 1400's JSON as a camera speaks it: see viid.h. Names and forms: docs/camera-door.md. */
#include "world/viid.h"

#include "base/json.h"

#include <stdio.h>

#define SPEED_KMH 3.6

static const char *plate_color(const char *plate_class)
{
    if (str_equal_c(STR("01"), plate_class))
        return "6";                                                        /* yellow */
    return str_starts_with(str_from_c(plate_class), STR("5")) ? "9" : "5"; /* green, blue */
}

static void write_passage(struct json_writer *w, const char *device, struct time_zone zone, const struct viid_passage *passage)
{
    char time[15], name[64], source[64], plate_sureness[8];
    wall_format_compact(passage->time, zone, time);
    /* 20 of the device, 02 for an image, time, 5 of a number, 02 for a vehicle, 5 of a number */
    (void)snprintf(name, sizeof name, "%s02%s%05u02%05u", device, time, passage->number % 100000, 1);
    (void)snprintf(source, sizeof source, "%s02%s%05u", device, time, passage->number % 100000);
    (void)snprintf(plate_sureness, sizeof plate_sureness, "%u", passage->confidence);
    json_begin_object(w);
    json_field_c(w, "MotorVehicleID", name);
    json_field_i64(w, "InfoKind", 1);
    json_field_c(w, "SourceID", source);
    json_field_c(w, "DeviceID", device);
    json_field_c(w, "StorageUrl1", "http://192.0.2.1/none.jpg"); /* required by the standard; no image is made */
    json_field_i64(w, "LeftTopX", 0);
    json_field_i64(w, "LeftTopY", 0);
    json_field_i64(w, "RightBtmX", 0);
    json_field_i64(w, "RightBtmY", 0);
    json_field_i64(w, "LaneNo", passage->lane);
    json_field_c(w, "HasPlate", "1");
    json_field_c(w, "PlateClass", passage->plate_class);
    json_field_c(w, "PlateColor", plate_color(passage->plate_class));
    json_field_c(w, "PlateNo", passage->plate);
    json_field_c(w, "PlateReliability", plate_sureness);
    if (passage->speed_mps >= 0) {
        json_key(w, "Speed");
        json_put_fixed(w, passage->speed_mps * SPEED_KMH, 1);
    }
    json_field_c(w, "VehicleClass", passage->vehicle_type);
    json_field_c(w, "VehicleColor", "A");
    json_field_c(w, "PassTime", time);
    json_end_object(w);
}

void viid_write_passages(const char *device, struct time_zone zone, const struct viid_passage *const *passages, size_t n, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "MotorVehicleListObject");
    json_begin_object(&w);
    json_key(&w, "MotorVehicleObject");
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++)
        write_passage(&w, device, zone, passages[i]);
    json_end_array(&w);
    json_end_object(&w);
    json_end_object(&w);
}

void viid_write_device(const char *object, const char *device, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_key(&w, object);
    json_begin_object(&w);
    json_field_c(&w, "DeviceID", device);
    json_end_object(&w);
    json_end_object(&w);
}

/* "0" or 0 (tolerance rule 1, from the other side). */
static bool is_ok(const json_t *status)
{
    struct str text;
    int64_t number;
    if (json_get_str(status, "StatusCode", &text) == ERR_OK)
        return str_equal_c(text, "0");
    return json_get_i64(status, "StatusCode", &number) == ERR_OK && number == 0;
}

enum err viid_read_statuses(struct str body, uint32_t *ret_n_ok, uint32_t *ret_n_refused, char *ret_why, size_t size)
{
    json_t *json;
    enum err err = json_read(body, NULL, &json);
    if (err)
        return err;
    const json_t *list = json_object_get(json_object_get(json, "ResponseStatusListObject"), "ResponseStatusObject");
    const json_t *one = json_object_get(json, "ResponseStatusObject");
    uint32_t n_ok = 0, n_refused = 0;
    size_t n = json_is_array(list) ? json_array_size(list) : json_is_object(one) ? 1 : 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *status = json_is_array(list) ? json_array_get(list, i) : one;
        struct str why = STR_NONE;
        if (is_ok(status)) {
            n_ok++;
            continue;
        }
        n_refused++;
        if (json_get_str(status, "StatusString", &why) == ERR_OK)
            (void)snprintf(ret_why, size, STR_FORMAT, STR_ARG(why));
    }
    json_decref(json);
    if (n == 0)
        return ERR_SYNTAX;
    *ret_n_ok = n_ok;
    *ret_n_refused = n_refused;
    return ERR_OK;
}

enum err viid_read_time(struct str body, struct time_zone zone, struct wall_time *ret_time)
{
    json_t *json;
    struct str text;
    enum err err = json_read(body, NULL, &json);
    if (err)
        return err;
    const json_t *object = json_object_get(json, "SystemTimeObject");
    err = object ? json_get_str(object, "LocalTime", &text) : ERR_SYNTAX;
    err = err ? ERR_SYNTAX : wall_parse_compact(text, zone, ret_time);
    json_decref(json);
    return err ? ERR_SYNTAX : ERR_OK;
}
