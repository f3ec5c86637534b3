// SPDX-License-Identifier: MIT
// Makes TCP sessions with itself over loopback, in a container that has nothing but this program:
//
//   container_sessions PORT COUNT SOCKET
//
// COUNT sessions to PORT, one after another; then one more, whose client's socket it hands to who listens on the
// Unix socket SOCKET, and ends: that session outlives it.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void Check(int holds, const char* what) {
  if (holds) return;
  perror(what);
  exit(1);
}

static int Connect(const struct sockaddr_in* address) {
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  Check(client >= 0, "socket");
  Check(connect(client, (const struct sockaddr*)address, sizeof(*address)) == 0, "connect");
  return client;
}

static void HandOver(int descriptor, const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
  const int link = socket(AF_UNIX, SOCK_STREAM, 0);
  Check(connect(link, (const struct sockaddr*)&address, sizeof(address)) == 0, path);
  char octet = 'x';
  struct iovec data = {&octet, 1};
  union {
    struct cmsghdr header;
    char octets[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control.octets)};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  Check(sendmsg(link, &message, 0) == 1, "sendmsg");
  // Until it has been taken.
  Check(read(link, &octet, 1) == 1, "read");
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: container_sessions PORT COUNT SOCKET\n");
    return 2;
  }
  const struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((unsigned short)atoi(argv[1])),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  Check(bind(listener, (const struct sockaddr*)&address, sizeof(address)) == 0, "bind");
  Check(listen(listener, 8) == 0, "listen");
  const int count = atoi(argv[2]);
  for (int i = 0; i < count; ++i) {
    const int client = Connect(&address);
    const int server = accept(listener, NULL, NULL);
    char octet = 'x';
    Check(write(client, &octet, 1) == 1 && read(server, &octet, 1) == 1, "exchange");
    close(client);
    Check(read(server, &octet, 1) == 0, "end");
    close(server);
  }
  const int client = Connect(&address);
  Check(accept(listener, NULL, NULL) >= 0, "accept");
  HandOver(client, argv[3]);
  return 0;
}
