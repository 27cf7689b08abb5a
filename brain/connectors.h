/* The connectors that this program has: the one list to add a new one to. */
#ifndef BRAIN_CONNECTORS_H
#define BRAIN_CONNECTORS_H

#include "hub/system.h"

extern const struct hub_system_ops *const connectors_known[]; /* NULL-terminated */

#endif
