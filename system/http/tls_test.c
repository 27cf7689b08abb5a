/*
 * A department's interface by HTTPS, with authorities of the test's own: who is trusted is asked, who is not is told apart and told how to
 * be mended, and gets neither question nor secret; and when the certificate is a good one again so are the answers, without a restart.
 */
#define ERR_STATE openssl_err_state /* a type there */
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include "system/http/http_testing.h"

#include "base/mem.h"
#include "base/test.h"
#include "system/http/inside.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS_MAX 256
#define BINDING                                                                                                                            \
    "get: /vehicles, query: {limit: 1000}, rows: /data/items, fields: {plate: /id, colour: /look/colour, price: {at: /price, form: "       \
    "text}, "                                                                                                                              \
    "electric: {at: /electric, form: number}, since: {at: /since, form: seconds}}"

/* ---- authorities and certificates ---- */

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Signed by `issuer`, NULL: by itself; `names` NULL: an authority. Valid from now + from_s to now + until_s. */
static struct identity make_identity(const struct identity *issuer, const char *names, long from_s, long until_s)
{
    static long serial = 1;
    struct identity made = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
    X509_NAME *name = X509_NAME_new();
    char text[40];
    assert_non_null(made.key);
    snprintf(text, sizeof text, "of the test %ld", serial);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0);
    X509_set_version(made.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
    X509_set_subject_name(made.certificate, name);
    X509_set_issuer_name(made.certificate, issuer ? X509_get_subject_name(issuer->certificate) : name);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), until_s);
    X509_set_pubkey(made.certificate, made.key);
    add_extension(made.certificate, issuer ? issuer->certificate : made.certificate, NID_basic_constraints, names ? "CA:FALSE" : "CA:TRUE");
    if (names)
        add_extension(made.certificate, issuer ? issuer->certificate : made.certificate, NID_subject_alt_name, names);
    assert_true(X509_sign(made.certificate, issuer ? issuer->key : made.key, EVP_sha256()) > 0);
    X509_NAME_free(name);
    return made;
}

static void forget(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
    *identity = (struct identity){0};
}

static void write_certificate(const struct identity *identity, const char *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_X509(bio, identity->certificate), 1);
    BIO_write(bio, "", 1);
    BIO_get_mem_data(bio, &text);
    fake_department_secret(&web_city, name, text);
    BIO_free(bio);
}

/* ---- the front: TLS outside, the folder's plain server behind ---- */

static struct {
    pthread_mutex_t lock; /* of the identity */
    SSL_CTX *context;
    _Atomic bool is_stopping, is_silent, is_plain;
    int listener, port;
    pthread_t acceptor, peers[PEERS_MAX];
    size_t n_peers;
} front = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void show(const struct identity *identity)
{
    pthread_mutex_lock(&front.lock);
    SSL_CTX_free(front.context);
    front.context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(front.context, identity->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(front.context, identity->key), 1);
    pthread_mutex_unlock(&front.lock);
}

static int connect_behind(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)web_port()), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void relay(SSL *ssl, int client, int behind)
{
    char bytes[16384];
    for (bool goes_on = true; goes_on && !atomic_load(&front.is_stopping);) {
        struct pollfd waits[2] = {{.fd = client, .events = POLLIN}, {.fd = behind, .events = POLLIN}};
        if (SSL_pending(ssl) == 0 && poll(waits, 2, 20) <= 0)
            continue;
        if (SSL_pending(ssl) > 0 || waits[0].revents) {
            int n = SSL_read(ssl, bytes, sizeof bytes);
            goes_on = n > 0 && send(behind, bytes, (size_t)n, MSG_NOSIGNAL) == n;
        }
        if (goes_on && waits[1].revents) {
            ssize_t n = recv(behind, bytes, sizeof bytes, 0);
            goes_on = n > 0 && SSL_write(ssl, bytes, (int)n) == (int)n;
        }
    }
}

static void *serve(void *context)
{
    int client = (int)(intptr_t)context;
    struct timeval patience = {.tv_sec = 5};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (char byte; atomic_load(&front.is_silent) && recv(client, &byte, 1, 0) > 0;)
        ;
    if (atomic_load(&front.is_plain)) {
        web_write(client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        close(client);
        return NULL;
    }
    pthread_mutex_lock(&front.lock);
    SSL *ssl = SSL_new(front.context);
    pthread_mutex_unlock(&front.lock);
    SSL_set_fd(ssl, client);
    if (SSL_accept(ssl) == 1) {
        int behind = connect_behind();
        relay(ssl, client, behind);
        close(behind);
    }
    SSL_free(ssl);
    close(client);
    return NULL;
}

static void *accept_all(void *unused)
{
    while (!atomic_load(&front.is_stopping)) {
        struct pollfd waits = {.fd = front.listener, .events = POLLIN};
        int fd = poll(&waits, 1, 20) > 0 ? accept4(front.listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd < 0)
            continue;
        if (front.n_peers == PEERS_MAX || pthread_create(&front.peers[front.n_peers], NULL, serve, (void *)(intptr_t)fd) != 0)
            close(fd);
        else
            front.n_peers++;
    }
    return unused;
}

static void front_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    front.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(front.listener, (struct sockaddr *)&address, sizeof address) || listen(front.listener, 32) ||
                         getsockname(front.listener, (struct sockaddr *)&address, &size),
        0);
    front.port = ntohs(address.sin_port);
    atomic_store(&front.is_stopping, false);
    assert_int_equal(pthread_create(&front.acceptor, NULL, accept_all, NULL), 0);
}

static void front_stop(void)
{
    atomic_store(&front.is_stopping, true);
    pthread_join(front.acceptor, NULL);
    for (size_t i = 0; i < front.n_peers; i++)
        pthread_join(front.peers[i], NULL);
    front.n_peers = 0;
    close(front.listener);
    SSL_CTX_free(front.context);
    front.context = NULL;
}

/* ---- the city ---- */

static void load_city(const char *scheme, const char *host, int port, const char *ca)
{
    char text[4096];
    web_city_make(BINDING, "");
    fake_department_secret(&web_city, "web", "s3cret-token\n");
    snprintf(text, sizeof text,
        "connection: {url: \"%s://%s:%d/v1\", timeout: 5s, connections: 2, token_file: \"{data}/secrets/web\"%s%s%s}\nresources:\n  - "
        "{name: vehicle, title: {zh: 车, en: V}, kind: table, bind: {" BINDING "}, " WEB_FIELDS,
        scheme, host, port, *ca ? ", tls_ca: \"{data}/secrets/" : "", ca, *ca ? "\"" : "");
    fake_department_write(&web_city, "http", text);
}

/* What the source's health says of it. */
static void told(char out[HUB_DEPARTMENT_DETAIL_MAX])
{
    struct hub_department *department = &((struct http_system *)((struct hub_plan *)fake_department_plan(&web_city))->system)->department;
    pthread_mutex_lock(&department->lock);
    snprintf(out, HUB_DEPARTMENT_DETAIL_MAX, "%s", department->detail);
    pthread_mutex_unlock(&department->lock);
}

static void until_it_answers(const char *what)
{
    const struct mono_time begun = clock_mono(clock_system());
    const struct fake_answer *answer = web_ask("A00003");
    for (; answer->err && mono_ms_between(begun, clock_mono(clock_system())) < 60000; answer = web_ask("A00003"))
        usleep(20000);
    if (strcmp(answer->text, "A00003|white|4") != 0)
        fail_msg("%s: %s", what, err_text(answer->err));
}

/* ---- tests ---- */

enum { GOOD, OTHER_NAME, EXPIRED, NOT_YET, OF_OTHER_CA, OF_ITSELF, N_IDENTITIES };
static struct identity ca, other_ca, identities[N_IDENTITIES];

static void who_is_trusted(void **state)
{
    static const struct {
        const char *what, *host;
        int shown;
        const char *ca, *says; /* says NULL: it answers */
    } rows[] = {
        {"by name", "localhost", GOOD, "ca", NULL},
        {"by address", "127.0.0.1", GOOD, "ca", NULL},
        {"the system's authorities", "localhost", GOOD, "", "interface_issuer"},
        {"another authority", "localhost", GOOD, "other", "interface_issuer"},
        {"signed by another", "localhost", OF_OTHER_CA, "ca", "interface_issuer"},
        {"signed by itself", "localhost", OF_ITSELF, "ca", "interface_issuer"},
        {"another's name", "localhost", OTHER_NAME, "ca", "interface_name"},
        {"another's name, by address", "127.0.0.1", OTHER_NAME, "ca", "interface_name"},
        {"expired", "localhost", EXPIRED, "ca", "interface_expired"},
        {"not yet valid", "localhost", NOT_YET, "ca", "interface_expired"},
        {"no file of authorities", "localhost", GOOD, "nothing", "interface_ca"},
        {"a file of something else", "localhost", GOOD, "web", "interface_ca"},
    };
    size_t n_refused = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char detail[HUB_DEPARTMENT_DETAIL_MAX];
        show(&identities[rows[i].shown]);
        load_city("https", rows[i].host, front.port, rows[i].ca);
        write_certificate(&ca, "ca");
        write_certificate(&other_ca, "other");
        size_t before = atomic_load(&web_n_requests);
        fake_department_load(&web_city); /* never an error of the file */
        if (!rows[i].says) {
            until_it_answers(rows[i].what);
            assert_non_null(strstr(web_last.text, "\r\nAuthorization: Bearer s3cret-token\r\n"));
            web_city_finish();
            continue;
        }
        told(detail);
        if (strcmp(detail, rows[i].says) != 0)
            fail_msg("%s, when the city is loaded: %s", rows[i].what, detail);
        enum err err = web_ask("A00003")->err;
        told(detail);
        if (err != ERR_UNAVAILABLE || strcmp(detail, rows[i].says) != 0)
            fail_msg("%s: %s, %s", rows[i].what, err_text(err), detail);
        assert_int_equal(atomic_load(&web_n_requests), before); /* nothing was asked of it, nor was it shown the secret */
        n_refused++;
        web_city_finish();
    }
    printf("%zu interfaces refused, none of them asked\n", n_refused);
}

/* Where the file says https nothing goes in clear, and the other way round it is no answer. */
static void https_is_https(void **state)
{
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    show(&identities[GOOD]);
    atomic_store(&front.is_plain, true);
    load_city("https", "localhost", front.port, "ca");
    write_certificate(&ca, "ca");
    size_t before = atomic_load(&web_n_requests);
    fake_department_load(&web_city);
    assert_err(web_ask("A00003")->err, ERR_UNAVAILABLE);
    told(detail);
    assert_string_equal(detail, "interface_no_tls");
    web_city_finish();
    atomic_store(&front.is_plain, false);
    load_city("http", "127.0.0.1", front.port, "");
    fake_department_load(&web_city);
    enum err err = web_ask("A00003")->err;
    assert_true(err == ERR_UNAVAILABLE || err == ERR_TIMEOUT);
    assert_int_equal(atomic_load(&web_n_requests), before);
    web_city_finish();
    pthread_mutex_lock(&front.lock); /* an old version of TLS is none */
    SSL_CTX_set_security_level(front.context, 0);
    assert_int_equal(
        SSL_CTX_set_min_proto_version(front.context, TLS1_VERSION) && SSL_CTX_set_max_proto_version(front.context, TLS1_1_VERSION), 1);
    pthread_mutex_unlock(&front.lock);
    load_city("https", "localhost", front.port, "ca");
    write_certificate(&ca, "ca");
    fake_department_load(&web_city);
    assert_err(web_ask("A00003")->err, ERR_UNAVAILABLE);
    told(detail);
    assert_string_equal(detail, "interface_no_tls");
    assert_int_equal(atomic_load(&web_n_requests), before);
    web_city_finish();
}

/* A certificate that is renewed, a greeting that is never answered: no restart, no end of the time. */
static void it_changes(void **state)
{
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    show(&identities[EXPIRED]);
    load_city("https", "localhost", front.port, "ca");
    write_certificate(&ca, "ca");
    fake_department_load(&web_city);
    assert_err(web_ask("A00003")->err, ERR_UNAVAILABLE);
    show(&identities[GOOD]);
    until_it_answers("a renewed certificate");
    told(detail);
    assert_string_equal(detail, "");
    web_city_finish();
    atomic_store(&front.is_silent, true);
    load_city("https", "localhost", front.port, "ca");
    write_certificate(&ca, "ca");
    fake_department_load(&web_city);
    assert_err(web_ask("A00003")->err, ERR_TIMEOUT);
    atomic_store(&front.is_silent, false);
    until_it_answers("silence in the greeting");
    web_city_finish();
}

static int setup(void **state)
{
    const char *here = "DNS:localhost,IP:127.0.0.1";
    signal(SIGPIPE, SIG_IGN); /* as the program has it: OpenSSL writes without MSG_NOSIGNAL */
    const long hour = 3600, year = 365 * 24 * hour;
    ca = make_identity(NULL, NULL, -year, year);
    other_ca = make_identity(NULL, NULL, -year, year);
    identities[GOOD] = make_identity(&ca, here, -hour, hour);
    identities[OTHER_NAME] = make_identity(&ca, "DNS:parking.example,DNS:localhost.parking.example,IP:127.0.0.2", -hour, hour);
    identities[EXPIRED] = make_identity(&ca, here, -2 * hour, -hour);
    identities[NOT_YET] = make_identity(&ca, here, hour, 2 * hour);
    identities[OF_OTHER_CA] = make_identity(&other_ca, here, -hour, hour);
    identities[OF_ITSELF] = make_identity(NULL, here, -hour, hour);
    web_start(web_good);
    front_start();
    return 0;
}

static int teardown(void **state)
{
    front_stop();
    web_stop();
    for (size_t i = 0; i < N_IDENTITIES; i++)
        forget(&identities[i]);
    forget(&ca);
    forget(&other_ca);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_is_trusted), cmocka_unit_test(https_is_https), cmocka_unit_test(it_changes)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
