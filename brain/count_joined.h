/* A count from files whose plates are in other processes: `citybrain count --parts N --bus …`. */
#ifndef BRAIN_COUNT_JOINED_H
#define BRAIN_COUNT_JOINED_H

#include "brain/bus.h"
#include "brain/city.h"
#include "brain/count_bus.h"
#include "scene/count/file.h"

struct count_joined_options {
    struct brain_bus_options bus;
    const char *city_dir; /* whose parties.yaml has the key of `party` */
    const char *party;    /* that counts; its processes have the parts, and this one is one of it */
    uint32_t n;
    int64_t wait_ms; /* for a part's answer, before it is given up */
};

struct count_joined { /* stays in its place */
    struct count_joined_options options;
    struct count_files_parts files; /* for count_files.joined */
    char parties[CITY_PATH_MAX];
    struct loop *loop;
    struct brain_bus bus;
    struct count_bus *carrier;
    struct count_parts *parts; /* while it is waited */
    enum err err;              /* of an answer, and whose */
    uint32_t err_part;
    bool is_told; /* that one is waited for */
};

/* To be closed in any case. */
enum err count_joined_open(const struct count_joined_options *options, struct diag_list *diags, struct count_joined *joined) MUST_CHECK;
void count_joined_close(struct count_joined *joined);

#endif
