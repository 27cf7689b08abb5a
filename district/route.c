/* Longest prefix, and the way over the nearest common ancestor. */
#include "district/route.h"

#include "hub/area.h"

int district_home(const struct district_node *nodes, size_t n, struct str name)
{
    struct str area = name, rest;
    int best = -1;
    if (!str_cut(name, '/', &area, &rest))
        area = name;
    for (size_t i = 0; i < n; i++)
        if (area_is_within(area, nodes[i].area) && (best < 0 || nodes[i].area.len > nodes[best].area.len))
            best = (int)i;
    return best;
}

void district_nodes_link(struct district_node *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct str above, last;
        nodes[i].parent = str_cut_last(nodes[i].area, '.', &above, &last) ? district_home(nodes, n, above) : -1;
    }
}

static size_t way_up(const struct district_node *nodes, int from, int way[DISTRICT_PATH_MAX])
{
    size_t n = 0;
    for (int at = from; at >= 0; at = nodes[at].parent) {
        if (n == DISTRICT_PATH_MAX)
            return 0;
        way[n++] = at;
    }
    return n;
}

size_t district_path(const struct district_node *nodes, int from, int to, int path[DISTRICT_PATH_MAX])
{
    int up[DISTRICT_PATH_MAX], down[DISTRICT_PATH_MAX];
    size_t n_up = way_up(nodes, from, up), n_down = way_up(nodes, to, down);
    if (n_up == 0 || n_down == 0 || up[n_up - 1] != down[n_down - 1])
        return 0;
    while (n_up > 1 && n_down > 1 && up[n_up - 2] == down[n_down - 2]) { /* what both share above the nearest common ancestor */
        n_up--;
        n_down--;
    }
    if (n_up + n_down - 1 > DISTRICT_PATH_MAX)
        return 0;
    size_t n = 0;
    for (size_t i = 0; i < n_up; i++)
        path[n++] = up[i];
    for (size_t i = n_down - 1; i-- > 0;)
        path[n++] = down[i];
    return n;
}
