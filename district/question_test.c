/* What is asked of an object at another hub, and the answers, there and back; cut, prolonged and oversized ones are refused. */
#include "base/test.h"
#include "district/question.h"
#include "hub/object.h"

#include <string.h>

static const struct hub_field fields[] = {{.name = STR_INIT("examination"), .type = VALUE_TEXT, .is_key = true}};
static const struct hub_resource xray = {.name = STR_INIT("h/health/xray"), .kind = HUB_OBJECT, .fields = fields, .n_fields = 1};
static const struct hub_resource stream = {.name = STR_INIT("h/police/passage"), .kind = HUB_STREAM, .fields = fields, .n_fields = 1};

static const struct hub_resource *find(void *context, struct str contract)
{
    return str_equal(contract, STR("h/c-1")) ? &xray : str_equal(contract, STR("h/c-2")) ? &stream : NULL;
}

static enum err there_and_back(
    const struct district_question *question, size_t n_less, struct buf *bytes, struct district_question *ret_back)
{
    struct arena arena;
    arena_init(&arena, 65536);
    buf_reset(bytes);
    district_question_write(question, bytes);
    assert_ok(bytes->err);
    enum err err = district_question_read(&arena, str_slice(buf_str(bytes), 0, bytes->len - n_less), find, NULL, ret_back);
    arena_finish(&arena);
    return err;
}

static void an_object_is_asked_for(void **state)
{
    char key[HUB_OBJECT_KEY_MAX + 1];
    memset(key, 'k', sizeof key);
    struct district_question back, question = {.what = DISTRICT_OBJECT,
                                       .contract = STR("h/c-1"),
                                       .resource = &xray,
                                       .key = {key, HUB_OBJECT_KEY_MAX},
                                       .range = STR("bytes=1000-")};
    struct buf bytes;
    buf_init(&bytes, 65536);
    assert_ok(there_and_back(&question, 0, &bytes, &back));
    assert_int_equal(back.what, DISTRICT_OBJECT);
    assert_ptr_equal(back.resource, &xray);
    assert_true(str_equal(back.key, question.key));
    assert_str(back.range, "bytes=1000-");
    for (size_t n_less = 1; n_less < bytes.len; n_less++)
        assert_int_not_equal(there_and_back(&question, n_less, &bytes, &back), ERR_OK);
    question.key.len++;
    assert_err(there_and_back(&question, 0, &bytes, &back), ERR_SYNTAX);
    question.key.len = 1;
    question.contract = STR("h/c-2"); /* it is on something else */
    assert_err(there_and_back(&question, 0, &bytes, &back), ERR_NOT_FOUND);
    question.contract = STR("h/c-3");
    assert_err(there_and_back(&question, 0, &bytes, &back), ERR_NOT_FOUND);
    buf_finish(&bytes);
}

static void a_piece_is_asked_for(void **state)
{
    const struct district_question question = {.what = DISTRICT_READ, .from = UINT64_C(1) << 40, .left = 131073};
    struct district_question back;
    struct buf bytes;
    buf_init(&bytes, 65536);
    assert_ok(there_and_back(&question, 0, &bytes, &back));
    assert_int_equal(bytes.len, 17);
    assert_int_equal(back.what, DISTRICT_READ);
    assert_true(back.from == question.from && back.left == question.left);
    assert_err(there_and_back(&question, 1, &bytes, &back), ERR_SYNTAX);
    buf_finish(&bytes);
}

/* A window of a stream, and what is new in it: the fields by their names, and where its asker is, whatever it says. */
static void a_stream_is_asked_for(void **state)
{
    struct str names[HUB_FIELDS_MAX + 1];
    for (size_t i = 0; i <= HUB_FIELDS_MAX; i++)
        names[i] = STR("examination");
    struct district_question back, question = {.what = DISTRICT_WINDOW,
                                       .contract = STR("h/c-2"),
                                       .resource = &stream,
                                       .fields = names,
                                       .n_fields = HUB_FIELDS_MAX,
                                       .take = {UINT64_MAX, UINT64_C(1) << 63, 7}};
    struct buf bytes;
    buf_init(&bytes, 65536);
    assert_ok(there_and_back(&question, 0, &bytes, &back));
    assert_true(back.what == DISTRICT_WINDOW && back.resource == &stream && back.n_fields == HUB_FIELDS_MAX);
    assert_true(back.take.epoch == UINT64_MAX && back.take.from == UINT64_C(1) << 63 && back.take.confirmed == 7);
    for (size_t n_less = 1; n_less < bytes.len; n_less++)
        assert_int_not_equal(there_and_back(&question, n_less, &bytes, &back), ERR_OK);
    question.n_fields++; /* more than a resource has */
    assert_err(there_and_back(&question, 0, &bytes, &back), ERR_SYNTAX);
    question.n_fields = 1;
    question.contract = STR("h/c-1"); /* it is on something else */
    assert_err(there_and_back(&question, 0, &bytes, &back), ERR_NOT_FOUND);
    question.what = DISTRICT_TAKE;
    assert_ok(there_and_back(&question, 0, &bytes, &back));
    assert_int_equal(bytes.len, 25);
    assert_true(back.what == DISTRICT_TAKE && back.take.epoch == UINT64_MAX && back.take.confirmed == 7);
    assert_err(there_and_back(&question, 1, &bytes, &back), ERR_SYNTAX);
    buf_finish(&bytes);
}

/* What stands in an answer goes into headers of ours. */
static void an_answer_is_looked_at(void **state)
{
    static const char *const bad[] = {"a\"b", "a b", "a\r\nSet-Cookie: x", "\xe6\x9d\xad"};
    struct hub_object_ask ask = {.n_bytes = 65640, .media_type = "image/png", .version = "8-65640", .is_version_weak = true}, back = {0};
    struct buf bytes;
    struct str piece;
    enum err told;
    buf_init(&bytes, 65536);
    hub_put_opened(&bytes, &ask);
    assert_ok(hub_get_opened(buf_str(&bytes), &back, &told));
    assert_ok(told);
    assert_true(back.n_bytes == 65640 && back.is_version_weak);
    assert_string_equal(back.version, "8-65640");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_ok(str_to_c(str_from_c(bad[i]), ask.version, sizeof ask.version));
        buf_reset(&bytes);
        hub_put_opened(&bytes, &ask);
        assert_err(hub_get_opened(buf_str(&bytes), &back, &told), ERR_SYNTAX);
    }
    buf_reset(&bytes);
    hub_put_piece(&bytes, STR("0123"));
    assert_ok(hub_get_piece(buf_str(&bytes), &piece, &told));
    assert_str(piece, "0123");
    assert_err(hub_get_piece(str_slice(buf_str(&bytes), 0, bytes.len - 1), &piece, &told), ERR_SYNTAX);
    buf_reset(&bytes);
    hub_put_error(&bytes, ERR_STATE);
    assert_ok(hub_get_piece(buf_str(&bytes), &piece, &told));
    assert_err(told, ERR_STATE);
    buf_finish(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_object_is_asked_for), cmocka_unit_test(a_piece_is_asked_for),
        cmocka_unit_test(a_stream_is_asked_for), cmocka_unit_test(an_answer_is_looked_at)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
