// SPDX-License-Identifier: MIT
#pragma once

// libfixbuf's exporter over UDP, as a round of udp_bench.

#ifdef __cplusplus
extern "C" {
#endif

// Exports the records of flow_record.h to this port of 127.0.0.1, the first time after the
// templates. Returns records a second.
double fixbuf_udp_round(const char *port, double seconds);

#ifdef __cplusplus
}
#endif
