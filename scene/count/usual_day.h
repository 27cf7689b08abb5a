/*
 * The usual day around the core: each tick's delay indices of areas and roads are held against it (usual.h), it is kept on disk
 * (usual_store.h), and a road that is slower than on its usual day becomes an alarm of the hub (hub/alert.h): red when it begins, again now
 * and then while it lasts, green when the index was measured back where it usually is. business/case makes a case of it.
 *
 * Roads are told in the areas of one level (`alerts_at`), so that one road is one case and not one for each area above it.
 */
#ifndef SCENE_COUNT_USUAL_DAY_H
#define SCENE_COUNT_USUAL_DAY_H

#include "hub/hub.h"
#include "scene/count/core.h"
#include "scene/count/usual.h"

#define COUNT_ALERT_KIND "road.abnormal" /* what a city's cases.yaml names */

struct count_usual_day_options { /* all but the folder are kept */
    struct hub *hub;
    const struct area_tree *tree;
    const struct road_network *network;
    const struct count *count;
    const struct count_index *index; /* with rules of the usual day */
    struct str party;                /* whose roads they are: the scene's */
    struct time_zone zone;
    const char *data_dir; /* what is learned lies in its store/usual.sqlite */
};

struct count_usual_day;

enum err count_usual_day_start(
    const struct count_usual_day_options *options, struct diag *diag, struct count_usual_day **ret_day) MUST_CHECK;
void count_usual_day_stop(struct count_usual_day *day); /* what waits is written; takes NULL */
/* `basis`: receipt of the window that the figures were made from. */
void count_usual_day_tick(struct count_usual_day *day, const struct count_updates *updates, const char *basis);
struct count_usual_now count_usual_day_area(const struct count_usual_day *day, size_t area);
struct count_usual_now count_usual_day_road(const struct count_usual_day *day, uint32_t road); /* number of count_road_at() */
uint64_t count_usual_day_n_unlearned(const struct count_usual_day *day);                       /* values that found no room; takes NULL */
/* `citybrain check`: is there an area of the level that is told? */
enum err count_usual_day_check(const struct count_index *index, const struct area_tree *tree, struct diag_list *diags) MUST_CHECK;

#endif
