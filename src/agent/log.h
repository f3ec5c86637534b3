// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "sockflow/config.h"

namespace sockflow {

// The log goes to standard error; standard output is for records. May be called again, to change it.
void SetUpLog(LogLevel level, LogFormat format);

// For what is wrong before there is a configuration that tells how to log: each line of `text` as it is,
// for the journal with its priority.
void ComplainAtStart(std::string_view text);

}  // namespace sockflow
