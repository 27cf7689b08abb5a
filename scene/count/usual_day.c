/* The usual day around the core; see usual_day.h. */
#include "scene/count/usual_day.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/alert.h"
#include "scene/count/usual_store.h"

#include <math.h>
#include <stdio.h>

#define RETELL_MS 900000 /* whoever must be heard tells again: the key makes it one case */
#define PATH_MAX_BYTES 4096
#define KEY_MAX 300 /* bytes of an alarm's key (business/case) */

enum told { TOLD_NOTHING, TOLD_RED, RED_DUE, GREEN_DUE };

struct count_usual_day {
    struct count_usual_day_options options;
    struct count_usual *usual;
    struct count_usual_store *store;
    uint32_t n_areas, n_roads; /* keys: areas, then roads */
    uint8_t *told;             /* [n_roads] enum told */
    double *values;            /* [n_roads] the newest index; NAN */
    uint32_t n_due;
    int64_t retold_ms;
};

/* ---- names ---- */

static struct str road_name(const struct count_usual_day *day, const struct count_road *road)
{
    return str_map_key(day->options.network->names, road->name);
}

static bool name_of(void *context, uint32_t key, char *out, size_t size)
{
    const struct count_usual_day *day = context;
    int len;
    if (key < day->n_areas) {
        len = snprintf(out, size, STR_FORMAT, STR_ARG(area_at(day->options.tree, key)->name));
    } else {
        struct count_road road = count_road_at(day->options.count, key - day->n_areas);
        len = snprintf(
            out, size, STR_FORMAT "/" STR_FORMAT, STR_ARG(area_at(day->options.tree, road.area)->name), STR_ARG(road_name(day, &road)));
    }
    return len > 0 && (size_t)len < size;
}

static bool is_told(const struct count_usual_day *day, uint32_t road)
{
    const struct area *area = area_at(day->options.tree, count_road_at(day->options.count, road).area);
    return str_equal(area->level, day->options.index->usual->alerts_at);
}

/* ---- alarms ---- */

static enum err tell(const struct count_usual_day *day, uint32_t road_at, bool is_green, const char *basis)
{
    char key[KEY_MAX], zh[512], en[512], detail[160];
    struct count_road road = count_road_at(day->options.count, road_at);
    const struct area *area = area_at(day->options.tree, road.area);
    struct count_usual_now now = count_usual_look(day->usual, day->n_areas + road_at);
    struct str name = road_name(day, &road);
    if (!name_of((void *)(uintptr_t)day, day->n_areas + road_at, key, sizeof(key)))
        return ERR_OK; /* a name that no case could have */
    snprintf(
        zh, sizeof(zh), STR_FORMAT "(" STR_FORMAT ")%s", STR_ARG(name), STR_ARG(area->title_zh), is_green ? "恢复平日车速" : "比平日慢");
    snprintf(en, sizeof(en), STR_FORMAT " (" STR_FORMAT ") %s", STR_ARG(name), STR_ARG(area->title_en),
        is_green ? "is back at its usual speed" : "is slower than usual");
    int len = isnan(day->values[road_at]) ? 0 : snprintf(detail, sizeof(detail), "delay index %.2f; ", day->values[road_at]);
    if (!isnan(now.usual))
        snprintf(detail + len, sizeof(detail) - (size_t)len, "usually %.2f, on %u days; %s", now.usual, now.n_days,
            count_index_made_by(day->options.index));
    else
        snprintf(detail + len, sizeof(detail) - (size_t)len, "%s", count_index_made_by(day->options.index));
    const struct hub_alert alert = {.kind = STR(COUNT_ALERT_KIND),
        .area = area->name,
        .party = day->options.party,
        .key = str_from_c(key),
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .detail = str_from_c(detail),
        .receipt = str_from_c(basis),
        .is_green = is_green};
    return hub_alert(day->options.hub, &alert);
}

/* What is due, and now and then what lasts. What the hub does not take is due again a second later. */
static void tell_all(struct count_usual_day *day, int64_t now_ms, const char *basis)
{
    bool is_again = now_ms - day->retold_ms >= RETELL_MS || now_ms < day->retold_ms;
    if (is_again)
        day->retold_ms = now_ms;
    if (!is_again && day->n_due == 0)
        return;
    day->n_due = 0;
    for (uint32_t i = 0; i < day->n_roads; i++) {
        bool is_green = day->told[i] == GREEN_DUE, is_due = is_green || day->told[i] == RED_DUE || (is_again && day->told[i] == TOLD_RED);
        if (!is_due)
            continue;
        if (tell(day, i, is_green, basis) == ERR_OK)
            day->told[i] = is_green ? TOLD_NOTHING : TOLD_RED;
        else
            day->n_due++;
    }
}

static void turned(struct count_usual_day *day, uint32_t key, const struct count_usual_now *now)
{
    count_usual_store_state(day->store, key, now->state, now->since_ms);
    if (key < day->n_areas || !is_told(day, key - day->n_areas))
        return;
    uint8_t *told = &day->told[key - day->n_areas];
    if (now->state == COUNT_SLOWER)
        *told = RED_DUE;
    else if (*told != TOLD_NOTHING)
        *told = GREEN_DUE;
    day->n_due += *told != TOLD_NOTHING;
}

/* ---- the tick ---- */

static void take(struct count_usual_day *day, uint32_t key, double value)
{
    struct count_usual_now now = count_usual_take(day->usual, key, value);
    if (now.is_changed)
        turned(day, key, &now);
}

void count_usual_day_tick(struct count_usual_day *day, const struct count_updates *updates, const char *basis)
{
    struct count_usual_slot ended = count_usual_begin(day->usual, updates->time_ms);
    if (ended.was_ahead)
        log_write(LOG_WARNING, "scene/count", "the usual day was learned by a clock that was ahead; it goes on from now", LOG_END);
    if (ended.is_there)
        count_usual_store_slot(day->store, ended);
    for (uint32_t i = 0; i < day->n_areas; i++)
        if (!isnan(updates->areas[i].delay_index))
            take(day, i, updates->areas[i].delay_index);
    for (uint32_t i = 0; i < updates->n_roads; i++) {
        const struct count_road_state *road = &updates->roads[i];
        day->values[road->road] = road->delay_index;
        if (!isnan(road->delay_index))
            take(day, day->n_areas + road->road, road->delay_index);
    }
    tell_all(day, updates->time_ms, basis);
}

struct count_usual_now count_usual_day_area(const struct count_usual_day *day, size_t area)
{
    return count_usual_look(day->usual, (uint32_t)area);
}

struct count_usual_now count_usual_day_road(const struct count_usual_day *day, uint32_t road)
{
    return count_usual_look(day->usual, day->n_areas + road);
}

uint64_t count_usual_day_n_unlearned(const struct count_usual_day *day)
{
    return day != NULL ? count_usual_n_unlearned(day->usual) : 0;
}

/* ---- life ---- */

enum err count_usual_day_check(const struct count_index *index, const struct area_tree *tree, struct diag_list *diags)
{
    if (index == NULL || index->usual == NULL)
        return ERR_OK;
    for (size_t i = 0; i < area_n(tree); i++)
        if (str_equal(area_at(tree, i)->level, index->usual->alerts_at))
            return ERR_OK;
    struct yaml_node node = yaml_get(yaml_get(yaml_root(index->yaml), "usual"), "alerts_at");
    return yaml_error(node, diags, ERR_NOT_FOUND,
        "no area of the city is a \"" STR_FORMAT "\"; name a level of areas.yaml: city, district, street",
        STR_ARG(index->usual->alerts_at));
}

/* What was slower when the process ended was told: when it is back, that is told, too. */
static void take_up(struct count_usual_day *day)
{
    for (uint32_t i = 0; i < day->n_roads; i++)
        if (count_usual_look(day->usual, day->n_areas + i).state == COUNT_SLOWER && is_told(day, i)) {
            day->told[i] = RED_DUE;
            day->n_due++;
        }
}

/* The store, beside the brain's others. */
static enum err open_store(struct count_usual_day *day, uint32_t n_keys, const char *data_dir, struct diag *diag)
{
    char folder[PATH_MAX_BYTES - 16], path[PATH_MAX_BYTES];
    int len = snprintf(folder, sizeof(folder), "%s/store", data_dir);
    if (len < 0 || (size_t)len >= sizeof(folder))
        return ERR_TOO_LARGE;
    snprintf(path, sizeof(path), "%s/usual.sqlite", folder);
    enum err err = file_make_dirs(file_ops_system(), folder);
    return err != ERR_OK ? diag_set(diag, err, folder, 0, "cannot make this folder: %s; mend the rights of the data folder", err_text(err))
                         : count_usual_store_open(path, day->options.index->usual, day->usual, n_keys, name_of, day, diag, &day->store);
}

enum err count_usual_day_start(const struct count_usual_day_options *options, struct diag *diag, struct count_usual_day **ret_day)
{
    struct count_usual_day *day = mem_alloc_zero(1, sizeof(*day));
    if (day == NULL)
        return ERR_NO_MEMORY;
    *day = (struct count_usual_day){.options = *options,
        .n_areas = (uint32_t)area_n(options->tree),
        .n_roads = count_n_roads(options->count),
        .retold_ms = INT64_MIN / 2};
    day->options.data_dir = NULL;
    uint32_t n_keys = day->n_areas + day->n_roads;
    day->told = mem_alloc_zero(day->n_roads + 1, 1);
    day->values = mem_alloc_zero(day->n_roads + 1, sizeof(*day->values));
    enum err err = day->told == NULL || day->values == NULL ? ERR_NO_MEMORY : ERR_OK;
    for (uint32_t i = 0; i < day->n_roads && err == ERR_OK; i++)
        day->values[i] = NAN;
    if (err == ERR_OK)
        err = count_usual_create(options->index->usual, n_keys, options->zone, &day->usual);
    if (err == ERR_OK)
        err = open_store(day, n_keys, options->data_dir, diag);
    if (err != ERR_OK) {
        count_usual_day_stop(day);
        return err;
    }
    take_up(day);
    *ret_day = day;
    return ERR_OK;
}

void count_usual_day_stop(struct count_usual_day *day)
{
    if (day == NULL)
        return;
    count_usual_store_close(day->store);
    count_usual_destroy(day->usual);
    mem_free(day->told);
    mem_free(day->values);
    mem_free(day);
}
