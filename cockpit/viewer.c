/*
 * A viewer: one open event stream of a face.
 *
 * It is told everything at first, then what changes. The lists that grow with the city, road states and sources, go in parts of a
 * stated size; the next part is sent when the viewer has taken what was sent before, so that neither a city of 60,000 edges nor a slow
 * line overruns its queue.
 */
#include "base/log.h"
#include "base/mem.h"
#include "cockpit/cockpit_internal.h"

#include <stddef.h>

void cockpit_viewer_send(struct cockpit_viewer *viewer, const char *event)
{
    /* ERR_FULL closes the stream, and on_close takes the viewer off the list. */
    enum err err = http_stream_send(viewer->stream, event, buf_str(&viewer->face->scratch));
    if (err != ERR_OK)
        log_write(LOG_INFO, "cockpit", "a slow viewer was let go", LOG_ERR(err), LOG_END);
}

static void send_if_whole(struct cockpit_viewer *viewer, const char *event)
{
    if (viewer->face->scratch.err == ERR_OK)
        cockpit_viewer_send(viewer, event);
    else
        log_write(
            LOG_ERROR, "cockpit", "an event could not be composed", LOG_TEXT("event", event), LOG_ERR(viewer->face->scratch.err), LOG_END);
}

/* ---- lists in parts ---- */

/* The next part of a round over a list of `n`; the list may have grown since. */
static struct cockpit_part next_part(struct cockpit_round *round, size_t n, size_t limit)
{
    if (round->at >= n)
        round->at = 0;
    if (round->n_left > n)
        round->n_left = n;
    size_t end = round->at + round->n_left;
    return (struct cockpit_part){.at = round->at, .end = end < n ? end : n, .limit = limit};
}

static void take_part(struct cockpit_round *round, const struct cockpit_part *part)
{
    round->n_left -= part->at - round->at;
    round->at = part->at;
}

/* The next part of what is left that is not empty. */
static void tell_part(struct cockpit_viewer *viewer)
{
    const struct cockpit_snapshot *s = viewer->face->latest;
    while (viewer->edges.n_left > 0) {
        struct cockpit_part part = next_part(&viewer->edges, s->n_edges, COCKPIT_EDGES_PART);
        struct json_writer w = cockpit_face_begin(viewer->face);
        cockpit_view_edges(s, viewer->area, 0, &part, &w);
        take_part(&viewer->edges, &part);
        if (part.n > 0) {
            send_if_whole(viewer, "road_states");
            return;
        }
    }
    while (viewer->sources.n_left > 0) {
        struct cockpit_part part = next_part(&viewer->sources, s->n_sources, COCKPIT_SOURCES_PART);
        struct json_writer w = cockpit_face_begin(viewer->face);
        cockpit_view_sources(s, viewer->area, &part, &w);
        take_part(&viewer->sources, &part);
        if (part.n > 0) {
            send_if_whole(viewer, "sources");
            return;
        }
    }
}

static void viewer_is_empty(void *context)
{
    tell_part(context);
}

/* A round that is under way goes on from where it is, once around, at the viewer's speed: a change in each second neither leaves an edge
 * for ever untold nor fills the queue. */
static void begin_round(struct cockpit_viewer *viewer, struct cockpit_round *round, size_t n)
{
    bool is_under_way = viewer->edges.n_left > 0 || viewer->sources.n_left > 0;
    round->n_left = n;
    if (!is_under_way)
        tell_part(viewer);
}

void cockpit_viewer_tell_edges(struct cockpit_viewer *viewer)
{
    begin_round(viewer, &viewer->edges, viewer->face->latest->n_edges);
}

void cockpit_viewer_tell_sources(struct cockpit_viewer *viewer)
{
    begin_round(viewer, &viewer->sources, viewer->face->latest->n_sources);
}

/* ---- coming and going ---- */

static void viewer_closed(void *context)
{
    struct cockpit_viewer *viewer = context;
    *viewer->at = viewer->next;
    if (viewer->next)
        viewer->next->at = viewer->at;
    mem_free(viewer);
}

/* All that the viewer needs to draw, once; from then on what changes. Of the lists the first part, also when it is empty. */
static void greet(struct cockpit_face *face, struct cockpit_viewer *viewer)
{
    const struct cockpit_snapshot *s = face->latest;
    struct cockpit_part edges = {.end = s->n_edges, .limit = COCKPIT_EDGES_PART};
    struct cockpit_part sources = {.end = s->n_sources, .limit = COCKPIT_SOURCES_PART};
    struct json_writer w = cockpit_face_begin(face);
    cockpit_view_live(s, viewer->area, &w);
    send_if_whole(viewer, "indicators");
    w = cockpit_face_begin(face);
    cockpit_view_edges(s, viewer->area, 0, &edges, &w);
    send_if_whole(viewer, "road_states");
    cockpit_face_ranking(face, s, viewer->area);
    send_if_whole(viewer, "ranking");
    cockpit_face_junctions(face, s, viewer->area);
    send_if_whole(viewer, "junctions");
    cockpit_face_zones(face, s, viewer->area);
    send_if_whole(viewer, "zone_states");
    w = cockpit_face_begin(face);
    cockpit_view_sources(s, viewer->area, &sources, &w);
    send_if_whole(viewer, "sources");
    viewer->edges = (struct cockpit_round){.at = edges.at, .n_left = s->n_edges - edges.at};
    viewer->sources = (struct cockpit_round){.at = sources.at, .n_left = s->n_sources - sources.at};
}

void cockpit_face_live(struct cockpit_face *face, struct http_exchange *x, int area)
{
    struct cockpit_viewer *viewer = mem_alloc_zero(1, sizeof(*viewer));
    if (!viewer) {
        http_reply_err(x, ERR_NO_MEMORY, STR("no memory for another viewer; try again later"));
        return;
    }
    *viewer = (struct cockpit_viewer){.face = face, .area = area, .next = face->viewers[area], .at = &face->viewers[area]};
    enum err err = http_reply_stream(x, viewer_closed, viewer, &viewer->stream);
    if (err != ERR_OK) { /* it has answered 503 by itself */
        mem_free(viewer);
        return;
    }
    if (viewer->next)
        viewer->next->at = &viewer->next;
    face->viewers[area] = viewer;
    http_stream_on_empty(viewer->stream, viewer_is_empty);
    if (face->latest)
        greet(face, viewer);
}
