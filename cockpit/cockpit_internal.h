/* What cockpit.c, face.c, door.c and why.c share; nobody else includes it. */
#ifndef COCKPIT_COCKPIT_INTERNAL_H
#define COCKPIT_COCKPIT_INTERNAL_H

#include "base/queue.h"
#include "cockpit/board.h"
#include "cockpit/cockpit.h"
#include "cockpit/store.h"

#include <pthread.h>

#define COCKPIT_FACES_MAX 64         /* HTTP loops */
#define COCKPIT_STREAMS_MAX 32       /* subscriptions: distinct sources, two of roads, one each of junctions, zones, health */
#define COCKPIT_SNAPSHOTS_WAITING 64 /* for one face; past it a snapshot is skipped: the next one says all but what was recorded */
#define COCKPIT_COALESCE_MS 20       /* rows of one moment come as several batches: wait so long for the others */
#define COCKPIT_SNAPSHOT_GAP_MS 100  /* least time between two snapshots */
#define COCKPIT_ROADS_OBJECT_MAX (64u << 20)
#define COCKPIT_EDGES_PART 2000 /* edges in one event: about 100 KB, a tenth of a viewer's queue (http/server.h) */
#define COCKPIT_EDGES_PARTS 4   /* parts sent at once to all; a larger change goes to each viewer at its own speed */
#define COCKPIT_SOURCES_PART 500

enum cockpit_stream_kind {
    COCKPIT_STREAM_INDICATOR,
    COCKPIT_STREAM_ROAD_STATE,
    COCKPIT_STREAM_ROAD_INDEX,
    COCKPIT_STREAM_JUNCTION_INDEX,
    COCKPIT_STREAM_ZONE_STATE,
    COCKPIT_STREAM_SOURCE
};

struct cockpit_stream {
    struct cockpit *cockpit;
    enum cockpit_stream_kind kind;
    struct str resource;
    struct hub_keep *keep; /* NULL: refused for good */
};

struct cockpit_bytes { /* an object's GeoJSON, as it came; immutable, replaced whole */
    _Atomic uint32_t n_refs;
    struct buf bytes;
    char receipt[HUB_RECEIPT_MAX];
};

struct cockpit_object { /* one that the map draws: the roads, the zones */
    struct cockpit *cockpit;
    const char *what;
    struct str resource;                                          /* empty: the city's file names none */
    enum err (*learn)(struct cockpit *cockpit, struct str bytes); /* on the cockpit's thread; may be NULL */
    struct hub_object_get get;
    struct loop_timer timer;
    bool is_pending;
    struct cockpit_bytes *kept; /* guarded by the cockpit's mutex */
};

struct cockpit {
    struct cockpit_options options;
    struct loop_thread *thread;
    struct cockpit_board *board; /* the thread's */
    struct cockpit_store *store;
    struct loop_timer snapshot_timer, tick_timer;
    struct mono_time last_snapshot;
    struct cockpit_stream streams[COCKPIT_STREAMS_MAX];
    size_t n_streams;
    struct cockpit_object roads, zones;
    bool is_stopping;
    pthread_mutex_t mutex; /* guards what faces take when they begin: faces, latest, objects */
    struct cockpit_face *faces[COCKPIT_FACES_MAX];
    size_t n_faces;
    struct cockpit_snapshot *latest;
    struct metric_counter n_records_lost; /* refused by the store's queue; logged as they happen */
};

struct cockpit_round { /* a list of the snapshot that a viewer is told in parts, around: from `at` on, `n_left` more */
    size_t at, n_left;
};

struct cockpit_viewer {
    struct cockpit_face *face;
    int area;
    struct http_stream *stream;
    struct cockpit_round edges, sources;
    struct cockpit_viewer *next, **at;
};

struct cockpit_face {
    struct cockpit *cockpit;
    struct loop *loop;
    struct queue *snapshots;
    struct cockpit_snapshot *latest; /* the face's own reference; NULL until the first */
    struct cockpit_viewer **viewers; /* by area */
    struct loop_timer ping_timer;
    struct buf scratch;
};

/* ---- object.c: asked for until it is there ---- */
void cockpit_object_init(struct cockpit_object *object, struct cockpit *cockpit, const char *what, struct str resource,
    enum err (*learn)(struct cockpit *cockpit, struct str bytes));
void cockpit_object_ask(struct cockpit_object *object);                   /* on the cockpit's loop, as the next */
void cockpit_object_stop(struct cockpit_object *object);                  /* asks no more */
struct cockpit_bytes *cockpit_object_take(struct cockpit_object *object); /* a reference, or NULL; any thread */
void cockpit_bytes_release(struct cockpit_bytes *bytes);                  /* takes NULL */

/* face.c: a snapshot for this face, from the cockpit's loop. */
void cockpit_face_give(struct cockpit_face *face, struct cockpit_snapshot *snapshot);
struct json_writer cockpit_face_begin(struct cockpit_face *face); /* an event into face->scratch */

void cockpit_face_ranking(struct cockpit_face *face, const struct cockpit_snapshot *s, int area);   /* likewise */
void cockpit_face_junctions(struct cockpit_face *face, const struct cockpit_snapshot *s, int area); /* likewise */
void cockpit_face_zones(struct cockpit_face *face, const struct cockpit_snapshot *s, int area);     /* likewise */

/* viewer.c: one viewer more, who is told everything; then what changes. */
void cockpit_face_live(struct cockpit_face *face, struct http_exchange *x, int area);
void cockpit_viewer_send(struct cockpit_viewer *viewer, const char *event);
/* All sources (or edges) once more, in parts, as the viewer takes them. */
void cockpit_viewer_tell_edges(struct cockpit_viewer *viewer);
void cockpit_viewer_tell_sources(struct cockpit_viewer *viewer);

/* door.c */
extern const struct http_route cockpit_routes[];
extern const size_t cockpit_n_routes;
extern const char cockpit_schemas[]; /* cockpit/door.schema.json */

/* why.c: GET /cockpit/v1/why */
void cockpit_handle_why(struct http_exchange *x, void *context);

/* The area that the query names (or the asker's own); answers 404 by itself and gives -1 when there is no such area for this asker. */
int cockpit_area_asked(struct cockpit_face *face, struct http_exchange *x);

#endif
