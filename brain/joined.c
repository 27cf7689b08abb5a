/* See brain/joined.h. */
#include "brain/joined.h"

static const char *given(const char *path)
{
    return path[0] ? path : NULL;
}

static enum err open_wire(
    struct joined *joined, const struct joined_options *options, const struct federation *federation, struct diag *diag)
{
    const struct city *city = options->city;
    char key[CITY_PATH_MAX], url[CITY_PATH_MAX];
    enum err err = city_path(city->data_dir, "secrets/hub", key);
    if (err == ERR_OK)
        err = str_to_c(options->bus_url ? str_from_c(options->bus_url) : city->bus_url, url, sizeof(url));
    if (err != ERR_OK)
        return err;
    const struct wire_options wire_options = {.federation = federation,
        .area = city->name,
        .url = url,
        .nkey_file = given(city->bus_nkey),
        .ca_file = given(city->bus_ca),
        .cert_file = given(city->bus_cert),
        .tls_key_file = given(city->bus_key),
        .key_path = key,
        .clock = clock_system()};
    return wire_create(&wire_options, diag, &joined->wire);
}

enum err joined_open(struct joined *joined, const struct joined_options *options, struct diag_list *diags)
{
    const struct city *city = options->city;
    struct federation *federation;
    struct diag diag = {""};
    char store[CITY_PATH_MAX], streams[CITY_PATH_MAX];
    if (!city->federation[0])
        return ERR_OK;
    enum err err = federation_load(city->federation, city->data_dir, city->zone, diags, &federation);
    if (err != ERR_OK)
        return err;
    int self = federation_hub_find(federation, city->name);
    if (self >= 0 && !str_equal(federation->hubs[self].log, city->log_origin)) {
        err = diag_add(diags, ERR_RANGE, city->federation, 0,
            "the log of hub \"" STR_FORMAT "\" is \"" STR_FORMAT "\" here, and \"" STR_FORMAT "\" in its city.yaml; make them one",
            STR_ARG(city->name), STR_ARG(federation->hubs[self].log), STR_ARG(city->log_origin));
        federation_destroy(federation);
        return err;
    }
    if (self >= 0 && !options->check_only)
        err = open_wire(joined, options, federation, &diag);
    if (err == ERR_OK)
        err = city_path(city->data_dir, "store/district.sqlite", store);
    if (err == ERR_OK)
        err = city_path(city->data_dir, "streams-across", streams);
    if (err == ERR_OK)
        err = city_path(city->data_dir, "secrets/streams", joined->streams_key);
    if (err == ERR_OK)
        err = city_path(city->data_dir, "witness", joined->witness_dir);
    if (err == ERR_OK)
        err = city_path(city->data_dir, "secrets/hub-witness", joined->witness_key);
    if (err != ERR_OK) {
        federation_destroy(federation);
        return diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : err_text(err));
    }
    const struct district_options district_options = {.federation = federation,
        .area = city->name,
        .clock = options->clock,
        .carrier = joined->wire ? wire_carrier(joined->wire) : NULL,
        .store_path = store,
        .streams_dir = options->check_only ? NULL : streams,
        .streams_key = joined->streams_key,
        .ledger_key = options->ledger_key,
        .witness_dir = options->ledger_key ? joined->witness_dir : NULL,
        .witness_key = joined->witness_key,
        .fatal = options->fatal};
    err = district_create(&district_options, diags, &joined->district);
    if (err != ERR_OK) {
        wire_destroy(joined->wire);
        joined->wire = NULL;
        federation_destroy(federation);
    }
    return err;
}

enum err joined_start(struct joined *joined, struct hub *hub, struct ledger *ledger, struct diag_list *diags)
{
    return joined->district ? district_start(joined->district, hub, ledger, diags) : ERR_OK;
}

void joined_stop(struct joined *joined)
{
    district_stop(joined->district);
}

void joined_close(struct joined *joined)
{
    wire_destroy(joined->wire);
    district_destroy(joined->district);
}
