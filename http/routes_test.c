/* Routes and paths: what is found, what is refused, and that decoding cannot lead out of a folder. */
#include "base/mem.h"
#include "base/test.h"
#include "http/routes.h"

#include <string.h>

static void nothing(struct http_exchange *x, void *context) {}

static const struct http_route api[] = {
    {HTTP_GET, "/health", HTTP_PUBLIC, 0, nothing, "health"},
    {HTTP_POST, "/hub/v1/call/{area}/{party}/{name}", HTTP_SIGNED_IN, 100, nothing, "call"},
    {HTTP_GET, "/hub/v1/{kind}", HTTP_SIGNED_IN, 0, nothing, "lists"},
    {HTTP_GET, "/hub/v1/resources", HTTP_SIGNED_IN, 0, nothing, "resources"},
    {HTTP_GET, "/session", HTTP_SIGNED_IN, 0, nothing, "who"},
    {HTTP_DELETE, "/session", HTTP_SIGNED_IN, 0, nothing, "sign out"},
};
static const struct http_route screens[] = {
    {HTTP_GET, "/", HTTP_PUBLIC, 0, nothing, "page"},
    {HTTP_GET, "/assets/{rest...}", HTTP_PUBLIC, 0, nothing, "files"},
    {HTTP_GET, "/{a}/tail", HTTP_PUBLIC, 0, nothing, "tail"},
};
static const struct http_mount mounts[] = {{api, 6, NULL}, {screens, 3, NULL}};

struct fixture {
    struct http_routes *routes;
    struct arena arena;
};

static int setup(void **state)
{
    static struct fixture fixture;

    assert_ok(http_routes_create(mounts, 2, NULL, &fixture.routes));
    arena_init(&fixture.arena, 1 << 16);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    http_routes_destroy(fixture->routes);
    arena_finish(&fixture->arena);
    return mem_n_live() == 0 ? 0 : -1;
}

static void matches(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum http_method method;
        enum err err;
        const char *path, *pattern, *params[3];
    } rows[] = {
        {HTTP_GET, ERR_OK, "/health", "/health", {NULL}},
        {HTTP_HEAD, ERR_OK, "/health", "/health", {NULL}},
        {HTTP_GET, ERR_NOT_FOUND, "/health/", NULL, {NULL}},
        {HTTP_GET, ERR_NOT_FOUND, "//health", NULL, {NULL}},
        {HTTP_POST, ERR_UNSUPPORTED, "/health", NULL, {NULL}},
        {HTTP_POST, ERR_OK, "/hub/v1/call/hangzhou/police/vehicle", "/hub/v1/call/{area}/{party}/{name}",
            {"hangzhou", "police", "vehicle"}},
        {HTTP_POST, ERR_OK, "/hub/v1/call/%68angzhou/p%6Flice/%e6%b5%99", "/hub/v1/call/{area}/{party}/{name}",
            {"hangzhou", "police", "浙"}},
        {HTTP_POST, ERR_NOT_FOUND, "/hub/v1/call/hangzhou//vehicle", NULL, {NULL}},
        {HTTP_POST, ERR_NOT_FOUND, "/hub/v1/call/hangzhou/police", NULL, {NULL}},
        {HTTP_GET, ERR_OK, "/hub/v1/resources", "/hub/v1/resources", {NULL}},
        {HTTP_GET, ERR_OK, "/hub/v1/contracts", "/hub/v1/{kind}", {"contracts"}},
        {HTTP_DELETE, ERR_OK, "/session", "/session", {NULL}},
        {HTTP_GET, ERR_OK, "/", "/", {NULL}},
        {HTTP_GET, ERR_OK, "/assets/a/b.js", "/assets/{rest...}", {"a/b.js"}},
        {HTTP_GET, ERR_OK, "/assets/a%20b/c.js", "/assets/{rest...}", {"a b/c.js"}},
        {HTTP_GET, ERR_OK, "/assets//c.js", "/assets/{rest...}", {"/c.js"}},
        {HTTP_GET, ERR_OK, "/assets/", "/assets/{rest...}", {""}},
        {HTTP_GET, ERR_OK, "/health/tail", "/{a}/tail", {"health"}}, /* the literal leads nowhere: back to the parameter */
        {HTTP_GET, ERR_OK, "/assets/tail", "/assets/{rest...}", {"tail"}},
        {HTTP_GET, ERR_NOT_FOUND, "*", NULL, {NULL}},
        {HTTP_GET, ERR_NOT_FOUND, "", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/../secret", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/%2e%2E/secret", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/.%2e/secret", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/./x", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/..%2fsecret", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/a%2Fb", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/a%00b", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/a%0ab", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/a%7fb", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/a%", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/a%4", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/a%4g", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/%ff", NULL, {NULL}},
        {HTTP_GET, ERR_SYNTAX, "/assets/%c0%ae%c0%ae/secret", NULL, {NULL}}, /* overlong dots */
        {HTTP_GET, ERR_SYNTAX, "/assets/\xff", NULL, {NULL}},
        {HTTP_GET, ERR_TOO_LARGE, "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", NULL, {NULL}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_match match = {0};
        enum err err = http_routes_match(fixture->routes, rows[i].method, str_from_c(rows[i].path), &fixture->arena, &match);
        if (err != rows[i].err)
            fail_msg("%s: %s, not %s", rows[i].path, err_text(err), err_text(rows[i].err));
        if (err)
            continue;
        assert_string_equal(match.routed->route->pattern, rows[i].pattern);
        for (size_t p = 0; p < 3 && rows[i].params[p]; p++) {
            assert_true(p < match.routed->n_params);
            assert_str(match.params[p], rows[i].params[p]);
        }
    }
}

static void says_which_methods_there_are(void **state)
{
    struct fixture *fixture = *state;
    struct http_match match = {0};

    assert_err(http_routes_match(fixture->routes, HTTP_PUT, STR("/session"), &fixture->arena, &match), ERR_UNSUPPORTED);
    assert_int_equal(match.methods, 1u << HTTP_GET | 1u << HTTP_DELETE);
}

static void refuses_wrong_tables(void **state)
{
    static const struct {
        struct http_route routes[2];
        size_t n;
        enum err err;
        const char *says;
    } rows[] = {
        {{{HTTP_GET, "health", HTTP_PUBLIC, 0, nothing, ""}}, 1, ERR_SYNTAX, "does not begin with a slash"},
        {{{HTTP_GET, "/a/{rest...}/b", HTTP_PUBLIC, 0, nothing, ""}}, 1, ERR_SYNTAX, "more after {rest...}"},
        {{{HTTP_GET, "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", HTTP_PUBLIC, 0, nothing, ""}}, 1, ERR_SYNTAX, "too many parameters"},
        {{{HTTP_GET, "/a/{x}", HTTP_PUBLIC, 0, nothing, ""}, {HTTP_GET, "/a/{y}", HTTP_PUBLIC, 0, nothing, ""}}, 2, ERR_EXISTS,
            "is there already as \"/a/{x}\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http_mount mount = {rows[i].routes, rows[i].n, NULL};
        struct http_routes *routes = NULL;
        struct diag diag = {""};
        assert_err(http_routes_create(&mount, 1, &diag, &routes), rows[i].err);
        assert_null(routes);
        if (!strstr(diag.text, rows[i].says))
            fail_msg("\"%s\", not \"%s\"", diag.text, rows[i].says);
    }
}

static void queries(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *query, *name;
        enum err err;
        const char *value;
    } rows[] = {
        {"area=hangzhou.xihu&limit=5", "limit", ERR_OK, "5"},
        {"area=hangzhou.xihu&limit=5", "area", ERR_OK, "hangzhou.xihu"},
        {"a=1+2%2B3&b", "a", ERR_OK, "1 2+3"},
        {"a=1&b", "b", ERR_OK, ""},
        {"a=x/../y", "a", ERR_OK, "x/../y"},
        {"%61=1", "a", ERR_OK, "1"},
        {"a=1&a=2", "a", ERR_OK, "1"},
        {"", "a", ERR_NOT_FOUND, NULL},
        {"&&=&b=1", "a", ERR_NOT_FOUND, NULL},
        {"a=%00", "a", ERR_SYNTAX, NULL},
        {"a=%4", "a", ERR_SYNTAX, NULL},
        {"%=1&a=2", "a", ERR_SYNTAX, NULL},
        {"a=%ff", "a", ERR_SYNTAX, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str value = STR_NONE;
        enum err err = http_query_find(str_from_c(rows[i].query), str_from_c(rows[i].name), &fixture->arena, &value);
        if (err != rows[i].err)
            fail_msg("%s: %s, not %s", rows[i].query, err_text(err), err_text(rows[i].err));
        if (!err)
            assert_str(value, rows[i].value);
    }
}

static void survives_failing_memory(void **state)
{
    enum err err = ERR_NO_MEMORY;
    int64_t n_live = mem_n_live();

    for (uint64_t nth = 1; err; nth++) {
        struct http_routes *routes = NULL;
        mem_fail_nth(nth);
        err = http_routes_create(mounts, 2, NULL, &routes);
        mem_fail_nth(0);
        if (err)
            assert_err(err, ERR_NO_MEMORY);
        else
            assert_true(nth > 2);
        http_routes_destroy(routes);
        assert_int_equal(mem_n_live(), n_live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(matches, setup, teardown),
        cmocka_unit_test_setup_teardown(says_which_methods_there_are, setup, teardown),
        cmocka_unit_test(refuses_wrong_tables),
        cmocka_unit_test_setup_teardown(queries, setup, teardown),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
