/*
 * A city in several processes, in one program and without the bus, for tests: the sums, the parts with what they keep, and every question
 * and answer as bytes between them. The traffic is a made town's (traffic_testing.h), with wrong clocks, clones and passages that come
 * late.
 */
#ifndef SCENE_COUNT_JOINT_TESTING_H
#define SCENE_COUNT_JOINT_TESTING_H

#include "scene/count/part.h"
#include "scene/count/parts.h"
#include "scene/count/snapshot.h"
#include "scene/count/state.h"
#include "scene/count/traffic_testing.h"

#define T0 ((int64_t)1700000000000)
#define FOR_MS ((int64_t)1800 * 1000)
#define PARTS 5u

extern const struct count_settings defaults;
extern struct town town;

/* What a tick told, enough of it to tell two apart. */
struct told {
    int64_t time_ms;
    struct count_area_figures area;
    uint64_t edges, roads, junctions;
    uint32_t n_edges, n_clones;
    uint64_t clones;
};

/* A part's disk. */
struct joint_disk {
    struct buf slots[COUNT_PART_SLOTS];
    bool is_full;
    uint32_t n_refused;
};

struct joint {
    struct count *count;
    uint32_t cameras[TOWN_EDGES];
    struct told told;
    uint32_t n_told, n_clones;
    /* joined */
    struct count_parts *parts;
    struct count_part *part[PARTS];
    uint32_t n;
    struct str asked[PARTS];
    struct joint_disk *disks; /* [n]; NULL: they keep nothing */
    struct count_part_store stores[PARTS];
    struct buf kept[PARTS]; /* the last answer */
    uint64_t seed;
    uint32_t n_lost, n_killed;
    uint64_t killed_at[PARTS]; /* number of the question */
    /* as count_parts_options has them, for who wants them */
    uint64_t run;
    size_t asked_max;
    const struct count_parts_mark *from;
    void (*on_taken)(void *context, const struct count_event *event);
    void (*on_mark)(void *context, const struct count_parts_mark *mark);
};

int setup(void **state); /* the town */
int teardown(void **state);

/* A count without parts, with a fifth of the cameras not up yet. */
void begin(struct joint *city);
void put_up_the_rest(struct joint *city);
/* ... in `n` parts from now on, of which the disks are `city->disks`. */
enum err join(struct joint *city, uint32_t n);
enum err make_part(struct joint *city, uint32_t i);
enum err open_parts(struct joint *city); /* the sums' side of them once more, as city->run, from, on_taken and on_mark say */
void end(struct joint *city);
void disk_init(struct joint_disk *disk);
void disk_finish(struct joint_disk *disk);
/* The process ends without a word, and another one takes its place. */
void kill_part(struct joint *city, uint32_t i);
/* The bus: the parts answer in any order; some answers are lost and asked for again, some come twice, and late. Now and then a part is
 * killed. Until nobody is asked. */
void carry(struct joint *city);
void put(struct joint *city, const struct count_event *event); /* and carries */
/* With what a city does to it: one camera in seven is 20 s ahead, one in eleven is far off, one passage in a hundred comes minutes late. */
struct count_event passage_of(const struct joint *city, const struct town_passage *passage, size_t i);
void compare(const struct joint *one, const struct joint *joined);
void compare_cameras(const struct joint *one, const struct joint *joined);

#endif
