/*
 * Commands into a department's own inbox: by statements that the department wrote, over a connection apart from those that read, on a
 * thread of its own. What the connectors to SQL databases share.
 *
 *     bind: {user: hub_inbox, password_file: "{data}/secrets/inbox",       (or file: "{data}/departments/inbox.sqlite")
 *            run: "INSERT INTO dispatch (key, place) VALUES (:act_key, :place) ON CONFLICT (key) DO NOTHING",
 *            answer: "SELECT id, state FROM dispatch WHERE key = :act_key"}
 *
 * One act is one transaction: the answer is looked for first, and only when there is none the statement runs, so that the key is kept
 * together with its effect; a unique column keeps it against a second hub. What breaks before the COMMIT is certainly not done; only an
 * unanswered COMMIT, or what the database cannot take back, is unknown. Without `answer` (at_most_once) nothing is looked for.
 */
#ifndef HUB_DEPARTMENT_COMMAND_H
#define HUB_DEPARTMENT_COMMAND_H

#include "hub/department_table.h"

#define HUB_PARAMETERS_MAX 64        /* of one statement */
#define HUB_COMMAND_COLUMN_MAX 65536 /* bytes of one column of an answer */

struct hub_statement {
    struct str sql;                       /* with the database's placeholders; NUL-terminated; empty: none */
    struct str names[HUB_PARAMETERS_MAX]; /* of the placeholders, in their order */
    size_t n;
};
struct hub_command { /* a resource's binding */
    const struct hub_resource *resource;
    char user[128], password_file[HUB_DEPARTMENT_PATH_MAX], file[HUB_DEPARTMENT_PATH_MAX];
    struct hub_statement run, answer;
    void *session; /* the thread's; NULL: none */
    struct hub_command *next;
};

enum hub_control { HUB_BEGIN, HUB_COMMIT, HUB_ROLLBACK };

/* All on the commands' thread, and while a city is loaded on the hub's; they may block, each for the connector's own time. */
struct hub_command_ops {
    const char *thread;      /* its name, at most 15 bytes */
    const char *placeholder; /* "$" and "?1": numbered, a name once; "?": each by itself */
    bool has_backslashes;    /* in quoted texts, before a quote that does not end them */
    bool is_file;            /* bind: names a file, not a user */
    bool is_userless;        /* … and may leave the user out */
    /* Connects so that it may write into the inbox; what is acknowledged is on disk. Any error, with the cause in `detail`. */
    enum err (*open)(void *system, const struct hub_command *command, char detail[HUB_DEPARTMENT_DETAIL_MAX], void **ret_session);
    void (*close)(void *session);
    /* HUB_BEGIN: an error when the session is not to be used any more. HUB_COMMIT: ERR_OK; ERR_UNAVAILABLE: certainly not done, the session
     * goes on; any other: nobody knows. HUB_ROLLBACK: ERR_IO: something stays that cannot be taken back; any other: the session is broken,
     * and the database forgets. */
    enum err (*control)(void *session, enum hub_control what);
    /* Runs a statement with its values. `row`: takes the first row, a JSON object, when there is one. ERR_RANGE: refused for good, why in
     * `words`; any other: not now. */
    enum err (*run)(void *session, const struct hub_statement *statement, const struct value *values, struct buf *row, bool *ret_has_row,
        char words[HUB_WORDS_MAX]);
    /* Looks at a statement without running it. ERR_SYNTAX: the database refuses it; ERR_RANGE: it is not what it stands for; why in
     * `words`.
     */
    enum err (*check)(void *session, const struct hub_statement *statement, bool is_answer, char words[HUB_WORDS_MAX]);
};

struct hub_command_run;
struct hub_commands {
    struct hub_department *department;
    const struct hub_command_ops *ops;
    void *system;
    bool check_only; /* binds without looking at the database */
    struct hub_command *first;
    struct arena scratch; /* the thread's: of one act */
    pthread_t thread;     /* begins with the first act */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct hub_ask *waiting, **last;
    size_t n;
    struct hub_command_run *running;
    bool has_thread, has_ended, is_stopping, is_stuck;
    struct metric_counter n_refused; /* for want of room */
};

void hub_commands_init(
    struct hub_commands *commands, struct hub_department *department, const struct hub_command_ops *ops, void *system, bool check_only);
/* What waits is answered: not done. False: a driver did not return within `wait_ms` (-1: however long) and its thread is left to itself;
 * then nothing that it uses may be freed. */
bool hub_commands_stop(struct hub_commands *commands, int64_t wait_ms) MUST_CHECK;
void hub_commands_finish(struct hub_commands *commands); /* after the stop */
/* The slots of hub/system.h. */
enum err hub_commands_bind(
    struct hub_commands *commands, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags) MUST_CHECK;
void hub_commands_act(struct hub_commands *commands, struct hub_ask *ask);
/* For drivers that may not come back: an act that has run for longer is answered as unknown, and what waits behind it as not done. */
void hub_commands_give_up(struct hub_commands *commands, int64_t overdue_ms);

/* Its queue's figures, when there is a command. Any thread. */
void hub_commands_measure(struct hub_commands *commands, struct metric_page *page, struct str name);

/* What a placeholder's name stands for, in an act; false: nothing of this command's. Borrows from the act. */
bool hub_command_parameter(const struct hub_resource *resource, struct str name, const struct hub_ask *ask, struct value *ret_value);
/* The row's next column: a number as such when `is_number` and it is one, else a text; bytes that are none are null. */
struct json_writer;
void hub_command_put_column(struct json_writer *w, const char *name, struct str text, bool is_number);

#endif
