/* Travel times from a table; see weights.h. */
#include "road/weights.h"

#include <math.h>

enum { WEIGHT_EDGE, WEIGHT_SECONDS, WEIGHT_SPEED };
static const char *const columns[] = {"edge", "seconds", "speed_mps", NULL};

struct weights {
    const struct road_network *network;
    float *edge_s;
    struct road_table *told; /* the caller's */
};

static const char *on_header(void *context, uint32_t present)
{
    (void)context;
    if (!(present & 1u << WEIGHT_EDGE))
        return "there is no column \"edge\"; add it";
    if (!(present & (1u << WEIGHT_SECONDS | 1u << WEIGHT_SPEED)))
        return "there is neither a column \"seconds\" nor \"speed_mps\"; add one";
    return NULL;
}

static const char *on_line(void *context, const struct str *fields)
{
    const struct weights *weights = context;
    uint32_t edge = road_edge_find(weights->network, fields[WEIGHT_EDGE]);
    if (edge == ROAD_NONE)
        return "the network has no such edge";
    double number;
    if (str_equal_c(fields[WEIGHT_SECONDS], "closed")) {
        weights->edge_s[edge] = INFINITY;
        return NULL;
    }
    if (!str_is_empty(fields[WEIGHT_SECONDS])) {
        if (str_to_double(fields[WEIGHT_SECONDS], &number) != ERR_OK || number < 0 || number > ROAD_SECONDS_MAX)
            return "seconds must be a number from 0 to 1000000, or \"closed\"";
        weights->edge_s[edge] = (float)number;
        return NULL;
    }
    if (str_to_double(fields[WEIGHT_SPEED], &number) != ERR_OK || number <= 0 || number > ROAD_SPEED_MAX_MPS)
        return "speed_mps must be a number over 0, to 200";
    weights->edge_s[edge] = (float)(weights->network->edges[edge].length_m / number);
    return NULL;
}

static void on_broken(void *context, const char *text)
{
    const struct weights *weights = context;
    if (weights->told->on_broken != NULL)
        weights->told->on_broken(weights->told->context, text);
}

static void on_progress(void *context, double share)
{
    const struct weights *weights = context;
    if (weights->told->on_progress != NULL)
        weights->told->on_progress(weights->told->context, share);
}

static struct road_table begin(struct weights *weights)
{
    for (uint32_t e = 0; e < weights->network->n_edges; e++)
        weights->edge_s[e] = (float)road_edge_free_flow_s(&weights->network->edges[e]);
    return (struct road_table){columns, on_header, on_line, on_broken, on_progress, weights, 0, 0};
}

enum err road_weights_read(const struct road_network *network, const char *path, struct road_table *table, float *edge_s, struct diag *diag)
{
    struct weights weights = {network, edge_s, table};
    struct road_table read = begin(&weights);
    enum err err = road_table_read(&read, path, diag);
    table->n_lines = read.n_lines;
    table->n_broken = read.n_broken;
    return err;
}

enum err road_weights_parse(
    const struct road_network *network, struct str bytes, const char *name, struct road_table *table, float *edge_s, struct diag *diag)
{
    struct weights weights = {network, edge_s, table};
    struct road_table read = begin(&weights);
    enum err err = road_table_parse(&read, bytes, name, diag);
    table->n_lines = read.n_lines;
    table->n_broken = read.n_broken;
    return err;
}
