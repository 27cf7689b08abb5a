/* Draws of detection; see detect.h. */
#include "scene/census/detect.h"

#include <math.h>
#include <string.h>

#define FIRST 0.85     /* log odds before anything is known */
#define USUAL_MEAN 0.8 /* prior of a survey's log odds: half of it sees between 45 and 86 % */
#define USUAL_WIDE 1.5
#define CLASSES_WIDE 0.5 /* prior of classes around their survey's usual */
#define SPREAD_WIDE 0.7  /* half normal prior */
#define SPREAD_MAX 3.0
#define LOG_ODDS_MAX 8.0
#define STEP_FIRST 0.2
#define STEP_MIN 0.005
#define STEP_MAX 3.0
#define STEP_UP 1.15 /* with this and the next 44 % of the steps are taken */
#define STEP_DOWN 0.896
#define LOGISTIC_NORMAL 0.3460 /* (16 sqrt(3) / (15 pi))²: the chance over a normal effect, by the log odds alone */
#define ROUNDS 2               /* of steps, a draw */

static const double nodes[DETECT_NODES] = {0, -1.355626179974266, 1.355626179974266, -2.856970013872806, 2.856970013872806};
const double detect_node_weights[DETECT_NODES] = {
    0.533333333333333, 0.222075922005613, 0.222075922005613, 0.011257411327721, 0.011257411327721};

double detect_log_odds(const struct detect *detect, uint8_t class, uint32_t survey)
{
    return detect->log_odds[class][survey] * sqrt(1 + LOGISTIC_NORMAL * detect->spread * detect->spread);
}

/* The chances of one class from its log odds and the spread. */
static void fill_chances(struct detect *detect, uint32_t class)
{
    for (uint32_t k = 0; k < detect->n_surveys; k++) {
        detect->mean[class][k] = 0;
        for (uint32_t h = 0; h < DETECT_NODES; h++) {
            double chance = 1 / (1 + exp(-(detect_log_odds(detect, (uint8_t) class, k) + detect->spread * nodes[h])));
            detect->chance[class][k][h] = chance;
            detect->mean[class][k] += detect_node_weights[h] * chance;
        }
    }
}

void detect_init(struct detect *detect, uint32_t n_surveys, uint32_t n_classes)
{
    memset(detect, 0, sizeof(*detect));
    detect->n_surveys = n_surveys;
    detect->n_classes = n_classes;
    detect->step_spread = STEP_FIRST;
    for (uint32_t k = 0; k < n_surveys; k++)
        detect->usual[k] = FIRST;
    for (uint32_t c = 0; c < n_classes; c++) {
        for (uint32_t k = 0; k < n_surveys; k++) {
            detect->log_odds[c][k] = FIRST;
            detect->step[c][k] = STEP_FIRST;
        }
        fill_chances(detect, c);
    }
}

double detect_chance(const struct detect *detect, uint8_t class, uint16_t covers, uint16_t seen)
{
    double all = 0;
    uint32_t n_nodes = detect->spread > 0 ? DETECT_NODES : 1;
    for (uint32_t h = 0; h < n_nodes; h++) {
        double chance = n_nodes == 1 ? 1 : detect_node_weights[h];
        for (uint32_t k = 0; k < detect->n_surveys; k++)
            if (covers >> k & 1)
                chance *= seen >> k & 1 ? detect->chance[class][k][h] : 1 - detect->chance[class][k][h];
        all += chance;
    }
    return all;
}

/* Log likelihood of the patterns of one class, given that each was seen at all. */
static double likelihood(const struct detect *detect, const struct detect_pattern *patterns, size_t n)
{
    double sum = 0, log_any = 0;
    uint64_t group = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        uint8_t class = (uint8_t)(patterns[i].key >> 48);
        uint16_t covers = (uint16_t)(patterns[i].key >> 32), seen = (uint16_t)(patterns[i].key >> 16);
        if ((covers & (covers - 1)) == 0) /* one survey, which saw it: nothing is learned of what it misses */
            continue;
        if (patterns[i].key >> 32 != group) {
            group = patterns[i].key >> 32;
            log_any = log(1 - fmin(detect_chance(detect, class, covers, 0), DETECT_UNSEEN_MAX));
        }
        sum += patterns[i].n * (log(fmax(detect_chance(detect, class, covers, seen), 1e-300)) - log_any);
    }
    return sum;
}

static double square(double x)
{
    return x * x;
}

static double prior(const struct detect *detect, uint32_t class, uint32_t survey)
{
    if (detect->n_classes == 1)
        return -0.5 * square((detect->log_odds[class][survey] - USUAL_MEAN) / USUAL_WIDE);
    return -0.5 * square((detect->log_odds[class][survey] - detect->usual[survey]) / CLASSES_WIDE);
}

/* One class's log odds at the surveys of `surveys` moved by `by`, taken or taken back. */
static bool step_class(struct detect *detect, const struct detect_pattern *patterns, size_t n, uint32_t class, uint32_t surveys, double by,
    double *now, struct census_random *random)
{
    double before = 0, after = 0, kept[CENSUS_SURVEYS_MAX];
    memcpy(kept, detect->log_odds[class], sizeof(kept));
    bool is_far = false;
    for (uint32_t k = 0; k < detect->n_surveys; k++)
        if (surveys >> k & 1) {
            before += prior(detect, class, k);
            detect->log_odds[class][k] += by;
            after += prior(detect, class, k);
            is_far = is_far || fabs(detect->log_odds[class][k]) > LOG_ODDS_MAX;
        }
    fill_chances(detect, class);
    double likely = likelihood(detect, patterns, n);
    if (!is_far && log(1 - census_random_unit(random)) < likely - *now + after - before) {
        *now = likely;
        return true;
    }
    memcpy(detect->log_odds[class], kept, sizeof(kept));
    fill_chances(detect, class);
    return false;
}

static double adapted(double step, bool was_taken)
{
    return fmin(STEP_MAX, fmax(STEP_MIN, step * (was_taken ? STEP_UP : STEP_DOWN)));
}

static void draw_class(
    struct detect *detect, const struct detect_pattern *patterns, size_t n, uint32_t class, bool is_learning, struct census_random *random)
{
    double now = likelihood(detect, patterns, n), widest = STEP_MIN;
    for (uint32_t k = 0; k < detect->n_surveys; k++) {
        bool was_taken =
            step_class(detect, patterns, n, class, 1u << k, detect->step[class][k] * census_random_normal(random), &now, random);
        if (is_learning)
            detect->step[class][k] = adapted(detect->step[class][k], was_taken);
        widest = fmax(widest, detect->step[class][k]);
    }
    /* All surveys together: what is seen by all the less means that more is seen by none. */
    step_class(detect, patterns, n, class, UINT16_MAX, widest * census_random_normal(random), &now, random);
}

static void draw_spread(
    struct detect *detect, const struct detect_pattern *patterns, size_t n, bool is_learning, struct census_random *random)
{
    double kept = detect->spread, now = likelihood(detect, patterns, n);
    detect->spread = fabs(kept + detect->step_spread * census_random_normal(random));
    for (uint32_t c = 0; c < detect->n_classes; c++)
        fill_chances(detect, c);
    double gain = likelihood(detect, patterns, n) - now - 0.5 * (square(detect->spread) - square(kept)) / square(SPREAD_WIDE);
    bool is_taken = detect->spread <= SPREAD_MAX && log(1 - census_random_unit(random)) < gain;
    if (!is_taken) {
        detect->spread = kept;
        for (uint32_t c = 0; c < detect->n_classes; c++)
            fill_chances(detect, c);
    }
    if (is_learning)
        detect->step_spread = adapted(detect->step_spread, is_taken);
}

/* What is usual at each survey, given the classes: normal, as its prior. */
static void draw_usual(struct detect *detect, struct census_random *random)
{
    for (uint32_t k = 0; k < detect->n_surveys; k++) {
        double weight = 1 / square(USUAL_WIDE) + detect->n_classes / square(CLASSES_WIDE), sum = USUAL_MEAN / square(USUAL_WIDE);
        for (uint32_t c = 0; c < detect->n_classes; c++)
            sum += detect->log_odds[c][k] / square(CLASSES_WIDE);
        detect->usual[k] = sum / weight + census_random_normal(random) / sqrt(weight);
    }
}

void detect_draw(
    struct detect *detect, const struct detect_pattern *patterns, size_t n, bool has_spread, bool is_learning, struct census_random *random)
{
    for (int round = 0; round < ROUNDS; round++) {
        size_t from = 0;
        for (uint32_t c = 0; c < detect->n_classes; c++) {
            size_t to = from;
            while (to < n && patterns[to].key >> 48 == c)
                to++;
            draw_class(detect, patterns + from, to - from, c, is_learning, random);
            from = to;
        }
        if (detect->n_classes > 1)
            draw_usual(detect, random);
        if (has_spread)
            draw_spread(detect, patterns, n, is_learning, random);
    }
}
