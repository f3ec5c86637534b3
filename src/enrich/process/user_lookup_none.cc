// SPDX-License-Identifier: MIT
// For the static program: the modules of NSS are libraries of the system it runs on, which it must not load
// (cmake/static/no_libraries.cc).
#include "enrich/process/user_lookup.h"

namespace sockflow {

UserLookup SystemUserLookup() { return nullptr; }

}  // namespace sockflow
