/*
 * The registered vehicles that drive in the world, and which of them are on the road now: a vehicle is in one place at a
 * time. The list is {data}/world/plates.txt, one `plate plate_class vehicle_type` a line, made by tools/make_city.
 */
#ifndef WORLD_PLATES_H
#define WORLD_PLATES_H

#include "base/diag.h"
#include "base/str.h"
#include "world/rng.h"

#define PLATES_MAX 1000000u
#define PLATE_BYTES_MAX 16u /* 浙AD12345 takes 10 */

struct plate {
    char text[PLATE_BYTES_MAX]; /* UTF-8, NUL-terminated */
    char plate_class[3];        /* "02" */
    char vehicle_type[4];       /* "K33" */
    bool is_on_road;
};

struct plates {
    struct plate *plates; /* owned */
    uint32_t n, n_on_road;
};

/* ERR_IO, ERR_NOT_FOUND, ERR_SYNTAX with the line in `diag`, ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err plates_load(const char *path, struct diag *diag, struct plates *ret_plates) MUST_CHECK;
void plates_finish(struct plates *plates);
/* One that is not on the road, by chance; it is then. ERR_FULL when nine tenths are out, as drawing would take ever longer. */
enum err plates_take(struct plates *plates, struct rng *rng, uint32_t *ret_number) MUST_CHECK;
void plates_give_back(struct plates *plates, uint32_t number);

/* What a camera reads instead of `plate`: one of its letters or digits, not the province, looks like another. `out`: PLATE_BYTES_MAX. */
void plate_misread(const char *plate, struct rng *rng, char *out);

#endif
