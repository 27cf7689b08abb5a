/* What people see of the joint, and what they decide of it: questions to the district's thread. */
#include "district/inside.h"

#include "base/log.h"

struct status_asked {
    struct district *district;
    size_t at;
    struct district_status *status;
};

static void tell_status(void *context)
{
    struct status_asked *asked = context;
    struct district *district = asked->district;
    const struct district_peer *peer = &district->state->peers[asked->at];
    int64_t now_ms = clock_mono(district->clock).ns / 1000000;
    int hub = district->hub_of[asked->at];
    *asked->status = (struct district_status){
        .area = district->federation->hubs[hub].area,
        .agreement = federation_between(district->federation, hub, district->self)->name,
        .is_up = peer->is_up,
        .is_in_force = district_in_force(peer, now_ms, clock_wall(district->clock).ms),
        .mine = (enum district_agreement)peer->mine,
        .theirs = (enum district_agreement)peer->theirs,
        .confirmed_ms_ago = peer->confirmed_ms < 0 ? -1 : now_ms - peer->confirmed_ms,
        .n_mine = peer->n_mine,
        .acked = peer->acked,
        .got = peer->got,
    };
}

size_t district_n_peers(const struct district *district)
{
    return district->state->n_peers;
}

void district_peer_status(struct district *district, size_t at, struct district_status *ret_status)
{
    struct status_asked asked = {district, at, ret_status};
    loop_thread_call(district->thread, tell_status, &asked);
}

struct agreeing {
    struct district *district;
    struct str area;
    enum district_agreement state;
    enum err err;
};

static void agree(void *context)
{
    struct agreeing *agreeing = context;
    struct district *district = agreeing->district;
    int hub = federation_hub_find(district->federation, agreeing->area), peer = hub < 0 ? -1 : district->peer_of[hub];
    if (peer < 0) {
        agreeing->err = ERR_NOT_FOUND;
        return;
    }
    if (agreeing->state < DISTRICT_AGREED || agreeing->state > DISTRICT_ENDED || district->state->peers[peer].mine == DISTRICT_ENDED) {
        agreeing->err = ERR_RANGE;
        return;
    }
    agreeing->err = book_agreement(district->book, hub, (int)agreeing->state);
    if (agreeing->err) {
        district_fail(district, agreeing->err);
        return;
    }
    log_write(LOG_NOTICE, "district", "this side of an agreement changed", LOG_STR("hub", agreeing->area),
        LOG_TEXT("state", district_agreement_names[agreeing->state]), LOG_END);
    district_drive(
        district, (struct district_event){.kind = DISTRICT_MY_AGREEMENT, .peer = (size_t)peer, .state = (uint8_t)agreeing->state});
}

enum err district_agree(struct district *district, struct str area, enum district_agreement state)
{
    struct agreeing agreeing = {.district = district, .area = area, .state = state};
    loop_thread_call(district->thread, agree, &agreeing);
    return agreeing.err;
}
