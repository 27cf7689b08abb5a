/*
 * What a floating car tells of an edge, to the core: the rules by which a link between two cameras moves a speed, for one edge.
 */
#include "scene/count/gps.h"
#include "scene/count/state.h"

#include <assert.h>

void count_drive(struct count *count, const struct count_drive *drive)
{
    const struct count_settings *settings = &count->settings;
    assert(drive->edge < count->map.network->n_edges && drive->free_s > 0);
    count->counters.n_drives++;
    if (drive->actual_s < settings->delay_min * drive->free_s ||
        drive->actual_s > settings->delay_max * drive->free_s + settings->delay_slack_s)
        count->counters.n_drives_odd++;
    else
        count_figures_drive(&count->figures, drive->edge, drive->actual_s, drive->free_s, drive->length_m, drive->left_ms);
}

const struct road_hierarchy *count_hierarchy(const struct count *count)
{
    return road_router_hierarchy(count->travel.router);
}
