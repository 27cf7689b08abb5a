/*
 * A query string: it is found well formed exactly when a second, slower reading finds it so, and then every name has the value
 * that the slower reading gives it. First line: a name that is looked for; the rest: the query.
 */
#include "http/routes.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes into `out`, which has room for text.len; -1 when malformed. */
static long slow_decode(struct str text, char *out)
{
    static const char hex[] = "0123456789abcdef0123456789ABCDEF";
    long n = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            const char *high = i + 1 < text.len && text.ptr[i + 1] ? strchr(hex, text.ptr[i + 1]) : NULL;
            const char *low = i + 2 < text.len && text.ptr[i + 2] ? strchr(hex, text.ptr[i + 2]) : NULL;
            if (!high || !low)
                return -1;
            out[n++] = (char)((high - hex) % 16 * 16 + (low - hex) % 16);
            i += 2;
        } else {
            out[n++] = c == '+' ? ' ' : c;
        }
        if (out[n - 1] == '\0')
            return -1;
    }
    return str_is_utf8((struct str){out, (size_t)n}) ? n : -1;
}

/* Every item in turn; the first whose name is `name` gives *ret_value (its decoded text in `out`). False: malformed. */
static bool slow_read(struct str query, struct str name, char *work, char *out, struct str *ret_value, bool *ret_is_found)
{
    for (size_t from = 0; from < query.len;) {
        size_t end = from, equals;
        while (end < query.len && query.ptr[end] != '&')
            end++;
        for (equals = from; equals < end && query.ptr[equals] != '=';)
            equals++;
        long n_name = slow_decode((struct str){query.ptr + from, equals - from}, work);
        bool is_it = n_name >= 0 && !*ret_is_found && str_equal((struct str){work, (size_t)n_name}, name);
        size_t value_at = equals < end ? equals + 1 : end;
        long n_value = slow_decode((struct str){query.ptr + value_at, end - value_at}, is_it ? out : work);
        if (n_name < 0 || n_value < 0)
            return false;
        if (is_it) {
            *ret_is_found = true;
            *ret_value = (struct str){out, (size_t)n_value};
        }
        from = end + 1;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str query = {(const char *)data, size}, name, value = STR_NONE, expected = STR_NONE;
    bool is_found = false;
    struct arena arena;

    if (!str_cut(query, '\n', &name, &query))
        return 0;
    char *work = malloc(size), *out = malloc(size);
    if (!work || !out)
        abort();
    arena_init(&arena, 8u << 20);
    bool is_good = slow_read(query, name, work, out, &expected, &is_found);
    enum err err = http_query_check(query, &arena);
    if (err != (is_good ? ERR_OK : ERR_SYNTAX))
        abort();
    err = http_query_find(query, name, &arena, &value);
    if (is_good && (err != (is_found ? ERR_OK : ERR_NOT_FOUND) || !str_equal(value, expected)))
        abort();
    if (!is_good && err != ERR_OK && err != ERR_NOT_FOUND && err != ERR_SYNTAX)
        abort();
    arena_finish(&arena);
    free(out);
    free(work);
    return 0;
}
