/* People's passwords on disk, as Argon2id. */
#include "base/mem.h"
#include "business/party/people.h"

#include <semaphore.h>
#include <stddef.h>
#include <string.h>

const char *const party_migrations[] = {
    "CREATE TABLE password (person TEXT PRIMARY KEY, encoded TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE session (hash BLOB PRIMARY KEY, person TEXT NOT NULL, created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL) WITHOUT "
    "ROWID",
    /* Until now only demo passwords were ever set. One is honoured only while parties.yaml asks for it: a city that stops being a demo
     * must not go on taking the printed password. */
    "ALTER TABLE password ADD COLUMN is_demo INTEGER NOT NULL DEFAULT 0; UPDATE password SET is_demo = 1",
};
const size_t party_n_migrations = sizeof(party_migrations) / sizeof(party_migrations[0]);

enum err party_passwords_load(struct party_people *people, struct db *db, struct diag *diag)
{
    struct db_statement *statement;
    bool is_row = true;
    enum err err = db_prepare(db, "SELECT person, encoded, is_demo FROM password", diag, &statement);
    if (err != ERR_OK)
        return err;
    while ((err = db_step(statement, &is_row)) == ERR_OK && is_row) {
        struct party_person *person = party_person_find(people, db_column(statement, 0).s);
        if (!person || (db_column(statement, 2).i && !person->has_demo_password))
            continue;
        if (str_to_c(db_column(statement, 1).s, person->encoded, sizeof(person->encoded)) != ERR_OK)
            person->encoded[0] = '\0';
    }
    db_statement_finish(statement);
    return err;
}

struct password_write {
    struct db_write write;
    struct str person;
    const char *encoded;
    bool is_demo;
    sem_t done;
};

static enum err run_password(struct db_write *base, struct db *db)
{
    struct password_write *write = container_of(base, struct password_write, write);
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row;
    enum err err = db_prepare(db, "INSERT OR REPLACE INTO password VALUES (?1, ?2, ?3)", &diag, &statement);
    if (err != ERR_OK)
        return err;
    err = db_bind(statement, 1, value_text(write->person));
    if (err == ERR_OK)
        err = db_bind(statement, 2, value_text(str_from_c(write->encoded)));
    if (err == ERR_OK)
        err = db_bind(statement, 3, value_integer(write->is_demo));
    if (err == ERR_OK)
        err = db_step(statement, &is_row);
    db_statement_finish(statement);
    return err;
}

static void password_done(struct db_write *base)
{
    sem_post(&container_of(base, struct password_write, write)->done);
}

/* The waiting thread is the sign-in thread or a tool's main thread, so `done` needs a loop of its own to run on. */
enum err party_password_store(struct party_people *people, struct str person, const char *encoded, bool is_demo)
{
    struct loop_thread *thread;
    enum err err = loop_thread_start(people->options.clock, "password", &thread);
    if (err != ERR_OK)
        return err;
    struct password_write write = {.write = {.run = run_password, .done = password_done, .loop = loop_thread_loop(thread)},
        .person = person,
        .encoded = encoded,
        .is_demo = is_demo};
    sem_init(&write.done, 0, 0);
    err = db_writer_submit(people->writer, &write.write);
    if (err == ERR_OK) {
        while (sem_wait(&write.done) != 0)
            ;
        err = write.write.err;
    }
    loop_thread_stop(thread);
    sem_destroy(&write.done);
    return err;
}
