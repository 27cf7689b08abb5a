/* Reads federation.yaml; every key checked, every error told with its place and its mend. */
#include "district/federation.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/sign.h"
#include "ledger/note.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX (16u << 20)
#define CONTENT_MAX 8192

int federation_hub_find(const struct federation *federation, struct str area)
{
    for (size_t i = 0; i < federation->n_hubs; i++)
        if (str_equal(federation->hubs[i].area, area))
            return (int)i;
    return -1;
}

const struct federation_agreement *federation_between(const struct federation *federation, int a, int b)
{
    for (size_t i = 0; i < federation->n_agreements; i++) {
        const struct federation_agreement *agreement = &federation->agreements[i];
        if ((agreement->hubs[0] == a && agreement->hubs[1] == b) || (agreement->hubs[0] == b && agreement->hubs[1] == a))
            return agreement;
    }
    return NULL;
}

/* ---- hubs ---- */

static enum err read_key(struct yaml_node node, const char *data_dir, struct diag_list *diags, struct federation_hub *hub)
{
    struct sign_public key;
    struct str file, rest;
    bool has_key = !yaml_is_none(yaml_get(node, "key")), has_file = !yaml_is_none(yaml_get(node, "key_file"));
    if (has_key == has_file)
        return yaml_error(node, diags, ERR_SYNTAX,
            "hub \"" STR_FORMAT "\" needs its public key: either key: ed25519:… or key_file: with a path", STR_ARG(hub->area));
    if (has_key) {
        enum err err = yaml_get_str(node, "key", true, diags, &hub->key);
        if (!err && sign_public_read(hub->key, &key))
            err = yaml_error(yaml_get(node, "key"), diags, ERR_SYNTAX,
                "this is no public key; a hub's is in the file secrets/hub.pub of its "
                "data folder: ed25519:… or sm2:…");
        return err;
    }
    enum err err = yaml_get_str(node, "key_file", true, diags, &file);
    if (err)
        return err;
    bool is_data = str_starts_with(file, STR("{data}"));
    rest = is_data ? str_slice(file, strlen("{data}"), file.len) : file;
    int len = snprintf(hub->key_file, sizeof hub->key_file, "%s" STR_FORMAT, is_data ? data_dir : "", STR_ARG(rest));
    return len > 0 && len < (int)sizeof hub->key_file
               ? ERR_OK
               : yaml_error(yaml_get(node, "key_file"), diags, ERR_TOO_LARGE, "the path is too long");
}

/* A receipt is LOG/NUMBER and stands in leaves as it is. */
static bool is_log_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!((name.ptr[i] >= 'a' && name.ptr[i] <= 'z') || (name.ptr[i] >= '0' && name.ptr[i] <= '9') || strchr("._-/", name.ptr[i])))
            return false;
    return name.len > 0 && name.len <= 64;
}

static enum err read_hub(struct federation *federation, struct yaml_node node, const char *data_dir, struct diag_list *diags)
{
    static const char *const keys[] = {"area", "log", "key", "key_file", NULL};
    struct federation_hub *hub = &federation->hubs[federation->n_hubs];
    if (yaml_kind(node) != YAML_MAP)
        return yaml_error(node, diags, ERR_SYNTAX, "a hub is a map: {area: …, log: …, key: …}");
    enum err err = yaml_check_keys(node, keys, diags), one;
    if ((one = yaml_get_str(node, "area", true, diags, &hub->area)) || (one = yaml_get_str(node, "log", true, diags, &hub->log)))
        return one;
    if (!str_is_name(hub->area))
        return yaml_error(
            yaml_get(node, "area"), diags, ERR_SYNTAX, "\"" STR_FORMAT "\" is no area; write one like hangzhou.xihu", STR_ARG(hub->area));
    if (federation_hub_find(federation, hub->area) >= 0)
        return yaml_error(node, diags, ERR_EXISTS, "area \"" STR_FORMAT "\" has two hubs; leave out one", STR_ARG(hub->area));
    if (!is_log_name(hub->log))
        return yaml_error(yaml_get(node, "log"), diags, ERR_SYNTAX,
            "\"" STR_FORMAT "\" is no origin of a ledger; write the log: of that hub's city.yaml, in small letters", STR_ARG(hub->log));
    for (size_t i = 0; i < federation->n_hubs; i++)
        if (str_equal(federation->hubs[i].log, hub->log))
            return yaml_error(yaml_get(node, "log"), diags, ERR_EXISTS,
                "log \"" STR_FORMAT "\" is already that of \"" STR_FORMAT "\"; each hub has its own", STR_ARG(hub->log),
                STR_ARG(federation->hubs[i].area));
    if ((one = read_key(node, data_dir, diags, hub)))
        return one;
    federation->nodes[federation->n_hubs++] = (struct district_node){.area = hub->area};
    return err;
}

static enum err read_hubs(struct federation *federation, struct yaml_node root, const char *data_dir, struct diag_list *diags)
{
    struct yaml_node list = yaml_get(root, "hubs");
    size_t n = yaml_is_none(list) || yaml_kind(list) != YAML_LIST ? 0 : yaml_n_items(list);
    enum err err = ERR_OK;
    if (n < 2)
        return yaml_error(
            root, diags, ERR_NOT_FOUND, "a federation has two hubs at least; write hubs: with a list of {area: …, log: …, key: …}");
    if (n > DISTRICT_NODES_MAX)
        return yaml_error(list, diags, ERR_TOO_LARGE, "%zu hubs; %d are allowed", n, DISTRICT_NODES_MAX);
    federation->nodes = arena_alloc_zero(&federation->arena, n, sizeof *federation->nodes);
    federation->hubs = arena_alloc_zero(&federation->arena, n, sizeof *federation->hubs);
    if (!federation->nodes || !federation->hubs)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        enum err one = read_hub(federation, yaml_item(list, i), data_dir, diags);
        err = err ? err : one;
    }
    district_nodes_link(federation->nodes, federation->n_hubs);
    return err;
}

/* ---- agreements ---- */

static enum err hash_agreement(const struct federation *federation, struct federation_agreement *agreement, struct yaml_node node)
{
    json_t *content = json_object(), *hubs = json_array(), *basis = json_object();
    struct yaml_node text = yaml_get(node, "legal_basis");
    struct str zh = yaml_text(yaml_get(text, "zh")), en = yaml_text(yaml_get(text, "en"));
    struct buf out;
    buf_init(&out, CONTENT_MAX);
    for (int i = 0; i < 2; i++) {
        struct str area = federation->hubs[agreement->hubs[i]].area;
        json_array_append_new(hubs, json_stringn(area.ptr, area.len));
    }
    json_object_set_new(basis, "zh", json_stringn(zh.ptr, zh.len));
    json_object_set_new(basis, "en", json_stringn(en.ptr, en.len));
    json_object_set_new(content, "agreement", json_stringn(agreement->name.ptr, agreement->name.len));
    json_object_set_new(content, "hubs", hubs);
    json_object_set_new(content, "legal_basis", basis);
    json_object_set_new(content, "fresh_for_ms", json_integer(agreement->fresh_for_ms));
    json_object_set_new(content, "from_ms", json_integer(agreement->from_ms));
    json_object_set_new(content, "until_ms", json_integer(agreement->until_ms));
    enum err err = json_write_canonical(content, &out);
    if (!err)
        agreement->hash = crypto_sha256(buf_str(&out));
    json_decref(content);
    buf_finish(&out);
    return err;
}

static enum err read_parts(
    struct federation *federation, struct federation_agreement *agreement, struct yaml_node node, struct diag_list *diags)
{
    struct yaml_node list = yaml_get(node, "hubs"), states = yaml_get(node, "state");
    const char *keys[3] = {NULL};
    char areas[2][128];
    if (yaml_is_none(list) || yaml_kind(list) != YAML_LIST || yaml_n_items(list) != 2)
        return yaml_error(node, diags, ERR_SYNTAX, "an agreement is between two hubs; write hubs: [AREA, AREA]");
    if (yaml_is_none(states) || yaml_kind(states) != YAML_MAP)
        return yaml_error(
            node, diags, ERR_NOT_FOUND, "the agreement has no state; write state: with each hub's own: {AREA: agreed, AREA: agreed}");
    for (size_t i = 0; i < 2; i++) {
        struct str area = yaml_text(yaml_item(list, i));
        size_t state;
        agreement->hubs[i] = federation_hub_find(federation, area);
        if (agreement->hubs[i] < 0 || str_to_c(area, areas[i], sizeof areas[i]))
            return yaml_error(yaml_item(list, i), diags, ERR_NOT_FOUND,
                "there is no hub of area \"" STR_FORMAT "\"; declare it above in hubs:", STR_ARG(area));
        keys[i] = areas[i];
        enum err err = yaml_get_choice(states, areas[i], true, diags, district_agreement_names, &state);
        if (err)
            return err;
        agreement->states[i] = (enum district_agreement)state;
    }
    if (agreement->hubs[0] == agreement->hubs[1])
        return yaml_error(list, diags, ERR_SYNTAX, "an agreement is between two different hubs");
    if (federation_between(federation, agreement->hubs[0], agreement->hubs[1]))
        return yaml_error(list, diags, ERR_EXISTS, "these two hubs have an agreement already; change that one");
    return yaml_check_keys(states, keys, diags);
}

static enum err read_agreement(struct federation *federation, struct yaml_node node, struct time_zone zone, struct diag_list *diags)
{
    static const char *const keys[] = {"agreement", "hubs", "legal_basis", "fresh_for", "from", "until", "state", NULL};
    struct federation_agreement *agreement = &federation->agreements[federation->n_agreements];
    struct str text;
    if (yaml_kind(node) != YAML_MAP)
        return yaml_error(node, diags, ERR_SYNTAX, "an agreement is a map that begins with agreement: AREA/a-N");
    agreement->place = node;
    enum err err = yaml_check_keys(node, keys, diags), one;
    if ((one = yaml_get_str(node, "agreement", true, diags, &agreement->name)))
        return one;
    if ((one = read_parts(federation, agreement, node, diags)))
        return one;
    struct yaml_node basis = yaml_get(node, "legal_basis");
    if (yaml_is_none(basis) || yaml_get_str(basis, "zh", true, diags, &text) || yaml_get_str(basis, "en", true, diags, &text))
        return yaml_error(node, diags, ERR_NOT_FOUND, "the agreement says nothing of its legal basis; write legal_basis: {zh: …, en: …}");
    if ((one = yaml_get_duration_ms(node, "fresh_for", true, diags, &agreement->fresh_for_ms)) ||
        (one = yaml_get_time_ms(node, "from", true, diags, zone.offset_s, &agreement->from_ms)) ||
        (one = yaml_get_time_ms(node, "until", true, diags, zone.offset_s, &agreement->until_ms)))
        return one;
    if (agreement->fresh_for_ms < FEDERATION_FRESH_MIN_MS || agreement->fresh_for_ms > FEDERATION_FRESH_MAX_MS)
        return yaml_error(yaml_get(node, "fresh_for"), diags, ERR_RANGE,
            "a hub that is cut off goes by the other's last word for a second to a day; give something like 5s");
    if (agreement->until_ms <= agreement->from_ms)
        return yaml_error(yaml_get(node, "until"), diags, ERR_RANGE, "the agreement ends before it begins; until: must lie after from:");
    if ((one = hash_agreement(federation, agreement, node)))
        return one;
    federation->n_agreements++;
    return err;
}

static enum err read_agreements(struct federation *federation, struct yaml_node root, struct time_zone zone, struct diag_list *diags)
{
    struct yaml_node list = yaml_get(root, "agreements");
    size_t n = yaml_is_none(list) || yaml_kind(list) != YAML_LIST ? 0 : yaml_n_items(list);
    enum err err = ERR_OK;
    if (n == 0)
        return yaml_error(root, diags, ERR_NOT_FOUND, "hubs without an agreement say nothing to each other; write agreements: with a list");
    federation->agreements = arena_alloc_zero(&federation->arena, n, sizeof *federation->agreements);
    if (!federation->agreements)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        enum err one = read_agreement(federation, yaml_item(list, i), zone, diags);
        err = err ? err : one;
    }
    return err;
}

enum err federation_load(
    const char *path, const char *data_dir, struct time_zone zone, struct diag_list *diags, struct federation **ret_federation)
{
    static const char *const keys[] = {"hubs", "agreements", NULL};
    struct federation *federation = mem_alloc_zero(1, sizeof *federation);
    if (!federation)
        return ERR_NO_MEMORY;
    arena_init(&federation->arena, ARENA_MAX);
    enum err err = yaml_load_file(path, diags, &federation->yaml);
    if (!err) {
        struct yaml_node root = yaml_root(federation->yaml);
        err = yaml_check_keys(root, keys, diags);
        enum err one = read_hubs(federation, root, data_dir, diags);
        if (!one)
            one = read_agreements(federation, root, zone, diags);
        err = err ? err : one;
    }
    if (err) {
        federation_destroy(federation);
        return err;
    }
    *ret_federation = federation;
    return ERR_OK;
}

void federation_destroy(struct federation *federation)
{
    if (!federation)
        return;
    yaml_destroy(federation->yaml);
    arena_finish(&federation->arena);
    mem_free(federation);
}
