/* A check is one or two askings for a number, through the same slot as a call (hub/system.h). See quality.h. */
#include "hub/quality.h"

#include "base/log.h"
#include "hub/alert.h"
#include "hub/parts.h"

#include <inttypes.h>
#include <string.h>

#define FIRST_MS 2000
#define EVERY_MS 600000
#define AGAIN_MS 15000 /* when a department did not answer: it may just be starting */
#define BYTES_MAX 4096 /* of an answer: one number */

enum came { NOTHING_YET, GOOD, FAILED, NO_ANSWER };
static const char *const came_names[] = {"unknown", "good", "failed", "unavailable"};

struct hub_quality_check {
    struct hub_quality_check *next;
    struct hub *hub;
    struct hub_entry *entry;
    struct str text;                       /* the condition, or the field's name */
    const struct sql_condition *condition; /* NULL: freshness */
    double share;
    int64_t fresh_ms;
    uint16_t field, fields[HUB_FIELDS_MAX];
    size_t at; /* in the resource's list */
    void *plan;
    /* under way; the hub's loop's */
    struct sql_output output;
    struct hub_fetch fetch;
    bool is_counting_all;
    int64_t n_asked;
    enum came told; /* what the newest alert of this run said: GOOD or FAILED */
    /* what came of it; under the lock */
    enum came came;
    int64_t n, n_good, newest_ms, time_ms;
};

/* ---- from the file ---- */

static enum err read_share(struct hub_quality_check *check, struct yaml_node node, struct diag_list *diags)
{
    struct diag diag = {""};
    enum err err = yaml_get_real(node, "share", true, diags, &check->share);
    if (!err && !(check->share > 0 && check->share <= 1))
        return yaml_error(yaml_get(node, "share"), diags, ERR_RANGE, "share: is above 0 and at most 1, as in 0.99");
    if (err)
        return err;
    const struct hub_resource *resource = &check->entry->resource;
    err = sql_condition_parse(&check->hub->arena, check->text, resource->columns, resource->n_fields, &diag, &check->condition);
    return err ? yaml_error(yaml_get(node, "check"), diags, err, "%s", diag.text) : ERR_OK;
}

static enum err read_fresh(struct hub_quality_check *check, struct yaml_node node, struct diag_list *diags)
{
    enum err err = yaml_get_duration_ms(node, "fresh", true, diags, &check->fresh_ms);
    if (!err)
        err = yaml_get_str(node, "field", true, diags, &check->text);
    if (err)
        return err;
    int at = hub_field_find(&check->entry->resource, check->text);
    if (at < 0 || check->entry->resource.fields[at].type != VALUE_TIME)
        return yaml_error(yaml_get(node, "field"), diags, ERR_NOT_FOUND, "\"" STR_FORMAT "\" is no field of type time of this resource",
            STR_ARG(check->text));
    check->field = (uint16_t)at;
    return ERR_OK;
}

/* A plan over the whole table: what is asked of it are numbers alone. */
static enum err make_plan(struct hub_quality_check *check, struct yaml_node node, struct diag_list *diags)
{
    struct hub_entry *entry = check->entry;
    for (size_t i = 0; i < entry->resource.n_fields; i++)
        check->fields[i] = (uint16_t)i;
    const struct hub_grant grant = {.resource = &entry->resource,
        .binding = entry->binding,
        .fields = check->fields,
        .n_fields = entry->resource.n_fields,
        .contract = STR(HUB_QUALITY_GRANT),
        .place = node};
    return entry->system->system ? entry->system->ops->tables->compile(entry->system->system, &grant, diags, &check->plan) : ERR_OK;
}

static enum err read_check(struct hub *hub, struct hub_entry *entry, struct yaml_node node, size_t at, struct diag_list *diags)
{
    static const char *const share_keys[] = {"check", "share", NULL}, *const fresh_keys[] = {"fresh", "field", NULL};
    struct hub_quality_check *check = arena_alloc_zero(&hub->arena, 1, sizeof *check), **last = &hub->quality.first;
    if (!check)
        return ERR_NO_MEMORY;
    *check = (struct hub_quality_check){.hub = hub, .entry = entry, .at = at};
    bool is_share = yaml_kind(node) == YAML_MAP && !yaml_is_none(yaml_get(node, "check"));
    if (!is_share && (yaml_kind(node) != YAML_MAP || yaml_is_none(yaml_get(node, "fresh"))))
        return yaml_error(node, diags, ERR_SYNTAX, "a check is {check: \"plate IS NOT NULL\", share: 0.99} or {fresh: 1d, field: updated}");
    enum err err = yaml_check_keys(node, is_share ? share_keys : fresh_keys, diags);
    if (!err && is_share)
        err = yaml_get_str(node, "check", true, diags, &check->text);
    if (!err)
        err = is_share ? read_share(check, node, diags) : read_fresh(check, node, diags);
    if (!err)
        err = make_plan(check, node, diags);
    if (err)
        return err;
    while (*last)
        last = &(*last)->next;
    *last = check;
    if (!entry->quality)
        entry->quality = check;
    return ERR_OK;
}

enum err hub_quality_read(struct hub *hub, struct hub_entry *entry, struct diag_list *diags)
{
    struct yaml_node list = yaml_get(entry->node, "quality");
    enum err err = ERR_OK;
    if (yaml_is_none(list))
        return ERR_OK;
    if (yaml_kind(list) != YAML_LIST || yaml_n_items(list) > HUB_QUALITY_CHECKS_MAX)
        return yaml_error(list, diags, ERR_SYNTAX, "quality: is a list of at most %d checks", HUB_QUALITY_CHECKS_MAX);
    if (entry->resource.kind != HUB_TABLE || !entry->system || entry->offer || hub_resource_is_remote(&entry->resource))
        return yaml_error(list, diags, ERR_UNSUPPORTED, "only a table of the department's own can promise quality:");
    for (size_t i = 0; i < yaml_n_items(list) && !err; i++)
        err = read_check(hub, entry, yaml_item(list, i), i, diags);
    return err;
}

/* ---- what came of it ---- */

static enum err tell(const struct hub_quality_check *check, bool is_green)
{
    const struct hub_resource *resource = &check->entry->resource;
    char zh[400], en[400], detail[600], key[300];
    struct str area = resource->name, rest;
    if (str_cut(resource->name, '/', &area, &rest)) { /* "hangzhou/police/vehicle": the area's is the alert */
    }
    snprintf(zh, sizeof zh, "数据质量检查未通过：" STR_FORMAT, STR_ARG(resource->title_zh));
    snprintf(en, sizeof en, "Quality check failed: " STR_FORMAT, STR_ARG(resource->title_en));
    snprintf(key, sizeof key, STR_FORMAT "/%zu", STR_ARG(resource->name), check->at);
    if (check->condition)
        snprintf(detail, sizeof detail, STR_FORMAT "\n" STR_FORMAT ": %" PRId64 " / %" PRId64 ", %g", STR_ARG(resource->name),
            STR_ARG(check->text), check->n_good, check->n, check->share);
    else
        snprintf(detail, sizeof detail, STR_FORMAT "\n" STR_FORMAT ": %" PRId64 " s > %" PRId64 " s", STR_ARG(resource->name),
            STR_ARG(check->text), (check->time_ms - check->newest_ms) / 1000, check->fresh_ms / 1000);
    const struct hub_alert alert = {.kind = STR("data.quality"),
        .area = area,
        .party = resource->party,
        .key = str_from_c(key),
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .detail = str_from_c(detail),
        .is_green = is_green};
    return hub_alert(check->hub, &alert);
}

/* Told is every change from what was last told, over looks that had no answer; and the first look of a run, be it good: a case from
 * before the restart may wait for its green. */
static void settle(struct hub_quality_check *check, enum came came)
{
    pthread_mutex_lock(&check->hub->quality.lock);
    check->came = came;
    check->time_ms = clock_wall(check->hub->clock).ms;
    pthread_mutex_unlock(&check->hub->quality.lock);
    if (came == NO_ANSWER || came == check->told)
        return;
    if (tell(check, came == GOOD))
        log_write(LOG_WARNING, "hub", "a quality check could not be told; again in ten minutes",
            LOG_STR("resource", check->entry->resource.name), LOG_END);
    else
        check->told = came;
}

/* ---- asking, on the hub's loop ---- */

static void fetched(struct hub_fetch *fetch);

static void ask(struct hub_quality_check *check, bool is_counting_all)
{
    check->is_counting_all = is_counting_all;
    check->output = check->condition ? (struct sql_output){0, SQL_COUNT_ALL} : (struct sql_output){check->field, SQL_MAX};
    check->fetch = (struct hub_fetch){.outputs = &check->output,
        .n_outputs = 1,
        .also = is_counting_all ? NULL : check->condition,
        .n_rows_max = 1,
        .n_bytes_max = BYTES_MAX,
        .is_long = true,
        .loop = check->hub->loop,
        .done = fetched};
    hub_work_begin(check->hub);
    check->entry->system->ops->tables->fetch(check->plan, &check->fetch);
}

static void next_check(struct hub *hub, struct hub_quality_check *check)
{
    while (check && !check->plan)
        check = check->next;
    hub->quality.under_way = check;
    if (check)
        ask(check, check->condition != NULL);
    else if (loop_timer_start(hub->loop, &hub->quality.timer, hub->quality.is_unanswered ? AGAIN_MS : EVERY_MS))
        log_write(LOG_ERROR, "hub", "the departments' quality is not looked at any more", LOG_END);
}

static void take_number(struct hub_quality_check *check, struct value value)
{
    struct hub_quality *quality = &check->hub->quality;
    bool has_newest = value.type != VALUE_NULL;
    pthread_mutex_lock(&quality->lock);
    if (check->condition) {
        check->n = check->n_asked;
        check->n_good = value.i;
    } else {
        check->newest_ms = has_newest ? value.i : 0;
    }
    pthread_mutex_unlock(&quality->lock);
    bool is_good = check->condition ? (double)check->n_good >= check->share * (double)check->n
                                    : has_newest && clock_wall(check->hub->clock).ms - check->newest_ms <= check->fresh_ms;
    settle(check, is_good ? GOOD : FAILED);
}

static void fetched(struct hub_fetch *fetch)
{
    struct hub_quality_check *check = container_of(fetch, struct hub_quality_check, fetch);
    struct hub *hub = check->hub;
    bool has_number = !fetch->err && rows_n(fetch->rows) == 1;
    struct value value = has_number ? rows_at(fetch->rows, 0)[0] : VALUE_NONE;
    if (!fetch->err)
        rows_release(fetch->rows);
    bool is_over = atomic_load(&hub->is_stopping);
    if (has_number && check->is_counting_all && !is_over) {
        check->n_asked = value.i;
        ask(check, false);
        hub_work_end(hub);
        return;
    }
    if (has_number)
        take_number(check, value);
    else {
        hub->quality.is_unanswered = true;
        settle(check, NO_ANSWER);
    }
    if (!is_over)
        next_check(hub, check->next);
    hub_work_end(hub);
}

void *hub_quality_plan(const struct hub_entry *entry, const struct hub_fetch *fetch)
{
    const struct hub_quality_check *check = entry->quality;
    if (fetch->n_outputs != 1 || fetch->n_where || fetch->n_order)
        return NULL;
    const struct sql_output *output = &fetch->outputs[0];
    for (; check && check->entry == entry; check = check->next) {
        bool is_count = check->condition && output->aggregate == SQL_COUNT_ALL &&
                        (!fetch->also || str_equal(sql_condition_source(fetch->also), sql_condition_source(check->condition)));
        bool is_newest = !check->condition && output->aggregate == SQL_MAX && output->column == check->field && !fetch->also;
        if (is_count || is_newest)
            return check->plan;
    }
    return NULL;
}

static void on_timer(struct loop_timer *timer)
{
    struct hub *hub = container_of(container_of(timer, struct hub_quality, timer), struct hub, quality);
    hub->quality.is_unanswered = false;
    next_check(hub, hub->quality.first);
}

enum err hub_quality_start(struct hub *hub)
{
    hub->quality.timer.fn = on_timer;
    return hub->quality.first ? loop_timer_start(hub->loop, &hub->quality.timer, FIRST_MS) : ERR_OK;
}

void hub_quality_stop(struct hub *hub)
{
    loop_timer_stop(&hub->quality.timer);
}

/* ---- the catalog ---- */

static void put_check(struct json_writer *w, const struct hub_quality_check *check)
{
    json_begin_object(w);
    json_field_str(w, "check", check->text);
    json_field_c(w, "state", came_names[check->came]);
    if (check->condition) {
        json_field_real(w, "share", check->share);
        json_field_i64(w, "n", check->n);
        json_field_i64(w, "n_good", check->n_good);
    } else {
        json_field_i64(w, "fresh_ms", check->fresh_ms);
        json_field_i64(w, "newest", check->newest_ms);
    }
    json_field_i64(w, "time", check->time_ms);
    json_end_object(w);
}

void hub_quality_put(struct json_writer *w, struct hub *hub, const struct hub_entry *entry)
{
    json_key(w, "quality");
    json_begin_array(w);
    pthread_mutex_lock(&hub->quality.lock);
    for (const struct hub_quality_check *check = hub->quality.first; check; check = check->next)
        if (check->entry == entry)
            put_check(w, check);
    pthread_mutex_unlock(&hub->quality.lock);
    json_end_array(w);
}
