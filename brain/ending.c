/* Signals that end a process; see ending.h. */
#include "brain/ending.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void on_signal(void *context, uint32_t events)
{
    struct ending *ending = context;
    struct signalfd_siginfo info;
    if (read(ending->fd, &info, sizeof(info)) == sizeof(info))
        loop_stop(ending->loop);
}

enum err ending_block(struct ending *ending, bool with_hangup)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (with_hangup)
        sigaddset(&signals, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    ending->fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return ending->fd >= 0 ? ERR_OK : err_from_errno(errno);
}

enum err ending_watch(struct ending *ending, struct loop *loop)
{
    ending->loop = loop;
    return loop_watch_fd(loop, ending->fd, EPOLLIN, on_signal, ending, &ending->watch);
}

void ending_unwatch(struct ending *ending)
{
    loop_unwatch(ending->watch);
    ending->watch = NULL;
}

void ending_finish(struct ending *ending)
{
    if (ending->fd >= 0)
        close(ending->fd);
    ending->fd = -1;
}
