/*
 * Where any part of a city's plates has heard something, for the tables of a part that counts apart (`citybrain count --part`): every part
 * reads all passages, and so knows it. A part tells zeros where only others have heard, so that all have the same rows and add up line by
 * line.
 */
#ifndef SCENE_COUNT_HEARD_H
#define SCENE_COUNT_HEARD_H

#include "scene/count/areas.h"
#include "scene/count/core.h"

struct count_heard {
    const struct count_areas *of; /* NULL: all vehicles are counted here, and their figures are told as they are */
    bool *areas;                  /* [of->n] */
};

/* Keeps `of`. ERR_NO_MEMORY; a zeroed one needs none, and finish() takes it. */
enum err count_heard_init(struct count_heard *heard, const struct count_areas *of) MUST_CHECK;
/* A camera in `area` told of a vehicle, whosesoever. What the core refuses by its times says nothing. */
void count_heard_take(struct count_heard *heard, const struct count_settings *settings, size_t area, int64_t pass_ms, int64_t arrived_ms);
/* What is told of an area's vehicles; its value is NAN where nobody has heard anything. */
struct count_interval count_heard_told(const struct count_heard *heard, const struct count_area_figures *figures, size_t area);
void count_heard_finish(struct count_heard *heard);

#endif
