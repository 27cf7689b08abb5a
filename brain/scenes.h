/*
 * The scenes' host: reads scenes/NAME.yaml, gives each scene a thread, its subscriptions and its tick.
 */
#ifndef BRAIN_SCENES_H
#define BRAIN_SCENES_H

#include "brain/city.h"
#include "bus/peer.h"
#include "scene/scene.h"

#define SCENES_MAX 64 /* Hangzhou counted 48 in 2020 (reference/city.md §3) */
#define SCENE_NEEDS_MAX 16

struct scenes;

/* The scenes that this program knows how to run; NULL-terminated. */
extern const struct scene_ops *const scenes_known[];

/* Starts every scene of the city; `peer`: who asks their further processes over the bus, NULL: there is none. A file that names an unknown
 * scene, or a need that is not met, is an error in `diags` with its place; *ret_scenes is set all the same, to be stopped and destroyed. */
enum err scenes_start(struct hub *hub, const struct city *city, struct clock *clock, struct bus_peer *peer, struct diag_list *diags,
    struct scenes **ret_scenes) MUST_CHECK;
void scenes_stop(
    struct scenes *scenes); /* ends subscriptions and scenes; their threads go on, for what is still on its way to them. Takes NULL */
void scenes_settle(struct scenes *scenes); /* what was posted to their threads so far has run; takes NULL */
/* The figures of all scenes; any thread, before scenes_stop(). Takes NULL. */
void scenes_measure(const struct scenes *scenes, struct metric_page *page);
void scenes_destroy(struct scenes *scenes); /* after the ledger and the hub; takes NULL */
/* `citybrain check`: the files only, with all that a start would say of them. `hub`: one of check_only; NULL when its own files have
 * errors, then what a scene needs of it is not looked at. */
enum err scenes_check(struct hub *hub, const struct city *city, struct diag_list *diags) MUST_CHECK;

#endif
