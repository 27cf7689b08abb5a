/*
 * JSON of a department, a broker or an interface against a mapping: the first line a pointer, the rest the JSON. Whatever is taken has its
 * field's type, is finite, and is UTF-8 without a zero byte.
 */
#include "hub/mapping.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N 10
static const struct hub_field fields[N] = {{.name = STR_INIT("text"), .type = VALUE_TEXT}, {.name = STR_INIT("any"), .type = VALUE_TEXT},
    {.name = STR_INIT("whole"), .type = VALUE_INTEGER}, {.name = STR_INIT("whole_text"), .type = VALUE_INTEGER},
    {.name = STR_INIT("real"), .type = VALUE_REAL}, {.name = STR_INIT("flag"), .type = VALUE_BOOLEAN},
    {.name = STR_INIT("bytes"), .type = VALUE_BYTES}, {.name = STR_INIT("s"), .type = VALUE_TIME},
    {.name = STR_INIT("local"), .type = VALUE_TIME}, {.name = STR_INIT("compact"), .type = VALUE_TIME}};
static const enum hub_form forms[N] = {HUB_FORM_PLAIN, HUB_FORM_TEXT, HUB_FORM_PLAIN, HUB_FORM_TEXT, HUB_FORM_PLAIN, HUB_FORM_NUMBER,
    HUB_FORM_PLAIN, HUB_FORM_SECONDS, HUB_FORM_LOCAL, HUB_FORM_COMPACT};

static void check(const struct hub_mapping *mapping, size_t field, struct value value)
{
    struct buf out;
    if (value.type == VALUE_NULL)
        return;
    if (value.type != fields[field].type || (value.type == VALUE_REAL && !isfinite(value.r)))
        abort();
    if (value.type == VALUE_TEXT && (!str_is_utf8(value.s) || (value.s.len && memchr(value.s.ptr, '\0', value.s.len))))
        abort();
    buf_init(&out, 4u << 20);
    if (hub_mapping_write(mapping, field, value, &out) && value.type != VALUE_BYTES && value.type != VALUE_REAL)
        abort();
    buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, line = text, rest = STR_NONE;
    struct hub_mapped mapped[N];
    struct value values[N];
    struct hub_pointer pointer;
    struct arena arena;
    json_t *json = NULL;
    size_t field;
    arena_init(&arena, 16u << 20);
    bool has_pointer = str_cut(text, '\n', &line, &rest) && hub_pointer_parse(&arena, line, &pointer) == ERR_OK;
    if (has_pointer && !json_read(rest, NULL, &json)) {
        const struct hub_resource resource = {.fields = fields, .n_fields = N};
        const struct hub_mapping mapping = {&resource, TIME_ZONE_SHANGHAI, mapped};
        for (size_t i = 0; i < N; i++)
            mapped[i] = (struct hub_mapped){.at = {{fields[i].name}, 1}, .form = forms[i], .scale = 1, .divisor = i == 4 ? 1e6 : 1};
        const json_t *row = hub_pointer_find(&pointer, json);
        for (size_t i = 0; i < N && row; i++) /* each by itself: one that is refused hides no other */
            if (!hub_mapping_row(&mapping, row, UINT64_C(1) << i, &arena, values, &field))
                check(&mapping, i, values[i]);
    }
    json_decref(json);
    arena_finish(&arena);
    return 0;
}
