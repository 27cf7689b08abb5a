/*
 * The reader of bodies: what is not JSON, too deep, too large, given twice or of the wrong form is an error with its cause, and never
 * half of a body; notifications in their spellings; each failed allocation.
 */
#include "system/vehicle_camera/viid.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>

static struct viid_parser *parser;

static int set_up(void **state)
{
    return viid_parser_create(&parser) != ERR_OK;
}

static int tear_down(void **state)
{
    viid_parser_destroy(parser);
    viid_parser_destroy(NULL);
    return 0;
}

/* What was visited, as text: "id@notification " for a vehicle, "(id n) " for a notification. */
static enum err visit_vehicle(void *context, const struct viid_vehicle *vehicle)
{
    const struct viid_value *id = &vehicle->values[VIID_MOTOR_VEHICLE_ID];
    struct buf *seen = context;
    if (!vehicle->is_object)
        buf_append_c(seen, "?");
    else if (vehicle->twice >= 0)
        buf_printf(seen, "!%s", viid_name_text((enum viid_name)vehicle->twice));
    else
        buf_append_str(seen, id->text);
    if (vehicle->notification.len > 0)
        buf_printf(seen, "@%.*s", (int)vehicle->notification.len, vehicle->notification.ptr);
    buf_append_c(seen, " ");
    return ERR_OK;
}

static enum err visit_notification(void *context, struct str id, size_t n)
{
    buf_printf(context, "(%.*s %zu) ", (int)id.len, id.len > 0 ? id.ptr : "", n);
    return ERR_OK;
}

typedef enum err (*read_fn)(struct viid_parser *parser, struct str body, const struct viid_visitor *visitor, struct diag *diag);

static enum err read_seen(read_fn read, const char *body, struct buf *seen, struct diag *diag)
{
    const struct viid_visitor visitor = {.context = seen, .vehicle = visit_vehicle, .notification = visit_notification};
    buf_reset(seen);
    return read(parser, str_from_c(body), &visitor, diag);
}

struct row {
    const char *body;
    enum err err;
    const char *seen_or_cause;
};

static void check_rows(read_fn read, const struct row *rows, size_t n)
{
    struct buf seen;
    buf_init(&seen, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        struct diag diag = {""};
        enum err err = read_seen(read, rows[i].body, &seen, &diag);
        if (err != rows[i].err)
            fail_msg("%s: %s (%s)", rows[i].body, err_text(err), diag.text);
        if (err == ERR_OK)
            assert_str(buf_str(&seen), rows[i].seen_or_cause);
        else if (strstr(diag.text, rows[i].seen_or_cause) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].body, diag.text, rows[i].seen_or_cause);
        if (err != ERR_OK)
            assert_int_equal(seen.len, 0); /* never half of a body */
    }
    buf_finish(&seen);
}

#define LIST(items_) "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":" items_ "}}"
#define A "{\"MotorVehicleID\":\"a\"}"
#define B "{\"MotorVehicleID\":\"b\"}"

static void vehicles(void **state)
{
    static const struct row rows[] = {
        {LIST("[" A "," B "]"), ERR_OK, "a b "},
        {LIST("[]"), ERR_OK, ""},
        {LIST(A), ERR_OK, "a "},
        {LIST("[17," A "]"), ERR_OK, "? a "},
        {LIST("[{\"Speed\":1,\"Speed\":2}," A "]"), ERR_OK, "!Speed a "},
        {"\xef\xbb\xbf" LIST("[" A "]"), ERR_OK, "a "}, /* a byte order mark */
        {"{\"MotorVehicleListObject\":[" A "]}", ERR_OK, "a "},
        {"", ERR_SYNTAX, "empty"},
        {"[]", ERR_SYNTAX, "not a JSON object"},
        {"\"MotorVehicleListObject\"", ERR_SYNTAX, "not a JSON object"},
        {"{}", ERR_SYNTAX, "\"MotorVehicleListObject\" is missing"},
        {"{\"MotorVehicleListObject\":{}}", ERR_SYNTAX, "\"MotorVehicleObject\" is missing"},
        {"{\"MotorVehicleListObject\":null}", ERR_SYNTAX, "\"MotorVehicleObject\" is missing"},
        {LIST("null"), ERR_SYNTAX, "\"MotorVehicleObject\" is missing"},
        {LIST("[" A ",]"), ERR_SYNTAX, "not JSON"},
        {LIST("[" A), ERR_SYNTAX, "not JSON"},
        {"{\"MotorVehicleListObject\"", ERR_SYNTAX, "not JSON"},
        {LIST("[" A "]") "x", ERR_SYNTAX, "not JSON"},
        {LIST("[{\"MotorVehicleID\":\"\xff\xfe\"}]"), ERR_SYNTAX, "not JSON"},
        {LIST("[{\"MotorVehicleID\":\"\xc0\x80\"}]"), ERR_SYNTAX, "not JSON"}, /* overlong */
        {LIST("[{\"Speed\":01}]"), ERR_SYNTAX, "not JSON"},
        {LIST("[{\"Speed\":1e999}]"), ERR_SYNTAX, "not JSON"},
        {LIST("[{\"Speed\":NaN}]"), ERR_SYNTAX, "not JSON"},
        {"{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[" A "],\"MotorVehicleObject\":[" B "]}}", ERR_EXISTS, "given twice"},
        {"{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[]},\"MotorVehicleListObject\":{}}", ERR_EXISTS, "given twice"},
    };
    check_rows(viid_read_vehicles, rows, sizeof rows / sizeof rows[0]);
}

#define NOTE(inside_) "{\"SubscribeNotificationListObject\":{\"SubscribeNotificationObject\":" inside_ "}}"

static void notifications(void **state)
{
    static const struct row rows[] = {
        {NOTE("[{\"NotificationID\":\"n1\",\"MotorVehicleObjectList\":{\"MotorVehicleObject\":[" A "," B "]}}]"), ERR_OK,
            "a@n1 b@n1 (n1 2) "},
        /* one vendor's spelling, with a zero */
        {NOTE("[{\"NotificationID\":\"n1\",\"MotorVehicle0bjectList\":{\"MotorVehicleObject\":[" A "]}}]"), ERR_OK, "a@n1 (n1 1) "},
        {NOTE("{\"NotificationID\":\"n1\",\"MotorVehicleObjectList\":{\"MotorVehicleObject\":" A "}}"), ERR_OK, "a@n1 (n1 1) "},
        {NOTE("[{\"NotificationID\":\"n1\",\"MotorVehicleObjectList\":[" A "]}]"), ERR_OK, "a@n1 (n1 1) "},
        {NOTE("[{\"NotificationID\":\"n1\",\"Title\":\"faces\",\"FaceObjectList\":{\"FaceObject\":[{}]}}]"), ERR_OK, "(n1 0) "},
        {NOTE("[{\"NotificationID\":17}]"), ERR_OK, "( 0) "},
        {NOTE("[17]"), ERR_OK, "( 0) "},
        {NOTE("[]"), ERR_OK, ""},
        {NOTE("null"), ERR_SYNTAX, "\"SubscribeNotificationObject\" is missing"},
        {LIST("[" A "]"), ERR_SYNTAX, "\"SubscribeNotificationListObject\" is missing"},
        {NOTE("[{\"MotorVehicleObjectList\":{},\"MotorVehicle0bjectList\":{}}]"), ERR_EXISTS, "given twice"},
    };
    check_rows(viid_read_notifications, rows, sizeof rows / sizeof rows[0]);
}

static void devices(void **state)
{
    static const struct {
        const char *body;
        enum err err;
        const char *text;
    } rows[] = {
        {"{\"RegisterObject\":{\"DeviceID\":\"33010600001190000001\"}}", ERR_OK, "33010600001190000001"},
        {"{\"RegisterObject\":{\"DeviceID\":\"1\",\"ProtocolVersion\":\"2.0\"}}", ERR_OK, "1"},
        {"{\"RegisterObject\":{\"DeviceID\":1}}", ERR_SYNTAX, "no text \"DeviceID\""},
        {"{\"RegisterObject\":{\"DeviceID\":\"\"}}", ERR_SYNTAX, "no text \"DeviceID\""},
        {"{\"RegisterObject\":{}}", ERR_SYNTAX, "no text \"DeviceID\""},
        {"{\"RegisterObject\":[]}", ERR_SYNTAX, "\"RegisterObject\" is not an object"},
        {"{\"KeepaliveObject\":{\"DeviceID\":\"1\"}}", ERR_SYNTAX, "\"RegisterObject\" is missing"},
        {"{\"RegisterObject\":{\"DeviceID\":\"1\",\"DeviceID\":\"2\"}}", ERR_EXISTS, "given twice"},
        {"[1]", ERR_SYNTAX, "not a JSON object"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct diag diag = {""};
        struct str device = STR_NONE;
        enum err err = viid_read_device(parser, str_from_c(rows[i].body), "RegisterObject", &device, &diag);
        assert_err(err, rows[i].err);
        if (err == ERR_OK)
            assert_str(device, rows[i].text);
        else if (strstr(diag.text, rows[i].text) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].body, diag.text, rows[i].text);
    }
}

static void limits(void **state)
{
    struct buf body, seen;
    struct diag diag = {""};
    const struct viid_visitor visitor = {.context = &seen, .vehicle = visit_vehicle, .notification = visit_notification};
    buf_init(&body, 32u << 20);
    buf_init(&seen, 1 << 20);
    buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[{\"Brand\":"); /* deep, and well formed */
    for (int i = 0; i < 100; i++)
        buf_append_c(&body, "[");
    for (int i = 0; i < 100; i++)
        buf_append_c(&body, "]");
    buf_append_c(&body, "}]}}");
    assert_err(viid_read_vehicles(parser, buf_str(&body), &visitor, &diag), ERR_TOO_LARGE);
    assert_non_null(strstr(diag.text, "deeper than 32"));
    buf_reset(&body); /* a bomb of brackets */
    for (int i = 0; i < 1000000; i++)
        buf_append_c(&body, "[");
    assert_err(viid_read_vehicles(parser, buf_str(&body), &visitor, &diag), ERR_SYNTAX); /* none of them is closed */
    for (int i = 0; i < 1000000; i++)
        buf_append_c(&body, "]");
    assert_err(viid_read_vehicles(parser, buf_str(&body), &visitor, &diag), ERR_TOO_LARGE);
    buf_reset(&body); /* one vehicle too many */
    buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[{}");
    for (int i = 0; i < VIID_VEHICLES_MAX; i++)
        buf_append_c(&body, ",{}");
    buf_append_c(&body, "]}}");
    assert_err(viid_read_vehicles(parser, buf_str(&body), &visitor, &diag), ERR_TOO_LARGE);
    assert_non_null(strstr(diag.text, "10001 vehicles"));
    assert_int_equal(seen.len, 0);
    buf_reset(&body); /* one byte too many */
    assert_non_null(buf_reserve(&body, VIID_BODY_MAX + 1));
    memset(body.ptr, ' ', VIID_BODY_MAX + 1);
    buf_advance(&body, VIID_BODY_MAX + 1);
    assert_err(viid_read_vehicles(parser, buf_str(&body), &visitor, &diag), ERR_TOO_LARGE);
    assert_non_null(strstr(diag.text, "8388609 bytes"));
    buf_finish(&body);
    buf_finish(&seen);
}

/* An image inside is skipped, and a parser that had to grow for it is told from the others. */
static void images_inside(void **state)
{
    struct buf body, seen;
    struct diag diag = {""};
    const struct viid_visitor visitor = {.context = &seen, .vehicle = visit_vehicle, .notification = visit_notification};
    buf_init(&body, 32u << 20);
    buf_init(&seen, 1 << 20);
    assert_false(viid_parser_is_large(parser));
    buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[{\"SubImageList\":{\"SubImageInfoObject\":[{\"Data\":\"");
    for (int i = 0; i < 1000000; i++)
        buf_append_c(&body, "AbCd");
    buf_append_c(&body, "\"}]},\"MotorVehicleID\":\"a\"}]}}");
    assert_ok(viid_read_vehicles(parser, buf_str(&body), &visitor, &diag));
    assert_str(buf_str(&seen), "a ");
    assert_true(viid_parser_is_large(parser));
    buf_finish(&body);
    buf_finish(&seen);
}

/* A body need not end with anything: the parser reads past its end, in its own buffer. */
static void reads_no_byte_of_others(void **state)
{
    static const char text[] = LIST("[" A "]");
    struct buf seen;
    struct diag diag = {""};
    const struct viid_visitor visitor = {.context = &seen, .vehicle = visit_vehicle, .notification = visit_notification};
    buf_init(&seen, 4096);
    for (size_t len = 0; len < sizeof text; len++) {
        char *exact = malloc(len > 0 ? len : 1); /* the sanitizer stands right behind it */
        assert_non_null(exact);
        memcpy(exact, text, len);
        buf_reset(&seen);
        assert_err(viid_read_vehicles(parser, (struct str){exact, len}, &visitor, &diag), len == sizeof text - 1 ? ERR_OK : ERR_SYNTAX);
        free(exact);
    }
    buf_finish(&seen);
}

static void survives_each_failed_allocation(void **state)
{
    int64_t n_before = mem_n_live();
    bool has_passed = false;
    for (uint64_t nth = 1; !has_passed; nth++) {
        struct viid_parser *own = NULL;
        struct str device = STR_NONE;
        assert_true(nth < 20);
        mem_fail_nth(nth);
        enum err err = viid_parser_create(&own);
        if (err == ERR_OK)
            err = viid_read_device(own, STR("{\"RegisterObject\":{\"DeviceID\":\"1\"}}"), "RegisterObject", &device, NULL);
        mem_fail_nth(0);
        has_passed = err == ERR_OK;
        if (!has_passed)
            assert_err(err, ERR_NO_MEMORY);
        viid_parser_destroy(own);
        assert_int_equal(mem_n_live(), n_before);
    }
}

int main(void)
{
#define ROW(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(vehicles),
        ROW(notifications),
        ROW(devices),
        ROW(limits),
        ROW(images_inside),
        ROW(reads_no_byte_of_others),
        ROW(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
