/*
 * For the tests of connectors to real databases: one department with tables in the small city of hub/fake.h, asked directly, and a proxy
 * on loopback that stands between a connector and its server and can be silent, slow, cut or gone.
 */
#ifndef HUB_DEPARTMENT_TESTING_H
#define HUB_DEPARTMENT_TESTING_H

#include "hub/fake.h"

/* The city, with the connector, and a contract h/c-17 on h/police/vehicle. */
void fake_department_make(struct fake_city *city, const struct hub_system_ops *const *connectors);
/* systems/police.yaml with "party:" and "connector:" before `rest`. */
void fake_department_write(struct fake_city *city, const char *connector, const char *rest);
/* contracts/c-17.yaml: `fields` as "[a, b]", `rows` NULL for all. */
void fake_department_grant(struct fake_city *city, const char *fields, const char *rows);
void fake_department_load(struct fake_city *city); /* fails the test with the first diagnosis */
void *fake_department_plan(struct fake_city *city);
void fake_department_finish(struct fake_city *city); /* unloads, removes, looks for leaks */
/* {data}/secrets/NAME, mode 0600; the folder's made. */
void fake_department_secret(struct fake_city *city, const char *name, const char *text);

/* ---- asking ---- */
struct fake_question {
    const char *outputs[16]; /* field names, or "count(*)", "count(x)", "count(distinct x)", "sum(x)", "min(x)", "max(x)" */
    struct {
        const char *column;
        enum sql_op op;
        const struct value *values;
        size_t n;
    } where[8];
    const char *order[8]; /* "x" or "-x" */
    size_t n_rows_max;    /* 0: 1000 */
    size_t n_bytes_max;   /* 0: 1 MiB */
};
struct fake_answer {
    enum err err;
    bool is_truncated;
    size_t n_rows;
    struct rows *rows; /* released by the next asking */
    char text[8192];   /* "a|1|NULL;b|2|…": rows in order, for comparing */
};
const struct fake_answer *fake_ask(struct fake_city *city, const struct fake_question *question);
/* Begins one and waits for none; fake_await() waits for the first `n` to end, fake_asked() gives the answers' errors. */
struct fake_asking;
struct fake_asking *fake_ask_start(struct fake_city *city, const struct fake_question *question);
bool fake_ask_is_done(const struct fake_asking *asking);
void fake_ask_cancel(struct fake_asking *asking);                          /* its asker goes; it is ended as any */
enum err fake_ask_end(struct fake_city *city, struct fake_asking *asking); /* waits, frees */
/* A row of the answer as "a|1|NULL". */
void fake_row_text(const struct value *values, size_t n, struct buf *out);

/* A figure of the hub's, as `citybrain_queue_length{queue="department",of="police"}`; fails the test when there is none. */
uint64_t fake_department_figure(struct fake_city *city, const char *sample);

/* ---- a proxy ---- */
enum fake_proxy_mode {
    FAKE_PROXY_PASS,
    FAKE_PROXY_SILENT /* swallows answers */,
    FAKE_PROXY_SLOW /* a byte each 20 ms */,
    FAKE_PROXY_CUT /* ends a connection instead of handing on what the server says */,
    FAKE_PROXY_CLOSED
};
struct fake_proxy;
struct fake_proxy *fake_proxy_start(int server_port);
int fake_proxy_port(const struct fake_proxy *proxy);
void fake_proxy_set(struct fake_proxy *proxy, enum fake_proxy_mode mode); /* CLOSED cuts what is open and listens no more */
/* From when the server is sent `text` (static) on, once: so that its answer to it is lost. */
void fake_proxy_set_at(struct fake_proxy *proxy, const char *text, enum fake_proxy_mode mode);
size_t fake_proxy_n_connections(struct fake_proxy *proxy); /* accepted so far */
void fake_proxy_stop(struct fake_proxy *proxy);

#endif
