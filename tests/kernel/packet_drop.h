// SPDX-License-Identifier: MIT
#pragma once

namespace sockflow::testing {

// A network that loses packets, for one socket: what TCP drops for a socket's filter is as if it had never
// arrived. A socket that is accepted has the filter of its listener. Ends the process if it fails.
void DropAll(int fd);
// So many of a hundred packets, at random.
void DropSome(int fd, int percent);
void DropNothing(int fd);

}  // namespace sockflow::testing
