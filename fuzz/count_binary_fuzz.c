/*
 * Files of passages in either form: any bytes are read to their end or refused with words, and what was read is the same after one more way
 * through the binary form.
 */
#include "scene/count/passages.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct str_map cameras;
    uint64_t n, digest;
};

static void mix(struct seen *seen, uint64_t value)
{
    seen->digest = (seen->digest ^ value) * 0x9E3779B97F4A7C15u;
    seen->digest ^= seen->digest >> 29;
}

static const char *on_record(void *context, const struct count_record *record)
{
    struct seen *seen = context;
    assert(record->pass_ms >= 0 && record->pass_ms <= COUNT_TIME_FILE_MAX && record->arrived_ms >= 0);
    assert(record->arrived_ms <= COUNT_TIME_FILE_MAX && record->camera < seen->cameras.n);
    seen->n++;
    mix(seen, (uint64_t)record->pass_ms);
    mix(seen, (uint64_t)record->arrived_ms);
    mix(seen, str_hash(str_map_key(&seen->cameras, record->camera)));
    mix(seen, record->vehicle);
    mix(seen, (uint64_t)record->lane << 8 | record->confidence);
    return NULL;
}

/* A file in memory; its path is written to `path`. */
static int file_of(const void *bytes, size_t len, char path[32])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0);
    assert(len == 0 || write(fd, bytes, len) == (ssize_t)len);
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

static enum err read_file(const char *path, struct seen *seen)
{
    struct diag diag = {""};
    *seen = (struct seen){0};
    str_map_init(&seen->cameras, COUNT_CAMERAS_FILE_MAX, 1);
    struct count_reading reading = {.cameras = &seen->cameras, .adds_cameras = true, .on_record = on_record, .context = seen};
    enum err err = count_passages_read(&reading, path, &diag);
    assert(err == ERR_OK || diag.text[0] != 0);
    assert(reading.n_broken + seen->n == reading.n_lines);
    str_map_finish(&seen->cameras);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char paths[2][32];
    int fds[2] = {file_of(data, size, paths[0]), file_of(NULL, 0, paths[1])};
    struct seen first, second;
    struct count_reading reading = {0};
    uint64_t n = 0;
    enum err err = read_file(paths[0], &first);
    assert(count_passages_convert(&reading, paths[0], paths[1], NULL, &n) == err);
    if (err == ERR_OK) {
        assert(n == first.n);
        assert(read_file(paths[1], &second) == ERR_OK);
        assert(second.n == first.n && second.digest == first.digest);
    }
    close(fds[0]);
    close(fds[1]);
    return 0;
}
