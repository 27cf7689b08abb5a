/*
 * What the files of this folder share.
 */
#ifndef SYSTEM_FILES_INSIDE_H
#define SYSTEM_FILES_INSIDE_H

#include "hub/department.h"
#include "system/files/files.h"

#include <sys/stat.h>

#define FILES_THREADS 2      /* a disk that is slow at one file need not be at the next */
#define FILES_QUEUE_MAX 1000 /* askings that wait; a transfer has one at a time */
#define FILES_NAME_MAX 1024  /* bytes of a file's name below the folder */
#define FILES_LOOK_MS 10000  /* the folder is looked at so often */
#define FILES_SETTLE_MS 2000 /* a file changed as lately as this may change again without its times telling */

struct files_binding { /* of a resource */
    const struct hub_resource *resource;
    struct str before, after; /* of the key in the file's name; without a key `before` is the name */
    const char *media_type;   /* NULL: by the file's ending */
    struct files_binding *next;
};

struct files_system {
    struct hub_department department;
    char folder[HUB_DEPARTMENT_PATH_MAX];
    bool check_only;
    struct files_binding *bindings;
    struct loop_timer start; /* the threads begin when the loop does: everything is loaded then */
    pthread_t threads[FILES_THREADS];
    size_t n_threads;
    pthread_mutex_t lock; /* guards the queue */
    pthread_cond_t wake;
    struct hub_object_ask *first, **last;
    size_t n_waiting, n_idle;
    struct metric_counter n_refused;
    bool is_stopping;
};

struct files_object { /* an open file */
    struct files_system *system;
    int fd;
    struct stat status; /* as it was when it was opened */
};

/* ---- binding.c ---- */
enum err files_read_connection(struct files_system *system, struct yaml_node connection, struct diag_list *diags) MUST_CHECK;
enum err files_bind(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags) MUST_CHECK;
/* The file's name below the folder. ERR_NOT_FOUND: no file has a key like this. */
enum err files_name(const struct files_binding *binding, struct value key, char out[FILES_NAME_MAX]) MUST_CHECK;

/* ---- object.c: blocking, on the system's threads ---- */
/* Can the folder be read? */
enum err files_look(const struct files_system *system) MUST_CHECK;
enum err files_open_object(struct files_system *system, struct hub_object_ask *ask) MUST_CHECK;
enum err files_read_object(struct files_object *object, struct hub_object_ask *ask) MUST_CHECK;
void files_close_object(void *object);

#endif
