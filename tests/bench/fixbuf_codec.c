// SPDX-License-Identifier: MIT

// The peer of codec_bench: libfixbuf encodes and decodes the same 25 elements, two of them strings,
// between C structures and messages of 1400 octets in memory. fixbuf_codec SECONDS.

#include <arpa/inet.h>

#include "fixbuf_record.h"

enum { kMessages = 64, kMessageOctets = 1400 };

static fbSession_t *make_session(fbInfoModel_t *model) {
  GError *error = NULL;
  fbSession_t *session = fbSessionAlloc(model);
  check(fbSessionAddTemplate(session, TRUE, kInternalId, make_template(model, internal_fields),
                             &error) != 0,
        "internal template", error);
  return session;
}

static uint8_t messages[kMessages][kMessageOctets];
static size_t lengths[kMessages];
static int message_count;
static long record_octets;

static void append(fBuf_t *buffer, fbExporter_t *exporter, uint8_t *message,
                   struct record *record) {
  static long since_emit;
  GError *error = NULL;
  ++since_emit;
  if (fBufAppend(buffer, (uint8_t *)record, sizeof(*record), &error)) return;
  --since_emit;
  check(g_error_matches(error, FB_ERROR_DOMAIN, FB_ERROR_EOM), "append", error);
  g_clear_error(&error);
  check(fBufEmit(buffer, &error), "emit", error);
  // The second message is the first without a template. 20 octets are the headers of it and its set.
  if (message_count == 1) record_octets = (long)(fbExporterGetMsgLen(exporter) - 20) / since_emit;
  since_emit = 0;
  if (message_count < kMessages) {
    lengths[message_count] = fbExporterGetMsgLen(exporter);
    memcpy(messages[message_count++], message, kMessageOctets);
  }
  check(fBufAppend(buffer, (uint8_t *)record, sizeof(*record), &error), "append", error);
  ++since_emit;
}

static double encode(fbInfoModel_t *model, double seconds) {
  static uint8_t message[kMessageOctets];
  static struct record records[kSessions];
  GError *error = NULL;
  fill(records);
  fbSession_t *session = make_session(model);
  fbExporter_t *exporter = fbExporterAllocBuffer(message, sizeof(message));
  fBuf_t *buffer = fBufAllocForExport(session, exporter);
  // Into the first message at once, because the session has a buffer already.
  check(fbSessionAddTemplate(session, FALSE, kExternalId, make_template(model, external_fields),
                             &error) != 0,
        "external template", error);
  fBufSetAutomaticMode(buffer, FALSE);
  check(fBufSetInternalTemplate(buffer, kInternalId, &error), "internal", error);
  check(fBufSetExportTemplate(buffer, kExternalId, &error), "external", error);

  long count = 0;
  const double begin = now();
  double took = 0;
  while (took < seconds) {
    for (int round = 0; round < 100; ++round) {
      for (int i = 0; i < kSessions; ++i) append(buffer, exporter, message, &records[i]);
    }
    count += 100 * kSessions;
    took = now() - begin;
  }
  fBufFree(buffer);
  return (double)count / took;
}

static double decode(fbInfoModel_t *model, double seconds) {
  GError *error = NULL;
  fBuf_t *buffer = fBufAllocForCollection(make_session(model), NULL);
  fBufSetAutomaticMode(buffer, FALSE);
  check(fBufSetInternalTemplate(buffer, kInternalId, &error), "internal", error);
  uint32_t count = 0;
  uint64_t sum = 0;
  const double begin = now();
  double took = 0;
  for (int first = 0; took < seconds; first = 1) {  // the template is in the first message only
    for (int i = first; i < message_count; ++i) {
      struct record record;
      size_t size = sizeof(record);
      // Numbered anew, or libfixbuf would write a warning for each message.
      const uint32_t sequence = htonl(count);
      memcpy(messages[i] + 8, &sequence, sizeof(sequence));
      fBufSetBuffer(buffer, messages[i], lengths[i]);
      while (fBufNext(buffer, (uint8_t *)&record, &size, &error)) {
        sum += record.flow_id + record.application.len;
        ++count;
        size = sizeof(record);
      }
      check(g_error_matches(error, FB_ERROR_DOMAIN, FB_ERROR_EOM) ||
                g_error_matches(error, FB_ERROR_DOMAIN, FB_ERROR_BUFSZ),
            "decode", error);
      g_clear_error(&error);
    }
    took = now() - begin;
  }
  if (sum == 0) exit(1);
  fBufFree(buffer);
  return (double)count / took;
}

int main(int argc, char **argv) {
  const double seconds = argc > 1 ? atof(argv[1]) : 0.3;
  fbInfoModel_t *model = fbInfoModelAlloc();
  const double encoded = encode(model, seconds);
  const double decoded = decode(model, seconds);
  printf("{\"encode 25 elements\": %.0f, \"octets 25 elements\": %ld, \"decode 25 elements\": %.0f}\n",
         encoded, record_octets, decoded);
  return 0;
}
