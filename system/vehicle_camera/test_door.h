/*
 * For tests: the connector as the hub would open it, behind a real HTTP server on a real socket, with its own data folder.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_TEST_DOOR_H
#define SYSTEM_VEHICLE_CAMERA_TEST_DOOR_H

#include "base/file.h"
#include "http/client.h"
#include "http/server.h"
#include "system/vehicle_camera/test_hub.h"
#include "system/vehicle_camera/vehicle_camera.h"

#include <stdatomic.h>

struct test_door {
    char data[FILE_PATH_MAX]; /* made by the caller */
    struct clock *clock;      /* NULL: the system's */
    const char *file;         /* NULL: fake_city_file */
    struct yaml *yaml;
    struct loop_thread *hub_loop, *http_loop;
    void *system;
    struct http_mount mount;
    struct http_server *server;
    char password[64];
    _Atomic int fatal; /* what env.fatal was called with */
};

/* Aborts the test when it cannot; from a child of a test the assertion ends the process. */
void test_door_open(struct test_door *door);
void test_door_close(struct test_door *door);

/* One request by Digest as `device` (NULL: without), answered into `ret_body` (the caller's buf_finish()). 0: the connection broke, and
 * there is no body. */
int test_door_send(struct test_door *door, const char *device, const char *method, const char *path, struct str body, struct buf *ret_body);

#endif
