/*
 * The tree of areas (区域): province/city/district/street/community. A name is a dotted path, so that the parent is in the name.
 */
#ifndef HUB_AREA_H
#define HUB_AREA_H

#include "base/diag.h"
#include "base/str.h"

#define AREA_N_MAX 4096      /* a city with every community has about 1,500 */
#define AREA_POINTS_MAX 2000 /* of one outline */

struct point {
    double lon, lat; /* WGS 84, degrees */
};

struct area {
    struct str name; /* "hangzhou.xihu.gudang" */
    struct str title_zh, title_en;
    struct str level;           /* "city", "district", "street", "community" */
    int parent;                 /* index; -1 for the root */
    int depth;                  /* 0 for the root */
    const struct point *points; /* outline, not closed; may be empty */
    size_t n_points;
};

struct area_tree; /* immutable once loaded; parents stand before their children */

/* `path`: areas.yaml (docs/city.md). */
enum err area_tree_load(const char *path, struct diag_list *diags, struct area_tree **ret_tree) MUST_CHECK;
void area_tree_destroy(struct area_tree *tree); /* takes NULL */
size_t area_n(const struct area_tree *tree);
const struct area *area_at(const struct area_tree *tree, size_t at);
int area_find(const struct area_tree *tree, struct str name);        /* -1: no such area */
int area_of_point(const struct area_tree *tree, struct point point); /* the deepest area whose outline holds it; -1 */
bool area_is_within(struct str name, struct str ancestor);           /* "hangzhou.xihu" is within "hangzhou" and within itself */

#endif
