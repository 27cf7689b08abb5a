/*
 * The tree of areas, read from areas.yaml (docs/city.md): parents stand before their children, so that one pass builds it.
 *
 * A point belongs to the deepest area whose outline holds it. Outlines are in degrees and small (a district), so even-odd in the
 * plane is exact enough; no outline crosses the 180th meridian.
 */
#include "hub/area.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/yaml.h"

#define ARENA_MAX (64u << 20)

struct area_tree {
    struct arena arena;
    struct yaml *yaml; /* owns the names */
    struct area *areas;
    size_t n;
};

static const char *const area_levels[] = {"province", "city", "district", "street", "community", NULL};

bool area_is_within(struct str name, struct str ancestor)
{
    return str_starts_with(name, ancestor) && (name.len == ancestor.len || name.ptr[ancestor.len] == '.');
}

int area_find(const struct area_tree *tree, struct str name)
{
    for (size_t i = 0; i < tree->n; i++)
        if (str_equal(tree->areas[i].name, name))
            return (int)i;
    return -1;
}

size_t area_n(const struct area_tree *tree)
{
    return tree->n;
}

const struct area *area_at(const struct area_tree *tree, size_t at)
{
    return at < tree->n ? &tree->areas[at] : NULL;
}

/* Even-odd rule (Shimrat, CACM 1962). */
static bool outline_holds(const struct area *area, struct point p)
{
    bool inside = false;
    for (size_t i = 0, j = area->n_points - 1; i < area->n_points; j = i++) {
        struct point a = area->points[i], b = area->points[j];
        if ((a.lat > p.lat) != (b.lat > p.lat) && p.lon < (b.lon - a.lon) * (p.lat - a.lat) / (b.lat - a.lat) + a.lon)
            inside = !inside;
    }
    return inside;
}

int area_of_point(const struct area_tree *tree, struct point point)
{
    int best = -1;
    for (size_t i = 0; i < tree->n; i++) {
        const struct area *area = &tree->areas[i];
        if (area->n_points >= 3 && (best < 0 || area->depth > tree->areas[best].depth) && outline_holds(area, point))
            best = (int)i;
    }
    return best;
}

static enum err read_degree(struct yaml_node node, double limit, struct diag_list *diags, double *ret_degree)
{
    double degree;
    if (str_to_double(yaml_text(node), &degree) || degree < -limit || degree > limit)
        return yaml_error(node, diags, ERR_RANGE,
            "\"" STR_FORMAT "\" is not a coordinate; points are [longitude, latitude] in degrees (WGS 84)", STR_ARG(yaml_text(node)));
    *ret_degree = degree;
    return ERR_OK;
}

static enum err read_outline(struct area_tree *tree, struct yaml_node node, struct area *area, struct diag_list *diags)
{
    struct yaml_node list = yaml_get(node, "outline");
    if (yaml_is_none(list))
        return ERR_OK;
    size_t n = yaml_n_items(list);
    if (yaml_kind(list) != YAML_LIST || n < 3)
        return yaml_error(list, diags, ERR_SYNTAX, "the outline of an area is a list of at least three points [longitude, latitude]");
    if (n > AREA_POINTS_MAX)
        return yaml_error(list, diags, ERR_TOO_LARGE, "the outline has %zu points; leave out some, %d are allowed", n, AREA_POINTS_MAX);
    struct point *points = arena_alloc_zero(&tree->arena, n, sizeof *points);
    if (!points)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++) {
        struct yaml_node pair = yaml_item(list, i);
        if (yaml_kind(pair) != YAML_LIST || yaml_n_items(pair) != 2)
            return yaml_error(pair, diags, ERR_SYNTAX, "a point is [longitude, latitude]");
        enum err err = read_degree(yaml_item(pair, 0), 180, diags, &points[i].lon);
        if (!err)
            err = read_degree(yaml_item(pair, 1), 90, diags, &points[i].lat);
        if (err)
            return err;
    }
    area->points = points;
    area->n_points = n;
    return ERR_OK;
}

/* The parent is in the name: everything before the last dot. */
static enum err find_parent(struct area_tree *tree, struct yaml_node node, struct area *area, struct diag_list *diags)
{
    struct str parent, leaf;
    area->parent = -1;
    if (!str_cut_last(area->name, '.', &parent, &leaf)) {
        if (tree->n > 0)
            return yaml_error(node, diags, ERR_EXISTS,
                "area \"" STR_FORMAT "\" is a second root; put it under \"" STR_FORMAT "\" by naming it \"" STR_FORMAT "." STR_FORMAT "\"",
                STR_ARG(area->name), STR_ARG(tree->areas[0].name), STR_ARG(tree->areas[0].name), STR_ARG(area->name));
        return ERR_OK;
    }
    area->parent = area_find(tree, parent);
    if (area->parent >= 0) {
        area->depth = tree->areas[area->parent].depth + 1;
        return ERR_OK;
    }
    if (tree->n == 0) /* a district's own platform begins below the city */
        return ERR_OK;
    return yaml_error(node, diags, ERR_NOT_FOUND, "area \"" STR_FORMAT "\" has no parent here; declare \"" STR_FORMAT "\" before it",
        STR_ARG(area->name), STR_ARG(parent));
}

static enum err read_title(struct yaml_node node, struct diag_list *diags, struct str *ret_zh, struct str *ret_en)
{
    static const char *const keys[] = {"zh", "en", NULL};
    struct yaml_node title = yaml_get(node, "title");
    if (yaml_is_none(title) || yaml_kind(title) != YAML_MAP)
        return yaml_error(node, diags, ERR_NOT_FOUND, "an area needs a title; add title: {zh: …, en: …}");
    enum err err = yaml_check_keys(title, keys, diags);
    if (!err)
        err = yaml_get_str(title, "zh", true, diags, ret_zh);
    if (!err)
        err = yaml_get_str(title, "en", true, diags, ret_en);
    return err;
}

static enum err read_area(struct area_tree *tree, struct yaml_node node, struct diag_list *diags)
{
    static const char *const keys[] = {"name", "title", "level", "outline", NULL};
    struct area area = {0};
    size_t level;
    if (yaml_kind(node) != YAML_MAP)
        return yaml_error(node, diags, ERR_SYNTAX, "an area is a map: {name: …, title: {zh: …, en: …}, level: …, outline: […]}");
    enum err err = yaml_check_keys(node, keys, diags);
    if (!err)
        err = yaml_get_str(node, "name", true, diags, &area.name);
    if (err)
        return err;
    if (!str_is_name(area.name))
        return yaml_error(yaml_get(node, "name"), diags, ERR_SYNTAX,
            "\"" STR_FORMAT "\" is not a name; use small letters, digits, dot, dash and underscore", STR_ARG(area.name));
    if (area_find(tree, area.name) >= 0)
        return yaml_error(node, diags, ERR_EXISTS, "area \"" STR_FORMAT "\" is declared twice; leave out one", STR_ARG(area.name));
    err = find_parent(tree, node, &area, diags);
    if (!err)
        err = read_title(node, diags, &area.title_zh, &area.title_en);
    if (!err)
        err = yaml_get_choice(node, "level", true, diags, area_levels, &level);
    if (!err) {
        area.level = str_from_c(area_levels[level]);
        err = read_outline(tree, node, &area, diags);
    }
    if (!err)
        tree->areas[tree->n++] = area;
    return err;
}

enum err area_tree_load(const char *path, struct diag_list *diags, struct area_tree **ret_tree)
{
    static const char *const keys[] = {"areas", NULL};
    struct area_tree *tree = mem_alloc_zero(1, sizeof *tree);
    if (!tree)
        return ERR_NO_MEMORY;
    arena_init(&tree->arena, ARENA_MAX);
    enum err err = yaml_load_file(path, diags, &tree->yaml);
    if (err)
        goto done;
    struct yaml_node root = yaml_root(tree->yaml);
    struct yaml_node list = yaml_get(root, "areas");
    err = yaml_check_keys(root, keys, diags);
    if (err)
        goto done;
    size_t n = yaml_is_none(list) || yaml_kind(list) != YAML_LIST ? 0 : yaml_n_items(list);
    if (n == 0) {
        err = yaml_error(root, diags, ERR_NOT_FOUND, "there is no area; add areas: with at least the city");
        goto done;
    }
    if (n > AREA_N_MAX) {
        err = yaml_error(list, diags, ERR_TOO_LARGE, "there are %zu areas; %d are allowed", n, AREA_N_MAX);
        goto done;
    }
    tree->areas = arena_alloc_zero(&tree->arena, n, sizeof *tree->areas);
    if (!tree->areas) {
        err = ERR_NO_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < n; i++) { /* every error is told, the first is returned */
        enum err one = read_area(tree, yaml_item(list, i), diags);
        if (one && !err)
            err = one;
    }
done:
    if (err) {
        area_tree_destroy(tree);
        return err;
    }
    *ret_tree = tree;
    return ERR_OK;
}

void area_tree_destroy(struct area_tree *tree)
{
    if (!tree)
        return;
    yaml_destroy(tree->yaml);
    arena_finish(&tree->arena);
    mem_free(tree);
}
