/*
 * Bodies of the camera door: the reader of GA/T 1400's JSON and the check of each passage. The first byte says which request it is.
 */
#include "system/vehicle_camera/passage.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char city[] =
    "cameras:\n  - {device: \"33010600001190000001\", area: hangzhou}\nplatforms:\n  - {device: \"1\", area: hangzhou}\n";

/* The real ones are the hub's; no tree of areas is given here. */
int area_find(const struct area_tree *tree, struct str name)
{
    return -1;
}
void hub_source_report(struct hub *hub, const struct hub_source *source) {}

struct seen {
    struct passage_rules rules;
    size_t n;
};

/* What was taken must be of the form that the rest of the way relies on. */
static enum err visit_vehicle(void *context, const struct viid_vehicle *vehicle)
{
    struct seen *seen = context;
    struct passage passage;
    struct value values[PASSAGE_N_FIELDS];
    char text[PASSAGE_TEXT_MAX];
    const struct wall_time now = {1795320000000};
    enum viid_status status = passage_read(vehicle, &seen->rules, STR("1"), now, &passage, text);
    seen->n++;
    if (memchr(text, 0, sizeof text) == NULL || (status != VIID_STATUS_OK && text[0] == 0))
        abort();
    if (status != VIID_STATUS_OK)
        return ERR_OK;
    struct plate_locals locals = {1, {"浙A"}};
    passage.vehicle_len = passage.is_whole;
    passage_values(&passage, &locals, values);
    if (passage.at == NULL || passage.id.len == 0 || passage.id.len > PASSAGE_ID_MAX || passage.plate_len > PASSAGE_PLATE_MAX ||
        passage.time_ms > now.ms + seen->rules.accept_future_ms || passage.time_ms < now.ms - seen->rules.accept_past_ms)
        abort();
    for (size_t i = 0; i < PASSAGE_N_FIELDS; i++)
        if (values[i].type != VALUE_NULL && values[i].type != passage_fields[i].type)
            abort();
    return ERR_OK;
}

static enum err visit_notification(void *context, struct str id, size_t n_vehicles)
{
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct camera_list cameras;
    static struct viid_parser *parser;
    if (parser == NULL) {
        struct yaml *yaml = NULL;
        if (yaml_load_str(str_from_c(city), "cameras.yaml", NULL, &yaml) != ERR_OK ||
            camera_list_load(&cameras, yaml_root(yaml), NULL, NULL) != ERR_OK || viid_parser_create(&parser) != ERR_OK)
            abort();
        yaml_destroy(yaml);
    }
    if (len == 0)
        return 0;
    struct seen seen = {.rules = {.cameras = &cameras, .zone = TIME_ZONE_SHANGHAI, .accept_future_ms = 300000, .accept_past_ms = 86400000}};
    const struct viid_visitor visitor = {.context = &seen, .vehicle = visit_vehicle, .notification = visit_notification};
    const struct str body = {(const char *)bytes + 1, len - 1};
    struct diag diag = {""};
    struct str device = STR_NONE;
    enum err err;
    seen.rules.needs_standard = bytes[0] == 'm';
    if (bytes[0] == 'r')
        err = viid_read_device(parser, body, "RegisterObject", &device, &diag);
    else if (bytes[0] == 'n')
        err = viid_read_notifications(parser, body, &visitor, &diag);
    else
        err = viid_read_vehicles(parser, body, &visitor, &diag);
    if (err != ERR_OK && (seen.n > 0 || diag.text[0] == 0)) /* never half of a body, never without a cause */
        abort();
    return 0;
}
