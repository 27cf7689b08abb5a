/*
 * Questions to the table of passes: a query under contract for each ask of the core. An ask that the hub or the department does not answer
 * is the core's to put off.
 */
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/query.h"
#include "scene/zone/inside.h"

#include <string.h>

struct zone_asking {
    struct hub_query query;
    struct scene_zone *scene; /* NULL: it has stopped meanwhile */
    struct buf sql;
    struct zone_ask ask; /* a copy: the query's parameters are its plates */
    struct value parameters[ZONE_PARAMETERS_MAX];
};

static void destroy(struct zone_asking *asking)
{
    buf_finish(&asking->sql);
    crypto_wipe(asking, sizeof(*asking));
    mem_free(asking);
}

static void tell_no_answer(struct scene_zone *scene, uint32_t number, bool is_final, const char *why)
{
    struct zone_event event = {.type = ZONE_NO_ANSWER, .no_answer = {number, is_final}};
    struct zone_updates updates;
    scene->n_unanswered++;
    if ((scene->n_unanswered & (scene->n_unanswered - 1)) == 0)
        log_write(LOG_WARNING, "scene/zone", "passes cannot be looked up; the checks are put off and no breach is claimed",
            LOG_TEXT("why", why), LOG_INT("unanswered", (int64_t)scene->n_unanswered), LOG_INT("waiting", zone_n_waiting(scene->core)),
            LOG_END);
    zone_scene_step(scene, &event, "", &updates);
}

static void done(struct hub_query *query)
{
    struct zone_asking *asking = query->context;
    struct scene_zone *scene = asking->scene;
    struct zone_updates updates;
    char receipt[ZONE_RECEIPT_MAX] = "";
    size_t n = 0;
    enum err err = query->refusal.err;
    for (size_t i = 0; scene != NULL && i < ZONE_ASKS_MAX; i++)
        scene->askings[i] = scene->askings[i] == asking ? NULL : scene->askings[i];
    if (scene == NULL) {
        destroy(asking);
        return;
    }
    bool is_answered = err == ERR_OK;
    if (is_answered)
        err = zone_answer_read(query->json, &asking->ask, &scene->zones, scene->answer, &n, receipt);
    struct zone_event event = {.type = ZONE_ANSWER, .answer = {asking->ask.number, scene->answer, n}};
    if (err == ERR_OK)
        zone_scene_step(scene, &event, receipt, &updates);
    else
        tell_no_answer(
            scene, asking->ask.number, is_answered && err != ERR_NO_MEMORY, is_answered ? err_text(err) : query->refusal.diag.text);
    destroy(asking);
}

void zone_ask_start(struct scene_zone *scene, const struct zone_ask *ask)
{
    size_t at = 0;
    while (at < ZONE_ASKS_MAX && scene->askings[at] != NULL)
        at++;
    struct zone_asking *asking = at < ZONE_ASKS_MAX ? mem_alloc_zero(1, sizeof(*asking)) : NULL;
    if (asking == NULL) {
        tell_no_answer(scene, ask->number, false, err_text(ERR_NO_MEMORY));
        return;
    }
    asking->scene = scene;
    asking->ask = *ask;
    buf_init(&asking->sql, HUB_QUERY_SQL_MAX);
    size_t n = zone_ask_write(&asking->ask, scene->passes, &asking->sql, asking->parameters);
    if (asking->sql.err != ERR_OK) {
        enum err err = asking->sql.err;
        destroy(asking);
        tell_no_answer(scene, ask->number, false, err_text(err));
        return;
    }
    scene->askings[at] = asking;
    asking->query = (struct hub_query){.party = scene->party,
        .purpose = STR(ZONE_PURPOSE),
        .sql = buf_str(&asking->sql),
        .parameters = asking->parameters,
        .n_parameters = n,
        .loop = scene->loop,
        .done = done,
        .context = asking};
    hub_query_start(scene->hub, &asking->query);
}

void zone_ask_stop(struct scene_zone *scene)
{
    for (size_t i = 0; i < ZONE_ASKS_MAX; i++) {
        if (scene->askings[i] == NULL)
            continue;
        scene->askings[i]->scene = NULL;
        atomic_store(&scene->askings[i]->query.is_cancelled, true);
        scene->askings[i] = NULL;
    }
}
