/* What a scene declares as its own, held against what it writes there. The registry is asked by one look-up only, so that a scene's tests
 * can bring their own. */
#include "hub/need.h"

#include <stdio.h>

const struct hub_resource *hub_need_own(const struct hub *hub, struct str party, const char *name, const char *const *fields,
    size_t n_fields, const char *page, struct yaml_node config, struct diag_list *diags)
{
    char full[256];
    int len = snprintf(full, sizeof full, STR_FORMAT "/%s", STR_ARG(party), name);
    const struct hub_resource *resource =
        len > 0 && len < (int)sizeof full ? hub_resource_find(hub, (struct str){full, (size_t)len}) : NULL;
    if (!resource) {
        yaml_error(config, diags, ERR_NOT_FOUND, "the scene declares no resource \"%s\"; add it under `resources:`", name);
        return NULL;
    }
    for (size_t i = 0; i < n_fields; i++)
        if (resource->n_fields != n_fields || !str_equal_c(resource->fields[i].name, fields[i])) {
            yaml_error(config, diags, ERR_RANGE, "field %zu of the resource \"%s\" is not \"%s\"; %s has them in order", i + 1, name,
                fields[i], page);
            return NULL;
        }
    return resource;
}
