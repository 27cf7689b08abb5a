/* Who passed: the vehicles, by their plates' hashes. Nothing else of the core is changed here; see move.h. */
#include "scene/count/move.h"
#include "scene/count/state.h"

#include <stdlib.h>

bool count_is_duplicate(const struct count *count, const struct count_vehicle *vehicle, const struct count_passage *passage)
{
    int64_t within_ms = count->settings.duplicate_ms;
    return (vehicle->camera == passage->camera && llabs(passage->time_ms - (int64_t)vehicle->last_ms) <= within_ms) ||
           (vehicle->before_camera == passage->camera && llabs(passage->time_ms - count_vehicle_before_ms(vehicle)) <= within_ms);
}

void count_track(struct count *count, struct count_passage *passage, uint32_t guess, struct count_move *ret_move)
{
    struct count_vehicles *vehicles = &count->vehicles;
    struct count_move *move = ret_move;
    move->has_plate = move->is_split = move->has_way = false;
    move->camera = passage->camera;
    move->arrived_ms = passage->arrived_ms;
    move->seen_ms = passage->time_ms;
    uint32_t at = count_faults_track(count, count_vehicles_find_at(vehicles, passage->vehicle, guess), passage, move);
    if (at == COUNT_NONE) {
        at = count_vehicles_add(vehicles, passage->vehicle, move->camera, move->seen_ms);
        move->kind = at == COUNT_NONE ? COUNT_MOVE_LOST : COUNT_MOVE_FIRST;
        return;
    }
    struct count_vehicle *vehicle = &vehicles->slab[at];
    if (count_is_duplicate(count, vehicle, passage)) {
        move->kind = COUNT_MOVE_REPEATED;
        return;
    }
    move->kind = COUNT_MOVE_AGAIN;
    move->is_same = move->has_plate && !move->way.is_apart;
    if (!move->is_same)
        count_trail_read(vehicle, &move->last);
    if (move->seen_ms >= (int64_t)vehicle->last_ms) /* or it was further on already */
        count_vehicle_move(vehicle, move->camera, move->seen_ms);
}
