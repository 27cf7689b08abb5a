/*
 * viid.h on simdjson's DOM: the whole body is checked to be JSON before anything of it is believed.
 *
 * The one C++ file of the project. No exception leaves it (none is thrown: the error-code face only, and the build turns them off);
 * memory of its own comes from base/mem.h, simdjson's from the C++ allocator's nothrow form.
 */
#include <simdjson.h>

extern "C" {
#include "base/mem.h"
#include "system/vehicle_camera/viid.h"
}

#include <cstring>
#include <new>

namespace dom = simdjson::dom;

namespace
{

struct name_entry {
    const char *text;
    size_t len;
    enum viid_name name;
};

#define NAME(text_, name_)                                                                                                                 \
    {                                                                                                                                      \
        text_, sizeof(text_) - 1, name_                                                                                                    \
    }

/* By length, so that an unknown name costs one comparison of numbers for most of the table. */
const name_entry names[] = {
    NAME("Speed", VIID_SPEED),
    NAME("LaneNo", VIID_LANE_NO),
    NAME("PlateNo", VIID_PLATE_NO),
    NAME("DeviceID", VIID_DEVICE_ID),
    NAME("HasPlate", VIID_HAS_PLATE),
    NAME("InfoKind", VIID_INFO_KIND),
    NAME("PassTime", VIID_PASS_TIME),
    NAME("SourceID", VIID_SOURCE_ID),
    NAME("PlateClass", VIID_PLATE_CLASS),
    NAME("StorageUrl1", VIID_STORAGE_URL_1),
    NAME("VehicleColor", VIID_VEHICLE_COLOR),
    NAME("MotorVehicleID", VIID_MOTOR_VEHICLE_ID),
    NAME("PlateReliability", VIID_PLATE_RELIABILITY),
};

/* The ways in which a notification spells its list; the second is one vendor's, with a zero (tolerance rule 5). */
const char *const list_names[] = {"MotorVehicleListObject", "MotorVehicleObjectList", "MotorVehicle0bjectList", nullptr};
const char *const item_names[] = {"MotorVehicleObject", nullptr};
const char *const notification_list_names[] = {"SubscribeNotificationListObject", nullptr};
const char *const notification_names[] = {"SubscribeNotificationObject", nullptr};

int name_find(std::string_view key)
{
    for (const name_entry &entry : names) {
        if (entry.len > key.size())
            return -1;
        if (entry.len == key.size() && std::memcmp(entry.text, key.data(), entry.len) == 0)
            return entry.name;
    }
    return -1;
}

struct str to_str(std::string_view text)
{
    struct str s = {text.data(), text.size()};
    return s;
}

void value_read(dom::element element, struct viid_value *value)
{
    switch (element.type()) {
    case dom::element_type::STRING: {
        std::string_view text;
        if (element.get(text) == simdjson::SUCCESS && !text.empty()) {
            value->type = VIID_TEXT;
            value->text = to_str(text);
        }
        break;
    }
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE:
        value->type = VIID_NUMBER;
        if (element.get(value->number) != simdjson::SUCCESS)
            value->type = VIID_OTHER;
        break;
    case dom::element_type::BOOL: {
        bool boolean = false;
        value->type = element.get(boolean) == simdjson::SUCCESS ? VIID_BOOLEAN : VIID_OTHER;
        value->number = boolean;
        break;
    }
    case dom::element_type::NULL_VALUE:
        break;
    default:
        value->type = VIID_OTHER;
    }
}

void vehicle_read(dom::element element, struct str notification, struct viid_vehicle *vehicle)
{
    uint32_t seen = 0;
    std::memset(vehicle, 0, sizeof *vehicle);
    vehicle->twice = -1;
    vehicle->notification = notification;
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS)
        return;
    vehicle->is_object = true;
    for (dom::key_value_pair field : object) {
        int name = name_find(field.key);
        if (name < 0)
            continue;
        if (seen & (1u << name))
            vehicle->twice = name;
        seen |= 1u << name;
        value_read(field.value, &vehicle->values[name]);
    }
}

/* A member by any of its spellings. ERR_NOT_FOUND; ERR_EXISTS when there are two: which would one believe? */
enum err member_find(dom::object object, const char *const *spellings, dom::element *ret_element, struct diag *diag)
{
    bool is_found = false;
    for (dom::key_value_pair field : object)
        for (const char *const *spelling = spellings; *spelling != nullptr; spelling++)
            if (field.key == *spelling) {
                if (is_found)
                    return diag_set(diag, ERR_EXISTS, nullptr, 0, "\"%s\" is given twice", *spelling);
                *ret_element = field.value;
                is_found = true;
            }
    return is_found ? ERR_OK : ERR_NOT_FOUND;
}

/* {NAME: {…}}: the inner object. */
enum err object_find(dom::element outer, const char *const *spellings, dom::object *ret_object, struct diag *diag)
{
    dom::object object;
    dom::element element;
    if (outer.get(object) != simdjson::SUCCESS)
        return diag_set(diag, ERR_SYNTAX, nullptr, 0, "the body is not a JSON object; send {\"%s\":{…}}", spellings[0]);
    enum err err = member_find(object, spellings, &element, diag);
    if (err == ERR_NOT_FOUND)
        return diag_set(diag, ERR_SYNTAX, nullptr, 0, "\"%s\" is missing", spellings[0]);
    if (err == ERR_OK && element.get(*ret_object) != simdjson::SUCCESS)
        return diag_set(diag, ERR_SYNTAX, nullptr, 0, "\"%s\" is not an object", spellings[0]);
    return err;
}

/* What a list name holds: {"MotorVehicleObject":[…]}, or the list itself. Absent, null and "" are an empty list. */
enum err items_find(dom::element holder, const char *const *spellings, dom::element *ret_items, bool *ret_is_empty, struct diag *diag)
{
    dom::object object;
    *ret_items = holder;
    if (holder.get(object) == simdjson::SUCCESS) {
        enum err err = member_find(object, spellings, ret_items, diag);
        *ret_is_empty = err == ERR_NOT_FOUND;
        if (err != ERR_OK)
            return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    std::string_view text;
    *ret_is_empty = ret_items->is_null() || (ret_items->get(text) == simdjson::SUCCESS && text.empty());
    return ERR_OK;
}

/* A list's items, or the one object that stands where a list should (tolerance rule 4). */
template <typename F> enum err items_each(dom::element items, F each)
{
    dom::array array;
    if (items.get(array) != simdjson::SUCCESS)
        return each(items);
    for (dom::element item : array) {
        enum err err = each(item);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

size_t items_n(dom::element items)
{
    dom::array array;
    size_t n = 0;
    if (items.get(array) != simdjson::SUCCESS)
        return 1;
    for (dom::element item : array) {
        (void)item;
        n++;
    }
    return n;
}

enum err too_many(size_t n, struct diag *diag)
{
    if (n <= VIID_VEHICLES_MAX)
        return ERR_OK;
    return diag_set(diag, ERR_TOO_LARGE, nullptr, 0, "%zu vehicles in one body; send at most %d", n, VIID_VEHICLES_MAX);
}

enum err vehicles_visit(dom::element items, struct str notification, const struct viid_visitor *visitor)
{
    return items_each(items, [&](dom::element item) {
        struct viid_vehicle vehicle;
        vehicle_read(item, notification, &vehicle);
        return visitor->vehicle(visitor->context, &vehicle);
    });
}

/* The vehicles of one notification: which element holds them, and how many there are. */
enum err notification_open(dom::element item, struct str *ret_id, dom::element *ret_items, size_t *ret_n, struct diag *diag)
{
    dom::object object;
    dom::element holder;
    std::string_view id;
    bool is_empty = true;
    *ret_n = 0;
    *ret_id = to_str(std::string_view());
    if (item.get(object) != simdjson::SUCCESS)
        return ERR_OK;
    if (object.at_key("NotificationID").get(id) == simdjson::SUCCESS)
        *ret_id = to_str(id);
    enum err err = member_find(object, list_names, &holder, diag);
    if (err != ERR_OK)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    err = items_find(holder, item_names, ret_items, &is_empty, diag);
    if (err == ERR_OK && !is_empty)
        *ret_n = items_n(*ret_items);
    return err;
}

enum err notifications_count(dom::element notifications, struct diag *diag)
{
    size_t n = 0;
    enum err err = items_each(notifications, [&](dom::element item) {
        struct str id;
        dom::element items;
        size_t n_here = 0;
        enum err err_here = notification_open(item, &id, &items, &n_here, diag);
        n += n_here + 1; /* an empty one is answered too */
        return err_here;
    });
    return err == ERR_OK ? too_many(n, diag) : err;
}

} // namespace

struct viid_parser {
    dom::parser dom;
    char *bytes; /* owned; simdjson reads up to SIMDJSON_PADDING bytes past the body */
    size_t cap;
};

const char *viid_name_text(enum viid_name name)
{
    for (const name_entry &entry : names)
        if (entry.name == name)
            return entry.text;
    return "";
}

enum err viid_parser_create(struct viid_parser **ret_parser)
{
    void *place = mem_alloc_zero(1, sizeof(struct viid_parser));
    if (place == nullptr)
        return ERR_NO_MEMORY;
    struct viid_parser *parser = new (place) viid_parser{dom::parser(VIID_BODY_MAX + 1), nullptr, 0};
    if (parser->dom.allocate(4096, VIID_DEPTH_MAX) != simdjson::SUCCESS) {
        viid_parser_destroy(parser);
        return ERR_NO_MEMORY;
    }
    *ret_parser = parser;
    return ERR_OK;
}

void viid_parser_destroy(struct viid_parser *parser)
{
    if (parser == nullptr)
        return;
    mem_free(parser->bytes);
    parser->~viid_parser();
    mem_free(parser);
}

bool viid_parser_is_large(const struct viid_parser *parser)
{
    return parser->cap > VIID_KEPT_MAX + simdjson::SIMDJSON_PADDING;
}

/* Copies the body into the padded buffer and parses it. */
static enum err parse(struct viid_parser *parser, struct str body, dom::element *ret_root, struct diag *diag)
{
    if (body.len > VIID_BODY_MAX)
        return diag_set(diag, ERR_TOO_LARGE, nullptr, 0, "%zu bytes in one body; send at most %u", body.len, VIID_BODY_MAX);
    if (body.len >= 3 && std::memcmp(body.ptr, "\xef\xbb\xbf", 3) == 0)
        body = {body.ptr + 3, body.len - 3};
    if (body.len == 0)
        return diag_set(diag, ERR_SYNTAX, nullptr, 0, "the body is empty");
    if (parser->cap < body.len + simdjson::SIMDJSON_PADDING) {
        size_t cap = body.len + body.len / 4 + simdjson::SIMDJSON_PADDING;
        char *bytes = static_cast<char *>(mem_alloc(cap));
        if (bytes == nullptr)
            return diag_set(diag, ERR_NO_MEMORY, nullptr, 0, "no memory for the body");
        mem_free(parser->bytes);
        parser->bytes = bytes;
        parser->cap = cap;
    }
    std::memcpy(parser->bytes, body.ptr, body.len);
    std::memset(parser->bytes + body.len, 0, simdjson::SIMDJSON_PADDING);
    simdjson::error_code code = parser->dom.parse(parser->bytes, body.len, false).get(*ret_root);
    switch (code) {
    case simdjson::SUCCESS:
        return ERR_OK;
    case simdjson::MEMALLOC:
        return diag_set(diag, ERR_NO_MEMORY, nullptr, 0, "no memory for the body");
    case simdjson::DEPTH_ERROR:
        return diag_set(diag, ERR_TOO_LARGE, nullptr, 0, "the body is nested deeper than %d levels", VIID_DEPTH_MAX);
    default:
        return diag_set(diag, ERR_SYNTAX, nullptr, 0, "the body is not JSON: %s", simdjson::error_message(code));
    }
}

/* The items of {LIST: {ITEM: […]}}, where the whole body is that. */
static enum err list_find(dom::element root, const char *const *list, const char *const *item, dom::element *ret_items, struct diag *diag)
{
    dom::object object;
    dom::element holder;
    bool is_empty = false;
    if (root.get(object) != simdjson::SUCCESS)
        return diag_set(diag, ERR_SYNTAX, nullptr, 0, "the body is not a JSON object; send {\"%s\":{\"%s\":[…]}}", list[0], item[0]);
    enum err err = member_find(object, list, &holder, diag);
    if (err == ERR_NOT_FOUND)
        return diag_set(diag, ERR_SYNTAX, nullptr, 0, "\"%s\" is missing", list[0]);
    if (err == ERR_OK)
        err = items_find(holder, item, ret_items, &is_empty, diag);
    if (err == ERR_OK && is_empty)
        return diag_set(diag, ERR_SYNTAX, nullptr, 0, "\"%s\" is missing", item[0]);
    return err;
}

enum err viid_read_vehicles(struct viid_parser *parser, struct str body, const struct viid_visitor *visitor, struct diag *diag)
{
    dom::element root, items;
    enum err err = parse(parser, body, &root, diag);
    if (err == ERR_OK)
        err = list_find(root, list_names, item_names, &items, diag);
    if (err == ERR_OK)
        err = too_many(items_n(items), diag);
    return err != ERR_OK ? err : vehicles_visit(items, to_str(std::string_view()), visitor);
}

enum err viid_read_notifications(struct viid_parser *parser, struct str body, const struct viid_visitor *visitor, struct diag *diag)
{
    dom::element root, notifications;
    enum err err = parse(parser, body, &root, diag);
    if (err == ERR_OK)
        err = list_find(root, notification_list_names, notification_names, &notifications, diag);
    if (err == ERR_OK)
        err = notifications_count(notifications, diag);
    if (err != ERR_OK)
        return err;
    return items_each(notifications, [&](dom::element item) {
        struct str id;
        dom::element items;
        size_t n = 0;
        enum err err_here = notification_open(item, &id, &items, &n, diag);
        if (err_here == ERR_OK && n > 0)
            err_here = vehicles_visit(items, id, visitor);
        return err_here != ERR_OK ? err_here : visitor->notification(visitor->context, id, n);
    });
}

enum err viid_read_device(struct viid_parser *parser, struct str body, const char *object_name, struct str *ret_device, struct diag *diag)
{
    const char *const spellings[] = {object_name, nullptr};
    const char *const device_names[] = {"DeviceID", nullptr};
    dom::element root, element;
    dom::object object;
    std::string_view device;
    enum err err = parse(parser, body, &root, diag);
    if (err == ERR_OK)
        err = object_find(root, spellings, &object, diag);
    if (err == ERR_OK)
        err = member_find(object, device_names, &element, diag);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && (element.get(device) != simdjson::SUCCESS || device.empty())))
        return diag_set(diag, ERR_SYNTAX, nullptr, 0, "\"%s\" has no text \"DeviceID\"", object_name);
    if (err == ERR_OK)
        *ret_device = to_str(device);
    return err;
}
