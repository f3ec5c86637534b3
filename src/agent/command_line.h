// SPDX-License-Identifier: MIT
#pragma once

namespace sockflow {

// Reads the command line and does what it says; returns the exit status.
int Main(int argc, char** argv);

}  // namespace sockflow
