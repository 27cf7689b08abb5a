/* One datagram a message; what cannot be sent is nobody's loss but the watchdog's, which then does its work. */
#include "brain/notify.h"

#include "base/log.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BEAT_MS 1000

static void tell(const char *message)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') /* Linux' abstract names begin with a NUL */
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    ssize_t sent = sendto(fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&address,
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    (void)sent;
    close(fd);
}

void notify_ready(uint16_t port)
{
    char message[64];
    if (port)
        snprintf(message, sizeof(message), "READY=1\nSTATUS=serves on port %u", port);
    else
        snprintf(message, sizeof(message), "READY=1\nSTATUS=serves");
    tell(message);
}

void notify_alive(void)
{
    if (getenv("WATCHDOG_USEC"))
        tell("WATCHDOG=1");
}

static void on_beat(struct loop_timer *timer)
{
    notify_each_second(timer->loop, timer);
}

void notify_each_second(struct loop *loop, struct loop_timer *beat)
{
    beat->fn = on_beat;
    notify_alive();
    if (loop_timer_start(loop, beat, BEAT_MS))
        log_write(LOG_ERROR, "notify", "no memory for a timer: the watchdog hears nothing more", LOG_END);
}

void notify_stopping(void)
{
    tell("STOPPING=1\nSTATUS=stopping");
}
