/*
 * The doors' figures: what became of each route's requests, and how full the server is.
 *
 * Statuses stand one by one, since 404 and 429 mean different things to who operates a hub; a route that nobody asked is left out.
 */
#include "http/internal.h"

#include <stdio.h>

static const int statuses[HTTP_STATUSES] = {
    200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 416, 422, 429, 500, 503, 504};

void http_measure_answer(struct http_exchange *x, int status)
{
    struct http_figures *figures = x->match.routed ? x->match.routed->figures : &x->server->unrouted;
    size_t at = 0;
    while (at < HTTP_STATUSES && statuses[at] != status)
        at++;
    metric_add(&figures->statuses[at], 1);
    metric_observe_us(&figures->took, (clock_mono(loop_clock(x->server->loop)).ns - x->started.ns) / 1000);
}

static void measure_route(const struct http_figures *figures, struct metric_page *page, struct str door, struct str route)
{
    static const struct metric answers = {
        "citybrain_http_answers_total", METRIC_COUNTER, "Answers by route and status", {"door", "route", "status"}};
    static const struct metric took = {
        "citybrain_http_answer_seconds", METRIC_HISTOGRAM, "From a request's first line to its answer being made", {"door", "route"}};
    bool is_asked = false;
    for (size_t i = 0; i <= HTTP_STATUSES; i++) {
        char status[8] = "other";
        if (metric_get(&figures->statuses[i]) == 0)
            continue;
        is_asked = true;
        if (i < HTTP_STATUSES)
            snprintf(status, sizeof(status), "%d", statuses[i]);
        metric_put_counter(page, &answers, &figures->statuses[i], METRIC_VALUES(door, route, str_from_c(status)));
    }
    if (is_asked)
        metric_put_histogram(page, &took, &figures->took, METRIC_VALUES(door, route));
}

void http_server_measure(struct http_server *server, struct metric_page *page, struct str door)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "HEAD"};
    static const struct metric slow = {"citybrain_http_cut_total", METRIC_COUNTER,
        "Connections that we cut: requests sent too slowly, idle ones when places ran out, viewers that did not keep up", {"door", "why"}};
    for (const struct http_routed *routed = http_routes_first(server->routes); routed; routed = routed->next) {
        char name[256];
        snprintf(name, sizeof(name), "%s %s", methods[routed->route->method], routed->route->pattern);
        measure_route(routed->figures, page, door, str_from_c(name));
    }
    measure_route(&server->unrouted, page, door, STR("none"));
    metric_put_counter(page, &slow, &server->n_slow_connections, METRIC_VALUES(door, STR("slow request")));
    metric_put_counter(page, &slow, &server->n_crowded_out, METRIC_VALUES(door, STR("crowded out")));
    metric_put_counter(page, &slow, &server->n_slow_viewers, METRIC_VALUES(door, STR("slow viewer")));
    metric_put_queue(page, "http_connections", door, server->n_connections, server->limits.n_connections, &server->n_refused_connections);
    metric_put_queue(page, "http_body_bytes", door, server->n_body_bytes, server->limits.bodies_max, &server->n_refused_bodies);
    metric_put_queue(page, "http_long_answers", door, server->n_senders, server->limits.n_senders, &server->n_refused_senders);
    metric_put_queue(page, "http_streams", door, server->n_streams, server->limits.n_streams, &server->n_refused_streams);
}
