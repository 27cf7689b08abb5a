/* What the files of hub/ count of their uses, and who tells it; the figures themselves are in hub/state.h. For hub/ alone. */
#ifndef HUB_MEASURE_H
#define HUB_MEASURE_H

#include "hub/parts.h"

/* Decided: `err` of hub_choose(). */
void hub_measure_decision(struct hub *hub, struct str use, const struct hub_refusal *refusal);
/* A use has its answer, or its refusal. */
void hub_measure_use(struct hub *hub, enum hub_use use, struct mono_time started, enum err err);
/* A department was asked, and its answer has arrived. */
void hub_measure_asked(struct hub_system *system);
void hub_measure_answered(struct hub *hub, struct hub_system *system, struct mono_time asked, enum err err);

/* stream.c */
void hub_measure_stream(struct hub_entry *entry, struct metric_page *page);

#endif
