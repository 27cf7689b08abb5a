/* See call_testing.h. */
#include "hub/call_testing.h"

#include "base/mem.h"

#include <stdio.h>

struct fake_city call_city;

static void done(struct hub_call *call)
{
    struct asked *asked = call->context;
    asked->n_done++;
    if (call->rows)
        asked->n_rows = rows_n(call->rows);
    snprintf(asked->json, sizeof asked->json, STR_FORMAT, STR_ARG(call->json));
}

void call_ask(struct asked *asked)
{
    *asked = (struct asked){
        .fields = {STR("colour"), STR("plate")},
        .key_names = {STR("plate"), STR("kind")},
        .key_values = {value_text(STR("浙A1\"")), value_integer(2)},
    };
    asked->call = (struct hub_call){
        .party = STR("h/parking"),
        .resource = STR("h/police/vehicle"),
        .purpose = STR("parking.settle"),
        .key_names = asked->key_names,
        .key_values = asked->key_values,
        .n_keys = 1,
        .fields = asked->fields,
        .n_fields = 2,
        .loop = call_city.loop,
        .done = done,
        .context = asked,
    };
}

void call_start(struct asked *asked)
{
    hub_call_start(call_city.hub, &asked->call);
    assert_int_equal(asked->n_done, 0); /* always later */
    fake_city_spin(&call_city);
}

int call_make(void **state)
{
    struct diag_list diags;
    fake_city_make(&call_city);
    call_city.ledger = fake_ledger();
    return fake_city_load(&call_city, &diags) != ERR_OK;
}

int call_finish(void **state)
{
    fake_city_unload(&call_city);
    fake_city_remove(&call_city);
    fake_ledger_reset();
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

int call_count_until(int rule)
{
    for (int n = 0; n < 5000; n++) {
        struct asked asked;
        call_ask(&asked);
        hub_call_start(call_city.hub, &asked.call);
        for (int i = 0; i < 1000 && asked.n_done == 0; i++)
            assert_ok(loop_run_once(call_city.loop, 10));
        assert_int_equal(asked.n_done, 1);
        if (asked.call.refusal.rule == rule)
            return n;
        assert_int_equal(asked.call.refusal.err, ERR_OK);
    }
    return -1;
}

void call_reload(void)
{
    struct diag_list diags;
    fake_city_unload(&call_city);
    assert_ok(fake_city_load(&call_city, &diags));
}
