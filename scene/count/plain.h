/*
 * Lines of a passages file in the plain form that nearly all of them have, read in one pass without looking for their end first:
 *
 *     25200000,25200312,C00017,2,浙A12345,97
 *
 * Whole numbers, a camera that was read before with a name of at most 15 bytes, a plate of at most 15. Whatever else a line is (longer
 * names, an unknown camera, blanks, too few fields, a mistake), it is left to the careful reader in passages.c, which says what is wrong.
 * Both give the same of a line that both can read.
 */
#ifndef SCENE_COUNT_PLAIN_H
#define SCENE_COUNT_PLAIN_H

#include "scene/count/passages.h"

#define COUNT_PLAIN_MAX 128u /* bytes that a plain line is shorter than */

struct count_plain_camera {
    uint64_t low, high; /* of the name's bytes; the highest one is its length. 0: free */
    uint32_t camera;
};

struct count_plain {
    struct count_plain_camera *cameras; /* by hash of the name; a power of two, at most half full */
    uint32_t n, n_slots;
};

/* A line that was cut into its fields; the camera is not looked up yet. */
struct count_plain_line {
    struct count_record record; /* all of it but camera and line */
    uint64_t low, high;         /* of the camera's name */
    uint32_t slot;              /* where it begins to be looked for */
    size_t at, len;             /* the caller's: where the line stands */
};

void count_plain_finish(struct count_plain *plain);
/* A camera that the careful reader found. Without memory for it, or where its name is too long, it is not known here, and that is all. */
void count_plain_learn(struct count_plain *plain, struct str name, uint32_t camera);
/* Bytes of the line at `at` with its end; 0: it is not plain. COUNT_PLAIN_MAX bytes can be read there, whatever they are; the caller looks
 * whether the line ends before its bytes do. What the camera's number is asked for is fetched into the cache: it is not needed at once. */
size_t count_plain_read(const struct count_plain *plain, const char *at, struct count_plain_line *ret_line);
/* The number of its camera; UINT32_MAX: it is not known here, and the careful reader has to look. */
uint32_t count_plain_camera(const struct count_plain *plain, const struct count_plain_line *line);

#endif
