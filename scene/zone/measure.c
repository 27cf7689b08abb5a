/*
 * Figures of the scene for who operates it (docs/operate.md): above all what is lost, so that nothing is lost in silence. The core counts
 * without a lock, on the scene's loop; a tick copies that to where any thread may look.
 */
#include "scene/zone/inside.h"

#include <stddef.h>

static void set(struct metric_counter *counter, uint64_t n)
{
    atomic_store_explicit(&counter->n, n, memory_order_relaxed);
}

void zone_measure_tick(struct scene_zone *scene)
{
    const struct zone_counters *counters = zone_counters(scene->core);
    struct zone_measured *measured = &scene->measured;
    set(&measured->taken, counters->n_passages);
    set(&measured->late, counters->n_late);
    set(&measured->future, counters->n_future);
    set(&measured->asked, counters->n_asked);
    set(&measured->fresh, counters->n_from_cache);
    set(&measured->put_off, counters->n_put_off);
    set(&measured->given_up, counters->n_given_up);
    set(&measured->withheld, counters->n_withheld);
    set(&measured->forgotten, zone_known_vehicles(scene->core)->n_forgotten);
    set(&measured->unanswered, scene->n_unanswered);
    set(&measured->dropped, scene->n_dropped);
    set(&measured->waiting, zone_n_waiting(scene->core));
    set(&measured->alerts, scene->n_alerts);
    set(&measured->cameras, scene->camera_names.n);
}

void zone_measure(const void *self, struct metric_page *page)
{
    static const struct metric passages = {"citybrain_zone_passages_total", METRIC_COUNTER,
        "Passages taken, or refused: late, of the future, of a camera without room", {"party", "what"}};
    static const struct metric checks = {"citybrain_zone_checks_total", METRIC_COUNTER,
        "Checks of passes: asked, answered by what is fresh, put off, given up (nothing is claimed of them)", {"party", "how"}};
    static const struct metric withheld = {"citybrain_zone_breaches_not_told_total", METRIC_COUNTER,
        "Breaches that nobody was told of: past those told one by one, or since the stream of alerts was behind", {"party", "why"}};
    static const struct metric forgotten = {
        "citybrain_zone_vehicles_forgotten_total", METRIC_COUNTER, "Vehicles of the day that were forgotten for want of room", {"party"}};
    static const struct metric unanswered = {
        "citybrain_zone_questions_unanswered_total", METRIC_COUNTER, "Questions to the table of passes without an answer", {"party"}};
    static const struct metric dropped = {
        "citybrain_zone_batches_dropped_total", METRIC_COUNTER, "Figures of a second that were not taken", {"party"}};
    const struct scene_zone *scene = self;
    const struct zone_measured *measured = &scene->measured;
    metric_put_counter(page, &passages, &measured->taken, METRIC_VALUES(scene->party, STR("taken")));
    metric_put_counter(page, &passages, &measured->late, METRIC_VALUES(scene->party, STR("late")));
    metric_put_counter(page, &passages, &measured->future, METRIC_VALUES(scene->party, STR("future")));
    metric_put_counter(page, &passages, &measured->cameras_refused, METRIC_VALUES(scene->party, STR("no_room")));
    metric_put_counter(page, &checks, &measured->asked, METRIC_VALUES(scene->party, STR("asked")));
    metric_put_counter(page, &checks, &measured->fresh, METRIC_VALUES(scene->party, STR("fresh")));
    metric_put_counter(page, &checks, &measured->put_off, METRIC_VALUES(scene->party, STR("put_off")));
    metric_put_counter(page, &checks, &measured->given_up, METRIC_VALUES(scene->party, STR("given_up")));
    metric_put_counter(page, &withheld, &measured->withheld, METRIC_VALUES(scene->party, STR("many")));
    metric_put_counter(page, &withheld, &measured->alerts_lost, METRIC_VALUES(scene->party, STR("behind")));
    metric_put_counter(page, &forgotten, &measured->forgotten, METRIC_VALUES(scene->party));
    metric_put_counter(page, &unanswered, &measured->unanswered, METRIC_VALUES(scene->party));
    metric_put_counter(page, &dropped, &measured->dropped, METRIC_VALUES(scene->party));
    metric_put_queue(page, "zone_checks", scene->party, metric_get(&measured->waiting), scene->settings.checks_max, NULL);
    metric_put_queue(page, "zone_alerts", scene->party, metric_get(&measured->alerts), ZONE_ALERTS_MAX, &measured->alerts_lost);
    metric_put_queue(page, "zone_cameras", scene->party, metric_get(&measured->cameras), ZONE_CAMERAS_MAX, &measured->cameras_refused);
}
