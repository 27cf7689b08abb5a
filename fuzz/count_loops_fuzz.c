/* The reader of induction loops' tables, through `citybrain count`, on a fixed network with two cameras and three passages. */
#include "scene/count/file.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char network[] =
    "<net><edge id=\"a\" from=\"j\" to=\"j\"><lane id=\"a_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"0,0 500,0\"/></edge>"
    "<edge id=\"b\" from=\"j\" to=\"j\"><lane id=\"b_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"500,0 0,0\"/></edge>"
    "<junction id=\"j\" type=\"priority\" x=\"0\" y=\"0\"/><connection from=\"a\" to=\"b\" fromLane=\"0\" toLane=\"0\"/>"
    "<connection from=\"b\" to=\"a\" fromLane=\"0\" toLane=\"0\"/></net>";
static const char cameras[] = "camera,edge,pos_m,x,y\nA,a,1,1,1\nB,b,1,1,1\n";
static const char passages[] = "pass_time_ms,arrive_time_ms,camera,lane,plate,confidence\n"
                               "60000,60000,A,1,X,1\n200000,200000,B,1,X,1\n3000000,3000000,A,1,Y,1\n";

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
    char paths[6][32];
    int fds[6] = {file_of(network, sizeof(network) - 1, paths[0]), file_of(cameras, sizeof(cameras) - 1, paths[1]),
        file_of(passages, sizeof(passages) - 1, paths[2]), file_of(data, size, paths[3]), file_of(NULL, 0, paths[4]),
        file_of(NULL, 0, paths[5])};
    struct count_files files = {.network_path = paths[0],
        .cameras_path = paths[1],
        .passages_path = paths[2],
        .loops_path = paths[3],
        .counts_path = paths[4],
        .flows_path = paths[5],
        .every_s = 60,
        .until_s = 3600,
        .settings = COUNT_SETTINGS_DEFAULT};
    files.settings.cameras_max = 16;
    files.settings.vehicles_max = 64;
    files.settings.pairs_max = 64;
    struct diag diag = {""};
    enum err err = count_files_run(&files, &diag);
    uint64_t n_rows = 0;
    assert(err == ERR_OK || diag.text[0] != 0);
    for (int i = 0; i < COUNT_LOOP_N_VERDICTS; i++)
        n_rows += files.n_loop_rows[i];
    assert(n_rows + files.n_broken <= files.n_loop_lines);
    assert(err != ERR_OK || files.counters.n_passages == 3);
    for (int i = 0; i < 6; i++)
        close(fds[i]);
    return 0;
}
