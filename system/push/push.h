/*
 * The connector for providers that bring their rows themselves: POST /hub/v1/publish/{area}/{party}/{name} with the party's own token.
 */
#ifndef SYSTEM_PUSH_PUSH_H
#define SYSTEM_PUSH_PUSH_H

#include "hub/system.h"

extern const struct hub_system_ops system_push_ops;

#endif
