/* The figures of a party on the bus and of its link. */
#include "bus/peer_inside.h"

void bus_peer_measure(struct bus_peer *peer, struct metric_page *page)
{
    static const struct metric up = {"citybrain_bus_link_up", METRIC_GAUGE, "Whether the link to the NATS server stands", {"party"}};
    static const struct metric lost = {
        "citybrain_bus_links_lost_total", METRIC_COUNTER, "Times that a connection to it was lost", {"party"}};
    static const struct metric messages = {
        "citybrain_bus_messages_total", METRIC_COUNTER, "Messages sent, received, and dropped at a limit", {"party", "way"}};
    static const struct metric questions = {
        "citybrain_bus_questions_total", METRIC_COUNTER, "Questions asked of other parties, and answered to them", {"party", "side"}};
    static const struct metric sessions = {
        "citybrain_bus_sessions_total", METRIC_COUNTER, "Sessions opened with others, and by others with us", {"party", "side"}};
    static const struct metric refused = {"citybrain_bus_refused_total", METRIC_COUNTER,
        "Messages that were not what they said, and openings by strangers or over the rate", {"party", "why"}};
    const struct bus_link_counts link = bus_link_counts(peer->link);
    const struct bus_peer_counts counts = bus_peer_counts(peer);
    struct str party = str_from_c(peer->name);
    const struct {
        struct str why;
        uint64_t n;
    } reasons[] = {{STR("malformed"), counts.n_malformed}, {STR("unknown"), counts.n_unknown}, {STR("stale"), counts.n_stale},
        {STR("replayed"), counts.n_replayed}, {STR("forged"), counts.n_forged}, {STR("misbound"), counts.n_misbound},
        {STR("stranger"), counts.n_strangers}, {STR("overrun"), counts.n_overrun}, {STR("protocol"), counts.n_other_protocol}};
    metric_put_count(page, &up, bus_link_is_up(peer->link), METRIC_VALUES(party));
    metric_put_count(page, &lost, link.n_lost_links, METRIC_VALUES(party));
    metric_put_count(page, &messages, link.n_sent, METRIC_VALUES(party, STR("sent")));
    metric_put_count(page, &messages, link.n_received, METRIC_VALUES(party, STR("received")));
    metric_put_count(page, &messages, link.n_dropped, METRIC_VALUES(party, STR("dropped")));
    metric_put_count(page, &questions, counts.n_asked, METRIC_VALUES(party, STR("asked")));
    metric_put_count(page, &questions, counts.n_questions, METRIC_VALUES(party, STR("answered")));
    metric_put_count(page, &sessions, counts.n_opened, METRIC_VALUES(party, STR("opened")));
    metric_put_count(page, &sessions, counts.n_accepted, METRIC_VALUES(party, STR("accepted")));
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        metric_put_count(page, &refused, reasons[i].n, METRIC_VALUES(party, reasons[i].why));
    pthread_mutex_lock(&peer->lock);
    size_t n_waiting = peer->n_waiting, n_held = peer->n_held;
    pthread_mutex_unlock(&peer->lock);
    metric_put_queue(page, "bus_waiting", party, n_waiting, BUS_PEER_WAITING_MAX, NULL);
    metric_put_queue(page, "bus_sessions", party, n_held, BUS_PEER_SESSIONS_MAX, NULL);
}
