// SPDX-License-Identifier: MIT
#include "agent/command_line.h"

int main(int argc, char** argv) { return sockflow::Main(argc, argv); }
