/* The network as GeoJSON; see geojson.h. */
#include "road/geojson.h"

#include "base/json.h"

struct str road_edge_class(const struct road_edge *edge)
{
    struct str head, tail;
    return str_cut_last(edge->type, '.', &head, &tail) ? tail : edge->type;
}

static void write_feature(struct json_writer *w, const struct road_network *network, const struct road_edge *edge, struct str area)
{
    json_begin_object(w);
    json_field_c(w, "type", "Feature");
    json_key(w, "properties");
    json_begin_object(w);
    json_field_str(w, "edge", edge->id);
    json_field_str(w, "road", edge->name);
    json_field_str(w, "class", road_edge_class(edge));
    json_field_i64(w, "lanes", edge->n_car_lanes);
    json_field_real(w, "speed_limit_mps", edge->speed_mps);
    json_field_real(w, "length_m", edge->length_m);
    json_field_str(w, "area", area);
    json_end_object(w);
    json_key(w, "geometry");
    json_begin_object(w);
    json_field_c(w, "type", "LineString");
    json_key(w, "coordinates");
    json_begin_array(w);
    for (uint32_t i = edge->first_point; i < edge->first_point + edge->n_points; i++) {
        json_begin_array(w);
        json_put_fixed(w, network->points[i].lon, 6);
        json_put_fixed(w, network->points[i].lat, 6);
        json_end_array(w);
    }
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
}

enum err road_geojson_write(
    const struct road_network *network, struct str (*area)(void *context, uint32_t edge), void *context, struct buf *out)
{
    if (!network->is_geographic)
        return ERR_UNSUPPORTED;
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_field_c(&w, "type", "FeatureCollection");
    json_key(&w, "features");
    json_begin_array(&w);
    for (uint32_t i = 0; i < network->n_edges; i++)
        if (network->edges[i].n_car_lanes > 0)
            write_feature(&w, network, &network->edges[i], area != NULL ? area(context, i) : STR_NONE);
    json_end_array(&w);
    json_end_object(&w);
    return out->err;
}
