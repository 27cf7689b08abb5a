/* The partition of sightings into objects; see match.h. */
#include "scene/census/match.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OTHERS_MIN 0.02   /* objects in a disc, where none was seen */
#define SCALE_WEIGHT 20.0 /* degrees of freedom with which the told errors are believed */
#define SCALE_MIN 0.5
#define SCALE_MAX 2.0
#define DUPLICATES_FIRST 0.03
#define DUPLICATES_WEIGHT 20.0 /* sightings that the first guess is worth */
#define CROWD_WEIGHT 8.0
#define DUPLICATES_MAX 0.6
#define MISREAD_FIRST 0.02
#define MISREAD_ONE 1.0 /* prior of misreads: of mean 4 % */
#define MISREAD_OTHER 24.0
#define MISREAD_MAX 0.5
#define CROWDING_WEIGHT 20.0 /* pairs that the ring alone is worth */
#define SHARE_WEIGHT 0.5
#define PARTED_MAX 24u /* sightings of clusters that are parted or joined as a whole, beside the two that are asked */

/* ---- clusters and their scores ---- */

static double log_chance(struct match *match, uint8_t class, uint16_t covers, uint16_t seen)
{
    uint64_t key = detect_key(class, covers, seen, 1), hash = key * 0x9e3779b97f4a7c15u;
    uint32_t at = (uint32_t)(hash >> 52) % MATCH_CACHE;
    if (match->cache[at].key != key) {
        match->cache[at].key = key;
        match->cache[at].log_chance = log(fmax(detect_chance(match->detect, class, covers, seen), 1e-300));
    }
    return match->cache[at].log_chance;
}

/* The log of a grouping's density: one object of the density here, its sightings' errors integrated over its place, misses and doubles,
 * what it was read as. */
static double score(struct match *match, const struct match_cluster *cluster)
{
    double scale2 = match->error_scale * match->error_scale;
    double spread = cluster->square - (cluster->x * cluster->x + cluster->y * cluster->y) / cluster->weight;
    uint32_t kind = match_kind(cluster), n_read = cluster->kinds[kind].n;
    uint8_t class = cluster->kinds[kind].class;
    uint16_t seen = 0;
    double sum = cluster->log_density / cluster->n + match->log_share[class] + cluster->log_weight - (cluster->n - 1.0) * match->log_plane -
                 0.5 * fmax(spread, 0) / scale2 - log(cluster->weight) + n_read * match->log_read +
                 (cluster->n - n_read) * match->log_misread;
    for (uint32_t k = 0; k < match->detect->n_surveys; k++) {
        uint32_t count = cluster->counts[k];
        if (count == 0)
            continue;
        seen |= (uint16_t)(1u << k);
        /* Any of the doubles could have been the first: count! */
        sum += count < MATCH_DOUBLES_KEPT ? match->log_doubles[k][count]
                                          : match->log_doubles[k][1] + (count - 1) * match->log_further[k] + lgamma(count + 1.0);
    }
    return sum + log_chance(match, class, cluster->covers | seen, seen);
}

/* In (sign 1) or out (sign -1). */
static void move(const struct match *match, struct match_cluster *cluster, uint32_t at, int sign)
{
    const struct census_sighting *one = &match->sightings[at];
    double weight = sign / ((double)one->error_m * one->error_m), x = one->x_m - match->origin_x, y = one->y_m - match->origin_y;
    cluster->weight += weight;
    cluster->x += weight * x;
    cluster->y += weight * y;
    cluster->square += weight * (x * x + y * y);
    cluster->log_weight += sign * match->log_weight[at];
    cluster->log_density += sign * match->log_density[at];
    cluster->n += (uint32_t)sign;
    cluster->counts[one->survey] = (uint8_t)(cluster->counts[one->survey] + sign);
    uint32_t kind = 0;
    while (kind < cluster->n_kinds && cluster->kinds[kind].class != one->class)
        kind++;
    if (kind == cluster->n_kinds) {
        cluster->kinds[kind].class = one->class;
        cluster->kinds[kind].n = 0;
        cluster->n_kinds++;
    }
    cluster->kinds[kind].n = (uint8_t)(cluster->kinds[kind].n + sign);
    if (cluster->kinds[kind].n == 0)
        cluster->kinds[kind] = cluster->kinds[--cluster->n_kinds];
}

static bool has_room(const struct match *match, const struct match_cluster *cluster, uint32_t at)
{
    bool is_known = false;
    for (uint32_t i = 0; i < cluster->n_kinds; i++)
        is_known = is_known || cluster->kinds[i].class == match->sightings[at].class;
    return cluster->n < UINT8_MAX && (is_known || cluster->n_kinds < MATCH_KINDS_MAX);
}

static struct match_cluster alone(struct match *match, uint32_t at)
{
    const struct census_sighting *one = &match->sightings[at];
    struct match_cluster cluster = {.covers = one->covers, .area = one->area};
    move(match, &cluster, at, 1);
    cluster.score = score(match, &cluster);
    return cluster;
}

enum err match_init(struct match *match, const struct census_sighting *sightings, uint32_t n, const struct detect *detect, uint64_t seed)
{
    *match = (struct match){.sightings = sightings, .detect = detect, .n = n, .error_scale = 1, .crowding = 1, .random = {seed}};
    match->log_density = mem_alloc_zero(n, sizeof(*match->log_density));
    match->log_weight = mem_alloc_zero(n, sizeof(*match->log_weight));
    match->cluster_of = mem_alloc_zero(n, sizeof(*match->cluster_of));
    match->clusters = mem_alloc_zero(n, sizeof(*match->clusters));
    match->free_clusters = mem_alloc_zero(n, sizeof(*match->free_clusters));
    if (match->log_density == NULL || match->log_weight == NULL || match->cluster_of == NULL || match->clusters == NULL ||
        match->free_clusters == NULL)
        return ERR_NO_MEMORY;
    match->origin_x = sightings[0].x_m;
    match->origin_y = sightings[0].y_m;
    match->misread = detect->n_classes > 1 ? MISREAD_FIRST : 0;
    for (uint32_t k = 0; k < detect->n_surveys; k++)
        match->duplicates[k] = DUPLICATES_FIRST;
    for (uint32_t i = 0; i < n; i++) {
        match->cluster_of[i] = i;
        match->log_weight[i] = -2 * log(sightings[i].error_m);
    }
    return near_init(&match->near, sightings, n);
}

void match_finish(struct match *match)
{
    near_finish(&match->near);
    mem_free(match->log_density);
    mem_free(match->log_weight);
    mem_free(match->cluster_of);
    mem_free(match->clusters);
    mem_free(match->free_clusters);
    match->log_density = match->log_weight = NULL;
    match->cluster_of = match->free_clusters = NULL;
    match->clusters = NULL;
}

/* ---- what is drawn with the partition ---- */

struct tally {
    double squares, freedom, further[CENSUS_SURVEYS_MAX], all[CENSUS_SURVEYS_MAX], n_read, n_misread;
    double n_objects, shares[CENSUS_CLASSES_MAX];
    double n_pairs, n_expected;
};

static void count_clusters(const struct match *match, struct tally *tally)
{
    for (uint32_t i = 0; i < match->n; i++) {
        const struct match_cluster *cluster = &match->clusters[i];
        if (cluster->n == 0)
            continue;
        const uint32_t kind = match_kind(cluster);
        tally->n_objects++;
        tally->shares[cluster->kinds[kind].class]++;
        for (uint32_t k = 0; k < match->detect->n_surveys; k++) {
            tally->all[k] += cluster->counts[k];
            tally->further[k] += cluster->counts[k] > 1 ? cluster->counts[k] - 1 : 0;
        }
        if (cluster->n < 2)
            continue;
        /* Alone it cannot disagree with itself; of the others the first reading is free, too. */
        tally->n_read += cluster->kinds[kind].n - 1;
        tally->n_misread += cluster->n - cluster->kinds[kind].n;
        tally->squares += fmax(cluster->square - (cluster->x * cluster->x + cluster->y * cluster->y) / cluster->weight, 0);
        tally->freedom += 2.0 * (cluster->n - 1);
    }
}

/* Others of a sighting's survey and class nearer than the ring: in how many pairs they are two objects, and how many the ring lets expect.
 */
static void count_pairs(const struct match *match, struct tally *tally)
{
    const struct near *near = &match->near;
    for (uint32_t i = 0; i < match->n; i++) {
        const struct census_sighting *one = &match->sightings[i];
        tally->n_expected += near->around[i] * M_PI * near->inner_m * near->inner_m / near->ring_m2 / 2;
        for (uint32_t j = near->starts[i]; j < near->starts[i + 1]; j++) {
            const struct census_sighting *other = &match->sightings[near->neighbours[j]];
            if (one->survey == other->survey && one->class == other->class &&
                match->cluster_of[i] != match->cluster_of[near->neighbours[j]] &&
                hypot(one->x_m - other->x_m, one->y_m - other->y_m) <= near->inner_m)
                tally->n_pairs += 0.5;
        }
    }
}

static void draw_from(struct match *match, const struct tally *tally)
{
    struct census_random *random = &match->random;
    match->crowding = census_random_gamma(random, CROWDING_WEIGHT + tally->n_pairs) / (CROWDING_WEIGHT + tally->n_expected);
    double chi2 = 2 * census_random_gamma(random, (tally->freedom + SCALE_WEIGHT) / 2);
    match->error_scale = fmin(SCALE_MAX, fmax(SCALE_MIN, sqrt((tally->squares + SCALE_WEIGHT) / chi2)));
    for (uint32_t k = 0; k < match->detect->n_surveys; k++) {
        /* Where neighbours stand within errors, places hardly tell a double from a neighbour, and each taken for a double makes doubles
         * likelier: there the prior weighs as much as what was found. */
        double weight = DUPLICATES_WEIGHT + CROWD_WEIGHT * match->near.crowd * match->near.crowd * tally->all[k];
        match->duplicates[k] = fmin(DUPLICATES_MAX, census_random_beta(random, DUPLICATES_FIRST * weight + tally->further[k],
                                                        (1 - DUPLICATES_FIRST) * weight + tally->all[k] - tally->further[k]));
    }
    if (match->detect->n_classes > 1)
        match->misread = fmin(MISREAD_MAX, census_random_beta(random, MISREAD_ONE + tally->n_misread, MISREAD_OTHER + tally->n_read));
}

/* Objects in the ring around each sighting: sightings of its survey over what a survey makes of an object. */
static void learn_density(struct match *match)
{
    const struct detect *detect = match->detect;
    for (uint32_t i = 0; i < match->n; i++) {
        const struct census_sighting *one = &match->sightings[i];
        double a_survey = 0; /* sightings of an object */
        uint32_t n_surveys = 0;
        for (uint32_t k = 0; k < detect->n_surveys; k++)
            if (one->covers >> k & 1 || one->survey == k) {
                a_survey += detect->mean[one->class][k] / (1 - match->duplicates[k]);
                n_surveys++;
            }
        double others = fmax(match->near.around[i] / (a_survey / n_surveys), OTHERS_MIN);
        match->log_density[i] = log(match->crowding * others / match->near.ring_m2) - match->log_share[one->class];
    }
}

void match_draw(struct match *match)
{
    const struct detect *detect = match->detect;
    bool is_first = match->clusters[0].n == 0 && match->n_free == 0;
    struct tally tally = {.squares = 0};
    if (!is_first) {
        count_clusters(match, &tally);
        count_pairs(match, &tally);
        draw_from(match, &tally);
    } else
        for (uint32_t i = 0; i < match->n; i++) {
            tally.shares[match->sightings[i].class]++;
            tally.n_objects++;
        }
    match->log_plane = log(2 * M_PI * match->error_scale * match->error_scale);
    for (uint32_t k = 0; k < detect->n_surveys; k++) {
        match->log_further[k] = log(match->duplicates[k]);
        for (uint32_t n = 1; n < MATCH_DOUBLES_KEPT; n++)
            match->log_doubles[k][n] = log(1 - match->duplicates[k]) + (n - 1) * match->log_further[k] + lgamma(n + 1.0);
    }
    match->log_read = log(1 - match->misread);
    match->log_misread = detect->n_classes > 1 ? log(match->misread / (detect->n_classes - 1)) : 0;
    for (uint32_t c = 0; c < detect->n_classes; c++) {
        match->share[c] = (tally.shares[c] + SHARE_WEIGHT) / (tally.n_objects + SHARE_WEIGHT * detect->n_classes);
        match->log_share[c] = log(match->share[c]);
    }
    memset(match->cache, 0, sizeof(match->cache));
    learn_density(match);
    for (uint32_t i = 0; i < match->n; i++)
        match->clusters[i].log_density = 0;
    for (uint32_t i = 0; !is_first && i < match->n; i++)
        match->clusters[match->cluster_of[i]].log_density += match->log_density[i];
    for (uint32_t i = 0; i < match->n; i++)
        if (is_first)
            match->clusters[i] = alone(match, i);
        else if (match->clusters[i].n > 0)
            match->clusters[i].score = score(match, &match->clusters[i]);
}

/* ---- joining ---- */

/* False: more than one cluster can hold. */
static bool join(struct match *match, const struct match_cluster *one, const struct match_cluster *other, struct match_cluster *ret_both)
{
    struct match_cluster both = *one;
    if (one->n + other->n > UINT8_MAX)
        return false;
    both.weight += other->weight;
    both.x += other->x;
    both.y += other->y;
    both.square += other->square;
    both.log_weight += other->log_weight;
    both.log_density += other->log_density;
    both.n += other->n;
    both.covers |= other->covers;
    for (uint32_t k = 0; k < CENSUS_SURVEYS_MAX; k++)
        both.counts[k] = (uint8_t)(both.counts[k] + other->counts[k]);
    for (uint32_t i = 0; i < other->n_kinds; i++) {
        uint32_t kind = 0;
        while (kind < both.n_kinds && both.kinds[kind].class != other->kinds[i].class)
            kind++;
        if (kind == MATCH_KINDS_MAX)
            return false;
        if (kind == both.n_kinds)
            both.kinds[both.n_kinds++] = other->kinds[i];
        else
            both.kinds[kind].n = (uint8_t)(both.kinds[kind].n + other->kinds[i].n);
    }
    both.score = score(match, &both);
    *ret_both = both;
    return true;
}

void match_join(struct match *match)
{
    const struct near *near = &match->near;
    for (uint32_t at = 0; at < match->n; at++) {
        /* All of the cluster go where this one's best neighbour is; its members are among the neighbours, or they are few. */
        uint32_t own = match->cluster_of[at], best = MATCH_NONE;
        double best_gain = 0;
        struct match_cluster both = {.n = 0};
        for (uint32_t i = near->starts[at]; i < near->starts[at + 1]; i++) {
            uint32_t cluster = match->cluster_of[near->neighbours[i]];
            struct match_cluster tried;
            if (cluster == own || cluster == best || (match_seen(&match->clusters[own]) & match_seen(&match->clusters[cluster])) != 0 ||
                !join(match, &match->clusters[own], &match->clusters[cluster], &tried))
                continue; /* doubles are for the draws to find: joined all at once they would be learned as many, and be many */
            double gain = tried.score - match->clusters[own].score - match->clusters[cluster].score;
            if (gain > best_gain) {
                best_gain = gain;
                best = cluster;
                both = tried;
            }
        }
        if (best == MATCH_NONE)
            continue;
        uint32_t n_moved = 0, n_own = match->clusters[own].n;
        for (uint32_t i = near->starts[at]; i < near->starts[at + 1]; i++)
            n_moved += match->cluster_of[near->neighbours[i]] == own;
        if (n_moved + 1 != n_own) /* one of its own is not a neighbour: left for the draws */
            continue;
        for (uint32_t i = near->starts[at]; i < near->starts[at + 1]; i++)
            if (match->cluster_of[near->neighbours[i]] == own)
                match->cluster_of[near->neighbours[i]] = best;
        match->cluster_of[at] = best;
        match->clusters[best] = both;
        match->clusters[own].n = 0;
        match->free_clusters[match->n_free++] = own;
    }
}

/* ---- one sighting out, and into a cluster that is drawn ---- */

struct choice {
    uint32_t cluster;
    double gain, score;
};

static uint32_t gather(struct match *match, uint32_t at, struct choice *choices)
{
    uint32_t n = 0;
    for (uint32_t i = match->near.starts[at]; i < match->near.starts[at + 1]; i++) {
        uint32_t cluster = match->cluster_of[match->near.neighbours[i]];
        bool is_there = false;
        for (uint32_t j = 0; j < n && !is_there; j++)
            is_there = choices[j].cluster == cluster;
        if (is_there || !has_room(match, &match->clusters[cluster], at))
            continue;
        struct match_cluster tried = match->clusters[cluster];
        move(match, &tried, at, 1);
        double with = score(match, &tried);
        choices[n++] = (struct choice){cluster, with - match->clusters[cluster].score, with};
    }
    return n;
}

static uint32_t draw(struct match *match, const struct choice *choices, uint32_t n, double gain_alone)
{
    double best = gain_alone, all = 0, chances[NEAR_MAX];
    for (uint32_t i = 0; i < n; i++)
        best = fmax(best, choices[i].gain);
    for (uint32_t i = 0; i < n; i++)
        all += chances[i] = exp(choices[i].gain - best);
    double left = census_random_unit(&match->random) * (all + exp(gain_alone - best));
    for (uint32_t i = 0; i < n; i++) {
        if (left < chances[i])
            return i;
        left -= chances[i];
    }
    return MATCH_NONE;
}

static void move_one(struct match *match, uint32_t at)
{
    struct match_cluster *own = &match->clusters[match->cluster_of[at]];
    move(match, own, at, -1);
    if (own->n == 0)
        match->free_clusters[match->n_free++] = match->cluster_of[at];
    else
        own->score = score(match, own);
    match->cluster_of[at] = MATCH_NONE;
    struct choice choices[NEAR_MAX];
    struct match_cluster single = alone(match, at);
    /* Neighbours that were put back are in clusters: only `at` is out. */
    uint32_t n = gather(match, at, choices), chosen = draw(match, choices, n, single.score);
    if (chosen == MATCH_NONE) {
        match->cluster_of[at] = match->free_clusters[--match->n_free];
        match->clusters[match->cluster_of[at]] = single;
    } else {
        match->cluster_of[at] = choices[chosen].cluster;
        struct match_cluster *entered = &match->clusters[match->cluster_of[at]];
        move(match, entered, at, 1);
        entered->score = choices[chosen].score;
    }
}

/* ---- clusters parted and joined as a whole: Dahl's sequentially allocated merge and split ---- */

struct parted {
    uint32_t members[PARTED_MAX], n;
    bool is_left[PARTED_MAX];
    struct match_cluster left, right;
    double log_chance; /* of this way to part them */
};

/* All of the clusters of `at` and `other` but these two, in an order by chance. False: some are not neighbours of either. */
static bool gather_members(struct match *match, uint32_t at, uint32_t other, struct parted *parted)
{
    uint32_t left = match->cluster_of[at], right = match->cluster_of[other], asked[2] = {at, other};
    uint32_t wanted = match->clusters[left].n + (left == right ? 0 : match->clusters[right].n) - 2;
    if (wanted > PARTED_MAX)
        return false;
    for (uint32_t side = 0; side < 2 && parted->n < wanted; side++)
        for (uint32_t i = match->near.starts[asked[side]]; i < match->near.starts[asked[side] + 1]; i++) {
            uint32_t member = match->near.neighbours[i];
            bool is_there = member == at || member == other || (match->cluster_of[member] != left && match->cluster_of[member] != right);
            for (uint32_t j = 0; j < parted->n && !is_there; j++)
                is_there = parted->members[j] == member;
            if (!is_there)
                parted->members[parted->n++] = member;
        }
    for (uint32_t i = parted->n; i > 1; i--) {
        uint32_t j = census_random_below(&match->random, i), kept = parted->members[i - 1];
        parted->members[i - 1] = parted->members[j];
        parted->members[j] = kept;
    }
    return parted->n == wanted;
}

/* From the two that are asked on, each goes left or right by chance; or, joining, as it stands, to learn how likely that was. */
static bool part(struct match *match, uint32_t at, uint32_t other, bool is_joining, struct parted *parted)
{
    parted->left = alone(match, at);
    parted->right = alone(match, other);
    for (uint32_t i = 0; i < parted->n; i++) {
        uint32_t member = parted->members[i];
        struct match_cluster left = parted->left, right = parted->right;
        if (!has_room(match, &left, member) || !has_room(match, &right, member))
            return false;
        move(match, &left, member, 1);
        move(match, &right, member, 1);
        left.score = score(match, &left);
        right.score = score(match, &right);
        double gain = (left.score - parted->left.score) - (right.score - parted->right.score), chance = 1 / (1 + exp(-gain));
        parted->is_left[i] = is_joining ? match->cluster_of[member] == match->cluster_of[at] : census_random_unit(&match->random) < chance;
        parted->log_chance += log(fmax(parted->is_left[i] ? chance : 1 - chance, 1e-300));
        if (parted->is_left[i])
            parted->left = left;
        else
            parted->right = right;
    }
    return true;
}

static void part_or_join(struct match *match, uint32_t at)
{
    const struct near *near = &match->near;
    uint32_t n = near->starts[at + 1] - near->starts[at];
    uint32_t other = near->neighbours[near->starts[at] + census_random_below(&match->random, n)];
    uint32_t left = match->cluster_of[at], right = match->cluster_of[other];
    bool is_joining = left != right;
    struct parted parted = {.n = 0};
    struct match_cluster both = match->clusters[left];
    if (!gather_members(match, at, other, &parted) ||
        (is_joining && !join(match, &match->clusters[left], &match->clusters[right], &both)) ||
        !part(match, at, other, is_joining, &parted))
        return;
    double gain = parted.left.score + parted.right.score - both.score - parted.log_chance;
    if (log(1 - census_random_unit(&match->random)) >= (is_joining ? -gain : gain))
        return;
    if (is_joining) {
        match->clusters[left] = both;
        match->clusters[right].n = 0;
        match->free_clusters[match->n_free++] = right;
        match->cluster_of[other] = left;
        for (uint32_t i = 0; i < parted.n; i++)
            match->cluster_of[parted.members[i]] = left;
    } else {
        uint32_t made = match->free_clusters[--match->n_free];
        match->clusters[left] = parted.left;
        match->clusters[made] = parted.right;
        match->cluster_of[other] = made;
        for (uint32_t i = 0; i < parted.n; i++)
            if (!parted.is_left[i])
                match->cluster_of[parted.members[i]] = made;
    }
}

void match_sweep(struct match *match)
{
    for (uint32_t at = 0; at < match->n; at++)
        if (match->near.starts[at] < match->near.starts[at + 1])
            move_one(match, at);
    for (uint32_t i = 0; i < match->n; i++) {
        uint32_t at = census_random_below(&match->random, match->n);
        if (match->near.starts[at] < match->near.starts[at + 1])
            part_or_join(match, at);
    }
}
