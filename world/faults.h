/*
 * What cameras get wrong: passages missed, plates misread, passages sent twice, cameras that are dead. Pure: the same seed and
 * the same passages give the same faults. The model of reference benchmarks, and as made up as theirs.
 */
#ifndef WORLD_FAULTS_H
#define WORLD_FAULTS_H

#include "world/plates.h"

struct faults {
    double recall;     /* share of passages that are read at all */
    double misread;    /* share of read passages whose plate is wrong */
    double duplicates; /* share that is sent again with the next batch */
    uint32_t n_dead;   /* cameras that say nothing at all */
};

struct reading {
    bool is_read, is_twice;
    char plate[PLATE_BYTES_MAX];
    int confidence; /* percent; higher for right readings, overlapping */
};

/* One passage of `plate` at a camera. */
struct reading faults_read(const struct faults *faults, struct rng *rng, const char *plate);
/* Marks n_dead of `n` cameras, by chance; all when n_dead >= n. */
void faults_choose_dead(const struct faults *faults, struct rng *rng, bool *is_dead, uint32_t n);

#endif
