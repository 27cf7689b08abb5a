/* Connectors, by the name that a department's file gives. */
#include "brain/connectors.h"

#include "district/join.h"
#include "system/files/files.h"
#include "system/http/http.h"
#include "system/mariadb/mariadb.h"
#include "system/mqtt/mqtt.h"
#include "system/odbc/odbc.h"
#include "system/postgres/postgres.h"
#include "system/push/push.h"
#include "system/sqlite/sqlite.h"
#include "system/vehicle_camera/vehicle_camera.h"

const struct hub_system_ops *const connectors_known[] = {&system_sqlite_ops, &system_postgres_ops, &system_mariadb_ops, &system_odbc_ops,
    &system_http_ops, &system_files_ops, &system_mqtt_ops, &system_push_ops, &system_vehicle_camera_ops, &district_system_ops, NULL};
