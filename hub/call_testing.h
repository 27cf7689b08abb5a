/* What the tests of calls share: a small city, a call of its parking scene at the police's vehicles, and how many are permitted. */
#ifndef HUB_CALL_TESTING_H
#define HUB_CALL_TESTING_H

#include "base/test.h"
#include "hub/fake.h"
#include "hub/parts.h"

#include <string.h>

extern struct fake_city call_city;

struct asked {
    struct hub_call call;
    struct str fields[2], key_names[2];
    struct value key_values[2];
    int n_done;
    size_t n_rows;
    char json[256];
};

int call_make(void **state); /* of a test, and its end: nothing is left in memory */
int call_finish(void **state);
void call_reload(void);               /* the city stops cleanly and begins again */
void call_ask(struct asked *asked);   /* what hub_call_start() takes */
void call_start(struct asked *asked); /* asks it until it has ended */
int call_count_until(int rule);       /* how many calls are permitted until rule `rule` denies */

#endif
