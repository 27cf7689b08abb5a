/* For a struct hub_reach: only the systems of one party are here. */
#ifndef SYSTEM_BUS_ABSENT_H
#define SYSTEM_BUS_ABSENT_H

#include "hub/system.h"

/* `context`: the party's name, a NUL-terminated text. */
const struct hub_system_ops *system_absent_ops(void *context, struct str party, const struct hub_system_ops *declared);

#endif
