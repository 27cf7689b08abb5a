/*
 * Tests of publication with witnesses: five of them in this process, some dead, silent or lying; the bound without a quorum; old copies and
 * forked histories; and a process killed a hundred times with its witnesses.
 */
#include "base/log.h"
#include "base/test.h"
#include "ledger/gather.h"
#include "ledger/ledger_testing.h"
#include "ledger/policy.h"
#include "ledger/verify.h"
#include "ledger/witness_store.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_WITNESSES 5
#define KILLS TEST_TIMES(100)

enum mood { HONEST, DEAD, SILENT, NONSENSE, LIAR_409, BROKEN };

/* Five witnesses and the way to them. */
struct five {
    struct ledger_sender sender;
    struct crypto_key *keys[N_WITNESSES];
    struct witness_store *stores[N_WITNESSES];
    _Atomic int moods[N_WITNESSES];
    _Atomic uint32_t silent; /* a request waits for ever at these */
    _Atomic uint64_t n_sent;
    struct ledger *ledger;
    struct policy *policy;
    pthread_mutex_t mutex; /* over the stores */
};

static char root[FILE_PATH_MAX];

/* Time runs ten times as fast, so that a halt is seen in half a second. */
static struct mono_time fast_mono(struct clock *clock)
{
    return (struct mono_time){clock_mono(clock_system()).ns * 10};
}
static struct wall_time fast_wall(struct clock *clock)
{
    return clock_wall(clock_system());
}
static struct clock fast_clock = {.wall = fast_wall, .mono = fast_mono};

static void send_to(struct ledger_sender *sender, struct ledger *ledger, size_t witness, struct str url, struct str body)
{
    struct five *five = (struct five *)(void *)sender; /* its first member */
    struct witness_answer answer;
    struct buf out;
    five->ledger = ledger;
    five->n_sent++;
    assert_true(str_starts_with(url, STR("http://")));
    int mood = five->moods[witness];
    switch (mood) {
    case DEAD:
        ledger_answered(ledger, witness, ERR_UNAVAILABLE, 0, STR_NONE);
        return;
    case SILENT:
        five->silent |= 1u << witness;
        return;
    case NONSENSE:
        ledger_answered(ledger, witness, ERR_OK, 200, STR("\xe2\x80\x94 hangzhou/w0 AAAAAAAAAAAA\n"));
        return;
    case LIAR_409:
        ledger_answered(ledger, witness, ERR_OK, 409, STR("99999999\n"));
        return;
    case BROKEN:
        ledger_answered(ledger, witness, ERR_OK, 503, STR("{}"));
        return;
    }
    buf_init(&out, 4096);
    pthread_mutex_lock(&five->mutex);
    assert_ok(witness_store_add_checkpoint(five->stores[witness], body, time(NULL), &out, &answer));
    pthread_mutex_unlock(&five->mutex);
    ledger_answered(ledger, witness, ERR_OK, (int)answer.status, buf_str(&out));
    buf_finish(&out);
}

static void stop_sending(struct ledger_sender *sender)
{
    struct five *five = (struct five *)(void *)sender;
    for (size_t i = 0; i < N_WITNESSES; i++)
        if (five->silent & 1u << i)
            ledger_answered(five->ledger, i, ERR_CANCELLED, 0, STR_NONE);
    five->silent = 0;
}

static void open_five(struct five *five, const char *dir, struct file_ops *files)
{
    struct buf policy;
    buf_init(&policy, POLICY_FILE_MAX);
    *five = (struct five){.sender = {.send = send_to, .stop = stop_sending}};
    pthread_mutex_init(&five->mutex, NULL);
    for (size_t i = 0; i < N_WITNESSES; i++) {
        char name[32], path[FILE_PATH_MAX], vkey[160];
        uint8_t seed[32] = {7, (uint8_t)i}, public_key[32];
        snprintf(name, sizeof name, "w%zu", i);
        assert_ok(file_join(path, dir, name));
        assert_ok(crypto_key_from_seed(seed, &five->keys[i]));
        struct witness_store_options options = {.dir = path, .name = str_from_c(name), .key = five->keys[i], .files = files};
        assert_ok(witness_store_open(&options, NULL, &five->stores[i]));
        testing_vkey(vkey);
        assert_ok(witness_store_add_log(five->stores[i], str_from_c(vkey), NULL));
        crypto_key_public(five->keys[i], public_key);
        buf_printf(&policy, "witness %s ", name);
        assert_ok(note_witness_vkey_write(str_from_c(name), public_key, &policy));
        buf_printf(&policy, " http://%s/\n", name);
    }
    buf_append_c(&policy, "group g 3 w0 w1 w2 w3 w4\nquorum g\n");
    assert_ok(policy_parse(buf_str(&policy), "policy", NULL, &five->policy));
    buf_finish(&policy);
}

static void close_five(struct five *five)
{
    for (size_t i = 0; i < N_WITNESSES; i++) {
        witness_store_close(five->stores[i]);
        crypto_key_destroy(five->keys[i]);
    }
    policy_destroy(five->policy);
    pthread_mutex_destroy(&five->mutex);
}

static enum err open_ledger(
    struct five *five, const char *name, int64_t checkpoint_ms, uint64_t unpublished_max, struct ledger **ret_ledger)
{
    char dir[FILE_PATH_MAX];
    assert_ok(file_join(dir, root, name));
    struct ledger_options options = {.dir = dir,
        .origin = STR(TESTING_ORIGIN),
        .key = testing_key(),
        .clock = &fast_clock,
        .policy = five ? five->policy : NULL,
        .sender = five ? &five->sender : NULL,
        .files = file_sim_unsynced_ops(),
        .checkpoint_ms = checkpoint_ms,
        .unpublished_max = unpublished_max};
    return ledger_open(&options, NULL, ret_ledger);
}

/* Which witnesses the published checkpoint bears. */
static uint32_t witnesses_of(const struct five *five, struct ledger *ledger)
{
    struct buf note;
    uint32_t witnesses = 0;
    buf_init(&note, NOTE_MAX);
    assert_ok(ledger_checkpoint(ledger, &note));
    assert_ok(policy_cosigned(five->policy, buf_str(&note), &witnesses, NULL));
    buf_finish(&note);
    return witnesses;
}

static bool wait_until(bool (*is_so)(struct ledger *ledger, uint64_t number), struct ledger *ledger, uint64_t number)
{
    for (int i = 0; i < 10000 && !is_so(ledger, number); i++)
        usleep(1000);
    return is_so(ledger, number);
}

static bool is_published(struct ledger *ledger, uint64_t number)
{
    return ledger_n_published(ledger) >= number;
}

static bool is_halted(struct ledger *ledger, uint64_t number)
{
    struct ledger_status status;
    ledger_status(ledger, &status);
    return status.is_halted == (number != 0);
}

static bool is_in_trouble(struct ledger *ledger, uint64_t number) /* so many witnesses */
{
    struct ledger_status status;
    uint64_t n = 0;
    ledger_status(ledger, &status);
    for (size_t i = 0; i < status.n_witnesses; i++)
        n += !status.witnesses[i].cosigns;
    return n == number;
}

static int setup(void **state)
{
    log_set_level(LOG_ERROR - 1); /* what is told on purpose below is no failure */
    file_sim_make_root(root);
    return 0;
}

static int finish(void **state)
{
    file_sim_remove_tree(root);
    return 0;
}

/* ---- who is needed ---- */

static void a_checkpoint_counts_when_a_quorum_has_cosigned(void **state)
{
    static const struct {
        int moods[N_WITNESSES];
        uint32_t witnesses;
    } rows[] = {
        {{HONEST, HONEST, HONEST, HONEST, HONEST}, 31},
        {{DEAD, HONEST, HONEST, HONEST, DEAD}, 14},
        {{SILENT, HONEST, HONEST, HONEST, NONSENSE}, 14},
        {{HONEST, LIAR_409, BROKEN, HONEST, HONEST}, 25},
    };
    struct five five;
    struct ledger *ledger;
    uint64_t n = 0;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        open_five(&five, root, file_sim_unsynced_ops());
        assert_ok(open_ledger(&five, "ledger", 1000000, 0, &ledger));
        for (size_t i = 0; i < N_WITNESSES; i++)
            five.moods[i] = rows[row].moods[i];
        for (int round = 0; round < 4; round++) {
            testing_append_all(ledger, n, n + 100);
            n += 100;
            assert_ok(ledger_publish(ledger));
            assert_int_equal(ledger_n_published(ledger), n);
            assert_int_equal(witnesses_of(&five, ledger), rows[row].witnesses);
            assert_int_equal(testing_check(ledger), n);
        }
        assert_true(wait_until(is_in_trouble, ledger, (uint64_t)(5 - __builtin_popcount(rows[row].witnesses)) - (row == 2 ? 1 : 0)));
        ledger_close(ledger);
        close_five(&five);
    }
}

static void without_a_quorum_publication_halts_and_storing_goes_on(void **state)
{
    struct five five;
    struct ledger *ledger;
    struct buf proof;
    buf_init(&proof, NOTE_MAX);
    open_five(&five, root, file_sim_unsynced_ops());
    assert_ok(open_ledger(&five, "ledger", 100, 0, &ledger));
    testing_append_all(ledger, 0, 10);
    assert_true(wait_until(is_published, ledger, 10));
    five.moods[0] = five.moods[1] = DEAD;
    five.moods[2] = SILENT;
    testing_append_all(ledger, 10, 1000);
    assert_true(wait_until(is_halted, ledger, 1));
    testing_append_all(ledger, 1000, 2000);
    assert_int_equal(ledger_n_published(ledger), 10);
    assert_int_equal(ledger_n_durable(ledger), 2000);
    assert_err(ledger_proof(ledger, 500, &proof), ERR_BUSY);
    assert_ok(ledger_proof(ledger, 5, &proof));
    five.moods[1] = HONEST;
    assert_true(wait_until(is_published, ledger, 2000));
    assert_true(wait_until(is_halted, ledger, 0));
    assert_ok(ledger_proof(ledger, 500, &proof));
    assert_int_equal(testing_check(ledger), 2000);
    ledger_close(ledger);
    close_five(&five);
    buf_finish(&proof);
}

static void the_bound_without_a_quorum_is_held(void **state)
{
    struct five five;
    struct ledger *ledger;
    enum err err;
    open_five(&five, root, file_sim_unsynced_ops());
    for (size_t i = 0; i < N_WITNESSES; i++)
        five.moods[i] = DEAD;
    assert_ok(open_ledger(&five, "ledger", 100, 50, &ledger));
    uint64_t n = testing_append(ledger, 0, 1000, false, NULL, &err);
    assert_err(err, ERR_FULL);
    assert_in_range(n, 51, 999);
    for (size_t i = 0; i < N_WITNESSES; i++)
        five.moods[i] = HONEST;
    assert_true(wait_until(is_published, ledger, n));
    testing_append_all(ledger, n, n + 10);
    assert_ok(ledger_publish(ledger));
    assert_int_equal(testing_check(ledger), n + 10);
    ledger_close(ledger);
    close_five(&five);
}

/* A dead quorum must not keep a brain from ending; and the next start goes on where it was. */
static void a_close_without_a_quorum_ends(void **state)
{
    struct five five;
    struct ledger *ledger;
    open_five(&five, root, file_sim_unsynced_ops());
    for (size_t i = 0; i < N_WITNESSES; i++)
        five.moods[i] = i % 2 ? SILENT : DEAD;
    assert_ok(open_ledger(&five, "ledger", 100, 0, &ledger));
    testing_append_all(ledger, 0, 700);
    ledger_close(ledger);
    for (size_t i = 0; i < N_WITNESSES; i++)
        five.moods[i] = HONEST;
    assert_ok(open_ledger(&five, "ledger", 100, 0, &ledger));
    assert_true(wait_until(is_published, ledger, 700));
    assert_int_equal(testing_check(ledger), 700);
    ledger_close(ledger);
    close_five(&five);
}

/* A log that had no witnesses gets some: its checkpoint is cosigned without a new leaf. */
static void an_old_checkpoint_gets_its_quorum(void **state)
{
    struct five five;
    struct ledger *ledger;
    assert_ok(open_ledger(NULL, "ledger", 1000000, 0, &ledger));
    testing_append_all(ledger, 0, 300);
    ledger_close(ledger);
    open_five(&five, root, file_sim_unsynced_ops());
    assert_ok(open_ledger(&five, "ledger", 100, 0, &ledger));
    for (int i = 0; i < 10000 && witnesses_of(&five, ledger) != 31; i++)
        usleep(1000);
    assert_int_equal(witnesses_of(&five, ledger), 31);
    assert_int_equal(ledger_n_published(ledger), 300);
    ledger_close(ledger);
    assert_ok(open_ledger(&five, "ledger", 100, 0, &ledger)); /* and then needs nobody again */
    uint64_t n_sent = five.n_sent;
    usleep(50000);
    assert_int_equal(five.n_sent, n_sent);
    ledger_close(ledger);
    close_five(&five);
}

static void a_policy_for_another_log_is_refused(void **state)
{
    struct five five;
    struct ledger *ledger;
    struct policy *policy;
    open_five(&five, root, file_sim_unsynced_ops());
    assert_ok(
        policy_parse(STR("log PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\nquorum none\n"), "p", NULL, &policy));
    struct policy *own = five.policy;
    five.policy = policy;
    assert_err(open_ledger(&five, "ledger", 100, 0, &ledger), ERR_RANGE);
    five.policy = own;
    policy_destroy(policy);
    close_five(&five);
}

static enum verify_result verify_with(struct five *five, const char *group, const char *log_line, struct str receipt, const char *told)
{
    struct buf text;
    struct policy *policy;
    struct verify_report report;
    uint8_t public_key[32];
    buf_init(&text, POLICY_FILE_MAX);
    buf_append_c(&text, log_line);
    for (size_t i = 0; i < N_WITNESSES; i++) {
        char name[32];
        snprintf(name, sizeof name, "w%zu", i);
        crypto_key_public(five->keys[i], public_key);
        buf_printf(&text, "witness %s ", name);
        assert_ok(note_witness_vkey_write(str_from_c(name), public_key, &text));
        buf_append_byte(&text, '\n');
    }
    buf_append_c(&text, group);
    assert_ok(policy_parse(buf_str(&text), "policy", NULL, &policy));
    verify_receipt(receipt, "r.json", STR_NONE, policy, &report);
    if (!strstr(report.diag.text, told))
        fail_msg("\"%s\"", report.diag.text);
    policy_destroy(policy);
    buf_finish(&text);
    return report.result;
}

/* A receipt holds against the policy that its verifier brings, whatever the log's own was. */
static void a_receipt_is_held_against_the_verifiers_policy(void **state)
{
    struct five five;
    struct ledger *ledger;
    struct buf receipt;
    char vkey[160], log_line[200];
    uint8_t public_key[32];
    buf_init(&receipt, VERIFY_FILE_MAX);
    open_five(&five, root, file_sim_unsynced_ops());
    five.moods[3] = five.moods[4] = DEAD;
    assert_ok(open_ledger(&five, "ledger", 1000000, 0, &ledger));
    testing_append_all(ledger, 0, 300);
    assert_ok(ledger_publish(ledger));
    crypto_key_public(testing_key(), public_key);
    assert_ok(verify_write_receipt(ledger, 123, public_key, &receipt));
    testing_vkey(vkey);
    snprintf(log_line, sizeof log_line, "log %s\n", vkey);
    static const char of_three[] = "group g 3 w0 w1 w2 w3 w4\nquorum g\n", of_four[] = "group g 4 w0 w1 w2 w3 w4\nquorum g\n";
    assert_int_equal(verify_with(&five, of_three, "", buf_str(&receipt), ""), VERIFY_PROVEN);
    assert_int_equal(verify_with(&five, of_three, log_line, buf_str(&receipt), ""), VERIFY_PROVEN);
    assert_int_equal(verify_with(&five, of_four, log_line, buf_str(&receipt), "3 of 5 witnesses"), VERIFY_REFUSED);
    assert_int_equal(verify_with(&five, "quorum w4\n", log_line, buf_str(&receipt), "missing: w3, w4"), VERIFY_REFUSED);
    assert_int_equal(verify_with(&five, of_three, "log PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
                         buf_str(&receipt), "is none of the policy's"),
        VERIFY_REFUSED);
    ledger_close(ledger);
    close_five(&five);
    buf_finish(&receipt);
}

/* ---- rollback, forks ---- */

static void copy_tree(const char *from, const char *to)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp("cp", "cp", "-a", from, to, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static _Atomic size_t n_noted;

static void note(struct ledger_append *append)
{
    atomic_fetch_add(&n_noted, 1);
}

struct foreign {
    struct ledger_append append;
    char text[512];
};

/* Leaves that are not those of testing_leaf() at their places. */
static void append_others(struct ledger *ledger, size_t n)
{
    static struct foreign foreign[300];
    uint64_t wanted = ledger_n_durable(ledger) + n;
    assert_true(n <= 300);
    atomic_store(&n_noted, 0);
    for (size_t i = 0; i < n; i++) {
        foreign[i].append = (struct ledger_append){.leaf = testing_leaf(900000 + i, foreign[i].text), .done = note};
        assert_ok(ledger_append(ledger, &foreign[i].append));
    }
    for (int i = 0; i < 10000 && atomic_load(&n_noted) < n; i++) /* their memory is ours again */
        usleep(1000);
    assert_int_equal(atomic_load(&n_noted), n);
    assert_int_equal(ledger_n_durable(ledger), wanted);
}

static const char *trouble_of(struct ledger *ledger, size_t witness)
{
    struct ledger_status status;
    ledger_status(ledger, &status);
    return status.witnesses[witness].trouble;
}

static void an_old_copy_is_refused_by_the_witnesses(void **state)
{
    struct five five;
    struct ledger *ledger;
    char from[FILE_PATH_MAX], to[FILE_PATH_MAX];
    open_five(&five, root, file_sim_unsynced_ops());
    assert_ok(open_ledger(&five, "ledger", 1000000, 0, &ledger));
    testing_append_all(ledger, 0, 400);
    ledger_close(ledger);
    assert_ok(file_join(from, root, "ledger"));
    assert_ok(file_join(to, root, "old"));
    copy_tree(from, to);
    assert_ok(open_ledger(&five, "ledger", 1000000, 0, &ledger));
    testing_append_all(ledger, 400, 500);
    ledger_close(ledger);

    assert_ok(open_ledger(&five, "old", 100, 0, &ledger)); /* rolled back: 409 */
    testing_append_all(ledger, 400, 401);
    assert_true(wait_until(is_in_trouble, ledger, 5));
    assert_true(wait_until(is_halted, ledger, 1));
    assert_non_null(strstr(trouble_of(ledger, 0), "the folder is an old copy"));
    assert_int_equal(ledger_n_published(ledger), 400);
    append_others(ledger, 99); /* another history, as long as the one that was cosigned */
    usleep(100000);
    assert_int_equal(ledger_n_published(ledger), 400);
    append_others(ledger, 200); /* and longer: 422 */
    for (int i = 0; i < 10000 && !strstr(trouble_of(ledger, 0), "no beginning of this log"); i++)
        usleep(1000);
    assert_non_null(strstr(trouble_of(ledger, 0), "no beginning of this log"));
    assert_int_equal(ledger_n_published(ledger), 400);
    ledger_close(ledger);

    assert_ok(open_ledger(&five, "ledger", 100, 0, &ledger)); /* the true one is welcome as ever */
    testing_append_all(ledger, 500, 510);
    assert_true(wait_until(is_published, ledger, 510));
    assert_int_equal(testing_check(ledger), 510);
    ledger_close(ledger);
    close_five(&five);
}

/* ---- kill -9 ---- */

struct told {
    _Atomic uint64_t n_acknowledged, n_published;
};

static void live_until_killed(struct told *told)
{
    struct five five;
    struct ledger *ledger;
    enum err err;
    open_five(&five, root, NULL);
    assert_ok(open_ledger(&five, "ledger", 5, 0, &ledger));
    for (;;) {
        uint64_t from = ledger_n_durable(ledger);
        told->n_acknowledged = testing_append(ledger, from, from + 7, false, NULL, &err);
        assert_ok(err);
        told->n_published = ledger_n_published(ledger);
    }
}

static void nothing_is_lost_by_kills(void **state)
{
    struct told *told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(told != MAP_FAILED);
    uint64_t published = 0;
    for (int kill_number = 0; kill_number < KILLS; kill_number++) {
        struct five five;
        struct ledger *ledger;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            live_until_killed(told);
        uint64_t before = told->n_acknowledged;
        for (int i = 0; i < 20000 && told->n_acknowledged < before + 7; i++) /* it has come up */
            usleep(500);
        usleep((useconds_t)(kill_number * 7919 % 30000));
        kill(pid, SIGKILL);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* and not of an assertion */
        if (kill_number % 5 != 4)
            continue;
        open_five(&five, root, file_sim_unsynced_ops());
        assert_ok(open_ledger(&five, "ledger", 100, 0, &ledger));
        uint64_t n = ledger_n_durable(ledger);
        assert_true(n >= told->n_acknowledged && ledger_n_published(ledger) >= told->n_published);
        assert_true(wait_until(is_published, ledger, n)); /* no witness was left with another history */
        assert_true(__builtin_popcount(witnesses_of(&five, ledger)) >= 3);
        assert_int_equal(testing_check(ledger), n);
        published = ledger_n_published(ledger);
        ledger_close(ledger);
        close_five(&five);
    }
    printf("%d kills, %" PRIu64 " leaves, all there and under a quorum\n", KILLS, published);
    assert_true(published > KILLS * 7);
    munmap(told, sizeof *told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_checkpoint_counts_when_a_quorum_has_cosigned, setup, finish),
        cmocka_unit_test_setup_teardown(without_a_quorum_publication_halts_and_storing_goes_on, setup, finish),
        cmocka_unit_test_setup_teardown(the_bound_without_a_quorum_is_held, setup, finish),
        cmocka_unit_test_setup_teardown(a_close_without_a_quorum_ends, setup, finish),
        cmocka_unit_test_setup_teardown(an_old_checkpoint_gets_its_quorum, setup, finish),
        cmocka_unit_test_setup_teardown(a_policy_for_another_log_is_refused, setup, finish),
        cmocka_unit_test_setup_teardown(a_receipt_is_held_against_the_verifiers_policy, setup, finish),
        cmocka_unit_test_setup_teardown(an_old_copy_is_refused_by_the_witnesses, setup, finish),
        cmocka_unit_test_setup_teardown(nothing_is_lost_by_kills, setup, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
