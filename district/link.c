/*
 * What people hear of a link: its state as a source of the hub's, and, when it stays cut, an alert of kind `link` whose case lasts until
 * the other hub is heard again. Told again while it lasts, since nobody may have listened; and that it is in order after each start, since
 * the case may be older than this process.
 */
#include "district/inside.h"

#include "base/log.h"
#include "hub/alert.h"

#include <stdio.h>

#define CUT_MS 5000 /* a server that is started anew is no case */
#define AGAIN_MS 60000

static void report(struct district *district, size_t peer, bool is_up)
{
    const struct federation_hub *hub = &district->federation->hubs[district->hub_of[peer]];
    const struct federation_hub *self = &district->federation->hubs[district->self];
    char source[160], party[128];
    snprintf(source, sizeof source, "district/" STR_FORMAT, STR_ARG(hub->area));
    snprintf(party, sizeof party, STR_FORMAT "/hub", STR_ARG(self->area));
    struct hub_source report = {
        .party = str_from_c(party),
        .source = str_from_c(source),
        .area = self->area,
        .title_zh = hub->area,
        .title_en = hub->area,
        .health = is_up ? HUB_FRESH : HUB_DOWN,
        .last_heard = is_up ? clock_wall(district->clock) : (struct wall_time){0},
        .detail = is_up ? STR("") : STR(HUB_DETAIL(link_down)),
    };
    hub_source_report(district->hub, &report);
}

static int64_t now_ms(const struct district *district)
{
    return clock_mono(district->clock).ns / 1000000;
}

void district_link_begin(struct district *district, size_t peer)
{
    district->links[peer] = (struct district_link){.is_told = true, .since_ms = now_ms(district)};
    report(district, peer, false);
}

void district_link_changed(struct district *district, size_t peer, bool is_up)
{
    log_write(is_up ? LOG_NOTICE : LOG_WARNING, "district", is_up ? "the link is up" : "the link is down",
        LOG_STR("hub", district->federation->hubs[district->hub_of[peer]].area), LOG_END);
    district->links[peer].since_ms = now_ms(district);
    district->links[peer].next_ms = 0;
    if (!is_up)
        atomic_store_explicit(&district->may_ask[peer], false, memory_order_relaxed);
    report(district, peer, is_up);
}

static enum err tell(struct district *district, size_t peer, bool is_up)
{
    const struct federation_hub *hub = &district->federation->hubs[district->hub_of[peer]];
    char zh[200], en[200];
    snprintf(zh, sizeof zh, "与对方中枢的链路中断：" STR_FORMAT, STR_ARG(hub->area));
    snprintf(en, sizeof en, "The link to the other hub is cut: " STR_FORMAT, STR_ARG(hub->area));
    const struct hub_alert alert = {.kind = STR("link"),
        .area = district->federation->hubs[district->self].area,
        .key = hub->area,
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .detail = is_up ? STR_NONE : STR("uses of its resources end with 503; receipts wait here until it has them"),
        .is_green = is_up};
    return hub_alert(district->hub, &alert);
}

void district_links_tend(struct district *district)
{
    int64_t now = now_ms(district);
    for (size_t at = 0; at < district->state->n_peers; at++) {
        struct district_link *link = &district->links[at];
        const struct district_peer *peer = &district->state->peers[at];
        bool is_up = peer->is_up;
        atomic_store_explicit(
            &district->may_ask[at], is_up && district_in_force(peer, now, clock_wall(district->clock).ms), memory_order_relaxed);
        if (is_up && link->is_told && tell(district, at, true) == ERR_OK)
            link->is_told = false;
        if (is_up || now - link->since_ms < CUT_MS || now < link->next_ms || tell(district, at, false) != ERR_OK)
            continue;
        link->is_told = true;
        link->next_ms = now + AGAIN_MS;
    }
}
