/* PROJ behind two functions; see projection.h. */
#include "road/projection.h"

#include "base/mem.h"

#include <math.h>
#include <proj.h>

struct road_projection {
    PJ_CONTEXT *context;
    PJ *pj;
    double offset_x, offset_y; /* metres, added by netconvert */
};

/* Parameters that only compute. */
static const char *const allowed_keys[] = {"proj", "zone", "south", "ellps", "datum", "units", "to_meter", "lat_0", "lat_1", "lat_2",
    "lat_ts", "lon_0", "lon_wrap", "x_0", "y_0", "k", "k_0", "a", "b", "f", "rf", "R", "alpha", "gamma", "lonc", "no_uoff", "towgs84", "pm",
    "no_defs", "wktext", "over", "type", NULL};

static bool is_allowed(struct str key)
{
    for (size_t i = 0; allowed_keys[i] != NULL; i++)
        if (str_equal_c(key, allowed_keys[i]))
            return true;
    return false;
}

static enum err check_parameter(struct str parameter, const char *file, int line, struct diag *diag)
{
    struct str rest = str_trim(parameter);
    if (!str_starts_with(rest, STR("+proj=")))
        return diag_set(diag, ERR_UNSUPPORTED, file, line,
            "projection \"" STR_FORMAT "\" is not a PROJ string; build the network with netconvert --proj.utm",
            STR_ARG(str_slice(rest, 0, 40)));
    while (!str_is_empty(rest)) {
        struct str word = rest, tail = STR_NONE;
        if (!str_cut(rest, ' ', &word, &tail))
            tail = STR_NONE;
        rest = str_trim(tail);
        struct str key = word, value = STR_NONE;
        if (!str_cut(word, '=', &key, &value))
            value = STR_NONE;
        if (!str_starts_with(key, STR("+")) || !is_allowed(str_slice(key, 1, key.len)))
            return diag_set(diag, ERR_UNSUPPORTED, file, line,
                "projection parameter \"" STR_FORMAT "\" is not allowed; leave out what reads files or build with netconvert --proj.utm",
                STR_ARG(str_slice(word, 0, 40)));
        if (str_equal_c(value, "pipeline"))
            return diag_set(diag, ERR_UNSUPPORTED, file, line, "a projection pipeline is not allowed; build with netconvert --proj.utm");
    }
    return ERR_OK;
}

enum err road_projection_create(struct str parameter, double offset_x, double offset_y, const char *file, int line, struct diag *diag,
    struct road_projection **ret_projection)
{
    char text[ROAD_PROJ_TEXT_MAX];
    if (str_to_c(parameter, text, sizeof(text)) != ERR_OK)
        return diag_set(diag, ERR_TOO_LARGE, file, line, "projParameter is longer than %d bytes; shorten it", ROAD_PROJ_TEXT_MAX - 1);
    enum err err = check_parameter(parameter, file, line, diag);
    if (err != ERR_OK)
        return err;
    struct road_projection *projection = mem_alloc_zero(1, sizeof(*projection));
    if (projection == NULL)
        return ERR_NO_MEMORY;
    projection->offset_x = offset_x;
    projection->offset_y = offset_y;
    projection->context = proj_context_create();
    if (projection->context == NULL) {
        err = ERR_NO_MEMORY;
        goto done;
    }
    /* Quiet: the error goes to the caller with its place. */
    proj_log_level(projection->context, PJ_LOG_NONE);
    projection->pj = proj_create(projection->context, text);
    if (projection->pj == NULL || !proj_angular_input(projection->pj, PJ_FWD) || proj_angular_output(projection->pj, PJ_FWD)) {
        err = diag_set(
            diag, ERR_UNSUPPORTED, file, line, "PROJ does not take the projection \"%.120s\"; build with netconvert --proj.utm", text);
        goto done;
    }
    *ret_projection = projection;
    return ERR_OK;
done:
    road_projection_destroy(projection);
    return err;
}

void road_projection_destroy(struct road_projection *projection)
{
    if (projection == NULL)
        return;
    proj_destroy(projection->pj);
    if (projection->context != NULL)
        proj_context_destroy(projection->context);
    mem_free(projection);
}

enum err road_projection_to_wgs84(struct road_projection *projection, double x, double y, double *ret_lon, double *ret_lat)
{
    PJ_COORD at = proj_coord(x - projection->offset_x, y - projection->offset_y, 0, 0);
    PJ_COORD geo = proj_trans(projection->pj, PJ_INV, at);
    double lon = proj_todeg(geo.lp.lam), lat = proj_todeg(geo.lp.phi);
    if (!isfinite(lon) || !isfinite(lat) || fabs(lon) > 360 || fabs(lat) > 90)
        return ERR_RANGE;
    *ret_lon = lon;
    *ret_lat = lat;
    return ERR_OK;
}

enum err road_projection_from_wgs84(struct road_projection *projection, double lon, double lat, double *ret_x, double *ret_y)
{
    PJ_COORD at = proj_coord(proj_torad(lon), proj_torad(lat), 0, 0);
    PJ_COORD flat = proj_trans(projection->pj, PJ_FWD, at);
    if (!isfinite(flat.xy.x) || !isfinite(flat.xy.y))
        return ERR_RANGE;
    *ret_x = flat.xy.x + projection->offset_x;
    *ret_y = flat.xy.y + projection->offset_y;
    return ERR_OK;
}
