/*
 * The log: one JSON object a line on standard error, with the journal's priorities. Never personal data, never a key.
 *
 *     log_write(LOG_WARNING, "camera", "source is silent", LOG_STR("device", id), LOG_INT("silent_ms", 60000), LOG_END);
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

enum log_kind { LOG_KIND_END, LOG_KIND_STR, LOG_KIND_INT, LOG_KIND_REAL };

struct log_field {
    const char *name;
    enum log_kind kind;
    struct str s;
    int64_t i;
    double r;
};

#define LOG_STR(name_, s_) ((struct log_field){.name = (name_), .kind = LOG_KIND_STR, .s = (s_)})
#define LOG_TEXT(name_, c_) ((struct log_field){.name = (name_), .kind = LOG_KIND_STR, .s = str_from_c(c_)})
#define LOG_INT(name_, i_) ((struct log_field){.name = (name_), .kind = LOG_KIND_INT, .i = (i_)})
#define LOG_REAL(name_, r_) ((struct log_field){.name = (name_), .kind = LOG_KIND_REAL, .r = (r_)})
#define LOG_ERR(e_) ((struct log_field){.name = "error", .kind = LOG_KIND_STR, .s = str_from_c(err_text(e_))})
#define LOG_END ((struct log_field){.kind = LOG_KIND_END})

void log_set_level(enum log_level level); /* default LOG_NOTICE; lines above it are dropped */
/* Writes one line with one write(2), so that threads do not mix. `part` is the folder that speaks. */
void log_write(enum log_level level, const char *part, const char *message, ...);

#endif
