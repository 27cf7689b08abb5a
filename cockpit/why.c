/*
 * Why this number: everything that stands behind one figure, in one answer. Definition, unit, owner, formula, source, contract,
 * freshness, inputs, receipt. The browser checks the receipt by itself against the ledger's public files.
 */
#include "cockpit/cockpit_internal.h"
#include "hub/registry.h"

static void put_null_or_text(struct json_writer *w, const char *key, struct str s)
{
    json_key(w, key);
    if (str_is_empty(s))
        json_put_null(w);
    else
        json_put_str(w, s);
}

static void put_party(const struct hub *hub, const char *key, struct str name, struct json_writer *w)
{
    const struct hub_party *party = hub_party_find(hub, name);
    struct cockpit_text title = {party ? party->title_zh : name, party ? party->title_en : name};
    json_key(w, key);
    json_begin_object(w);
    json_field_str(w, "party", name);
    cockpit_put_text(w, "title", &title);
    json_end_object(w);
}

static void put_source(const struct hub *hub, struct str name, struct json_writer *w)
{
    const struct hub_resource *resource = hub_resource_find(hub, name);
    struct cockpit_text title = {resource ? resource->title_zh : name, resource ? resource->title_en : name};
    json_key(w, "source");
    json_begin_object(w);
    json_field_str(w, "resource", name);
    cockpit_put_text(w, "title", &title);
    if (resource)
        put_party(hub, "provider", resource->party, w);
    json_end_object(w);
}

static void put_contract(const struct hub *hub, struct str name, struct json_writer *w)
{
    struct hub_contract_info info;
    json_key(w, "contract");
    if (!hub_contract_find(hub, name, &info)) {
        json_put_null(w);
        return;
    }
    struct cockpit_text legal_basis = {info.legal_basis_zh, info.legal_basis_en};
    json_begin_object(w);
    json_field_str(w, "id", info.name);
    json_field_str(w, "consumer", info.consumer);
    json_field_str(w, "purpose", info.purpose);
    cockpit_put_text(w, "legal_basis", &legal_basis);
    json_key(w, "fields");
    json_begin_array(w);
    for (size_t i = 0; i < info.n_fields; i++)
        json_put_str(w, info.fields[i]);
    json_end_array(w);
    json_key(w, "until");
    if (info.until_ms == INT64_MIN)
        json_put_null(w);
    else
        json_put_i64(w, info.until_ms);
    json_key(w, "keep_ms");
    if (info.keep_ms == INT64_MIN)
        json_put_null(w);
    else
        json_put_i64(w, info.keep_ms);
    char hash[65];
    crypto_hex(info.hash.bytes, sizeof(info.hash.bytes), hash);
    json_field_c(w, "sha256", hash);
    json_end_object(w);
}

/* The window that the value came in, and the window that its source was made from. */
static void put_inputs(const struct cockpit_indicator *indicator, const struct cockpit_value *value, struct json_writer *w)
{
    json_key(w, "inputs");
    json_begin_array(w);
    json_begin_object(w);
    json_field_str(w, "resource", indicator->source);
    put_null_or_text(w, "contract", str_from_c(value->contract));
    put_null_or_text(w, "receipt", str_from_c(value->receipt));
    json_end_object(w);
    if (value->basis[0] != '\0') {
        json_begin_object(w);
        json_key(w, "resource");
        json_put_null(w); /* the leaf itself names it */
        json_key(w, "contract");
        json_put_null(w);
        json_field_c(w, "receipt", value->basis);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_freshness(
    const struct cockpit_snapshot *s, const struct cockpit_indicator *indicator, const struct cockpit_value *value, struct json_writer *w)
{
    int64_t stale_since = cockpit_stale_since(indicator, value, s->time);
    json_field_bool(w, "stale", stale_since > 0);
    json_key(w, "stale_since");
    if (stale_since > 0)
        json_put_i64(w, stale_since);
    else
        json_put_null(w);
    json_key(w, "freshness");
    json_begin_object(w);
    json_field_i64(w, "age_ms", s->time.ms - value->time.ms);
    json_field_i64(w, "stale_after_ms", indicator->stale_after_ms);
    json_end_object(w);
}

static void put_formula(const struct cockpit_indicator *indicator, struct json_writer *w)
{
    json_key(w, "formula");
    json_begin_object(w);
    json_field_str(w, "name", indicator->formula_name);
    json_field_i64(w, "version", indicator->formula_version);
    cockpit_put_text(w, "text", &indicator->formula);
    json_end_object(w);
}

static void put_why(const struct cockpit_face *face, const struct cockpit_indicator *indicator, int at, int area, struct json_writer *w)
{
    static const char *const roll_ups[] = {"none", "sum", "mean", "weighted"};
    const struct hub *hub = face->cockpit->options.hub;
    const struct cockpit_snapshot *s = face->latest;
    const struct cockpit_value *value = cockpit_snapshot_value(s, at, area);
    json_begin_object(w);
    json_field_str(w, "indicator", indicator->name);
    json_field_str(w, "area", area_at(s->areas, (size_t)area)->name);
    cockpit_put_text(w, "title", &indicator->title);
    cockpit_put_text(w, "definition", &indicator->definition);
    cockpit_put_text(w, "unit", &indicator->unit);
    json_field_i64(w, "decimals", indicator->decimals);
    put_party(hub, "owner", indicator->owner, w);
    json_field_i64(w, "record_ms", indicator->period_ms);
    json_key(w, "value");
    cockpit_put_number(w, indicator, value->has_number, value->number);
    json_field_i64(w, "time", value->time.ms);
    json_field_i64(w, "period_ms", value->period_ms);
    json_field_i64(w, "n", value->n);
    json_field_bool(w, "rolled_up", value->is_rolled_up);
    json_field_c(w, "roll_up", roll_ups[indicator->roll_up]);
    put_freshness(s, indicator, value, w);
    put_formula(indicator, w);
    put_null_or_text(w, "made_by", str_from_c(value->made_by));
    put_source(hub, indicator->source, w);
    put_contract(hub, str_from_c(value->contract), w);
    put_inputs(indicator, value, w);
    put_null_or_text(w, "receipt", str_from_c(value->receipt));
    json_end_object(w);
}

void cockpit_handle_why(struct http_exchange *x, void *context)
{
    struct cockpit_face *face = context;
    struct buf out;
    struct json_writer w;
    int area = cockpit_area_asked(face, x);
    if (area < 0)
        return;
    int at = cockpit_config_find(face->cockpit->options.config, http_query(x, "indicator"));
    if (at < 0) {
        http_reply_err(x, ERR_NOT_FOUND, STR("no such indicator; GET /cockpit/v1/indicators lists them"));
        return;
    }
    if (!face->latest || !cockpit_snapshot_value(face->latest, at, area)->is_there) {
        http_reply_err(x, ERR_UNAVAILABLE, STR("this figure has no value yet; its source has not spoken since the start"));
        return;
    }
    buf_init(&out, 1u << 20);
    json_writer_init(&w, &out);
    put_why(face, cockpit_config_at(face->cockpit->options.config, (size_t)at), at, area, &w);
    if (out.err == ERR_OK)
        http_reply_json(x, 200, buf_str(&out));
    else
        http_reply_err(x, out.err, STR("the answer could not be composed"));
    buf_finish(&out);
}
