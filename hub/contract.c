/*
 * Contracts (契约) from files: read, checked against the resources and parties they name, hashed. hub/index.c finds them.
 *
 * A contract's content is immutable; its state, the end of its freshness and its counters move (atomics), so that a decision takes
 * no lock. The decision itself is hub/decide.c.
 */
#include "base/json.h"
#include "base/mem.h"
#include "hub/desk.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX (INT64_C(1) << 38) /* the counters' width, hub/quota.c */

const char *const hub_state_names[] = {"drafted", "offered", "agreed", "suspended", "ended", NULL};

/* ---- reading ---- */

/* "area/c-17", its area within the hub's. */
static enum err check_name(struct hub *hub, struct yaml_node node, struct str name, struct diag_list *diags)
{
    struct str area, index;
    uint64_t number;
    if (!str_cut(name, '/', &area, &index) || !str_starts_with(index, STR("c-")) || str_to_u64(str_slice(index, 2, index.len), &number))
        return yaml_error(node, diags, ERR_SYNTAX,
            "\"" STR_FORMAT "\" is not a contract's name; write \"" STR_FORMAT "/c-N\" with a number N", STR_ARG(name), STR_ARG(hub->area));
    if (area_find(hub->areas, area) < 0)
        return yaml_error(node, diags, ERR_NOT_FOUND, "contract \"" STR_FORMAT "\": there is no area \"" STR_FORMAT "\"; see areas.yaml",
            STR_ARG(name), STR_ARG(area));
    struct hub_contract *other = names_get(&hub->contract_names, name);
    if (other)
        return yaml_error(node, diags, ERR_EXISTS, "contract \"" STR_FORMAT "\" is declared twice, also in %s:%d; give one another number",
            STR_ARG(name), yaml_name(other->node.yaml), yaml_line(other->node));
    return ERR_OK;
}

static enum err read_parties(struct hub_contract *contract, struct yaml_node root, struct diag_list *diags)
{
    struct hub *hub = contract->hub;
    struct str provider, consumer, resource;
    enum err err = yaml_get_str(root, "provider", true, diags, &provider);
    if (!err)
        err = yaml_get_str(root, "consumer", true, diags, &consumer);
    if (!err)
        err = yaml_get_str(root, "resource", true, diags, &resource);
    if (err)
        return err;
    contract->consumer = names_get(&hub->party_names, consumer);
    if (!contract->consumer)
        err = yaml_error(yaml_get(root, "consumer"), diags, ERR_NOT_FOUND,
            "there is no party \"" STR_FORMAT "\"; declare it in parties.yaml", STR_ARG(consumer));
    if (!names_get(&hub->party_names, provider))
        err = yaml_error(yaml_get(root, "provider"), diags, ERR_NOT_FOUND,
            "there is no party \"" STR_FORMAT "\"; declare it in parties.yaml", STR_ARG(provider));
    contract->entry = names_get(&hub->entry_names, resource);
    if (!contract->entry)
        return yaml_error(yaml_get(root, "resource"), diags, ERR_NOT_FOUND,
            "there is no resource \"" STR_FORMAT "\"; declare it in a file of systems/ or scenes/, or mend the name", STR_ARG(resource));
    if (!err && !str_equal(contract->entry->resource.party, provider))
        err = yaml_error(yaml_get(root, "provider"), diags, ERR_DENIED,
            "resource \"" STR_FORMAT "\" is offered by \"" STR_FORMAT "\", not by \"" STR_FORMAT "\"; write provider: " STR_FORMAT,
            STR_ARG(resource), STR_ARG(contract->entry->resource.party), STR_ARG(provider), STR_ARG(contract->entry->resource.party));
    contract->terms.provider = provider;
    contract->terms.consumer = consumer;
    contract->terms.resource = contract->entry->resource.name;
    return err;
}

/* A list of names as an array in `arena`. */
static enum err read_names(struct arena *arena, struct yaml_node root, const char *key, size_t max, struct diag_list *diags,
    const struct str **ret_names, size_t *ret_n)
{
    struct yaml_node list = yaml_get(root, key);
    if (yaml_is_none(list) || yaml_kind(list) != YAML_LIST || yaml_n_items(list) == 0)
        return yaml_error(yaml_is_none(list) ? root : list, diags, ERR_NOT_FOUND, "%s: is a list of at least one name", key);
    size_t n = yaml_n_items(list);
    if (n > max)
        return yaml_error(list, diags, ERR_TOO_LARGE, "%s: has %zu names; at most %zu make sense", key, n, max);
    struct str *names = arena_alloc_zero(arena, n, sizeof *names);
    if (!names)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        names[i] = yaml_text(yaml_item(list, i));
        if (str_is_empty(names[i]))
            return yaml_error(yaml_item(list, i), diags, ERR_SYNTAX, "%s: has an item that is not a name", key);
        for (size_t j = 0; j < i; j++)
            if (str_equal(names[i], names[j]))
                return yaml_error(
                    yaml_item(list, i), diags, ERR_EXISTS, "\"" STR_FORMAT "\" stands twice in %s:; leave out one", STR_ARG(names[i]), key);
    }
    *ret_names = names;
    *ret_n = n;
    return ERR_OK;
}

/* Which uses a kind of resource has. */
static bool use_fits(enum hub_kind kind, struct str use)
{
    switch (kind) {
    case HUB_TABLE:
        return str_equal(use, STR("call")) || str_equal(use, STR("query"));
    case HUB_STREAM:
        return str_equal(use, STR("subscribe"));
    case HUB_COMMAND:
        return str_equal(use, STR("act"));
    case HUB_OBJECT:
        return str_equal(use, STR("call"));
    }
    return false;
}

static enum err read_uses(struct hub_contract *contract, struct yaml_node root, struct diag_list *diags)
{
    enum hub_kind kind = contract->entry->resource.kind;
    enum err err = read_names(contract->arena, root, "uses", 4, diags, &contract->terms.uses, &contract->terms.n_uses);
    for (size_t i = 0; !err && i < contract->terms.n_uses; i++)
        if (!use_fits(kind, contract->terms.uses[i]))
            err = yaml_error(yaml_item(yaml_get(root, "uses"), i), diags, ERR_RANGE, "a %s has no use \"" STR_FORMAT "\"; it has %s",
                hub_kind_names[kind], STR_ARG(contract->terms.uses[i]),
                kind == HUB_TABLE    ? "call and query"
                : kind == HUB_STREAM ? "subscribe"
                : kind == HUB_OBJECT ? "call"
                                     : "act");
    return err;
}

static enum err read_fields(struct hub_contract *contract, struct yaml_node root, struct diag_list *diags)
{
    static const struct str object_fields[] = {STR_INIT("bytes")};
    const struct hub_resource *resource = &contract->entry->resource;
    struct decide_contract *terms = &contract->terms;
    enum err err = ERR_OK;
    if (resource->kind == HUB_OBJECT && yaml_is_none(yaml_get(root, "fields"))) {
        terms->fields = object_fields;
        terms->n_fields = 1;
    } else {
        err = read_names(contract->arena, root, "fields", HUB_FIELDS_MAX, diags, &terms->fields, &terms->n_fields);
    }
    if (err)
        return err;
    uint16_t *ats = arena_alloc_zero(contract->arena, terms->n_fields, sizeof *ats);
    if (!ats)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < terms->n_fields; i++) {
        struct yaml_node node = yaml_get(root, "fields");
        int at = hub_field_find(resource, terms->fields[i]);
        if (at < 0)
            err = yaml_error(yaml_item(node, i), diags, ERR_NOT_FOUND,
                "resource \"" STR_FORMAT "\" has no field \"" STR_FORMAT "\"; mend the name, or declare the field with the resource",
                STR_ARG(resource->name), STR_ARG(terms->fields[i]));
        else if (resource->fields[at].class == HUB_SECRET)
            err = yaml_error(yaml_item(node, i), diags, ERR_DENIED,
                "field \"" STR_FORMAT "\" is secret and never leaves its department; let the department offer a field derived from it",
                STR_ARG(terms->fields[i]));
        else
            ats[i] = (uint16_t)at;
    }
    contract->field_ats = ats;
    return err;
}

static enum err optional(enum err err)
{
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err read_limits(struct hub_contract *contract, struct yaml_node root, struct diag_list *diags)
{
    struct decide_contract *terms = &contract->terms;
    terms->per_second = terms->per_day = terms->per_month = terms->min_subjects = DECIDE_NONE;
    enum err err = optional(yaml_get_i64(root, "per_second", false, diags, 1, 1000000, &terms->per_second));
    if (!err)
        err = optional(yaml_get_i64(root, "per_day", false, diags, 1, LIMIT_MAX, &terms->per_day));
    if (!err)
        err = optional(yaml_get_i64(root, "per_month", false, diags, 1, LIMIT_MAX, &terms->per_month));
    if (!err)
        err = optional(yaml_get_i64(root, "min_subjects", false, diags, 1, LIMIT_MAX, &terms->min_subjects));
    return err;
}

static enum err read_times(struct hub_contract *contract, struct yaml_node root, struct diag_list *diags)
{
    struct decide_contract *terms = &contract->terms;
    int32_t offset_s = contract->hub->zone.offset_s;
    terms->from_ms = terms->until_ms = DECIDE_NONE;
    contract->fresh_for_ms = contract->confirmed_ms = DECIDE_NONE;
    enum err err = yaml_get_time_ms(root, "from", true, diags, offset_s, &terms->from_ms);
    if (!err)
        err = yaml_get_time_ms(root, "until", true, diags, offset_s, &terms->until_ms);
    if (!err && terms->until_ms <= terms->from_ms)
        err = yaml_error(yaml_get(root, "until"), diags, ERR_RANGE, "the contract ends before it begins; until: must lie after from:");
    if (!err)
        err = yaml_get_duration_ms(root, "keep", true, diags, &contract->keep_ms);
    if (!err)
        err = optional(yaml_get_duration_ms(root, "fresh_for", false, diags, &contract->fresh_for_ms));
    if (!err)
        err = optional(yaml_get_time_ms(root, "confirmed", false, diags, offset_s, &contract->confirmed_ms));
    if (!err && contract->confirmed_ms != DECIDE_NONE && contract->fresh_for_ms == DECIDE_NONE)
        err = yaml_error(
            yaml_get(root, "confirmed"), diags, ERR_RANGE, "confirmed: means nothing without fresh_for:; add it, or leave confirmed: out");
    return err;
}

/* Typed here, whatever the department's database: told by `citybrain check` also when the department is down. */
static enum err read_condition(struct hub_contract *contract, struct yaml_node node, struct diag_list *diags)
{
    const struct hub_resource *resource = &contract->entry->resource;
    struct diag why = {""};
    enum err err =
        sql_condition_parse(&contract->hub->arena, contract->rows, resource->columns, resource->n_fields, &why, &contract->condition);
    return err ? yaml_error(node, diags, err, "rows: is not a condition over the fields of \"" STR_FORMAT "\": %s", STR_ARG(resource->name),
                     why.text[0] ? why.text : err_text(err))
               : ERR_OK;
}

static enum err read_rest(struct hub_contract *contract, struct yaml_node root, struct diag_list *diags)
{
    size_t state;
    enum err err = yaml_get_str(root, "purpose", true, diags, &contract->purpose);
    if (!err && !str_is_name(contract->purpose))
        err = yaml_error(yaml_get(root, "purpose"), diags, ERR_SYNTAX,
            "a purpose is a code like traffic.count, not free text; use small letters, digits, dot, dash and underscore");
    contract->terms.purpose = contract->purpose;
    if (!err)
        err = hub_read_title(root, "legal_basis", true, diags, &contract->legal_basis_zh, &contract->legal_basis_en);
    if (!err)
        err = optional(yaml_get_str(root, "rows", false, diags, &contract->rows));
    if (!err && !str_is_empty(contract->rows) && contract->entry->resource.kind != HUB_TABLE)
        err = yaml_error(yaml_get(root, "rows"), diags, ERR_UNSUPPORTED, "rows: is for tables only; a %s has none",
            hub_kind_names[contract->entry->resource.kind]);
    if (!err && !str_is_empty(contract->rows))
        err = read_condition(contract, yaml_get(root, "rows"), diags);
    if (!err)
        err = yaml_get_choice(root, "state", true, diags, hub_state_names, &state);
    if (!err)
        contract->file_state = (enum hub_contract_state)state;
    return err;
}

/* ---- the hash of its content ---- */

static json_t *json_of_str(struct str s)
{
    return json_stringn(s.ptr ? s.ptr : "", s.len);
}

static json_t *json_of_names(const struct str *names, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_of_str(names[i]));
    return list;
}

static void set_integer(json_t *object, const char *key, int64_t i)
{
    json_object_set_new(object, key, i == DECIDE_NONE ? json_null() : json_integer(i));
}

/* Everything both parties sign; the state is not part of it. docs/hub.md lists the members. */
enum err hub_contract_content(const struct hub_contract *contract, struct buf *out)
{
    const struct decide_contract *terms = &contract->terms;
    json_t *content = json_object(), *basis = json_object();
    json_object_set_new(content, "contract", json_of_str(contract->name));
    json_object_set_new(content, "provider", json_of_str(terms->provider));
    json_object_set_new(content, "consumer", json_of_str(terms->consumer));
    json_object_set_new(content, "resource", json_of_str(terms->resource));
    json_object_set_new(content, "purpose", json_of_str(terms->purpose));
    json_object_set_new(content, "rows", json_of_str(contract->rows));
    json_object_set_new(content, "uses", json_of_names(terms->uses, terms->n_uses));
    json_object_set_new(content, "fields", json_of_names(terms->fields, terms->n_fields));
    json_object_set_new(basis, "zh", json_of_str(contract->legal_basis_zh));
    json_object_set_new(basis, "en", json_of_str(contract->legal_basis_en));
    json_object_set_new(content, "legal_basis", basis);
    set_integer(content, "from_ms", terms->from_ms);
    set_integer(content, "until_ms", terms->until_ms);
    set_integer(content, "fresh_for_ms", contract->fresh_for_ms);
    set_integer(content, "keep_ms", contract->keep_ms);
    set_integer(content, "per_second", terms->per_second);
    set_integer(content, "per_day", terms->per_day);
    set_integer(content, "per_month", terms->per_month);
    set_integer(content, "min_subjects", terms->min_subjects);
    enum err err = json_write_canonical(content, out);
    json_decref(content);
    return err;
}

static enum err hash_content(struct hub_contract *contract)
{
    struct buf text;
    buf_init(&text, HUB_CONTENT_MAX);
    enum err err = hub_contract_content(contract, &text);
    if (!err)
        contract->hash = crypto_sha256(buf_str(&text));
    buf_finish(&text);
    return err;
}

/* ---- compiling ---- */

/* Of a statistic people are counted, by count(DISTINCT subject): the plan may name that column, granted or not; the count alone leaves the
 * department (hub/query_statistic.c). */
static size_t add_subject(const struct hub_resource *resource, uint16_t fields[HUB_FIELDS_MAX], size_t n)
{
    size_t at = resource->subject ? (size_t)(resource->subject - resource->fields) : HUB_FIELDS_MAX;
    for (size_t i = 0; i < n; i++)
        if (fields[i] == at)
            return n;
    if (resource->subject && n < HUB_FIELDS_MAX)
        fields[n++] = (uint16_t)at;
    return n;
}

/* Only the granted columns and rows: what is not granted never leaves the department. */
static enum err compile(struct hub_contract *contract, struct diag_list *diags)
{
    struct hub_entry *entry = contract->entry;
    if (entry->resource.kind != HUB_TABLE || !entry->system || !entry->system->system)
        return ERR_OK;
    uint16_t fields[HUB_FIELDS_MAX];
    size_t n_fields = contract->terms.n_fields;
    memcpy(fields, contract->field_ats, n_fields * sizeof *fields);
    if (contract->terms.min_subjects != DECIDE_NONE)
        n_fields = add_subject(&entry->resource, fields, n_fields);
    struct hub_grant grant = {
        .resource = &entry->resource,
        .binding = entry->binding,
        .fields = fields,
        .n_fields = n_fields,
        .rows = contract->condition,
        .contract = contract->name,
        .place = str_is_empty(contract->rows) ? contract->node : yaml_get(contract->node, "rows"),
    };
    size_t n_before = diags ? diags->n : 0;
    enum err err = entry->system->ops->tables->compile(entry->system->system, &grant, diags, &contract->plan);
    if (err && diags && diags->n == n_before)
        yaml_error(contract->node, diags, err, "contract \"" STR_FORMAT "\" does not compile: %s", STR_ARG(contract->name), err_text(err));
    return err;
}

static void init_moving(struct hub_contract *contract)
{
    atomic_init(&contract->state, contract->file_state);
    int64_t confirmed_ms = contract->confirmed_ms != DECIDE_NONE ? contract->confirmed_ms : clock_wall(contract->hub->clock).ms;
    contract->is_copy = hub_resource_is_remote(&contract->entry->resource);
    atomic_init(&contract->fresh_until_ms, contract->is_copy                       ? 0
                                           : contract->fresh_for_ms == DECIDE_NONE ? DECIDE_NONE
                                                                                   : confirmed_ms + contract->fresh_for_ms);
    for (int i = 0; i < QUOTA_N; i++) {
        contract->quotas[i].contract = contract;
        contract->quotas[i].limit = i == QUOTA_DAY ? contract->terms.per_day : contract->terms.per_month;
    }
}

/* Where a contract from a file stands: one in force counts as signed by both. */
static enum err init_life(struct hub_contract *contract)
{
    bool is_signed = contract->file_state != HUB_DRAFTED && contract->file_state != HUB_OFFERED;
    if (!is_signed && !(contract->signed_by = arena_alloc_zero(contract->arena, HUB_N_SIGNED, sizeof *contract->signed_by)))
        return ERR_NO_MEMORY;
    contract->life = (struct negotiate){
        .state = contract->file_state,
        .drafter = NEGOTIATE_PROVIDER,
        .suspended_by = contract->file_state == HUB_SUSPENDED ? NEGOTIATE_PROVIDER : NEGOTIATE_NOBODY,
        .has_provider_signed = is_signed,
        .has_consumer_signed = is_signed,
        .from_ms = contract->terms.from_ms,
        .until_ms = contract->terms.until_ms,
        .fresh_for_ms = contract->fresh_for_ms,
        .confirmed_ms = contract->confirmed_ms,
    };
    return ERR_OK;
}

enum err hub_contract_read(
    struct hub *hub, struct arena *arena, struct yaml_node root, struct diag_list *diags, struct hub_contract **ret_contract)
{
    static const char *const keys[] = {"contract", "provider", "consumer", "resource", "uses", "fields", "rows", "purpose", "legal_basis",
        "per_second", "per_day", "per_month", "min_subjects", "from", "until", "fresh_for", "confirmed", "keep", "state", NULL};
    struct str name;
    if (yaml_kind(root) != YAML_MAP)
        return yaml_error(
            root, diags, ERR_SYNTAX, "a contract's file is a map that begins with contract: " STR_FORMAT "/c-N", STR_ARG(hub->area));
    enum err err = yaml_check_keys(root, keys, diags), one;
    if ((one = yaml_get_str(root, "contract", true, diags, &name)) || (one = check_name(hub, yaml_get(root, "contract"), name, diags)))
        return err ? err : one;
    struct hub_contract *contract = arena_alloc_zero(arena, 1, sizeof *contract);
    if (!contract)
        return ERR_NO_MEMORY;
    contract->hub = hub;
    contract->arena = arena;
    contract->name = name;
    contract->node = root;
    if ((one = read_parties(contract, root, diags)))
        err = one;
    if (contract->entry) { /* each part is read, so that every error is told at once */
        enum err (*const parts[])(struct hub_contract *, struct yaml_node, struct diag_list *) = {
            read_uses, read_fields, read_limits, read_times, read_rest};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            if ((one = parts[i](contract, root, diags)) && !err)
                err = one;
    }
    if (err)
        return err;
    err = hash_content(contract);
    if (!err)
        err = hub_leaf_prepare(contract);
    if (!err)
        err = compile(contract, diags);
    if (!err)
        err = init_life(contract);
    if (err)
        return err;
    init_moving(contract);
    *ret_contract = contract;
    return ERR_OK;
}

enum err hub_contract_load(struct hub *hub, struct yaml_node root, struct diag_list *diags)
{
    struct hub_contract *contract;
    if (hub->n_contracts >= HUB_CONTRACTS_MAX)
        return yaml_error(root, diags, ERR_TOO_LARGE, "more than %d contracts", HUB_CONTRACTS_MAX);
    enum err err = hub_contract_read(hub, &hub->arena, root, diags, &contract);
    return err ? err : hub_contract_add(hub, contract);
}

/* ---- a copy of another hub's contract ---- */

enum err hub_contract_told(struct hub *hub, struct str name, int state, int64_t fresh_until_ms)
{
    struct hub_contract *contract = hub_contract_lookup(hub, name);
    if (!contract || !contract->is_copy)
        return ERR_NOT_FOUND;
    if (state < HUB_DRAFTED || state > HUB_ENDED)
        return ERR_RANGE;
    atomic_store_explicit(&contract->fresh_until_ms, fresh_until_ms, memory_order_relaxed);
    if (atomic_load_explicit(&contract->state, memory_order_relaxed) == state)
        return ERR_OK;
    pthread_mutex_lock(&hub->desk.lock);
    contract->life.state = (enum hub_contract_state)state;
    pthread_mutex_unlock(&hub->desk.lock);
    atomic_store_explicit(&contract->state, state, memory_order_release);
    return ERR_OK;
}

bool hub_contract_is_copy(const struct hub *hub, struct str name)
{
    const struct hub_contract *contract = hub_contract_lookup(hub, name);
    return contract && contract->is_copy;
}

/* ---- deciding and changing ---- */

enum err hub_contract_decide(
    struct hub_contract *contract, const struct decide_request *request, struct wall_time now, bool count, int *ret_rule)
{
    struct decide_contract terms = contract->terms;
    struct decide_counters before = {0};
    terms.state = str_from_c(hub_state_names[atomic_load_explicit(&contract->state, memory_order_acquire)]);
    terms.fresh_until_ms = contract->hub->feed.is_follower ? hub_feed_fresh_until_ms(contract, now)
                                                           : atomic_load_explicit(&contract->fresh_until_ms, memory_order_relaxed);
    uint16_t n_hubs = atomic_load_explicit(&contract->hub->feed.n_hubs, memory_order_relaxed);
    if (terms.per_second != DECIDE_NONE && n_hubs > 1) /* our share */
        terms.per_second = terms.per_second > n_hubs ? terms.per_second / n_hubs : 1;
    if (contract->hub->feed.is_follower) {
        terms.per_day = hub_lease_limit(contract, QUOTA_DAY, now);
        terms.per_month = hub_lease_limit(contract, QUOTA_MONTH, now);
    }
    /* Taken first and given back when denied: two uses at once can never both have the last place. */
    if (count)
        hub_quota_take(contract, now, &before);
    int rule = decide(&terms, request, now.ms, &before);
    if (count && rule) {
        hub_quota_give_back(contract, now);
    } else if (count && !hub_quota_is_reserved(contract)) {
        hub_quota_give_back(contract, now);
        return ERR_STATE;
    }
    *ret_rule = rule;
    return ERR_OK;
}

static void tell(const struct hub_contract *contract, struct hub_contract_info *ret_info)
{
    *ret_info = (struct hub_contract_info){
        .name = contract->name,
        .provider = contract->terms.provider,
        .consumer = contract->terms.consumer,
        .resource = contract->terms.resource,
        .purpose = contract->purpose,
        .legal_basis_zh = contract->legal_basis_zh,
        .legal_basis_en = contract->legal_basis_en,
        .fields = contract->terms.fields,
        .n_fields = contract->terms.n_fields,
        .from_ms = contract->terms.from_ms,
        .until_ms = contract->terms.until_ms,
        .keep_ms = contract->keep_ms,
        .fresh_for_ms = contract->fresh_for_ms,
        .state = (enum hub_contract_state)atomic_load(&contract->state),
        .hash = contract->hash,
    };
}

size_t hub_n_contracts(const struct hub *hub)
{
    return hub->n_contracts;
}

bool hub_contract_at(const struct hub *hub, size_t at, struct hub_contract_info *ret_info)
{
    if (at >= hub->n_contracts)
        return false;
    tell(hub->contracts[at], ret_info);
    return true;
}

bool hub_contract_find(const struct hub *hub, struct str name, struct hub_contract_info *ret_info)
{
    const struct hub_contract *contract = hub_contract_lookup(hub, name);
    if (!contract)
        return false;
    tell(contract, ret_info);
    return true;
}

bool hub_contract_for(
    const struct hub *hub, struct str consumer, struct str resource, struct str purpose, struct hub_contract_info *ret_info)
{
    int64_t now_ms = clock_wall(hub->clock).ms;
    for (struct hub_contract *c = hub_contract_first(hub, consumer, resource); c; c = c->next_same)
        if (str_equal(c->purpose, purpose) && atomic_load(&c->state) == HUB_AGREED && now_ms >= c->terms.from_ms &&
            now_ms < c->terms.until_ms) {
            tell(c, ret_info);
            return true;
        }
    return false;
}
