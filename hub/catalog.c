/*
 * The catalog (数据目录): every resource with its fields, their class and meaning, its owner; and who uses it under which contract, how
 * much. GET /hub/v1/catalog.
 *
 * Who keeps contracts has to know what there is, so who manages or audits sees every resource; anybody else what their party offers or
 * has a contract for. Who uses a resource is seen by its owner, by the user itself, and by who audits.
 */
#include "hub/parts.h"
#include "hub/terms.h"

#define CATALOG_MAX (32u << 20)

void hub_put_title(struct json_writer *w, const char *key, struct str zh, struct str en)
{
    json_key(w, key);
    json_begin_object(w);
    json_field_str(w, "zh", zh);
    json_field_str(w, "en", en);
    json_end_object(w);
}

void hub_put_party(struct json_writer *w, const struct hub *hub, const char *key, struct str name)
{
    const struct hub_party *party = hub_party_find(hub, name);
    json_key(w, key);
    json_begin_object(w);
    json_field_str(w, "party", name);
    hub_put_title(w, "title", party ? party->title_zh : name, party ? party->title_en : name);
    json_end_object(w);
}

void hub_put_fields(struct json_writer *w, const struct hub_resource *resource)
{
    hub_put_fields_as(w, "fields", resource);
}

void hub_put_fields_as(struct json_writer *w, const char *key, const struct hub_resource *resource)
{
    json_key(w, key);
    json_begin_array(w);
    for (size_t i = 0; i < resource->n_fields; i++) {
        const struct hub_field *field = &resource->fields[i];
        json_begin_object(w);
        json_field_str(w, "name", field->name);
        json_field_c(w, "type", value_type_name(field->type));
        json_field_c(w, "class", hub_class_names[field->class]);
        json_field_bool(w, "key", field->is_key);
        hub_put_title(w, "meaning", field->meaning_zh, field->meaning_en);
        hub_put_title(w, "unit", field->unit_zh, field->unit_en);
        json_end_object(w);
    }
    json_end_array(w);
}

void hub_put_resource(struct json_writer *w, const struct hub_resource *resource)
{
    json_field_str(w, "resource", resource->name);
    json_field_str(w, "party", resource->party);
    hub_put_title(w, "title", resource->title_zh, resource->title_en);
    json_field_c(w, "kind", hub_kind_names[resource->kind]);
    hub_put_fields(w, resource);
}

enum err hub_terms_write(const struct hub *hub, struct str party, struct str name, struct buf *out)
{
    const struct hub_resource *resource = hub_resource_find(hub, name);
    struct json_writer w;
    if (!resource || !hub_contract_first(hub, party, name))
        return ERR_NOT_FOUND;
    json_writer_init(&w, out);
    json_begin_object(&w);
    hub_put_resource(&w, resource);
    json_key(&w, "contracts");
    json_begin_array(&w);
    for (size_t i = 0; i < hub->n_contracts; i++) {
        const struct hub_contract *contract = hub->contracts[i];
        const struct decide_contract *terms = &contract->terms;
        int state = atomic_load(&contract->state);
        if (&contract->entry->resource != resource || !str_equal(terms->consumer, party) || state == HUB_DRAFTED)
            continue;
        json_begin_object(&w);
        json_field_str(&w, "contract", contract->name);
        json_field_str(&w, "purpose", contract->purpose);
        json_field_c(&w, "state", hub_state_names[state]);
        json_key(&w, "fields");
        json_begin_array(&w);
        for (size_t j = 0; j < terms->n_fields; j++)
            json_put_str(&w, terms->fields[j]);
        json_end_array(&w);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return out->err;
}

static void put_use(struct json_writer *w, const struct hub *hub, struct hub_contract *contract, struct wall_time now)
{
    int64_t day, month;
    hub_quota_used(contract, now, &day, &month);
    json_begin_object(w);
    json_field_str(w, "contract", contract->name);
    hub_put_party(w, hub, "consumer", contract->terms.consumer);
    json_field_str(w, "purpose", contract->purpose);
    json_field_c(w, "state", hub_state_names[atomic_load(&contract->state)]);
    json_field_i64(w, "today", day);
    json_field_i64(w, "month", month);
    json_end_object(w);
}

/* What of a resource's contracts the asker may see. */
static void put_used_by(struct json_writer *w, const struct hub *hub, const struct hub_resource *resource, const struct http_identity *who)
{
    struct wall_time now = clock_wall(hub->clock);
    bool is_all = str_equal(resource->party, who->acts_for) || who->roles & HTTP_AUDIT;
    json_key(w, "used_by");
    json_begin_array(w);
    for (size_t i = 0; i < hub->n_contracts; i++) {
        struct hub_contract *contract = hub->contracts[i];
        if (&contract->entry->resource == resource &&
            (is_all || str_equal(contract->terms.consumer, who->acts_for) || str_equal(contract->terms.consumer, who->party)))
            put_use(w, hub, contract, now);
    }
    json_end_array(w);
}

static bool may_see(const struct hub *hub, const struct hub_resource *resource, const struct http_identity *who)
{
    return who->roles & (HTTP_MANAGE | HTTP_AUDIT) || str_equal(resource->party, who->party) || str_equal(resource->party, who->acts_for) ||
           hub_contract_first(hub, who->party, resource->name) || hub_contract_first(hub, who->acts_for, resource->name);
}

/* Who could be the other side of a contract: for those who draft one. */
static void put_parties(struct json_writer *w, const struct hub *hub, const struct http_identity *who)
{
    json_key(w, "parties");
    json_begin_array(w);
    for (size_t i = 0; i < hub->n_parties && who->roles & HTTP_MANAGE; i++) {
        json_begin_object(w);
        json_field_str(w, "party", hub->parties[i].name);
        hub_put_title(w, "title", hub->parties[i].title_zh, hub->parties[i].title_en);
        json_field_str(w, "kind", hub->parties[i].kind);
        json_end_object(w);
    }
    json_end_array(w);
}

static void handle_catalog(struct http_exchange *x, void *context)
{
    struct hub *hub = context;
    const struct http_identity *who = http_identity(x);
    struct json_writer w;
    struct buf out;
    buf_init(&out, CATALOG_MAX);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_i64(&w, "time", clock_wall(hub->clock).ms);
    json_key(&w, "resources");
    json_begin_array(&w);
    for (size_t i = 0; i < hub->n_entries; i++) {
        const struct hub_resource *resource = &hub->entries[i]->resource;
        if (!may_see(hub, resource, who))
            continue;
        json_begin_object(&w);
        json_field_str(&w, "resource", resource->name);
        hub_put_party(&w, hub, "owner", resource->party);
        hub_put_title(&w, "title", resource->title_zh, resource->title_en);
        json_field_c(&w, "kind", hub_kind_names[resource->kind]);
        json_field_bool(&w, "mine", str_equal(resource->party, who->acts_for));
        hub_put_fields(&w, resource);
        hub_quality_put(&w, hub, hub->entries[i]);
        put_used_by(&w, hub, resource, who);
        json_end_object(&w);
    }
    json_end_array(&w);
    put_parties(&w, hub, who);
    json_end_object(&w);
    if (out.err)
        http_reply_err(x, out.err, STR_NONE);
    else
        http_reply_json(x, 200, buf_str(&out));
    buf_finish(&out);
}

const struct http_route hub_catalog_routes[] = {
    {HTTP_GET, "/hub/v1/catalog", HTTP_SIGNED_IN, 0, handle_catalog, "Every resource the asker may see, and who uses it how much",
        .answer = "Catalog"},
};
const size_t hub_n_catalog_routes = sizeof hub_catalog_routes / sizeof *hub_catalog_routes;
