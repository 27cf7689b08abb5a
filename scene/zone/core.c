/* The step. One function an event, in the order of a vehicle's day. */
#include "scene/zone/state.h"

#include "base/mem.h"

#include <string.h>

#define LATE_MAX_MS 600000
#define FUTURE_MAX_MS 60000
#define SET_BACK_MIN_MS 60000 /* less is another machine's clock that told when a passage came */
#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS 60000
#define SILENT_GAPS 8 /* silent by chance once in e^8 */
#define SILENT_MAX_MS 600000
#define HEARD_WEIGHT 0.05 /* of a new gap between passages of a zone */
#define HOUR_MS 3600000
#define TICK_MAX_MS 60000 /* between two ticks; more is a stop, or a clock that was set */
#define DAY_MS INT64_C(86400000)

enum err zone_create(const struct zone_settings *settings, const struct zones *zones, struct zone_core **ret_core)
{
    struct zone_core *core = mem_alloc_zero(1, sizeof(*core));
    if (core == NULL)
        return ERR_NO_MEMORY;
    core->settings = *settings;
    core->zones = zones;
    core->now_ms = INT64_MIN;
    zone_vehicles_init(&core->vehicles, settings->vehicles_max);
    for (size_t i = 0; i < zones->n; i++) {
        zone_gaps_init(&core->states[i].gaps, settings->timeout_ms);
        core->states[i].heard_ms = core->states[i].counted_ms = INT64_MIN;
        core->states[i].figures.stale_since_ms = INT64_MIN;
    }
    enum err err = zone_checks_init(&core->checks, settings->checks_max);
    if (err == ERR_OK)
        *ret_core = core;
    else
        mem_free(core);
    return err;
}

void zone_destroy(struct zone_core *core)
{
    if (core == NULL)
        return;
    zone_vehicles_finish(&core->vehicles);
    zone_checks_finish(&core->checks);
    mem_free(core);
}

/* ---- time ---- */

static int64_t midnight_of(const struct zone_core *core, int32_t day)
{
    return (int64_t)day * DAY_MS - (int64_t)core->zones->time_zone.offset_s * 1000;
}

void zone_missed(struct zone_core *core, int64_t since_ms, int64_t until_ms)
{
    if (since_ms >= until_ms)
        return;
    /* What was missing of a day before the one that this begins on is told no more. */
    bool is_first = core->missed_since_ms == core->missed_until_ms ||
                    core->missed_until_ms <= midnight_of(core, zone_day(since_ms, core->zones->time_zone));
    core->missed_since_ms = is_first || since_ms < core->missed_since_ms ? since_ms : core->missed_since_ms;
    core->missed_until_ms = is_first || until_ms > core->missed_until_ms ? until_ms : core->missed_until_ms;
}

/* Since when passages of today are missing. */
static int64_t missing_since(const struct zone_core *core)
{
    int64_t midnight_ms = midnight_of(core, core->today);
    if (core->missed_until_ms <= midnight_ms)
        return ZONE_FRESH;
    return core->missed_since_ms > midnight_ms ? core->missed_since_ms : midnight_ms;
}

/* Our clock was set back: no sign of life is of the future, or who is silent would be fresh, and who is gone still there, until the clock
 * has come that far again. An answer of the future is none. */
static void set_back(struct zone_core *core, int64_t now_ms)
{
    for (size_t i = 0; i < core->zones->n; i++)
        core->states[i].heard_ms = core->states[i].heard_ms > now_ms ? now_ms : core->states[i].heard_ms;
    zone_vehicles_set_back(&core->vehicles, now_ms);
}

/* Our clock goes on with whatever comes; a tick that is far behind it is a clock that was set back. */
static void go_on(struct zone_core *core, int64_t now_ms, bool is_tick)
{
    if (now_ms <= core->now_ms && !(is_tick && core->now_ms - now_ms > SET_BACK_MIN_MS))
        return;
    if (now_ms < core->now_ms)
        set_back(core, now_ms);
    core->now_ms = now_ms;
    core->retry_at_ms = core->retry_at_ms > now_ms + RETRY_MAX_MS ? now_ms : core->retry_at_ms;
    int32_t today = zone_day(now_ms, core->zones->time_zone);
    if (today == core->today)
        return;
    if (today < core->today) /* the day before once more: what was counted of it is gone */
        zone_missed(core, midnight_of(core, today), now_ms);
    core->today = today;
    for (size_t i = 0; i < core->zones->n; i++) {
        memset(core->states[i].figures.through, 0, sizeof(core->states[i].figures.through));
        memset(core->states[i].through, 0, sizeof(core->states[i].through));
        core->states[i].figures.breaches = 0;
        core->states[i].stays = (struct zone_stays){0};
    }
    for (size_t i = 0; i < core->zones->n_areas; i++) {
        memset(core->area_states[i].figures.through, 0, sizeof(core->area_states[i].figures.through));
        memset(core->area_states[i].through, 0, sizeof(core->area_states[i].through));
    }
}

/* What is handed over a second time, after a restart, is no new sign of life. */
static void heard(struct zone_state *state, int64_t arrived_ms)
{
    if (state->heard_ms != INT64_MIN && arrived_ms >= state->heard_ms)
        state->heard_gap_ms += HEARD_WEIGHT * ((double)(arrived_ms - state->heard_ms) - state->heard_gap_ms);
    state->heard_ms = arrived_ms > state->heard_ms ? arrived_ms : state->heard_ms;
    state->figures.has_camera = true;
    state->figures.n_passages++;
}

static bool is_silent(const struct zone_core *core, const struct zone_state *state)
{
    double limit_ms = state->heard_gap_ms * SILENT_GAPS;
    limit_ms = limit_ms > SILENT_MAX_MS ? SILENT_MAX_MS : limit_ms;
    limit_ms = limit_ms < (double)core->settings.stale_after_ms ? (double)core->settings.stale_after_ms : limit_ms;
    return state->heard_ms == INT64_MIN || (double)core->now_ms - (double)state->heard_ms > limit_ms;
}

/* ---- where it is ---- */

void zone_set_inside(struct zone_core *core, struct zone_vehicle *vehicle, uint16_t inside)
{
    for (unsigned changed = vehicle->inside ^ inside; changed != 0; changed &= changed - 1) {
        int at = __builtin_ctz(changed);
        uint32_t *now = &core->states[at].figures.now[vehicle->group];
        *now = inside >> at & 1 ? *now + 1 : *now - 1;
    }
    for (size_t i = 0; i < core->zones->n_areas && vehicle->inside != inside; i++) {
        uint16_t mask = core->zones->areas[i].zones;
        uint32_t *now = &core->area_states[i].figures.now[vehicle->group];
        *now = *now + ((inside & mask) != 0) - ((vehicle->inside & mask) != 0);
    }
    vehicle->inside = inside;
}

static void on_leave(void *context, struct zone_vehicle *vehicle)
{
    zone_set_inside(context, vehicle, 0);
}

struct zone_vehicle *zone_add_vehicle(struct zone_core *core, uint64_t id)
{
    int64_t before_ms = core->now_ms == INT64_MIN ? INT64_MIN : core->now_ms - LATE_MAX_MS - FUTURE_MAX_MS;
    return zone_vehicles_add(&core->vehicles, id, core->today, before_ms, on_leave, core);
}

/* Zones of `mask` in which one last seen then is still waited for. */
static uint16_t still_in(const struct zone_core *core, uint16_t mask, int64_t seen_ms)
{
    uint16_t still = 0;
    for (unsigned left = mask; left != 0; left &= left - 1) {
        int at = __builtin_ctz(left);
        still |= (uint16_t)((core->now_ms - seen_ms <= core->states[at].gaps.timeout_ms) << at);
    }
    return still;
}

/* A sighting says where it is, also that it is elsewhere. One that comes out of order moves nothing. */
static void move(struct zone_core *core, struct zone_vehicle *vehicle, const struct zone_passage *passage)
{
    if (vehicle->seen_ms != INT64_MIN && passage->time_ms < vehicle->seen_ms)
        return;
    for (unsigned left = vehicle->seen_ms != INT64_MIN ? vehicle->headed : 0; left != 0; left &= left - 1) {
        int at = __builtin_ctz(left);
        zone_gaps_add(&core->states[at].gaps, passage->time_ms - vehicle->seen_ms);
        zone_stays_gap(&core->states[at].stays, (double)(passage->time_ms - vehicle->seen_ms) / 1000, passage->held >> at & 1);
    }
    for (unsigned left = passage->held | passage->ahead; left != 0; left &= left - 1) {
        int at = __builtin_ctz(left);
        core->states[at].stays.n_headed += passage->ahead >> at & 1;
        core->states[at].stays.n_found += (passage->held & ~vehicle->headed) >> at & 1;
    }
    vehicle->seen_ms = passage->time_ms;
    vehicle->headed = passage->ahead;
    zone_set_inside(core, vehicle, still_in(core, passage->ahead, passage->time_ms));
    zone_vehicles_renew(&core->vehicles, vehicle);
}

/* ---- breaches ---- */

static void claim(struct zone_core *core, struct zone_vehicle *vehicle, const struct zone_check *check)
{
    struct zone_state *state = &core->states[check->zone];
    int32_t day = zone_day(check->time_ms, core->zones->time_zone);
    if (vehicle != NULL && vehicle->breached >> check->zone & 1)
        return; /* asked twice, since it was forgotten in between */
    if (vehicle != NULL)
        vehicle->breached |= (uint16_t)(1u << check->zone);
    if (day == core->today)
        state->figures.breaches++;
    if (state->hour != core->now_ms / HOUR_MS)
        state->n_told = 0;
    state->hour = core->now_ms / HOUR_MS;
    if (state->n_told >= core->settings.breaches_per_hour || core->n_breaches == ZONE_BREACHES_MAX) {
        core->counters.n_withheld++;
        return;
    }
    state->n_told++;
    struct zone_breach *breach = &core->breaches[core->n_breaches++];
    *breach =
        (struct zone_breach){.camera = check->camera, .zone = check->zone, .group = check->group, .day = day, .time_ms = check->time_ms};
    memcpy(breach->pseudonym, check->pseudonym, check->pseudonym_len);
}

static bool is_answered(const struct zone_core *core, const struct zone_vehicle *vehicle, int64_t time_ms)
{
    int64_t age_ms = core->now_ms - vehicle->asked_ms; /* below 0: the clock was set back */
    return vehicle->asked_ms != 0 && age_ms >= 0 && age_ms <= core->settings.pass_fresh_ms && time_ms >= vehicle->same_from &&
           time_ms < vehicle->same_until;
}

/* Restricted here and now: is there a pass? */
static void look_for_pass(struct zone_core *core, struct zone_vehicle *vehicle, const struct zone_passage *passage, int zone)
{
    struct zone_check check = {.id = passage->vehicle,
        .time_ms = passage->time_ms,
        .camera = passage->camera,
        .zone = (uint8_t)zone,
        .group = vehicle->group,
        .plate_len = (uint8_t)passage->plate.len,
        .pseudonym_len = (uint8_t)passage->pseudonym.len};
    memcpy(check.pseudonym, passage->pseudonym.ptr, passage->pseudonym.len);
    if (is_answered(core, vehicle, passage->time_ms)) {
        core->counters.n_from_cache++;
        if (!(vehicle->allowed >> zone & 1))
            claim(core, vehicle, &check);
        return;
    }
    memcpy(check.plate, passage->plate.ptr, passage->plate.len);
    if (zone_checks_put(&core->checks, &check) == ERR_OK)
        vehicle->waiting |= (uint16_t)(1u << zone);
    else
        core->counters.n_given_up++; /* its next passage tries again */
}

static void look_at_rules(struct zone_core *core, struct zone_vehicle *vehicle, const struct zone_passage *passage)
{
    bool is_readable = !str_is_empty(passage->plate) && passage->plate.len <= ZONE_PLATE_MAX &&
                       passage->pseudonym.len <= ZONE_PSEUDONYM_MAX &&
                       (passage->confidence < 0 || passage->confidence >= core->settings.confidence_min);
    if (!is_readable)
        return;
    for (unsigned left = passage->held & ~(unsigned)(vehicle->breached | vehicle->waiting); left != 0; left &= left - 1) {
        int zone = __builtin_ctz(left);
        if (zone_restricts(core->zones, (size_t)zone, vehicle->group, passage->time_ms))
            look_for_pass(core, vehicle, passage, zone);
    }
}

static void count_through(struct zone_core *core, struct zone_vehicle *vehicle, uint16_t zones)
{
    uint16_t before = vehicle->through;
    vehicle->through |= zones;
    if (vehicle->through == before || vehicle->day != core->today)
        return;
    for (unsigned new = vehicle->through ^ before; new != 0; new &= new - 1)
        core->states[__builtin_ctz(new)].through[vehicle->group]++;
    for (size_t i = 0; i < core->zones->n_areas; i++)
        if ((before & core->zones->areas[i].zones) == 0 && (zones & core->zones->areas[i].zones) != 0)
            core->area_states[i].through[vehicle->group]++;
}

/* ---- events ---- */

static void on_passage(struct zone_core *core, const struct zone_passage *passage)
{
    if (passage->time_ms > passage->arrived_ms + FUTURE_MAX_MS || passage->time_ms < passage->arrived_ms - LATE_MAX_MS) {
        core->counters.n_future += passage->time_ms > passage->arrived_ms;
        core->counters.n_late += passage->time_ms < passage->arrived_ms;
        return;
    }
    go_on(core, passage->arrived_ms, false);
    core->counters.n_passages++;
    uint16_t here = passage->held | passage->ahead;
    for (unsigned left = here; left != 0; left &= left - 1)
        heard(&core->states[__builtin_ctz(left)], passage->arrived_ms);
    struct zone_vehicle *vehicle = passage->group < ZONE_N_GROUPS ? zone_vehicles_find(&core->vehicles, passage->vehicle) : NULL;
    if (vehicle == NULL) {
        if (here == 0 || passage->group >= ZONE_N_GROUPS)
            return;
        vehicle = zone_add_vehicle(core, passage->vehicle);
        if (vehicle == NULL)
            return;
        vehicle->group = passage->group;
        vehicle->day = zone_day(passage->time_ms, core->zones->time_zone);
    }
    move(core, vehicle, passage);
    count_through(core, vehicle, here);
    look_at_rules(core, vehicle, passage);
}

/* What passes say of the check's moment, and from when until when they say the same. */
static struct zone_vehicle read_passes(const struct zone_check *check, uint32_t nth, const struct zone_pass *passes, size_t n)
{
    struct zone_vehicle known = {.same_from = INT64_MIN, .same_until = INT64_MAX};
    for (size_t i = 0; i < n; i++) {
        const struct zone_pass *pass = &passes[i];
        if (pass->check != nth || pass->from_ms >= pass->until_ms)
            continue;
        if (pass->from_ms <= check->time_ms && check->time_ms < pass->until_ms)
            known.allowed |= pass->zones;
        const int64_t edges[] = {pass->from_ms, pass->until_ms};
        for (size_t edge = 0; edge < 2; edge++)
            if (edges[edge] <= check->time_ms)
                known.same_from = edges[edge] > known.same_from ? edges[edge] : known.same_from;
            else
                known.same_until = edges[edge] < known.same_until ? edges[edge] : known.same_until;
    }
    return known;
}

static void end_wait(struct zone_core *core, const struct zone_check *check)
{
    struct zone_vehicle *vehicle = zone_vehicles_find(&core->vehicles, check->id);
    if (vehicle != NULL)
        vehicle->waiting &= (uint16_t) ~(1u << check->zone);
}

static void on_answer(struct zone_core *core, uint32_t number, const struct zone_pass *passes, size_t n)
{
    struct zone_ask *ask = zone_checks_find(&core->checks, number);
    if (ask == NULL)
        return;
    core->retry_ms = core->retry_at_ms = 0;
    for (uint32_t i = 0; i < ask->n; i++) {
        const struct zone_check *check = &ask->checks[i];
        struct zone_vehicle known = read_passes(check, i, passes, n), *vehicle = zone_vehicles_find(&core->vehicles, check->id);
        core->counters.n_asked++;
        end_wait(core, check);
        if (vehicle != NULL) {
            vehicle->asked_ms = ask->asked_ms;
            vehicle->allowed = known.allowed;
            vehicle->same_from = known.same_from;
            vehicle->same_until = known.same_until;
        }
        if (!(known.allowed >> check->zone & 1))
            claim(core, vehicle, check);
    }
    zone_checks_end(&core->checks, ask);
}

static void on_no_answer(struct zone_core *core, uint32_t number, bool is_final)
{
    struct zone_ask *ask = zone_checks_find(&core->checks, number);
    if (ask == NULL)
        return;
    core->retry_ms = core->retry_ms == 0 ? RETRY_FIRST_MS : core->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : core->retry_ms * 2;
    core->retry_at_ms = core->now_ms + core->retry_ms;
    if (!is_final) {
        core->counters.n_put_off += ask->n;
        zone_checks_put_back(&core->checks, ask);
        return;
    }
    core->counters.n_given_up += ask->n;
    for (uint32_t i = 0; i < ask->n; i++)
        end_wait(core, &ask->checks[i]);
    zone_checks_end(&core->checks, ask);
}

static void end_stay(void *context, struct zone_vehicle *vehicle)
{
    struct zone_core *core = context;
    zone_set_inside(core, vehicle, still_in(core, vehicle->inside, vehicle->seen_ms));
    if (vehicle->inside == 0)
        zone_vehicles_renew(&core->vehicles, vehicle);
}

/* Those that were to be seen again and were not. */
static void expire(struct zone_core *core)
{
    int64_t shortest_ms = INT64_MAX;
    for (size_t i = 0; i < core->zones->n; i++)
        shortest_ms = core->states[i].gaps.timeout_ms < shortest_ms ? core->states[i].gaps.timeout_ms : shortest_ms;
    zone_vehicles_each_before(&core->vehicles, core->now_ms - shortest_ms, end_stay, core);
}

/* As many as were counted, and at least as many as were in it at once: after midnight those who stay have yesterday's pseudonyms, and are
 * not counted anew before they are seen. */
static void tell_through(const uint64_t *counted, const uint32_t *now, uint64_t *through)
{
    for (size_t group = 0; group < ZONE_N_GROUPS; group++) {
        uint64_t least = counted[group] > now[group] ? counted[group] : now[group];
        through[group] = through[group] > least ? through[group] : least;
    }
}

/* A count of before the clock was set back is none. */
static const struct zone_estimate *fresh_count(const struct zone_core *core, const struct zone_state *state)
{
    bool is_fresh = state->counted_ms != INT64_MIN && core->now_ms - state->counted_ms <= ZONE_COUNTED_FOR_MS &&
                    state->counted_ms - core->now_ms <= ZONE_COUNTED_FOR_MS;
    return is_fresh ? &state->counted : NULL;
}

static void tell_count(struct zone_core *core, struct zone_state *state, double seconds)
{
    const struct zone_estimate *counted = fresh_count(core, state);
    zone_stays_tick(&state->stays, seconds, counted);
    state->figures.is_counted = counted != NULL;
    state->figures.counted = state->counted;
    state->figures.factor = zone_stays_factor(&state->stays);
}

static void on_tick(struct zone_core *core, struct zone_updates *updates)
{
    int64_t since_ms = core->now_ms - core->ticked_ms;
    double seconds = core->ticked_ms == 0 || since_ms < 0 || since_ms > TICK_MAX_MS ? 1 : (double)since_ms / 1000;
    core->ticked_ms = core->now_ms;
    expire(core);
    for (size_t i = 0; i < core->zones->n; i++) {
        struct zone_state *state = &core->states[i];
        tell_through(state->through, state->figures.now, state->figures.through);
        state->figures.timeout_ms = state->gaps.timeout_ms;
        state->figures.missing_since_ms = missing_since(core);
        tell_count(core, state, seconds);
        state->figures.stale_since_ms = !is_silent(core, state) ? ZONE_FRESH : state->heard_ms == INT64_MIN ? 0 : state->heard_ms;
        core->figures[i] = state->figures;
        state->figures.n_passages = 0;
    }
    for (size_t i = 0; i < core->zones->n_areas; i++) {
        struct zone_area_state *area = &core->area_states[i];
        tell_through(area->through, area->figures.now, area->figures.through);
        core->area_figures[i] = area->figures;
    }
    updates->figures = core->figures;
    updates->areas = core->area_figures;
}

static void on_drop(void *context, const struct zone_check *check)
{
    struct zone_core *core = context;
    core->counters.n_given_up++;
    end_wait(core, check);
}

/* At once when there is a batch, else with the next tick. */
static const struct zone_ask *ask(struct zone_core *core, bool is_tick)
{
    bool is_due = core->checks.n >= ZONE_ASK_MAX || (is_tick && core->checks.n > 0);
    if (!is_due || core->now_ms < core->retry_at_ms)
        return NULL;
    return zone_checks_take(
        &core->checks, core->now_ms, core->now_ms - core->settings.check_kept_ms, core->now_ms + FUTURE_MAX_MS, on_drop, core);
}

void zone_step(struct zone_core *core, const struct zone_event *event, struct zone_updates *updates)
{
    *updates = (struct zone_updates){.breaches = core->breaches};
    core->n_breaches = 0;
    switch (event->type) {
    case ZONE_PASSAGE:
        on_passage(core, &event->passage);
        break;
    case ZONE_ANSWER:
        on_answer(core, event->answer.number, event->answer.passes, event->answer.n);
        break;
    case ZONE_NO_ANSWER:
        on_no_answer(core, event->no_answer.number, event->no_answer.is_final);
        break;
    case ZONE_COUNTED:
        core->states[event->counted.zone].counted = event->counted.vehicles;
        core->states[event->counted.zone].counted_ms = event->counted.time_ms;
        break;
    case ZONE_TICK:
        go_on(core, event->now_ms, true);
        on_tick(core, updates);
        break;
    }
    updates->n_breaches = core->n_breaches;
    updates->ask = ask(core, event->type == ZONE_TICK);
}

const struct zone_counters *zone_counters(const struct zone_core *core)
{
    return &core->counters;
}

uint32_t zone_n_waiting(const struct zone_core *core)
{
    return core->checks.n + core->checks.n_asked;
}

const struct zone_vehicles *zone_known_vehicles(const struct zone_core *core)
{
    return &core->vehicles;
}
