/*
 * Hubs witness each other (互为见证): every peer cosigns the other's checkpoints, after C2SP tlog-witness, over the link they have anyway.
 * So a hub that would rewrite its ledger, or show a peer another history than it showed before, is found out by each of its peers: it
 * cannot prove the new checkpoint from the one that was cosigned last. Nothing waits for it: a district that is cut off goes on, and proves
 * all of it when the link is back. Whether a quorum is needed before a checkpoint counts is the ledger's own policy (ledger/policy.h).
 *
 * A peer's verifier keys are taken from its first message, which came in a session with its hub key, and another key later is refused.
 */
#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "district/inside.h"
#include "hub/alert.h"
#include "ledger/tile.h"
#include "ledger/witness_store.h"

#include <stdio.h>
#include <string.h>

#define ASK_MS 2000      /* between two checkpoints of one peer */
#define ANSWER_MS 5000   /* then it is asked again */
#define REFUSED_MS 60000 /* a peer that refuses is asked again */
#define VKEY_MAX 300

struct lane { /* to one peer */
    bool is_busy;
    int64_t next_ms, asked_ms;
    uint64_t cosigned_size; /* of the checkpoint that it cosigned last, with its line in the book */
    uint64_t known_size,
        asked_size;  /* of the one that it knows, as it says, maybe of a log that is no more; of the one that is asked for */
    struct buf note; /* that one */
    char log_vkey[VKEY_MAX], witness_vkey[VKEY_MAX]; /* the peer's; empty: not known yet */
};

struct district_witness {
    struct crypto_key *key;
    char name[200], vkey[VKEY_MAX], log_vkey[VKEY_MAX];
    struct witness_store *store;
    struct tile_cache *cache;
    struct lane lanes[DISTRICT_PEERS_MAX];
};

/* ---- life ---- */

static enum err write_vkeys(struct district *district, struct district_witness *witness)
{
    struct buf text;
    uint8_t public_key[32];
    buf_init(&text, 2 * VKEY_MAX);
    crypto_key_public(witness->key, public_key);
    enum err err = note_witness_vkey_write(str_from_c(witness->name), public_key, &text);
    if (!err)
        err = str_to_c(str_trim(buf_str(&text)), witness->vkey, sizeof witness->vkey);
    buf_reset(&text);
    crypto_key_public(district->options.ledger_key, public_key);
    if (!err)
        err = ledger_vkey(ledger_origin(district->ledger), public_key, &text);
    if (!err)
        err = str_to_c(str_trim(buf_str(&text)), witness->log_vkey, sizeof witness->log_vkey);
    buf_finish(&text);
    return err;
}

static enum err open_lane(struct district *district, size_t peer, struct diag *diag)
{
    struct lane *lane = &district->witness->lanes[peer];
    buf_init(&lane->note, NOTE_MAX);
    enum err err = book_vkeys(district->book, district->hub_of[peer], lane->log_vkey, lane->witness_vkey, VKEY_MAX, &lane->cosigned_size);
    lane->known_size = lane->cosigned_size;
    if (!err && lane->log_vkey[0])
        err = witness_store_add_log(district->witness->store, str_from_c(lane->log_vkey), diag);
    return err;
}

enum err district_witness_open(struct district *district, struct diag *diag)
{
    const struct district_options *options = &district->options;
    struct district_witness *witness;
    uint8_t seed[32];
    if (!options->witness_dir)
        return ERR_OK;
    if (!(witness = district->witness = mem_alloc_zero(1, sizeof *witness)))
        return ERR_NO_MEMORY;
    snprintf(witness->name, sizeof witness->name, STR_FORMAT "/hub", STR_ARG(options->area));
    enum err err = crypto_key_file(options->witness_key, seed);
    if (err)
        return diag_set(diag, err, options->witness_key, 0, "the key of the hub as a witness cannot be read or made: %s", err_text(err));
    err = crypto_key_from_seed(seed, &witness->key);
    crypto_wipe(seed, sizeof seed);
    if (!err)
        err = write_vkeys(district, witness);
    if (!err)
        err = tile_cache_create(ledger_static_dir(district->ledger), &witness->cache);
    const struct witness_store_options store = {.dir = options->witness_dir, .name = str_from_c(witness->name), .key = witness->key};
    if (!err)
        err = witness_store_open(&store, diag, &witness->store);
    for (size_t i = 0; i < district->state->n_peers && !err; i++)
        err = open_lane(district, i, diag);
    return err;
}

void district_witness_close(struct district *district)
{
    struct district_witness *witness = district->witness;
    if (!witness)
        return;
    for (size_t i = 0; i < district->state->n_peers; i++)
        buf_finish(&witness->lanes[i].note);
    witness_store_close(witness->store);
    tile_cache_destroy(witness->cache);
    crypto_key_destroy(witness->key);
    mem_free(witness);
    district->witness = NULL;
}

/* ---- sending ---- */

static void send(struct district *district, size_t peer, uint8_t kind, const char *vkey, int status, struct str body)
{
    struct buf bytes;
    size_t len = strlen(vkey);
    buf_init(&bytes, WITNESS_BODY_MAX + VKEY_MAX + 16);
    buf_append_byte(&bytes, 1);
    buf_append_byte(&bytes, (char)kind);
    buf_append_byte(&bytes, (char)(len >> 8));
    buf_append_byte(&bytes, (char)len);
    buf_append(&bytes, vkey, len);
    if (kind == DISTRICT_COSIGNED) {
        buf_append_byte(&bytes, (char)(status >> 8));
        buf_append_byte(&bytes, (char)status);
    }
    buf_append_str(&bytes, body);
    if (!bytes.err)
        district->options.carrier->send(district->options.carrier, district->hub_of[peer], buf_str(&bytes));
    buf_finish(&bytes);
}

static void tell(struct district *district, size_t peer, const char *kind, const char *zh, const char *en)
{
    const struct federation_hub *hub = &district->federation->hubs[district->hub_of[peer]];
    char title_zh[300], title_en[300];
    snprintf(title_zh, sizeof title_zh, "%s" STR_FORMAT, zh, STR_ARG(hub->area));
    snprintf(title_en, sizeof title_en, "%s" STR_FORMAT, en, STR_ARG(hub->area));
    log_write(LOG_ERROR, "district", en, LOG_STR("hub", hub->area), LOG_TEXT("kind", kind), LOG_END);
    const struct hub_alert alert = {.kind = str_from_c(kind),
        .area = district->options.area,
        .key = hub->area,
        .title_zh = str_from_c(title_zh),
        .title_en = str_from_c(title_en)};
    if (hub_alert(district->hub, &alert)) /* it is in the log */
        log_write(LOG_WARNING, "district", "an alert was not taken", LOG_TEXT("kind", kind), LOG_END);
}

/* ---- our checkpoints, cosigned by a peer ---- */

static enum err ask(struct district *district, size_t peer, const struct checkpoint *checkpoint)
{
    struct lane *lane = &district->witness->lanes[peer];
    struct witness_request request = {.old_size = lane->known_size, .note = buf_str(&lane->note)};
    struct tile_source source;
    struct buf body;
    buf_init(&body, WITNESS_BODY_MAX);
    tile_source_init(&source, district->witness->cache, checkpoint->size);
    enum err err = merkle_prove_consistency(&source.source, lane->known_size, checkpoint->size, &request.proof);
    if (!err) {
        witness_request_write(&request, &body);
        err = body.err;
    }
    if (!err) {
        lane->is_busy = true;
        lane->asked_size = checkpoint->size;
        send(district, peer, DISTRICT_CHECKPOINT, district->witness->log_vkey, 0, buf_str(&body));
    }
    buf_finish(&body);
    return err;
}

static void tend(struct district *district, size_t peer, int64_t now_ms)
{
    struct lane *lane = &district->witness->lanes[peer];
    struct checkpoint checkpoint;
    struct str text;
    if (lane->is_busy && now_ms - lane->asked_ms > ANSWER_MS)
        lane->is_busy = false;
    if (lane->is_busy || now_ms < lane->next_ms || !district->state->peers[peer].is_up)
        return;
    lane->next_ms = now_ms + ASK_MS;
    lane->asked_ms = now_ms;
    buf_reset(&lane->note);
    if (ledger_checkpoint(district->ledger, &lane->note) || note_text(buf_str(&lane->note), &text, NULL) ||
        checkpoint_parse(text, &checkpoint, NULL) || checkpoint.size <= lane->known_size)
        return;
    enum err err = ask(district, peer, &checkpoint);
    if (err)
        log_write(LOG_WARNING, "district", "a checkpoint could not be proven to a peer", LOG_ERR(err), LOG_END);
}

void district_witness_tend(struct district *district)
{
    int64_t now_ms = clock_mono(district->clock).ns / 1000000;
    for (size_t i = 0; district->witness && i < district->state->n_peers; i++)
        tend(district, i, now_ms);
}

/* The peer's line under our checkpoint: kept with it, when it is good. False: it is not of the checkpoint that is asked for, as one that
 * comes late is not; the right one may still come. */
static bool take_line(struct district *district, size_t peer, struct str vkey, struct str line)
{
    struct lane *lane = &district->witness->lanes[peer];
    const struct federation_hub *hub = &district->federation->hubs[district->hub_of[peer]];
    struct note_verifier verifier;
    struct str text, area, rest;
    int64_t time_s;
    char name[VKEY_MAX];
    if (str_to_c(vkey, name, sizeof name) || note_witness_parse(vkey, &verifier, NULL) || !str_cut(verifier.name, '/', &area, &rest) ||
        !str_equal(area, hub->area) || !str_equal(rest, STR("hub")) || (lane->witness_vkey[0] && strcmp(lane->witness_vkey, name) != 0)) {
        log_write(LOG_ERROR, "district", "a peer cosigns with a key that is not the one it had", LOG_STR("hub", hub->area), LOG_END);
        return true;
    }
    const size_t len = lane->note.len;
    buf_append_str(&lane->note, line);
    if (lane->note.err || note_open_line(buf_str(&lane->note), &verifier, &text, NULL, &time_s, NULL)) {
        log_write(LOG_WARNING, "district",
            "a peer's cosignature is none of the checkpoint that it was asked for; it came late, or is forged", LOG_STR("hub", hub->area),
            LOG_END);
        lane->note.len = len;
        lane->note.err = ERR_OK;
        return false;
    }
    memcpy(lane->witness_vkey, name, sizeof name);
    lane->known_size = lane->cosigned_size = lane->asked_size;
    enum err err = book_cosigned(district->book, district->hub_of[peer], vkey, lane->known_size, buf_str(&lane->note));
    if (err)
        district_fail(district, err);
    return true;
}

static void on_cosigned(struct district *district, size_t peer, struct str vkey, struct str rest)
{
    struct lane *lane = &district->witness->lanes[peer];
    int64_t now_ms = clock_mono(district->clock).ns / 1000000;
    struct bytes_reader in;
    uint64_t size;
    bytes_reader_init(&in, rest.ptr, rest.len);
    int status = bytes_read_u16be(&in);
    struct str body = bytes_read_str(&in, bytes_reader_left(&in));
    if (!lane->is_busy || in.err)
        return;
    lane->is_busy = false;
    if (status == WITNESS_COSIGN) {
        lane->is_busy = !take_line(district, peer, vkey, body);
    } else if (status == WITNESS_CONFLICT && note_parse_number(str_trim(body), &size) == ERR_OK && size != lane->known_size &&
               size < lane->asked_size) {
        lane->known_size = size; /* it knows another of ours: proven from there, at once */
        lane->next_ms = now_ms;
    } else {
        lane->next_ms = now_ms + REFUSED_MS;
        tell(district, peer, "log.refused", "对方中枢不承认本账本是其见证过的延续：",
            "The other hub does not take our ledger for what it cosigned before: ");
    }
}

/* ---- a peer's checkpoints, cosigned by us ---- */

/* The key of the peer's log: the first one counts. */
static bool is_known_log(struct district *district, size_t peer, struct str vkey)
{
    struct lane *lane = &district->witness->lanes[peer];
    const struct federation_hub *hub = &district->federation->hubs[district->hub_of[peer]];
    struct note_verifier verifier;
    struct diag diag = {""};
    if (lane->log_vkey[0])
        return str_equal_c(vkey, lane->log_vkey);
    if (note_verifier_parse(vkey, &verifier, NULL) || !str_equal(verifier.name, hub->log) || vkey.len >= VKEY_MAX ||
        witness_store_add_log(district->witness->store, vkey, &diag))
        return false;
    enum err err = book_log_vkey(district->book, district->hub_of[peer], vkey);
    if (err)
        district_fail(district, err);
    return str_to_c(vkey, lane->log_vkey, sizeof lane->log_vkey) == ERR_OK;
}

static void on_checkpoint(struct district *district, size_t peer, struct str vkey, struct str body)
{
    struct witness_answer answer = {.status = WITNESS_NOT_SIGNED};
    struct buf out;
    buf_init(&out, 4096);
    if (is_known_log(district, peer, vkey)) {
        enum err err = witness_store_add_checkpoint(district->witness->store, body, clock_wall(clock_system()).ms / 1000, &out, &answer);
        if (err && err != ERR_NO_MEMORY) {
            district_fail(district, err);
            goto done;
        }
    } else {
        tell(district, peer, "log.key", "对方账本换了验证密钥：", "The other ledger has another key than before: ");
    }
    if (answer.is_fork || answer.status == WITNESS_NOT_CONSISTENT)
        tell(district, peer, "log.forked", "对方账本与其先前的历史不符：", "The other ledger is not a continuation of its own past: ");
    send(district, peer, DISTRICT_COSIGNED, district->witness->vkey, answer.status, buf_str(&out));
done:
    buf_finish(&out);
}

bool district_witness_receive(struct district *district, size_t peer, struct str bytes)
{
    struct bytes_reader in;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    uint8_t format = bytes_read_u8(&in), kind = bytes_read_u8(&in);
    if (in.err || format != 1 || (kind != DISTRICT_CHECKPOINT && kind != DISTRICT_COSIGNED))
        return false;
    struct str vkey = bytes_read_str(&in, bytes_read_u16be(&in)), rest = bytes_read_str(&in, bytes_reader_left(&in));
    if (in.err || !district->witness)
        return true;
    if (kind == DISTRICT_CHECKPOINT)
        on_checkpoint(district, peer, vkey, rest);
    else
        on_cosigned(district, peer, vkey, rest);
    return true;
}

uint64_t district_witness_size(const struct district *district, size_t peer)
{
    return district->witness ? district->witness->lanes[peer].cosigned_size : 0;
}
