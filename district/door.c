/*
 * The joint's door: how the hub stands with the others, and this side of an agreement changed by a person who may manage.
 *
 * Both are answered by the district's thread, so that no loop of HTTP waits for a disk.
 */
#include "district/door.h"

#include "base/json.h"
#include "district/inside.h"

enum { OF_HUBS, OF_NOTE };
struct door_ask {
    struct loop_task task;
    struct http_exchange *x;
    struct district *district;
    struct loop *loop;
    struct str area;
    enum district_agreement state;
    int what;
    enum err err;
    struct buf out;
};

static void answered(struct loop_task *task)
{
    struct door_ask *ask = container_of(task, struct door_ask, task);
    struct buf out = ask->out;
    if (ask->err == ERR_RANGE)
        http_reply_problem(ask->x, 409, STR("an agreement that has ended is not taken up again; make another in federation.yaml"), -1);
    else if (ask->err)
        http_reply_err(ask->x, ask->err, STR("there is no agreement with that hub"));
    else
        ask->what == OF_NOTE ? http_reply(ask->x, 200, "text/plain; charset=utf-8", buf_str(&out))
                             : http_reply_json(ask->x, 200, buf_str(&out)); /* the ask is gone with it */
    buf_finish(&out);
}

static void write_peer(struct json_writer *w, struct district *district, size_t at)
{
    struct district_status status;
    struct book_counts counts = {0};
    district_status_on_loop(district, at, &status);
    if (book_count(district->book, district->hub_of[at], &counts)) /* shown as none; the book's own end stops the process */
        counts = (struct book_counts){0};
    json_begin_object(w);
    json_field_str(w, "hub", status.area);
    json_field_str(w, "agreement", status.agreement);
    json_field_bool(w, "up", status.is_up);
    json_field_bool(w, "in_force", status.is_in_force);
    json_field_c(w, "ours", district_agreement_names[status.mine]);
    json_field_c(w, "theirs", district_agreement_names[status.theirs]);
    json_key(w, "confirmed_ms_ago");
    if (status.confirmed_ms_ago < 0)
        json_put_null(w);
    else
        json_put_i64(w, status.confirmed_ms_ago);
    json_field_i64(w, "cosigned", (int64_t)status.cosigned);
    json_key(w, "receipts");
    json_begin_object(w);
    json_field_i64(w, "ours", (int64_t)status.n_mine);
    json_field_i64(w, "acknowledged", (int64_t)status.acked);
    json_field_i64(w, "theirs", (int64_t)status.got);
    json_field_i64(w, "served", counts.n_served);
    json_field_i64(w, "complete", counts.n_complete);
    json_end_object(w);
    json_end_object(w);
}

static void write_status(struct door_ask *ask)
{
    struct json_writer w;
    struct district *district = ask->district;
    json_writer_init(&w, &ask->out);
    json_begin_object(&w);
    json_field_str(&w, "hub", district->federation->hubs[district->self].area);
    json_key(&w, "peers");
    json_begin_array(&w);
    for (size_t i = 0; i < district->state->n_peers; i++)
        write_peer(&w, district, i);
    json_end_array(&w);
    json_end_object(&w);
    if (ask->out.err)
        ask->err = ask->out.err;
}

static enum err write_note(struct door_ask *ask)
{
    const struct district *district = ask->district;
    int hub = federation_hub_find(district->federation, ask->area);
    return hub < 0 || district->peer_of[hub] < 0 ? ERR_NOT_FOUND : book_cosigned_note(district->book, hub, &ask->out);
}

static void on_district(struct loop_task *task)
{
    struct door_ask *ask = container_of(task, struct door_ask, task);
    if (ask->state != DISTRICT_NONE)
        ask->err = district_agree_on_loop(ask->district, ask->area, ask->state);
    if (ask->what == OF_NOTE)
        ask->err = write_note(ask);
    else if (!ask->err)
        write_status(ask);
    task->fn = answered;
    loop_post(ask->loop, task);
}

static void begin(struct http_exchange *x, struct district *district, int what, struct str area, enum district_agreement state)
{
    struct door_ask *ask = arena_alloc_zero(http_arena(x), 1, sizeof *ask);
    if (!ask) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    ask->x = x;
    ask->district = district;
    ask->loop = http_loop(x);
    ask->area = area;
    ask->what = what;
    ask->state = state;
    ask->task.fn = on_district;
    buf_init(&ask->out, 1u << 20);
    if (!district_post(district, &ask->task))
        http_reply_err(x, ERR_UNAVAILABLE, STR("the hub is stopping"));
}

static void handle_list(struct http_exchange *x, void *context)
{
    begin(x, context, OF_HUBS, STR_NONE, DISTRICT_NONE);
}

static void handle_cosigned(struct http_exchange *x, void *context)
{
    begin(x, context, OF_NOTE, http_param(x, "area"), DISTRICT_NONE);
}

static void handle_agreement(struct http_exchange *x, void *context)
{
    json_t *body;
    struct str word;
    size_t state = 0;
    if (http_body_json(x, &body))
        return;
    if (!(http_identity(x)->roles & HTTP_MANAGE)) {
        http_reply_err(x, ERR_DENIED, STR("agreements are kept by who may manage"));
        return;
    }
    if (json_get_str(body, "state", &word))
        word = STR_NONE;
    for (state = DISTRICT_AGREED; state <= DISTRICT_ENDED && !str_equal_c(word, district_agreement_names[state]);)
        state++;
    if (state > DISTRICT_ENDED || json_object_size(body) != 1) {
        http_reply_problem(x, 400, STR("the body is {\"state\":\"agreed\"}, {\"state\":\"suspended\"} or {\"state\":\"ended\"}"), -1);
        return;
    }
    begin(x, context, OF_HUBS, http_param(x, "area"), (enum district_agreement)state);
}

const struct http_route district_routes[] = {
    {HTTP_GET, "/district/v1/hubs", HTTP_OFFICIAL, 0, handle_list, "How this hub stands with the others: links, agreements, receipts",
        .answer = "DistrictHubs"},
    {HTTP_GET, "/district/v1/cosigned/{area}", HTTP_OFFICIAL, 0, handle_cosigned,
        "The newest checkpoint of this hub's ledger that the hub of an area has cosigned, with its line", .media_type = "text/plain"},
    {HTTP_POST, "/district/v1/agreement/{area}", HTTP_OFFICIAL, 1024, handle_agreement,
        "This side of the agreement with the hub of an area: agreed, suspended, ended", .body = "DistrictAgreement",
        .answer = "DistrictHubs"},
};
const size_t district_n_routes = sizeof district_routes / sizeof *district_routes;
