/* The board: rows in, snapshots out, by hand-made rows and times. */
#include "cockpit/board.h"
#include "cockpit/cockpit_test.h"
#include "hub/indicator.h"

#define T0 1795276800000

struct fixture {
    struct cockpit_config *config;
    struct area_tree *areas;
    struct cockpit_board *board;
};

static void set_up(struct fixture *f)
{
    f->config = test_config();
    f->areas = test_areas();
    assert_ok(cockpit_board_create(f->config, f->areas, 1, &f->board));
}

static void tear_down(struct fixture *f)
{
    cockpit_board_destroy(f->board);
    area_tree_destroy(f->areas);
    cockpit_config_destroy(f->config);
}

static const struct hub_window window = {.contract = STR_INIT("h/c-2"), .receipt = STR_INIT("h.log/7")};

static enum err indicator_row(
    struct fixture *f, const char *name, const char *area, int64_t time, int64_t period, struct value number, bool *ret_record)
{
    struct value row[HUB_INDICATOR_N_FIELDS_MAX] = {value_text(str_from_c(name)), value_text(str_from_c(area)), value_time(time),
        value_integer(period), number, value_integer(3), VALUE_NONE, value_text(STR("h.log/5"))};
    int indicator, area_at;
    struct cockpit_value value;
    const char *source = strcmp(name, "truth") == 0 ? "h/world/truth" : "h/count/indicator";
    return cockpit_board_indicator(f->board, str_from_c(source), row, &window, ret_record, &indicator, &area_at, &value);
}

static struct cockpit_snapshot *snapshot(struct fixture *f, int64_t now)
{
    struct cockpit_snapshot *s;
    assert_ok(cockpit_board_snapshot(f->board, (struct wall_time){now}, &s));
    return s;
}

static void view_edges(const struct cockpit_snapshot *s, int area, uint64_t after, struct json_writer *w)
{
    struct cockpit_part all = {.end = s->n_edges, .limit = s->n_edges};
    cockpit_view_edges(s, area, after, &all, w);
}

static void view_sources(const struct cockpit_snapshot *s, int area, struct json_writer *w)
{
    struct cockpit_part all = {.end = s->n_sources, .limit = s->n_sources};
    cockpit_view_sources(s, area, &all, w);
}

static struct buf render(
    const struct cockpit_snapshot *s, int area, void (*view)(const struct cockpit_snapshot *, int, struct json_writer *))
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 1u << 20);
    json_writer_init(&w, &out);
    view(s, area, &w);
    buf_append_byte(&out, '\0');
    assert_int_equal(out.err, ERR_OK);
    return out;
}

static void a_value_keeps_its_lineage(void **state)
{
    struct fixture f;
    bool is_record;
    set_up(&f);
    assert_ok(indicator_row(&f, "count", "h", T0, 1000, value_real(41203), &is_record));
    assert_false(is_record);
    assert_ok(indicator_row(&f, "count", "h", T0 + 1000, 120000, value_real(41210), &is_record));
    assert_true(is_record);
    struct cockpit_snapshot *s = snapshot(&f, T0 + 2000);
    const struct cockpit_value *value = cockpit_snapshot_value(s, 0, 0);
    assert_true(value->number == 41210 && value->n == 3);
    assert_string_equal(value->receipt, "h.log/7");
    assert_string_equal(value->contract, "h/c-2");
    assert_string_equal(value->basis, "h.log/5");
    struct buf out = render(s, 0, cockpit_view_live);
    assert_non_null(strstr(out.ptr, "\"value\":41210,"));
    assert_non_null(strstr(out.ptr, "\"stale\":false"));
    buf_finish(&out);
    cockpit_snapshot_release(s);
    tear_down(&f);
}

static void only_the_declared_source_sets_a_figure(void **state)
{
    struct fixture f;
    bool is_record;
    int indicator, area;
    struct cockpit_value value;
    set_up(&f);
    struct value row[HUB_INDICATOR_N_FIELDS] = {
        value_text(STR("count")), value_text(STR("h")), value_time(T0), value_integer(1000), value_real(1)};
    assert_err(cockpit_board_indicator(f.board, STR("h/world/truth"), row, &window, &is_record, &indicator, &area, &value), ERR_NOT_FOUND);
    assert_err(indicator_row(&f, "count", "mars", T0, 1000, value_real(1), &is_record), ERR_NOT_FOUND);
    assert_err(indicator_row(&f, "unknown", "h", T0, 1000, value_real(1), &is_record), ERR_NOT_FOUND);
    row[HUB_INDICATOR_TIME] = value_text(STR("now"));
    assert_err(cockpit_board_indicator(f.board, STR("h/count/indicator"), row, &window, &is_record, &indicator, &area, &value), ERR_SYNTAX);
    assert_int_equal(cockpit_board_n_refused(f.board), 4);
    tear_down(&f);
}

static void a_source_that_can_say_nothing_leaves_the_last_number_greyed(void **state)
{
    struct fixture f;
    bool is_record;
    set_up(&f);
    assert_ok(indicator_row(&f, "count", "h", T0, 1000, value_real(500), &is_record));
    assert_ok(indicator_row(&f, "count", "h", T0 + 5000, 1000, VALUE_NONE, &is_record));
    struct cockpit_snapshot *s = snapshot(&f, T0 + 5000);
    struct buf out = render(s, 0, cockpit_view_indicators);
    assert_non_null(strstr(out.ptr, "\"value\":500,\"time\":1795276800000"));
    assert_non_null(strstr(out.ptr, "\"stale\":true,\"stale_since\":1795276800000"));
    assert_non_null(strstr(out.ptr, "\"state\":\"stale\""));
    buf_finish(&out);
    cockpit_snapshot_release(s);
    /* an older row, come late, changes nothing; a newer one heals */
    assert_ok(indicator_row(&f, "count", "h", T0 - 9000, 1000, value_real(1), &is_record));
    assert_ok(indicator_row(&f, "count", "h", T0 + 6000, 1000, value_real(510), &is_record));
    s = snapshot(&f, T0 + 6000);
    assert_true(cockpit_snapshot_value(s, 0, 0)->number == 510);
    assert_int_equal(cockpit_value_state(cockpit_config_at(f.config, 0), cockpit_snapshot_value(s, 0, 0), s->time), COCKPIT_CALM);
    cockpit_snapshot_release(s);
    tear_down(&f);
}

static void road_state(struct fixture *f, const char *edge, double delay, int64_t time)
{
    struct value row[HUB_ROAD_STATE_N_FIELDS] = {value_text(str_from_c(edge)), value_time(time), value_real(10), value_real(delay),
        value_real(900), value_integer(4), value_text(STR("camera")), value_integer(3), value_text(STR("t/1"))};
    assert_ok(cockpit_board_road_state(f->board, row));
}

static void edges_are_told_once_a_change_and_only_within_the_area(void **state)
{
    struct fixture f;
    set_up(&f);
    assert_ok(cockpit_board_edge_area(f.board, STR("e1"), STR("h.x.a")));
    assert_ok(cockpit_board_edge_area(f.board, STR("e2"), STR("h.y")));
    road_state(&f, "e1", 1.5, T0);
    road_state(&f, "e2", 2.5, T0);
    road_state(&f, "e3", 3.5, T0); /* lies nowhere that we know: nobody sees it */
    struct cockpit_snapshot *s = snapshot(&f, T0);
    struct buf out;
    struct json_writer w;
    buf_init(&out, 1000);
    json_writer_init(&w, &out);
    view_edges(s, 1, 0, &w);
    assert_str(buf_str(&out), "{\"time\":1795276800000,\"edges\":[[\"e1\",10,1.5,900,3]]}");
    uint64_t seen = s->number;
    cockpit_snapshot_release(s);
    road_state(&f, "e2", 2.6, T0 + 1000);
    s = snapshot(&f, T0 + 1000);
    buf_reset(&out);
    json_writer_init(&w, &out);
    view_edges(s, 0, seen, &w);
    assert_str(buf_str(&out), "{\"time\":1795276801000,\"edges\":[[\"e2\",10,2.6,900,3]]}");
    cockpit_snapshot_release(s);
    s = snapshot(&f, T0 + COCKPIT_KEEP_MS + 2000); /* what says nothing for long leaves the map */
    buf_reset(&out);
    json_writer_init(&w, &out);
    view_edges(s, 2, s->number - 1, &w);
    assert_non_null(memmem(out.ptr, out.len, "[\"e2\",null,null,null,null]", 26));
    buf_finish(&out);
    cockpit_snapshot_release(s);
    tear_down(&f);
}

/* One that cameras count and nobody timed: its flow goes like everything else. Once gone it is not told again. */
static void an_edge_with_a_flow_alone_leaves_the_map(void **state)
{
    struct fixture f;
    set_up(&f);
    assert_ok(cockpit_board_edge_area(f.board, STR("e1"), STR("h.x.a")));
    struct value row[HUB_ROAD_STATE_N_FIELDS] = {value_text(STR("e1")), value_time(T0), VALUE_NONE, VALUE_NONE, value_real(900),
        value_integer(4), VALUE_NONE, VALUE_NONE, value_text(STR("t/1"))};
    assert_ok(cockpit_board_road_state(f.board, row));
    static const char *const told[] = {"[\"e1\",null,null,900,null]", "[\"e1\",null,null,null,null]", "\"edges\":[]"};
    struct buf out;
    struct json_writer w;
    buf_init(&out, 1000);
    for (int i = 0; i < 3; i++) {
        struct cockpit_snapshot *s = snapshot(&f, T0 + i * (COCKPIT_KEEP_MS + 1));
        buf_reset(&out);
        json_writer_init(&w, &out);
        view_edges(s, 0, s->number - 1, &w);
        assert_non_null(memmem(out.ptr, out.len, told[i], strlen(told[i])));
        cockpit_snapshot_release(s);
    }
    buf_finish(&out);
    tear_down(&f);
}

/* What a view of a list writes to and takes its room from. */
struct listing {
    struct buf out;
    struct json_writer w;
    struct arena arena;
};

static struct json_writer *listing_begin(struct listing *listing)
{
    arena_init(&listing->arena, 100000);
    buf_init(&listing->out, 10000);
    json_writer_init(&listing->w, &listing->out);
    return &listing->w;
}

static void listing_finish(struct listing *listing)
{
    buf_finish(&listing->out);
    arena_finish(&listing->arena);
}

static void the_slowest_road_comes_first(void **state)
{
    static const struct {
        const char *road;
        double delay;
    } roads[] = {{"文一路", 1.2}, {"天目山路", 3.1}, {"古翠路", 2.0}};
    struct fixture f;
    set_up(&f);
    for (size_t i = 0; i < 3; i++) {
        struct value row[HUB_ROAD_INDEX_N_FIELDS] = {value_text(str_from_c(roads[i].road)), value_text(STR("h.x")), value_time(T0),
            value_real(8), value_real(roads[i].delay), value_real(700), value_real(1500), value_integer(9), value_text(STR("camera gps")),
            value_real(1050), value_integer(2), value_integer(5), value_text(STR("轻度拥堵")), value_text(STR("Slow")),
            value_text(STR("t/1")), value_real(1.4), value_text(STR("slower")), value_time(T0 - 5), value_integer(9), value_real(41.6),
            value_real(20), value_real(63.5)};
        assert_ok(cockpit_board_road_index(f.board, row));
    }
    struct cockpit_snapshot *s = snapshot(&f, T0);
    struct listing listing;
    cockpit_view_ranking(s, 1, 2, listing_begin(&listing), &listing.arena);
    struct str out = buf_str(&listing.out);
    const char *first = memmem(out.ptr, out.len, "天目山路", strlen("天目山路")),
               *second = memmem(out.ptr, out.len, "古翠路", strlen("古翠路"));
    assert_true(first && second && first < second);
    const char *says = "\"vehicle_km_ph\":1050,\"vehicles\":{\"value\":42,\"low\":20,\"high\":64},\"n\":9,\"sources\":[\"camera\",\"gps\"],"
                       "\"level\":2,\"levels\":5,\"level_title\":{\"zh\":"
                       "\"轻度拥堵\",\"en\":\"Slow\"},"
                       "\"made_by\":\"t/1\",\"usual\":{\"delay_index\":1.4,\"state\":\"slower\",\"since\":1795276799995,\"days\":9}}";
    assert_non_null(memmem(out.ptr, out.len, says, strlen(says)));
    assert_null(memmem(out.ptr, out.len, "文一路", strlen("文一路"))); /* past the limit */
    listing_finish(&listing);
    cockpit_snapshot_release(s);
    tear_down(&f);
}

/* The longest wait first, of the area and what lies within it; what is not told any more leaves the list. */
static void junctions_are_listed_by_their_wait(void **state)
{
    static const struct {
        const char *junction, *area;
        double delay_s;
    } junctions[] = {{"J1", "h.x.a", 31}, {"J2", "h.x", 92.4}, {"J3", "h.y", 240}, {"J4", "mars", 500}};
    struct fixture f;
    set_up(&f);
    for (size_t i = 0; i < 4; i++) {
        struct value row[HUB_JUNCTION_INDEX_N_FIELDS] = {value_text(str_from_c(junctions[i].junction)), value_text(STR("文一路 / 古翠路")),
            value_text(str_from_c(junctions[i].area)), value_time(T0), value_real(120.1), value_real(30.2),
            value_real(junctions[i].delay_s), value_real(2.25), value_integer(8), value_text(STR("delay.junction/1"))};
        assert_string_equal(err_text(cockpit_board_junction(f.board, row)), err_text(i < 3 ? ERR_OK : ERR_NOT_FOUND));
    }
    static const struct {
        int64_t now;
        int area;
        size_t limit;
        const char *ids[3];
    } rows[] = {
        {T0, 0, 9, {"J3", "J2", "J1"}}, {T0, 0, 1, {"J3"}}, {T0, 1, 9, {"J2", "J1"}}, {T0 + COCKPIT_JUNCTION_KEEP_MS + 1, 0, 9, {NULL}}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cockpit_snapshot *s = snapshot(&f, rows[i].now);
        struct listing listing;
        cockpit_view_junctions(s, rows[i].area, rows[i].limit, listing_begin(&listing), &listing.arena);
        json_t *root;
        assert_ok(json_read(buf_str(&listing.out), NULL, &root));
        const json_t *list = json_object_get(root, "junctions");
        size_t n = 0;
        for (; n < 3 && rows[i].ids[n] != NULL; n++)
            assert_string_equal(json_string_value(json_object_get(json_array_get(list, n), "junction")), rows[i].ids[n]);
        assert_int_equal(json_array_size(list), n);
        json_decref(root);
        listing_finish(&listing);
        cockpit_snapshot_release(s);
    }
    tear_down(&f);
}

static struct value *zone_row(struct value *row, const char *zone, const char *area, const char *class, int64_t now_ms, struct value now)
{
    const struct value values[HUB_ZONE_STATE_N_FIELDS] = {value_text(str_from_c(zone)), value_text(str_from_c(area)),
        value_text(str_from_c(class)), value_time(now_ms), now, now.type == VALUE_NULL ? VALUE_NONE : value_real(now.r - 2),
        now.type == VALUE_NULL ? VALUE_NONE : value_real(now.r + 3.4), value_real(120), VALUE_NONE, VALUE_NONE,
        strcmp(class, "all") == 0 ? value_integer(4) : VALUE_NONE, now.type == VALUE_NULL ? value_time(T0 + 500) : VALUE_NONE, VALUE_NONE};
    memcpy(row, values, sizeof(values));
    return row;
}

/* A row a zone, of the area and below; what is not known any more stays, and says since when. */
static void zones_are_told_one_by_one(void **state)
{
    static const struct hub_window from = {.receipt = STR_INIT("h.log/9")};
    struct value row[HUB_ZONE_STATE_N_FIELDS];
    struct fixture f;
    set_up(&f);
    assert_ok(cockpit_board_zone_state(f.board, zone_row(row, "west", "h.x.a", "all", T0, value_real(12)), &from));
    assert_ok(cockpit_board_zone_state(f.board, zone_row(row, "west", "h.x.a", "other", T0, value_real(5)), &from));
    assert_ok(cockpit_board_zone_state(f.board, zone_row(row, "east", "h.y", "all", T0, value_real(3)), &from));
    assert_err(cockpit_board_zone_state(f.board, zone_row(row, "red", "mars", "all", T0, value_real(3)), &from), ERR_NOT_FOUND);
    for (int i = 0; i < 10; i++) { /* of classes that nobody has declared no more than a few are kept */
        char class[] = {'c', (char)('0' + i), '\0'};
        enum err err = cockpit_board_zone_state(f.board, zone_row(row, "east", "h.y", class, T0, value_real(3)), &from);
        assert_true(err == (i < COCKPIT_ZONE_CLASSES_MAX - 1 ? ERR_OK : ERR_FULL));
    }
    struct cockpit_snapshot *s = snapshot(&f, T0 + 1000);
    struct buf out = render(s, 1, cockpit_view_zones);
    assert_string_equal(buf_str(&out).ptr,
        "{\"area\":\"h.x\",\"time\":1795276801000,\"zones\":[{\"zone\":\"west\",\"area\":\"h.x.a\",\"time\":1795276800000,\"stale_since\":"
        "null,"
        "\"missing_since\":null,\"breaches\":4,\"receipt\":\"h.log/9\",\"classes\":["
        "{\"class\":\"all\",\"now\":{\"value\":12,\"low\":10,\"high\":15},\"today\":{\"value\":120,\"low\":null,\"high\":null}},"
        "{\"class\":\"other\",\"now\":{\"value\":5,\"low\":3,\"high\":8},\"today\":{\"value\":120,\"low\":null,\"high\":null}}]}]}");
    buf_finish(&out);
    cockpit_snapshot_release(s);
    assert_ok(cockpit_board_zone_state(f.board, zone_row(row, "west", "h.x.a", "all", T0 + 1000, VALUE_NONE), &from));
    s = snapshot(&f, T0 + 1000);
    out = render(s, 1, cockpit_view_zones);
    assert_non_null(strstr(buf_str(&out).ptr, "\"stale_since\":1795276800500,"));
    assert_non_null(strstr(buf_str(&out).ptr, "\"now\":{\"value\":12,"));
    buf_finish(&out);
    cockpit_snapshot_release(s);
    s = snapshot(&f, T0 + COCKPIT_ZONE_STALE_MS + 1); /* nobody tells of the other one any more */
    out = render(s, 0, cockpit_view_zones);
    assert_non_null(strstr(buf_str(&out).ptr, "\"zone\":\"east\",\"area\":\"h.y\",\"time\":1795276800000,\"stale_since\":1795276800000,"));
    buf_finish(&out);
    cockpit_snapshot_release(s);
    tear_down(&f);
}

static int n_put;
static struct cockpit_value last_put;

static void note_put(void *context, int indicator, int area, const struct cockpit_value *value)
{
    n_put++;
    if (area == 0)
        last_put = *value;
}

static void sampled_indicators_are_recorded_once_a_period(void **state)
{
    struct fixture f;
    bool is_record;
    set_up(&f);
    n_put = 0;
    assert_ok(indicator_row(&f, "truth", "h.x.a", T0 - 1000, 1000, value_real(30), &is_record));
    assert_false(is_record);
    cockpit_board_sample(f.board, (struct wall_time){T0 - 500}, note_put, NULL);
    assert_int_equal(n_put, 0); /* the first, partial period */
    cockpit_board_sample(f.board, (struct wall_time){T0 + 10}, note_put, NULL);
    assert_int_equal(n_put, 3); /* the street, and what rolls up from it: district and city */
    assert_true(last_put.number == 30 && last_put.has_number && last_put.time.ms == T0 && last_put.period_ms == 120000);
    cockpit_board_sample(f.board, (struct wall_time){T0 + 119999}, note_put, NULL);
    assert_int_equal(n_put, 3);
    cockpit_board_sample(f.board, (struct wall_time){T0 + 120000}, note_put, NULL);
    assert_int_equal(n_put, 6);
    assert_false(last_put.has_number); /* stale by then: a missed window is recorded as missed */
    tear_down(&f);
}

static void sources_are_kept_by_party_and_name(void **state)
{
    struct fixture f;
    set_up(&f);
    struct value row[COCKPIT_N_SOURCE_FIELDS] = {value_text(STR("h/police")), value_text(STR("camera/1")), value_text(STR("h.x.a")),
        value_text(STR("文一路")), value_text(STR("Wenyi Rd")), value_real(120.1), value_real(30.2), value_text(STR("fresh")),
        value_time(T0), value_time(T0), value_text(STR(""))};
    assert_ok(cockpit_board_source(f.board, row));
    struct cockpit_snapshot *s = snapshot(&f, T0);
    struct buf out = render(s, 1, view_sources);
    assert_non_null(strstr(out.ptr, "\"detail\":null"));
    buf_finish(&out);
    cockpit_snapshot_release(s);
    row[7] = value_text(STR("stale"));
    row[10] = value_text(STR("value_type|colour|text"));
    assert_ok(cockpit_board_source(f.board, row));
    s = snapshot(&f, T0);
    assert_int_equal(s->n_sources, 1);
    assert_true(s->sources_changed);
    out = render(s, 1, view_sources);
    assert_non_null(strstr(out.ptr, "\"health\":\"stale\""));
    assert_non_null(strstr(out.ptr, "\"detail\":{\"code\":\"value_type\",\"parameters\":[\"colour\",\"text\"]}"));
    assert_non_null(strstr(out.ptr, "\"zh\":\"文一路\""));
    buf_finish(&out);
    out = render(s, 2, view_sources);
    assert_null(strstr(out.ptr, "camera"));
    buf_finish(&out);
    cockpit_snapshot_release(s);
    s = snapshot(&f, T0 + 1);
    assert_false(s->sources_changed);
    cockpit_snapshot_release(s);
    tear_down(&f);
}

static void failing_memory_leaves_the_board_whole(void **state)
{
    struct fixture f;
    set_up(&f);
    road_state(&f, "e1", 1.5, T0);
    int64_t n_live = mem_n_live();
    for (uint64_t nth = 1; nth <= 6; nth++) {
        struct cockpit_snapshot *s;
        mem_fail_nth(nth);
        assert_err(cockpit_board_snapshot(f.board, (struct wall_time){T0}, &s), ERR_NO_MEMORY);
        mem_fail_nth(0);
        assert_int_equal(mem_n_live(), n_live);
    }
    cockpit_snapshot_release(snapshot(&f, T0));
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_keeps_its_lineage),
        cmocka_unit_test(only_the_declared_source_sets_a_figure),
        cmocka_unit_test(a_source_that_can_say_nothing_leaves_the_last_number_greyed),
        cmocka_unit_test(edges_are_told_once_a_change_and_only_within_the_area),
        cmocka_unit_test(an_edge_with_a_flow_alone_leaves_the_map),
        cmocka_unit_test(the_slowest_road_comes_first),
        cmocka_unit_test(junctions_are_listed_by_their_wait),
        cmocka_unit_test(zones_are_told_one_by_one),
        cmocka_unit_test(sampled_indicators_are_recorded_once_a_period),
        cmocka_unit_test(sources_are_kept_by_party_and_name),
        cmocka_unit_test(failing_memory_leaves_the_board_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
