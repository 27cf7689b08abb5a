/* Vehicles followed by their points; see follow.h. */
#include "road/follow.h"

#include "base/mem.h"

#define PLACES_MIN 64u

struct followed {             /* in a list by when it was heard of, and in one of its hash */
    struct road_track *track; /* NULL: this place is free */
    struct road_passings passings;
    uint64_t vehicle;
    int64_t newest_ms;
    uint32_t older, newer, next; /* places; ROAD_NONE at the ends. Free places hang on `next` */
};

struct road_follow {
    const struct road_hierarchy *hierarchy;
    struct road_follow_settings settings;
    struct road_follow_told told;
    struct road_matcher *matcher;
    struct followed *places; /* [cap] */
    uint32_t *heads;         /* [n_heads] a place by hash; ROAD_NONE */
    uint32_t cap, n_used, n, n_heads, first_free, oldest, newest;
    struct followed *now; /* whose points are being told */
};

enum err road_follow_create(const struct road_hierarchy *hierarchy, const struct road_nearest *nearest,
    const struct road_follow_settings *settings, const struct road_follow_told *told, struct road_follow **ret_follow)
{
    if (settings->vehicles_max == 0 || settings->vehicles_max > ROAD_FOLLOW_VEHICLES_MAX)
        return ERR_RANGE;
    struct road_follow *follow = mem_alloc_zero(1, sizeof(*follow));
    if (follow == NULL)
        return ERR_NO_MEMORY;
    *follow = (struct road_follow){
        .hierarchy = hierarchy, .settings = *settings, .told = *told, .first_free = ROAD_NONE, .oldest = ROAD_NONE, .newest = ROAD_NONE};
    enum err err = road_matcher_create(hierarchy, nearest, &settings->match, &follow->matcher);
    if (err != ERR_OK)
        road_follow_destroy(follow);
    else
        *ret_follow = follow;
    return err;
}

void road_follow_destroy(struct road_follow *follow)
{
    if (follow == NULL)
        return;
    for (uint32_t i = 0; i < follow->n_used; i++)
        road_track_destroy(follow->places[i].track);
    road_matcher_destroy(follow->matcher);
    mem_free(follow->places);
    mem_free(follow->heads);
    mem_free(follow);
}

uint32_t road_follow_n(const struct road_follow *follow)
{
    return follow->n;
}

/* ---- what is told ---- */

static void on_passing(void *context, const struct road_passing *passing)
{
    struct road_follow *follow = context;
    follow->told.on_passing(follow->told.context, follow->now->vehicle, passing);
}

static void on_matched(void *context, const struct road_matched *matched)
{
    struct road_follow *follow = context;
    if (follow->told.on_matched != NULL)
        follow->told.on_matched(follow->told.context, follow->now->vehicle, matched);
    if (follow->told.on_passing != NULL)
        road_passings_add(&follow->now->passings, follow->hierarchy, matched, on_passing, follow);
}

/* ---- the vehicles under way ---- */

static uint32_t *head_of(const struct road_follow *follow, uint64_t vehicle)
{
    return &follow->heads[(vehicle * 0x9E3779B97F4A7C15u >> 32) & (follow->n_heads - 1)];
}

static struct followed *find(const struct road_follow *follow, uint64_t vehicle)
{
    uint32_t at = follow->n_heads == 0 ? ROAD_NONE : *head_of(follow, vehicle);
    while (at != ROAD_NONE && follow->places[at].vehicle != vehicle)
        at = follow->places[at].next;
    return at == ROAD_NONE ? NULL : &follow->places[at];
}

static void take_out(struct road_follow *follow, const struct followed *followed)
{
    *(followed->older == ROAD_NONE ? &follow->oldest : &follow->places[followed->older].newer) = followed->newer;
    *(followed->newer == ROAD_NONE ? &follow->newest : &follow->places[followed->newer].older) = followed->older;
}

static void put_newest(struct road_follow *follow, struct followed *followed)
{
    uint32_t place = (uint32_t)(followed - follow->places);
    followed->older = follow->newest;
    followed->newer = ROAD_NONE;
    *(follow->newest == ROAD_NONE ? &follow->oldest : &follow->places[follow->newest].newer) = place;
    follow->newest = place;
}

/* Twice as many places, and heads for them. */
static enum err make_room(struct road_follow *follow)
{
    uint32_t cap = follow->cap == 0 ? PLACES_MIN : follow->cap * 2;
    struct followed *places = mem_resize(follow->places, cap * sizeof(*places));
    if (places == NULL)
        return ERR_NO_MEMORY;
    follow->places = places;
    uint32_t *heads = mem_alloc(cap * sizeof(*heads));
    if (heads == NULL)
        return ERR_NO_MEMORY;
    mem_free(follow->heads);
    follow->heads = heads;
    follow->cap = follow->n_heads = cap;
    for (uint32_t i = 0; i < cap; i++)
        heads[i] = ROAD_NONE;
    for (uint32_t i = follow->oldest; i != ROAD_NONE; i = places[i].newer) {
        uint32_t *head = head_of(follow, places[i].vehicle);
        places[i].next = *head;
        *head = i;
    }
    return ERR_OK;
}

static void finish(struct road_follow *follow, struct followed *followed)
{
    follow->now = followed;
    road_track_end(followed->track, on_matched, follow);
    if (follow->told.on_passing != NULL)
        road_passings_end(&followed->passings, on_passing, follow);
    road_track_destroy(followed->track);
    followed->track = NULL;
    take_out(follow, followed);
    uint32_t place = (uint32_t)(followed - follow->places), *at = head_of(follow, followed->vehicle);
    while (*at != place)
        at = &follow->places[*at].next;
    *at = followed->next;
    followed->next = follow->first_free;
    follow->first_free = place;
    follow->n--;
}

/* A new vehicle's place; NULL: no memory. */
static struct followed *begin(struct road_follow *follow, uint64_t vehicle)
{
    struct road_track *track = NULL;
    if (follow->n == follow->settings.vehicles_max)
        finish(follow, &follow->places[follow->oldest]);
    if (follow->first_free == ROAD_NONE && follow->n_used == follow->cap && make_room(follow) != ERR_OK)
        return NULL;
    if (road_track_create(follow->matcher, &track) != ERR_OK)
        return NULL;
    uint32_t place = follow->first_free;
    if (place == ROAD_NONE)
        place = follow->n_used++;
    else
        follow->first_free = follow->places[place].next;
    struct followed *followed = &follow->places[place];
    uint32_t *head = head_of(follow, vehicle);
    *followed = (struct followed){.track = track, .vehicle = vehicle, .newest_ms = INT64_MIN, .next = *head};
    *head = place;
    follow->n++;
    put_newest(follow, followed);
    return followed;
}

enum err road_follow_add(struct road_follow *follow, uint64_t vehicle, const struct road_fix *fix)
{
    struct followed *followed = find(follow, vehicle);
    if (followed == NULL) {
        followed = begin(follow, vehicle);
        if (followed == NULL)
            return ERR_NO_MEMORY;
    } else {
        take_out(follow, followed);
        put_newest(follow, followed);
    }
    follow->now = followed;
    enum err err = road_track_add(followed->track, fix, on_matched, follow);
    if (err == ERR_OK)
        followed->newest_ms = fix->time_ms;
    return err;
}

int64_t road_follow_newest_ms(const struct road_follow *follow, uint64_t vehicle)
{
    const struct followed *followed = find(follow, vehicle);
    return followed == NULL ? INT64_MIN : followed->newest_ms;
}

void road_follow_end(struct road_follow *follow, uint64_t vehicle)
{
    struct followed *followed = find(follow, vehicle);
    if (followed != NULL)
        finish(follow, followed);
}

void road_follow_expire(struct road_follow *follow, int64_t before_ms)
{
    while (follow->oldest != ROAD_NONE && follow->places[follow->oldest].newest_ms < before_ms)
        finish(follow, &follow->places[follow->oldest]);
}

void road_follow_end_all(struct road_follow *follow)
{
    while (follow->oldest != ROAD_NONE)
        finish(follow, &follow->places[follow->oldest]);
}
