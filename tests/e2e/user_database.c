// SPDX-License-Identifier: MIT
// Takes the place of the system's user database in a program (LD_PRELOAD): each question is answered by who
// writes a name to the pipe that USER_DATABASE names, and as long as nobody does, not at all.
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getpwuid_r(uid_t uid, struct passwd* entry, char* buffer, size_t size, struct passwd** result) {
  *result = NULL;
  const char* path = getenv("USER_DATABASE");
  const int pipe = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (pipe < 0) return EIO;
  const ssize_t length = read(pipe, buffer, size - 1);
  close(pipe);
  if (length <= 0) return 0;
  buffer[length] = '\0';
  memset(entry, 0, sizeof(*entry));
  entry->pw_name = buffer;
  entry->pw_uid = uid;
  *result = entry;
  return 0;
}
