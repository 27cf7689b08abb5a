/* The description names each route of each mount, once, with its access and parameters. */
#include "base/mem.h"
#include "base/test.h"
#include "http/openapi.h"

#include <string.h>

static void nothing(struct http_exchange *x, void *context) {}

static const char schemas_of_one[] = "{\"Answer\":{\"type\":\"object\"},\"Body\":{\"type\":\"array\"}}",
                  schemas_of_two[] = "{\"Passages\":{}}";

static const struct http_route one[] = {
    {HTTP_GET, "/health", HTTP_PUBLIC, 0, nothing, "Health"},
    {HTTP_POST, "/hub/v1/call/{area}/{party}/{name}", HTTP_SIGNED_IN, 100, nothing, "Calls \"a\" table", .body = "Body",
        .answer = "Answer"},
    {HTTP_GET, "/party/v1/session", HTTP_SIGNED_IN, 0, nothing, "Who I am", .answer = "Answer", .query = "day area?"},
};
static const struct http_route two[] = {
    {HTTP_DELETE, "/party/v1/session", HTTP_SIGNED_IN, 0, nothing, "Signs out"},
    {HTTP_POST, "/VIID/MotorVehicles", HTTP_DIGEST, 100, nothing, "Passages", .body = "Passages", .answer = "Passages",
        .media_type = "application/VIID+JSON", .refusal = "Passages"},
    {HTTP_GET, "/assets/{rest...}", HTTP_PUBLIC, 0, nothing, "Files", .media_type = "*/*"},
    {HTTP_GET, "/{file}", HTTP_PUBLIC, 0, nothing, "A file", .media_type = "*/*"},
};
static const struct http_route three[] = {
    {HTTP_GET, "/cockpit/v1/areas", HTTP_OFFICIAL, 0, nothing, "Areas", .answer = "Answer"},
    {HTTP_GET, "/hub/v1/uses/mine", HTTP_CITIZEN, 0, nothing, "My uses", .answer = "Answer"},
};
static const struct http_mount mounts[] = {{one, 3, NULL, schemas_of_one}, {NULL, 0, NULL}, {two, 4, NULL, schemas_of_two},
    {three, 2, NULL, schemas_of_one}, {http_openapi_routes, 1, NULL}};

static json_t *describe(const struct http_openapi *openapi)
{
    struct buf out;
    json_t *json = NULL;

    buf_init(&out, 1 << 20);
    http_openapi_write(openapi, &out);
    assert_ok(out.err);
    assert_ok(json_read(buf_str(&out), NULL, &json));
    buf_finish(&out);
    return json;
}

static void names_each_route(void **state)
{
    static const struct {
        const char *path, *method, *tag, *summary, *scheme;
        size_t n_parameters;
        const char *role;
    } rows[] = {
        {"/health", "get", "brain", "Health", NULL, 0},
        {"/hub/v1/call/{area}/{party}/{name}", "post", "hub", "Calls \"a\" table", "token", 3},
        {"/party/v1/session", "get", "party", "Who I am", "token", 2},
        {"/party/v1/session", "delete", "party", "Signs out", "token", 0},
        {"/VIID/MotorVehicles", "post", "VIID", "Passages", "digest", 0},
        {"/assets/{rest}", "get", "assets", "Files", NULL, 1},
        {"/{file}", "get", "brain", "A file", NULL, 1},
        {"/cockpit/v1/areas", "get", "cockpit", "Areas", "session", 0, "official"},
        {"/hub/v1/uses/mine", "get", "hub", "My uses", "session", 0, "citizen"},
        {"/docs/openapi.json", "get", "docs", "This description (OpenAPI 3.1)", "token", 0},
    };
    const struct http_openapi openapi = {"title", "0.1", mounts, 5};
    json_t *json = describe(&openapi), *paths = json_object_get(json, "paths");
    struct str s = STR_NONE;

    assert_ok(json_get_str(json, "openapi", &s));
    assert_str(s, "3.1.0");
    assert_int_equal(json_object_size(paths), 9);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *route = json_object_get(json_object_get(paths, rows[i].path), rows[i].method);
        json_t *security = json_object_get(route, "security");
        if (!route)
            fail_msg("%s %s is not there", rows[i].method, rows[i].path);
        assert_ok(json_get_str(route, "summary", &s));
        assert_str(s, rows[i].summary);
        assert_string_equal(json_string_value(json_array_get(json_object_get(route, "tags"), 0)), rows[i].tag);
        assert_int_equal(json_array_size(json_object_get(route, "parameters")), rows[i].n_parameters);
        if (rows[i].scheme)
            assert_non_null(json_object_get(json_array_get(security, 0), rows[i].scheme));
        else
            assert_int_equal(json_array_size(security), 0);
        json_t *roles = rows[i].scheme ? json_object_get(json_array_get(security, 0), rows[i].scheme) : NULL;
        assert_int_equal(json_array_size(roles), rows[i].role != NULL);
        if (rows[i].role) {
            assert_int_equal(json_array_size(security), 1); /* no token */
            assert_string_equal(json_string_value(json_array_get(roles, 0)), rows[i].role);
        }
    }
    assert_int_equal(json_object_size(json_object_get(paths, "/party/v1/session")), 2);
    json_decref(json);
}

/* The $ref under responses/STATUS/content/MEDIA, or the request's with STATUS NULL; "" when there is no schema, NULL no such content. */
static const char *schema_of(json_t *route, const char *status, const char *media_type)
{
    json_t *holder = status ? json_object_get(json_object_get(route, "responses"), status) : json_object_get(route, "requestBody");
    json_t *content = json_object_get(json_object_get(holder, "content"), media_type);
    const char *ref = json_string_value(json_object_get(json_object_get(content, "schema"), "$ref"));
    return ref ? ref : content ? "" : NULL;
}

static void names_what_is_taken_and_answered(void **state)
{
    static const struct {
        const char *path, *method, *status, *media_type, *ref;
    } rows[] = {
        {"/hub/v1/call/{area}/{party}/{name}", "post", NULL, "application/json", "#/components/schemas/Body"},
        {"/hub/v1/call/{area}/{party}/{name}", "post", "200", "application/json", "#/components/schemas/Answer"},
        {"/hub/v1/call/{area}/{party}/{name}", "post", "default", "application/problem+json", "#/components/schemas/Problem"},
        {"/party/v1/session", "delete", "200", "application/json", NULL},
        {"/assets/{rest}", "get", "200", "*/*", ""},
        {"/assets/{rest}", "get", "200", "application/json", NULL},
        {"/VIID/MotorVehicles", "post", NULL, "application/json", "#/components/schemas/Passages"},
        {"/VIID/MotorVehicles", "post", NULL, "application/VIID+JSON", "#/components/schemas/Passages"},
        {"/VIID/MotorVehicles", "post", "200", "application/VIID+JSON", "#/components/schemas/Passages"},
        {"/VIID/MotorVehicles", "post", "default", "application/VIID+JSON", "#/components/schemas/Passages"},
        {"/VIID/MotorVehicles", "post", "default", "application/problem+json", "#/components/schemas/Problem"},
        {"/docs/openapi.json", "get", "200", "application/json", "#/components/schemas/OpenApi"},
    };
    const struct http_openapi openapi = {"title", "0.1", mounts, 5};
    json_t *json = describe(&openapi), *paths = json_object_get(json, "paths"); /* a name given twice would not be read */
    json_t *schemas = json_object_get(json_object_get(json, "components"), "schemas");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *ref =
            schema_of(json_object_get(json_object_get(paths, rows[i].path), rows[i].method), rows[i].status, rows[i].media_type);
        if (!ref != !rows[i].ref || (ref && strcmp(ref, rows[i].ref) != 0))
            fail_msg("row %zu: %s", i, ref ? ref : "none");
    }
    json_t *done = json_object_get(json_object_get(json_object_get(paths, "/party/v1/session"), "delete"), "responses");
    assert_non_null(json_object_get(done, "204"));
    json_t *query = json_object_get(json_object_get(json_object_get(paths, "/party/v1/session"), "get"), "parameters");
    assert_string_equal(json_string_value(json_object_get(json_array_get(query, 0), "name")), "day");
    assert_true(json_is_true(json_object_get(json_array_get(query, 0), "required")));
    assert_string_equal(json_string_value(json_object_get(json_array_get(query, 1), "name")), "area");
    assert_false(json_is_true(json_object_get(json_array_get(query, 1), "required")));
    assert_string_equal(json_string_value(json_object_get(json_array_get(query, 1), "in")), "query");
    assert_int_equal(json_object_size(schemas), 5); /* Problem, OpenApi, Answer, Body, Passages */
    json_decref(json);
}

static void describes_nothing(void **state)
{
    const struct http_openapi openapi = {"title", "0.1", NULL, 0};
    json_t *json = describe(&openapi);

    assert_int_equal(json_object_size(json_object_get(json, "paths")), 0);
    json_decref(json);
    assert_int_equal(mem_n_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_each_route),
        cmocka_unit_test(names_what_is_taken_and_answered),
        cmocka_unit_test(describes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
