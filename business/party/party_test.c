/* People and programs: the file's mistakes, tokens, passwords, sessions over time and over a restart. */
#include "business/party/party.h"

#include "base/mem.h"
#include "base/test.h"
#include "business/party/party_testing.h"
#include "business/party/people.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void nothing(void *context) {}

static struct str read_token(struct party_fixture *f, const char *name, char out[66])
{
    char path[256];
    struct stat info;
    snprintf(path, sizeof(path), "%s/%s", f->tokens, name);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(out, 1, 65, file), 65);
    fclose(file);
    return (struct str){out, 64};
}

static void a_program_is_known_by_its_token(void **state)
{
    struct party_fixture f;
    struct http_identity identity;
    char token[66], again[66];
    party_fixture_set_up(&f);
    struct party_people *people = party_fixture_open(&f);
    assert_ok(party_token(people, read_token(&f, "h.x_sensor", token), &identity));
    assert_str(identity.party, "h.x/sensor");
    assert_str(identity.area, "h.x");
    assert_str(identity.person, "");
    token[10] = token[10] == 'a' ? 'b' : 'a';
    assert_err(party_token(people, (struct str){token, 64}, &identity), ERR_UNAUTHENTICATED);
    assert_err(party_token(people, STR(""), &identity), ERR_UNAUTHENTICATED);
    assert_str(identity.party, "h.x/sensor"); /* untouched on failure */
    assert_int_equal(identity.roles, 0);
    assert_ok(party_token(people, read_token(&f, "h_monitor", token), &identity));
    assert_int_equal(identity.roles, HTTP_OPERATE);
    read_token(&f, "h_world", token);
    party_close(people);
    people = party_fixture_open(&f); /* the token stays the same over a restart */
    assert_memory_equal(read_token(&f, "h_world", again).ptr, token, 64);
    assert_ok(party_token(people, (struct str){token, 64}, &identity));
    assert_str(identity.party, "h/world");
    party_close(people);
    party_fixture_tear_down(&f);
}

/* A replica: it has no files of tokens, and knows what the desk's process tells. */
static void programs_told_by_another_process(void **state)
{
    struct party_fixture f, there;
    struct http_identity identity;
    struct buf book, cut;
    char token[66], path[300];
    party_fixture_set_up(&f);
    party_fixture_set_up(&there);
    party_fixture_write(there.parties_path, /* it does not know the sensor; its monitor has no role */
        "parties:\n  - {name: h/world, title: {zh: 世界, en: World}, kind: program, token: demo}\n"
        "  - {name: h/monitor, title: {zh: 监, en: Monitor}, kind: program, token: file}\npeople: []\n");
    there.options.are_tokens_told = true;
    struct party_people *desk = party_fixture_open(&f), *replica = party_fixture_open(&there);
    assert_int_equal(access(there.tokens, F_OK), -1);
    read_token(&f, "h_world", token);
    assert_false(party_programs_are_known(replica));
    assert_err(party_token(replica, (struct str){token, 64}, &identity), ERR_UNAVAILABLE);
    buf_init(&book, 4096);
    party_programs_write(desk, &book);
    assert_ok(book.err);
    assert_null(memmem(book.ptr, book.len, token, 64)); /* hashes only */
    for (size_t len = 0; len < book.len; len++)
        assert_err(party_programs_read(replica, str_slice(buf_str(&book), 0, len)), ERR_SYNTAX);
    assert_false(party_programs_are_known(replica));
    mem_fail_nth(1);
    assert_err(party_programs_read(replica, buf_str(&book)), ERR_NO_MEMORY);
    mem_fail_nth(0);
    assert_ok(party_programs_read(replica, buf_str(&book)));
    assert_ok(party_token(replica, (struct str){token, 64}, &identity));
    assert_str(identity.party, "h/world");
    assert_ok(party_token(replica, read_token(&f, "h_monitor", token), &identity));
    assert_int_equal(identity.roles, 0); /* as its own files say */
    assert_err(party_token(replica, read_token(&f, "h.x_sensor", token), &identity), ERR_UNAUTHENTICATED);
    buf_init(&cut, 4096);
    buf_append_str(&cut, buf_str(&book));
    buf_append_byte(&cut, 0);
    assert_err(party_programs_read(replica, buf_str(&cut)), ERR_SYNTAX);
    assert_ok(party_token(replica, read_token(&f, "h_world", token), &identity)); /* what was known is known still */
    party_close(desk);
    snprintf(path, sizeof(path), "%s/h_world", f.tokens);
    assert_int_equal(unlink(path), 0); /* taken away at the desk, which is started anew */
    desk = party_fixture_open(&f);
    buf_reset(&book);
    party_programs_write(desk, &book);
    assert_ok(party_programs_read(replica, buf_str(&book)));
    assert_err(party_token(replica, (struct str){token, 64}, &identity), ERR_UNAUTHENTICATED);
    assert_ok(party_token(replica, read_token(&f, "h_world", token), &identity));
    assert_ok(party_programs_read(replica, (struct str){"\0\0\0\0", 4}));
    assert_err(party_token(replica, (struct str){token, 64}, &identity), ERR_UNAUTHENTICATED);
    buf_finish(&cut);
    buf_finish(&book);
    party_close(desk);
    party_close(replica);
    party_fixture_tear_down(&f);
    party_fixture_tear_down(&there);
}

struct stored {
    _Atomic bool is_done;
    enum err err;
};

static void on_stored(struct party_session_write *write, enum err err)
{
    struct stored *stored = write->context;
    stored->err = err;
    stored->is_done = true;
}

static void wait_for(struct stored *stored)
{
    for (int i = 0; i < 10000 && !stored->is_done; i++)
        usleep(1000);
    assert_true(stored->is_done);
    assert_ok(stored->err);
    stored->is_done = false;
}

static void a_session_lasts_over_a_restart_but_not_for_ever(void **state)
{
    struct party_fixture f;
    struct http_identity identity = {.area = STR_INIT("")};
    struct stored stored = {0};
    char token[65], second[65];
    party_fixture_set_up(&f);
    struct party_people *people = party_fixture_open(&f);
    uint32_t mayor = (uint32_t)(party_person_find(people, STR("mayor")) - people->people);
    assert_ok(party_session_begin(people, mayor, loop_thread_loop(f.thread), on_stored, &stored, token));
    wait_for(&stored);
    assert_ok(party_session(people, (struct str){token, 64}, &identity));
    assert_str(identity.party, "h/post.mayor");
    assert_str(identity.person, "mayor");
    assert_str(identity.acts_for, "h/world");
    assert_int_equal(identity.roles, HTTP_MANAGE);
    assert_ok(party_session_begin(people, mayor, loop_thread_loop(f.thread), on_stored, &stored, second));
    wait_for(&stored);
    party_close(people);

    clock_fake_advance_ms(&f.clock, PARTY_SESSION_IDLE_MS - 1);
    people = party_fixture_open(&f);
    assert_ok(party_session(people, (struct str){token, 64}, &identity));
    clock_fake_advance_ms(&f.clock, PARTY_SESSION_IDLE_MS - 1);
    assert_ok(party_session(people, (struct str){token, 64}, &identity));                        /* used, so it goes on */
    assert_err(party_session(people, (struct str){second, 64}, &identity), ERR_UNAUTHENTICATED); /* unused, so it is over */
    for (int i = 0; i < 13; i++) {
        clock_fake_advance_ms(&f.clock, PARTY_SESSION_IDLE_MS - 1);
        (void)!party_session(people, (struct str){token, 64}, &identity);
    }
    assert_err(party_session(people, (struct str){token, 64}, &identity), ERR_UNAUTHENTICATED); /* seven days are the longest */
    assert_err(party_session(people, STR("short"), &identity), ERR_UNAUTHENTICATED);
    party_close(people);
    party_fixture_tear_down(&f);
}

static void signing_out_ends_it_on_disk_too(void **state)
{
    struct party_fixture f;
    struct http_identity identity;
    struct stored stored = {0};
    char token[65];
    party_fixture_set_up(&f);
    struct party_people *people = party_fixture_open(&f);
    assert_ok(party_session_begin(people, 0, loop_thread_loop(f.thread), on_stored, &stored, token));
    wait_for(&stored);
    assert_ok(party_session_end(people, (struct str){token, 64}, loop_thread_loop(f.thread), on_stored, &stored));
    wait_for(&stored);
    assert_err(party_session(people, (struct str){token, 64}, &identity), ERR_UNAUTHENTICATED);
    assert_err(party_session_end(people, (struct str){token, 64}, loop_thread_loop(f.thread), on_stored, &stored), ERR_NOT_FOUND);
    party_close(people);
    people = party_fixture_open(&f);
    assert_err(party_session(people, (struct str){token, 64}, &identity), ERR_UNAUTHENTICATED);
    party_close(people);
    party_fixture_tear_down(&f);
}

/* Thousands begin and end in a random order; each that is still there is found, each other is not. */
static void the_table_of_sessions_loses_nobody(void **state)
{
    enum { N = 800 };
    struct party_fixture f;
    struct http_identity identity;
    struct stored stored[2] = {{0}};
    static char tokens[N][65];
    static bool is_there[N];
    unsigned seed = 20261122;
    print_message("seed %u\n", seed);
    party_fixture_set_up(&f);
    struct party_people *people = party_fixture_open(&f);
    for (int i = 0; i < N; i++) {
        assert_ok(party_session_begin(people, 0, loop_thread_loop(f.thread), on_stored, &stored[0], tokens[i]));
        is_there[i] = true;
        wait_for(&stored[0]);
        int other = rand_r(&seed) % (i + 1);
        if (rand_r(&seed) % 2 && is_there[other]) {
            assert_ok(party_session_end(people, (struct str){tokens[other], 64}, loop_thread_loop(f.thread), on_stored, &stored[1]));
            is_there[other] = false;
            wait_for(&stored[1]);
        }
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(party_session(people, (struct str){tokens[i], 64}, &identity) == ERR_OK, is_there[i]);
    party_close(people);
    party_fixture_tear_down(&f);
}

static void passwords_are_argon2id_and_never_in_a_file(void **state)
{
    struct party_fixture f;
    struct diag diag = {""};
    party_fixture_set_up(&f);
    struct party_people *people = party_fixture_open(&f);
    assert_err(party_set_password(people, STR("nobody"), STR("long enough password"), &diag), ERR_NOT_FOUND);
    assert_err(party_set_password(people, STR("clerk"), STR("short"), &diag), ERR_RANGE);
    assert_ok(party_set_password(people, STR("clerk"), STR("一个够长的口令"), &diag));
    const struct party_person *clerk = party_person_find(people, STR("clerk")), *mayor = party_person_find(people, STR("mayor"));
    assert_true(str_starts_with(str_from_c(clerk->encoded), STR("$argon2id$")));
    assert_true(str_starts_with(str_from_c(mayor->encoded), STR("$argon2id$")));
    assert_ok(crypto_password_check(STR("一个够长的口令"), clerk->encoded));
    assert_err(crypto_password_check(STR(PARTY_DEMO_PASSWORD), clerk->encoded), ERR_CRYPTO);
    assert_ok(crypto_password_check(STR(PARTY_DEMO_PASSWORD), mayor->encoded));
    assert_err(crypto_password_check(STR("x"), party_nobody), ERR_CRYPTO); /* computed and refused, not refused for its form */
    party_close(people);
    people = party_fixture_open(&f);
    loop_thread_call(people->sign_in, nothing, NULL);
    assert_ok(crypto_password_check(STR("一个够长的口令"), party_person_find(people, STR("clerk"))->encoded));
    party_close(people);
    party_fixture_tear_down(&f);
}

#define POST "parties:\n  - {name: h/a, title: {zh: 岗, en: post}, kind: post}\n"
static void a_mistake_in_the_file_is_told_with_its_mend(void **state)
{
    static const struct {
        const char *text, *words;
        bool is_demo;
    } rows[] = {
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, area: h, password: hunter2}\n", "does not belong into a file",
            true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, area: h, password: demo}\n", "demo: true", false},
        {"parties:\n  - {name: h/a, title: {zh: 一, en: a}, kind: program, token: demo}\n", "demo: true", false},
        {"parties:\n  - {name: h/a, title: {zh: 一, en: a}, kind: program, token: abc}\n", "does not belong into a file", true},
        {"parties:\n  - {name: h/a, title: {zh: 一, en: a}, kind: program, token: demo}\n", "demo tokens are for a demo city", false},
        {"parties:\n  - {name: h/a, title: {zh: 一, en: a}, kind: program, token: file, roles: [manage]}\n", "no role but roles: [operate]",
            true},
        {"parties:\n  - {name: h/a, title: {zh: 一, en: a}, kind: program, token: file, roles: [operate, audit]}\n",
            "no role but roles: [operate]", true},
        {"parties:\n  - {name: h/a, title: {zh: 一, en: a}, kind: program, roles: [operate]}\n", "only with a token:", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, area: mars}\n", "no area \"mars\"", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, area: h}\n  - {name: a, title: {zh: 一, en: a}, post: h/a, area: "
              "h}\n",
            "there twice", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, area: h, pasword: demo}\n", "password", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/b, area: h}\n", "no party \"h/b\"", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, area: h, roles: [king]}\n", "\"king\" is no role", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, area: h, roles: [manage, audit]}\n", "are kept apart", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, area: h, for: h/b, roles: [audit]}\n", "no party \"h/b\"", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, subject: {}}\n", "subject: is a map", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, subject: plate}\n", "subject: is a map", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, subject: {plate: ''}}\n", "subject: is a map", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, area: h, subject: {plate: x}}\n", "a citizen has no area", true},
        {POST "people:\n  - {name: a, title: {zh: 一, en: a}, post: h/a, roles: [audit], subject: {plate: x}}\n", "a citizen has no area",
            true},
        {POST "people:\n  - {name: A b, title: {zh: 一, en: a}, post: h/a, area: h}\n", "is no name", true},
    };
    struct party_fixture f;
    party_fixture_set_up(&f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
        party_fixture_write(f.parties_path, rows[i].text);
        f.options.is_demo = rows[i].is_demo;
        assert_true(party_check(&f.options, diags) != ERR_OK);
        if (diags->n == 0 || !strstr(diags->diags[0].text, rows[i].words) || !strstr(diags->diags[0].text, "parties.yaml:"))
            fail_msg("row %zu: \"%s\" was not told, but: %s", i, rows[i].words, diags->n ? diags->diags[0].text : "nothing");
        mem_free(diags);
    }
    assert_int_equal(access(f.tokens, F_OK), -1); /* a check makes nothing */
    party_fixture_tear_down(&f);
}

/* The printed password is taken only while the city says that it is a demo. */
static void a_city_that_is_no_demo_any_more_forgets_the_demo_password(void **state)
{
    struct party_fixture f;
    party_fixture_set_up(&f);
    struct party_people *people = party_fixture_open(&f);
    loop_thread_call(people->sign_in, nothing, NULL);
    assert_ok(crypto_password_check(STR(PARTY_DEMO_PASSWORD), party_person_find(people, STR("mayor"))->encoded));
    party_close(people);
    f.options.is_demo = false;
    party_fixture_write(f.parties_path, "parties:\n  - {name: h/post.mayor, title: {zh: 岗, en: post}, kind: post}\n"
                                        "people:\n  - {name: mayor, title: {zh: 市长, en: Mayor}, post: h/post.mayor, area: h}\n");
    people = party_fixture_open(&f);
    assert_string_equal(party_person_find(people, STR("mayor"))->encoded, "");
    party_close(people);
    party_fixture_tear_down(&f);
}

static void guessing_is_slowed_down(void **state)
{
    struct party_limit *limit = NULL;
    struct mono_time now = {INT64_C(1000000000000)};
    const int64_t second = 1000000000;
    struct str here = STR("192.0.2.1"), there = STR("192.0.2.2");
    char text[32];

    assert_ok(party_limit_create(&limit));
    for (int i = 0; i < PARTY_FAILURES_PAIR; i++) {
        assert_false(party_limit_must_wait(limit, STR("mayor"), here, now));
        party_limit_failed(limit, STR("mayor"), here, now);
    }
    assert_true(party_limit_must_wait(limit, STR("mayor"), here, now));
    assert_false(party_limit_must_wait(limit, STR("mayor"), there, now)); /* the mayor's own desk is not kept out */
    assert_false(party_limit_must_wait(limit, STR("xihu"), here, now));
    now.ns += 31 * second;
    assert_false(party_limit_must_wait(limit, STR("mayor"), here, now)); /* one more try … */
    party_limit_failed(limit, STR("mayor"), here, now);
    assert_true(party_limit_must_wait(limit, STR("mayor"), here, now)); /* … and wait again */
    party_limit_succeeded(limit, STR("mayor"), here);
    assert_false(party_limit_must_wait(limit, STR("mayor"), here, now));

    for (int i = 0; i < PARTY_FAILURES_NAME; i++) { /* from many machines */
        snprintf(text, sizeof(text), "198.51.100.%d", i);
        party_limit_failed(limit, STR("xihu"), str_from_c(text), now);
    }
    assert_true(party_limit_must_wait(limit, STR("xihu"), there, now));
    for (int i = 0; i < PARTY_FAILURES_ADDRESS; i++) { /* many names from one machine */
        snprintf(text, sizeof(text), "name%d", i);
        party_limit_failed(limit, str_from_c(text), STR("203.0.113.9"), now);
    }
    assert_true(party_limit_must_wait(limit, STR("gudang"), STR("203.0.113.9"), now));
    now.ns += (int64_t)PARTY_FAILURE_FORGET_MS * 1000000 + second;
    party_limit_failed(limit, STR("xihu"), there, now);
    assert_false(party_limit_must_wait(limit, STR("xihu"), there, now)); /* the count began anew */
    party_limit_destroy(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_known_by_its_token),
        cmocka_unit_test(programs_told_by_another_process),
        cmocka_unit_test(a_session_lasts_over_a_restart_but_not_for_ever),
        cmocka_unit_test(signing_out_ends_it_on_disk_too),
        cmocka_unit_test(the_table_of_sessions_loses_nobody),
        cmocka_unit_test(passwords_are_argon2id_and_never_in_a_file),
        cmocka_unit_test(a_city_that_is_no_demo_any_more_forgets_the_demo_password),
        cmocka_unit_test(guessing_is_slowed_down),
        cmocka_unit_test(a_mistake_in_the_file_is_told_with_its_mend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
