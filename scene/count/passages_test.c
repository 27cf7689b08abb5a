/* Both forms of a file of passages: lines by hand, records byte for byte, what is broken, what ends the reading. */
#include "scene/count/passages.h"

#include "base/mem.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/citybrain_passages_XXXXXX"; /* mkdtemp() fills it in */
static char text_path[80], binary_path[80];

static int setup(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(text_path, sizeof(text_path), "%s/p.csv", folder);
    snprintf(binary_path, sizeof(binary_path), "%s/p.bin", folder);
    return 0;
}

static int teardown(void **state)
{
    unlink(text_path);
    unlink(binary_path);
    return rmdir(folder);
}

static void write_bytes(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static size_t read_bytes(const char *path, uint8_t *out, size_t size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(out, 1, size, file);
    fclose(file);
    return n;
}

/* What a reading has seen, as text. */
struct seen {
    struct count_reading reading;
    struct str_map cameras;
    char records[4000], broken[2000];
    double share;
    unsigned n_told;
};

static const char *on_record(void *context, const struct count_record *record)
{
    struct seen *seen = context;
    size_t len = strlen(seen->records);
    snprintf(seen->records + len, sizeof(seen->records) - len, "%lld %lld " STR_FORMAT " %u " STR_FORMAT " %016llx %u\n",
        (long long)record->pass_ms, (long long)record->arrived_ms, STR_ARG(str_map_key(&seen->cameras, record->camera)), record->lane,
        STR_ARG(record->plate), (unsigned long long)record->vehicle, record->confidence);
    return str_equal_c(record->plate, "REFUSED") ? "not this one" : NULL;
}

static void on_broken(void *context, const char *text)
{
    struct seen *seen = context;
    strncat(seen->broken, strrchr(text, '/') + 1, sizeof(seen->broken) - strlen(seen->broken) - 2);
    strncat(seen->broken, "\n", sizeof(seen->broken) - strlen(seen->broken) - 1);
}

static void on_progress(void *context, double share)
{
    struct seen *seen = context;
    assert_true(share >= seen->share && share <= 1);
    seen->share = share;
    seen->n_told++;
}

static enum err read_all(struct seen *seen, const char *path, struct diag *diag)
{
    memset(seen, 0, sizeof(*seen));
    str_map_init(&seen->cameras, 4, 1);
    seen->reading = (struct count_reading){.cameras = &seen->cameras,
        .adds_cameras = true,
        .on_record = on_record,
        .on_broken = on_broken,
        .on_progress = on_progress,
        .context = seen};
    return count_passages_read(&seen->reading, path, diag);
}

static void finish(struct seen *seen)
{
    str_map_finish(&seen->cameras);
}

#define HEADER COUNT_PASSAGES_HEADER "\n"

static void a_line_is_read_as_it_stands(void **state)
{
    static struct seen seen;
    static const char text[] =
        "\xef\xbb\xbf" HEADER "25200000,25200312,C1,2,P1,97\r\n\n0,0,C2,,P2,\n 8796093022208,8796093022208,C1,255,REFUSED,100\n"
        "1,2,C3,1,P3,1";
    write_bytes(text_path, text, sizeof(text) - 1);
    assert_ok(read_all(&seen, text_path, NULL));
    char expected[400];
    snprintf(expected, sizeof(expected),
        "25200000 25200312 C1 2 P1 %016llx 97\n0 0 C2 0 P2 %016llx 255\n8796093022208 8796093022208 C1 255 REFUSED %016llx 100\n"
        "1 2 C3 1 P3 %016llx 1\n",
        (unsigned long long)str_hash(STR("P1")), (unsigned long long)str_hash(STR("P2")), (unsigned long long)str_hash(STR("REFUSED")),
        (unsigned long long)str_hash(STR("P3")));
    assert_string_equal(seen.records, expected);
    assert_string_equal(seen.broken, "p.csv:5: not this one\n");
    assert_int_equal(seen.reading.n_lines, 4);
    assert_int_equal(seen.reading.n_broken, 1);
    assert_true(seen.share == 1);
    finish(&seen);
}

static void each_broken_line_is_named(void **state)
{
    static const struct {
        const char *line, *why; /* NULL: it will do */
    } cases[] = {
        {"1,2,C1,1,P,97", NULL},
        {"1,2,C1,1,P", "a passage has six fields"},
        {"1,2,C1,1,P,97,", "a passage has six fields"},
        {",", "a passage has six fields"},
        {"1.5,2,C1,1,P,97", "a time is not a whole number of milliseconds"},
        {"1,,C1,1,P,97", "a time is not a whole number of milliseconds"},
        {"-1,2,C1,1,P,97", "a time is outside of 0 to 2^43 milliseconds"},
        {"1,8796093022209,C1,1,P,97", "a time is outside of 0 to 2^43 milliseconds"},
        {"1,1000000000000000000,C1,1,P,97", "a time is outside of 0 to 2^43 milliseconds"},
        {"1,2,,1,P,97", "a camera's name has 1 to 255 bytes"},
        {"1,2,C1,1,,97", "a passage without a plate"},
        {"1,2,C1,256,P,97", "a lane is a whole number up to 255, or empty"},
        {"1,2,C1,x,P,97", "a lane is a whole number up to 255, or empty"},
        {"1,2,C1,1,P,101", "a confidence is a whole number up to 100, or empty"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct seen seen;
        char text[400], expected[200] = "";
        snprintf(text, sizeof(text), HEADER "%s\n", cases[i].line);
        write_bytes(text_path, text, strlen(text));
        assert_ok(read_all(&seen, text_path, NULL));
        if (cases[i].why != NULL)
            snprintf(expected, sizeof(expected), "p.csv:2: %s\n", cases[i].why);
        assert_string_equal(seen.broken, expected);
        assert_int_equal(seen.reading.n_broken, cases[i].why != NULL);
        finish(&seen);
    }
}

/* Names of cameras without end take no more memory than the limit, and lines without end none. */
/* Of all that was read, and nothing of it lost to a short buffer. */
struct digest {
    struct count_reading reading;
    struct str_map cameras;
    uint64_t hash, n_records, n_told;
};

static void add_bytes(struct digest *digest, const void *bytes, size_t len)
{
    digest->hash = (digest->hash ^ str_hash((struct str){bytes, len})) * 0x9E3779B97F4A7C15u;
}

static const char *digest_record(void *context, const struct count_record *record)
{
    struct digest *digest = context;
    uint64_t numbers[] = {(uint64_t)record->pass_ms, (uint64_t)record->arrived_ms, record->camera, record->lane, record->confidence,
        record->vehicle, record->line};
    add_bytes(digest, numbers, sizeof(numbers));
    add_bytes(digest, record->plate.ptr, record->plate.len);
    digest->n_records++;
    return record->lane == 77 ? "not this one" : NULL;
}

static void digest_broken(void *context, const char *text)
{
    struct digest *digest = context;
    add_bytes(digest, text, strlen(text));
    digest->n_told++;
}

static void digest_file(struct digest *digest, const char *text, size_t len)
{
    *digest = (struct digest){.hash = 1};
    str_map_init(&digest->cameras, 80, 1);
    digest->reading = (struct count_reading){
        .cameras = &digest->cameras, .adds_cameras = true, .on_record = digest_record, .on_broken = digest_broken, .context = digest};
    write_bytes(text_path, text, len);
    assert_ok(count_passages_read(&digest->reading, text_path, NULL));
    str_map_finish(&digest->cameras);
}

#define N_LINES 60000 /* more than a piece of the file that is read at once */

/* A blank at a line's end means nothing, and leaves it to the careful reader: the plain one gives the same, also of lines with a byte
 * changed, added or gone. */
static void plain_lines_are_read_as_careful_ones(void **state)
{
    static const char other[] = "0123456789,,,,\n\r\t -+C\xe6Z\"";
    static char plain[N_LINES * 96], careful[N_LINES * 96];
    static struct digest one, two;
    size_t n = (size_t)snprintf(plain, sizeof(plain), HEADER), n_careful = (size_t)snprintf(careful, sizeof(careful), HEADER);
    uint64_t chance = 88172645463325252u;
    for (int i = 0; i < N_LINES; i++) {
        char line[96];
        chance ^= chance << 13, chance ^= chance >> 7, chance ^= chance << 17;
        uint64_t ms = chance >> (20 + chance % 42), lane = chance >> 20 & 0x7f, confidence = (chance >> 30 & 0x7f) % 103;
        int len = snprintf(line, sizeof(line), "%llu,%llu,C%.*s%llu,%llu,%.*s%llX,%llu", (unsigned long long)ms,
            (unsigned long long)ms + 312, (int)(chance >> 40 & 0xf), "1234567890123456", (unsigned long long)(chance & 3),
            (unsigned long long)lane, (int)(chance >> 45 & 3) * 3, "\xe6\xb5\x99\xe6\xb5\x99\xe6\xb5\x99",
            (unsigned long long)chance >> (chance >> 50 & 0x3f), (unsigned long long)confidence);
        size_t at = (size_t)(chance >> 34) % (size_t)len;
        if (chance >> 56 < 40)
            line[at] = other[(chance >> 24) % (sizeof(other) - 1)];
        else if (chance >> 56 < 60)
            memmove(&line[at], &line[at + 1], (size_t)len-- - at);
        line[len] = '\0';
        n += (size_t)snprintf(plain + n, sizeof(plain) - n, chance >> 61 == 7 ? "%s\r\n" : "%s\n", line);
        for (const char *part = line; part != NULL; part = part[0] == '\n' ? part + 1 : NULL) {
            size_t part_len = strcspn(part, "\n");
            n_careful += (size_t)snprintf(careful + n_careful, sizeof(careful) - n_careful, "%.*s \n", (int)part_len, part);
            part += part_len;
        }
    }
    digest_file(&one, plain, n);
    digest_file(&two, careful, n_careful);
    assert_true(one.n_records > N_LINES / 2 && one.n_told > 1000);
    assert_int_equal(one.n_records, two.n_records);
    assert_int_equal(one.n_told, two.n_told);
    assert_int_equal(one.reading.n_lines, two.reading.n_lines);
    assert_true(one.hash == two.hash);
    /* Cut off anywhere, what stands behind in memory is not read. */
    for (size_t end = 40000; end < 40100; end++) {
        careful[0] = '\0';
        memcpy(careful, plain, end);
        digest_file(&one, careful, end);
        careful[end] = ' ';
        digest_file(&two, careful, end + 1);
        assert_true(one.hash == two.hash && one.n_records == two.n_records);
    }
}

static void hostile_lines_take_no_memory(void **state)
{
    static struct seen seen;
    FILE *file = fopen(text_path, "wb");
    assert_non_null(file);
    fputs(HEADER, file);
    for (int i = 0; i < 10; i++)
        fprintf(file, "1,2,camera %d,1,REFUSED,97\n", i);
    for (int i = 0; i < 3000000; i++)
        putc(i == 1500000 ? '\n' : 'x', file);
    fputs("\n1,2,camera 0,1,P,97\n", file);
    assert_int_equal(fclose(file), 0);
    assert_ok(read_all(&seen, text_path, NULL));
    assert_int_equal(seen.cameras.n, 4);
    assert_int_equal(seen.reading.n_lines, 13);
    assert_int_equal(seen.reading.n_broken, 12);
    assert_non_null(strstr(seen.broken, "p.csv:6: more cameras than a file may have"));
    assert_non_null(strstr(seen.broken, "p.csv:12: the line is too long\np.csv:13: the line is too long\n"));
    assert_non_null(strstr(seen.records, "1 2 camera 0 1 P "));
    finish(&seen);
}

/* The bytes that docs/count.md and passages.h promise. */
static void the_binary_form_byte_for_byte(void **state)
{
    static const char text[] = HEADER "25200000,25200312,C1,2,A1,97\n1,2,Z,,A·plate·too·long,\nbroken\n";
    static struct seen seen;
    uint8_t bytes[200];
    uint64_t n;
    write_bytes(text_path, text, sizeof(text) - 1);
    struct count_reading reading = {.on_broken = on_broken, .context = &seen};
    memset(&seen, 0, sizeof(seen));
    assert_ok(count_passages_convert(&reading, text_path, binary_path, NULL, &n));
    assert_int_equal(n, 2);
    assert_int_equal(reading.n_lines, 3);
    assert_int_equal(reading.n_broken, 1);
    assert_string_equal(seen.broken, "p.csv:4: a passage has six fields\n");
    uint8_t expected[128] = "cbpass\r\n\1\0\0\0\2\0\0\0\x40\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\2C1\1Z";
    memcpy(expected + 64,
        "\xb8\x86\x80\x01\0\0\x80\x85\x80\x01\0\0\0\0\0\0\2\x61"
        "A1",
        20);
    memcpy(expected + 96, "\2\0\0\0\0\0\1\0\0\0\0\0\1\0\0\0\0\xff\xff", 19);
    uint64_t hash = str_hash(STR("A·plate·too·long"));
    for (int i = 0; i < 8; i++)
        expected[96 + 24 + i] = (uint8_t)(hash >> (8 * i));
    assert_int_equal(read_bytes(binary_path, bytes, sizeof(bytes)), 128);
    assert_memory_equal(bytes, expected, 128);
    assert_ok(read_all(&seen, binary_path, NULL));
    char records[200];
    snprintf(records, sizeof(records), "25200000 25200312 C1 2 A1 %016llx 97\n1 2 Z 0  %016llx 255\n",
        (unsigned long long)str_hash(STR("A1")), (unsigned long long)hash);
    assert_string_equal(seen.records, records);
    assert_true(seen.share == 1);
    finish(&seen);
    /* Once more from the binary form: the same bytes. */
    static char third[96];
    snprintf(third, sizeof(third), "%s/third.bin", folder);
    assert_ok(count_passages_convert(&reading, binary_path, third, NULL, &n));
    assert_int_equal(read_bytes(third, bytes, sizeof(bytes)), 128);
    assert_memory_equal(bytes, expected, 128);
    unlink(third);
}

static void broken_records_are_named(void **state)
{
    static const char text[] = HEADER "1,2,C1,2,A1,97\n1,2,C1,2,A2,97\n1,2,C1,2,A3,97\n1,2,C1,2,A4,97\n";
    static struct seen seen;
    uint8_t bytes[300];
    struct count_reading reading = {0};
    uint64_t n;
    write_bytes(text_path, text, sizeof(text) - 1);
    assert_ok(count_passages_convert(&reading, text_path, binary_path, NULL, &n));
    size_t len = read_bytes(binary_path, bytes, sizeof(bytes));
    assert_int_equal(len, 64 + 4 * 32);
    bytes[64 + 5] = 0xff;    /* its arrival in the year 10,000 */
    bytes[64 + 32 + 12] = 7; /* a camera that is not there */
    bytes[64 + 64 + 18] = 0; /* no plate */
    write_bytes(binary_path, bytes, len);
    assert_ok(read_all(&seen, binary_path, NULL));
    assert_string_equal(seen.broken, "p.bin:1: a time is outside of 0 to 2^43 milliseconds\np.bin:2: its camera is not in the header\n"
                                     "p.bin:3: a passage without a plate\n");
    assert_int_equal(seen.reading.n_broken, 3);
    assert_non_null(strstr(seen.records, "1 2 C1 2 A4 "));
    finish(&seen);
}

/* A file that was cut off, at any byte, is never taken for a whole one; nor is one that was never finished. */
static void a_cut_file_is_refused_wherever_it_is_cut(void **state)
{
    static const char text[] = HEADER "1,2,camera one,2,A1,97\n1,2,camera two,2,A2,97\n";
    static struct seen seen;
    uint8_t bytes[300];
    struct count_reading reading = {0};
    uint64_t n;
    write_bytes(text_path, text, sizeof(text) - 1);
    assert_ok(count_passages_convert(&reading, text_path, binary_path, NULL, &n));
    size_t len = read_bytes(binary_path, bytes, sizeof(bytes) - 1);
    for (size_t cut = 0; cut < len; cut++) {
        struct diag diag = {""};
        write_bytes(binary_path, bytes, cut);
        assert_err(read_all(&seen, binary_path, &diag), ERR_SYNTAX);
        assert_non_null(strstr(diag.text, "p.bin"));
        finish(&seen);
    }
    struct diag diag = {""};
    bytes[len] = 0;
    write_bytes(binary_path, bytes, len + 1);
    assert_err(read_all(&seen, binary_path, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "there is more in it"));
    finish(&seen);
    memset(bytes + 24, 0xff, 8);
    write_bytes(binary_path, bytes, len);
    assert_err(read_all(&seen, binary_path, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "it was never finished"));
    finish(&seen);
    bytes[8] = 2;
    write_bytes(binary_path, bytes, len);
    assert_err(read_all(&seen, binary_path, &diag), ERR_UNSUPPORTED);
    finish(&seen);
}

static void what_cannot_be_converted_is_told(void **state)
{
    static const char text[] = HEADER "1,2,C1,2,A1,97\n";
    struct count_reading reading = {0};
    struct diag diag = {""};
    uint64_t n;
    write_bytes(text_path, text, sizeof(text) - 1);
    assert_err(count_passages_convert(&reading, text_path, text_path, &diag, &n), ERR_EXISTS);
    assert_non_null(strstr(diag.text, "it is a file that is read"));
    assert_err(count_passages_convert(&reading, text_path, "/nowhere/p.bin", &diag, &n), ERR_NOT_FOUND);
    assert_err(count_passages_convert(&reading, "/nowhere/p.csv", binary_path, &diag, &n), ERR_NOT_FOUND);
    assert_err(count_passages_convert(&reading, text_path, "/dev/full", &diag, &n), ERR_DISK_FULL);
    assert_err(count_passages_convert(&reading, "-", binary_path, &diag, &n), ERR_UNSUPPORTED);
    assert_non_null(strstr(diag.text, "-: it is read twice"));
    assert_err(count_passages_convert(&reading, "/dev/null", binary_path, &diag, &n), ERR_UNSUPPORTED);
    uint8_t bytes[100];
    assert_int_equal(read_bytes(text_path, bytes, sizeof(bytes)), sizeof(text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_read_as_it_stands),
        cmocka_unit_test(each_broken_line_is_named),
        cmocka_unit_test(plain_lines_are_read_as_careful_ones),
        cmocka_unit_test(hostile_lines_take_no_memory),
        cmocka_unit_test(the_binary_form_byte_for_byte),
        cmocka_unit_test(broken_records_are_named),
        cmocka_unit_test(a_cut_file_is_refused_wherever_it_is_cut),
        cmocka_unit_test(what_cannot_be_converted_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
