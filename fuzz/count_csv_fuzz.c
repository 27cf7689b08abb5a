/* The readers of `citybrain count`: the first half of the input is the cameras' table, the rest the passages', on a fixed network. */
#include "scene/count/file.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char network[] =
    "<net><edge id=\"a\" from=\"j\" to=\"j\"><lane id=\"a_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"0,0 500,0\"/></edge>"
    "<edge id=\"b\" from=\"j\" to=\"j\"><lane id=\"b_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"500,0 0,0\"/></edge>"
    "<junction id=\"j\" type=\"priority\" x=\"0\" y=\"0\"/><connection from=\"a\" to=\"b\" fromLane=\"0\" toLane=\"0\"/>"
    "<connection from=\"b\" to=\"a\" fromLane=\"0\" toLane=\"0\"/></net>";

/* A file in memory; its path is written to `path`. */
static int file_of(const void *bytes, size_t len, char path[32])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0);
    assert(len == 0 || write(fd, bytes, len) == (ssize_t)len);
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size > 0 ? memmem(data, size, "\n\n", 2) : NULL;
    size_t n_cameras = cut != NULL ? (size_t)(cut - data) + 1 : size;
    size_t rest = cut != NULL ? n_cameras + 1 : size;
    char paths[4][32];
    int fds[4] = {file_of(network, sizeof(network) - 1, paths[0]), file_of(data, n_cameras, paths[1]),
        file_of(size > rest ? data + rest : NULL, size - rest, paths[2]), file_of(NULL, 0, paths[3])};
    struct count_files files = {.network_path = paths[0],
        .cameras_path = paths[1],
        .passages_path = paths[2],
        .counts_path = paths[3],
        .every_s = 60,
        .until_s = 3600, /* a passage of the year 2248 must not ask for four billion rows */
        .settings = COUNT_SETTINGS_DEFAULT};
    files.settings.cameras_max = 16;
    files.settings.vehicles_max = 64;
    files.settings.pairs_max = 64;
    struct diag diag = {""};
    enum err err = count_files_run(&files, &diag);
    assert(err == ERR_OK || diag.text[0] != 0);
    assert(files.counters.n_passages <= files.n_lines);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    return 0;
}
