/*
 * Telling systemd (or whoever set NOTIFY_SOCKET) how the program is: sd_notify(3)'s datagrams, written by ourselves. Without the variable
 * each of these does nothing.
 */
#ifndef BRAIN_NOTIFY_H
#define BRAIN_NOTIFY_H

#include "base/loop.h"

#include <stdint.h>

void notify_ready(uint16_t port); /* everything is up, the doors are open; 0: there is none */
/* notify_alive() once a second from now on; `beat` is kept, and stopped with loop_timer_stop(). On the loop's thread. */
void notify_each_second(struct loop *loop, struct loop_timer *beat);
void notify_alive(void); /* the main loop has come round: for the watchdog, when there is one */
void notify_stopping(void);

#endif
