/* A ring of checks, and the batches that were taken from its front. */
#include "scene/zone/checks.h"

#include "base/crypto.h"
#include "base/mem.h"

enum err zone_checks_init(struct zone_checks *checks, uint32_t max)
{
    *checks = (struct zone_checks){.max = max, .ring = mem_alloc_zero(max, sizeof(*checks->ring))};
    return checks->ring == NULL ? ERR_NO_MEMORY : ERR_OK;
}

void zone_checks_finish(struct zone_checks *checks)
{
    if (checks->ring != NULL)
        crypto_wipe(checks->ring, checks->max * sizeof(*checks->ring));
    mem_free(checks->ring);
    crypto_wipe(checks, sizeof(*checks));
}

static struct zone_check *at(struct zone_checks *checks, uint32_t nth)
{
    return &checks->ring[(checks->first + nth) % checks->max];
}

enum err zone_checks_put(struct zone_checks *checks, const struct zone_check *check)
{
    if (checks->n + checks->n_asked >= checks->max)
        return ERR_FULL;
    *at(checks, checks->n++) = *check;
    return ERR_OK;
}

struct zone_ask *zone_checks_take(struct zone_checks *checks, int64_t now_ms, int64_t from_ms, int64_t until_ms,
    void (*drop)(void *context, const struct zone_check *check), void *context)
{
    struct zone_ask *ask = NULL;
    for (size_t i = 0; i < ZONE_ASKS_MAX && ask == NULL; i++)
        ask = checks->asks[i].n == 0 ? &checks->asks[i] : NULL;
    if (ask == NULL)
        return NULL;
    while (checks->n > 0 && ask->n < ZONE_ASK_MAX) {
        struct zone_check *check = at(checks, 0);
        if (check->time_ms < from_ms || check->time_ms > until_ms)
            drop(context, check);
        else
            ask->checks[ask->n++] = *check;
        crypto_wipe(check, sizeof(*check));
        checks->first = (checks->first + 1) % checks->max;
        checks->n--;
    }
    if (ask->n == 0)
        return NULL;
    checks->n_asked += ask->n;
    ask->number = ++checks->next_number;
    ask->asked_ms = now_ms;
    return ask;
}

struct zone_ask *zone_checks_find(struct zone_checks *checks, uint32_t number)
{
    for (size_t i = 0; i < ZONE_ASKS_MAX; i++)
        if (checks->asks[i].n > 0 && checks->asks[i].number == number)
            return &checks->asks[i];
    return NULL;
}

void zone_checks_put_back(struct zone_checks *checks, struct zone_ask *ask)
{
    for (uint32_t i = ask->n; i-- > 0;) {
        checks->first = (checks->first + checks->max - 1) % checks->max;
        checks->n++;
        *at(checks, 0) = ask->checks[i];
    }
    zone_checks_end(checks, ask);
}

void zone_checks_end(struct zone_checks *checks, struct zone_ask *ask)
{
    checks->n_asked -= ask->n;
    crypto_wipe(ask, sizeof(*ask));
}
