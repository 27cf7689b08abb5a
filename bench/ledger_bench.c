/*
 * How fast the ledger takes leaves, on the disk of CITYBRAIN_DATA.
 *
 *     ledger_leaves_per_s      leaves of 180 to 400 bytes, at most IN_FLIGHT waiting, from the first append until the last is under a
 *                              published checkpoint: journal fsynced, hashed, tiles and bundles fsynced, checkpoint signed
 *     ledger_durable_per_s     the same leaves, until the last is acknowledged
 *     ledger_cpu_us_per_leaf   CPU of the whole process for them, the sender's part included; a busy machine changes it least
 *     ledger_append_p50_us     one append at a time: until it is durable (about one fdatasync)
 *     ledger_append_p99_us     open loop, 20,000 a second at even times, from the time it was due until it is durable
 *     ledger_proofs_per_s      inclusion proofs of random leaves, signed checkpoint included, one thread
 *     ledger_evidence_p99_ms   500 leaves a second for ten seconds: from the moment one is durable until it is under a published checkpoint
 *
 *     ledger_bench POLICY      the first three and the last of these with witnesses, as witnessed_…: published is what a quorum has
 * cosigned; bench/witnessed_bench.py starts them ledger_bench --vkey      the log's verifier key, for the witnesses
 */
#include "base/file.h"
#include "base/mem.h"
#include "base/sign.h"
#include "brain/sender.h"
#include "ledger/ledger.h"
#include "ledger/policy.h"

#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define N_LEAVES 1000000
#define IN_FLIGHT 8192
#define N_SINGLE 2000
#define RATE 20000
#define N_PACED (RATE * 4)
#define N_PROOFS 5000
#define EVIDENCE_RATE 500
#define N_EVIDENCE (EVIDENCE_RATE * 10)

struct slot {
    struct ledger_append append;
    _Atomic bool is_busy;
    int64_t due_ns;
    int64_t *ret_took_ns; /* NULL: not asked */
    char bytes[400];
};

static struct slot slots[IN_FLIGHT];
static _Atomic uint64_t n_failed;

static int64_t now_ns(void)
{
    return clock_mono(clock_system()).ns;
}

static void must(enum err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "ledger_bench: %s: %s\n", what, err_text(err));
    exit(1);
}

static void note_done(struct ledger_append *append)
{
    struct slot *slot = container_of(append, struct slot, append);
    if (slot->ret_took_ns)
        *slot->ret_took_ns = now_ns() - slot->due_ns;
    n_failed += append->err != ERR_OK;
    atomic_store_explicit(&slot->is_busy, false, memory_order_release);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static void send(struct ledger *ledger, uint64_t i, int64_t due_ns, int64_t *ret_took_ns)
{
    struct slot *slot = &slots[i % IN_FLIGHT];
    while (atomic_load_explicit(&slot->is_busy, memory_order_acquire))
        nap();
    slot->due_ns = due_ns;
    slot->ret_took_ns = ret_took_ns;
    memcpy(slot->bytes, &i, sizeof i);
    slot->append = (struct ledger_append){.leaf = {slot->bytes, 180 + (size_t)(i * 37 % 221)}, .done = note_done};
    slot->is_busy = true;
    enum err err;
    while ((err = ledger_append(ledger, &slot->append)) == ERR_FULL)
        nap();
    must(err, "append");
}

static void wait_for_all(void)
{
    for (size_t i = 0; i < IN_FLIGHT; i++)
        while (atomic_load_explicit(&slots[i].is_busy, memory_order_acquire))
            nap();
}

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_us(int64_t *took_ns, size_t n, double part)
{
    qsort(took_ns, n, sizeof *took_ns, compare_ns);
    return (double)took_ns[(size_t)((double)(n - 1) * part)] / 1000;
}

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void measure_rate(struct ledger *ledger, const char *prefix)
{
    double start_cpu_us = cpu_us();
    int64_t start_ns = now_ns();
    for (uint64_t i = 0; i < N_LEAVES; i++)
        send(ledger, i, 0, NULL);
    wait_for_all();
    int64_t durable_ns = now_ns() - start_ns;
    must(ledger_publish(ledger), "publish");
    int64_t published_ns = now_ns() - start_ns;
    if (n_failed > 0 || ledger_n_published(ledger) < N_LEAVES)
        must(ERR_STATE, "some leaves were not taken");
    printf("%s_leaves_per_s %.0f leaves/s\n", prefix, N_LEAVES * 1e9 / (double)published_ns);
    printf("%s_cpu_us_per_leaf %.2f us\n", prefix, (cpu_us() - start_cpu_us) / N_LEAVES);
    printf("%s_durable_per_s %.0f leaves/s\n", prefix, N_LEAVES * 1e9 / (double)durable_ns);
}

static void measure_latency(struct ledger *ledger)
{
    int64_t *took_ns = mem_alloc_zero(N_PACED, sizeof *took_ns);
    if (!took_ns)
        must(ERR_NO_MEMORY, "times");
    for (uint64_t i = 0; i < N_SINGLE; i++) {
        send(ledger, i, now_ns(), &took_ns[i]);
        while (atomic_load_explicit(&slots[i % IN_FLIGHT].is_busy, memory_order_acquire))
            sched_yield();
    }
    printf("ledger_append_p50_us %.0f us\n", percentile_us(took_ns, N_SINGLE, 0.5));
    int64_t start_ns = now_ns();
    for (uint64_t i = 0; i < N_PACED; i++) {
        int64_t due_ns = start_ns + (int64_t)i * (1000000000 / RATE);
        while (now_ns() < due_ns)
            sched_yield();
        send(ledger, i, due_ns, &took_ns[i]);
    }
    wait_for_all();
    printf("ledger_append_p99_us %.0f us\n", percentile_us(took_ns, N_PACED, 0.99));
    mem_free(took_ns);
}

/* Until evidence: the published size is looked at each half millisecond. */
static void measure_evidence(struct ledger *ledger, const char *prefix)
{
    int64_t *durable_ns = mem_alloc_zero(N_EVIDENCE, sizeof *durable_ns), *took_ns = mem_alloc_zero(N_EVIDENCE, sizeof *took_ns);
    if (!durable_ns || !took_ns)
        must(ERR_NO_MEMORY, "times");
    uint64_t first = ledger_n_durable(ledger), n_sent = 0, n_evident = 0;
    int64_t start_ns = now_ns();
    while (n_evident < N_EVIDENCE) {
        for (; n_sent < N_EVIDENCE && now_ns() - start_ns >= (int64_t)n_sent * (1000000000 / EVIDENCE_RATE); n_sent++)
            send(ledger, n_sent, now_ns(), &durable_ns[n_sent]);
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
        uint64_t published = ledger_n_published(ledger);
        for (; n_evident < n_sent && first + n_evident < published; n_evident++) /* from when it was due and made durable */
            took_ns[n_evident] = now_ns() - (start_ns + (int64_t)n_evident * (1000000000 / EVIDENCE_RATE) + durable_ns[n_evident]);
    }
    printf("%s_evidence_p99_ms %.0f ms\n", prefix, percentile_us(took_ns, N_EVIDENCE, 0.99) / 1000);
    mem_free(durable_ns);
    mem_free(took_ns);
}

static void measure_proofs(struct ledger *ledger)
{
    struct buf proof;
    uint64_t random = 20261122, n = ledger_n_published(ledger);
    buf_init(&proof, 1 << 16);
    int64_t start_ns = now_ns();
    for (int i = 0; i < N_PROOFS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        buf_reset(&proof);
        must(ledger_proof(ledger, (random >> 20) % n, &proof), "proof");
    }
    printf("ledger_proofs_per_s %.0f proofs/s\n", N_PROOFS * 1e9 / (double)(now_ns() - start_ns));
    buf_finish(&proof);
}

static int print_vkey(const struct crypto_key *key)
{
    struct buf vkey;
    uint8_t public_key[32];
    buf_init(&vkey, 1000);
    crypto_key_public(key, public_key);
    must(ledger_vkey(STR("bench.log"), public_key, &vkey), "vkey");
    printf(STR_FORMAT "\n", STR_ARG(buf_str(&vkey)));
    buf_finish(&vkey);
    return 0;
}

int main(int argc, char **argv)
{
    const char *data = getenv("CITYBRAIN_DATA"), *prefix = argc > 1 ? "witnessed" : "ledger";
    bool has_sm = argc > 1 && strcmp(argv[1], "--sm") == 0;
    struct sign_key *sm_key = NULL;
    char dir[FILE_PATH_MAX];
    uint8_t seed[32] = {1};
    struct crypto_key *key;
    struct ledger *ledger;
    struct policy *policy = NULL;
    struct sender *sender = NULL;
    struct diag diag = {""};
    must(crypto_key_from_seed(seed, &key), "key");
    if (argc > 1 && strcmp(argv[1], "--vkey") == 0)
        return print_vkey(key);
    if (!data) {
        fprintf(stderr, "ledger_bench: CITYBRAIN_DATA names no folder; mend: run it through bench/run\n");
        return 2;
    }
    must(file_join(dir, data, "ledger"), data);
    struct ledger_options options = {.dir = dir, .origin = STR("bench.log"), .key = key, .clock = clock_system()};
    if (has_sm) {
        prefix = "sm";
        must(sign_key_make(SIGN_SM2, &sm_key), "SM2 key");
        options.sm_origin = STR("bench.log.sm");
        options.sm_key = sm_key;
    } else if (argc > 1) {
        must(policy_load(argv[1], &diag, &policy), diag.text);
        must(sender_create(options.clock, &sender), "sender");
        options.policy = policy;
        options.sender = sender_slots(sender);
    }
    must(ledger_open(&options, &diag, &ledger), diag.text);
    measure_rate(ledger, prefix);
    bool is_plain = !policy && !sm_key;
    if (is_plain)
        measure_latency(ledger);
    must(ledger_publish(ledger), "publish");
    if (is_plain)
        measure_proofs(ledger);
    if (!sm_key) /* whose anchors take numbers in between */
        measure_evidence(ledger, prefix);
    ledger_close(ledger);
    sign_key_destroy(sm_key);
    sender_destroy(sender);
    policy_destroy(policy);
    crypto_key_destroy(key);
    return 0;
}
