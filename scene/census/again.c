/* A made world, surveyed; see again.h. */
#include "scene/census/again.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define PLACE_TRIES 8
#define ROOM 16
#define DUPLICATES_MOST 0.6

struct object {
    double x_m, y_m;
    uint16_t covers, area;
    uint8_t class;
};

static struct object object_of(const struct match *match, const struct match_cluster *cluster)
{
    return (struct object){match->origin_x + cluster->x / cluster->weight, match->origin_y + cluster->y / cluster->weight,
        cluster->covers | match_seen(cluster), cluster->area, cluster->kinds[match_kind(cluster)].class};
}

static uint8_t read_class(struct match *match, uint8_t class)
{
    uint32_t n_classes = match->detect->n_classes;
    if (n_classes == 1 || census_random_unit(&match->random) >= match->misread)
        return class;
    return (uint8_t)((class + 1 + census_random_below(&match->random, n_classes - 1)) % n_classes);
}

/* One of the errors that its survey told. */
static float error_of(struct match *match, uint32_t survey, float fallback)
{
    for (int attempt = 0; attempt < PLACE_TRIES * 4; attempt++) {
        const struct census_sighting *one = &match->sightings[census_random_below(&match->random, match->n)];
        if (one->survey == survey)
            return one->error_m;
    }
    return fallback;
}

static enum err survey_object(
    struct again *again, const struct census_settings *settings, struct match *match, const struct object *object, float fallback)
{
    const struct detect *detect = match->detect;
    struct census_random *random = &match->random;
    double effect = detect->spread * census_random_normal(random);
    census_add_to_rows(settings, again->truth, object->area, object->class, 1);
    for (uint32_t k = 0; k < detect->n_surveys; k++) {
        if ((object->covers >> k & 1) == 0 ||
            census_random_unit(random) >= 1 / (1 + exp(-detect_log_odds(detect, object->class, k) - effect)))
            continue;
        do {
            if (again->n == again->cap) {
                size_t cap = again->cap * 2;
                struct census_sighting *more = mem_resize(again->sightings, cap * sizeof(*more));
                if (more == NULL)
                    return ERR_NO_MEMORY;
                again->sightings = more;
                again->cap = cap;
            }
            float error_m = error_of(match, k, fallback);
            double off = error_m * match->error_scale;
            again->sightings[again->n++] = (struct census_sighting){.x_m = object->x_m + off * census_random_normal(random),
                .y_m = object->y_m + off * census_random_normal(random),
                .error_m = error_m,
                .covers = object->covers,
                .area = object->area,
                .survey = (uint8_t)k,
                .class = read_class(match, object->class)};
        } while (again->n < CENSUS_SIGHTINGS_MAX && census_random_unit(random) < again->duplicates[k]);
    }
    return ERR_OK;
}

static bool is_taken(const struct match *match, uint32_t member, double x_m, double y_m, double apart_m)
{
    for (uint32_t i = match->near.starts[member]; i < match->near.starts[member + 1]; i++) {
        const struct match_cluster *other = &match->clusters[match->cluster_of[match->near.neighbours[i]]];
        struct object stands = object_of(match, other);
        if (hypot(stands.x_m - x_m, stands.y_m - y_m) < apart_m)
            return true;
    }
    return false;
}

/* An object nobody saw stands as others of its kind do: a neighbour mirrored, so that rows go on and their gaps are filled. */
static struct object place_unseen(struct match *match, uint32_t member)
{
    const struct near *near = &match->near;
    uint32_t own = match->cluster_of[member], n = near->starts[member + 1] - near->starts[member];
    struct object object = object_of(match, &match->clusters[own]), unseen = object;
    for (int attempt = 0; n > 0 && attempt < PLACE_TRIES; attempt++) {
        uint32_t other = match->cluster_of[near->neighbours[near->starts[member] + census_random_below(&match->random, n)]];
        if (other == own)
            continue;
        struct object beside = object_of(match, &match->clusters[other]);
        double x_m = object.x_m - beside.x_m, y_m = object.y_m - beside.y_m;
        unseen.x_m = object.x_m + x_m;
        unseen.y_m = object.y_m + y_m;
        if (!is_taken(match, member, unseen.x_m, unseen.y_m, hypot(x_m, y_m) / 2))
            return unseen;
    }
    double far = near->outer_m * sqrt(census_random_unit(&match->random)), angle = 2 * M_PI * census_random_unit(&match->random);
    unseen.x_m = object.x_m + far * cos(angle);
    unseen.y_m = object.y_m + far * sin(angle);
    return unseen;
}

enum err again_survey(struct again *again, const struct census_settings *settings, struct match *match)
{
    size_t size = census_n_rows(settings);
    if (again->sightings == NULL) {
        again->cap = match->n + ROOM;
        again->sightings = mem_alloc(again->cap * sizeof(*again->sightings));
        again->truth = mem_alloc_zero(size, sizeof(*again->truth));
        if (again->sightings == NULL || again->truth == NULL)
            return ERR_NO_MEMORY;
    }
    again->n = 0;
    double share = 2 * census_random_unit(&match->random);
    for (uint32_t k = 0; k < match->detect->n_surveys; k++)
        again->duplicates[k] = fmin(DUPLICATES_MOST, share * match->duplicates[k]);
    memset(again->truth, 0, size * sizeof(*again->truth));
    uint8_t *is_done = mem_alloc_zero(match->n, 1);
    if (is_done == NULL)
        return ERR_NO_MEMORY;
    enum err err = ERR_OK;
    for (uint32_t i = 0; err == ERR_OK && i < match->n && again->n < CENSUS_SIGHTINGS_MAX; i++) {
        uint32_t cluster = match->cluster_of[i];
        if (is_done[cluster])
            continue;
        is_done[cluster] = 1;
        struct object object = object_of(match, &match->clusters[cluster]);
        err = survey_object(again, settings, match, &object, match->sightings[i].error_m);
        double none = fmin(detect_chance(match->detect, object.class, object.covers, 0), DETECT_UNSEEN_MAX);
        double unseen = census_random_poisson(&match->random, census_random_gamma(&match->random, 1) * none / (1 - none));
        for (; err == ERR_OK && unseen >= 1; unseen--) {
            object = place_unseen(match, i);
            err = survey_object(again, settings, match, &object, match->sightings[i].error_m);
        }
    }
    mem_free(is_done);
    return err;
}

void again_finish(struct again *again)
{
    mem_free(again->sightings);
    mem_free(again->truth);
    *again = (struct again){.n = 0};
}
