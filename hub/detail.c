/*
 * The list of details, by name.
 */
#include "hub/detail.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HUB_DETAIL_ROW(code_, english_) {#code_, english_},
static const struct {
    const char *code, *english;
} list[] = {HUB_DETAILS(HUB_DETAIL_ROW)};

static int find(struct str code)
{
    for (int i = 0; i < HUB_N_DETAILS; i++)
        if (str_equal_c(code, list[i].code))
            return i;
    return -1;
}

void hub_detail_put(char *out, size_t size, const char *code, const char *parameters, ...)
{
    va_list args;
    assert(find(str_from_c(code)) >= 0);
    int n = snprintf(out, size, "%s|", code);
    if (n < 0 || (size_t)n >= size)
        return;
    va_start(args, parameters);
    (void)vsnprintf(out + n, size - (size_t)n, parameters, args);
    va_end(args);
}

/* How many parameters a text takes: its highest {N}. */
static size_t count_parameters(const char *english)
{
    size_t n = 0;
    for (const char *at = strchr(english, '{'); at; at = strchr(at + 1, '{'))
        if (at[1] >= '1' && at[1] <= '0' + HUB_DETAIL_PARAMETERS_MAX && (size_t)(at[1] - '0') > n)
            n = (size_t)(at[1] - '0');
    return n;
}

size_t hub_detail_split(struct str detail, struct str *ret_code, struct str ret_parameters[HUB_DETAIL_PARAMETERS_MAX])
{
    struct str code = detail, rest = STR_NONE, next;
    if (!str_cut(detail, '|', &code, &rest)) {
        code = detail;
        rest = STR_NONE;
    }
    int at = find(code);
    if (at < 0) { /* somebody's own words */
        *ret_code = STR("words");
        ret_parameters[0] = detail;
        return 1;
    }
    size_t n = count_parameters(list[at].english);
    *ret_code = code;
    for (size_t i = 0; i < n; i++) { /* the last one takes the rest, whatever stands in it */
        if (i + 1 == n || !str_cut(rest, '|', &ret_parameters[i], &next)) {
            ret_parameters[i] = rest;
            next = STR_NONE;
        }
        rest = next;
    }
    return n;
}

void hub_detail_english(struct str detail, char *out, size_t size)
{
    struct str code, parameters[HUB_DETAIL_PARAMETERS_MAX];
    size_t len = 0;
    out[0] = '\0';
    if (str_is_empty(detail))
        return;
    size_t n = hub_detail_split(detail, &code, parameters);
    for (const char *at = list[find(code)].english; *at && len + 1 < size;) {
        size_t number = at[0] == '{' && at[1] >= '1' && at[1] <= '9' && at[2] == '}' ? (size_t)(at[1] - '0') : 0;
        if (number == 0) {
            out[len++] = *at++;
            continue;
        }
        struct str value = number <= n ? parameters[number - 1] : STR_NONE;
        size_t room = size - 1 - len, take = value.len < room ? value.len : room;
        if (take)
            memcpy(out + len, value.ptr, take);
        len += take;
        at += 3;
    }
    out[len] = '\0';
}
