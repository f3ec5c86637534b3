// SPDX-License-Identifier: MIT
#include "fixbuf_udp.h"

#include "fixbuf_record.h"

static struct record records[kSessions];

static fBuf_t *connect_to(const char *port) {
  GError *error = NULL;
  char host[] = "127.0.0.1";
  char service[16];
  snprintf(service, sizeof(service), "%s", port);
  fbConnSpec_t spec = FB_CONNSPEC_INIT;
  spec.transport = FB_UDP;
  spec.host = host;
  spec.svc = service;
  fill(records);
  fbInfoModel_t *model = fbInfoModelAlloc();
  fbSession_t *session = fbSessionAlloc(model);
  check(fbSessionAddTemplate(session, TRUE, kInternalId, make_template(model, internal_fields),
                             &error) != 0,
        "internal template", error);
  fBuf_t *buffer = fBufAllocForExport(session, fbExporterAllocNet(&spec));
  check(fbSessionAddTemplate(session, FALSE, kExternalId, make_template(model, external_fields),
                             &error) != 0,
        "external template", error);
  // A message that is full leaves by itself.
  fBufSetAutomaticMode(buffer, TRUE);
  check(fBufSetInternalTemplate(buffer, kInternalId, &error), "internal", error);
  check(fBufSetExportTemplate(buffer, kExternalId, &error), "external", error);
  return buffer;
}

double fixbuf_udp_round(const char *port, double seconds) {
  static fBuf_t *buffer = NULL;
  if (buffer == NULL) buffer = connect_to(port);
  long count = 0;
  const double begin = now();
  double took = 0;
  while (took < seconds) {
    for (int round = 0; round < 100; ++round) {
      for (int i = 0; i < kSessions; ++i) {
        GError *error = NULL;
        check(fBufAppend(buffer, (uint8_t *)&records[i], sizeof(records[i]), &error), "append",
              error);
      }
    }
    count += 100 * kSessions;
    took = now() - begin;
  }
  return (double)count / took;
}
