/* Sessions with the peers, over one subject of a NATS link. All on the district's thread. */
#include "district/wire.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sign.h"
#include "bus/link.h"
#include "bus/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_MS 500
#define HELLO_MS 1000   /* between two tries */
#define SILENT_MS 2000  /* unheard for so long: a new session is tried */
#define IN_MAX 4        /* sessions of one peer that are still listened to: the last few of its starts */
#define HELLOS_MAX 256  /* of one peer, remembered against repeats: at HELLO_MS more than the two minutes in which one would be taken */
#define HELLOS_PER_S 20 /* of one peer that are looked at; the rest is dropped */
#define REFUSED_LOG_MS 10000
#define FRAME_MAX (1000u * 1000)
#define PATH_SIZE 512

struct wire_peer {
    bool is_open, is_opening;
    struct bus_session out;
    struct bus_opening opening;
    int64_t hello_ms, opened_ms, heard_ms; /* steady clock */
    struct bus_session in[IN_MAX];
    size_t n_in, in_at;
    struct sha256 hellos[HELLOS_MAX];
    size_t hello_at;
    int64_t second_ms, refused_ms;
    unsigned n_hellos;
};

struct wire {
    struct district_carrier carrier; /* first */
    const struct federation *federation;
    int self;
    struct clock *clock;
    struct arena arena; /* the options' texts */
    struct wire_options options;
    struct sign_key *key;
    char party[BUS_PARTY_MAX + 1];
    struct district *district;
    struct loop *loop;
    struct bus_link *link;
    struct bus_link_subscription *subscription;
    struct loop_timer tick;
    struct wire_peer **peers; /* by a hub's number; NULL: no agreement with it */
    struct metric_counter n_sessions, n_hellos_dropped, n_hellos_refused, n_refused, n_unsent;
    struct buf out;
    uint8_t *room;
};

static int64_t now_ms(const struct wire *wire)
{
    return clock_mono(wire->clock).ns / 1000000;
}

/* ---- keys ---- */

/* A file that was not there; a private key's is never open to others, not for a moment. */
static enum err write_text(const char *path, const char *text, mode_t mode, struct diag *diag)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return diag_set(diag, err_from_errno(errno), path, 0, "the key cannot be written (%s)", strerror(errno));
    enum err err = file_write_all(file_ops_system(), fd, text, strlen(text), 0);
    if (!err && (fchmod(fd, mode) || fsync(fd)))
        err = ERR_IO;
    close(fd);
    if (!err)
        return ERR_OK;
    unlink(path); /* or an empty key would be found at the next start */
    return diag_set(diag, err, path, 0, "the key cannot be written: %s", err_text(err));
}

static enum err read_text(const char *path, struct buf *out)
{
    buf_init(out, 4096);
    enum err err = file_read(path, out);
    if (err)
        buf_finish(out);
    return err;
}

static enum err make_key(struct wire *wire, const char *path, struct diag *diag)
{
    char text[SIGN_TEXT_MAX], line[SIGN_TEXT_MAX + 1];
    enum err err = sign_key_make(SIGN_ED25519, &wire->key);
    if (err)
        return err;
    sign_key_text(wire->key, text);
    snprintf(line, sizeof line, "%s\n", text);
    err = write_text(path, line, 0600, diag);
    crypto_wipe(line, sizeof line);
    crypto_wipe(text, sizeof text);
    return err;
}

/* The public half where others look for it. Another key there is not replaced: they trust it. */
static enum err publish_key(const char *path, const char *text, struct diag *diag)
{
    char line[SIGN_TEXT_MAX + 1];
    struct buf there;
    snprintf(line, sizeof line, "%s\n", text);
    enum err err = read_text(path, &there);
    if (err == ERR_NOT_FOUND)
        return write_text(path, line, 0644, diag);
    if (err)
        return diag_set(diag, err, path, 0, "the hub's public key cannot be read: %s", err_text(err));
    bool is_same = str_equal(str_trim(buf_str(&there)), str_from_c(text));
    buf_finish(&there);
    return is_same ? ERR_OK
                   : diag_set(diag, ERR_STATE, path, 0,
                         "another public key stands here; remove it when this hub's key was changed on purpose, and tell its peers");
}

static enum err open_key(struct wire *wire, struct diag *diag)
{
    const char *path = wire->options.key_path;
    struct sign_public public_key;
    char text[SIGN_TEXT_MAX], beside[PATH_SIZE];
    struct buf bytes;
    enum err err = read_text(path, &bytes);
    if (err == ERR_NOT_FOUND) {
        err = make_key(wire, path, diag);
    } else if (!err) {
        err = sign_key_read(buf_str(&bytes), &wire->key);
        crypto_wipe(bytes.ptr, bytes.len);
        buf_finish(&bytes);
        if (err)
            return diag_set(diag, err, path, 0, "this is no private key; remove the file, and a new key is made");
    }
    if (err)
        return err;
    sign_key_public(wire->key, &public_key);
    sign_public_text(&public_key, text);
    snprintf(beside, sizeof beside, "%s.pub", path);
    err = publish_key(beside, text, diag);
    const char *shared = wire->federation->hubs[wire->self].key_file;
    return err || !shared[0] ? err : publish_key(shared, text, diag);
}

/* Of a file it is read each time: the other hub may make it later. */
static enum err peer_key(const struct wire *wire, int hub, struct sign_public *ret_key)
{
    const struct federation_hub *peer = &wire->federation->hubs[hub];
    struct buf bytes;
    if (!str_is_empty(peer->key))
        return sign_public_read(peer->key, ret_key);
    enum err err = read_text(peer->key_file, &bytes);
    if (err)
        return err;
    err = sign_public_read(str_trim(buf_str(&bytes)), ret_key);
    buf_finish(&bytes);
    return err;
}

/* ---- sending ---- */

static void publish(struct wire *wire, int hub, struct str bytes)
{
    char name[BUS_SUBJECT_MAX], subject[BUS_SUBJECT_MAX + 1];
    snprintf(name, sizeof name, STR_FORMAT "/hub/district", STR_ARG(wire->federation->hubs[hub].area));
    enum err err = bus_subject(str_from_c(name), "IN", subject);
    if (!err)
        err = bus_link_answer(wire->link, str_from_c(subject), bytes); /* at once: somebody waits for most of it */
    if (err && err != ERR_UNAVAILABLE)
        log_write(
            LOG_WARNING, "district", "a message was not sent", LOG_STR("hub", wire->federation->hubs[hub].area), LOG_ERR(err), LOG_END);
}

static void say_hello(struct wire *wire, int hub)
{
    struct wire_peer *peer = wire->peers[hub];
    struct sign_public key;
    char party[BUS_PARTY_MAX + 1];
    uint8_t secret[32];
    peer->hello_ms = now_ms(wire);
    if (peer_key(wire, hub, &key)) /* not there yet */
        return;
    snprintf(party, sizeof party, STR_FORMAT "/hub", STR_ARG(wire->federation->hubs[hub].area));
    crypto_random(secret, sizeof secret);
    buf_reset(&wire->out);
    buf_append_byte(&wire->out, 'H');
    enum err err = bus_session_hello(
        str_from_c(wire->party), wire->key, str_from_c(party), clock_wall(wire->clock), secret, &wire->out, &peer->opening);
    crypto_wipe(secret, sizeof secret);
    if (err)
        return;
    peer->is_opening = true;
    publish(wire, hub, buf_str(&wire->out));
}

static void send(struct district_carrier *carrier, int hub, struct str bytes)
{
    struct wire *wire = container_of(carrier, struct wire, carrier);
    struct wire_peer *peer = wire->peers[hub];
    const struct bus_frame frame = {.is_last = true, .bytes = bytes};
    struct bus_mark mark;
    if (!peer || !peer->is_open) {
        metric_add(&wire->n_unsent, 1);
        return;
    }
    buf_reset(&wire->out);
    buf_append_byte(&wire->out, 'M');
    if (bus_session_seal(&peer->out, clock_wall(wire->clock), NULL, &frame, &wire->out, &mark) == ERR_OK)
        publish(wire, hub, buf_str(&wire->out));
}

/* ---- hearing ---- */

static bool was_heard(const struct wire_peer *peer, const struct sha256 *hash)
{
    for (size_t i = 0; i < HELLOS_MAX; i++)
        if (memcmp(peer->hellos[i].bytes, hash->bytes, sizeof hash->bytes) == 0)
            return true;
    return false;
}

/* Before any signature is looked at: anybody on the bus can send hellos in a hub's name. */
static bool is_within_rate(struct wire_peer *peer, int64_t now)
{
    if (now - peer->second_ms >= 1000) {
        peer->second_ms = now;
        peer->n_hellos = 0;
    }
    return peer->n_hellos++ < HELLOS_PER_S;
}

static void tell_other(struct str area, uint8_t protocol)
{
    log_write(LOG_ERROR, "district",
        protocol < BUS_PROTOCOL ? "another hub runs an older program, and is not spoken with; it has to be started anew with this one"
                                : "another hub runs a newer program, and is not spoken with; start this one anew with that program",
        LOG_STR("hub", area), LOG_INT("protocol", protocol), LOG_INT("ours", BUS_PROTOCOL), LOG_END);
}

static void on_hello(struct wire *wire, struct str hello)
{
    struct str party, area, name;
    struct sign_public key;
    struct bus_session session;
    uint8_t secret[32];
    if (bus_session_hello_from(hello, &party) || !str_cut(party, '/', &area, &name) || !str_equal(name, STR("hub")))
        return;
    int hub = federation_hub_find(wire->federation, area);
    struct wire_peer *peer = hub < 0 ? NULL : wire->peers[hub];
    struct sha256 hash = crypto_sha256(hello);
    if (!peer || was_heard(peer, &hash) || !is_within_rate(peer, now_ms(wire)) || peer_key(wire, hub, &key)) {
        metric_add(&wire->n_hellos_dropped, 1);
        return;
    }
    struct str self = wire->federation->hubs[wire->self].area;
    crypto_random(secret, sizeof secret);
    buf_reset(&wire->out);
    buf_append_byte(&wire->out, 'W');
    buf_append_byte(&wire->out, (char)self.len);
    buf_append_str(&wire->out, self);
    enum err err = bus_session_accept(
        str_from_c(wire->party), wire->key, &key, hello, clock_wall(wire->clock), secret, STR("one"), &wire->out, &session);
    crypto_wipe(secret, sizeof secret);
    if (err) {
        metric_add(&wire->n_hellos_refused, 1);
        if (peer->refused_ms == 0 || now_ms(wire) - peer->refused_ms >= REFUSED_LOG_MS) {
            peer->refused_ms = now_ms(wire);
            if (err == ERR_UNSUPPORTED)
                tell_other(area, (uint8_t)hello.ptr[0]);
            else
                log_write(LOG_WARNING, "district", "a hub's hello was refused", LOG_STR("hub", area), LOG_ERR(err), LOG_END);
        }
        if (err == ERR_UNSUPPORTED) /* it hears so */
            publish(wire, hub, buf_str(&wire->out));
        return;
    }
    peer->hellos[peer->hello_at++ % HELLOS_MAX] = hash;
    peer->in[peer->in_at++ % IN_MAX] = session;
    peer->n_in = peer->n_in < IN_MAX ? peer->n_in + 1 : IN_MAX;
    publish(wire, hub, buf_str(&wire->out));
    /* It was perhaps started anew, and has forgotten the session in which we speak to it. */
    if (!peer->is_opening && now_ms(wire) - peer->opened_ms > HELLO_MS)
        say_hello(wire, hub);
}

static void on_welcome(struct wire *wire, struct str bytes)
{
    struct sign_public key;
    struct bus_session session;
    char instance[BUS_INSTANCE_MAX + 1];
    size_t len = bytes.len ? (unsigned char)bytes.ptr[0] : 0;
    struct str area = str_slice(bytes, 1, len), welcome = str_slice(bytes, 1 + len, bytes.len);
    int hub = area.len == len ? federation_hub_find(wire->federation, area) : -1;
    struct wire_peer *peer = hub < 0 ? NULL : wire->peers[hub];
    if (!peer || !peer->is_opening || peer_key(wire, hub, &key))
        return;
    struct bus_opening opening = peer->opening; /* stays good when this welcome is not */
    enum err err = bus_session_complete(&opening, &key, welcome, clock_wall(wire->clock), &session, instance);
    if (err == ERR_UNSUPPORTED && (peer->refused_ms == 0 || now_ms(wire) - peer->refused_ms >= REFUSED_LOG_MS)) {
        peer->refused_ms = now_ms(wire);
        tell_other(area, (uint8_t)welcome.ptr[0]);
    }
    if (err)
        return;
    peer->out = session;
    peer->is_open = true;
    peer->is_opening = false;
    metric_add(&wire->n_sessions, 1);
    peer->opened_ms = now_ms(wire);
}

static void on_sealed(struct wire *wire, struct str sealed)
{
    uint8_t id[8];
    struct bus_frame frame;
    struct bus_mark mark;
    if (sealed.len > FRAME_MAX || bus_session_id(sealed, id))
        return;
    for (size_t hub = 0; hub < wire->federation->n_hubs; hub++) {
        struct wire_peer *peer = wire->peers[hub];
        for (size_t i = 0; peer && i < peer->n_in; i++) {
            if (memcmp(peer->in[i].id, id, sizeof id) != 0)
                continue;
            if (bus_session_open(&peer->in[i], clock_wall(wire->clock), NULL, sealed, wire->room, &frame, &mark) == ERR_OK) {
                peer->heard_ms = now_ms(wire);
                district_receive(wire->district, (int)hub, frame.bytes);
            } else
                metric_add(&wire->n_refused, 1);
            return;
        }
    }
    metric_add(&wire->n_refused, 1);
}

static void on_message(void *context, const struct bus_message *message)
{
    struct str rest = str_slice(message->bytes, 1, message->bytes.len);
    if (message->bytes.len == 0)
        return;
    switch (message->bytes.ptr[0]) {
    case 'H':
        on_hello(context, rest);
        return;
    case 'W':
        on_welcome(context, rest);
        return;
    case 'M':
        on_sealed(context, rest);
        return;
    default: /* of a later version, or nobody's */
        return;
    }
}

static void on_tick(struct loop_timer *timer)
{
    struct wire *wire = container_of(timer, struct wire, tick);
    int64_t now = now_ms(wire);
    for (size_t hub = 0; hub < wire->federation->n_hubs; hub++) {
        struct wire_peer *peer = wire->peers[hub];
        if (!peer || now - peer->hello_ms < HELLO_MS)
            continue;
        bool is_silent = now - peer->heard_ms > SILENT_MS;
        if (!peer->is_open || is_silent || peer->is_opening || bus_session_is_old(&peer->out, clock_wall(wire->clock)))
            say_hello(wire, (int)hub);
    }
    if (loop_timer_start(wire->loop, timer, TICK_MS))
        log_write(LOG_ERROR, "district", "sessions are not renewed any more", LOG_END);
}

/* ---- life ---- */

static enum err start(struct district_carrier *carrier, struct district *district, struct loop *loop, struct diag *diag)
{
    struct wire *wire = container_of(carrier, struct wire, carrier);
    char name[BUS_SUBJECT_MAX], subject[BUS_SUBJECT_MAX + 1];
    wire->district = district;
    wire->loop = loop;
    wire->tick.fn = on_tick;
    const struct bus_link_options options = {.url = wire->options.url,
        .name = wire->party,
        .nkey_file = wire->options.nkey_file,
        .ca_file = wire->options.ca_file,
        .cert_file = wire->options.cert_file,
        .key_file = wire->options.tls_key_file,
        .clock = wire->clock};
    const struct bus_link_subscriber subscriber = {.loop = loop, .limit = 4096, .on_message = on_message, .context = wire};
    enum err err = bus_link_open(&options, diag, &wire->link);
    if (err)
        return err;
    snprintf(name, sizeof name, STR_FORMAT "/hub/district", STR_ARG(wire->federation->hubs[wire->self].area));
    err = bus_subject(str_from_c(name), "IN", subject);
    if (!err)
        err = bus_link_subscribe(wire->link, str_from_c(subject), &subscriber, &wire->subscription);
    return err ? err : loop_timer_start(loop, &wire->tick, 0);
}

static void stop(struct district_carrier *carrier)
{
    struct wire *wire = container_of(carrier, struct wire, carrier);
    loop_timer_stop(&wire->tick);
    bus_link_unsubscribe(wire->subscription);
    wire->subscription = NULL;
}

/* ---- words under agreements: signed by the key that opens the sessions ---- */

static enum err sign_word(struct district_carrier *carrier, struct str text, uint8_t ret_signature[SIGN_SIGNATURE_LEN])
{
    return sign_make(container_of(carrier, struct wire, carrier)->key, text, ret_signature);
}

static enum err public_key(const struct wire *wire, int hub, struct sign_public *ret_key)
{
    if (hub != wire->self)
        return peer_key(wire, hub, ret_key);
    sign_key_public(wire->key, ret_key);
    return ERR_OK;
}

static enum err check_word(struct district_carrier *carrier, int hub, struct str text, const uint8_t signature[SIGN_SIGNATURE_LEN])
{
    struct sign_public key;
    enum err err = public_key(container_of(carrier, struct wire, carrier), hub, &key);
    return err ? err : sign_check(&key, text, signature);
}

static enum err key_text(struct district_carrier *carrier, int hub, char ret_key[SIGN_TEXT_MAX])
{
    struct sign_public key;
    enum err err = public_key(container_of(carrier, struct wire, carrier), hub, &key);
    if (!err)
        sign_public_text(&key, ret_key);
    return err;
}

static void measure(struct district_carrier *carrier, struct metric_page *page)
{
    static const struct metric sessions = {"citybrain_district_sessions_total", METRIC_COUNTER, "Sessions opened with other hubs", {NULL}};
    static const struct metric hellos = {
        "citybrain_district_hellos_refused_total", METRIC_COUNTER, "Openings by others that were not answered, and why", {"why"}};
    static const struct metric refused = {"citybrain_district_sealed_refused_total", METRIC_COUNTER,
        "Sealed messages of no session, or replayed, late, changed, forged", {NULL}};
    static const struct metric unsent = {
        "citybrain_district_unsent_total", METRIC_COUNTER, "Messages for which there was no session yet", {NULL}};
    const struct wire *wire = container_of(carrier, struct wire, carrier);
    metric_put_counter(page, &sessions, &wire->n_sessions, NULL);
    metric_put_counter(page, &hellos, &wire->n_hellos_dropped, METRIC_VALUES(STR("dropped")));
    metric_put_counter(page, &hellos, &wire->n_hellos_refused, METRIC_VALUES(STR("refused")));
    metric_put_counter(page, &refused, &wire->n_refused, NULL);
    metric_put_counter(page, &unsent, &wire->n_unsent, NULL);
}

static enum err copy_c(struct arena *arena, const char **text)
{
    struct str copy;
    if (!*text)
        return ERR_OK;
    enum err err = arena_copy_str(arena, str_from_c(*text), &copy);
    if (!err)
        *text = copy.ptr;
    return err;
}

static enum err make_peers(struct wire *wire)
{
    wire->peers = mem_alloc_zero(wire->federation->n_hubs, sizeof(struct wire_peer *));
    if (!wire->peers)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < wire->federation->n_hubs; i++) {
        if (!federation_between(wire->federation, (int)i, wire->self))
            continue;
        wire->peers[i] = mem_alloc_zero(1, sizeof *wire->peers[i]);
        if (!wire->peers[i])
            return ERR_NO_MEMORY;
        wire->peers[i]->hello_ms = wire->peers[i]->opened_ms = wire->peers[i]->heard_ms = INT64_MIN / 2;
    }
    return ERR_OK;
}

enum err wire_create(const struct wire_options *options, struct diag *diag, struct wire **ret_wire)
{
    struct wire *wire = mem_alloc_zero(1, sizeof *wire);
    if (!wire)
        return ERR_NO_MEMORY;
    wire->carrier = (struct district_carrier){
        .start = start, .send = send, .stop = stop, .sign = sign_word, .check = check_word, .key = key_text, .measure = measure};
    wire->federation = options->federation;
    wire->self = federation_hub_find(options->federation, options->area);
    wire->clock = options->clock;
    wire->options = *options;
    arena_init(&wire->arena, 1u << 16);
    buf_init(&wire->out, FRAME_MAX + BUS_SESSION_OVERHEAD + 1024);
    const char **const texts[] = {&wire->options.url, &wire->options.nkey_file, &wire->options.ca_file, &wire->options.cert_file,
        &wire->options.tls_key_file, &wire->options.key_path};
    enum err err = wire->self < 0 ? ERR_NOT_FOUND : (wire->room = mem_alloc(FRAME_MAX)) ? ERR_OK : ERR_NO_MEMORY;
    for (size_t i = 0; i < sizeof texts / sizeof *texts && !err; i++)
        err = copy_c(&wire->arena, texts[i]);
    if (!err)
        err = make_peers(wire);
    if (!err) {
        snprintf(wire->party, sizeof wire->party, STR_FORMAT "/hub", STR_ARG(options->area));
        err = open_key(wire, diag);
    }
    if (err) {
        wire_destroy(wire);
        return err;
    }
    *ret_wire = wire;
    return ERR_OK;
}

void wire_destroy(struct wire *wire)
{
    if (!wire)
        return;
    bus_link_close(wire->link);
    sign_key_destroy(wire->key);
    for (size_t i = 0; wire->peers && i < wire->federation->n_hubs; i++) {
        if (wire->peers[i])
            crypto_wipe(wire->peers[i], sizeof *wire->peers[i]);
        mem_free(wire->peers[i]);
    }
    mem_free(wire->peers);
    mem_free(wire->room);
    buf_finish(&wire->out);
    arena_finish(&wire->arena);
    mem_free(wire);
}

struct district_carrier *wire_carrier(struct wire *wire)
{
    return &wire->carrier;
}
