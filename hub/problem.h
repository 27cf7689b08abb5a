/* What strangers may know of how a use ended, the same at each door: status, words, rule. The words are borrowed of what is given. */
#ifndef HUB_PROBLEM_H
#define HUB_PROBLEM_H

#include "hub/act.h"

struct http_problem hub_problem_of(const struct hub_refusal *refusal);
struct http_problem hub_act_problem(const struct hub_act *act); /* status 0: the department's answer is known */

#endif
