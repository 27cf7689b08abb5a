/* The connector to a department's folder of files: objects, read in pieces where they lie (README.md). */
#ifndef SYSTEM_FILES_FILES_H
#define SYSTEM_FILES_FILES_H

#include "hub/system.h"

extern const struct hub_system_ops system_files_ops; /* `connector: files` */

#endif
