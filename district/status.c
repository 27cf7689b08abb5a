/* What people see of the joint, and what they decide of it: questions to the district's thread. */
#include "district/inside.h"

#include "base/log.h"

void district_status_on_loop(struct district *district, size_t at, struct district_status *ret_status)
{
    const struct district_peer *peer = &district->state->peers[at];
    int64_t now_ms = clock_mono(district->clock).ns / 1000000;
    int hub = district->hub_of[at];
    *ret_status = (struct district_status){
        .area = district->federation->hubs[hub].area,
        .agreement = federation_between(district->federation, hub, district->self)->name,
        .is_up = peer->is_up,
        .is_in_force = district_in_force(peer, now_ms, clock_wall(district->clock).ms),
        .mine = (enum district_agreement)peer->mine,
        .theirs = (enum district_agreement)(peer->theirs <= DISTRICT_ENDED ? peer->theirs : DISTRICT_NONE),
        .confirmed_ms_ago = peer->confirmed_ms < 0 ? -1 : now_ms - peer->confirmed_ms,
        .cosigned = district_witness_size(district, at),
        .n_mine = peer->n_mine,
        .acked = peer->acked,
        .got = peer->got,
    };
}

struct agreeing {
    struct district *district;
    struct str area;
    enum district_agreement state;
    enum err err;
};

enum err district_agree_on_loop(struct district *district, struct str area, enum district_agreement state)
{
    int hub = federation_hub_find(district->federation, area), peer = hub < 0 ? -1 : district->peer_of[hub];
    if (peer < 0)
        return ERR_NOT_FOUND;
    if (state < DISTRICT_AGREED || state > DISTRICT_ENDED || district->state->peers[peer].mine == DISTRICT_ENDED)
        return ERR_RANGE;
    struct district_word word;
    int64_t now_ms = clock_wall(district->clock).ms;
    enum err err = district_word_give(district, (size_t)peer, (uint8_t)state, now_ms, &word);
    if (!err)
        err = book_agreement(district->book, hub, (int)state, now_ms);
    if (err) {
        district_fail(district, err);
        return err;
    }
    log_write(LOG_NOTICE, "district", "this side of an agreement changed", LOG_STR("hub", area),
        LOG_TEXT("state", district_agreement_names[state]), LOG_END);
    district_drive(district, (struct district_event){.kind = DISTRICT_MY_AGREEMENT, .peer = (size_t)peer, .word = word});
    district_agreement_note(district, (size_t)peer);
    return ERR_OK;
}

static void agree(void *context)
{
    struct agreeing *agreeing = context;
    agreeing->err = district_agree_on_loop(agreeing->district, agreeing->area, agreeing->state);
}

enum err district_agree(struct district *district, struct str area, enum district_agreement state)
{
    struct agreeing agreeing = {.district = district, .area = area, .state = state};
    loop_thread_call(district->thread, agree, &agreeing);
    return agreeing.err;
}
