/*
 * What base/yaml.c and base/yaml_get.c share: the document behind struct yaml. Nobody else includes it.
 */
#ifndef BASE_YAML_INTERNAL_H
#define BASE_YAML_INTERNAL_H

#include "base/yaml.h"

#include <yaml.h>

struct yaml {
    yaml_document_t document;
    bool is_loaded;
    char name[]; /* NUL-terminated */
};

/* NULL past the last node. libyaml's getter takes a document that is not const, but only reads it. */
static inline const yaml_node_t *yaml_internal_node(const struct yaml *yaml, int index)
{
    return yaml_document_get_node((yaml_document_t *)&yaml->document, index);
}

#endif
