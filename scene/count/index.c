/* The index object's file, and its formulas; see index.h. */
#include "scene/count/index.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>

#define OTHER_TYPES "*"
#define KMH 3.6

/* ---- the file ---- */

struct reading {
    struct count_index *index;
    struct diag_list *diags;
    enum err err; /* the first */
};

static void fail_with(struct reading *r, enum err err)
{
    r->err = r->err != ERR_OK ? r->err : err;
}

/* Title or text in both languages. */
static void read_words(struct reading *r, struct yaml_node map, const char *key, struct str *ret_zh, struct str *ret_en)
{
    static const char *const keys[] = {"zh", "en", NULL};
    struct yaml_node words = yaml_get(map, key);
    if (yaml_is_none(words) || yaml_kind(words) != YAML_MAP) {
        fail_with(r, yaml_error(map, r->diags, ERR_SYNTAX, "%s needs words in both languages; write %s: {zh: …, en: …}", key, key));
        return;
    }
    fail_with(r, yaml_check_keys(words, keys, r->diags));
    fail_with(r, yaml_get_str(words, "zh", true, r->diags, ret_zh));
    fail_with(r, yaml_get_str(words, "en", true, r->diags, ret_en));
}

/* A list that must be there, with from `least` to `most` items. */
static size_t list_of(struct reading *r, struct yaml_node map, const char *key, size_t least, size_t most, struct yaml_node *ret_list)
{
    *ret_list = yaml_get(map, key);
    size_t n = yaml_kind(*ret_list) == YAML_LIST ? yaml_n_items(*ret_list) : 0;
    if (n >= least && n <= most)
        return n;
    fail_with(r, yaml_error(yaml_is_none(*ret_list) ? map : *ret_list, r->diags, ERR_RANGE, "%s needs a list of %zu to %zu; it has %zu",
                     key, least, most, n));
    return 0;
}

static bool number_of(struct reading *r, struct yaml_node node, double *ret_number)
{
    if (yaml_kind(node) == YAML_SCALAR && str_to_double(yaml_text(node), ret_number) == ERR_OK && isfinite(*ret_number))
        return true;
    fail_with(r, yaml_error(node, r->diags, ERR_SYNTAX, "\"" STR_FORMAT "\" is no number; write one", STR_ARG(yaml_text(node))));
    return false;
}

static void read_levels(struct reading *r, struct yaml_node root)
{
    static const char *const keys[] = {"level", "title", NULL};
    struct count_index *index = r->index;
    struct yaml_node list;
    index->n_levels = list_of(r, root, "levels", 2, COUNT_LEVELS_MAX, &list);
    for (size_t i = 0; i < index->n_levels; i++) {
        struct yaml_node item = yaml_item(list, i);
        struct count_level *level = &index->levels[i];
        fail_with(r, yaml_check_keys(item, keys, r->diags));
        fail_with(r, yaml_get_str(item, "level", true, r->diags, &level->name));
        read_words(r, item, "title", &level->title_zh, &level->title_en);
        for (size_t k = 0; k < i; k++)
            if (str_equal(index->levels[k].name, level->name))
                fail_with(r, yaml_error(item, r->diags, ERR_EXISTS,
                                 "the level \"" STR_FORMAT "\" is there twice; give one of them another name", STR_ARG(level->name)));
    }
}

static void read_types(struct reading *r, struct yaml_node item, size_t road_class)
{
    struct count_index *index = r->index;
    struct yaml_node list;
    size_t n = list_of(r, item, "types", 1, COUNT_ROAD_TYPES_MAX, &list);
    for (size_t i = 0; i < n; i++) {
        struct yaml_node node = yaml_item(list, i);
        struct str type = yaml_text(node);
        bool is_last = road_class + 1 == index->n_classes;
        if (str_equal_c(type, OTHER_TYPES) && is_last && n == 1)
            return;
        if (str_is_empty(type) || str_equal_c(type, OTHER_TYPES) || is_last) {
            fail_with(r,
                yaml_error(node, r->diags, ERR_SYNTAX,
                    "the last road class, and no other, holds what no other names; write types: [\"*\"] there, and types of road before"));
            return;
        }
        for (size_t k = 0; k < index->n_types; k++)
            if (str_equal(index->types[k].type, type))
                fail_with(
                    r, yaml_error(node, r->diags, ERR_EXISTS, "\"" STR_FORMAT "\" belongs to \"" STR_FORMAT "\" already; take one out",
                           STR_ARG(type), STR_ARG(index->classes[index->types[k].road_class].name)));
        if (index->n_types == COUNT_ROAD_TYPES_MAX) {
            fail_with(r,
                yaml_error(node, r->diags, ERR_FULL, "more than %d types of road; leave the rest to the last class", COUNT_ROAD_TYPES_MAX));
            return;
        }
        index->types[index->n_types++] = (struct count_road_type){type, (uint8_t)road_class};
    }
}

static void read_roads(struct reading *r, struct yaml_node root)
{
    static const char *const keys[] = {"class", "title", "types", "least_kmh", NULL};
    struct count_index *index = r->index;
    struct yaml_node list, speeds;
    index->n_classes = list_of(r, root, "roads", 1, COUNT_ROAD_CLASSES_MAX, &list);
    for (size_t i = 0; i < index->n_classes; i++) {
        struct yaml_node item = yaml_item(list, i);
        struct count_road_class *class = &index->classes[i];
        fail_with(r, yaml_check_keys(item, keys, r->diags));
        fail_with(r, yaml_get_str(item, "class", true, r->diags, &class->name));
        read_words(r, item, "title", &class->title_zh, &class->title_en);
        read_types(r, item, i);
        if (index->n_levels == 0)
            continue; /* was told */
        size_t n = list_of(r, item, "least_kmh", index->n_levels - 1, index->n_levels - 1, &speeds);
        for (size_t k = 0; k < n; k++) {
            double kmh = 0;
            if (!number_of(r, yaml_item(speeds, k), &kmh))
                continue;
            class->least_mps[k] = kmh / KMH;
            if (kmh <= 0 || (k > 0 && class->least_mps[k] >= class->least_mps[k - 1]))
                fail_with(r, yaml_error(yaml_item(speeds, k), r->diags, ERR_RANGE,
                                 "%g km/h is not slower than the level before it, or not above 0; the slowest speed of each level falls "
                                 "from the best on",
                                 kmh));
        }
    }
}

static void read_scale(struct reading *r, struct yaml_node congestion)
{
    struct count_index *index = r->index;
    struct yaml_node list;
    if (yaml_is_none(yaml_get(congestion, "scale")))
        return;
    index->n_points = list_of(r, congestion, "scale", 2, COUNT_SCALE_POINTS_MAX, &list);
    for (size_t i = 0; i < index->n_points; i++) {
        struct yaml_node pair = yaml_item(list, i);
        double *point = index->points[i];
        if (yaml_kind(pair) != YAML_LIST || yaml_n_items(pair) != 2) {
            fail_with(r, yaml_error(pair, r->diags, ERR_SYNTAX, "a point of the scale is [measure, index]"));
            continue;
        }
        if (!number_of(r, yaml_item(pair, 0), &point[0]) || !number_of(r, yaml_item(pair, 1), &point[1]))
            continue;
        if (i > 0 && (point[0] <= index->points[i - 1][0] || point[1] < index->points[i - 1][1]))
            fail_with(r, yaml_error(pair, r->diags, ERR_RANGE, "the scale does not rise here; sort its points, each measure once"));
    }
}

static void read_congestion(struct reading *r, struct yaml_node root)
{
    static const char *const keys[] = {"measure", "slow_from", "scale", NULL};
    static const char *const measures[] = {"none", "slow_length", "slow_vkt", "time_ratio", NULL}; /* as count_measure */
    struct count_index *index = r->index;
    struct yaml_node congestion = yaml_get(root, "congestion");
    if (yaml_is_none(congestion))
        return;
    size_t measure = 0;
    struct str slow;
    fail_with(r, yaml_check_keys(congestion, keys, r->diags));
    fail_with(r, yaml_get_choice(congestion, "measure", true, r->diags, measures, &measure));
    index->measure = (enum count_measure)measure;
    read_scale(r, congestion);
    if (index->measure != COUNT_MEASURE_SLOW_LENGTH && index->measure != COUNT_MEASURE_SLOW_VKT)
        return;
    enum err err = yaml_get_str(congestion, "slow_from", true, r->diags, &slow);
    fail_with(r, err);
    size_t level = 0;
    while (err == ERR_OK && level < index->n_levels && !str_equal(index->levels[level].name, slow))
        level++;
    if (err == ERR_OK && index->n_levels > 0 && (level == 0 || level == index->n_levels))
        fail_with(r, yaml_error(yaml_get(congestion, "slow_from"), r->diags, ERR_NOT_FOUND,
                         "\"" STR_FORMAT "\" is none of the levels, or the best; name the first one that is slow", STR_ARG(slow)));
    index->slow_level = (uint8_t)level;
}

static enum err read_index(struct count_index *index, struct diag_list *diags)
{
    static const char *const keys[] = {"index", "version", "title", "text", "levels", "roads", "congestion", "usual", NULL};
    struct reading r = {index, diags, ERR_OK};
    struct yaml_node root = yaml_root(index->yaml);
    struct str name = STR_NONE, unused;
    int64_t version = 0;
    fail_with(&r, yaml_check_keys(root, keys, diags));
    fail_with(&r, yaml_get_str(root, "index", true, diags, &name));
    fail_with(&r, yaml_get_i64(root, "version", true, diags, 1, 1000000, &version));
    if (!str_is_empty(name) && (!str_is_name(name) || name.len > COUNT_INDEX_NAME_MAX))
        fail_with(
            &r, yaml_error(yaml_get(root, "index"), diags, ERR_SYNTAX,
                    "\"" STR_FORMAT "\" is not a name; use at most %d small letters, digits, _ . -", STR_ARG(name), COUNT_INDEX_NAME_MAX));
    else
        snprintf(index->made_by, sizeof(index->made_by), STR_FORMAT "/%d", STR_ARG(name), (int)version);
    read_words(&r, root, "title", &unused, &unused);
    read_words(&r, root, "text", &unused, &unused);
    read_levels(&r, root);
    read_roads(&r, root);
    read_congestion(&r, root);
    if (yaml_is_none(yaml_get(root, "usual")))
        return r.err;
    index->usual = mem_alloc_zero(1, sizeof(*index->usual));
    if (index->usual == NULL)
        return ERR_NO_MEMORY;
    fail_with(&r, count_usual_read(yaml_get(root, "usual"), diags, index->usual));
    return r.err;
}

/* Takes `yaml`. */
static enum err make(struct yaml *yaml, struct diag_list *diags, struct count_index **ret_index)
{
    struct count_index *index = mem_alloc_zero(1, sizeof(*index));
    if (index == NULL) {
        yaml_destroy(yaml);
        return ERR_NO_MEMORY;
    }
    index->yaml = yaml;
    enum err err = read_index(index, diags);
    if (err == ERR_OK)
        *ret_index = index;
    else
        count_index_destroy(index);
    return err;
}

enum err count_index_load(const char *path, struct diag_list *diags, struct count_index **ret_index)
{
    struct yaml *yaml;
    enum err err = yaml_load_file(path, diags, &yaml);
    return err == ERR_OK ? make(yaml, diags, ret_index) : err;
}

enum err count_index_parse(struct str text, const char *name, struct diag_list *diags, struct count_index **ret_index)
{
    struct yaml *yaml;
    enum err err = yaml_load_str(text, name, diags, &yaml);
    return err == ERR_OK ? make(yaml, diags, ret_index) : err;
}

void count_index_destroy(struct count_index *index)
{
    if (index == NULL)
        return;
    yaml_destroy(index->yaml);
    mem_free(index->usual);
    mem_free(index);
}

/* ---- formulas ---- */

const char *count_index_made_by(const struct count_index *index)
{
    return index != NULL ? index->made_by : "delay.ratio/1";
}

uint8_t count_index_class(const struct count_index *index, struct str type)
{
    for (size_t i = 0; index != NULL && i < index->n_types; i++)
        if (str_equal(index->types[i].type, type))
            return index->types[i].road_class;
    return index != NULL ? (uint8_t)(index->n_classes - 1) : 0;
}

uint8_t count_index_level(const struct count_index *index, uint8_t road_class, double speed_mps)
{
    if (index == NULL || isnan(speed_mps))
        return COUNT_LEVEL_NONE;
    const double *least_mps = index->classes[road_class].least_mps;
    uint8_t level = 0;
    while (level + 1u < index->n_levels && speed_mps < least_mps[level])
        level++;
    return level;
}

void count_index_add(
    const struct count_index *index, struct count_index_sums *sums, uint8_t road_class, uint8_t level, double vehicle_m, double length_m)
{
    bool is_slow = index != NULL && level != COUNT_LEVEL_NONE && level >= index->slow_level;
    sums->vehicle_m[road_class] += vehicle_m;
    sums->length_m[road_class] += length_m;
    if (is_slow) {
        sums->slow_m[road_class] += length_m;
        sums->slow_vehicle_m += vehicle_m;
    }
}

void count_index_join(struct count_index_sums *to, const struct count_index_sums *from)
{
    for (size_t i = 0; i < COUNT_ROAD_CLASSES_MAX; i++) {
        to->vehicle_m[i] += from->vehicle_m[i];
        to->length_m[i] += from->length_m[i];
        to->slow_m[i] += from->slow_m[i];
    }
    to->slow_vehicle_m += from->slow_vehicle_m;
}

/* On the line through the points; beyond its ends it is level. */
static double on_scale(const struct count_index *index, double measure)
{
    const double(*points)[2] = index->points;
    size_t n = index->n_points, i = 1;
    if (n == 0)
        return measure;
    if (measure <= points[0][0])
        return points[0][1];
    while (i < n && measure > points[i][0])
        i++;
    if (i == n)
        return points[n - 1][1];
    double share = (measure - points[i - 1][0]) / (points[i][0] - points[i - 1][0]);
    return points[i - 1][1] + share * (points[i][1] - points[i - 1][1]);
}

double count_index_congestion(const struct count_index *index, const struct count_index_sums *sums, double time_ratio)
{
    double all = 0, slow = 0;
    if (index == NULL || index->measure == COUNT_MEASURE_NONE || isnan(time_ratio))
        return NAN;
    if (index->measure == COUNT_MEASURE_TIME_RATIO)
        return on_scale(index, time_ratio);
    for (size_t i = 0; i < index->n_classes; i++) {
        all += sums->vehicle_m[i];
        if (sums->length_m[i] > 0)
            slow += sums->vehicle_m[i] * sums->slow_m[i] / sums->length_m[i];
    }
    if (index->measure == COUNT_MEASURE_SLOW_VKT)
        slow = sums->slow_vehicle_m;
    return all > 0 ? on_scale(index, slow / all) : NAN;
}
