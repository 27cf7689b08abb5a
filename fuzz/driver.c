/*
 * Runs one fuzz target as an ordinary test, without libFuzzer: over its seed files, over their prefixes (the cut-off messages that
 * a broken connection leaves) and over mutations of them from a fixed seed, so that a failure is the same failure everywhere.
 *
 * It finds nothing new on its own; "make fuzz" does. A folder without seeds is a failure: such a test would test nothing.
 * Each input lies in a block of exactly its size, so that AddressSanitizer sees a read of one byte too many.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SEED_BYTES_MAX = 4 << 20, /* a seed that is larger belongs into a test of its own */
    PREFIXES_MAX = 200,       /* of each seed, evenly spaced when it is longer */
    MUTATIONS = 300           /* of each seed */
};

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "fuzz: %s: %s\n", what, path);
    exit(1);
}

static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        fail("no memory", "");
    if (size)
        memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

/* xorshift64* (Vigna 2016): repeatable on every machine, which rand() is not. */
static uint64_t draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static void run_prefixes(const uint8_t *data, size_t size)
{
    size_t step = size / PREFIXES_MAX + 1;
    for (size_t n = 0; n < size; n += step)
        run(data, n);
}

/* One to four changes: a bit flipped, a byte set to one that parsers care for, a stretch removed or repeated. */
static void run_mutation(const uint8_t *data, size_t size, uint8_t *work, uint64_t *state)
{
    static const uint8_t telling[] = {
        0x00, 0xff, 0x7f, 0x80, '"', '\\', '{', '[', ']', '}', ':', ',', '\n', '-', '0', '9', 'e', '<', '&', '%'};
    size_t n = size;
    memcpy(work, data, size);
    for (uint64_t changes = 1 + draw(state) % 4; changes > 0 && n > 0; changes--) {
        size_t at = (size_t)(draw(state) % n);
        size_t length = 1 + (size_t)(draw(state) % 16);
        if (length > n - at)
            length = n - at;
        switch (draw(state) % 4) {
        case 0:
            work[at] ^= (uint8_t)(1u << (draw(state) % 8));
            break;
        case 1:
            work[at] = telling[draw(state) % sizeof telling];
            break;
        case 2:
            memmove(work + at, work + at + length, n - at - length);
            n -= length;
            break;
        default: /* the work block has room for every change to double 16 bytes */
            memmove(work + at + length, work + at, n - at);
            n += length;
            break;
        }
    }
    run(work, n);
}

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(SEED_BYTES_MAX);
    uint8_t *work = malloc(SEED_BYTES_MAX + 64);
    if (!file || !data || !work)
        fail("cannot read", path);
    size_t size = fread(data, 1, SEED_BYTES_MAX, file);
    if (ferror(file) || !feof(file))
        fail("cannot read, or larger than 4 MiB", path);
    fclose(file);
    run(data, size);
    run_prefixes(data, size);
    uint64_t state = UINT64_C(20260412);
    for (int i = 0; i < MUTATIONS; i++)
        run_mutation(data, size, work, &state);
    free(work);
    free(data);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER-OF-SEEDS\n", argv[0]);
        return 2;
    }
    struct dirent **entries;
    int n = scandir(argv[1], &entries, NULL, alphasort);
    if (n < 0)
        fail("no such folder of seeds", argv[1]);
    int n_seeds = 0;
    for (int i = 0; i < n; i++) {
        char path[4096];
        if (entries[i]->d_name[0] != '.') {
            int length = snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
            if (length < 0 || (size_t)length >= sizeof path)
                fail("path too long", argv[1]);
            run_file(path);
            n_seeds++;
        }
        free(entries[i]);
    }
    free(entries);
    if (n_seeds == 0)
        fail("no seed in this folder", argv[1]);
    run(NULL, 0);
    printf("%d seeds with their prefixes and %d mutations each\n", n_seeds, MUTATIONS);
    return 0;
}
