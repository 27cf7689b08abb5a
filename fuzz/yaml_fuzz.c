/* A city's file: each error has its words, each accepted document can be walked. */
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(struct yaml_node node)
{
    size_t n = yaml_text(node).len + (size_t)yaml_line(node);

    for (size_t i = 0; i < yaml_n_items(node); i++) {
        if (yaml_kind(node) == YAML_LIST)
            n += walk(yaml_item(node, i));
        else
            n += walk(yaml_map_key(node, i)) + walk(yaml_map_value(node, i));
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = {"name", "title", "fields", NULL};
    static struct diag_list diags;
    struct yaml *yaml = NULL;
    int64_t ms;

    diags.n = diags.n_dropped = 0;
    if (yaml_load_str((struct str){(const char *)data, size}, "fuzz.yaml", &diags, &yaml)) {
        if (diags.n == 0 || !diags.diags[0].text[0])
            abort();
        return 0;
    }
    if (walk(yaml_root(yaml)) == 0)
        abort();
    (void)yaml_check_keys(yaml_root(yaml), keys, &diags);
    (void)yaml_get_duration_ms(yaml_root(yaml), "timeout", true, &diags, &ms);
    (void)yaml_get_time_ms(yaml_root(yaml), "from", true, &diags, 28800, &ms);
    yaml_destroy(yaml);
    return 0;
}
