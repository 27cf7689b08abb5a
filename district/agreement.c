/*
 * What the two hubs of an agreement said of it stands in both ledgers: whenever either side's word changes (agreed, suspended, taken up
 * again, ended), each hub appends a leaf with both words and, where they are signed, both signatures:
 *
 *     {"agreement":"h/a-1","hubs":{"h":{"key":"ed25519:…","signature":"…","since_ms":…,"state":"agreed"},"h.x":{…}},
 *      "sha256":"…","time_ms":…,"type":"agreement"}
 *
 * A word is signed by the key that opens its hub's sessions, and goes along with every beat; so each hub has the other's, whoever was cut
 * off when it was given. What was written down is read back from the ledger with the rest (district/book.c): a restart writes nothing
 * twice.
 */
#include "district/inside.h"

#include "base/json.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define LEAF_MAX 2048
#define FIRST_TICKS 200 /* the first leaf of an agreement waits so long for the other's word: 10 s */

/* ---- words ---- */

enum err district_word_text(const struct district *district, size_t peer, int hub, const struct district_word *word, struct buf *out)
{
    const struct federation *federation = district->federation;
    const struct federation_agreement *agreement = federation_between(federation, district->hub_of[peer], district->self);
    char hash[65];
    crypto_hex(agreement->hash.bytes, sizeof agreement->hash.bytes, hash);
    buf_printf(out, "citybrain agreement v1\n" STR_FORMAT "\n%s\n" STR_FORMAT "\n%s\n%lld\n", STR_ARG(agreement->name), hash,
        STR_ARG(federation->hubs[hub].area), district_agreement_names[word->state], (long long)word->since_ms);
    return out->err;
}

enum err district_word_give(struct district *district, size_t peer, uint8_t state, int64_t since_ms, struct district_word *ret_word)
{
    struct district_carrier *carrier = district->options.carrier;
    struct district_word word = {.state = state, .since_ms = since_ms};
    struct buf text;
    enum err err = ERR_OK;
    buf_init(&text, LEAF_MAX);
    if (carrier && carrier->sign) {
        err = district_word_text(district, peer, district->self, &word, &text);
        if (!err)
            err = carrier->sign(carrier, buf_str(&text), word.signature);
    }
    buf_finish(&text);
    if (!err)
        *ret_word = word;
    return err;
}

/* The same as the book keeps it. */
static void write_mark(const struct district_word *word, char out[DISTRICT_MARK_MAX])
{
    char hex[2 * SIGN_SIGNATURE_LEN + 1];
    crypto_hex(word->signature, SIGN_SIGNATURE_LEN, hex);
    snprintf(out, DISTRICT_MARK_MAX, "%s %lld %s", district_agreement_names[word->state], (long long)word->since_ms, hex);
}

static bool is_written(struct district *district, size_t peer, int hub, const struct district_word *word, bool *ret_is_first)
{
    char mark[DISTRICT_MARK_MAX], known[DISTRICT_MARK_MAX];
    const struct federation_agreement *agreement = federation_between(district->federation, district->hub_of[peer], district->self);
    write_mark(word, mark);
    enum err err = book_word(district->book, agreement->name, hub, known);
    if (err && err != ERR_NOT_FOUND)
        district_fail(district, err);
    *ret_is_first = err == ERR_NOT_FOUND;
    return !err && strcmp(mark, known) == 0;
}

static bool is_theirs(struct district *district, size_t peer, const struct district_word *word)
{
    struct district_carrier *carrier = district->options.carrier;
    struct buf text;
    if (!carrier->check)
        return true;
    buf_init(&text, LEAF_MAX);
    enum err err = district_word_text(district, peer, district->hub_of[peer], word, &text);
    if (!err)
        err = carrier->check(carrier, district->hub_of[peer], buf_str(&text), word->signature);
    buf_finish(&text);
    return !err;
}

/* ---- the leaf ---- */

static void put_word(struct json_writer *w, struct district *district, int hub, const struct district_word *word)
{
    struct district_carrier *carrier = district->options.carrier;
    char key[SIGN_TEXT_MAX], hex[2 * SIGN_SIGNATURE_LEN + 1];
    json_key_str(w, district->federation->hubs[hub].area);
    json_begin_object(w);
    if (carrier->sign && carrier->key(carrier, hub, key) == ERR_OK) {
        crypto_hex(word->signature, SIGN_SIGNATURE_LEN, hex);
        json_field_c(w, "key", key);
        json_field_c(w, "signature", hex);
    }
    json_field_i64(w, "since_ms", word->since_ms);
    json_field_c(w, "state", district_agreement_names[word->state]);
    json_end_object(w);
}

static void appended(struct ledger_append *append)
{
    struct district_telling *telling = container_of(append, struct district_telling, append);
    telling->district->n_under_way--;
    telling->wait_for = append->err ? 0 : append->index + 1; /* until the book has read it back */
    telling->is_on = false;
}

/* Members in RFC 8785's order: "h" comes before "h.x", and of two areas the lesser first. */
static void tell(struct district *district, size_t peer, const struct district_words *words)
{
    struct district_telling *telling = &district->tellings[peer];
    const struct federation *federation = district->federation;
    const struct federation_agreement *agreement = federation_between(federation, district->hub_of[peer], district->self);
    int other = district->hub_of[peer];
    bool is_mine_first = str_compare(federation->hubs[district->self].area, federation->hubs[other].area) < 0;
    char hash[65];
    struct json_writer w;
    crypto_hex(agreement->hash.bytes, sizeof agreement->hash.bytes, hash);
    buf_finish(&telling->leaf);
    buf_init(&telling->leaf, LEAF_MAX);
    json_writer_init(&w, &telling->leaf);
    json_begin_object(&w);
    json_field_str(&w, "agreement", agreement->name);
    json_key(&w, "hubs");
    json_begin_object(&w);
    for (int i = 0; i < 2; i++)
        if ((i == 0) == is_mine_first)
            put_word(&w, district, district->self, &words->mine);
        else if (words->has_theirs)
            put_word(&w, district, other, &words->theirs);
    json_end_object(&w);
    json_field_c(&w, "sha256", hash);
    json_field_i64(&w, "time_ms", clock_wall(district->clock).ms);
    json_field_c(&w, "type", "agreement");
    json_end_object(&w);
    telling->append = (struct ledger_append){.leaf = buf_str(&telling->leaf), .loop = district->loop, .done = appended};
    if (telling->leaf.err || ledger_append(district->ledger, &telling->append))
        return; /* full: again at the next tick */
    telling->is_on = true;
    district->n_under_way++;
}

/* ---- in order, none left out ---- */

/* What they said last, as our ledger has it: until they are heard again. */
static bool read_known(struct district *district, size_t peer, struct district_word *ret_word)
{
    const struct federation_agreement *agreement = federation_between(district->federation, district->hub_of[peer], district->self);
    struct district_word word = {0};
    struct str state, since, signature;
    char mark[DISTRICT_MARK_MAX];
    if (book_word(district->book, agreement->name, district->hub_of[peer], mark) ||
        !str_cut_last(str_from_c(mark), ' ', &state, &signature) || !str_cut(state, ' ', &state, &since) ||
        str_to_i64(since, &word.since_ms) || crypto_unhex(signature, word.signature, sizeof word.signature))
        return false;
    while (word.state <= DISTRICT_ENDED && !str_equal_c(state, district_agreement_names[word.state]))
        word.state++;
    *ret_word = word;
    return word.state <= DISTRICT_ENDED;
}

static bool is_same(const struct district_words *a, const struct district_words *b)
{
    return memcmp(&a->mine, &b->mine, sizeof a->mine) == 0 && a->has_theirs == b->has_theirs &&
           (!a->has_theirs || memcmp(&a->theirs, &b->theirs, sizeof a->theirs) == 0);
}

void district_agreement_note(struct district *district, size_t at)
{
    struct district_telling *telling = &district->tellings[at];
    const struct district_peer *peer = &district->state->peers[at];
    struct district_words words = telling->noted;
    if (!telling->is_noted)
        words.has_theirs = read_known(district, at, &words.theirs);
    words.mine = peer->mine_word;
    if (peer->boot && peer->their_word.state <= DISTRICT_ENDED && memcmp(&telling->seen, &peer->their_word, sizeof telling->seen) != 0) {
        telling->seen = peer->their_word; /* looked at once */
        if (is_theirs(district, at, &peer->their_word)) {
            words.has_theirs = true;
            words.theirs = peer->their_word;
        } else
            log_write(LOG_WARNING, "district", "the other hub's word on the agreement is not signed by it; it is not written down",
                LOG_STR("hub", district->federation->hubs[district->hub_of[at]].area), LOG_END);
    }
    if (telling->is_noted && is_same(&telling->noted, &words))
        return;
    telling->is_noted = true;
    telling->noted = words;
    if (telling->n == DISTRICT_WORDS_MAX) /* somebody plays with it: the newest counts */
        telling->n--;
    telling->words[telling->n++] = words;
}

static void tend(struct district *district, size_t at)
{
    struct district_telling *telling = &district->tellings[at];
    const struct district_words *words = &telling->words[0];
    bool is_first = false, is_their_first = false;
    district_agreement_note(district, at);
    if (telling->n == 0 || telling->is_on || book_followed(district->book) < telling->wait_for)
        return;
    bool is_mine_written = is_written(district, at, district->self, &words->mine, &is_first);
    if (is_mine_written && (!words->has_theirs || is_written(district, at, district->hub_of[at], &words->theirs, &is_their_first))) {
        telling->n--;
        memmove(telling->words, telling->words + 1, telling->n * sizeof *telling->words);
        return;
    }
    if (is_first && !words->has_theirs && telling->n > 1) { /* the first leaf has both words, when they come */
        telling->n--;
        memmove(telling->words, telling->words + 1, telling->n * sizeof *telling->words);
        return;
    }
    if (!is_first || words->has_theirs || district->n_ticks > FIRST_TICKS)
        tell(district, at, words);
}

void district_agreements_tend(struct district *district)
{
    for (size_t i = 0; i < district->state->n_peers && !district->is_broken; i++)
        tend(district, i);
}
