/* The least that a message for a closed file costs: inotify FOLDER PORT posts "#name without ending#". */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static void post(int wire, const char *mark) {
    char body[400], request[800], answer[1000];
    int length = snprintf(body, sizeof body, "{\"phone\":\"905550000000\",\"message\":\"#%s# is there\"}", mark);
    length = snprintf(request, sizeof request,
                      "POST /v1/send/text HTTP/1.1\r\nHost: sink\r\nContent-Length: %d\r\n\r\n%s", length, body);
    if (write(wire, request, length) != length || read(wire, answer, sizeof answer) <= 0)
        exit(1);
}

int main(int count, char **words) {
    if (count != 3)
        return 2;
    struct sockaddr_in sink = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
    sink.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int wire = socket(AF_INET, SOCK_STREAM, 0), one = 1, watch = inotify_init();
    setsockopt(wire, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(wire, (struct sockaddr *)&sink, sizeof sink) || inotify_add_watch(watch, words[1], IN_CLOSE_WRITE) < 0)
        return 1;
    static char events[1 << 16] __attribute__((aligned(8)));
    for (ssize_t size; (size = read(watch, events, sizeof events)) > 0;)
        for (char *place = events; place < events + size;) {
            struct inotify_event *event = (struct inotify_event *)place;
            char *ending = event->len ? strrchr(event->name, '.') : NULL;
            if (ending)
                *ending = 0;
            if (event->len)
                post(wire, event->name);
            place += sizeof *event + event->len;
        }
    return 0;
}
