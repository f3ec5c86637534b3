// SPDX-License-Identifier: MIT
// A static program must not load shared libraries of the system it runs on: with a glibc of another
// version than its own that corrupts memory or ends in an assertion (glibc 2.31 says
// _dl_call_libc_early_init).
#include <dlfcn.h>
#include <nss.h>

#include <initializer_list>

namespace {

// Otherwise /etc/nsswitch.conf names modules to look names up (db, mdns, myhostname, resolve). "files"
// (such as /etc/hosts) and "dns" (the servers of /etc/resolv.conf) are inside the C library. The last
// four are for libpcap's filter expressions. Before main(): it has to be set before any thread asks.
__attribute__((constructor)) void LookUpNamesWithoutModules() {
  __nss_configure_lookup("hosts", "files dns");
  for (const char* database : {"networks", "protocols", "services", "ethers"}) {
    __nss_configure_lookup(database, "files");
  }
}

}  // namespace

// For OpenSSL, whose configuration file may name modules. It goes on without them.
void* dlopen(const char*, int) noexcept { return nullptr; }
