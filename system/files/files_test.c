/*
 * Objects from a folder, through the real door and the real ledger: whole and in parts, what their receipts say, keys that reach out of the
 * folder, transfers that are broken off, and how much memory a long one takes.
 */
#include "base/test.h"
#include "http/test_server.h"
#include "hub/fake_door.h"
#include "system/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONG_BYTES (64u << 20) /* of a file that is longer than what sockets and pieces hold */

static struct fake_door door;
static char head[8192], out[8192];

static const struct hub_system_ops *const connectors[] = {&fake_system_ops, &system_files_ops, NULL};

/* ---- the department ---- */

static char byte_at(uint64_t at)
{
    return (char)(at * 2654435761u >> 11);
}

static void path_of(const char *name, char path[256])
{
    assert_true(snprintf(path, 256, "%s/xray/%s", door.city.data, name) < 256);
}

static void make_file(const char *name, uint64_t n)
{
    char path[256], bytes[1 << 16];
    path_of(name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (uint64_t at = 0; at < n;) {
        size_t len = n - at < sizeof bytes ? (size_t)(n - at) : sizeof bytes;
        for (size_t i = 0; i < len; i++)
            bytes[i] = byte_at(at + i);
        assert_int_equal(fwrite(bytes, 1, len, file), len);
        at += len;
    }
    assert_int_equal(fclose(file), 0);
}

static int make(void **state)
{
    char path[256];
    fake_city_make(&door.city);
    door.city.connectors = connectors;
    fake_city_write(&door.city, "systems/xray.yaml",
        "party: h/police\nconnector: files\nconnection: {folder: \"{data}/xray\"}\nresources:\n"
        "  - name: xray\n    title: {zh: 影, en: X-rays}\n    kind: object\n    bind: {file: \"{examination}.png\"}\n    fields:\n"
        "      - {name: examination, type: text, class: personal, key: true}\n      - {name: bytes, type: bytes, class: personal}\n"
        "  - name: paper\n    title: {zh: 纸, en: Papers}\n    kind: object\n"
        "    bind: {file: \"papers/{number}\", media_type: application/pdf}\n    fields:\n"
        "      - {name: bytes, type: bytes, class: open}\n      - {name: number, type: integer, class: open, key: true}\n"
        "  - {name: network, title: {zh: 网, en: Network}, kind: object, bind: {file: network.zip}}\n");
    static const char *const names[] = {"xray", "paper", "network"};
    for (size_t i = 0; i < 3; i++) {
        char file[64], text[1024];
        snprintf(file, sizeof file, "contracts/c-5%zu.yaml", i);
        snprintf(text, sizeof text,
            "contract: h/c-5%zu\nprovider: h/police\nconsumer: h/parking\nresource: h/police/%s\nuses: [call]\npurpose: parking.settle\n"
            "legal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2030-01-01\nkeep: 1h\nstate: agreed\n",
            i, names[i]);
        fake_city_write(&door.city, file, text);
    }
    assert_int_equal(mkdir(door.city.data, 0700), 0);
    path_of("", path);
    assert_int_equal(mkdir(path, 0700), 0);
    path_of("papers", path);
    assert_int_equal(mkdir(path, 0700), 0);
    fake_door_start(&door);
    return 0;
}

static int finish(void **state)
{
    fake_door_stop(&door);
    return 0;
}

/* ---- asking ---- */

static int begin(const char *method, const char *target, const char *headers)
{
    char request[1024];
    int fd = test_connect(door.port);
    snprintf(request, sizeof request, "%s /hub/v1/object/h/police/%s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer parking\r\n%s\r\n",
        method, target, headers);
    test_send_c(fd, request);
    return fd;
}

/* Head and body into `head`; the status. */
static int ask(const char *method, const char *target, const char *headers)
{
    int fd = begin(method, target, headers);
    bool is_head = strcmp(method, "HEAD") == 0;
    int status = test_read_answer(fd, head, sizeof head, is_head);
    close(fd);
    return status;
}

static void header(const char *name, char *value, size_t size)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    const char *at = strcasestr(head, wanted);
    value[0] = '\0';
    if (at)
        snprintf(value, size, "%.*s", (int)strcspn(at + strlen(wanted), "\r"), at + strlen(wanted));
}

static uint64_t receipt(void)
{
    char text[128];
    header("Citybrain-Receipt", text, sizeof text);
    assert_int_equal(strncmp(text, "h.log/", 6), 0);
    return strtoull(text + 6, NULL, 10);
}

/* The outcome of the last answer's use, as its consumer sees it: the leaf in *ret_leaf, the salt in `salt`. */
static void outcome(json_t **ret_opening, json_t **ret_leaf, uint8_t salt[32])
{
    char path[64];
    struct str hex;
    int status = 0;
    snprintf(path, sizeof path, "/hub/v1/outcome/%llu", (unsigned long long)receipt());
    for (int i = 0; i < 6000 && status != 200; i++) {
        status = fake_door_ask(&door, "GET", path, "parking", NULL, out, sizeof out);
        if (status != 200)
            usleep(10000);
    }
    assert_int_equal(status, 200);
    assert_ok(json_read(str_from_c(out), NULL, ret_opening));
    *ret_leaf = json_object_get(*ret_opening, "leaf");
    assert_ok(json_get_str(*ret_opening, "salt", &hex));
    assert_ok(crypto_unhex(hex, salt, 32));
}

static int64_t member(const json_t *leaf, const char *name)
{
    int64_t i = -1;
    assert_ok(json_get_i64(leaf, name, &i));
    return i;
}

/* What the outcome says: how many bytes from where of how many, how it ended, and the digest of exactly these bytes. Returns the bytes. */
static uint64_t assert_outcome(int64_t bytes, int64_t first, int64_t total, const char *status)
{
    json_t *opening, *leaf;
    uint8_t salt[32];
    struct str text;
    char expected[65];
    outcome(&opening, &leaf, salt);
    int64_t given = member(leaf, "bytes");
    if (bytes >= 0)
        assert_int_equal(given, bytes);
    assert_int_equal(member(leaf, "first"), first);
    assert_int_equal(member(leaf, "total"), total);
    assert_ok(json_get_str(leaf, "status", &text));
    assert_str(text, status);
    char *copy = malloc((size_t)given + 1);
    assert_non_null(copy);
    for (int64_t i = 0; i < given; i++)
        copy[i] = byte_at((uint64_t)(first + i));
    struct sha256 digest = crypto_sha256((struct str){copy, (size_t)given});
    free(copy);
    struct sha256 commitment = crypto_hmac_sha256((struct str){(char *)salt, 32}, (struct str){(char *)digest.bytes, 32});
    crypto_hex(commitment.bytes, 32, expected);
    assert_ok(json_get_str(leaf, "digest", &text));
    assert_str(text, expected);
    json_decref(opening);
    return (uint64_t)given;
}

static bool is_right(const char *bytes, uint64_t first, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != byte_at(first + i))
            return false;
    return true;
}

/* ---- whole and in parts ---- */

#define XRAY "xray?purpose=parking.settle&key="

static void whole(void **state)
{
    char value[256];
    make_file("a-1.png", 5000);
    make_file("papers/7", 0);
    make_file("network.zip", 10);
    assert_int_equal(ask("GET", XRAY "a-1", ""), 200);
    assert_true(is_right(strstr(head, "\r\n\r\n") + 4, 0, 3000));
    header("Content-Length", value, sizeof value);
    assert_string_equal(value, "5000");
    header("Content-Type", value, sizeof value);
    assert_string_equal(value, "image/png");
    header("Content-Security-Policy", value, sizeof value);
    assert_non_null(strstr(value, "sandbox"));
    assert_outcome(5000, 0, 5000, "ok");
    assert_int_equal(ask("HEAD", XRAY "a-1", ""), 200);
    header("Content-Length", value, sizeof value);
    assert_string_equal(value, "5000");
    assert_outcome(0, 0, 5000, "ok");
    assert_int_equal(ask("GET", "paper?purpose=parking.settle&key=7", ""), 200);
    header("Content-Type", value, sizeof value);
    assert_string_equal(value, "application/pdf");
    assert_outcome(0, 0, 0, "ok");
    assert_int_equal(ask("GET", "network?purpose=parking.settle", ""), 200);
    assert_outcome(10, 0, 10, "ok");
}

static void parts(void **state)
{
    static const struct {
        const char *range;
        int status;
        int64_t first, n;
    } rows[] = {{"bytes=0-99", 206, 0, 100}, {"bytes=100-", 206, 100, 4900}, {"bytes=-1", 206, 4999, 1},
        {"bytes=4000-9000", 206, 4000, 1000}, {"bytes=5000-", 416, 0, 0}, {"bytes=0-1,3-4", 200, 0, 5000}};
    char headers[256], etag[128], value[128], expected[128];
    uint64_t before = 0;
    make_file("a-1.png", 5000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(headers, sizeof headers, "Range: %s\r\n", rows[i].range);
        assert_int_equal(ask("GET", XRAY "a-1", headers), rows[i].status);
        if (rows[i].status != 416)
            assert_true(is_right(strstr(head, "\r\n\r\n") + 4, (uint64_t)rows[i].first, (size_t)(rows[i].n < 100 ? rows[i].n : 100)));
        header("Content-Range", value, sizeof value);
        snprintf(expected, sizeof expected, "bytes %lld-%lld/5000", (long long)rows[i].first, (long long)(rows[i].first + rows[i].n - 1));
        assert_string_equal(value, rows[i].status == 206 ? expected : rows[i].status == 416 ? "bytes */5000" : "");
        assert_true(receipt() > before); /* each its own */
        before = receipt();
        assert_outcome(rows[i].n, rows[i].first, 5000, rows[i].status == 416 ? "failed" : "ok");
    }
    for (etag[0] = 'W'; etag[0] == 'W'; usleep(100000)) { /* a strong one, when nothing has changed for a while */
        assert_int_equal(ask("HEAD", XRAY "a-1", ""), 200);
        header("ETag", etag, sizeof etag);
    }
    snprintf(headers, sizeof headers, "Range: bytes=1-2\r\nIf-Range: %s\r\n", etag);
    assert_int_equal(ask("GET", XRAY "a-1", headers), 206);
    assert_int_equal(ask("GET", XRAY "a-1", "Range: bytes=1-2\r\nIf-Range: \"other\"\r\n"), 200);
    snprintf(headers, sizeof headers, "If-None-Match: %s\r\n", etag);
    assert_int_equal(ask("GET", XRAY "a-1", headers), 304);
    assert_outcome(0, 0, 5000, "ok");
    snprintf(headers, sizeof headers, "If-Match: %s\r\n", etag);
    make_file("a-1.png", 5001);
    assert_int_equal(ask("GET", XRAY "a-1", headers), 412);
    assert_int_equal(ask("GET", XRAY "a-1", ""), 200);
    header("ETag", etag, sizeof etag);
    assert_int_equal(strncmp(etag, "W/", 2), 0); /* it has just been written */
}

/* ---- what a key may not do ---- */

static void outside(void **state)
{
    static const char *const keys[] = {"..%2Fsecret", "%2E%2E%2F%2E%2E%2Fparties", "a%2Fb", ".hidden", "missing", "link", "folder", "pipe",
        "a%0Ab", "%2Fetc%2Fpasswd", "way%2Fout", ".."};
    char path[256], target[256];
    path_of("../secret.png", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs("secret", file) < 0, 0);
    assert_int_equal(fclose(file), 0);
    path_of("link.png", path);
    assert_int_equal(symlink("../secret.png", path), 0);
    path_of("folder.png", path);
    assert_int_equal(mkdir(path, 0700), 0);
    path_of("pipe.png", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    make_file(".hidden.png", 1);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        snprintf(target, sizeof target, XRAY "%s", keys[i]);
        assert_int_equal(ask("GET", target, ""), 404);
        assert_non_null(strstr(head, "the department has no such object"));
        assert_true(receipt() > 0);
    }
    path_of("papers", path); /* a folder on the way that is a link by now */
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("..", path), 0);
    make_file("../9", 1);
    assert_int_equal(ask("GET", "paper?purpose=parking.settle&key=9", ""), 404);
}

static void refused(void **state)
{
    make_file("a-1.png", 10);
    assert_int_equal(ask("GET", "xray?purpose=parking.settle", ""), 400);          /* which one? */
    assert_int_equal(ask("GET", "xray?key=a-1", ""), 400);                         /* what for? */
    assert_int_equal(ask("GET", "network?purpose=parking.settle&key=a", ""), 400); /* it has none */
    assert_int_equal(ask("GET", "paper?purpose=parking.settle&key=x", ""), 400);   /* no integer */
    assert_int_equal(ask("GET", "xray?purpose=other&key=a-1", ""), 404);
    assert_null(strstr(head, "Citybrain-Receipt"));
    assert_non_null(strstr(head, "\"rule\":8"));
    assert_int_equal(ask("GET", "none?purpose=parking.settle&key=a-1", ""), 404);
    assert_int_equal(ask("GET", "vehicle?purpose=parking.settle&key=a-1", ""), 404); /* no object */
    char path[256], away[300];
    path_of("", path);
    path[strlen(path) - 1] = '\0';
    snprintf(away, sizeof away, "%s.away", path);
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(ask("GET", XRAY "a-1", ""), 503);
    assert_int_equal(rename(away, path), 0);
    assert_int_equal(ask("GET", XRAY "a-1", ""), 200);
}

/* ---- broken off ---- */

/* Reads `n` bytes of a body and holds them against what they should be. */
static void take(int fd, uint64_t from, uint64_t n)
{
    static char bytes[1 << 16];
    for (uint64_t at = 0; at < n;) {
        ssize_t got = recv(fd, bytes, n - at < sizeof bytes ? n - at : sizeof bytes, 0);
        assert_true(got > 0);
        assert_true(is_right(bytes, from + at, (size_t)got));
        at += (uint64_t)got;
    }
}

static void the_asker_goes(void **state)
{
    make_file("a-1.png", LONG_BYTES);
    int fd = begin("GET", XRAY "a-1", "Range: bytes=1000-\r\n");
    assert_int_equal(test_read_answer(fd, head, sizeof head, true), 206);
    take(fd, 1000, 3 << 20);
    close(fd);
    uint64_t given = assert_outcome(-1, 1000, LONG_BYTES, "cancelled");
    assert_true(given >= 3 << 20 && given < LONG_BYTES - 1000);
}

static void it_changes(void **state)
{
    char path[256];
    make_file("a-1.png", LONG_BYTES);
    path_of("a-1.png", path);
    for (int i = 0; i < 2; i++) { /* one byte is another; it is shorter */
        int fd = begin("GET", XRAY "a-1", "");
        assert_int_equal(test_read_answer(fd, head, sizeof head, true), 200);
        take(fd, 0, 1 << 20);
        int file = open(path, O_WRONLY | O_CLOEXEC);
        assert_true(i ? ftruncate(file, 2 << 20) == 0 : pwrite(file, "x", 1, LONG_BYTES - 1) == 1);
        close(file);
        assert_true(test_is_closed(fd));
        close(fd);
        uint64_t given = assert_outcome(-1, 0, LONG_BYTES, "changed");
        assert_true(given >= 1 << 20 && given < LONG_BYTES);
    }
}

/* A file that is replaced as a whole is given as it was opened. */
static void it_is_replaced(void **state)
{
    char path[256], other[256];
    make_file("a-1.png", LONG_BYTES);
    make_file("b", 10);
    int fd = begin("GET", XRAY "a-1", "");
    assert_int_equal(test_read_answer(fd, head, sizeof head, true), 200);
    take(fd, 0, 1 << 20);
    path_of("a-1.png", path);
    path_of("b", other);
    assert_int_equal(link(path, other) == 0 || errno == EEXIST, 1);
    assert_int_equal(rename(other, path), 0); /* the old one's times tell that it has a name less: it may end, but never with other bytes */
    for (uint64_t at = 1 << 20; at < LONG_BYTES;) {
        char bytes[4096];
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        if (got <= 0)
            break;
        assert_true(is_right(bytes, at, (size_t)got));
        at += (uint64_t)got;
    }
    close(fd);
}

static void the_contract_ends(void **state)
{
    make_file("a-1.png", LONG_BYTES);
    int fd = begin("GET", XRAY "a-1", "");
    assert_int_equal(test_read_answer(fd, head, sizeof head, true), 200);
    take(fd, 0, 1 << 20);
    assert_int_equal(fake_door_ask(&door, "POST", "/hub/v1/contracts/h/c-50/suspend", "police-manager", "{}", out, sizeof out), 200);
    assert_true(test_is_closed(fd));
    close(fd);
    uint64_t given = assert_outcome(-1, 0, LONG_BYTES, "ended");
    assert_true(given < LONG_BYTES);
}

static void the_brain_goes(void **state)
{
    make_file("a-1.png", LONG_BYTES);
    int fd = begin("GET", XRAY "a-1", "");
    assert_int_equal(test_read_answer(fd, head, sizeof head, true), 200);
    fake_door_end(&door);
    assert_true(test_is_closed(fd));
    close(fd);
    fake_door_start(&door); /* whole: it can be stopped again */
}

/* ---- memory ---- */

static long resident_kb(const char *what)
{
    char line[256];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, what, strlen(what)) == 0)
            kb = strtol(line + strlen(what) + 1, NULL, 10);
    assert_int_equal(fclose(file), 0);
    return kb;
}

static void memory_is_bounded(void **state)
{
    char path[256];
    uint64_t n = 200u << 20;
    path_of("a-1.png", path);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* holes: no disk, the same memory */
    assert_true(file >= 0 && ftruncate(file, (off_t)n) == 0);
    close(file);
    int fds[4];
    long before = resident_kb("VmRSS:"), most = 0;
    static char bytes[1 << 18];
    for (size_t i = 0; i < 4; i++) {
        fds[i] = begin("GET", XRAY "a-1", "");
        assert_int_equal(test_read_answer(fds[i], head, sizeof head, true), 200);
    }
    for (uint64_t at = 0; at < n;) {
        ssize_t got = recv(fds[0], bytes, sizeof bytes, 0);
        assert_true(got > 0);
        at += (uint64_t)got;
        long now = resident_kb("VmRSS:");
        most = now > most ? now : most;
    }
    print_message("200 MB to one reader, three others stand still: %ld kB more at most\n", most - before);
#ifndef __SANITIZE_THREAD__ /* its shadow memory grows with what is touched, not with what is held */
    assert_true(most - before < 20000);
#endif
    for (size_t i = 0; i < 4; i++)
        close(fds[i]);
}

/* ---- the department's file ---- */

static void mistakes(void **state)
{
    static const struct {
        const char *resource, *told;
    } rows[] = {
        {"kind: stream, bind: {file: a}, fields: [{name: k, type: text, class: open}]", "objects only"},
        {"kind: object, bind: {file: \"../{k}\"}, fields: [{name: k, type: text, class: open, key: true}, {name: bytes, type: bytes, "
         "class: open}]",
            "no name below the folder"},
        {"kind: object, bind: {file: \"/{k}\"}, fields: [{name: k, type: text, class: open, key: true}, {name: bytes, type: bytes, class: "
         "open}]",
            "no name below the folder"},
        {"kind: object, bind: {file: \"a\"}, fields: [{name: k, type: text, class: open, key: true}, {name: bytes, type: bytes, class: "
         "open}]",
            "has to hold the key once"},
        {"kind: object, bind: {file: \"{x}\"}, fields: [{name: k, type: text, class: open, key: true}, {name: bytes, type: bytes, class: "
         "open}]",
            "has to hold the key once"},
        {"kind: object, bind: {file: \"{k}\"}", "declare one with key: true"},
        {"kind: object, bind: {file: a, media_type: png}", "like image/png"},
        {"kind: object, bind: {folder: a}", "folder"},
        {"kind: object", "needs a binding"},
        {"kind: object, bind: {file: a}, fields: [{name: k, type: real, class: open, key: true}, {name: bytes, type: bytes, class: open}]",
            "an object has one field"},
        {"kind: object, bind: {file: a}, fields: [{name: k, type: text, class: open}, {name: bytes, type: bytes, class: open}]",
            "an object has one field"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_city city;
        struct diag_list diags;
        char text[1024];
        bool is_told = false;
        fake_city_make(&city);
        city.connectors = connectors;
        snprintf(text, sizeof text,
            "party: h/police\nconnector: files\nconnection: {folder: x}\nresources:\n  - {name: o, title: {zh: o, en: o}, %s}\n",
            rows[i].resource);
        fake_city_write(&city, "systems/o.yaml", text);
        assert_true(fake_city_load(&city, &diags) != ERR_OK);
        for (size_t j = 0; j < diags.n; j++)
            is_told = is_told || strstr(diags.diags[j].text, rows[i].told);
        if (!is_told)
            fail_msg("row %zu: %s", i, diags.n ? diags.diags[0].text : "nothing");
        fake_city_unload(&city);
        fake_city_remove(&city);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole, make, finish),
        cmocka_unit_test_setup_teardown(parts, make, finish),
        cmocka_unit_test_setup_teardown(outside, make, finish),
        cmocka_unit_test_setup_teardown(refused, make, finish),
        cmocka_unit_test_setup_teardown(the_asker_goes, make, finish),
        cmocka_unit_test_setup_teardown(it_changes, make, finish),
        cmocka_unit_test_setup_teardown(it_is_replaced, make, finish),
        cmocka_unit_test_setup_teardown(the_contract_ends, make, finish),
        cmocka_unit_test_setup_teardown(the_brain_goes, make, finish),
        cmocka_unit_test_setup_teardown(memory_is_bounded, make, finish),
        cmocka_unit_test(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
