/* The network as GeoJSON; see geojson.h. */
#include "road/geojson.h"

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

enum err road_geojson_read(struct str text, const char *file, struct diag *diag, json_t **ret_json)
{
    static const struct str mark = STR_INIT("\xef\xbb\xbf"); /* RFC 8259, 8.1: a reader may pass it over */
    struct diag inner = {""};
    json_t *json = NULL;
    if (str_starts_with(text, mark))
        text = str_slice(text, mark.len, text.len);
    enum err err = json_read(text, &inner, &json);
    if (err == ERR_NO_MEMORY)
        return err;
    if (err != ERR_OK)
        return diag_set(diag, err, file, 0, "not JSON: %.200s", inner.text[0] ? inner.text : err_text(err));
    if (!json_is_array(json_object_get(json, "features"))) {
        json_decref(json);
        return diag_set(diag, ERR_SYNTAX, file, 0, "it is no GeoJSON FeatureCollection with \"features\" (RFC 7946); export it as one");
    }
    *ret_json = json;
    return ERR_OK;
}

struct str road_geojson_name(const json_t *feature, const char *key, const char *or_key)
{
    const json_t *properties = json_object_get(feature, "properties");
    struct str name;
    if (json_get_str(properties, key, &name) == ERR_OK && !str_is_empty(name))
        return name;
    return or_key != NULL && json_get_str(properties, or_key, &name) == ERR_OK ? name : STR_NONE;
}
