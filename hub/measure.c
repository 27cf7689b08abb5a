/*
 * The hub's figures: what was decided and by which rule, how uses ended and how long they took, how each department answers.
 *
 * Counted where it happens, with relaxed additions; told here. No figure names a person or a contract: a department, a resource, a rule.
 */
#include "hub/measure.h"
#include "hub/act_store.h"
#include "hub/feed.h"

#include <stdio.h>

static int use_of(struct str use)
{
    for (int i = 0; hub_use_names[i]; i++)
        if (str_equal_c(use, hub_use_names[i]))
            return i;
    return HUB_CALL;
}

void hub_measure_decision(struct hub *hub, struct str use, const struct hub_refusal *refusal)
{
    int rule = !refusal ? DECIDE_PERMIT : refusal->rule ? refusal->rule : DECIDE_N_RULES;
    metric_add(&hub->figures.decided[use_of(use)][rule], 1);
}

void hub_measure_use(struct hub *hub, enum hub_use use, struct mono_time started, enum err err)
{
    metric_add(&hub->figures.ended[use][err], 1);
    metric_observe_us(&hub->figures.took[use], (clock_mono(hub->clock).ns - started.ns) / 1000);
}

void hub_measure_asked(struct hub_system *system)
{
    metric_add(&system->n_asked, 1);
}

void hub_measure_answered(struct hub *hub, struct hub_system *system, struct mono_time asked, enum err err)
{
    metric_add(&system->n_answered, 1);
    if (err)
        metric_add(&system->failed[err], 1);
    metric_observe_us(&system->took, (clock_mono(hub->clock).ns - asked.ns) / 1000);
}

static void measure_uses(const struct hub_figures *figures, struct metric_page *page)
{
    static const struct metric decided = {"citybrain_hub_decisions_total", METRIC_COUNTER,
        "Decisions by rule of docs/decide.md; 0 permits, \"none\": no contract", {"use", "rule"}};
    static const struct metric ended = {"citybrain_hub_uses_total", METRIC_COUNTER, "Uses by how they ended", {"use", "status"}};
    static const struct metric took = {"citybrain_hub_use_seconds", METRIC_HISTOGRAM, "From asking to answer or refusal", {"use"}};
    for (int use = HUB_CALL; use <= HUB_ACT; use++) {
        struct str name = str_from_c(hub_use_names[use]);
        for (int rule = 0; rule <= DECIDE_N_RULES; rule++) {
            char text[16] = "none";
            if (rule < DECIDE_N_RULES)
                snprintf(text, sizeof text, "%d", rule);
            metric_put_counter(page, &decided, &figures->decided[use][rule], METRIC_VALUES(name, str_from_c(text)));
        }
        for (int err = 0; err < ERR_COUNT; err++)
            if (err == ERR_OK || metric_get(&figures->ended[use][err]) > 0)
                metric_put_counter(
                    page, &ended, &figures->ended[use][err], METRIC_VALUES(name, err ? str_from_c(err_text((enum err)err)) : STR("ok")));
        metric_put_histogram(page, &took, &figures->took[use], &name);
    }
}

static void measure_departments(struct hub *hub, struct metric_page *page)
{
    static const struct metric up = {
        "citybrain_department_open", METRIC_GAUGE, "1: its system was opened at the start", {"department", "connector"}};
    static const struct metric asked = {
        "citybrain_department_asked_total", METRIC_COUNTER, "Askings: fetches and commands", {"department"}};
    static const struct metric waiting = {"citybrain_department_pending", METRIC_GAUGE, "Askings without an answer yet", {"department"}};
    static const struct metric failed = {
        "citybrain_department_failed_total", METRIC_COUNTER, "Askings that failed", {"department", "error"}};
    static const struct metric took = {"citybrain_department_seconds", METRIC_HISTOGRAM, "From asking to answer", {"department"}};
    for (struct hub_system *system = hub->systems; system; system = system->next) {
        uint64_t n_answered = metric_get(&system->n_answered), n_asked = metric_get(&system->n_asked); /* in this order */
        if (system->ops)
            metric_put_count(page, &up, system->system != NULL, METRIC_VALUES(system->name, str_from_c(system->ops->connector)));
        if (system->ops && system->ops->door && system->ops->door->measure && system->system)
            system->ops->door->measure(system->system, page, system->name);
        if (!system->ops || (!system->ops->tables && !system->ops->act))
            continue;
        metric_put_count(page, &asked, n_asked, &system->name);
        metric_put_count(page, &waiting, n_asked - n_answered, &system->name);
        for (int err = ERR_OK + 1; err < ERR_COUNT; err++)
            if (err == ERR_UNAVAILABLE || err == ERR_TIMEOUT || metric_get(&system->failed[err]) > 0)
                metric_put_counter(page, &failed, &system->failed[err], METRIC_VALUES(system->name, str_from_c(err_text((enum err)err))));
        metric_put_histogram(page, &took, &system->took, &system->name);
    }
}

static void measure_registry(struct hub *hub, struct metric_page *page)
{
    static const struct metric contracts = {"citybrain_hub_contracts", METRIC_GAUGE, "Contracts by state", {"state"}};
    static const struct metric resources = {"citybrain_hub_resources", METRIC_GAUGE, "Resources declared", {"kind"}};
    size_t n_states[HUB_ENDED + 1] = {0}, n_kinds[HUB_OBJECT + 1] = {0}, n_contracts = hub->n_contracts;
    for (size_t i = 0; i < n_contracts; i++)
        n_states[atomic_load_explicit(&hub->contracts[i]->state, memory_order_relaxed)]++;
    for (size_t i = 0; i < hub->n_entries; i++)
        n_kinds[hub->entries[i]->resource.kind]++;
    for (size_t i = 0; i <= HUB_ENDED; i++)
        metric_put_count(page, &contracts, n_states[i], METRIC_VALUES(str_from_c(hub_state_names[i])));
    for (size_t i = 0; i <= HUB_OBJECT; i++)
        metric_put_count(page, &resources, n_kinds[i], METRIC_VALUES(str_from_c(hub_kind_names[i])));
}

static void measure_sources(const struct hub *hub, struct metric_page *page)
{
    static const struct metric sources = {"citybrain_hub_sources", METRIC_GAUGE, "Sources of data by health", {"health"}};
    static const char *const names[] = {"fresh", "stale", "down"};
    size_t n[HUB_DOWN + 1], n_all = 0, n_reports;
    hub_sources_count(hub, n, &n_reports);
    for (size_t i = 0; i <= HUB_DOWN; i++) {
        metric_put_count(page, &sources, n[i], METRIC_VALUES(str_from_c(names[i])));
        n_all += n[i];
    }
    metric_put_queue(page, "hub_sources", STR("hub"), n_all, HUB_SOURCES_MAX, NULL);
    metric_put_queue(page, "hub_source_reports", STR("hub"), n_reports, HUB_SOURCE_REPORTS_MAX, &hub->figures.n_reports_refused);
}

void hub_measure(struct hub *hub, struct metric_page *page)
{
    static const struct metric in_flight = {"citybrain_hub_in_flight", METRIC_GAUGE, "Uses and leaves under way", {NULL}};
    static const struct metric delayed = {
        "citybrain_hub_leaves_delayed_total", METRIC_COUNTER, "Outcome leaves that the ledger had no room for at once", {NULL}};
    static const struct metric age = {
        "citybrain_feed_age_seconds", METRIC_GAUGE, "At a replica: how old the desk's last word about contracts is; -1: none came", {NULL}};
    static const struct metric hubs = {
        "citybrain_hub_processes", METRIC_GAUGE, "Processes of the hub that share a contract's rate, this one too", {NULL}};
    int64_t age_ms = hub_feed_age_ms(hub);
    uint16_t n_hubs = atomic_load(&hub->feed.n_hubs);
    if (hub->feed.is_follower)
        metric_put(page, &age, age_ms == INT64_MAX ? -1.0 : (double)age_ms / 1e3, NULL);
    metric_put_count(page, &hubs, n_hubs ? n_hubs : 1, NULL);
    measure_uses(&hub->figures, page);
    measure_departments(hub, page);
    measure_registry(hub, page);
    measure_sources(hub, page);
    for (size_t i = 0; i < hub->n_entries; i++)
        if (hub->entries[i]->resource.kind == HUB_STREAM)
            hub_measure_stream(hub->entries[i], page);
    metric_put(page, &in_flight, (double)atomic_load_explicit(&hub->n_in_flight, memory_order_relaxed), NULL);
    metric_put_counter(page, &delayed, &hub->figures.n_leaves_delayed, NULL);
    pthread_mutex_lock(&hub->waiting_lock);
    size_t n_waiting = hub->n_waiting;
    pthread_mutex_unlock(&hub->waiting_lock);
    metric_put_queue(page, "hub_calls", STR("waiting"), n_waiting, HUB_CALLS_WAITING_MAX, &hub->figures.n_calls_refused);
    metric_put_queue(
        page, "hub_queries", STR("waiting"), hub_queries_n_waiting(hub), HUB_QUERIES_WAITING_MAX, &hub->figures.n_queries_refused);
    db_writer_measure(hub->writer, page, STR("hub"));
    hub_acts_measure(hub->acts, page);
}

void hub_readiness(struct hub *hub, struct hub_readiness *ret_readiness)
{
    struct hub_readiness readiness = {.is_started = hub->is_started,
        .is_stopping = atomic_load(&hub->is_stopping),
        .is_cut_off = hub->feed.is_follower && hub_feed_age_ms(hub) >= HUB_FEED_FRESH_MS};
    for (const struct hub_system *system = hub->systems; system; system = system->next) {
        const struct hub_system_door *door = system->ops ? system->ops->door : NULL;
        readiness.n_systems++;
        readiness.n_closed += system->system == NULL;
        readiness.n_starting += system->system && door && door->is_ready && !door->is_ready(system->system);
    }
    *ret_readiness = readiness;
}
