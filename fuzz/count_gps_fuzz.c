/* Tables of floating cars' points beside a count: any bytes are points with a verdict, or told as broken. */
#include "scene/count/gps_file.h"
#include "scene/count/passages.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
    "<net><edge id=\"a\" from=\"j\" to=\"k\"><lane id=\"a_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"0,0 500,0\"/></edge>"
    "<edge id=\"b\" from=\"k\" to=\"j\"><lane id=\"b_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"500,3 0,3\"/></edge>"
    "<junction id=\"j\" type=\"priority\" x=\"0\" y=\"0\"/><junction id=\"k\" type=\"priority\" x=\"500\" y=\"0\"/>"
    "<connection from=\"a\" to=\"b\" fromLane=\"0\" toLane=\"0\"/></net>";

static uint64_t n_told;

static void on_broken(void *context, const char *told)
{
    (void)context;
    assert(told[0] != 0);
    n_told++;
}

static void on_drive(void *context, const struct count_drive *drive)
{
    (void)context;
    assert(drive->edge < 2 && drive->actual_s > 0 && drive->free_s > 0);
}

static void read_all(const char *path, const struct road_hierarchy *hierarchy)
{
    const struct count_gps_file_asked asked = {path, hierarchy, on_drive, on_broken, NULL};
    struct count_gps_file *file = NULL;
    struct diag diag = {""};
    uint64_t n = 0;
    n_told = 0;
    enum err err = count_gps_file_open(&asked, &diag, &file);
    if (err == ERR_OK)
        err = count_gps_file_take(file, COUNT_TIME_FILE_MAX / 2);
    if (err == ERR_OK)
        err = count_gps_file_take(file, COUNT_TIME_FILE_MAX);
    assert(err == ERR_OK || diag.text[0] != 0);
    for (int i = 0; i < COUNT_GPS_N_VERDICTS && err == ERR_OK; i++)
        n += count_gps_file_n(file, i);
    assert(err != ERR_OK || (n + n_told == count_gps_file_n_lines(file) && n_told == count_gps_file_n_broken(file)));
    count_gps_file_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct road_network *network = NULL;
    struct road_hierarchy *hierarchy = NULL;
    char path[32];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0);
    assert(size == 0 || write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (road_network_parse((struct str){text, sizeof(text) - 1}, "fuzz.net.xml", NULL, &network) == ERR_OK &&
        road_hierarchy_create(network, &hierarchy) == ERR_OK)
        read_all(path, hierarchy);
    close(fd);
    road_hierarchy_destroy(hierarchy);
    road_network_destroy(network);
    return 0;
}
