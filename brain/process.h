/* What the operating system knows of this process, under the names that every Prometheus client uses. Linux. */
#ifndef BRAIN_PROCESS_H
#define BRAIN_PROCESS_H

#include "base/metric.h"

/* CPU time, memory, descriptors, threads. What /proc does not tell is left out. */
void process_measure(struct metric_page *page);

#endif
