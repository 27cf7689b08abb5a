/* The link and the party's keys, read from files that are in no city's folder. */
#include "brain/bus.h"

#include "base/yaml.h"
#include "system/bus/system_bus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct brain_bus_options brain_bus_read(const char *const *values)
{
    return (struct brain_bus_options){.url = values[0], .nkey_file = values[1], .ca_file = values[2], .party_key = values[3]};
}

static enum err read_key(const char *path, struct diag_list *diags, struct sign_key **ret_key)
{
    char text[SIGN_TEXT_MAX * 2];
    FILE *file = fopen(path, "re");
    if (!file)
        return diag_add(diags, err_from_errno(errno), path, 0,
            "the party's key cannot be read (%s); `citybrain contract key FILE` makes one", strerror(errno));
    size_t len = fread(text, 1, sizeof(text), file);
    fclose(file);
    enum err err = sign_key_read(str_trim((struct str){text, len}), ret_key);
    crypto_wipe(text, sizeof(text));
    return err == ERR_OK ? err : diag_add(diags, err, path, 0, "this is no private key; `citybrain contract key FILE` makes one");
}

static enum err key_in_file(const struct yaml *parties, struct str party, struct sign_public *ret_key)
{
    struct yaml_node root = yaml_root(parties), list = yaml_kind(root) == YAML_MAP ? yaml_get(root, "parties") : root;
    for (size_t i = 0; !yaml_is_none(list) && yaml_kind(list) == YAML_LIST && i < yaml_n_items(list); i++) {
        struct yaml_node node = yaml_item(list, i);
        if (yaml_kind(node) == YAML_MAP && str_equal(yaml_text(yaml_get(node, "name")), party) && !yaml_is_none(yaml_get(node, "key")))
            return sign_public_read(yaml_text(yaml_get(node, "key")), ret_key);
    }
    return ERR_NOT_FOUND;
}

static enum err key_of(void *context, struct str party, struct sign_public *ret_key)
{
    const struct brain_bus *bus = context;
    return bus->hub ? system_bus_key_of(bus->hub, party, ret_key) : key_in_file(bus->parties, party, ret_key);
}

/* A wrong key is found out here, and not by the other side's silence. */
static enum err check_key(const struct brain_bus_options *options, struct brain_bus *bus, struct str party, struct diag_list *diags)
{
    char own[SIGN_TEXT_MAX], declared[SIGN_TEXT_MAX];
    struct sign_public public;
    sign_key_public(bus->key, &public);
    sign_public_text(&public, own);
    if (key_of(bus, party, &public))
        return diag_add(diags, ERR_NOT_FOUND, "parties.yaml", 0,
            "party \"" STR_FORMAT "\" has no key:, so nobody on the bus could know it; add key: \"%s\"", STR_ARG(party), own);
    sign_public_text(&public, declared);
    if (strcmp(own, declared) != 0)
        return diag_add(diags, ERR_CRYPTO, options->party_key, 0,
            "this is not the key of \"" STR_FORMAT "\": its public half is %s, parties.yaml says %s", STR_ARG(party), own, declared);
    return ERR_OK;
}

static void on_question(void *context, struct bus_question *question)
{
    struct brain_bus *bus = context;
    bus->on_question(bus->context, question);
}

static enum err open_link(const struct brain_bus_options *options, struct str party, struct diag_list *diags, struct bus_link **ret_link)
{
    char name[BUS_PARTY_MAX + 1];
    struct diag diag = {""};
    enum err err = str_to_c(party, name, sizeof(name));
    const struct bus_link_options link = {
        .url = options->url, .name = name, .nkey_file = options->nkey_file, .ca_file = options->ca_file, .clock = clock_system()};
    if (err == ERR_OK)
        err = bus_link_open(&link, &diag, ret_link);
    return err == ERR_OK ? err : diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
}

enum err brain_bus_open(const struct brain_bus_options *options, struct hub *hub, struct str party, struct loop *loop,
    void (*asked)(void *context, struct bus_question *question), void *context, const char *door, struct diag_list *diags,
    struct brain_bus *bus)
{
    *bus = (struct brain_bus){.hub = hub, .on_question = asked, .context = context};
    if (!options->url || !options->party_key)
        return diag_add(diags, ERR_NOT_FOUND, NULL, 0, "the bus needs --bus URL and --party-key FILE");
    enum err err = read_key(options->party_key, diags, &bus->key);
    if (err == ERR_OK && !hub)
        err = yaml_load_file(options->parties, diags, &bus->parties);
    if (err == ERR_OK)
        err = check_key(options, bus, party, diags);
    if (err == ERR_OK)
        err = open_link(options, party, diags, &bus->link);
    if (err == ERR_OK) {
        const struct bus_peer_options peer = {.link = bus->link,
            .name = party,
            .key = bus->key,
            .clock = clock_system(), /* the two sides' clocks have to agree, whatever --speed says */
            .loop = loop,
            .key_of = key_of,
            .on_question = asked ? on_question : NULL,
            .door = door,
            .is_reserved = options->is_reserved,
            .context = bus};
        err = bus_peer_create(&peer, &bus->peer);
    }
    return err; /* what is open the caller closes */
}

void brain_bus_close(struct brain_bus *bus)
{
    bus_link_close(bus->link);
    bus->link = NULL;
}

void brain_bus_destroy(struct brain_bus *bus)
{
    bus_peer_destroy(bus->peer);
    sign_key_destroy(bus->key);
    yaml_destroy(bus->parties);
    bus->peer = NULL;
    bus->key = NULL;
    bus->parties = NULL;
}
