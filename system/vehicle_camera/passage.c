/*
 * From what a camera said to one form of passage. The rules, in the order in which they are applied and answered:
 *
 *  1. What stands in the list is an object.                                                     → 8
 *  2. No name that we read is given twice: nobody knows which one the camera means.             → 8
 *  3. MotorVehicleID and PassTime are there; with `needs_standard` also what the standard requires:
 *     InfoKind, SourceID, StorageUrl1, VehicleColor, and PlateClass or HasPlate.                → 8
 *  4. MotorVehicleID is text of at most 128 bytes.                                              → 8
 *  5. The camera is DeviceID, or without it who speaks; it is on the city's list.               → 4
 *  6. A camera speaks for itself only; a platform for every camera.                             → 4
 *  7. PassTime is a time (14 digits, or 17 with milliseconds), in the city's zone.              → 8
 *  8. PassTime is not later than now by more than `accept_future`.                              → 8
 *  9. PassTime is not earlier than now by more than `accept_past`.                              → 8
 * 10. Lane, speed, confidence and plate are of their type and within their range.               → 8
 *
 * The codes are those of GA/T 1400.4: 4 invalid operation, 8 invalid content of JSON; the words say which rule, and the mend.
 */
#include "system/vehicle_camera/passage.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SPEED_KMH_MAX 400.0 /* faster is a fault of the camera */
#define LANE_MAX 99
#define NO_PLATE "无车牌"

const struct passage_field_form passage_fields[PASSAGE_N_FIELDS] = {
    [PASSAGE_CAMERA] = {"camera", VALUE_TEXT},
    [PASSAGE_VEHICLE] = {"vehicle", VALUE_TEXT},
    [PASSAGE_PLATE] = {"plate", VALUE_TEXT},
    [PASSAGE_PLATE_CLASS] = {"plate_class", VALUE_TEXT},
    [PASSAGE_TIME] = {"time", VALUE_TIME},
    [PASSAGE_ARRIVED] = {"arrived", VALUE_TIME},
    [PASSAGE_LANE] = {"lane", VALUE_INTEGER},
    [PASSAGE_SPEED_MPS] = {"speed_mps", VALUE_REAL},
    [PASSAGE_CONFIDENCE] = {"confidence", VALUE_INTEGER},
    [PASSAGE_LON] = {"lon", VALUE_REAL},
    [PASSAGE_LAT] = {"lat", VALUE_REAL},
    [PASSAGE_HEADING] = {"heading", VALUE_REAL},
    [PASSAGE_PLATE_GROUP] = {"plate_group", VALUE_TEXT},
};

/* What one reading needs, so that each rule is one small function. */
struct reading {
    const struct viid_vehicle *vehicle;
    const struct passage_rules *rules;
    struct str speaker;
    struct wall_time now;
    struct passage *passage;
    char *text;
};

static enum viid_status say(struct reading *r, enum viid_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum viid_status say(struct reading *r, enum viid_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(r->text, PASSAGE_TEXT_MAX, format, args);
    va_end(args);
    return status;
}

static const struct viid_value *value_of(const struct reading *r, enum viid_name name)
{
    return &r->vehicle->values[name];
}

static bool is_there(const struct reading *r, enum viid_name name)
{
    return value_of(r, name)->type != VIID_ABSENT;
}

static enum viid_status wrong_type(struct reading *r, enum viid_name name, const char *wanted)
{
    return say(r, VIID_STATUS_JSON_CONTENT, "%s is not %s", viid_name_text(name), wanted);
}

/* ---- rules 1 to 4 ---- */

static enum viid_status check_names(struct reading *r)
{
    static const enum viid_name always[] = {VIID_MOTOR_VEHICLE_ID, VIID_PASS_TIME};
    static const enum viid_name standard[] = {VIID_INFO_KIND, VIID_SOURCE_ID, VIID_STORAGE_URL_1, VIID_VEHICLE_COLOR};
    if (!r->vehicle->is_object)
        return say(r, VIID_STATUS_JSON_CONTENT, "a MotorVehicleObject is not an object");
    if (r->vehicle->twice >= 0)
        return say(r, VIID_STATUS_JSON_CONTENT, "%s is given twice", viid_name_text((enum viid_name)r->vehicle->twice));
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (!is_there(r, always[i]))
            return say(r, VIID_STATUS_JSON_CONTENT, "%s is missing", viid_name_text(always[i]));
    if (!r->rules->needs_standard)
        return VIID_STATUS_OK;
    for (size_t i = 0; i < sizeof standard / sizeof standard[0]; i++) {
        enum viid_type type = value_of(r, standard[i])->type;
        if (type == VIID_ABSENT)
            return say(r, VIID_STATUS_JSON_CONTENT, "%s is missing", viid_name_text(standard[i]));
        if (type != VIID_TEXT && type != VIID_NUMBER)
            return wrong_type(r, standard[i], "text or a number");
    }
    if (!is_there(r, VIID_PLATE_CLASS) && !is_there(r, VIID_HAS_PLATE))
        return say(r, VIID_STATUS_JSON_CONTENT, "PlateClass and HasPlate are both missing; one of them is needed");
    return VIID_STATUS_OK;
}

static enum viid_status read_id(struct reading *r)
{
    const struct viid_value *id = value_of(r, VIID_MOTOR_VEHICLE_ID);
    if (id->type != VIID_TEXT)
        return wrong_type(r, VIID_MOTOR_VEHICLE_ID, "text");
    if (id->text.len > PASSAGE_ID_MAX)
        return say(r, VIID_STATUS_JSON_CONTENT, "MotorVehicleID has %zu bytes; at most %d", id->text.len, PASSAGE_ID_MAX);
    r->passage->id = id->text;
    return VIID_STATUS_OK;
}

/* ---- rules 5 and 6 ---- */

static enum viid_status read_camera(struct reading *r)
{
    const struct viid_value *device = value_of(r, VIID_DEVICE_ID);
    struct str name = device->type == VIID_ABSENT ? r->speaker : device->text;
    if (device->type != VIID_ABSENT && device->type != VIID_TEXT)
        return wrong_type(r, VIID_DEVICE_ID, "text");
    const struct camera *camera = camera_find(r->rules->cameras, name);
    if (camera == NULL || (camera->is_platform && device->type == VIID_ABSENT))
        return say(r, VIID_STATUS_INVALID_OPERATION, "camera %.*s is unknown here; have it put on the city's list of cameras",
            (int)(name.len < CAMERA_DEVICE_MAX ? name.len : CAMERA_DEVICE_MAX), name.ptr != NULL ? name.ptr : "");
    if (!str_equal(camera->device, r->speaker)) {
        const struct camera *speaker = camera_find(r->rules->cameras, r->speaker);
        if (speaker == NULL || !speaker->is_platform)
            return say(r, VIID_STATUS_INVALID_OPERATION, "%.*s does not speak for camera %.*s; only a platform speaks for others",
                (int)r->speaker.len, r->speaker.ptr, (int)camera->device.len, camera->device.ptr);
    }
    r->passage->at = camera;
    r->passage->camera = camera->device;
    return VIID_STATUS_OK;
}

/* ---- rules 7 to 9 ---- */

static enum err parse_time(struct str digits, struct time_zone zone, int64_t *ret_ms)
{
    struct wall_time wall;
    int64_t more_ms = 0;
    if (digits.len != 14 && digits.len != 17)
        return ERR_SYNTAX;
    enum err err = wall_parse_compact(str_slice(digits, 0, 14), zone, &wall);
    if (err == ERR_OK && digits.len == 17)
        err = str_to_i64(str_slice(digits, 14, 3), &more_ms);
    if (err == ERR_OK && more_ms < 0)
        err = ERR_SYNTAX;
    if (err == ERR_OK)
        *ret_ms = wall.ms + more_ms;
    return err;
}

static enum viid_status read_time(struct reading *r)
{
    const struct viid_value *value = value_of(r, VIID_PASS_TIME);
    char number[24] = "";
    struct str digits = value->text;
    if (value->type == VIID_NUMBER && value->number >= 1e13 && value->number < 1e14) {
        (void)snprintf(number, sizeof number, "%.0f", value->number);
        digits = str_from_c(number);
    } else if (value->type != VIID_TEXT) {
        return wrong_type(r, VIID_PASS_TIME, "text");
    }
    int64_t time_ms = 0;
    int shown = (int)(digits.len < 24 ? digits.len : 24);
    if (parse_time(str_trim(digits), r->rules->zone, &time_ms) != ERR_OK)
        return say(r, VIID_STATUS_JSON_CONTENT, "PassTime %.*s is not a time; write yyyyMMddHHmmss", shown, digits.ptr);
    int64_t ahead_ms = time_ms - r->now.ms;
    if (ahead_ms > r->rules->accept_future_ms)
        return say(r, VIID_STATUS_JSON_CONTENT, "PassTime %.*s lies %lld s in the future, at most %lld s are taken; set the camera's clock",
            shown, digits.ptr, (long long)(ahead_ms / 1000), (long long)(r->rules->accept_future_ms / 1000));
    if (-ahead_ms > r->rules->accept_past_ms)
        return say(r, VIID_STATUS_JSON_CONTENT, "PassTime %.*s lies %lld s in the past, at most %lld s are taken", shown, digits.ptr,
            (long long)(-ahead_ms / 1000), (long long)(r->rules->accept_past_ms / 1000));
    r->passage->time_ms = time_ms;
    r->passage->arrived_ms = r->now.ms;
    return VIID_STATUS_OK;
}

/* ---- rule 10 ---- */

/* A number that comes as number or text (tolerance rule 2). *ret_is_there is false for an absent one. */
static enum viid_status read_number(struct reading *r, enum viid_name name, double max, bool *ret_is_there, double *ret_number)
{
    const struct viid_value *value = value_of(r, name);
    double number = value->number;
    *ret_is_there = false;
    if (value->type == VIID_ABSENT)
        return VIID_STATUS_OK;
    if (value->type == VIID_TEXT) {
        struct str digits = str_trim(value->text);
        if (str_is_empty(digits))
            return VIID_STATUS_OK;
        if (str_to_double(digits, &number) != ERR_OK)
            return wrong_type(r, name, "a number");
    } else if (value->type != VIID_NUMBER) {
        return wrong_type(r, name, "a number");
    }
    if (number > max)
        return say(r, VIID_STATUS_JSON_CONTENT, "%s is %g; at most %g", viid_name_text(name), number, max);
    *ret_is_there = number >= 0; /* cameras say -1 for "not measured" */
    *ret_number = number;
    return VIID_STATUS_OK;
}

static enum viid_status read_numbers(struct reading *r)
{
    bool is_said = false;
    double number = 0;
    enum viid_status status = read_number(r, VIID_LANE_NO, LANE_MAX, &is_said, &number);
    r->passage->lane = is_said ? (int16_t)number : -1;
    if (status == VIID_STATUS_OK)
        status = read_number(r, VIID_PLATE_RELIABILITY, 100, &is_said, &number);
    r->passage->confidence = is_said ? (int16_t)lround(number) : -1;
    if (status == VIID_STATUS_OK)
        status = read_number(r, VIID_SPEED, SPEED_KMH_MAX, &is_said, &number);
    r->passage->speed_mps = is_said ? number / 3.6 : NAN;
    return status;
}

static enum viid_status read_plate_class(struct reading *r)
{
    const struct viid_value *value = value_of(r, VIID_PLATE_CLASS);
    struct passage *passage = r->passage;
    passage->plate_class_len = 0;
    if (value->type == VIID_TEXT) {
        if (value->text.len > PASSAGE_CLASS_MAX)
            return say(r, VIID_STATUS_JSON_CONTENT, "PlateClass has %zu bytes; at most %d", value->text.len, PASSAGE_CLASS_MAX);
        memcpy(passage->plate_class, value->text.ptr, value->text.len);
        passage->plate_class_len = (uint8_t)value->text.len;
    } else if (value->type == VIID_NUMBER && value->number >= 0 && value->number < 100 && value->number == floor(value->number)) {
        passage->plate_class[0] = (char)('0' + (int)value->number / 10);
        passage->plate_class[1] = (char)('0' + (int)value->number % 10);
        passage->plate_class_len = 2;
    } else if (value->type != VIID_ABSENT) {
        return wrong_type(r, VIID_PLATE_CLASS, "text");
    }
    return VIID_STATUS_OK;
}

/* "1", 1, true; "0", 0, false; absent says nothing, so a plate counts when it is there. */
static enum viid_status read_has_plate(struct reading *r, bool *ret_has_plate)
{
    const struct viid_value *value = value_of(r, VIID_HAS_PLATE);
    bool is_yes = value->type == VIID_ABSENT ||
                  (value->type == VIID_TEXT && (str_equal_c(value->text, "1") || str_equal_nocase(value->text, STR("true")))) ||
                  ((value->type == VIID_NUMBER || value->type == VIID_BOOLEAN) && value->number == 1);
    bool is_no = (value->type == VIID_TEXT && (str_equal_c(value->text, "0") || str_equal_nocase(value->text, STR("false")))) ||
                 ((value->type == VIID_NUMBER || value->type == VIID_BOOLEAN) && value->number == 0);
    if (!is_yes && !is_no)
        return wrong_type(r, VIID_HAS_PLATE, "0 or 1");
    *ret_has_plate = is_yes;
    return VIID_STATUS_OK;
}

/* 浙A·12345 and "浙a 12345" are 浙A12345. A character that was not read is '-': such a plate is kept, but names no vehicle. */
static enum viid_status read_plate(struct reading *r)
{
    static const struct str dots[] = {STR_INIT("·"), STR_INIT("•"), STR_INIT("・"), STR_INIT("．"), STR_INIT("　")};
    const struct viid_value *value = value_of(r, VIID_PLATE_NO);
    struct passage *passage = r->passage;
    bool has_plate = false;
    enum viid_status status = read_has_plate(r, &has_plate);
    if (status != VIID_STATUS_OK)
        return status;
    if (value->type != VIID_ABSENT && value->type != VIID_TEXT)
        return wrong_type(r, VIID_PLATE_NO, "text");
    passage->plate_len = 0;
    passage->is_whole = false;
    if (!has_plate || value->type == VIID_ABSENT || str_equal_c(str_trim(value->text), NO_PLATE))
        return VIID_STATUS_OK;
    bool is_whole = true;
    for (size_t at = 0; at < value->text.len;) {
        struct str rest = str_slice(value->text, at, value->text.len - at);
        size_t n_skipped = rest.ptr[0] == ' ' ? 1 : 0;
        for (size_t i = 0; (uint8_t)rest.ptr[0] >= 0x80 && i < sizeof dots / sizeof dots[0]; i++)
            if (str_starts_with(rest, dots[i]))
                n_skipped = dots[i].len;
        if (n_skipped != 0) {
            at += n_skipped;
            continue;
        }
        char byte = rest.ptr[0];
        if ((uint8_t)byte < 0x20 || byte == 0x7f)
            return say(r, VIID_STATUS_JSON_CONTENT, "PlateNo holds a control character");
        if (passage->plate_len == PASSAGE_PLATE_MAX)
            return say(r, VIID_STATUS_JSON_CONTENT, "PlateNo has more than %d bytes", PASSAGE_PLATE_MAX);
        if (byte == '-')
            is_whole = false;
        passage->plate[passage->plate_len++] = byte >= 'a' && byte <= 'z' ? (char)(byte - 'a' + 'A') : byte;
        at++;
    }
    passage->is_whole = is_whole && passage->plate_len > 0;
    return VIID_STATUS_OK;
}

enum viid_status passage_read(const struct viid_vehicle *vehicle, const struct passage_rules *rules, struct str speaker,
    struct wall_time now, struct passage *ret_passage, char text[PASSAGE_TEXT_MAX])
{
    static enum viid_status (*const steps[])(struct reading * r) = {
        check_names, read_id, read_camera, read_time, read_numbers, read_plate_class, read_plate};
    struct reading r = {.vehicle = vehicle, .rules = rules, .speaker = speaker, .now = now, .passage = ret_passage, .text = text};
    enum viid_status status = VIID_STATUS_OK;
    text[0] = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == VIID_STATUS_OK; i++)
        status = steps[i](&r);
    if (status != VIID_STATUS_OK)
        return status;
    ret_passage->vehicle_len = 0;
    ret_passage->fingerprint = 0;
    return say(&r, VIID_STATUS_OK, "OK");
}

static struct value text_or_none(const char *ptr, size_t len)
{
    return len == 0 ? VALUE_NONE : value_text((struct str){ptr, len});
}

void passage_values(const struct passage *passage, const struct plate_locals *locals, struct value values[PASSAGE_N_FIELDS])
{
    const struct camera *at = passage->at;
    bool has_place = at != NULL && (at->place.lon != 0 || at->place.lat != 0);
    struct str group = plate_group(passage->vehicle_len > 0 ? locals : NULL, (struct str){passage->plate, passage->plate_len},
        (struct str){passage->plate_class, passage->plate_class_len});
    values[PASSAGE_CAMERA] = value_text(passage->camera);
    values[PASSAGE_VEHICLE] = text_or_none(passage->vehicle, passage->vehicle_len);
    values[PASSAGE_PLATE] = text_or_none(passage->plate, passage->plate_len);
    values[PASSAGE_PLATE_CLASS] = text_or_none(passage->plate_class, passage->plate_class_len);
    values[PASSAGE_TIME] = value_time(passage->time_ms);
    values[PASSAGE_ARRIVED] = value_time(passage->arrived_ms);
    values[PASSAGE_LANE] = passage->lane >= 0 ? value_integer(passage->lane) : VALUE_NONE;
    values[PASSAGE_SPEED_MPS] = isnan(passage->speed_mps) ? VALUE_NONE : value_real(passage->speed_mps);
    values[PASSAGE_CONFIDENCE] = passage->confidence >= 0 ? value_integer(passage->confidence) : VALUE_NONE;
    values[PASSAGE_LON] = has_place ? value_real(at->place.lon) : VALUE_NONE;
    values[PASSAGE_LAT] = has_place ? value_real(at->place.lat) : VALUE_NONE;
    values[PASSAGE_HEADING] = at != NULL && !isnan(at->heading) ? value_real(at->heading) : VALUE_NONE;
    values[PASSAGE_PLATE_GROUP] = text_or_none(group.ptr, group.len);
}
