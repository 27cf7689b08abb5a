/* A copy of a database of our own that others go on writing: SQLite's backup API, one moment's state in one step (WAL: nobody waits). */
#include "db/internal.h"

#include <stdio.h>

enum err db_backup(const char *from_path, const char *to_path, struct diag *diag)
{
    sqlite3 *from = NULL, *to = NULL;
    int code = sqlite3_open_v2(from_path, &from, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code == SQLITE_OK)
        code =
            sqlite3_open_v2(to_path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code == SQLITE_OK)
        sqlite3_busy_timeout(from, 5000);
    sqlite3_backup *backup = code == SQLITE_OK ? sqlite3_backup_init(to, "main", from, "main") : NULL;
    if (backup) {
        code = sqlite3_backup_step(backup, -1);
        int end = sqlite3_backup_finish(backup);
        code = code == SQLITE_DONE ? end : code;
    } else if (code == SQLITE_OK)
        code = sqlite3_errcode(to);
    enum err err = ERR_OK;
    if (code != SQLITE_OK) {
        err = (code & 0xff) == SQLITE_FULL                                        ? ERR_DISK_FULL
              : (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB ? ERR_CORRUPT
                                                                                  : ERR_IO;
        diag_set(diag, err, from_path, 0, "cannot be copied to %s: %s", to_path, sqlite3_errstr(code));
    }
    sqlite3_close_v2(to);
    sqlite3_close_v2(from);
    return err;
}
