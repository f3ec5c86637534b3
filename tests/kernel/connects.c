/* SPDX-License-Identifier: MIT */
/*
 * connects PORT [then PROGRAM [ARGUMENT...]]
 *
 * Connects to 127.0.0.1, and is gone or becomes another program. Small and static, so that it lives for less
 * than a millisecond. Other arguments than these are of no account.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(atoi(argv[1])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return 1;
	if (argc > 3 && !strcmp(argv[2], "then")) {
		execv(argv[3], argv + 3);
		return 3;
	}
	return 0;
}
