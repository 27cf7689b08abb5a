/*
 * Telling systemd (or whoever set NOTIFY_SOCKET) how the program is: sd_notify(3)'s datagrams, written by ourselves. Without the variable
 * each of these does nothing.
 */
#ifndef BRAIN_NOTIFY_H
#define BRAIN_NOTIFY_H

#include <stdint.h>

void notify_ready(uint16_t port); /* everything is up, the doors are open */
void notify_alive(void);          /* the main loop has come round: for the watchdog, when there is one */
void notify_stopping(void);

#endif
