/* Errors with their place and mend, as text: "file:line: cause; mend". */
#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>

static void compose(struct diag *diag, const char *file, int line, const char *format, va_list args)
{
    size_t at = 0;
    if (file && line > 0)
        at = (size_t)snprintf(diag->text, sizeof(diag->text), "%s:%d: ", file, line);
    else if (file)
        at = (size_t)snprintf(diag->text, sizeof(diag->text), "%s: ", file);
    if (at < sizeof(diag->text))
        vsnprintf(diag->text + at, sizeof(diag->text) - at, format, args);
}

enum err diag_set(struct diag *diag, enum err err, const char *file, int line, const char *format, ...)
{
    if (diag) {
        va_list args;
        va_start(args, format);
        compose(diag, file, line, format, args);
        va_end(args);
    }
    return err;
}

enum err diag_add(struct diag_list *list, enum err err, const char *file, int line, const char *format, ...)
{
    if (!list)
        return err;
    if (list->n == DIAG_LIST_MAX) {
        list->n_dropped++;
        return err;
    }
    va_list args;
    va_start(args, format);
    compose(&list->diags[list->n++], file, line, format, args);
    va_end(args);
    return err;
}
