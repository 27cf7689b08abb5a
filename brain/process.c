/* From /proc/self and getrusage(2); a look takes some ten microseconds. */
#include "brain/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define STAT_MAX 1024

/* Field `wanted` (from 3 on, as proc(5) counts) of /proc/self/stat; -1: not there. The name in field 2 may hold anything. */
static long long stat_field(const char *text, int wanted)
{
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < wanted; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoll(at, NULL, 10) : -1;
}

static void measure_stat(struct metric_page *page)
{
    static const struct metric threads = {"process_threads", METRIC_GAUGE, "Threads", {NULL}};
    static const struct metric virtual_size = {"process_virtual_memory_bytes", METRIC_GAUGE, "Address space", {NULL}};
    static const struct metric resident = {"process_resident_memory_bytes", METRIC_GAUGE, "Memory in use", {NULL}};
    static const struct metric start = {"process_start_time_seconds", METRIC_GAUGE, "When the process began, since 1970", {NULL}};
    char text[STAT_MAX];
    struct timespec boot, wall;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_REALTIME, &wall);
    double now_s = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9, since_boot_s = (double)boot.tv_sec + (double)boot.tv_nsec / 1e9;
    metric_put(page, &threads, (double)stat_field(text, 20), NULL);
    metric_put(page, &virtual_size, (double)stat_field(text, 23), NULL);
    metric_put(page, &resident, (double)stat_field(text, 24) * (double)sysconf(_SC_PAGESIZE), NULL);
    metric_put(page, &start, now_s - since_boot_s + (double)stat_field(text, 22) / (double)sysconf(_SC_CLK_TCK), NULL);
}

static void measure_descriptors(struct metric_page *page)
{
    static const struct metric open_fds = {"process_open_fds", METRIC_GAUGE, "Open descriptors", {NULL}};
    static const struct metric max_fds = {"process_max_fds", METRIC_GAUGE, "The most that may be open", {NULL}};
    struct rlimit limit;
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;
    while (dir && readdir(dir))
        n++;
    if (dir) {
        closedir(dir);
        metric_put_count(page, &open_fds, n > 3 ? n - 3 : 0, NULL); /* without ".", "..", and the look itself */
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metric_put_count(page, &max_fds, limit.rlim_cur, NULL);
}

void process_measure(struct metric_page *page)
{
    static const struct metric cpu = {
        "process_cpu_seconds_total", METRIC_COUNTER, "CPU time, of the program and of the system for it", {NULL}};
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metric_put(page, &cpu,
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
            NULL);
    measure_stat(page);
    measure_descriptors(page);
}
