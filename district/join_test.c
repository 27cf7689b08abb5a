/*
 * Three hubs in one process, each with its own real ledger, store and thread, joined by a carrier in memory that can be cut, and that can
 * lose and double what it carries. Departments are the hub's fake ones.
 */
#include "district/hubs_testing.h"
#include "hub/decide.h"
#include "hub/fake.h"
#include "ledger/note.h"
#include "ledger/witness.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CITY, XIHU, STREET, N_HUBS };
static const char *const areas[] = {"h", "h.x", "h.x.g"};

/* ---- the carrier ---- */

/* What becomes of the receipts that the district's hub sends: none comes; each names another leaf of its log; or a use that nobody made. */
static enum honesty { HONEST, HIDES, LIES, CLAIMS } xihu; /* under the ether's lock */

static void set_xihu(enum honesty honesty)
{
    pthread_mutex_lock(&ether_lock);
    xihu = honesty;
    pthread_mutex_unlock(&ether_lock);
}

static size_t n_conflicts, n_inconsistent; /* answers to checkpoints; under the ether's lock */

static void count_answer(struct str bytes)
{
    size_t n = (size_t)(unsigned char)bytes.ptr[2] << 8 | (unsigned char)bytes.ptr[3]; /* of its key */
    int status = (unsigned char)bytes.ptr[4 + n] << 8 | (unsigned char)bytes.ptr[5 + n];
    n_conflicts += status == WITNESS_CONFLICT;
    n_inconsistent += status == WITNESS_NOT_CONSISTENT;
}

/* Receipts as a hub would tell them that has something to hide. */
static struct str forged(struct str bytes, uint8_t out[DISTRICT_MESSAGE_MAX])
{
    struct district_message message;
    struct bytes_writer writer;
    struct str rest;
    assert_ok(district_message_read(bytes, &message, &rest));
    for (size_t i = 0; i < message.receipts.n && xihu == LIES; i++)
        message.receipts.entries[i].leaf += 1000000;
    for (size_t i = 0; i < message.receipts.n && xihu == CLAIMS; i++)
        message.receipts.entries[i].intent = 0;
    bytes_writer_init(&writer, out, DISTRICT_MESSAGE_MAX);
    district_message_write(&message, &writer);
    return (struct str){(const char *)out, writer.len};
}

static void wire_send(struct district_carrier *carrier, int hub, struct str bytes)
{
    struct wire *wire = container_of(carrier, struct wire, carrier);
    uint8_t room[DISTRICT_MESSAGE_MAX];
    pthread_mutex_lock(&ether_lock);
    bool are_receipts = wire->self == XIHU && bytes.ptr[1] == DISTRICT_RECEIPTS;
    if (wire->self == XIHU && hub == CITY && bytes.ptr[1] == DISTRICT_COSIGNED)
        count_answer(bytes);
    if (xihu >= LIES && are_receipts)
        bytes = forged(bytes, room);
    if (xihu != HIDES || !are_receipts)
        ether_carry(wire->self, hub, bytes);
    pthread_mutex_unlock(&ether_lock);
}

/* ---- the hubs ---- */

#define KEY "\"ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""
#define AGREEMENT(n_, a_, b_)                                                                                                              \
    "  - {agreement: h/a-" n_ ", hubs: [" a_ ", " b_                                                                                       \
    "], fresh_for: 4s, from: 2026-01-01, until: 2099-01-01, legal_basis: {zh: 依, en: law}, "                                             \
    "state: {" a_ ": agreed, " b_ ": agreed}}\n"
static const char federation_text[] =
    "hubs:\n  - {area: h, log: h.log, key: " KEY "}\n  - {area: h.x, log: hx.log, key: " KEY "}\n  - {area: h.x.g, log: hxg.log, key: " KEY
    "}\nagreements:\n" AGREEMENT("1", "h", "h.x") AGREEMENT("2", "h.x", "h.x.g");
static const char areas_text[] = "areas:\n  - {name: h, title: {zh: 杭, en: H}, level: city}\n"
                                 "  - {name: h.x, title: {zh: 西, en: X}, level: district}\n"
                                 "  - {name: h.x.g, title: {zh: 古, en: G}, level: street}\n";
static const char parties_text[] = "parties:\n  - {name: h/police, title: {zh: 警, en: Police}, kind: department}\n"
                                   "  - {name: h.x/lots, title: {zh: 泊, en: Lots}, kind: department}\n"
                                   "  - {name: h/parking, title: {zh: 泊, en: Parking}, kind: program}\n"
                                   "  - {name: h.x.g/gate, title: {zh: 门, en: Gate}, kind: program}\n"
                                   "  - {name: h.x/gate, title: {zh: 门, en: Gate}, kind: program}\n";
#define TABLE(name_)                                                                                                                       \
    "resources:\n  - name: " name_ "\n    title: {zh: 表, en: Table}\n    kind: table\n    fields:\n"                                     \
    "      - {name: plate, type: text, class: personal, key: true}\n      - {name: colour, type: text, class: open}\n"
#define CONTRACT(name_, provider_, consumer_, resource_)                                                                                   \
    "contract: " name_ "\nprovider: " provider_ "\nconsumer: " consumer_ "\nresource: " resource_                                          \
    "\nuses: [call]\nfields: [plate, colour]\npurpose: parking.settle\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: "         \
    "2099-01-01\nkeep: 1h\nstate: agreed\n"

static void write_city(int at)
{
    const struct one *one = &ones[at];
    hubs_make_city(at, areas_text, parties_text, federation_text);
    if (at != STREET)
        write_file(one->dir, "systems/police.yaml",
            at == CITY ? "party: h/police\nconnector: fake\n" TABLE("vehicle") : "party: h/police\nconnector: district\n" TABLE("vehicle"));
    write_file(one->dir, "systems/lots.yaml",
        at == XIHU ? "party: h.x/lots\nconnector: fake\n" TABLE("lot") : "party: h.x/lots\nconnector: district\n" TABLE("lot"));
    if (at != STREET) {
        write_file(one->dir, "contracts/c-1.yaml", CONTRACT("h.x/c-1", "h.x/lots", "h/parking", "h.x/lots/lot"));
        write_file(one->dir, "contracts/c-2.yaml", CONTRACT("h/c-2", "h/police", "h.x/gate", "h/police/vehicle"));
        write_file(one->dir, "contracts/c-9.yaml",
            at == CITY ? CONTRACT("h/c-9", "h/police", "h/parking", "h/police/vehicle") /* each its own, at home */
                       : CONTRACT("h.x/c-9", "h.x/lots", "h.x/gate", "h.x/lots/lot"));
    }
    if (at != CITY)
        write_file(one->dir, "contracts/c-3.yaml", CONTRACT("h.x/c-3", "h.x/lots", "h.x.g/gate", "h.x/lots/lot"));
}

static int go_up_all(void **state)
{
    static const struct hub_system_ops *const connectors[] = {&fake_system_ops, &district_system_ops, NULL};
    static const struct hubs_testing hubs = {
        .n = N_HUBS, .areas = areas, .connectors = connectors, .carrier = {.send = wire_send}, .are_witnesses = true, .twin_ms = 3000};
    hubs_init(&hubs, "district");
    set_xihu(HONEST);
    fake_system = (struct fake_system){.n_rows = 1};
    for (int at = 0; at < N_HUBS; at++) {
        write_city(at);
        go_up(at);
    }
    return 0;
}

static int go_down_all(void **state)
{
    hubs_finish();
    return 0;
}

/* ---- using ---- */

struct asking {
    struct hub_call call;
    bool is_done;
    enum err err;
    int rule;
    size_t n_rows;
    char receipt[HUB_RECEIPT_MAX];
};

static void asked(struct hub_call *call)
{
    struct asking *asking = container_of(call, struct asking, call);
    asking->is_done = true;
    asking->err = call->refusal.err;
    asking->rule = call->refusal.rule;
    asking->n_rows = call->rows ? rows_n(call->rows) : 0;
    memcpy(asking->receipt, call->receipt, sizeof asking->receipt);
}

static void ask(struct asking *asking, int at, const char *party, const char *resource)
{
    static const struct str key_names[] = {STR_INIT("plate")}, fields[] = {STR_INIT("plate"), STR_INIT("colour")};
    static struct value key;
    key = value_text(STR("浙A00001"));
    *asking = (struct asking){.call = {.party = str_from_c(party),
                                  .resource = str_from_c(resource),
                                  .purpose = STR("parking.settle"),
                                  .key_names = key_names,
                                  .key_values = &key,
                                  .n_keys = 1,
                                  .fields = fields,
                                  .n_fields = 2,
                                  .loop = loop,
                                  .done = asked}};
    hub_call_start(ones[at].hub, &asking->call);
}

static void await(struct asking *asking)
{
    while (!asking->is_done)
        assert_ok(loop_run_once(loop, 100));
}

static struct asking use(int at, const char *party, const char *resource)
{
    struct asking asking;
    ask(&asking, at, party, resource);
    await(&asking);
    return asking;
}

/* Until the hubs have heard of each other. */
static struct asking use_until(int at, const char *party, const char *resource, enum err err)
{
    struct asking asking;
    for (int i = 0; i < 600; i++) {
        asking = use(at, party, resource);
        if (asking.err == err)
            return asking;
        assert_ok(loop_run_once(loop, 50));
    }
    fail_msg("%s at %s: %s, rule %d", resource, areas[at], err_text(asking.err), asking.rule);
    return asking;
}

static void await_leaves(int at, const char *part, size_t n)
{
    for (int i = 0; i < 1200 && count_leaves(at, part, "") < n; i++)
        assert_ok(loop_run_once(loop, 50));
    assert_int_equal(count_leaves(at, part, ""), n);
}

/* ---- tests ---- */

static void uses_go_both_ways_and_up_and_down(void **state)
{
    struct asking down = use_until(CITY, "h/parking", "h.x/lots/lot", ERR_OK);
    assert_int_equal(down.n_rows, 1);
    struct asking up = use_until(XIHU, "h.x/gate", "h/police/vehicle", ERR_OK);
    assert_true(str_starts_with(str_from_c(down.receipt), STR("h.log/")));
    assert_true(str_starts_with(str_from_c(up.receipt), STR("hx.log/")));
    struct asking street = use_until(STREET, "h.x.g/gate", "h.x/lots/lot", ERR_OK);
    /* Each in both ledgers, each naming the other. */
    char part[HUB_RECEIPT_MAX + 16];
    snprintf(part, sizeof part, "\"twin\":\"%s\"", down.receipt);
    await_leaves(XIHU, part, 1);
    await_leaves(CITY, "\"twin\":\"hx.log/", 2); /* one as the asker, one as the asked */
    snprintf(part, sizeof part, "\"twin\":\"%s\"", street.receipt);
    await_leaves(XIHU, part, 1);
    await_leaves(STREET, "\"twin\":\"hx.log/", 1);
}

static void a_cut_district_goes_on_alone_and_catches_up(void **state)
{
    use_until(CITY, "h/parking", "h.x/lots/lot", ERR_OK);
    set_ether(true, false, false);
    struct asking denied = use_until(CITY, "h/parking", "h.x/lots/lot", ERR_DENIED);
    assert_int_equal(denied.rule, DECIDE_NOT_FRESH);
    assert_ok(use(CITY, "h/parking", "h/police/vehicle").err);
    assert_ok(use(XIHU, "h.x/gate", "h.x/lots/lot").err);
    set_ether(false, false, true); /* and comes back doubling everything */
    use_until(CITY, "h/parking", "h.x/lots/lot", ERR_OK);
    set_ether(false, false, false);
}

#define LOST 10
static void an_answer_that_is_lost_leaves_its_twin(void **state)
{
    struct asking askings[LOST];
    char part[HUB_RECEIPT_MAX + 16];
    use_until(CITY, "h/parking", "h.x/lots/lot", ERR_OK);
    set_ether(false, true, true);
    for (int i = 0; i < LOST; i++)
        ask(&askings[i], CITY, "h/parking", "h.x/lots/lot");
    for (int i = 0; i < LOST; i++) {
        await(&askings[i]);
        assert_int_equal(askings[i].err, ERR_TIMEOUT);
    }
    set_ether(false, false, false);
    await_leaves(CITY, "\"type\":\"twin\"", LOST);
    for (int i = 0; i < LOST; i++) {
        snprintf(part, sizeof part, "\"twin\":\"%s\"", askings[i].receipt);
        assert_int_equal(count_leaves(XIHU, part, ""), 1); /* served once, although asked twice */
        snprintf(part, sizeof part, "{\"intent\":%s,", askings[i].receipt + strlen("h.log/"));
        assert_int_equal(count_leaves(CITY, part, ""), 1);
    }
    /* After a restart of the asker nothing is named again. */
    go_down(CITY);
    go_up(CITY);
    use_until(CITY, "h/parking", "h.x/lots/lot", ERR_OK);
    assert_int_equal(count_leaves(CITY, "\"type\":\"twin\"", ""), LOST);
}

static void pass(int64_t ms)
{
    struct mono_time from = clock_mono(clock_system());
    while (mono_ms_between(from, clock_mono(clock_system())) < ms)
        assert_ok(loop_run_once(loop, 50));
}

/* Until the city has told of so many twins that are wrong. */
static void await_wrong(enum twin_wrong what, uint64_t n)
{
    struct district *city = ones[CITY].district;
    struct mono_time from = clock_mono(clock_system());
    while (atomic_load(&city->twins[0].n_wrong[what]) < n && mono_ms_between(from, clock_mono(clock_system())) < 60000)
        assert_ok(loop_run_once(loop, 50));
    for (int i = 0; i < TWIN_N_WRONG; i++)
        assert_int_equal(atomic_load(&city->twins[0].n_wrong[i]), i == (int)what ? n : 0);
}

static uint64_t use_often(int n)
{
    uint64_t n_good = 0;
    for (int i = 0; i < n; i++)
        n_good += use(CITY, "h/parking", "h.x/lots/lot").err == ERR_OK;
    return n_good;
}

#define TWINS TEST_TIMES(200)
static void receipts_that_are_hidden_are_missed(void **state)
{
    use_until(CITY, "h/parking", "h.x/lots/lot", ERR_OK);
    pass(5000); /* honest ones are missed by nobody */
    await_wrong(TWIN_MISSING, 0);
    set_xihu(HIDES);
    uint64_t n = use_often(TWINS);
    await_wrong(TWIN_MISSING, n);
    print_message("%d of %d hidden receipts missed\n", (int)n, TWINS);
    assert_int_equal(n, TWINS);
    go_down(CITY); /* told, and not told again */
    go_up(CITY);
    pass(5000);
    await_wrong(TWIN_MISSING, 0);
}

static void receipts_that_name_another_leaf_are_told(void **state)
{
    use_until(CITY, "h/parking", "h.x/lots/lot", ERR_OK);
    pass(5000); /* the honest one is looked at before */
    set_xihu(LIES);
    uint64_t n = use_often(TWINS);
    await_wrong(TWIN_DIFFERS, n);
    assert_int_equal(n, TWINS);
}

static void receipts_of_uses_that_nobody_made_are_told(void **state)
{
    struct mono_time from = clock_mono(clock_system());
    set_xihu(CLAIMS);
    use_until(CITY, "h/parking", "h.x/lots/lot", ERR_OK);
    while (
        atomic_load(&ones[CITY].district->twins[0].n_wrong[TWIN_UNASKED]) < 1 && mono_ms_between(from, clock_mono(clock_system())) < 60000)
        assert_ok(loop_run_once(loop, 50));
    assert_int_equal(atomic_load(&ones[CITY].district->twins[0].n_wrong[TWIN_UNASKED]), 1);
    assert_int_equal(count_leaves(CITY, "\"type\":\"twin\"", ""), 0); /* nothing is sworn to that was not asked for */
}

struct looking {
    int at;
    uint64_t size;
    enum err err; /* a failed assertion would end the process without a word on this thread */
};

/* On the district's thread: how much of its ledger the other hub has cosigned; the note that is kept bears the other's line. */
static void look_cosigned(void *context)
{
    struct looking *looking = context;
    struct district *district = ones[looking->at].district;
    int hub = looking->at == CITY ? XIHU : CITY;
    char log_vkey[300], witness_vkey[300];
    struct note_verifier verifier;
    struct buf note;
    struct str text;
    uint64_t in_book;
    int64_t time_s;
    looking->size = district_witness_size(district, (size_t)district->peer_of[hub]);
    if (looking->size == 0)
        return;
    buf_init(&note, 65536);
    looking->err = book_vkeys(district->book, hub, log_vkey, witness_vkey, sizeof log_vkey, &in_book);
    if (!looking->err && in_book != looking->size)
        looking->err = ERR_STATE;
    if (!looking->err)
        looking->err = book_cosigned_note(district->book, hub, &note);
    if (!looking->err)
        looking->err = note_witness_parse(str_from_c(witness_vkey), &verifier, NULL);
    if (!looking->err)
        looking->err = note_open_line(buf_str(&note), &verifier, &text, NULL, &time_s, NULL);
    buf_finish(&note);
}

static uint64_t cosigned(int at)
{
    struct looking looking = {.at = at};
    loop_thread_call(ones[at].district->thread, look_cosigned, &looking);
    assert_ok(looking.err);
    return looking.size;
}

/* Until the hubs have cosigned each other; how much of the city's log. */
static uint64_t await_cosigned(void)
{
    use_until(CITY, "h/parking", "h.x/lots/lot", ERR_OK);
    for (int i = 0; i < 600 && (cosigned(CITY) < 3 || cosigned(XIHU) < 3); i++)
        assert_ok(loop_run_once(loop, 50));
    assert_true(cosigned(CITY) >= 3 && cosigned(XIHU) >= 3);
    return cosigned(CITY);
}

/* Its ledger is taken away, and what it knew of the others. */
static void begin_anew(int at)
{
    char path[512];
    go_down(at);
    snprintf(path, sizeof path, "%s/ledger", ones[at].data);
    remove_tree(path);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/store/district.sqlite", ones[at].data);
    assert_int_equal(remove(path), 0);
    go_up(at);
}

static void grow_past(uint64_t size)
{
    for (int i = 0; i < 1200 && ledger_n_durable(ones[CITY].ledger) <= size + 10; i++) {
        use(CITY, "h/parking", "h/police/vehicle");
        assert_ok(loop_run_once(loop, 50));
    }
    assert_true(ledger_n_durable(ones[CITY].ledger) > size + 10);
}

/* That is under a checkpoint, too: what is asked for first is past `size`. */
static void await_checkpoint(uint64_t size)
{
    struct checkpoint checkpoint = {.size = 0};
    struct buf note;
    struct str text;
    buf_init(&note, NOTE_MAX);
    for (int i = 0; i < 1200 && checkpoint.size <= size; i++) {
        assert_ok(loop_run_once(loop, 50));
        buf_reset(&note);
        if (ledger_checkpoint(ones[CITY].ledger, &note) || note_text(buf_str(&note), &text, NULL) ||
            checkpoint_parse(text, &checkpoint, NULL))
            checkpoint.size = 0;
    }
    assert_true(checkpoint.size > size);
    buf_finish(&note);
}

static size_t n_answers(int status)
{
    pthread_mutex_lock(&ether_lock);
    size_t n = status == WITNESS_CONFLICT ? n_conflicts : n_inconsistent;
    pthread_mutex_unlock(&ether_lock);
    return n;
}

static void await_answer(int status, size_t n)
{
    for (int i = 0; i < 1200 && n_answers(status) < n; i++)
        assert_ok(loop_run_once(loop, 50));
    assert_true(n_answers(status) >= n);
}

/* Peers cosign each other's checkpoints; one that comes back with another history is refused, and told of. */
static void hubs_witness_each_other(void **state)
{
    uint64_t before = await_cosigned();
    size_t n = n_answers(WITNESS_CONFLICT);
    begin_anew(CITY);
    await_answer(WITNESS_CONFLICT, n + 1); /* while it is short */
    grow_past(before);
    assert_int_equal(cosigned(CITY), 0);
}

/* The same when it is seen again only after it has grown past the old one: it is told what the other knows, and cannot prove it. What the
 * other knows is not what it cosigned of this ledger. */
static void another_history_that_has_grown_is_refused(void **state)
{
    uint64_t before = await_cosigned();
    size_t n = n_answers(WITNESS_NOT_CONSISTENT);
    set_ether(true, false, false);
    begin_anew(CITY);
    grow_past(before);
    await_checkpoint(before);
    set_ether(false, false, false);
    await_answer(WITNESS_NOT_CONSISTENT, n + 1);
    pass(100);
    assert_int_equal(cosigned(CITY), 0);
}

static void what_its_home_suspends_ends_everywhere(void **state)
{
    use_until(CITY, "h/parking", "h.x/lots/lot", ERR_OK);
    for (size_t i = 0; i < 2; i++) {
        struct hub_contract_info info;
        assert_true(hub_contract_find(ones[CITY].hub, STR("h.x/c-1"), &info));
        assert_true(hub_contract_is_copy(ones[CITY].hub, STR("h.x/c-1")));
        assert_false(hub_contract_is_copy(ones[XIHU].hub, STR("h.x/c-1")));
    }
    assert_ok(district_agree(ones[XIHU].district, STR("h"), DISTRICT_SUSPENDED));
    struct asking denied = use_until(CITY, "h/parking", "h.x/lots/lot", ERR_DENIED);
    assert_int_equal(denied.rule, DECIDE_NOT_FRESH);
    assert_err(district_agree(ones[XIHU].district, STR("nowhere"), DISTRICT_AGREED), ERR_NOT_FOUND);
    go_down(XIHU); /* it is remembered */
    go_up(XIHU);
    for (int i = 0; i < 20; i++)
        assert_ok(loop_run_once(loop, 50));
    assert_int_equal(use(CITY, "h/parking", "h.x/lots/lot").err, ERR_DENIED);
    assert_ok(district_agree(ones[XIHU].district, STR("h"), DISTRICT_AGREED));
    use_until(CITY, "h/parking", "h.x/lots/lot", ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(uses_go_both_ways_and_up_and_down, go_up_all, go_down_all),
        cmocka_unit_test_setup_teardown(a_cut_district_goes_on_alone_and_catches_up, go_up_all, go_down_all),
        cmocka_unit_test_setup_teardown(an_answer_that_is_lost_leaves_its_twin, go_up_all, go_down_all),
        cmocka_unit_test_setup_teardown(receipts_that_are_hidden_are_missed, go_up_all, go_down_all),
        cmocka_unit_test_setup_teardown(receipts_that_name_another_leaf_are_told, go_up_all, go_down_all),
        cmocka_unit_test_setup_teardown(receipts_of_uses_that_nobody_made_are_told, go_up_all, go_down_all),
        cmocka_unit_test_setup_teardown(hubs_witness_each_other, go_up_all, go_down_all),
        cmocka_unit_test_setup_teardown(another_history_that_has_grown_is_refused, go_up_all, go_down_all),
        cmocka_unit_test_setup_teardown(what_its_home_suspends_ends_everywhere, go_up_all, go_down_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
