/* The ether between the hubs of a test, and the hubs' life: district/hubs_testing.h. */
#include "district/hubs_testing.h"

#include "base/mem.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the ether ---- */

pthread_mutex_t ether_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ether {
    struct district *districts[HUBS_MAX];
    struct loop *loops[HUBS_MAX];
    bool is_cut, loses_answers, doubles;
} ether;

struct packet {
    struct loop_task task;
    struct district *to;
    int from;
    struct buf bytes;
};

static void deliver(struct loop_task *task)
{
    struct packet *packet = container_of(task, struct packet, task);
    district_receive(packet->to, packet->from, buf_str(&packet->bytes));
    buf_finish(&packet->bytes);
    mem_free(packet);
}

void ether_post(int from, int to, struct str bytes)
{
    struct packet *packet = mem_alloc_zero(1, sizeof *packet);
    assert_non_null(packet);
    *packet = (struct packet){.task = {.fn = deliver}, .to = ether.districts[to], .from = from};
    buf_init(&packet->bytes, 1u << 20);
    buf_append_str(&packet->bytes, bytes);
    loop_post(ether.loops[to], &packet->task);
}

void ether_carry(int from, int to, struct str bytes)
{
    if (ether.loops[to] && !ether.is_cut && !(ether.loses_answers && bytes.ptr[1] == DISTRICT_ANSWER))
        for (int i = 0; i < (ether.doubles ? 2 : 1); i++)
            ether_post(from, to, bytes);
}

static enum err wire_start(struct district_carrier *carrier, struct district *district, struct loop *on, struct diag *diag)
{
    struct wire *wire = container_of(carrier, struct wire, carrier);
    pthread_mutex_lock(&ether_lock);
    ether.districts[wire->self] = district;
    ether.loops[wire->self] = on;
    pthread_mutex_unlock(&ether_lock);
    return ERR_OK;
}

static void wire_stop(struct district_carrier *carrier)
{
    pthread_mutex_lock(&ether_lock);
    ether.loops[container_of(carrier, struct wire, carrier)->self] = NULL;
    pthread_mutex_unlock(&ether_lock);
}

void set_ether(bool is_cut, bool loses_answers, bool doubles)
{
    pthread_mutex_lock(&ether_lock);
    ether.is_cut = is_cut;
    ether.loses_answers = loses_answers;
    ether.doubles = doubles;
    pthread_mutex_unlock(&ether_lock);
}

/* ---- the hubs ---- */

struct one ones[HUBS_MAX];
struct loop *loop;
static const struct hubs_testing *hubs;
static char folder[64];

void write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    return remove(path);
}

void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void hubs_make_city(int at, const char *areas, const char *parties, const char *federation)
{
    static const char *const folders[] = {"", "/systems", "/contracts", "/data", "/data/ledger", "/data/store"};
    struct one *one = &ones[at];
    char path[256];
    const char *area = hubs->areas[at];
    snprintf(one->dir, sizeof one->dir, "%s/%s", folder, area);
    snprintf(one->data, sizeof one->data, "%s/%s/data", folder, area);
    snprintf(one->witness_dir, sizeof one->witness_dir, "%s/%s/data/witness", folder, area);
    snprintf(one->witness_key, sizeof one->witness_key, "%s/%s/data/witness-key", folder, area);
    snprintf(one->streams_dir, sizeof one->streams_dir, "%s/%s/data/streams", folder, area);
    snprintf(one->streams_key, sizeof one->streams_key, "%s/%s/data/secrets/streams", folder, area);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s%s", one->dir, folders[i]);
        mkdir(path, 0700);
    }
    write_file(one->dir, "areas.yaml", areas);
    write_file(one->dir, "parties.yaml", parties);
    write_file(one->dir, "federation.yaml", federation);
}

static void check(enum err err, const struct diag_list *diags)
{
    for (size_t i = 0; i < diags->n; i++)
        print_error("%s\n", diags->diags[i].text);
    assert_ok(err);
}

enum err try_to_go_up(int at, struct diag_list *ret_diags)
{
    struct one *one = &ones[at];
    struct diag_list diags = {0};
    struct diag diag = {""};
    struct federation *federation;
    uint8_t seed[32] = {(uint8_t)at};
    char path[256], ledger_dir[256], store[256];
    snprintf(path, sizeof path, "%s/federation.yaml", one->dir);
    snprintf(ledger_dir, sizeof ledger_dir, "%s/ledger", one->data);
    snprintf(store, sizeof store, "%s/store/district.sqlite", one->data);
    one->wire = (struct wire){.carrier = hubs->carrier, .self = at};
    one->wire.carrier.start = wire_start;
    one->wire.carrier.stop = wire_stop;
    check(federation_load(path, one->data, TIME_ZONE_SHANGHAI, &diags, &federation), &diags);
    assert_ok(crypto_key_from_seed(seed, &one->key));
    const struct district_options options = {.federation = federation,
        .area = str_from_c(hubs->areas[at]),
        .clock = clock_system(),
        .carrier = &one->wire.carrier,
        .store_path = store,
        .ledger_key = hubs->are_witnesses ? one->key : NULL,
        .witness_dir = hubs->are_witnesses ? one->witness_dir : NULL,
        .witness_key = hubs->are_witnesses ? one->witness_key : NULL,
        .streams_dir = hubs->streams_max ? one->streams_dir : NULL,
        .streams_key = one->streams_key,
        .streams_max = hubs->streams_max,
        .use_ms = hubs->use_ms,
        .twin_ms = hubs->twin_ms};
    check(district_create(&options, &diags, &one->district), &diags);
    const struct ledger_options ledger_options = {
        .dir = ledger_dir, .origin = federation->hubs[at].log, .key = one->key, .clock = clock_system()};
    assert_ok(ledger_open(&ledger_options, &diag, &one->ledger));
    assert_ok(bus_create(&one->bus));
    const struct hub_options hub_options = {.city_dir = one->dir,
        .data_dir = one->data,
        .area = str_from_c(hubs->areas[at]),
        .zone = TIME_ZONE_SHANGHAI,
        .clock = clock_system(),
        .loop = loop,
        .district = one->district,
        .tee = district_keeper(one->district),
        .bus = one->bus,
        .ledger = one->ledger,
        .ledger_key = one->key,
        .connectors = hubs->connectors};
    check(hub_create(&hub_options, &diags, &one->hub), &diags);
    assert_ok(hub_start(one->hub));
    return district_start(one->district, one->hub, one->ledger, ret_diags);
}

void go_up(int at)
{
    struct diag_list diags = {0};
    check(try_to_go_up(at, &diags), &diags);
}

void go_down(int at)
{
    struct one *one = &ones[at];
    district_stop(one->district);
    hub_stop(one->hub);
    ledger_close(one->ledger);
    assert_ok(loop_run_once(loop, 0));
    hub_destroy(one->hub);
    district_destroy(one->district);
    bus_destroy(one->bus);
    crypto_key_destroy(one->key);
}

void hubs_init(const struct hubs_testing *what, const char *name)
{
    hubs = what;
    snprintf(folder, sizeof folder, "/tmp/citybrain-%s-XXXXXX", name);
    assert_non_null(mkdtemp(folder));
    assert_ok(loop_create(clock_system(), &loop));
    set_ether(false, false, false);
}

void hubs_finish(void)
{
    for (int at = hubs->n; at-- > 0;)
        go_down(at);
    loop_destroy(loop);
    remove_tree(folder);
}

size_t count_leaves(int at, const char *part, const char *and)
{
    struct buf leaf;
    size_t n = 0;
    buf_init(&leaf, LEDGER_LEAF_MAX);
    for (uint64_t i = 0; i < ledger_n_durable(ones[at].ledger); i++) {
        buf_reset(&leaf);
        assert_ok(ledger_leaf(ones[at].ledger, i, &leaf));
        n += memmem(leaf.ptr, leaf.len, part, strlen(part)) && memmem(leaf.ptr, leaf.len, and, strlen(and));
    }
    buf_finish(&leaf);
    return n;
}
