/*
 * The joint's figures (docs/operate.md): each link and agreement, receipts on both sides, parts of uses in either direction, how they ended
 * and how long they took, every place that can be full; and the carrier's own.
 */
#include "district/parts.h"

static const char *const directions[] = {[DISTRICT_ASKED] = "asked", [DISTRICT_GIVEN] = "served"};
static const char *const whats[DISTRICT_WHATS] = {[DISTRICT_CALL] = "call",
    [DISTRICT_QUERY] = "query",
    [DISTRICT_ACT] = "act",
    [DISTRICT_MORE] = "more",
    [DISTRICT_OBJECT] = "object",
    [DISTRICT_READ] = "read",
    [DISTRICT_WINDOW] = "window",
    [DISTRICT_TAKE] = "take"};

void district_measure_part(struct district *district, size_t peer, enum district_direction direction, enum district_what what,
    struct mono_time since, enum err err)
{
    what = what >= DISTRICT_CALL && what < DISTRICT_WHATS ? what : DISTRICT_CALL;
    metric_add(&district->figures.ended[peer][direction][what][err], 1);
    metric_observe_us(&district->figures.took[direction][what], (clock_mono(district->clock).ns - since.ns) / 1000);
}

static void put_peer(struct district *district, size_t at, const struct district_status *status, struct metric_page *page)
{
    static const struct metric up = {"citybrain_district_link_up", METRIC_GAUGE, "1: the other hub was heard within two seconds", {"hub"}};
    static const struct metric in_force = {
        "citybrain_district_agreement_in_force", METRIC_GAUGE, "1: uses may go to and come from the other hub", {"hub"}};
    static const struct metric age = {"citybrain_district_confirmed_age_seconds", METRIC_GAUGE,
        "Since the time as of which the other hub's word holds; -1: never", {"hub"}};
    static const struct metric receipts = {"citybrain_district_receipts", METRIC_GAUGE,
        "Receipts that name the other hub's: ours, those of them that it has on disk, and its own here", {"hub", "of"}};
    static const struct metric cosigned = {
        "citybrain_district_cosigned_leaves", METRIC_GAUGE, "Size of our checkpoint that the other hub cosigned last", {"hub"}};
    static const struct metric wrong = {"citybrain_district_twins_wrong_total", METRIC_COUNTER,
        "Receipts without a twin, that differ, of uses not made here", {"hub", "what"}};
    static const char *const wrongs[TWIN_N_WRONG] = {[TWIN_MISSING] = "missing", [TWIN_DIFFERS] = "differs", [TWIN_UNASKED] = "unasked"};
    struct str hub = status->area;
    metric_put_count(page, &up, status->is_up, &hub);
    metric_put_count(page, &in_force, status->is_in_force, &hub);
    metric_put(page, &age, status->confirmed_ms_ago < 0 ? -1 : (double)status->confirmed_ms_ago / 1e3, &hub);
    metric_put_count(page, &receipts, status->n_mine, METRIC_VALUES(hub, STR("ours")));
    metric_put_count(page, &receipts, status->acked, METRIC_VALUES(hub, STR("acknowledged")));
    metric_put_count(page, &receipts, status->got, METRIC_VALUES(hub, STR("theirs")));
    metric_put_count(page, &cosigned, status->cosigned, &hub);
    for (int what = 0; what < TWIN_N_WRONG; what++)
        metric_put_count(page, &wrong, atomic_load(&district->twins[at].n_wrong[what]), METRIC_VALUES(hub, str_from_c(wrongs[what])));
}

static void put_uses(struct district *district, size_t at, struct str hub, struct metric_page *page)
{
    static const struct metric messages = {
        "citybrain_district_messages_total", METRIC_COUNTER, "Messages of the joint", {"hub", "direction"}};
    static const struct metric unread = {
        "citybrain_district_messages_unreadable_total", METRIC_COUNTER, "Messages that mean nothing", {"hub"}};
    static const struct metric ended[] = {
        [DISTRICT_ASKED] = {"citybrain_district_asked_total", METRIC_COUNTER,
            "Parts of our uses there, a question and an answer each, by how they ended", {"hub", "what", "status"}},
        [DISTRICT_GIVEN] = {
            "citybrain_district_served_total", METRIC_COUNTER, "Parts of their uses here, by how they ended", {"hub", "what", "status"}}};
    const struct district_figures *figures = &district->figures;
    metric_put_counter(page, &messages, &figures->sent[at], METRIC_VALUES(hub, STR("sent")));
    metric_put_counter(page, &messages, &figures->received[at], METRIC_VALUES(hub, STR("received")));
    metric_put_counter(page, &unread, &figures->unreadable[at], &hub);
    for (int direction = DISTRICT_ASKED; direction <= DISTRICT_GIVEN; direction++)
        for (int what = DISTRICT_CALL; what < DISTRICT_WHATS; what++)
            for (int err = 0; err < ERR_COUNT; err++)
                if (err == ERR_OK || metric_get(&figures->ended[at][direction][what][err]) > 0)
                    metric_put_counter(page, &ended[direction], &figures->ended[at][direction][what][err],
                        METRIC_VALUES(hub, str_from_c(whats[what]), err ? str_from_c(err_text((enum err)err)) : STR("ok")));
}

/* What is the thread's own is shown by it, so that nobody who asks for figures waits for its disk. */
void district_show(struct district *district)
{
    struct district_shown *shown = &district->shown;
    pthread_mutex_lock(&district->lock);
    shown->n_asked = shown->n_open = 0;
    for (size_t i = 0; i < district->state->n_asked; i++)
        shown->n_asked += district->state->asked[i].is_used;
    for (size_t at = 0; at < district->state->n_peers; at++) {
        district_status_on_loop(district, at, &shown->peers[at]);
        for (size_t i = 0; i < DISTRICT_OPEN_MAX; i++)
            shown->n_open += district->state->peers[at].open[i].is_used;
    }
    shown->n_peers = district->state->n_peers;
    shown->n_served = district->n_under_way;
    shown->n_held = district->n_held;
    shown->n_objects = district->n_objects;
    shown->n_contracts = district->state->n_contracts;
    shown->n_streams = district->n_streams;
    for (size_t i = 0; i < district->n_streams; i++) {
        shown->streams[i].name = district->streams[i].resource->name;
        shown->streams[i].n_waiting = hub_record_n_waiting(district->streams[i].record);
    }
    shown->n_windows = 0;
    for (const struct serving *one = district->serving; one; one = one->next)
        shown->n_windows += one->stream != NULL;
    shown->n_behind = ledger_n_durable(district->ledger) - book_followed(district->book);
    pthread_mutex_unlock(&district->lock);
}

void district_measure(struct district *district, struct metric_page *page)
{
    static const struct metric took = {
        "citybrain_district_part_seconds", METRIC_HISTOGRAM, "From a part's question to its answer, or its lack", {"direction", "what"}};
    static const struct metric behind = {
        "citybrain_district_leaves_behind", METRIC_GAUGE, "Leaves of the own ledger that the book has not read yet", {NULL}};
    static const struct metric dropped = {"citybrain_district_stream_dropped_total", METRIC_COUNTER,
        "Records of streams dropped, since the hub that subscribed to them did not take them", {NULL}};
    const struct district_figures *figures = &district->figures;
    struct district_shown shown;
    pthread_mutex_lock(&district->lock);
    shown = district->shown;
    pthread_mutex_unlock(&district->lock);
    for (size_t at = 0; at < shown.n_peers; at++) {
        put_peer(district, at, &shown.peers[at], page);
        put_uses(district, at, shown.peers[at].area, page);
    }
    for (int direction = DISTRICT_ASKED; direction <= DISTRICT_GIVEN; direction++)
        for (int what = DISTRICT_CALL; what < DISTRICT_WHATS; what++)
            metric_put_histogram(
                page, &took, &figures->took[direction][what], METRIC_VALUES(str_from_c(directions[direction]), str_from_c(whats[what])));
    metric_put_count(page, &behind, shown.n_behind, NULL);
    metric_put_queue(page, "district_asked", STR(""), shown.n_asked, DISTRICT_ASKED_MAX, &figures->asked_full);
    metric_put_queue(page, "district_served", STR(""), shown.n_served, DISTRICT_UNDER_WAY_MAX, &figures->served_full);
    metric_put_queue(page, "district_open", STR(""), shown.n_open, DISTRICT_OPEN_MAX * shown.n_peers, NULL);
    metric_put_queue(page, "district_objects", STR(""), shown.n_objects, DISTRICT_OBJECTS_MAX, &figures->objects_full);
    metric_put_queue(page, "district_windows", STR(""), shown.n_windows, DISTRICT_WINDOWS_OF_PEER * shown.n_peers, &figures->windows_full);
    metric_put_queue(page, "district_streams", STR(""), shown.n_streams,
        district->options.streams_max ? district->options.streams_max : HUB_RECORD_STREAMS_MAX, &figures->streams_full);
    for (size_t i = 0; i < shown.n_streams; i++)
        metric_put_queue(page, "district_stream_bytes", shown.streams[i].name, shown.streams[i].n_waiting, DISTRICT_KEPT_MAX, NULL);
    metric_put_counter(page, &dropped, &figures->stream_dropped, NULL);
    metric_put_queue(page, "district_held_bytes", STR(""), shown.n_held, DISTRICT_HELD_MAX, &figures->held_full);
    metric_put_queue(page, "district_contracts", STR(""), shown.n_contracts, DISTRICT_CONTRACTS_MAX, NULL);
    if (district->options.carrier->measure)
        district->options.carrier->measure(district->options.carrier, page);
}
