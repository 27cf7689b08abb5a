/*
 * Writes a log for a verifier that this project did not write: write_log DIR N [sm].
 *
 *     DIR/ledger/log/…          the static files
 *     DIR/vkey                  the verifier key
 *     DIR/witnesses             those of five witnesses, all of whom have cosigned each checkpoint; their memory is DIR/w0 to w4
 *     DIR/checkpoints/SIZE      the checkpoint as it stood at some sizes on the way
 *     DIR/ledger/log-sm3/…      with "sm": the parallel log in SM3 and SM2, and DIR/vkey-sm, DIR/proofs-sm/INDEX
 *     DIR/proofs/INDEX          a tlog-proof under the last checkpoint, for every 70th leaf
 */
#include "base/file.h"
#include "base/log.h"
#include "ledger/ledger.h"
#include "ledger/policy.h"
#include "ledger/sm_log.h"
#include "ledger/witness_store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_AT_ONCE 1000

static void must(enum err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "write_log: %s: %s\n", what, err_text(err));
    exit(1);
}

static void put_file(const char *dir, const char *name, struct str bytes)
{
    char path[FILE_PATH_MAX];
    must(file_make_dirs(file_ops_system(), dir), dir);
    must(file_join(path, dir, name), name);
    must(file_replace(file_ops_system(), path, bytes), path);
}

static struct {
    struct ledger_append append;
    char text[400];
} slots[N_AT_ONCE];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static size_t n_waiting;

static void note_done(struct ledger_append *append)
{
    must(append->err, "append");
    pthread_mutex_lock(&mutex);
    n_waiting--;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&mutex);
}

static void append_some(struct ledger *ledger, uint64_t from, size_t n)
{
    n_waiting = n;
    for (size_t i = 0; i < n; i++) {
        int len = snprintf(slots[i].text, sizeof slots[i].text,
            "{\"consumer\":\"hangzhou/scene.count\",\"contract\":\"hangzhou/c-1\",\"n\":%" PRIu64
            ",\"provider\":\"hangzhou/police\",\"purpose\":\"traffic.count\",\"resource\":\"hangzhou/police/passage\",\"type\":\"intent\"}",
            from + i);
        slots[i].append = (struct ledger_append){.leaf = {slots[i].text, (size_t)len}, .done = note_done};
        must(ledger_append(ledger, &slots[i].append), "append");
    }
    pthread_mutex_lock(&mutex);
    while (n_waiting > 0)
        pthread_cond_wait(&wake, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void keep_checkpoint(struct ledger *ledger, const char *dir)
{
    char folder[FILE_PATH_MAX], name[32];
    struct buf note;
    buf_init(&note, 1 << 16);
    must(ledger_publish(ledger), "publish");
    must(ledger_checkpoint(ledger, &note), "checkpoint");
    must(file_join(folder, dir, "checkpoints"), dir);
    snprintf(name, sizeof name, "%" PRIu64, ledger_n_published(ledger));
    put_file(folder, name, buf_str(&note));
    buf_finish(&note);
}

/* ---- five witnesses in this process ---- */

#define N_WITNESSES 5

struct five {
    struct ledger_sender sender; /* first member */
    struct crypto_key *keys[N_WITNESSES];
    struct witness_store *stores[N_WITNESSES];
    struct policy *policy;
};

static void ask_witness(struct ledger_sender *sender, struct ledger *ledger, size_t witness, struct str url, struct str body)
{
    struct five *five = (struct five *)(void *)sender;
    struct witness_answer answer;
    struct buf out;
    buf_init(&out, 4096);
    must(witness_store_add_checkpoint(five->stores[witness], body, 1793491200, &out, &answer), "witness");
    ledger_answered(ledger, witness, ERR_OK, (int)answer.status, buf_str(&out));
    buf_finish(&out);
}

static void no_more(struct ledger_sender *sender) {}

static void open_five(struct five *five, const char *dir, struct str log_vkey)
{
    struct buf policy, vkeys;
    buf_init(&policy, POLICY_FILE_MAX);
    buf_init(&vkeys, POLICY_FILE_MAX);
    five->sender = (struct ledger_sender){.send = ask_witness, .stop = no_more};
    for (size_t i = 0; i < N_WITNESSES; i++) {
        char name[32], path[FILE_PATH_MAX];
        uint8_t seed[32] = {5, (uint8_t)i}, public_key[32];
        snprintf(name, sizeof name, "w%zu", i);
        must(file_join(path, dir, name), name);
        must(crypto_key_from_seed(seed, &five->keys[i]), "key");
        struct witness_store_options options = {.dir = path, .name = str_from_c(name), .key = five->keys[i]};
        must(witness_store_open(&options, NULL, &five->stores[i]), "witness");
        must(witness_store_add_log(five->stores[i], log_vkey, NULL), "witness's log");
        crypto_key_public(five->keys[i], public_key);
        buf_printf(&policy, "witness %s ", name);
        must(note_witness_vkey_write(str_from_c(name), public_key, &policy), "vkey");
        buf_append_c(&policy, " http://in.process\n");
        must(note_witness_vkey_write(str_from_c(name), public_key, &vkeys), "vkey");
        buf_append_byte(&vkeys, '\n');
    }
    buf_append_c(&policy, "group all-of-them all w0 w1 w2 w3 w4\nquorum all-of-them\n");
    must(policy_parse(buf_str(&policy), "policy", NULL, &five->policy), "policy");
    put_file(dir, "witnesses", buf_str(&vkeys));
    buf_finish(&policy);
    buf_finish(&vkeys);
}

static void close_five(struct five *five)
{
    for (size_t i = 0; i < N_WITNESSES; i++) {
        witness_store_close(five->stores[i]);
        crypto_key_destroy(five->keys[i]);
    }
    policy_destroy(five->policy);
}

static void write_sm(struct ledger *ledger, const char *dir, uint64_t n)
{
    char folder[FILE_PATH_MAX], name[32];
    struct buf text;
    buf_init(&text, 1 << 16);
    must(sm_log_vkey(ledger_sm_log(ledger), &text), "vkey-sm");
    put_file(dir, "vkey-sm", buf_str(&text));
    must(file_join(folder, dir, "proofs-sm"), dir);
    for (uint64_t i = 0; i < n; i += 10) {
        buf_reset(&text);
        must(sm_log_proof(ledger_sm_log(ledger), i, &text), "proof-sm");
        snprintf(name, sizeof name, "%" PRIu64, i);
        put_file(folder, name, buf_str(&text));
    }
    buf_finish(&text);
}

int main(int argc, char **argv)
{
    static const uint64_t sizes[] = {1, 2, 255, 256, 257, 1000, 35072, 65535, 65536, 65537};
    static const uint8_t seed[32] = {20, 26, 11, 22};
    uint64_t n_leaves, n = 0;
    bool has_sm = argc == 4 && strcmp(argv[3], "sm") == 0;
    if ((argc != 3 && !has_sm) || str_to_u64(str_from_c(argv[2]), &n_leaves) != ERR_OK) {
        fprintf(stderr, "usage: write_log DIR N [sm]\n");
        return 2;
    }
    char folder[FILE_PATH_MAX], name[32];
    uint8_t public_key[32];
    struct crypto_key *key;
    struct ledger *ledger;
    struct five five;
    struct buf text;
    struct diag diag = {""};
    buf_init(&text, 1 << 16);
    must(crypto_key_from_seed(seed, &key), "key");
    crypto_key_public(key, public_key);
    must(file_join(folder, argv[1], "ledger"), argv[1]);
    struct ledger_options options = {.dir = folder, .origin = STR("hangzhou.log"), .key = key, .clock = clock_system()};
    must(ledger_vkey(options.origin, public_key, &text), "vkey");
    put_file(argv[1], "vkey", buf_str(&text));
    open_five(&five, argv[1], buf_str(&text));
    struct sign_key *sm_key = NULL;
    if (has_sm)
        must(sign_key_read(STR("citybrain-key:sm2:20261122000000000000000000000000000000000000000000000000000000ff"), &sm_key), "sm2 key");
    options.sm_origin = STR("hangzhou.log.sm");
    options.sm_key = sm_key;
    options.policy = five.policy;
    options.sender = &five.sender;
    must(ledger_open(&options, &diag, &ledger), diag.text);
    for (size_t at = 0; n < n_leaves;) {
        uint64_t until = at < sizeof sizes / sizeof *sizes && sizes[at] < n_leaves ? sizes[at] : n_leaves;
        while (n < until) {
            size_t some = until - n < N_AT_ONCE ? (size_t)(until - n) : N_AT_ONCE;
            append_some(ledger, n, some);
            n += some;
        }
        at++;
        keep_checkpoint(ledger, argv[1]);
    }
    must(file_join(folder, argv[1], "proofs"), argv[1]);
    for (uint64_t i = 0; i < n; i += 70) {
        buf_reset(&text);
        must(ledger_proof(ledger, i, &text), "proof");
        snprintf(name, sizeof name, "%" PRIu64, i);
        put_file(folder, name, buf_str(&text));
    }
    buf_finish(&text);
    if (has_sm)
        write_sm(ledger, argv[1], n);
    ledger_close(ledger);
    sign_key_destroy(sm_key);
    close_five(&five);
    crypto_key_destroy(key);
    return 0;
}
